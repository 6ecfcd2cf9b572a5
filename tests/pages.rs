//! Judges random tables with many rows in every kind of file, from the pages and with `PRAGMA foreign_key_check`. There
//! must be no difference, and the pages must have been read.
//!
//! `differential.rs` tests unusual values. This module tests unusual storage: deep trees, overflowing keys, short
//! records, deleted rows, reserved bytes, and rows that are only in the log. `FK_DOCTOR_CASES` sets the number of
//! relations. The seed is fixed, so a failure repeats.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::habitat;

use std::collections::BTreeMap;

use common::Bench;
use fastrand::Rng;
use habitat::Habitat;
use rusqlite::Connection;

const PAIRS: usize = 5;
const USUAL_CASES: usize = 300;

/// How a key is made from a number: its type, and the expression over `n`.
const KEYS: [(&str, &str); 14] = [
    ("INTEGER", "n"),
    ("INTEGER", "n * 2654435761"),
    ("INTEGER", "n * 4611686018427387 * (n % 2 * 2 - 1)"),
    ("INT", "n - 700"),
    ("BIGINT", "n << (n % 50)"),
    ("TEXT", "'key-' || n"),
    ("TEXT", "printf('%.*c', n % 90, 'x') || n"),
    ("TEXT", "printf('%.*c', (n % 7) * 300, 'y') || n"),
    ("TEXT", "char(233 + n % 400) || n || char(128512)"),
    ("TEXT COLLATE NOCASE", "CASE n % 3 WHEN 0 THEN 'ABC' ELSE 'abc' END || n"),
    ("TEXT COLLATE RTRIM", "n || printf('%.*c', n % 4, ' ')"),
    ("BLOB", "CAST(n || 'b' AS BLOB)"),
    ("NUMERIC", "CASE n % 3 WHEN 0 THEN n ELSE n + 0.5 END"),
    ("", "CASE n % 4 WHEN 0 THEN n WHEN 1 THEN 't' || n WHEN 2 THEN n + 0.25 ELSE CAST(n AS BLOB) END"),
];

struct Pair {
    parent: String,
    child: String,
    sql: String,
}

fn numbers(count: usize) -> String {
    format!("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {count})")
}

/// Text before or after a key, so that row sizes vary and some keys begin on an overflow page.
fn pad(rng: &mut Rng) -> String {
    match rng.u8(..6) {
        0 => "NULL".to_owned(),
        1 => "'short'".to_owned(),
        2 => format!("printf('%.*c', n % {}, 'p')", 20 + rng.usize(..400)),
        3 => format!("zeroblob(n % 40 * {})", rng.usize(..700)),
        4 => format!("CASE WHEN n % 50 = 0 THEN zeroblob({}) END", rng.usize(..40_000)),
        _ => "n * 0.5".to_owned(),
    }
}

