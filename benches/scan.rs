//! Compares a scan with SQLite's own check, with SQL, and with reading the bytes and doing nothing with them, on shapes of
//! data with one missing key and on their sick twins: `cargo bench --bench scan`.
//!
//! All ways read the same file in alternating rounds. The medians are printed, and their ratios. A sick twin lacks 200 parents,
//! so that it has 200 different missing keys; the last column is its time as a multiple of the file on the line above. Shapes of
//! many tables are measured without orphans too.
//! `FK_DOCTOR_ROWS` sets the rows of a child (1,000,000), `FK_DOCTOR_ROUNDS` the rounds (5), `FK_DOCTOR_JOBS` the threads of
//! the scan (1), `FK_DOCTOR_SHAPES` which shapes, by their names.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::io::Read;
use std::path::Path;

use fk_doctor::internals::run;
use rusqlite::Connection;

mod measure;

use measure::Costs;
use measure::create;
use measure::median;
use measure::number;
use measure::orphan_rows;
use measure::pragma;
use measure::scan;

/// Name, what it is, and the SQL that makes it; `?1` stands for the rows of the child.
const SHAPES: [(&str, &str, &str); 11] = [
    (
        "random",
        "integer keys in no order",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT, amount REAL);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, 1 + abs(random()) % (?1 / 10), 'a note of some length about row ' || i, i * 0.5 FROM n;",
    ),
    (
        "clustered",
        "integer keys in the parent's order",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT, amount REAL);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, 1 + (i - 1) / 10, 'a note of some length about row ' || i, i * 0.5 FROM n;",
    ),
    (
        "indexed",
        "random, with an index on the child",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT, amount REAL);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, 1 + abs(random()) % (?1 / 10), 'a note of some length about row ' || i, i * 0.5 FROM n;
         CREATE INDEX c_p ON c(p);",
    ),
    (
        "text",
        "UUID keys as text",
        "CREATE TABLE p(id TEXT PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p, note TEXT);
         CREATE TEMP TABLE k(i INTEGER PRIMARY KEY, id TEXT);
         INSERT INTO k SELECT i, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || hex(randomblob(8))) FROM n WHERE i <= ?1 / 5;
         INSERT INTO p SELECT id, 'parent' FROM k;
         INSERT INTO c SELECT i, (SELECT id FROM k WHERE k.i = 1 + abs(random() + n.i) % (?1 / 5)), 'a note' FROM n;",
    ),
    (
        "composite",
        "two integers, a parent without rowid",
        "CREATE TABLE p(a INTEGER, b INTEGER, name TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE c(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, note TEXT, FOREIGN KEY (a, b) REFERENCES p);
         INSERT INTO p SELECT i / 100, i % 100, 'parent' FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, k / 100, k % 100, 'a note' FROM (SELECT i, 1 + abs(random()) % (?1 / 10) AS k FROM n);",
    ),
    (
        "wide",
        "rows of 600 bytes, the key after long text",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, c1 TEXT, c2 TEXT, c3 TEXT, c4 TEXT, c5 TEXT, c6 TEXT, p INTEGER REFERENCES p);
         INSERT INTO p SELECT i, 'parent number ' || i FROM n WHERE i <= ?1 / 10;
         INSERT INTO c SELECT i, t, t, t, t, t, CASE WHEN i % 50 = 0 THEN hex(zeroblob(3000)) ELSE t END, 1 + abs(random()) % (?1 / 10)
             FROM (SELECT i, substr(hex(randomblob(50)), 1, 100) AS t FROM n WHERE i <= ?1 / 5);",
    ),
    (
        "sparse",
        "random 63-bit keys",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, note TEXT);
         CREATE TEMP TABLE k(i INTEGER PRIMARY KEY, id INTEGER);
         INSERT INTO k SELECT i, abs(random()) FROM n WHERE i <= ?1 / 10;
         INSERT INTO p SELECT id, 'parent' FROM k;
         INSERT INTO c SELECT i, (SELECT id FROM k WHERE k.i = 1 + abs(random() + n.i) % (?1 / 10)), 'a note' FROM n;",
    ),
    (
        "emptied",
        "a parent that lost all rows but one, a key for each row",
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
         INSERT INTO p VALUES (1, 'parent'); INSERT INTO c SELECT i, i FROM n;",
    ),
    ("relations", "100 relations of 200 rows", ""),
    ("many", "300 tables of 1,000 rows", ""),
    ("small", "3,000 tables of 5 rows", ""),
];

