//! Compares fk-doctor with `PRAGMA foreign_key_check` on random schemas and rows. There must be no difference.
//!
//! A database holds many independent pairs of child and parent, so that one run judges many cases. `FK_DOCTOR_CASES`
//! sets the number of cases. The seed is fixed, so a failure repeats.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::habitat;

use common::Bench;
use fastrand::Rng;
use habitat::Habitat;
use rusqlite::Connection;
use rusqlite::OptionalExtension;

const PAIRS: usize = 50;
const USUAL_CASES: usize = 4_000;

const TYPES: [&str; 9] = ["INTEGER", "INT", "TEXT", "REAL", "NUMERIC", "BLOB", "", "VARCHAR(9)", "BOOLEAN"];
const COLLATIONS: [&str; 4] = ["", " COLLATE BINARY", " COLLATE NOCASE", " COLLATE RTRIM"];
const VALUES: [&str; 34] = [
    "NULL",
    "0",
    "1",
    "2",
    "-1",
    "5",
    "7",
    "10",
    "1.0",
    "5.0",
    "5.5",
    "-0.0",
    "1e3",
    "9007199254740993",
    "9007199254740992.0",
    "9223372036854775807",
    "9.3e18",
    "''",
    "'1'",
    "'01'",
    "'5'",
    "' 5'",
    "'5.0'",
    "'5e0'",
    "'a'",
    "'A'",
    "'a '",
    "'Abc'",
    "'aBC'",
    "x'35'",
    "x''",
    "x'61'",
    "'0x5'",
    "char(233)",
];

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

/// Returns SQL for one pair of tables. The parent's key is an INTEGER PRIMARY KEY, a primary key, or a unique
/// constraint or index in any column order, with or without rowid. Sometimes the parent has no key.
fn pair(rng: &mut Rng, number: usize) -> String {
    let width = if rng.u8(..3) == 0 { 2 + rng.usize(..2) } else { 1 };
    let column = |rng: &mut Rng, name: String| format!("{name} {}{}", pick(rng, &TYPES), pick(rng, &COLLATIONS));
    let names: Vec<String> = (0..width).map(|i| format!("k{i}")).collect();
    let mut order = names.clone();
    rng.shuffle(&mut order);
    let mut columns: Vec<String> = names.iter().map(|name| column(rng, name.clone())).collect();
    rng.shuffle(&mut columns);
    let order = order.join(", ");
    let (p, c) = (format!("p{number:02}"), format!("c{number:02}"));
    let columns = columns.join(", ");
    let mut implicit = false;
    let parent = match rng.u8(..10) {
        0..=1 if width == 1 => format!("CREATE TABLE {p}(x, k0 INTEGER PRIMARY KEY);"),
        0..=2 => {
            implicit = rng.bool();
            format!("CREATE TABLE {p}({columns}, PRIMARY KEY ({order}));")
        }
        3..=4 => {
            implicit = rng.bool();
            format!("CREATE TABLE {p}({columns}, PRIMARY KEY ({order})) WITHOUT ROWID;")
        }
        5..=6 => format!("CREATE TABLE {p}(id INTEGER PRIMARY KEY, {columns}, UNIQUE ({order}));"),
        7 => format!("CREATE TABLE {p}({columns}); CREATE UNIQUE INDEX u{number} ON {p}({order}) WHERE k0 > 0;"),
        8 => format!("CREATE TABLE {p}({columns}); CREATE UNIQUE INDEX u{number} ON {p}({order});"),
        _ => format!("CREATE TABLE {p}({columns});"),
    };
    let references = if implicit { p.clone() } else { format!("{p}({})", names.join(", ")) };
    let child_names: Vec<String> = (0..width).map(|i| format!("r{i}")).collect();
    let child_columns: Vec<String> = child_names.iter().map(|name| column(rng, name.clone())).collect();
    let (id, ending) =
        if rng.bool() { ("id INTEGER PRIMARY KEY", "") } else { ("id TEXT PRIMARY KEY NOT NULL", " WITHOUT ROWID") };
    let mut sql = format!(
        "{parent} CREATE TABLE {c}({id}, {}, FOREIGN KEY ({}) REFERENCES {references}){ending};",
        child_columns.join(", "),
        child_names.join(", ")
    );
    if rng.bool() {
        sql.push_str(&format!("CREATE INDEX i{number} ON {c}({});", child_names.join(", ")));
    }
    let values = |rng: &mut Rng| (0..width).map(|_| pick(rng, &VALUES)).collect::<Vec<_>>().join(", ");
    for _ in 0..rng.usize(..12) {
        sql.push_str(&format!("INSERT OR IGNORE INTO {p}({}) VALUES ({});", names.join(", "), values(rng)));
    }
    for row in 0..rng.usize(..14) {
        sql.push_str(&format!("INSERT INTO {c}(id, {}) VALUES ({row}, {});", child_names.join(", "), values(rng)));
    }
    sql
}

/// Creates the database. A statement may fail only with a datatype mismatch: text for an INTEGER PRIMARY KEY.
fn build(bench: &Bench, habitat: Habitat, sql: &str) -> Connection {
    let database = habitat.build(&bench.path("app.db"));
    database.execute_batch("BEGIN").unwrap();
    for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
        if let Err(error) = database.execute_batch(statement) {
            assert!(
                error.to_string().contains("datatype mismatch") || error.to_string().contains("NOT NULL"),
                "{error}: {statement}"
            );
        }
    }
    database.execute_batch("COMMIT").unwrap();
    database
}

/// Returns the number of orphans that SQLite counts, or `None` if it refuses to check the relation.
fn verdict(database: &Connection, child: &str) -> Option<i64> {
    database
        .query_row("SELECT count(*) FROM pragma_foreign_key_check(?1)", [child], |row| row.get(0))
        .optional()
        .ok()
        .flatten()
}

#[test]
fn random_keys_are_judged_like_the_pragma() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(20_261_121);
    let (mut judged, mut orphans, mut refused) = (0, 0, 0);
    while judged < cases {
        let sql: String = (0..PAIRS).map(|number| pair(&mut rng, number)).collect();
        let bench = Bench::empty();
        let database = build(&bench, Habitat::any(&mut rng), &sql);
        let (_, report) = bench.scan();
        let relations = report["relations"].as_array().unwrap();
        assert_eq!(relations.len(), PAIRS);
        for relation in relations {
            let child = relation["child"]["table"].as_str().unwrap();
            let id = relation["id"].as_str().unwrap();
            let codes: Vec<&str> = report["findings"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|finding| {
                    finding["relation"] == id && finding["severity"] == "error" && finding["code"] != "orphan"
                })
                .map(|finding| finding["code"].as_str().unwrap())
                .collect();
            let statements: Vec<&str> = sql
                .split(';')
                .filter(|statement| statement.contains(child) || statement.contains(&child.replace('c', "p")))
                .collect();
            match verdict(&database, child) {
                Some(expected) => {
                    assert_eq!(
                        relation["orphan_rows"].as_i64(),
                        Some(expected),
                        "{id} {codes:?}\n{}",
                        statements.join(";\n")
                    );
                    assert!(codes.is_empty(), "{id} {codes:?}\n{}", statements.join(";\n"));
                    orphans += expected;
                }
                None => {
                    assert!(!codes.is_empty(), "SQLite refuses {id}\n{}", statements.join(";\n"));
                    refused += 1;
                }
            }
            judged += 1;
        }
    }
    println!("{judged} relations judged, {orphans} orphans, {refused} refused by SQLite, no difference");
    assert!(orphans > 0 && refused > 0, "the cases are worth judging");
}
