//! Scans of damaged files. Whatever bytes are changed, a scan ends, does not panic and does not write. It never reports
//! "clean" if SQLite finds an orphan, or cannot read a page that it needs to decide.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::path::Path;
use std::time::Duration;

use common::Bench;
use fastrand::Rng;
use fk_doctor::internals::exit::Exit;
use rusqlite::Connection;
use rusqlite::OpenFlags;

const CHANGES: usize = 2_000;

const SEED: &str = "
PRAGMA page_size = 512;
CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE, pad TEXT);
CREATE TABLE w(a INTEGER, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), code TEXT REFERENCES p(code), a INTEGER, b TEXT, pad TEXT,
    FOREIGN KEY (a, b) REFERENCES w(a, b));
CREATE INDEX c_p ON c(p);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
INSERT INTO p SELECT i, 'code-' || i, substr(hex(zeroblob(300)), 1, i * 4) FROM n;
INSERT INTO w SELECT id, 'w' || id FROM p;
INSERT INTO c SELECT id, 1 + id * 7 % 150, 'code-' || (1 + id * 3 % 150), id, 'w' || id, substr(hex(zeroblob(900)), 1, id * 9) FROM p;
";

fn scan(path: &Path) -> Exit {
    match common::scan_here(path, &["--timeout", "20s", "--jobs", "2"], &|_, _| {}) {
        Ok(outcome) => outcome.exit,
        Err(error) => error.exit(),
    }
}

/// True if SQLite reads every row of every table and finds no orphan.
fn is_clean(path: &Path) -> rusqlite::Result<bool> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(Duration::from_secs(1))?;
    let orphans: i64 = database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
    Ok(orphans == 0)
}

