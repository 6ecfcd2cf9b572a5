//! Damaged files: whatever bytes are changed, a scan ends, does not panic, does not write, and does not say "clean"
//! where SQLite itself finds an orphan, or cannot read what it must read to know.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::path::Path;
use std::time::Duration;

use common::Bench;
use fastrand::Rng;
use fk_doctor::internals::exit::Exit;
use rusqlite::Connection;
use rusqlite::OpenFlags;

const CHANGES: usize = 2_000;

const SEED: &str = "
PRAGMA page_size = 512;
CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE, pad TEXT);
CREATE TABLE w(a INTEGER, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), code TEXT REFERENCES p(code), a INTEGER, b TEXT, pad TEXT,
    FOREIGN KEY (a, b) REFERENCES w(a, b));
CREATE INDEX c_p ON c(p);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
INSERT INTO p SELECT i, 'code-' || i, substr(hex(zeroblob(300)), 1, i * 4) FROM n;
INSERT INTO w SELECT id, 'w' || id FROM p;
INSERT INTO c SELECT id, 1 + id * 7 % 150, 'code-' || (1 + id * 3 % 150), id, 'w' || id, substr(hex(zeroblob(900)), 1, id * 9) FROM p;
";

fn scan(path: &Path) -> Exit {
    match common::scan_here(path, &["--timeout", "20s", "--jobs", "2"], &|_, _| {}) {
        Ok(outcome) => outcome.exit,
        Err(error) => error.exit(),
    }
}

/// What SQLite itself says: whether it reads every row of every table, and finds no orphan.
fn is_clean(path: &Path) -> rusqlite::Result<bool> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(Duration::from_secs(1))?;
    let orphans: i64 = database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
    Ok(orphans == 0)
}

#[test]
fn changed_bytes_never_look_clean() {
    let bench = Bench::new(SEED);
    let whole = std::fs::read(bench.path("app.db")).unwrap();
    assert_eq!(scan(&bench.path("app.db")), Exit::Clean, "nothing is wrong before the damage");
    let mut rng = Rng::with_seed(7);
    let damaged = bench.path("damaged.db");
    let (mut unreadable, mut incomplete, mut findings, mut clean) = (0, 0, 0, 0);
    for round in 0..CHANGES {
        let mut bytes = whole.clone();
        for _ in 0..1 + rng.usize(..3) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        if round % 20 == 0 {
            bytes.truncate(rng.usize(..bytes.len()));
        }
        std::fs::write(&damaged, &bytes).unwrap();
        let exit = scan(&damaged);
        assert!(std::fs::read(&damaged).unwrap() == bytes, "round {round}: the file was written to");
        match exit {
            Exit::Unreadable => unreadable += 1,
            Exit::Incomplete => incomplete += 1,
            Exit::Findings => findings += 1,
            Exit::Clean => {
                clean += 1;
                assert_eq!(is_clean(&damaged), Ok(true), "round {round}: clean, but not to SQLite");
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
    println!(
        "{CHANGES} damaged files: {unreadable} unreadable, {incomplete} incomplete, {findings} with findings, {clean} clean"
    );
    assert!(unreadable > 0 && incomplete > 0 && findings > 0 && clean > 0);
}
