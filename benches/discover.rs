//! Measures a discovery, and reading the bytes of the file and doing nothing with them: `cargo bench --bench discover`.
//!
//! The medians are printed. `FK_DOCTOR_ROWS` sets the rows of the largest table (1,000,000), `FK_DOCTOR_ROUNDS` the rounds (3),
//! `FK_DOCTOR_JOBS` the threads (1). `FK_DOCTOR_DATABASE` names a file to measure in place of the generated ones.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::run;

mod measure;

use measure::Costs;
use measure::create;
use measure::median;
use measure::number;

/// Name, what it is, and the SQL that makes it; `?1` stands for the rows of the largest table.
const SHAPES: [(&str, &str, &str); 2] = [
    (
        "shop",
        "orders and their lines, with long comments and amounts",
        "CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT, phone TEXT, balance REAL);
         CREATE TABLE parts(id INTEGER PRIMARY KEY, name TEXT, size INTEGER, price REAL);
         CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER, status TEXT, day TEXT, comment TEXT);
         CREATE TABLE lines(order_id INTEGER, line INTEGER, part_id INTEGER, quantity INTEGER, price REAL, day TEXT, comment TEXT,
             PRIMARY KEY (order_id, line));
         INSERT INTO customers SELECT i, 'customer ' || i, i % 9000 || '-' || i % 7000, random() % 10000 / 100.0 FROM n WHERE i <= ?1 / 40;
         INSERT INTO parts SELECT i, 'part ' || i, i % 50, i % 900 / 10.0 FROM n WHERE i <= ?1 / 30;
         INSERT INTO orders SELECT i * 4, 1 + abs(random()) % (?1 / 40), substr('ofp', 1 + i % 3, 1), date(8000 + i % 2400, 'unixepoch'),
             hex(randomblob(10 + i % 20)) FROM n WHERE i <= ?1 / 4;
         INSERT INTO lines SELECT 4 * (1 + (i - 1) / 4), i % 4, 1 + abs(random()) % (?1 / 30), 1 + i % 50, random() % 100000 / 100.0,
             date(8000 + i % 2500, 'unixepoch'), hex(randomblob(5 + i % 15)) FROM n;",
    ),
    (
        "keyless",
        "the same names, and no key is declared",
        "CREATE TABLE customers(id INTEGER, name TEXT);
         CREATE TABLE orders(id INTEGER, customer_id INTEGER, day TEXT);
         CREATE TABLE lines(order_id INTEGER, line INTEGER, quantity INTEGER, comment TEXT);
         INSERT INTO customers SELECT i, 'customer ' || i FROM n WHERE i <= ?1 / 40;
         INSERT INTO orders SELECT i, 1 + abs(random()) % (?1 / 40), date(8000 + i % 2400, 'unixepoch') FROM n WHERE i <= ?1 / 4;
         INSERT INTO lines SELECT 1 + (i - 1) / 4, i % 4, 1 + i % 50, hex(randomblob(5 + i % 15)) FROM n;",
    ),
];

/// Returns the SQL of many tables with few rows: some things, and what is noted about each of them.
fn many_tables() -> String {
    const THINGS: [&str; 19] = [
        "area",
        "artist",
        "credit",
        "edition",
        "event",
        "format",
        "genre",
        "instrument",
        "label",
        "language",
        "medium",
        "place",
        "recording",
        "release",
        "script",
        "series",
        "track",
        "url",
        "work",
    ];
    const NOTES: [&str; 19] = [
        "alias",
        "annotation",
        "attribute",
        "category",
        "collection",
        "comment",
        "cover",
        "deletion",
        "edit",
        "gallery",
        "identifier",
        "link",
        "meta",
        "rating",
        "redirect",
        "revision",
        "tag",
        "type",
        "watch",
    ];
    let rows = "FROM n WHERE i <= min(?1, 150)";
    let thing = |thing: &&str| {
        format!(
            "CREATE TABLE {thing}(id INTEGER PRIMARY KEY, name TEXT, type INTEGER, begun INTEGER, ended INTEGER, updated TEXT);
             INSERT INTO {thing} SELECT i, '{thing} ' || i, i % 9, 1900 + i % 120, NULL, date(8000 + i, 'unixepoch') {rows};"
        )
    };
    let note = |thing: &str, note: &str| {
        format!(
            "CREATE TABLE {thing}_{note}(id INTEGER PRIMARY KEY, {thing} INTEGER, editor INTEGER, text TEXT, position INTEGER, updated TEXT);
             INSERT INTO {thing}_{note} SELECT i, 1 + i * 7 % 150, i % 40, '{note} ' || i % 60, i % 5, date(8000 + i, 'unixepoch') {rows};"
        )
    };
    let notes = THINGS.iter().flat_map(|thing| NOTES.iter().map(move |text| note(thing, text)));
    THINGS.iter().map(thing).chain(notes).collect()
}

/// A whole discovery, in this process. Returns the number of candidates of its JSON report.
fn discover(path: &Path, jobs: u64) -> usize {
    let (text, jobs) = (path.to_str().unwrap(), jobs.to_string());
    let typed = ["fk-doctor", "discover", text, "--format", "json", "--jobs", &jobs];
    let cli = <Cli as clap::Parser>::try_parse_from(typed).unwrap();
    let directory = path.parent().unwrap().to_owned();
    let environment = run::Environment { directory, cores: 1, ..run::Environment::default() };
    let Command::Discover(typed) = &cli.command else { panic!("discover was asked for") };
    let outcome = run::discover(typed, &cli.global, &environment, &|_| {}).unwrap();
    let report: serde_json::Value = serde_json::from_str(&outcome.documents.first().unwrap().1).unwrap();
    report["candidates"].as_array().unwrap().len()
}

fn read_bytes(path: &Path) -> u64 {
    let mut file = std::fs::File::open(path).unwrap();
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return bytes,
            read => bytes += read as u64,
        }
    }
}

fn report(name: &str, about: &str, path: &Path) {
    let (rounds, jobs) = (number("FK_DOCTOR_ROUNDS", 3), number("FK_DOCTOR_JOBS", 1));
    let (mut reading, mut discovery) = (Costs::default(), Costs::default());
    let (mut bytes, mut candidates) = (0, 0);
    for _ in 0..rounds {
        bytes = reading.of(|| read_bytes(path));
        candidates = discovery.of(|| discover(path, jobs));
    }
    println!(
        "{name:<10} {:>7.1} MB  {candidates:>6} candidates  read {:>7.0} ms  discover {:>8.0} ms cpu  {:>6.0} MB  {about}",
        bytes as f64 / 1e6,
        median(&reading.cpu),
        median(&discovery.cpu),
        median(&discovery.peak),
    );
}

fn main() {
    if let Some(path) = std::env::var_os("FK_DOCTOR_DATABASE").map(PathBuf::from) {
        report("database", &path.display().to_string(), &path);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let many = many_tables();
    let many: (&str, &str, &str) = ("museum", "380 tables with 2280 columns and few rows", &many);
    for (name, about, sql) in SHAPES.into_iter().chain([many]) {
        let path = folder.path().join(format!("{name}.db"));
        create(&path, number("FK_DOCTOR_ROWS", 1_000_000), sql, |_| {});
        report(name, about, &path);
        std::fs::remove_file(&path).unwrap();
    }
}
