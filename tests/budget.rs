//! If the keys exceed the memory limit, the scan works in rounds and gives the same report.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use common::Bench;
use rusqlite::Connection;

const SEED: &str = "
CREATE TABLE sparse(id INTEGER PRIMARY KEY);
CREATE TABLE text(id TEXT PRIMARY KEY);
CREATE TABLE pair(a INTEGER, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE child(id INTEGER PRIMARY KEY, s REFERENCES sparse, t REFERENCES text, a, b, FOREIGN KEY (a, b) REFERENCES pair);
CREATE TABLE gaps(id INTEGER PRIMARY KEY);
CREATE TABLE other(s REFERENCES sparse, g REFERENCES gaps);
CREATE TEMP TABLE n(i INTEGER PRIMARY KEY);
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 70000) INSERT INTO n SELECT i FROM r;
INSERT INTO sparse SELECT i * 130000000000001 FROM n;
INSERT INTO text SELECT 'text ' || i FROM n;
INSERT INTO pair SELECT i, 'b' || i FROM n;
INSERT INTO child SELECT i, i * 130000000000001 + (i % 1000 = 0), 'text ' || (i + 7), i, CASE WHEN i % 7000 THEN 'b' || i END FROM n;
INSERT INTO child(s, t) VALUES (NULL, NULL), (-1, 'x'), (1.5, 2), ('130000000000001', x'00');
INSERT INTO gaps SELECT i * 62 FROM n;
INSERT INTO gaps SELECT (70000 + i) * 62 FROM n;
INSERT INTO other SELECT i * 130000000000001 - (i % 5000 = 0), i * 124 - (i % 6000 = 0) FROM n;
INSERT INTO other(g) VALUES ('x'), ('62'), (1.5), (0), (-1), (140001 * 62), (9223372036854775807), (-9223372036854775808);
";

/// Returns the report and the number of pages to read.
fn scan(bench: &Bench, memory: &str) -> (String, usize) {
    let pages = AtomicUsize::new(0);
    let progress = |_: usize, total: usize| {
        pages.fetch_max(total, Ordering::Relaxed);
    };
    let options = ["--format", "json", "--memory", memory];
    let outcome = common::scan_here(&bench.path("app.db"), &options, &progress).unwrap();
    (outcome.documents[0].1.clone(), pages.into_inner())
}

#[test]
fn less_memory_takes_more_rounds_and_gives_the_same_report() {
    let bench = Bench::new(SEED);
    let (report, pages) = scan(&bench, "256MB");
    let value: serde_json::Value = serde_json::from_str(&report).unwrap();
    let relations = value["relations"].as_array().unwrap();
    assert!(relations.iter().all(|relation| relation["method"] == "pages"), "{report}");
    let database = Connection::open(bench.path("app.db")).unwrap();
    let expected: i64 =
        database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(value["summary"]["orphan_rows"], expected);
    assert!(expected > 0, "there is something to find");
    for memory in ["1MB", "2MB"] {
        let (less, more_pages) = scan(&bench, memory);
        assert_eq!(less, report, "{memory}");
        assert!(more_pages > pages, "{memory}: {more_pages} pages in rounds, {pages} in one");
    }
}
