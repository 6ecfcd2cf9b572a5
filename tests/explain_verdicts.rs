//! Statements with an unexpected verdict or reason. `explain` gives SQLite's verdict and names the relation.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;
use serde_json::Value;

/// Returns the verdict on each statement: `None` if SQLite accepts it, else SQLite's message.
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
    let text = explained(seed, statements);
    let verdict = |one: &Value| match one["verdict"].as_str().unwrap() {
        "accepted" => None,
        _ => Some(one["message"].as_str().unwrap_or_default().to_owned()),
    };
    let verdicts: Vec<Option<String>> = text.iter().map(verdict).collect();
    assert_eq!(verdicts, of_sqlite(seed, statements), "{seed}\n{statements:?}\n{text:#?}");
    let last = text.last().unwrap();
    let relations: Vec<&str> =
        last["findings"].as_array().unwrap().iter().map(|one| one["relation"].as_str().unwrap()).collect();
    assert_eq!(relations, named, "{seed}\n{statements:?}\n{last:#}");
}

const DEFERRED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY);
    CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE now(id INTEGER PRIMARY KEY, r REFERENCES p(id));";

#[test]
fn deferred_violation_is_still_counted_after_a_statement_without_rows() {
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
fn definition_rolled_back_leaves_the_record_whole() {
    let statements = ["BEGIN", "CREATE TABLE a(x REFERENCES p(id))", "ROLLBACK", "INSERT INTO c VALUES (1, 'missing')"];
    check(DEFERRED, &statements, &["c(r)->p(id)"]);
    let rolled_back = ["BEGIN", "SAVEPOINT s", "DROP TABLE now", "ROLLBACK TO s", "INSERT INTO now VALUES (1, 8)"];
    check(DEFERRED, &rolled_back, &["now(r)->p(id)"]);
}

const MISMATCHED: &str = "CREATE TABLE p(a); CREATE TABLE c(x REFERENCES p(nope)); INSERT INTO p VALUES (7);";

#[test]
fn single_insert_into_parent_of_broken_relation_is_accepted() {
    check(MISMATCHED, &["INSERT INTO p VALUES (1)"], &[]);
    check(MISMATCHED, &["UPDATE p SET a = 2"], &[]);
    check(MISMATCHED, &["INSERT OR IGNORE INTO p VALUES (1)", "INSERT INTO p DEFAULT VALUES"], &[]);
    for refused in
        ["INSERT INTO p VALUES (1), (2)", "INSERT INTO p SELECT 1", "DELETE FROM p", "INSERT INTO c VALUES (1)"]
    {
        check(MISMATCHED, &[refused], &["c(x)->p(nope)"]);
    }
    let late =
        "CREATE TABLE q(id INTEGER PRIMARY KEY); CREATE TABLE p(a, q REFERENCES q(id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE c(x REFERENCES p(nope));";
    check(late, &["INSERT INTO p VALUES (1, 6)"], &["p(q)->q(id)"]);
    let trigger = "CREATE TABLE log(x); CREATE TRIGGER g AFTER INSERT ON p BEGIN INSERT INTO log VALUES (1); END;";
    check(&format!("{MISMATCHED}{trigger}"), &["INSERT INTO p VALUES (1)"], &["c(x)->p(nope)"]);
}

#[test]
fn single_insert_adopting_an_orphan_is_refused_for_its_own_parent() {
    let seed = "CREATE TABLE n(id INTEGER PRIMARY KEY, up INT REFERENCES n(id)); INSERT INTO n VALUES (5, 7);";
    check(seed, &["INSERT INTO n VALUES (7, 99)"], &["n(up)->n(id)"]);
    check(seed, &["INSERT INTO n VALUES (7, 99), (8, NULL)"], &["n(up)->n(id)"]);
    let chain =
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE m(id INTEGER PRIMARY KEY, p INT REFERENCES p(id));
        CREATE TABLE c(m INT REFERENCES m(id)); INSERT INTO c VALUES (5);";
    check(chain, &["INSERT INTO m VALUES (5, 99)"], &["m(p)->p(id)"]);
}

const REFERRED: &str = "CREATE TABLE p(a INTEGER PRIMARY KEY, b UNIQUE);
    CREATE TABLE c(d REFERENCES p(a)); INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (1);";

#[test]
fn dropped_table_names_rows_that_still_refer_to_it() {
    check(REFERRED, &["DROP TABLE p"], &["c(d)->p(a)"]);
    check(REFERRED, &["DROP TABLE IF EXISTS main.\"P\""], &["c(d)->p(a)"]);
    check(REFERRED, &["DROP TABLE c"], &[]);
    check(REFERRED, &["BEGIN", "DELETE FROM c", "DROP TABLE p", "COMMIT"], &[]);
    // DROP TABLE does not run the table's own triggers. It runs those of the tables that cascade from it.
    let own = format!("{REFERRED} CREATE TRIGGER g BEFORE DELETE ON p BEGIN DELETE FROM c; END;");
    check(&own, &["DROP TABLE p"], &["c(d)->p(a)"]);
    let grand = "CREATE TABLE p(a INTEGER PRIMARY KEY); CREATE TABLE c(a INTEGER PRIMARY KEY REFERENCES p(a) ON DELETE CASCADE);
        CREATE TABLE g(c REFERENCES c(a)); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1); INSERT INTO g VALUES (1);";
    check(grand, &["DROP TABLE p"], &["g(c)->c(a)"]);
    let late = DEFERRED.to_owned() + "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1);";
    check(&late, &["BEGIN", "DROP TABLE p", "COMMIT"], &["c(r)->p(id)"]);
}

