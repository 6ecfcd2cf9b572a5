//! While a scan reads the file with its own handles, SQLite's locks on the file hold: no other program can change it.
//!
//! The system drops all locks of a process on a file when the process closes any handle of it. Only another process can
//! see if a scan does that. Here it is this test, started again.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use common::Bench;
use fk_doctor::internals::exit::Exit;
use rusqlite::Connection;

const WRITES_TO: &str = "FK_DOCTOR_TEST_WRITES_TO";

/// The other process: tries to write once, without waiting.
#[test]
fn helper_process_writes_once() {
    let Some(path) = std::env::var_os(WRITES_TO) else { return };
    let database = Connection::open(path).unwrap();
    database.busy_timeout(std::time::Duration::ZERO).unwrap();
    database.execute_batch("INSERT INTO t VALUES (1)").unwrap();
}

fn other_process_can_write(path: &Path) -> bool {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this)
        .args(["--exact", "locks::helper_process_writes_once"])
        .env(WRITES_TO, path)
        .output()
        .unwrap();
    let output_text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || output_text.contains("DatabaseBusy"), "{output_text}");
    output.status.success()
}

#[test]
fn other_process_cannot_write_during_a_scan() {
    let bench = Bench::new(
        "CREATE TABLE t(a);
         CREATE TABLE p(id INTEGER PRIMARY KEY, code UNIQUE); CREATE TABLE c(p REFERENCES p, code REFERENCES p(code), pad);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO c SELECT i, i, zeroblob(1500) FROM n;",
    );
    let path = bench.path("app.db");
    assert!(other_process_can_write(&path), "before");
    let (calls, tries) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let progress = |done: usize, total: usize| {
        if calls.fetch_add(1, Ordering::Relaxed) % 4 == 0 || done == total {
            tries.fetch_add(1, Ordering::Relaxed);
            assert!(!other_process_can_write(&path), "at {done} of {total}");
        }
    };
    let outcome = common::scan_here(&path, &[], &progress).unwrap();
    assert_eq!(outcome.exit, Exit::Findings);
    assert!(tries.into_inner() > 2);
    assert!(other_process_can_write(&path), "afterwards");
}
