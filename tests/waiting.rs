//! Another program writes. Every command waits for its lock as long as `--wait` says, whatever the journal mode is, and
//! at any step of its run.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use common::Bench;
use common::Run;
use rusqlite::Connection;

const MODES: [&str; 4] = ["DELETE", "TRUNCATE", "PERSIST", "WAL"];

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE other(n); \
    CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); INSERT INTO c VALUES (1, 1), (2, 7), (3, 8), (4, 9);";

fn bench(mode: &str) -> Bench {
    let bench = Bench::new(&format!("PRAGMA journal_mode = {mode}; {SEED}"));
    bench.write("r.toml", "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\nlimits.max-share = 1.0\n[[treat]]\naction = \"set-null\"\n");
    bench
}

/// The commands of a repair, in order.
const COMMANDS: [&[&str]; 5] = [
    &["scan", "app.db"],
    &["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"],
    &["apply", "app.db", "plan.ndjson", "--backup", "backup.db"],
    &["undo", "app.db", "plan.ndjson", "--backup", "again.db"],
    &["repair", "app.db", "--rules", "r.toml", "-o", "second.ndjson", "--apply", "--no-backup"],
];

fn assert_success(command: &str, run: &Run) {
    assert!(
        run.code == 0 || (run.code == 1 && command.contains("scan")),
        "{command}: {}\n{}{}",
        run.code,
        run.stdout,
        run.stderr
    );
}

#[test]
fn lock_released_in_time_is_waited_for() {
    for mode in MODES {
        for lock in ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"] {
            let bench = bench(mode);
            for command in COMMANDS {
                let context = format!("{mode} {lock} {command:?}");
                let writer = Connection::open(bench.path("app.db")).unwrap();
                writer.busy_timeout(Duration::from_secs(60)).unwrap();
                writer.execute_batch(&format!("{lock}; INSERT INTO other VALUES (1)")).unwrap();
                let start = Instant::now();
                let run = std::thread::scope(|threads| {
                    threads.spawn(move || {
                        std::thread::sleep(Duration::from_millis(350));
                        writer.execute_batch("COMMIT").unwrap();
                    });
                    bench.run(&[command, &["--wait", "20s"]].concat())
                });
                assert_success(&context, &run);
                assert!(start.elapsed() < Duration::from_secs(15), "{context}");
            }
        }
    }
}

/// The lock is held most of the time, so every step of a run waits for it sooner or later.
#[test]
fn recurring_lock_is_waited_for_at_every_step() {
    for mode in MODES {
        for round in 0..3 {
            let bench = bench(mode);
            let stop = AtomicBool::new(false);
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    let writer = Connection::open(bench.path("app.db")).unwrap();
                    writer.busy_timeout(Duration::from_secs(60)).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        writer.execute_batch("BEGIN EXCLUSIVE; INSERT INTO other VALUES (1)").unwrap();
                        std::thread::sleep(Duration::from_millis(9 + round));
                        writer.execute_batch("COMMIT").unwrap();
                        std::thread::sleep(Duration::from_millis(2));
                    }
                });
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    for command in COMMANDS {
                        let run = bench.run(&[command, &["--wait", "60s"]].concat());
                        assert_success(&format!("{mode} {round} {command:?}"), &run);
                    }
                }));
                stop.store(true, Ordering::Relaxed);
                outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            });
        }
    }
}

/// A command that advises a longer wait has waited for the whole time.
#[test]
fn lock_that_stays_is_an_error_only_after_the_wait() {
    for mode in MODES {
        let bench = bench(mode);
        assert_success("repair", &bench.run(COMMANDS[1]));
        let writer = Connection::open(bench.path("app.db")).unwrap();
        writer.busy_timeout(Duration::from_secs(60)).unwrap();
        for (command, is_meant_to_work_then) in [(COMMANDS[4], false), (COMMANDS[2], true), (COMMANDS[3], true)] {
            writer.execute_batch("BEGIN EXCLUSIVE; INSERT INTO other VALUES (1)").unwrap();
            let start = Instant::now();
            let run = bench.run(&[command, &["--wait", "700ms"]].concat());
            let context = format!("{mode} {command:?}: {}{}", run.stdout, run.stderr);
            assert_eq!(run.code, 3, "{context}");
            assert!(
                run.stderr.contains("another program holds a lock on it") && run.stderr.contains("--wait"),
                "{context}"
            );
            if cfg!(target_os = "linux") {
                let holder = format!("the lock is held by process {} (", std::process::id());
                assert!(common::in_one_line(&run.stderr).contains(&holder), "{context}");
            }
            assert!(start.elapsed() >= Duration::from_millis(700), "{context} after {:?}", start.elapsed());
            writer.execute_batch("ROLLBACK").unwrap();
            if is_meant_to_work_then {
                assert_success(&context, &bench.run(command));
            }
        }
    }
}