#[test]
fn damaged_file_is_never_reported_clean() {
    let bench = Bench::new(SEED);
    let whole = std::fs::read(bench.path("app.db")).unwrap();
    assert_eq!(scan(&bench.path("app.db")), Exit::Clean, "nothing is wrong before the damage");
    let mut rng = Rng::with_seed(7);
    let damaged = bench.path("damaged.db");
    let (mut unreadable, mut incomplete, mut findings, mut clean) = (0, 0, 0, 0);
    for round in 0..CHANGES {
        let mut bytes = whole.clone();
        for _ in 0..1 + rng.usize(..3) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        if round % 20 == 0 {
            bytes.truncate(rng.usize(..bytes.len()));
        }
        std::fs::write(&damaged, &bytes).unwrap();
        let exit = scan(&damaged);
        assert!(std::fs::read(&damaged).unwrap() == bytes, "round {round}: the file was written to");
        match exit {
            Exit::Unreadable => unreadable += 1,
            Exit::Incomplete => incomplete += 1,
            Exit::Findings => findings += 1,
            Exit::Clean => {
                clean += 1;
                assert_eq!(is_clean(&damaged), Ok(true), "round {round}: clean, but not to SQLite");
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
    println!(
        "{CHANGES} damaged files: {unreadable} unreadable, {incomplete} incomplete, {findings} with findings, {clean} clean"
    );
    assert!(unreadable > 0 && incomplete > 0 && findings > 0 && clean > 0);
}

/// Encodes a varint with one byte more than necessary.
fn overlong(value: u64) -> Vec<u8> {
    let groups = (1..=9).find(|&width| value < 1 << (7 * width)).unwrap() + 1;
    (0..groups).rev().map(|i| (value >> (7 * i)) as u8 & 0x7f | if i > 0 { 0x80 } else { 0 }).collect()
}

fn read_varint(bytes: &[u8]) -> (u64, usize) {
    let width = 1 + bytes.iter().position(|byte| *byte < 0x80).unwrap();
    (bytes[..width].iter().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)), width)
}

/// Returns the cell in every variant in which one of its varints has one byte too many.
fn overlong_cells(cell: &[u8], is_index: bool) -> Vec<Vec<u8>> {
    let (length, mut at) = read_varint(cell);
    let mut numbers = vec![(0, at, length)];
    if !is_index {
        let (rowid, width) = read_varint(&cell[at..]);
        numbers.push((at, width, rowid));
        at += width;
    }
    let record = at;
    let (header, _) = read_varint(&cell[record..]);
    while at < record + header as usize {
        let (value, width) = read_varint(&cell[at..]);
        numbers.push((at, width, value));
        at += width;
    }
    let grown = |&(at, width, value): &(usize, usize, u64)| {
        // A longer header changes the header's length and the cell's length. Both are one byte in this file.
        let more = u64::from(at >= record);
        let value = if at == record || at == 0 { value + more } else { value };
        let mut bytes = [&cell[..at], &overlong(value), &cell[at + width..]].concat();
        if at >= record {
            bytes[0] += 1;
            if at > record {
                bytes[record] += 1;
            }
        }
        bytes
    };
    numbers.iter().map(grown).collect()
}

/// A varint with unnecessary bytes is damage that SQLite reads in its own way: it searches an index by the bytes
/// themselves. fk-doctor gives the same verdict as SQLite for such a file.
#[test]
fn overlong_varint_is_judged_by_sqlite() {
    let bench = Bench::new(
        "PRAGMA page_size = 512; CREATE TABLE p(id INTEGER PRIMARY KEY, code INT, name TEXT, UNIQUE (code), UNIQUE (name));
        CREATE TABLE w(a TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id), code INT REFERENCES p(code), name TEXT REFERENCES p(name),
            a TEXT REFERENCES w(a));
        INSERT INTO p VALUES (1, 1000, 'one'), (2, 2000, 'two'), (3, 3000, 'three'), (4, 1, 'four'), (5, 0, 'five');
        INSERT INTO w VALUES ('x'), ('y'), ('z');
        INSERT INTO c VALUES (1, 1, 1000, 'one', 'x'), (2, 2, 2000, 'two', 'y'), (3, 3, 3000, 'three', 'z'), (4, 4, 1, 'four', 'x'),
            (5, 5, 0, 'five', 'y');",
    );
    let whole = std::fs::read(bench.path("app.db")).unwrap();
    let damaged = bench.path("damaged.db");
    let (mut tried, mut disagreed) = (0, 0);
    for page in 1..whole.len() / 512 {
        let start = page * 512;
        let is_index = match whole[start] {
            10 => true,
            13 => false,
            _ => continue,
        };
        let u16_at = |at: usize| usize::from(u16::from_be_bytes([whole[start + at], whole[start + at + 1]]));
        for cell in 0..u16_at(3) {
            let pointer = 8 + 2 * cell;
            let old = &whole[start + u16_at(pointer)..start + 512];
            let size = read_varint(old);
            let length = size.0 as usize + size.1 + if is_index { 0 } else { read_varint(&old[size.1..]).1 };
            for new in overlong_cells(&old[..length], is_index) {
                let mut bytes = whole.clone();
                let free = 8 + 2 * u16_at(3)..u16_at(5);
                if free.len() < new.len() {
                    continue;
                }
                let at = free.end - new.len();
                bytes[start + at..][..new.len()].copy_from_slice(&new);
                bytes[start + pointer..][..2].copy_from_slice(&(at as u16).to_be_bytes());
                bytes[start + 5..][..2].copy_from_slice(&(at as u16).to_be_bytes());
                std::fs::write(&damaged, &bytes).unwrap();
                tried += 1;
                let is_clean = is_clean(&damaged);
                disagreed += usize::from(is_clean == Ok(false));
                if scan(&damaged) == Exit::Clean {
                    assert_eq!(is_clean, Ok(true), "page {}, cell {cell}: {new:x?}", page + 1);
                }
            }
        }
    }
    println!("{tried} numbers written too long; SQLite finds orphans in {disagreed} of the files");
    assert!(tried > 100 && disagreed > 5);
}

#[test]
fn unparsable_view_is_no_damage() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INT REFERENCES p(id)); INSERT INTO c VALUES (9);
        CREATE VIEW \"a 'view'\" AS SELECT 1; PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELEC 1' WHERE type = 'view';",
    );
    let run = bench.run(&["scan", "app.db"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("cannot parse the definition of the view a 'view' (near \"SELEC\""), "{}", run.stderr);
    assert!(!run.stderr.contains("damaged") && run.stderr.contains("the rows are intact"), "{}", run.stderr);
    // The command in the help repairs a copy, which can then be scanned.
    let (_, drop) = run.stderr.split_once("sqlite3 copy.db ").unwrap();
    let drop = drop.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap().replace("'\\''", "'");
    std::fs::copy(bench.path("app.db"), bench.path("copy.db")).unwrap();
    Connection::open(bench.path("copy.db")).unwrap().execute_batch(&drop).unwrap();
    assert_eq!(bench.run(&["scan", "copy.db"]).code, 1);
    let table = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE p(';",
    );
    let run = table.run(&["scan", "app.db"]);
    assert!(run.code == 3 && run.stderr.contains("the definition of the table p (incomplete input)"), "{}", run.stderr);
}
