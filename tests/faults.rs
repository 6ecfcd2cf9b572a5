//! The program dies, or its disk fails, at every call that writes: afterwards the database is as it was before or after
//! whole batches, the same command goes on to the same end, and undo restores every value.
//!
//! The calls are counted and hit by strace. `FK_DOCTOR_FAULTS=all` hits every one of them in every scenario; the usual
//! run takes every twenty-third.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![cfg(target_os = "linux")]

use crate::common;

use std::process::Command;

use common::Bench;

/// Calls that change what is on the disk.
const CALLS: &str =
    "pwrite64,write,fsync,fdatasync,ftruncate,unlink,rename,renameat,renameat2,openat,fallocate,linkat,link";

fn bench(mode: &str) -> Bench {
    let bench = Bench::new(&format!(
        "PRAGMA journal_mode = {mode}; CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE); \
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) ON DELETE CASCADE, pad TEXT); \
         CREATE TABLE d(id TEXT PRIMARY KEY, c INT REFERENCES c(id)); INSERT INTO p VALUES (1, 'a');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
         INSERT INTO c SELECT i, i % 4 + 1, hex(zeroblob(100)) FROM n; INSERT INTO d SELECT id, id FROM c;"
    ));
    // 2 is pointed at 1, 3 gets a parent, and the rows of 4 go with what depends on them.
    bench.write(
        "r.toml",
        "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"c(r)\"\n[limits]\nmax-rows = 100\n\
         [[treat]]\naction = \"remap\"\nto = \"SELECT 1 WHERE key.r = 2\"\nrecord = \"kept\"\n\
         [[treat]]\naction = \"placeholder\"\nvalues = { name = { sql = \"CASE WHEN key.r = 3 THEN 'three' ELSE 'a' END\" } }\n\
         [[treat]]\naction = \"quarantine\"\n",
    );
    let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    bench
}

/// Runs the program under strace, with something injected or only counted.
fn traced(bench: &Bench, arguments: &[&str], inject: Option<&str>) -> (Option<i32>, String) {
    let log = bench.path("strace.log");
    let mut command = Command::new("strace");
    command.args(["-f", "-o", log.to_str().unwrap()]);
    let trace = format!("trace={}", inject.map_or(CALLS, |inject| inject.split(':').next().unwrap()));
    command.args(["-e", &trace]);
    if let Some(inject) = inject {
        command.args(["-e", &format!("inject={inject}")]);
    }
    let output =
        command.arg(env!("CARGO_BIN_EXE_fk-doctor")).args(arguments).current_dir(bench.path(".")).output().unwrap();
    (output.status.code(), std::fs::read_to_string(log).unwrap())
}

/// How often each call is made.
fn calls(bench: &Bench, arguments: &[&str]) -> Vec<(String, usize)> {
    let (code, log) = traced(bench, arguments, None);
    assert_eq!(code, Some(0), "{log}");
    CALLS
        .split(',')
        .map(|call| {
            (
                call.to_owned(),
                log.lines()
                    .filter(|line| {
                        line.split_whitespace().nth(1).is_some_and(|word| word.starts_with(&format!("{call}(")))
                    })
                    .count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The database before and after.
fn ends(mode: &str, batch: &[&str]) -> (String, String) {
    let bench = bench(mode);
    let before = bench.dump();
    let applied = bench.run(&[&["apply", "app.db", "plan.ndjson", "--no-backup"], batch].concat());
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    (before, bench.dump())
}

fn step() -> usize {
    if std::env::var("FK_DOCTOR_FAULTS").is_ok_and(|all| all == "all") { 1 } else { 23 }
}

/// In one transaction all or nothing is done. (Batches are told apart by what goes on from there.)
fn assert_whole(bench: &Bench, batch: &[&str], before: &str, after: &str, what: &str) {
    let now = bench.dump();
    assert!(!batch.is_empty() || now == before || now == after, "{what}: half of it was done\n{now}");
}

/// `from` is empty for one failure, and `+` for a disk that goes on failing.
fn survive(mode: &str, batch: &[&str], fault: &str, from: &str) -> usize {
    let (before, after) = ends(mode, batch);
    let mut points = 0;
    for command in ["apply", "undo"] {
        let arguments = [&[command, "app.db", "plan.ndjson"], batch].concat();
        let prepared = || {
            let bench = bench(mode);
            if command == "undo" {
                assert_eq!(bench.run(&[&["apply", "app.db", "plan.ndjson", "--no-backup"], batch].concat()).code, 0);
            }
            bench
        };
        let (start, end) = if command == "apply" { (&before, &after) } else { (&after, &before) };
        for (call, count) in calls(&prepared(), &arguments) {
            for number in (1..=count).step_by(step()) {
                let bench = prepared();
                let plan = std::fs::read(bench.path("plan.ndjson")).unwrap();
                let what = format!("{mode} {batch:?} {command} {call} {number} {fault}");
                let (code, _) = traced(&bench, &arguments, Some(&format!("{call}:{fault}:when={number}{from}")));
                points += 1;
                assert_whole(&bench, batch, start, end, &what);
                assert!(code != Some(0) || bench.dump() == *end, "{what}: said to be done, and is not");
                // The same command goes on to the same end.
                let again = bench.run(&[arguments.as_slice(), &["--no-backup"]].concat());
                assert_eq!(again.code, 0, "{what}: {}{}", again.stdout, again.stderr);
                assert_eq!(bench.dump(), *end, "{what}");
                if command == "apply" {
                    let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
                    assert_eq!(undone.code, 0, "{what}: {}", undone.stderr);
                    assert_eq!(bench.dump(), before, "{what}");
                }
                assert_eq!(std::fs::read(bench.path("plan.ndjson")).unwrap(), plan, "{what}");
            }
        }
    }
    points
}

#[test]
fn killed_at_every_write_with_a_rollback_journal() {
    let points = survive("delete", &[], "signal=KILL", "") + survive("delete", &["--batch", "5"], "signal=KILL", "");
    println!("{points} points");
    assert!(points > 10, "{points}");
}

#[test]
fn killed_at_every_write_with_a_write_ahead_log() {
    let points = survive("wal", &[], "signal=KILL", "") + survive("wal", &["--batch", "5"], "signal=KILL", "");
    println!("{points} points");
    assert!(points > 10, "{points}");
}

#[test]
fn a_full_disk_at_every_write() {
    let points = survive("delete", &[], "error=ENOSPC", "+") + survive("wal", &["--batch", "5"], "error=ENOSPC", "");
    println!("{points} points");
    assert!(points > 10, "{points}");
}

#[test]
fn a_failing_disk_at_every_write() {
    let points = survive("delete", &["--batch", "5"], "error=EIO", "") + survive("wal", &[], "error=EIO", "");
    println!("{points} points");
    assert!(points > 10, "{points}");
}