fn pair(rng: &mut Rng, number: usize) -> Pair {
    let width = if rng.u8(..3) == 0 { 2 } else { 1 };
    let keys: Vec<(&str, &str)> = (0..width).map(|_| KEYS[rng.usize(..KEYS.len())]).collect();
    let rows = [3, 40, 400, 2_500][rng.usize(..4)];
    let parents = (rows / (1 + rng.usize(..8))).max(1);
    let (parent, child) = (format!("p{number}"), format!("c{number}"));
    let columns = |prefix: &str| {
        keys.iter().enumerate().map(|(i, (kind, _))| format!("{prefix}{i} {kind}")).collect::<Vec<_>>().join(", ")
    };
    let names = |prefix: &str| (0..width).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(", ");
    let made = keys.iter().map(|(_, key)| (*key).to_owned()).collect::<Vec<_>>().join(", ");
    let directions = |rng: &mut Rng| {
        let mut order: Vec<String> =
            (0..width).map(|i| format!("k{i}{}", if rng.bool() { " DESC" } else { "" })).collect();
        rng.shuffle(&mut order);
        order.join(", ")
    };
    let mut sql = String::new();
    let kind = rng.u8(..6);
    match kind {
        0 if width == 1 => {
            sql.push_str(&format!("CREATE TABLE {parent}(a, k0 INTEGER PRIMARY KEY, z);"));
        }
        1 | 2 => {
            let order = directions(rng);
            sql.push_str(&format!(
                "CREATE TABLE {parent}(a, {}, z, PRIMARY KEY ({order})) WITHOUT ROWID;",
                columns("k")
            ));
        }
        3 => sql.push_str(&format!("CREATE TABLE {parent}(a, {}, z, UNIQUE ({}));", columns("k"), names("k"))),
        4 => {
            let order = directions(rng);
            sql.push_str(&format!("CREATE TABLE {parent}({}, a, z);", columns("k")));
            sql.push_str(&format!("CREATE UNIQUE INDEX u{number} ON {parent}({order});"));
        }
        _ => sql.push_str(&format!("CREATE TABLE {parent}(a, {}, z, PRIMARY KEY ({}));", columns("k"), names("k"))),
    }
    let (before, after) = (pad(rng), pad(rng));
    sql.push_str(&format!(
        "{} INSERT OR IGNORE INTO {parent}(a, {}, z) SELECT {before}, {made}, {after} FROM r{};",
        numbers(parents),
        names("k"),
        if rng.bool() { " ORDER BY n * 7919 % 1009" } else { "" },
    ));
    let foreign = format!("FOREIGN KEY ({}) REFERENCES {parent}({})", names("r"), names("k"));
    let (before, after) = (pad(rng), pad(rng));
    let target = format!("(n * 7919 % {} + 1)", parents + rng.usize(..3));
    let referring = keys.iter().map(|(_, key)| in_terms_of(key, &target)).collect::<Vec<_>>().join(", ");
    match rng.u8(..6) {
        // The column is added after the rows. Old records end before it, and its default may be a key.
        0 if width == 1 => {
            let default = ["", " DEFAULT 5", " DEFAULT 'key-3'", " DEFAULT NULL"][rng.usize(..4)];
            let reference = format!("REFERENCES {parent}(k0)");
            sql.push_str(&format!("CREATE TABLE {child}(id INTEGER PRIMARY KEY, a);"));
            sql.push_str(&format!("{} INSERT INTO {child} SELECT n, {before} FROM r;", numbers(rows / 2)));
            sql.push_str(&format!("ALTER TABLE {child} ADD COLUMN r0 {}{default} {reference};", keys[0].0));
            sql.push_str(&format!(
                "{} INSERT INTO {child} SELECT n + {rows}, {before}, {referring} FROM r;",
                numbers(rows)
            ));
        }
        // The rowid itself is the reference.
        1 if width == 1 => {
            sql.push_str(&format!("CREATE TABLE {child}(a, r0 INTEGER PRIMARY KEY REFERENCES {parent}(k0));"));
            sql.push_str(&format!("{} INSERT INTO {child} SELECT {before}, n FROM r;", numbers(parents + 2)));
        }
        2 => {
            let key = if rng.bool() { "id" } else { "id, r0" };
            sql.push_str(&format!(
                "CREATE TABLE {child}(a, {}, id TEXT, z, PRIMARY KEY ({key}), {foreign}) WITHOUT ROWID;",
                columns("r")
            ));
            sql.push_str(&format!(
                "{} INSERT OR IGNORE INTO {child} SELECT {before}, {referring}, 'id' || n, {after} FROM r;",
                numbers(rows)
            ));
        }
        3 => {
            let generated = if rng.bool() { "STORED" } else { "VIRTUAL" };
            sql.push_str(&format!(
                "CREATE TABLE {child}(id INTEGER PRIMARY KEY, g AS (id * 2) {generated}, a, {}, z, {foreign});",
                columns("r")
            ));
            sql.push_str(&format!(
                "{} INSERT INTO {child} SELECT n, {before}, {referring}, {after} FROM r;",
                numbers(rows)
            ));
        }
        _ => {
            sql.push_str(&format!("CREATE TABLE {child}(id INTEGER PRIMARY KEY, a, {}, z, {foreign});", columns("r")));
            sql.push_str(&format!(
                "{} INSERT INTO {child} SELECT n, {before}, {referring}, {after} FROM r;",
                numbers(rows)
            ));
        }
    }
    match rng.u8(..4) {
        0 => sql.push_str(&format!("CREATE INDEX i{number} ON {child}({});", names("r"))),
        1 => sql.push_str(&format!("CREATE INDEX i{number} ON {child}({} DESC, a);", names("r"))),
        2 => sql.push_str(&format!("CREATE INDEX i{number} ON {child}(a, {});", names("r"))),
        _ => {}
    }
    if rng.bool() {
        sql.push_str(&format!("DELETE FROM {parent} WHERE k0 IN (SELECT k0 FROM {parent} ORDER BY k0 LIMIT 3);"));
    }
    if rng.bool() {
        sql.push_str(&format!(
            "UPDATE {child} SET r0 = NULL WHERE r0 IN (SELECT r0 FROM {child} ORDER BY r0 LIMIT 4);"
        ));
        sql.push_str(&format!("DELETE FROM {child} WHERE length(a) % 3 = 1;"));
    }
    Pair { parent, child, sql }
}

