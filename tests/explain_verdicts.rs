//! Statements whose verdict or reason is easily missed: `explain` gives the verdict that SQLite gives, and names the relation.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;
use serde_json::Value;

/// Verdict of each statement: `None` if SQLite accepts it, else SQLite's message.
fn of_sqlite(seed: &str, statements: &[&str]) -> Vec<Option<String>> {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    database.execute_batch(seed).unwrap();
    database.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let message = |error: rusqlite::Error| match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        other => other.to_string(),
    };
    statements.iter().map(|sql| database.execute_batch(sql).err().map(message)).collect()
}

fn explained(seed: &str, statements: &[&str]) -> Vec<Value> {
    let bench = Bench::new(seed);
    let run = bench.run(&["explain", "app.db", &statements.join("; "), "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("explain", &report);
    report["statements"].as_array().unwrap().clone()
}

/// Checks the verdict of every statement, and the relations that the last one's findings name.
fn check(seed: &str, statements: &[&str], named: &[&str]) {
    let told = explained(seed, statements);
    let verdict = |one: &Value| match one["verdict"].as_str().unwrap() {
        "accepted" => None,
        _ => Some(one["message"].as_str().unwrap_or_default().to_owned()),
    };
    let verdicts: Vec<Option<String>> = told.iter().map(verdict).collect();
    assert_eq!(verdicts, of_sqlite(seed, statements), "{seed}\n{statements:?}\n{told:#?}");
    let last = told.last().unwrap();
    let relations: Vec<&str> =
        last["findings"].as_array().unwrap().iter().map(|one| one["relation"].as_str().unwrap()).collect();
    assert_eq!(relations, named, "{seed}\n{statements:?}\n{last:#}");
}

const DEFERRED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY);
    CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE now(id INTEGER PRIMARY KEY, r REFERENCES p(id));";

#[test]
fn deferred_violation_is_still_counted_after_a_statement_that_touches_no_row() {
    let insert = "INSERT INTO c VALUES (1, 'missing')";
    for between in ["DELETE FROM c WHERE id = 99", "UPDATE c SET r = 3 WHERE id = 99", "INSERT INTO c VALUES (2, 5)"] {
        check(DEFERRED, &["BEGIN", insert, between, "COMMIT"], &["c(r)->p(id)"]);
    }
    let refused = "INSERT INTO now VALUES (1, 8)";
    check(DEFERRED, &["BEGIN", insert, refused, "COMMIT"], &["c(r)->p(id)"]);
    check(DEFERRED, &["BEGIN", insert, "INSERT OR REPLACE INTO c VALUES (3, NULL)", "COMMIT"], &["c(r)->p(id)"]);
    check(DEFERRED, &["BEGIN", insert, "DELETE FROM c", "COMMIT"], &[]);
    check(
        DEFERRED,
        &["BEGIN", "PRAGMA defer_foreign_keys = ON", refused, "DELETE FROM c", "COMMIT"],
        &["now(r)->p(id)"],
    );
}

#[test]
fn transaction_keeps_the_record_of_a_replacing_statement() {
    let replace = "INSERT OR REPLACE INTO c VALUES (1, 'missing')";
    check(DEFERRED, &["BEGIN", "INSERT INTO c VALUES (2, 7)", replace, "COMMIT"], &["c(r)->p(id)"]);
    let last = explained(DEFERRED, &["BEGIN", "INSERT INTO c VALUES (2, 7)", replace, "COMMIT"]).pop().unwrap();
    assert_eq!(last["findings"][0]["rows"], 2, "{last:#}");
}

#[test]
fn definition_that_is_rolled_back_leaves_the_record_whole() {
    let statements = ["BEGIN", "CREATE TABLE a(x REFERENCES p(id))", "ROLLBACK", "INSERT INTO c VALUES (1, 'missing')"];
    check(DEFERRED, &statements, &["c(r)->p(id)"]);
    let rolled_back = ["BEGIN", "SAVEPOINT s", "DROP TABLE now", "ROLLBACK TO s", "INSERT INTO now VALUES (1, 8)"];
    check(DEFERRED, &rolled_back, &["now(r)->p(id)"]);
}

const MISMATCHED: &str = "CREATE TABLE p(a); CREATE TABLE c(x REFERENCES p(nope)); INSERT INTO p VALUES (7);";

#[test]
fn single_insert_into_the_parent_of_a_broken_relation_is_accepted() {
    check(MISMATCHED, &["INSERT INTO p VALUES (1)"], &[]);
    check(MISMATCHED, &["UPDATE p SET a = 2"], &[]);
    check(MISMATCHED, &["INSERT OR IGNORE INTO p VALUES (1)", "INSERT INTO p DEFAULT VALUES"], &[]);
    for refused in
        ["INSERT INTO p VALUES (1), (2)", "INSERT INTO p SELECT 1", "DELETE FROM p", "INSERT INTO c VALUES (1)"]
    {
        check(MISMATCHED, &[refused], &["c(x)->p(nope)"]);
    }
    let trigger = "CREATE TABLE log(x); CREATE TRIGGER g AFTER INSERT ON p BEGIN INSERT INTO log VALUES (1); END;";
    check(&format!("{MISMATCHED}{trigger}"), &["INSERT INTO p VALUES (1)"], &["c(x)->p(nope)"]);
}

#[test]
fn single_insert_that_adopts_an_orphan_is_refused_for_its_own_missing_parent() {
    let seed = "CREATE TABLE n(id INTEGER PRIMARY KEY, up INT REFERENCES n(id)); INSERT INTO n VALUES (5, 7);";
    check(seed, &["INSERT INTO n VALUES (7, 99)"], &["n(up)->n(id)"]);
    check(seed, &["INSERT INTO n VALUES (7, 99), (8, NULL)"], &["n(up)->n(id)"]);
    let chain =
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE m(id INTEGER PRIMARY KEY, p INT REFERENCES p(id));
        CREATE TABLE c(m INT REFERENCES m(id)); INSERT INTO c VALUES (5);";
    check(chain, &["INSERT INTO m VALUES (5, 99)"], &["m(p)->p(id)"]);
}
