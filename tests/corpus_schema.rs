//! Relaxes real tables, undoes it, and enforces the relations again where the rows allow it. `tests/corpus FOLDER`
//! names the folder. By default the databases of `fixtures/` and of its cases are used.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::corpus;

use std::path::Path;

use common::Bench;
use rusqlite::Connection;
use serde_json::Value;

/// Returns the rows of every table, which must not change.
fn rows(path: &Path) -> String {
    let database = Connection::open(path).unwrap();
    let texts = "SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10) ORDER BY rowid) \
        FROM sqlite_schema WHERE tbl_name <> 'fk_doctor_state'";
    let texts: String = database.query_row(texts, [], |row| row.get(0)).unwrap();
    common::dump(path).strip_prefix(&texts).unwrap().to_owned()
}

fn number(path: &Path, question: &str) -> i64 {
    Connection::open(path).unwrap().query_row(question, [], |row| row.get(0)).unwrap()
}

/// Returns the relations that can be enforced, as arguments of `--enforce`.
fn enforceable(report: &Value) -> Vec<String> {
    let flawed: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| &finding["relation"])
        .collect();
    let is_sound = |relation: &&Value| relation["coverage"] == "checked" && !flawed.contains(&&relation["id"]);
    let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "_ -".contains(c));
    let side = |side: &Value| -> Option<String> {
        let columns: Vec<&str> = side["columns"].as_array()?.iter().filter_map(Value::as_str).collect();
        let table = side["table"].as_str()?;
        (plain(table) && columns.iter().all(|name| plain(name))).then(|| format!("{table}({})", columns.join(", ")))
    };
    let mut found: Vec<String> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(is_sound)
        .filter_map(|relation| Some(format!("{} -> {}", side(&relation["child"])?, side(&relation["parent"])?)))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn real_tables_are_relaxed_enforced_and_restored() {
    let (mut databases, mut tables, mut dropped, mut declared) = (0, 0, 0, 0);
    let keys = "SELECT count(*) FROM (SELECT DISTINCT m.name, k.id FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS k)";
    let made = Bench::empty();
    for original in corpus::databases(&made) {
        let bench = Bench::empty();
        let path = bench.path("app.db");
        std::fs::copy(&original, &path).unwrap();
        let context = original.display().to_string();
        let (dump, untouched) = (bench.dump(), rows(&path));
        let (_, report) = bench.scan();
        let before = number(&path, keys);

        let run = |arguments: &[&str]| {
            let run = bench.run(&[arguments, &["--no-backup"]].concat());
            assert!([0, 4].contains(&run.code), "{context}: {arguments:?}\n{}{}", run.stdout, run.stderr);
            run
        };
        run(&["repair", "app.db", "--relax", "*(*)", "--nullable", "-o", "relax", "--apply"]);
        assert_eq!(number(&path, keys), 0, "{context}");
        assert_eq!(rows(&path), untouched, "{context}");
        let relaxed = bench.dump();

        let wanted = enforceable(&report);
        let options: Vec<&str> = wanted.iter().flat_map(|relation| ["--enforce", relation]).collect();
        if !wanted.is_empty() {
            run(&[&["repair", "app.db", "-o", "enforce", "--apply"], &options[..]].concat());
            assert_eq!(number(&path, keys), i64::try_from(wanted.len()).unwrap(), "{context}");
            assert_eq!(number(&path, "SELECT count(*) FROM pragma_foreign_key_check"), 0, "{context}");
            run(&["undo", "app.db", "enforce"]);
            assert_eq!(bench.dump(), relaxed, "{context}");
        }
        run(&["undo", "app.db", "relax"]);
        assert_eq!(bench.dump(), dump, "{context}");
        databases += 1;
        tables += number(&path, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
        dropped += before;
        declared += wanted.len();
    }
    println!(
        "{databases} databases, {tables} tables: {dropped} foreign keys relaxed, {declared} declared again, all taken back"
    );
    assert!(dropped > 0 && declared > 0, "the databases are worth changing");
}
