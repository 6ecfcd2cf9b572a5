//! Scans of files that are not a database, cannot be read, or are malicious, and of files that must stay unchanged.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;

/// Checks that an error has its three parts.
fn assert_three_parts(run: &common::Run) {
    for label in ["error: ", "because: ", "help: "] {
        assert!(run.stderr.contains(label), "{label} is missing: {}", run.stderr);
    }
}

#[test]
fn file_that_is_no_database_is_named() {
    let bench = Bench::new("CREATE TABLE t(a)");
    let whole = std::fs::read(bench.path("app.db")).unwrap();
    std::fs::create_dir(bench.path("folder")).unwrap();
    for (name, bytes, word) in [
        ("empty", &b""[..], "empty"),
        ("dump.sql", b"CREATE TABLE t(a);", "text"),
        ("a.gz", b"\x1f\x8b\x08\x00", "compressed"),
        ("secret", &[0x9c, 0x01, 0xff, 0x33, 0x80], "encrypted"),
        ("head", &whole[..100], "cut off"),
        ("half", &whole[..whole.len() / 2], "damaged"),
    ] {
        std::fs::write(bench.path(name), bytes).unwrap();
        let run = bench.run(&["scan", name]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(word), "{name}: {}", run.stderr);
        assert_three_parts(&run);
    }
    for (name, code) in [("folder", 2), ("missing", 3)] {
        let run = bench.run(&["scan", name]);
        assert_eq!(run.code, code, "{name}");
        assert_three_parts(&run);
    }
    assert!(!bench.path("missing").exists(), "nothing is created");
}

#[test]
fn lock_is_waited_for_and_named() {
    let bench = Bench::new("CREATE TABLE t(a)");
    let writer = Connection::open(bench.path("app.db")).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let run = bench.run(&["scan", "app.db", "--wait", "100ms"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("another program holds a lock"), "{}", run.stderr);
    assert_three_parts(&run);
}

#[test]
fn rows_only_in_the_wal_are_read() {
    let bench =
        Bench::new("PRAGMA journal_mode = WAL; CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p)");
    let writer = Connection::open(bench.path("app.db")).unwrap();
    writer.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA wal_autocheckpoint = 0; INSERT INTO c VALUES (7)").unwrap();
    let (code, report) = bench.scan();
    assert_eq!((code, &report["summary"]["orphan_rows"]), (1, &1.into()));
}

#[test]
fn report_over_the_database_is_refused() {
    let bench = Bench::new("CREATE TABLE t(a)");
    let before = std::fs::read(bench.path("app.db")).unwrap();
    let run = bench.run(&["scan", "app.db", "--output", "./app.db"]);
    assert_eq!(run.code, 2);
    assert_three_parts(&run);
    assert!(std::fs::read(bench.path("app.db")).unwrap() == before);
}

#[test]
fn filter_without_match_is_an_error() {
    let bench = Bench::new("CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE child(r REFERENCES parent)");
    let run = bench.run(&["scan", "app.db", "--table", "chlid"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("did you mean child?"), "{}", run.stderr);
}

#[test]
fn terminal_escapes_stay_inert() {
    let bench = Bench::new(
        "CREATE TABLE \"p\x1b[31m\"(id TEXT PRIMARY KEY); CREATE TABLE \"c\u{202e}\n\"(\"r\x07\" TEXT REFERENCES \"p\x1b[31m\"); \
         INSERT INTO \"c\u{202e}\n\" VALUES ('\x1b]0;owned\x07')",
    );
    for format in ["table", "json"] {
        let run = bench.run(&["scan", "app.db", "--format", format]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        let raw = run.stdout.chars().find(|&c| (c.is_control() && c != '\n') || c == '\u{202e}');
        assert_eq!(raw, None, "{format}: {}", run.stdout.escape_debug());
    }
}

/// A row that is missing from its parent's index is not an orphan.
#[test]
fn lost_index_entry_is_no_orphan() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, k TEXT); CREATE UNIQUE INDEX pk ON p(k);
         CREATE TABLE c(id INTEGER PRIMARY KEY, r TEXT REFERENCES p(k)); INSERT INTO p VALUES (1, 'a');
         PRAGMA writable_schema = ON; CREATE TEMP TABLE keep AS SELECT * FROM sqlite_schema WHERE name = 'pk';
         DELETE FROM sqlite_schema WHERE name = 'pk'; PRAGMA schema_version = 100; PRAGMA writable_schema = RESET;
         INSERT INTO p VALUES (2, 'b');
         PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM keep; PRAGMA schema_version = 101;
         PRAGMA writable_schema = RESET; INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'gone')",
    );
    let (code, report) = bench.scan();
    assert_eq!(code, 1);
    assert_eq!(report["summary"]["orphan_rows"], 1);
    let rows = |code: &str| {
        let findings = report["findings"].as_array().unwrap().iter();
        findings.filter(|finding| finding["code"] == code).map(|finding| finding["rows"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((rows("orphan"), rows("index-corrupt")), (vec![1.into()], vec![1.into()]));
}

#[test]
fn unknown_collation_leaves_relation_unchecked() {
    let bench = Bench::new(
        "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO c VALUES ('a');
         CREATE TABLE q(id INTEGER PRIMARY KEY); CREATE TABLE d(r REFERENCES q); INSERT INTO d VALUES (5);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE p(k TEXT COLLATE APPCOLL PRIMARY KEY)' WHERE name = 'p'",
    );
    let (code, report) = bench.scan();
    assert_eq!(code, 4, "{report}");
    assert_eq!(report["summary"]["unchecked"], 1);
    assert_eq!(report["summary"]["orphan_rows"], 1, "the other relation is scanned all the same");
}

#[test]
fn child_index_without_a_row_is_not_used() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), pad TEXT); CREATE INDEX cr ON c(r);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO c SELECT i, NULL, printf('%.*c', 300, 'x') FROM n;",
    );
    let (_, sound) = bench.scan();
    assert_eq!(sound["relations"][0]["method"], "index-walk");
    let database = Connection::open(bench.path("app.db")).unwrap();
    database
        .execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON;
             CREATE TEMP TABLE keep AS SELECT * FROM sqlite_schema WHERE name = 'cr';
             DELETE FROM sqlite_schema WHERE name = 'cr'; PRAGMA schema_version = 100; PRAGMA writable_schema = RESET;
             INSERT INTO c VALUES (501, 9, '');
             PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM keep; PRAGMA schema_version = 101",
        )
        .unwrap();
    let (code, report) = bench.scan();
    assert_eq!((code, &report["summary"]["orphan_rows"]), (1, &1.into()), "{report:#}");
    assert_eq!(report["relations"][0]["method"], "sql");
    assert!(report["relations"][0]["method_reason"].as_str().unwrap().contains("entries"), "{report:#}");
}
