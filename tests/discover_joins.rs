//! Tests of `discover` on views and triggers: columns that they compare are evidence for a reference.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use serde_json::Value;

/// No name speaks for a reference from the loans to the books.
const TABLES: &str = "
CREATE TABLE books(id INTEGER PRIMARY KEY, title TEXT, isbn INTEGER);
CREATE TABLE loans(nr INTEGER PRIMARY KEY, what INTEGER, days INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO books SELECT i, 'title ' || i, 9000 + i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
INSERT INTO loans SELECT 100 + i, 1 + i * 7 % 50, 1 + i % 9 FROM n;
CREATE TABLE copies(nr INTEGER PRIMARY KEY, book_id INTEGER);
INSERT INTO copies SELECT 200 + id, id FROM books;";

/// The pairs that a view or a trigger joins.
fn joined(definition: &str) -> Vec<String> {
    let bench = Bench::new(TABLES);
    bench.execute(definition);
    let run = bench.run(&["discover", "app.db", "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{definition}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let candidates = report["candidates"].as_array().unwrap().iter();
    let is_joined = |candidate: &&Value| {
        candidate["evidence"].as_array().unwrap().iter().any(|evidence| evidence["feature"] == "view-join")
    };
    candidates.filter(is_joined).map(|candidate| candidate["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn columns_that_a_view_or_a_trigger_compares_are_evidence() {
    for definition in [
        "CREATE VIEW v AS SELECT b.title FROM loans AS l JOIN books AS b ON b.id = l.what",
        "CREATE VIEW v AS SELECT title FROM loans, \"books\" WHERE loans.what = books.id AND days > 3",
        "CREATE VIEW v AS SELECT (SELECT title FROM main.books WHERE [id] = x.what) FROM loans x",
        "CREATE TRIGGER fkc BEFORE INSERT ON loans BEGIN
           SELECT CASE WHEN (SELECT id FROM books WHERE id = NEW.what) IS NULL THEN RAISE(ABORT, 'no book') END; END",
    ] {
        assert_eq!(joined(definition), ["loans(what)->books(id)"], "{definition}");
    }
    for definition in [
        "CREATE VIEW v AS SELECT b.title FROM loans AS l JOIN books AS b ON b.id >= l.what",
        "CREATE VIEW v AS SELECT b.title FROM loans AS l JOIN books AS b ON b.id + 1 = l.what",
        "CREATE VIEW v AS SELECT b.title FROM loans AS l JOIN books AS b ON b.id = abs(l.what)",
        "CREATE VIEW v AS SELECT title FROM books -- JOIN loans ON loans.what = books.id",
    ] {
        assert_eq!(joined(definition), Vec::<String>::new(), "{definition}");
    }
}