fn restricting(action: &str) -> String {
    format!(
        "CREATE TABLE p(a INTEGER PRIMARY KEY, b UNIQUE); CREATE TABLE c(d REFERENCES p(a) {action});
        INSERT INTO p VALUES (1, 1), (2, 2), (3, 3); INSERT INTO c VALUES (1), (2);"
    )
}

#[test]
fn restrict_before_the_statement_ends_is_named() {
    let both = restricting("ON DELETE RESTRICT ON UPDATE RESTRICT");
    check(&both, &["INSERT OR REPLACE INTO p VALUES (1, 5)"], &["c(d)->p(a)"]);
    check(&both, &["REPLACE INTO p VALUES (1, 1), (2, 2)"], &["c(d)->p(a)"]);
    check(&both, &["UPDATE OR REPLACE p SET a = a - 1 WHERE a IN (1, 2)"], &["c(d)->p(a)", "c(d)->p(a)"]);
    check(&both, &["INSERT INTO p VALUES (1, 5) ON CONFLICT (a) DO UPDATE SET b = 9"], &[]);
    let last = explained(&both, &["INSERT OR REPLACE INTO p VALUES (1, 5)"]).pop().unwrap();
    let finding = &last["findings"][0];
    assert!(finding["message"].as_str().unwrap().contains("ON DELETE RESTRICT refuses that at once"), "{finding:#}");
    assert!(finding["help"].as_str().unwrap().contains("ON CONFLICT"), "{finding:#}");
    assert_eq!((&finding["rows"], &finding["top_missing"][0]["key"]["d"]), (&1.into(), &1.into()), "{finding:#}");
    let no_action = restricting("");
    check(&no_action, &["INSERT OR REPLACE INTO p VALUES (1, 5)"], &[]);
    let swap = "CREATE TABLE p(a UNIQUE); CREATE TABLE c(d REFERENCES p(a) ON UPDATE RESTRICT);
        INSERT INTO p VALUES (1), (0); INSERT INTO c VALUES (1);";
    check(swap, &["UPDATE OR REPLACE p SET a = 1 - a"], &["c(d)->p(a)"]);
}

#[test]
fn restrict_before_later_deletes_is_named() {
    let seed = "CREATE TABLE n(id INTEGER PRIMARY KEY, up REFERENCES n(id) ON DELETE RESTRICT);
        INSERT INTO n VALUES (1, NULL), (2, 1), (3, 1);";
    check(seed, &["DELETE FROM n"], &["n(up)->n(id)"]);
    check(seed, &["DROP TABLE n"], &["n(up)->n(id)"]);
    check(seed, &["DELETE FROM n WHERE id > 1", "DELETE FROM n"], &[]);
}

