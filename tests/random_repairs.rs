//! Random schemas with circles, composite keys, UNIQUE, CHECK and every kind of table, random damage and random rules:
//! what is planned can be applied, comes to what was foreseen, changes nothing the second time, and is taken back whole.
//! `FK_DOCTOR_CASES` sets how many.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::fmt::Write;

use common::Bench;
use fastrand::Rng;
use rusqlite::Connection;

struct Made {
    tables: Vec<Made1>,
    sql: String,
    has_triggers: bool,
}

struct Made1 {
    name: String,
    /// The columns of its key.
    key: Vec<&'static str>,
    text: bool,
}

fn schema(random: &mut Rng) -> Made {
    let count = random.usize(2..5);
    let tables: Vec<Made1> = (0..count)
        .map(|i| {
            let (key, text) = match random.usize(0..5) {
                0 => (vec!["id"], true),
                1 => (vec!["a", "b"], false),
                _ => (vec!["id"], false),
            };
            Made1 { name: format!("t{i}"), key, text }
        })
        .collect();
    let mut made = Made { tables, sql: String::new(), has_triggers: random.u8(0..3) == 0 };
    for i in 0..count {
        let table = definition(random, &made, i);
        made.sql.push_str(&table);
    }
    if made.has_triggers {
        made.sql.push_str("CREATE TABLE log(what);\n");
        for table in &made.tables {
            let event = random.choice(["INSERT", "UPDATE", "DELETE"]).unwrap();
            let name = &table.name;
            made.sql.push_str(&format!(
                "CREATE TRIGGER on_{name} AFTER {event} ON {name} BEGIN INSERT INTO log VALUES ('{name}'); END;\n"
            ));
        }
    }
    made
}

