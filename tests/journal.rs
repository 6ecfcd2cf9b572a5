//! A killed writer leaves a journal that only a writer can roll back. A reader must not ignore it.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;

#[test]
fn hot_journal_stops_the_scan() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p, pad); INSERT INTO c(pad) SELECT NULL",
    );
    let writer = Connection::open(bench.path("app.db")).unwrap();
    // Half a transaction is spilled into the file, and its rollback journal stays behind.
    writer
        .execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA cache_size = 5; BEGIN;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO c SELECT i, zeroblob(3000) FROM n",
        )
        .unwrap();
    let copy = Bench::new("");
    for name in ["app.db", "app.db-journal"] {
        std::fs::copy(bench.path(name), copy.path(name)).unwrap();
    }
    let before = std::fs::read(copy.path("app.db")).unwrap();
    let run = copy.run(&["scan", "app.db"]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
    assert!(run.stderr.contains("journal"), "{}", run.stderr);
    assert!(std::fs::read(copy.path("app.db")).unwrap() == before, "nothing is played back");
}
