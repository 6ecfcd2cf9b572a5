//! Files and directories without write permission. Root has every permission, so as root the program runs as another
//! user.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::in_place;

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use common::Bench;
use rusqlite::Connection;

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Scans as a user who may only read the folder's files.
fn scan_as_reader(bench: &Bench) -> (i32, String, String) {
    run_as_reader(bench, &["scan", "app.db", "--format", "json"])
}

/// Runs the program as a user who may only read the folder's files.
fn run_as_reader(bench: &Bench, arguments: &[&str]) -> (i32, String, String) {
    let program = bench.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_fk-doctor"), &program).unwrap();
    allow(&program, 0o755);
    allow(&bench.path("app.db"), 0o444);
    let folder = bench.path(".");
    allow(&folder, 0o555);
    let root = std::fs::metadata(&program).unwrap().uid() == 0;
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    let run = command.args(arguments).current_dir(&folder).env_remove("DATABASE_URL").output().unwrap();
    allow(&folder, 0o755);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (run.status.code().unwrap_or(-1), text(run.stdout), text(run.stderr))
}

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p); INSERT INTO c VALUES (7)";

#[test]
fn read_only_directory_is_scanned() {
    let (code, stdout, stderr) = scan_as_reader(&Bench::new(SEED));
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("\"orphan_rows\": 1"), "{stdout}");
}

#[test]
fn wal_database_without_side_files_is_scanned() {
    let bench = Bench::new(&format!("PRAGMA journal_mode = WAL; {SEED}"));
    assert!(!bench.path("app.db-wal").exists(), "closed and checkpointed");
    let (code, stdout, stderr) = scan_as_reader(&bench);
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("\"orphan_rows\": 1"), "{stdout}");
    assert!(!bench.path("app.db-wal").exists() && !bench.path("app.db-shm").exists());
}

#[test]
fn unreadable_wal_stops_the_scan() {
    let bench = Bench::new(&format!("PRAGMA journal_mode = WAL; {SEED}"));
    let live = bench.path("app.db");
    let writer = Connection::open(&live).unwrap();
    writer.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA wal_autocheckpoint = 0; INSERT INTO c VALUES (8)").unwrap();
    let copy = Bench::new("");
    std::fs::copy(&live, copy.path("app.db")).unwrap();
    std::fs::copy(bench.path("app.db-wal"), copy.path("app.db-wal")).unwrap();
    allow(&copy.path("app.db-wal"), 0o444);
    let (code, stdout, stderr) = scan_as_reader(&copy);
    assert!(code == 3 || stdout.contains("\"orphan_rows\": 2"), "{code} {stdout} {stderr}");
    assert!(code != 3 || stderr.contains("-wal"), "{stderr}");
}

/// A large file is tried in place, unless it cannot be written.
#[test]
fn large_file_that_cannot_be_written_is_copied() {
    let bench = Bench::new(SEED);
    in_place::enlarge(&bench.path("app.db"), 257 << 20);
    let explain = ["explain", "app.db", "--format", "json", "INSERT INTO c VALUES (8)"];
    let (code, stdout, stderr) = run_as_reader(&bench, &explain);
    assert_eq!(code, 1, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["trial"]["method"], "copy");
    assert_eq!(report["trial"]["reason"], "app.db cannot be written");
    let (code, stdout, _) = run_as_reader(&bench, &["explain", "app.db", "INSERT INTO c VALUES (8)"]);
    let words: Vec<&str> = stdout.split_whitespace().collect();
    assert!(
        words.join(" ").contains("tried in a private copy of 270 MB, because app.db cannot be written"),
        "{code} {stdout}"
    );
    let (code, _, stderr) = run_as_reader(&bench, &["explain", "app.db", "--in-place", "INSERT INTO c VALUES (8)"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("because: app.db cannot be written"), "{stderr}");
    assert!(stderr.contains("fk-doctor explain app.db --copy 'INSERT INTO c VALUES (8)'"), "{stderr}");
}

#[test]
fn pipe_is_refused_at_once() {
    let bench = Bench::new("");
    assert!(Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    let run = bench.run(&["scan", "pipe"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("not a regular file"), "{}", run.stderr);
}