fn definition(random: &mut Rng, made: &Made, i: usize) -> String {
    let table = &made.tables[i];
    let mut parts = Vec::new();
    let mut last = Vec::new();
    let mut options = "";
    match (&table.key[..], table.text) {
        (["id"], true) => {
            parts.push("id TEXT PRIMARY KEY NOT NULL".to_owned());
            options = if random.bool() { " WITHOUT ROWID" } else { "" };
        }
        (["id"], false) => {
            let counter = if random.bool() { " AUTOINCREMENT" } else { "" };
            parts.push(format!("id INTEGER PRIMARY KEY{counter}"));
        }
        _ => {
            parts.extend(["a INT NOT NULL".to_owned(), "b INT NOT NULL".to_owned()]);
            last.push("PRIMARY KEY(a, b)".to_owned());
        }
    }
    let pick = |random: &mut Rng, words: &[&str]| words[random.usize(0..words.len())].to_owned();
    parts
        .push(format!("label TEXT{}", pick(random, &["", " NOT NULL", " UNIQUE", " NOT NULL UNIQUE", " DEFAULT 'd'"])));
    parts.push(format!(
        "n INT{}",
        pick(
            random,
            &["", " NOT NULL", " NOT NULL DEFAULT 5", " CHECK (n < 50)", " NOT NULL CHECK (n BETWEEN 0 AND 3)"]
        )
    ));
    for f in 0..random.usize(0..3) {
        let parent = &made.tables[random.usize(0..made.tables.len())];
        let kind = if parent.text { "TEXT" } else { "INT" };
        let on_delete = pick(random, &["", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON DELETE SET DEFAULT"]);
        let names: Vec<String> = (0..parent.key.len()).map(|k| format!("r{f}{k}")).collect();
        for name in &names {
            let extra = pick(random, &["", "", " NOT NULL", " DEFAULT 2", " UNIQUE"]);
            parts.push(format!("{name} {kind}{extra}"));
        }
        last.push(format!(
            "FOREIGN KEY ({}) REFERENCES {}({}){on_delete}",
            names.join(", "),
            parent.name,
            parent.key.join(", ")
        ));
    }
    parts.extend(last);
    format!("CREATE TABLE {}({}){options};\n", table.name, parts.join(", "))
}

/// Rows with keys from a small range, so that about half of all references are broken.
fn rows(random: &mut Rng, database: &Connection, made: &Made) {
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for table in &made.tables {
        let mut question = database.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns: Vec<String> =
            question.query_map([&table.name], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for _ in 0..random.usize(0..9) {
            let values: Vec<String> = columns
                .iter()
                .map(|column| match column.as_str() {
                    "label" => format!("'l{}'", random.u8(0..9)),
                    "n" => random.u8(0..4).to_string(),
                    "id" if table.text => format!("'{}'", random.u8(1..9)),
                    "id" | "a" | "b" => random.u8(1..7).to_string(),
                    _ if random.u8(0..4) == 0 => "NULL".to_owned(),
                    _ => random.u8(1..9).to_string(),
                })
                .collect();
            // What the table refuses is left out.
            let _ = database.execute_batch(&format!("INSERT INTO {} VALUES ({})", table.name, values.join(", ")));
        }
    }
}

fn rules(random: &mut Rng, made: &Made) -> String {
    let mut text = String::new();
    for (number, child) in ["t0(*", "t1(*", "t2(*", "*"].into_iter().enumerate() {
        write!(text, "[[rule]]\nid = \"r{number}\"\neven-if-parent-lost = {}\n", random.u8(0..5) > 0).unwrap();
        let child = if child == "*" { child.to_owned() } else { format!("{child})") };
        write!(text, "relation.child = \"{child}\"\nlimits.max-rows = 100000\n").unwrap();
        for _ in 0..random.usize(1..4) {
            let treatment = match random.usize(0..11) {
                0 => "action = \"remap\"\nnormalize = [\"trim\", \"zero-padding\"]".to_owned(),
                1 => "action = \"remap\"\ntable = \"map(old -> new)\"\nrecord = \"kept\"\non-conflict = \"quarantine\""
                    .to_owned(),
                2 => "action = \"remap\"\ntable = \"map(old -> new)\"".to_owned(),
                3 => "action = \"placeholder\"".to_owned(),
                4 => "action = \"placeholder\"\nkey = \"new\"\nrecord = \"made\"".to_owned(),
                5 => "action = \"set-null\"".to_owned(),
                6 => "action = \"set-default\"".to_owned(),
                7 => "action = \"quarantine\"".to_owned(),
                8 => "action = \"delete\"\nkeep = false".to_owned(),
                9 => format!("action = \"quarantine\"\nfile = \"gone-{number}.ndjson\""),
                _ => "action = \"follow\"".to_owned(),
            };
            // A mapping table has keys of one column.
            let composite = made.tables.iter().any(|table| table.key.len() > 1);
            let treatment = if composite && (treatment.contains("map(") || treatment.contains("normalize")) {
                "action = \"report\""
            } else {
                &treatment
            };
            write!(text, "[[rule.treat]]\n{treatment}\n").unwrap();
        }
    }
    text
}

fn orphans(path: &std::path::Path) -> u64 {
    let database = Connection::open(path).unwrap();
    let count: i64 = database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    count.unsigned_abs()
}

/// How many changes a plan has, and how many orphans it foresees.
fn foreseen(bench: &Bench) -> (u64, u64) {
    let json = bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap_or_else(|_| panic!("{}", json.stderr));
    common::assert_obeys("repair", &report);
    (report["summary"]["changes"].as_u64().unwrap(), report["summary"]["orphan_rows_after"].as_u64().unwrap())
}

#[test]
fn what_is_planned_holds() {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(40, |cases| cases.parse().unwrap());
    let (mut applied, mut changes, mut silenced) = (0, 0, 0);
    for seed in 0..cases {
        let mut random = Rng::with_seed(seed);
        let made = schema(&mut random);
        let bench = Bench::new(&format!(
            "{}CREATE TABLE map(old, new); INSERT INTO map VALUES (1, 2), (2, 3), (5, 1), (6, 6), ('7', '1');",
            made.sql
        ));
        rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
        let rules = rules(&mut random, &made);
        bench.write("r.toml", &rules);
        let before = bench.dump();
        let context = format!("seed {seed}\n{}\n{rules}\n{before}", made.sql);

        let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        assert!([0, 1].contains(&planned.code), "{context}\n{}{}", planned.stdout, planned.stderr);
        let (planned_changes, after) = foreseen(&bench);
        assert_eq!(bench.dump(), before, "{context}");
        let apply = ["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"];
        let mut run = bench.run(&apply);
        if run.code == 5 && made.has_triggers {
            assert!(run.stderr.contains("by a trigger"), "{context}\n{}", run.stderr);
            assert_eq!(bench.dump(), before, "{context}");
            silenced += 1;
            run = bench.run(&[&apply[..], &["--no-triggers"]].concat());
        }
        assert!([0, 6].contains(&run.code), "{context}\n{}\n{}{}", planned.stdout, run.stdout, run.stderr);
        let left = orphans(&bench.path("app.db"));
        assert!(left <= after, "{context}\n{}\n{left} orphans, foreseen {after}", planned.stdout);
        assert_eq!(run.code == 0, left == 0, "{context}\n{}", run.stdout);
        let integrity = Connection::open(bench.path("app.db")).unwrap();
        let integrity: String = integrity.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok", "{context}");

        let healed = bench.dump();
        let again = bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
        assert_eq!(bench.dump(), healed, "{context}\n{}{}", again.stdout, again.stderr);
        if planned.code == 0 && left == 0 {
            assert_eq!(foreseen(&bench).0, 0, "{context}");
        }
        let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup", "--no-triggers"]);
        assert_eq!(undone.code, 0, "{context}\n{}\n{}", planned.stdout, undone.stderr);
        assert_eq!(bench.dump(), before, "{context}\n{}", planned.stdout);
        applied += 1;
        changes += planned_changes;
    }
    println!("{applied} repairs applied and taken back, {changes} changes; {silenced} with silent triggers");
}
