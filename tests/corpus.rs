//! Compares fk-doctor with `PRAGMA foreign_key_check` on real databases. `tests/corpus FOLDER` names the folder. By
//! default the databases of `fixtures/` and of its cases are compared.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::case;
use crate::common;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use case::Engine;
use common::Bench;
use rusqlite::Connection;
use rusqlite::OpenFlags;

/// Returns the databases of the named folder. By default these are the databases of `fixtures/` and those of its cases,
/// which are created in `bench`.
pub(crate) fn databases(bench: &Bench) -> Vec<PathBuf> {
    let named = std::env::var_os("FK_DOCTOR_CORPUS").map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    let mut found = Vec::new();
    search(&folder, &mut found);
    found.sort();
    assert!(!found.is_empty(), "there is no database in {}", folder.display());
    let cases = case::all().0.into_iter().filter(|case| named.is_none() && case.engines.contains(&Engine::Sqlite));
    for case in cases {
        let path = bench.path(&format!("{}.db", case.name));
        let database = Connection::open(&path).unwrap();
        database.execute_batch(&format!("PRAGMA foreign_keys = OFF; {}", case.seed(Engine::Sqlite))).unwrap();
        found.push(path);
    }
    found
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_database = path
            .extension()
            .is_some_and(|extension| ["sqlite", "db", "sqlite3"].iter().any(|known| extension == *known));
        if path.is_dir() {
            search(&path, found);
        } else if is_database {
            found.push(path);
        }
    }
}

/// Returns the orphans per child and parent as SQLite counts them, and the tables that it refuses to check.
fn by_pragma(path: &Path) -> (BTreeMap<(String, String), i64>, Vec<String>) {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let (mut counts, mut refused) = (BTreeMap::new(), Vec::new());
    for table in tables {
        let rows: rusqlite::Result<Vec<String>> = (|| {
            let mut check = database.prepare("SELECT parent FROM pragma_foreign_key_check(?1)")?;
            check.query_map([&table], |row| row.get(0))?.collect()
        })();
        match rows {
            Ok(parents) => {
                for parent in parents {
                    *counts.entry((table.to_lowercase(), parent.to_lowercase())).or_insert(0) += 1;
                }
            }
            Err(_) => refused.push(table.to_lowercase()),
        }
    }
    (counts, refused)
}

#[test]
fn real_databases_scan_like_the_pragma() {
    let bench = Bench::new("");
    let found = databases(&bench);
    let (mut relations, mut orphans, mut different) = (0, 0, Vec::new());
    for path in &found {
        let before = std::fs::read(path).unwrap();
        let run = bench.run(&["scan", path.to_str().unwrap(), "--format", "json"]);
        let report: serde_json::Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{path:?}: {}", run.stderr));
        common::assert_obeys("scan", &report);
        assert!(std::fs::read(path).unwrap() == before, "{path:?} was written to");
        let (expected, refused) = by_pragma(path);
        let mut got = BTreeMap::new();
        for relation in report["relations"].as_array().unwrap() {
            relations += 1;
            let name = |side: &str| relation[side]["table"].as_str().unwrap().to_lowercase();
            let rows = relation["orphan_rows"].as_i64().unwrap();
            if rows > 0 && !refused.contains(&name("child")) {
                *got.entry((name("child"), name("parent"))).or_insert(0) += rows;
                orphans += rows;
            }
        }
        if got != expected {
            different.push(format!("{}: {got:?} but SQLite {expected:?}", path.display()));
        }
    }
    println!("{} databases, {relations} relations, {orphans} orphans, {} differences", found.len(), different.len());
    assert!(relations > 0, "the databases are worth judging");
    assert!(different.is_empty(), "{}", different.join("\n"));
}
