//! Compares a scan of many orphans with SQLite's own check, as a report and as CSV: `cargo bench --bench orphans`.
//!
//! `FK_DOCTOR_ROWS` sets the rows of a child (1,000,000), `FK_DOCTOR_ROUNDS` the rounds (3), `FK_DOCTOR_JOBS` the
//! threads of the scan (1), `FK_DOCTOR_SHAPES` which shapes, by their names. `FK_DOCTOR_CSV=0` leaves the CSV out.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::path::Path;

use fk_doctor::internals::run;

mod measure;

use measure::Costs;
use measure::create;
use measure::median;
use measure::number;
use measure::orphan_rows;
use measure::pragma;
use measure::scan;

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

fn main() {
    let (rows, rounds, jobs) =
        (number("FK_DOCTOR_ROWS", 1_000_000), number("FK_DOCTOR_ROUNDS", 3), number("FK_DOCTOR_JOBS", 1));
    let csv = number("FK_DOCTOR_CSV", 1) > 0;
    let wanted = std::env::var("FK_DOCTOR_SHAPES").unwrap_or_default();
    println!("{rows} child rows, {jobs} threads, medians of {rounds} rounds, SQLite {}", rusqlite::version());
    println!(
        "{:<10}{:>10}{:>10}{:>10}{:>9}{:>10}{:>9}",
        "shape", "pragma ms", "scan ms", "pragma", "peak MB", "CSV ms", "peak MB"
    );
    for (name, description, sql) in SHAPES.iter().filter(|(name, ..)| wanted.is_empty() || wanted.contains(name)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.db");
        create(&path, rows, sql, |_| {});
        let [mut scanned, mut written, mut checked] = [(); 3].map(|()| Costs::default());
        for _ in 0..rounds {
            let orphans = checked.of(|| pragma(&path));
            let report = scanned.of(|| scan(&path, jobs, "json", &Nowhere));
            assert_eq!(orphan_rows(report), Some(orphans), "{name}");
            written.of(|| if csv { scan(&path, jobs, "csv=orphans.csv", &Nowhere) } else { None });
        }
        let (cpu, theirs) = (median(&scanned.cpu), median(&checked.cpu));
        println!(
            "{name:<10}{theirs:>10.1}{cpu:>10.1}{:>9.2}x{:>9.1}{:>10.1}{:>9.1}  {description}",
            theirs / cpu,
            median(&scanned.peak),
            median(&written.cpu),
            median(&written.peak),
        );
    }
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
