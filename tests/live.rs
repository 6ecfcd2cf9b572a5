//! Scans a database while other programs write to it and checkpoint its log. Each scan sees one complete snapshot.
//!
//! Every transaction makes the same change in several tables, moves rows and frees pages. A scan that mixed two
//! snapshots, or pages of two snapshots, would count the tables differently.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly, and say what it saw")]

use crate::common;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::Bench;
use rusqlite::Connection;

const TABLES: usize = 6;
const USUAL_SCANS: usize = 24;

fn seed() -> String {
    let table = |i| {
        format!(
            "CREATE TABLE p{i}(id INTEGER PRIMARY KEY, code TEXT UNIQUE);
             CREATE TABLE c{i}(r INTEGER REFERENCES p{i}(id), code TEXT REFERENCES p{i}(code), round INTEGER, pad BLOB);
             CREATE INDEX i{i} ON c{i}(round);"
        )
    };
    let tables: String = (0..TABLES).map(table).collect();
    format!("PRAGMA page_size = 1024; {tables}")
}

/// Each round inserts ten rows, half of them orphans, and deletes the rows of thirty rounds ago.
fn write(path: &std::path::Path, stop: &AtomicBool) -> u32 {
    let database = Connection::open(path).unwrap();
    database.busy_timeout(Duration::from_secs(60)).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").unwrap();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        for i in 0..TABLES {
            database
                .execute_batch(&format!(
                    "INSERT INTO p{i} VALUES ({round}, 'code {round}');
                     WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10)
                     INSERT INTO c{i} SELECT {round} - n % 2 * 1000000, 'code ' || ({round} - n % 2 * 1000000), {round},
                         zeroblob(abs(random()) % 2000) FROM n;
                     DELETE FROM c{i} WHERE round = {round} - 30;
                     DELETE FROM p{i} WHERE id = {round} - 60;"
                ))
                .unwrap();
        }
        database.execute_batch("COMMIT").unwrap();
        round += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    round
}

fn copy_back(path: &std::path::Path, stop: &AtomicBool) {
    let database = Connection::open(path).unwrap();
    for mode in ["PASSIVE", "RESTART", "TRUNCATE", "FULL"].into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let _busy: i64 =
            database.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0)).unwrap_or(1);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn scans_see_one_moment(mode: &str) -> BTreeMap<String, usize> {
    let scans = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_SCANS);
    let bench = Bench::new(&format!("PRAGMA journal_mode = {mode}; {}", seed()));
    let path = bench.path("app.db");
    let stop = AtomicBool::new(false);
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    let rounds = std::thread::scope(|threads| {
        let writer = threads.spawn(|| write(&path, &stop));
        if mode == "WAL" {
            threads.spawn(|| copy_back(&path, &stop));
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for scan in 0..scans {
                let jobs = ["1", "2", "8"][scan % 3];
                let run = bench.run(&["scan", "app.db", "--format", "json", "--jobs", jobs, "--wait", "60s"]);
                assert!([0, 1].contains(&run.code), "{}{}", run.stdout, run.stderr);
                let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
                let relations = report["relations"].as_array().unwrap();
                assert_eq!(relations.len(), 2 * TABLES);
                let seen = |relation: &serde_json::Value| (relation["rows"].clone(), relation["orphan_rows"].clone());
                let first = seen(&relations[0]);
                for relation in relations {
                    assert_eq!(seen(relation), first, "{jobs} jobs saw several moments: {report:#}");
                    *methods.entry(relation["method"].as_str().unwrap().to_owned()).or_default() += 1;
                }
                assert_eq!(first.0.as_i64().unwrap(), 2 * first.1.as_i64().unwrap(), "half of the rows are orphans");
            }
        }));
        stop.store(true, Ordering::Relaxed);
        let rounds = writer.join().unwrap();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        rounds
    });
    println!("{mode}: {scans} scans while {rounds} transactions were committed, told by {methods:?}");
    assert!(rounds > 0);
    methods
}

/// A repair also sees one snapshot, and is planned however often others write.
fn repairs_are_planned(mode: &str) {
    let bench = Bench::new(&format!("PRAGMA journal_mode = {mode}; {}", seed()));
    bench.write("r.toml", "id = \"r\"\nrelation.child = \"*(r)\"\n[[treat]]\naction = \"placeholder\"\n");
    let path = bench.path("app.db");
    let stop = AtomicBool::new(false);
    let outcome = std::thread::scope(|threads| {
        let writer = threads.spawn(|| write(&path, &stop));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..6 {
                let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "json", "--wait", "60s"]);
                assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
                let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
                let relations = report["relations"].as_array().unwrap();
                let seen: Vec<&serde_json::Value> =
                    relations.iter().filter(|relation| !relation["rule"].is_null()).collect();
                assert!(seen.len() > 1, "several relations are compared: {report:#}");
                assert!(seen.iter().all(|relation| relation["orphan_rows"] == seen[0]["orphan_rows"]), "{report:#}");
                assert_eq!(report["summary"]["undecided_keys"], 0, "{report:#}");
            }
        }));
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        outcome
    });
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn repair_is_planned_while_a_wal_grows() {
    repairs_are_planned("WAL");
}

#[test]
fn repair_is_planned_while_a_rollback_journal_is_used() {
    repairs_are_planned("DELETE");
}

#[test]
fn scan_during_wal_writes_and_checkpoints_reads_one_snapshot() {
    let methods = scans_see_one_moment("WAL");
    assert!(methods.get("pages").is_some_and(|&count| count > 0), "{methods:?}");
}

#[test]
fn scan_during_rollback_journal_writes_reads_one_snapshot() {
    let methods = scans_see_one_moment("DELETE");
    assert!(methods.get("pages").is_some_and(|&count| count > 0), "{methods:?}");
}
