//! How much work a scan is beside SQLite's own check where there are many orphans, as a report and as CSV:
//! `cargo bench --bench orphans`.
//!
//! `FK_DOCTOR_ROWS` sets the rows of a child (1,000,000), `FK_DOCTOR_ROUNDS` the rounds (3), `FK_DOCTOR_JOBS` the
//! threads of the scan (1), `FK_DOCTOR_SHAPES` which shapes, by their names. `FK_DOCTOR_CSV=0` leaves the CSV out.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::path::Path;
use std::time::Duration;

use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::run;
use rusqlite::Connection;

/// Name, what it is, and the SQL that makes it; `?1` stands for the rows of the child.
const SHAPES: [(&str, &str, &str); 7] = [
    (
        "emptied",
        "as many missing keys as rows, of an emptied parent",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT);
         INSERT INTO c SELECT i, 1 + (i * 7919) % 1000000007, 'note' FROM n;",
    ),
    (
        "clustered",
        "in the parent's order, a tenth are orphans",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT, amount REAL);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10 AND i % 10 <> 3;
         INSERT INTO c SELECT i, 1 + (i - 1) / 10, 'a note of some length about row ' || i, i * 0.5 FROM n;",
    ),
    (
        "few",
        "300 missing keys with a tenth of all rows",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT, amount REAL);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, CASE WHEN i % 10 = 3 THEN -1 - abs(random()) % 300 ELSE 1 + (i - 1) / 10 END,
             'a note of some length about row ' || i, i * 0.5 FROM n;",
    ),
    (
        "sentinel",
        "one missing key with nearly all rows",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, CASE WHEN i % 100 = 3 THEN 1 + i / 100 ELSE -1 END, 'note' FROM n;",
    ),
    (
        "named",
        "300 missing keys with a tenth of all rows, which have a text as primary key",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id TEXT PRIMARY KEY, p INTEGER REFERENCES p, note TEXT);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT hex(i * 7919 % 1000000007), CASE WHEN i % 10 = 3 THEN -1 - abs(random()) % 300 ELSE 1 + (i - 1) / 10 END, 'note' FROM n;",
    ),
    (
        "text",
        "as many missing UUIDs as rows, of an emptied parent",
        "CREATE TABLE p(id TEXT PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p, note TEXT);
         INSERT INTO c SELECT i, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || hex(randomblob(8))), 'note' FROM n;",
    ),
    (
        "pairs",
        "as many missing pairs of integers as rows, of an emptied parent",
        "CREATE TABLE p(a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE c(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, note TEXT, FOREIGN KEY (a, b) REFERENCES p);
         INSERT INTO c SELECT i, i % 1000, i / 1000, 'note' FROM n;",
    ),
];

#[derive(Default)]
struct Costs {
    cpu: Vec<f64>,
    peak: Vec<f64>,
}

impl Costs {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        // Linux then forgets how much memory was used at most; elsewhere the column stays empty.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (before, cpu) = (memory("VmRSS:"), cpu_time());
        let answer = work();
        self.cpu.push((cpu_time() - cpu).as_secs_f64() * 1e3);
        self.peak.push((memory("VmHWM:") - before).max(0.0));
        answer
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A line of the process's own status, in megabytes.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    found.unwrap_or(f64::NAN) / 1e3
}

fn main() {
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (rows, rounds, jobs) =
        (number("FK_DOCTOR_ROWS", 1_000_000), number("FK_DOCTOR_ROUNDS", 3), number("FK_DOCTOR_JOBS", 1));
    let csv = number("FK_DOCTOR_CSV", 1) > 0;
    let wanted = std::env::var("FK_DOCTOR_SHAPES").unwrap_or_default();
    println!("{rows} child rows, {jobs} threads, medians of {rounds} rounds, SQLite {}", rusqlite::version());
    println!(
        "{:<10}{:>10}{:>10}{:>10}{:>9}{:>10}{:>9}",
        "shape", "pragma ms", "scan ms", "pragma", "peak MB", "CSV ms", "peak MB"
    );
    for (name, what, sql) in SHAPES.iter().filter(|(name, ..)| wanted.is_empty() || wanted.contains(name)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.db");
        make(&path, sql, rows);
        let [mut scanned, mut written, mut checked] = [(); 3].map(|()| Costs::default());
        for _ in 0..rounds {
            let orphans = checked.of(|| pragma(&path));
            assert_eq!(scanned.of(|| scan(&path, jobs, "json")), Some(orphans), "{name}");
            written.of(|| if csv { scan(&path, jobs, "csv=orphans.csv") } else { None });
        }
        let (cpu, theirs) = (median(&scanned.cpu), median(&checked.cpu));
        println!(
            "{name:<10}{theirs:>10.1}{cpu:>10.1}{:>9.2}x{:>9.1}{:>10.1}{:>9.1}  {what}",
            theirs / cpu,
            median(&scanned.peak),
            median(&written.cpu),
            median(&written.peak),
        );
    }
}

fn make(path: &Path, sql: &str, rows: u64) {
    let database = Connection::open(path).unwrap();
    database.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF").unwrap();
    database
        .execute_batch(&format!(
            "CREATE TEMP TABLE n(i INTEGER PRIMARY KEY);
             WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {rows}) INSERT INTO n SELECT i FROM r;
             BEGIN; {}; COMMIT",
            sql.replace("?1", &rows.to_string())
        ))
        .unwrap();
}

fn pragma(path: &Path) -> u64 {
    let database = Connection::open(path).unwrap();
    let mut statement = database.prepare("PRAGMA foreign_key_check").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut orphans = 0;
    while rows.next().unwrap().is_some() {
        orphans += 1;
    }
    orphans
}

/// Takes every byte and keeps none.
struct Nowhere;

impl run::Sink for Nowhere {
    fn stream(&self, _: Option<&Path>) -> std::io::Result<Box<dyn run::Stream>> {
        Ok(Box::new(Void))
    }

    fn append(&self, _: &Path, _: &str) -> std::io::Result<()> {
        Ok(())
    }
}

struct Void;

impl std::io::Write for Void {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl run::Stream for Void {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        Ok(())
    }
}

/// A whole scan, in this process. Returns the orphans that its JSON report counts.
fn scan(path: &Path, jobs: u64, format: &str) -> Option<u64> {
    let (text, jobs) = (path.to_str().unwrap(), jobs.to_string());
    let cli = <Cli as clap::Parser>::try_parse_from(["fk-doctor", "scan", text, "--format", format, "--jobs", &jobs])
        .unwrap();
    let directory = path.parent().unwrap().to_owned();
    let environment = run::Environment { directory, cores: 1, ..run::Environment::default() };
    let Command::Scan(typed) = &cli.command else { panic!("scan was asked for") };
    let outcome = run::scan(typed, &cli.global, &environment, &Nowhere, &|_, _| {}).unwrap();
    let report: serde_json::Value = serde_json::from_str(&outcome.documents.first()?.1).ok()?;
    report["summary"]["orphan_rows"].as_u64()
}
