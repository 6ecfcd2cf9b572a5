//! The measuring that benches share: processor time, memory, the pragma, and a scan in this process.
#![allow(dead_code, reason = "no bench needs all of it")]

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::run;
use mimalloc::MiMalloc;
use rusqlite::Connection;

/// That of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What one way of reading a file took, in milliseconds and megabytes.
#[derive(Default)]
pub(crate) struct Costs {
    pub(crate) wall: Vec<f64>,
    pub(crate) cpu: Vec<f64>,
    pub(crate) peak: Vec<f64>,
}

impl Costs {
    pub(crate) fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        // Linux then forgets how much memory was used at most; elsewhere the column stays empty.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (before, start, cpu) = (memory("VmRSS:"), Instant::now(), cpu_time());
        let answer = work();
        self.cpu.push((cpu_time() - cpu).as_secs_f64() * 1e3);
        self.wall.push(start.elapsed().as_secs_f64() * 1e3);
        self.peak.push((memory("VmHWM:") - before).max(0.0));
        answer
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Returns a line of the process's own status, in megabytes.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    found.unwrap_or(f64::NAN) / 1e3
}

/// Returns the number in an environment variable, or the usual one.
pub(crate) fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Creates a database by SQL, in which the table `n` has the numbers from 1 to `rows` and `?1` stands for `rows`. It may
/// have orphans.
pub(crate) fn create(path: &Path, rows: u64, sql: &str, more: impl FnOnce(&Connection)) {
    let database = Connection::open(path).unwrap();
    database
        .execute_batch(&format!(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN;
             CREATE TEMP TABLE n(i INTEGER PRIMARY KEY);
             WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {rows}) INSERT INTO n SELECT i FROM r; {}",
            sql.replace("?1", &rows.to_string())
        ))
        .unwrap();
    more(&database);
    database.execute_batch("COMMIT").unwrap();
}

/// Returns the number of orphans that SQLite's own check finds.
pub(crate) fn pragma(path: &Path) -> u64 {
    let database = Connection::open(path).unwrap();
    let mut statement = database.prepare("PRAGMA foreign_key_check").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut orphans = 0;
    while rows.next().unwrap().is_some() {
        orphans += 1;
    }
    orphans
}

/// A whole scan, in this process. Returns its report, if it prints one.
pub(crate) fn scan(path: &Path, jobs: u64, format: &str, sink: &dyn run::Sink) -> Option<String> {
    scan_with(path, &["--format", format, "--jobs", &jobs.to_string()], sink)
}

/// A whole scan with these options, in this process. Returns its report, if it prints one.
pub(crate) fn scan_with(path: &Path, options: &[&str], sink: &dyn run::Sink) -> Option<String> {
    let typed = [&["fk-doctor", "scan", path.to_str().unwrap()], options].concat();
    let cli = <Cli as clap::Parser>::try_parse_from(typed).unwrap();
    let directory = path.parent().unwrap().to_owned();
    let environment = run::Environment { directory, cores: 1, ..run::Environment::default() };
    let Command::Scan(typed) = &cli.command else { panic!("scan was asked for") };
    let outcome = run::scan(typed, &cli.global, &environment, sink, &|_| {}).unwrap();
    outcome.documents.into_iter().next().map(|(_, report)| report)
}

/// Returns the orphans that a JSON report counts.
pub(crate) fn orphan_rows(report: Option<String>) -> Option<u64> {
    let report: serde_json::Value = serde_json::from_str(&report?).ok()?;
    report["summary"]["orphan_rows"].as_u64()
}