#[test]
fn parent_replaced_by_rowid_is_counted() {
    let seed = "CREATE TABLE p(a UNIQUE, b); CREATE TABLE c(d REFERENCES p(a));
        INSERT INTO p(rowid, a, b) VALUES (1, 1, 1), (2, 2, 2); INSERT INTO c VALUES (1);";
    for sql in [
        "INSERT OR REPLACE INTO p(rowid, a, b) VALUES (1, 5, 5)",
        "REPLACE INTO p(oid, a) VALUES (1, 2)",
        "UPDATE OR REPLACE p SET rowid = 1 WHERE rowid = 2",
    ] {
        check(seed, &[sql], &["c(d)->p(a)"]);
    }
    check(seed, &["REPLACE INTO p(rowid, a) VALUES (2, 7)"], &[]);
}

#[test]
fn row_that_is_its_own_parent_only_after_conversion_is_named() {
    let number = "CREATE TABLE n(id TEXT PRIMARY KEY, up INT REFERENCES n(id));";
    check(number, &["INSERT INTO n VALUES ('7', 7)"], &["n(up)->n(id)"]);
    check(number, &["INSERT INTO n VALUES ('8', NULL), ('9', 9)"], &["n(up)->n(id)"]);
    check(number, &["INSERT INTO n VALUES ('8', NULL)", "INSERT INTO n VALUES ('9', 8)"], &[]);
    let case = "CREATE TABLE n(id TEXT COLLATE NOCASE PRIMARY KEY, up TEXT REFERENCES n(id)) WITHOUT ROWID;";
    check(case, &["INSERT INTO n VALUES ('b', 'B')"], &["n(up)->n(id)"]);
    check(case, &["INSERT INTO n VALUES ('b', 'b')", "UPDATE n SET id = 'q', up = 'Q'"], &["n(up)->n(id)"]);
    check(case, &["INSERT INTO n VALUES ('b', 'b')", "UPDATE n SET up = 'B'"], &["n(up)->n(id)"]);
    check(case, &["INSERT INTO n VALUES ('b', 'b')", "UPDATE n SET up = 'b'"], &[]);
    let late = "CREATE TABLE n(id TEXT PRIMARY KEY, up INT REFERENCES n(id) DEFERRABLE INITIALLY DEFERRED);";
    check(late, &["BEGIN", "INSERT INTO n VALUES ('7', 7)", "COMMIT"], &["n(up)->n(id)"]);
    let rowid = "CREATE TABLE n(id INTEGER PRIMARY KEY, up TEXT REFERENCES n(id));";
    check(rowid, &["INSERT INTO n VALUES (7, '7')"], &[]);
    let pair =
        "CREATE TABLE n(a INT, b TEXT, x INT, y INT, PRIMARY KEY (a, b), FOREIGN KEY (x, y) REFERENCES n(a, b));";
    check(pair, &["INSERT INTO n VALUES (1, '2', 1, 2)"], &["n(x,y)->n(a,b)"]);
}

#[test]
fn update_of_self_referencing_table_checks_that_reference() {
    let seed =
        "CREATE TABLE n(id INT PRIMARY KEY, up REFERENCES n(id) ON UPDATE CASCADE); INSERT INTO n VALUES (3, 9);";
    check(seed, &["UPDATE n SET id = 4"], &["n(up)->n(id)"]);
    check(seed, &["UPDATE n SET id = id"], &["n(up)->n(id)"]);
    let clause =
        "CREATE TABLE n(id INTEGER PRIMARY KEY, u UNIQUE ON CONFLICT REPLACE, up REFERENCES n(id) ON UPDATE CASCADE);
        INSERT INTO n VALUES (0, 1, 1), (1, 2, 77), (2, 3, 77), (3, 4, 2);";
    check(clause, &["UPDATE n SET id = id + 0"], &["n(up)->n(id)"]);
}