/// How many parents a sick twin lacks.
const MISSING_KEYS: u64 = 200;

/// The orphans of a file.
#[derive(Clone, Copy, PartialEq)]
enum Orphans {
    None,
    /// All of them have the same missing key.
    OneKey,
    ManyKeys,
}

/// Returns the orphans with which a shape is measured. A large table has always some, so that all ways have something to find.
fn orphans_of(shape: &str) -> &'static [Orphans] {
    match shape {
        "emptied" => &[Orphans::ManyKeys],
        "relations" | "many" | "small" => &[Orphans::None, Orphans::OneKey, Orphans::ManyKeys],
        _ => &[Orphans::OneKey, Orphans::ManyKeys],
    }
}

fn main() {
    let (rows, rounds, jobs) =
        (number("FK_DOCTOR_ROWS", 1_000_000), number("FK_DOCTOR_ROUNDS", 5), number("FK_DOCTOR_JOBS", 1));
    let wanted = std::env::var("FK_DOCTOR_SHAPES").unwrap_or_default();
    println!("{rows} child rows, {jobs} threads, medians of {rounds} rounds, SQLite {}", rusqlite::version());
    println!("{:38}processor time, ms{:14}as many times as the scan{:34}/line", "", "", "");
    println!(
        "{:<18}{:>8}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}",
        "shape", "MB", "read", "scan", "SQL", "pragma", "read", "SQL", "pragma", "wall", "peak MB", "above"
    );
    for (name, description, sql) in SHAPES.iter().filter(|(name, ..)| wanted.is_empty() || wanted.contains(name)) {
        let mut above = None;
        for orphans in orphans_of(name) {
            let (twin, text) = match (orphans, above) {
                (Orphans::ManyKeys, Some(_)) => (format!("{name} sick"), "the same, with many missing keys"),
                (_, Some(_)) => (format!("{name} one key"), "the same, with one missing key"),
                (_, None) => ((*name).to_owned(), *description),
            };
            above = Some(compare(&twin, text, rounds, jobs, above, &|path| make(path, name, sql, rows, *orphans)));
        }
    }
}

/// Compares all ways on one file, and prints a line. Returns the processor time of the scan.
fn compare(name: &str, description: &str, rounds: u64, jobs: u64, above: Option<f64>, make: &dyn Fn(&Path)) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.db");
    make(&path);
    let [mut read, mut scanned, mut joined, mut checked] = [(); 4].map(|()| Costs::default());
    for _ in 0..rounds {
        read.of(|| bare_read(&path));
        let orphans = checked.of(|| pragma(&path));
        assert_eq!(joined.of(|| not_exists(&path)), orphans, "{name}");
        let report = scanned.of(|| scan(&path, jobs, "json", &run::NoSink));
        assert_eq!(orphan_rows(report), Some(orphans), "{name}");
    }
    let megabytes = std::fs::metadata(&path).unwrap().len() as f64 / 1e6;
    let [read, joined] = [read, joined].map(|costs| median(&costs.cpu));
    let (cpu, theirs) = (median(&scanned.cpu), median(&checked.cpu));
    let of_above = above.map(|above| format!("{:.2}x", cpu / above)).unwrap_or_default();
    println!(
        "{name:<18}{megabytes:>8.1}{read:>9.1}{cpu:>9.1}{joined:>9.1}{theirs:>10.1}{:>9.2}{:>8.1}x{:>8.1}x{:>8.1}x{:>9.1}{of_above:>8}  {description}",
        read / cpu,
        joined / cpu,
        theirs / cpu,
        median(&checked.wall) / median(&scanned.wall),
        median(&scanned.peak),
    );
    cpu
}