/// Returns the key expression for another number than `n`. Function names also contain that letter.
fn in_terms_of(key: &str, number: &str) -> String {
    let letter = |at: Option<char>| at.is_some_and(|c| c.is_ascii_alphabetic());
    let characters: Vec<char> = key.chars().collect();
    let alone = |i: usize| {
        characters[i] == 'n'
            && !letter(i.checked_sub(1).map(|i| characters[i]))
            && !letter(characters.get(i + 1).copied())
    };
    (0..characters.len()).map(|i| if alone(i) { number.to_owned() } else { characters[i].to_string() }).collect()
}

fn verdict(database: &Connection, child: &str) -> rusqlite::Result<i64> {
    database.query_row("SELECT count(*) FROM pragma_foreign_key_check(?1)", [child], |row| row.get(0))
}

#[test]
fn random_pages_are_judged_like_the_pragma() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(512);
    let (mut judged, mut orphans, mut refused) = (0, 0, 0);
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    while judged < cases {
        let habitat = Habitat::any(&mut rng);
        let bench = Bench::empty();
        let database = habitat.build(&bench.path("app.db"));
        let pairs: Vec<Pair> = (0..PAIRS).map(|number| pair(&mut rng, number)).collect();
        for pair in &pairs {
            // SQLite may refuse only text for an INTEGER PRIMARY KEY.
            for statement in pair.sql.split_inclusive(';') {
                if let Err(error) = database.execute_batch(statement) {
                    let expected = ["datatype mismatch", "UNIQUE constraint", "NOT NULL constraint"];
                    assert!(expected.iter().any(|it| error.to_string().contains(it)), "{error}: {statement}");
                }
            }
        }
        match rng.u8(..5) {
            0 => database.execute_batch("PRAGMA incremental_vacuum").unwrap(),
            1 if !habitat.wal => database.execute_batch("VACUUM").unwrap(),
            _ => {}
        }
        let memory = ["1MB", "256MB"][rng.usize(..2)];
        let run = bench.run(&["scan", "app.db", "--format", "json", "--memory", memory, "--jobs", "3"]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        for relation in report["relations"].as_array().unwrap() {
            let child = relation["child"]["table"].as_str().unwrap();
            let pair = pairs.iter().find(|pair| pair.child == child).unwrap();
            let about = || format!("{habitat:?}\n{} <- {child}\n{}\n{relation:#}", pair.parent, pair.sql);
            match verdict(&database, child) {
                Ok(expected) => {
                    assert_eq!(relation["coverage"], "checked", "{}", about());
                    assert_eq!(relation["orphan_rows"], expected, "{}", about());
                    let rows: i64 =
                        database.query_row(&format!("SELECT count(*) FROM {child}"), [], |row| row.get(0)).unwrap();
                    assert_eq!(relation["rows"], rows, "{}", about());
                    orphans += expected;
                    *methods.entry(relation["method"].as_str().unwrap().to_owned()).or_default() += 1;
                }
                Err(_) => refused += 1,
            }
            judged += 1;
        }
    }
    println!("{judged} relations judged by {methods:?}, {orphans} orphans, {refused} refused, no difference");
    let of = |method: &str| methods.get(method).copied().unwrap_or(0);
    assert!(orphans > 0 && of("index-walk") > 0, "{methods:?}");
    assert_eq!(of("sql"), 0, "all are told by the pages: {methods:?}");
}