fn bare_read(path: &Path) -> usize {
    let (mut file, mut buffer) = (std::fs::File::open(path).unwrap(), vec![0; 1 << 20]);
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return bytes,
            read => bytes += read,
        }
    }
}

/// The question as one would put it in SQL: for each relation, the rows for which no parent exists.
fn not_exists(path: &Path) -> u64 {
    let database = Connection::open(path).unwrap();
    let mut keys = database
        .prepare(
            "SELECT t.name, f.\"table\", group_concat('p.' || coalesce(f.\"to\", k.name) || ' = c.' || f.\"from\", ' AND '),
                 group_concat('c.' || f.\"from\" || ' IS NOT NULL', ' AND ')
             FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f
                 LEFT JOIN pragma_table_info(f.\"table\") k ON f.\"to\" IS NULL AND k.pk = f.seq + 1
             WHERE t.type = 'table' GROUP BY t.name, f.id",
        )
        .unwrap();
    let questions = keys.query_map([], |row| {
        let [child, parent, equal, complete] = [0, 1, 2, 3].map(|i| row.get::<_, String>(i));
        let (child, parent, equal, complete) = (child?, parent?, equal?, complete?);
        Ok(format!(
            "SELECT count(*) FROM {child} c WHERE {complete} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {equal})"
        ))
    });
    questions
        .unwrap()
        .map(|sql| database.query_row(&sql.unwrap(), [], |row| row.get::<_, u32>(0)).unwrap())
        .map(u64::from)
        .sum()
}

/// Makes the tables of a shape, with these orphans.
fn make(path: &Path, name: &str, sql: &str, rows: u64, orphans: Orphans) {
    create(path, rows, sql, |database| add_tables_and_orphans(database, name, rows, orphans));
}

fn add_tables_and_orphans(database: &Connection, name: &str, rows: u64, orphans: Orphans) {
    let execute = |sql: &str| database.execute_batch(sql).unwrap();
    match name {
        "emptied" => {}
        "relations" => (0..100).for_each(|pair| {
            let key = match orphans {
                Orphans::None => "1 + i * 2 % 400".to_owned(),
                Orphans::OneKey => "-1".to_owned(),
                Orphans::ManyKeys => format!("1000 * {pair} + 1000 + i"),
            };
            execute(&format!(
                "CREATE TABLE p{pair}(id INTEGER PRIMARY KEY, name TEXT);
                 CREATE TABLE c{pair}(id INTEGER PRIMARY KEY, one INTEGER REFERENCES p{pair}(id));
                 INSERT INTO p{pair} SELECT i, 'parent' FROM n WHERE i <= 400;
                 INSERT INTO c{pair} SELECT i, {key} FROM n WHERE i <= 200;"
            ));
        }),
        "many" | "small" => {
            let (tables, size) = if name == "many" { (300, 1_000) } else { (3_000, 5) };
            for table in 0..tables {
                let parent = (table * 7) % tables;
                execute(&format!(
                    "CREATE TABLE t{table}(id INTEGER PRIMARY KEY, one INTEGER REFERENCES t{parent}(id), two INTEGER REFERENCES t0(id), name TEXT);
                     INSERT INTO t{table} SELECT i, 1 + (i * 7) % {size}, 1 + (i * 13) % {size}, 'row ' || i FROM n WHERE i <= {size};"
                ));
                let key = match orphans {
                    Orphans::None => continue,
                    Orphans::OneKey => -1,
                    Orphans::ManyKeys => size + 2 + table,
                };
                execute(&format!("UPDATE t{table} SET one = {key} WHERE id = 3"));
            }
        }
        _ if orphans == Orphans::ManyKeys => {
            let key = if name == "composite" { "a, b" } else { "id" };
            execute(&format!(
                "DELETE FROM p WHERE ({key}) IN (SELECT {key} FROM p ORDER BY abs(random()) LIMIT {MISSING_KEYS})"
            ));
        }
        _ => {
            let assignments = if name == "composite" { "a = -1" } else { "p = -1" };
            execute(&format!("UPDATE c SET {assignments} WHERE id % ({rows} / 2000) = 7"));
        }
    }
}
