//! Plants known causes of orphans in databases, and compares them with the diagnosis. The databases are random schemas, and
//! those of the folder that `tests/corpus FOLDER` names. The matrix of planted and named causes is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly, and this one prints a matrix")]

use crate::common;
use crate::corpus;

use std::collections::BTreeMap;
use std::path::Path;

use common::Bench;
use fastrand::Rng;
use rusqlite::Connection;

/// A foreign key of one column that every row satisfies.
struct Relation {
    child: String,
    column: String,
    parent: String,
    key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Planted {
    Deleted,
    WrongTable,
    /// The same, with small integers of a table without gaps: every such table has them, so nothing can tell.
    WrongTableWithoutGaps,
    Case,
    Whitespace,
    NotLoadedYet,
    Sentinel,
    ParentLoss,
}

impl Planted {
    const ALL: [Planted; 8] = [
        Planted::Deleted,
        Planted::WrongTable,
        Planted::WrongTableWithoutGaps,
        Planted::Case,
        Planted::Whitespace,
        Planted::NotLoadedYet,
        Planted::Sentinel,
        Planted::ParentLoss,
    ];

    fn cause(self) -> &'static str {
        match self {
            Planted::Deleted => "unknown",
            Planted::WrongTable | Planted::WrongTableWithoutGaps => "wrong-table",
            Planted::Case => "case",
            Planted::Whitespace => "whitespace",
            Planted::NotLoadedYet => "not-loaded-yet",
            Planted::Sentinel => "sentinel",
            Planted::ParentLoss => "parent-loss",
        }
    }

    /// Plants the cause in a relation. Returns false if the relation is not suited to it.
    fn plant(self, database: &Connection, relation: &Relation, random: &mut Rng) -> bool {
        let Relation { child, column, parent, key } = relation;
        let run = |sql: String| database.execute(&sql, []).unwrap_or(0) > 0;
        let values = |sql: &str| -> Vec<rusqlite::types::Value> {
            let mut statement = database.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let is_text = |value: &rusqlite::types::Value| matches!(value, rusqlite::types::Value::Text(_));
        let referred =
            values(&format!("SELECT DISTINCT \"{column}\" FROM \"{child}\" WHERE \"{column}\" IS NOT NULL ORDER BY 1"));
        let holds_text = referred.iter().all(is_text);
        let holds_integers = referred.iter().all(|value| matches!(value, rusqlite::types::Value::Integer(_)));
        let step = random.usize(1..4);
        let some_rows = |share: usize| {
            format!(
                "rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER (ORDER BY rowid) AS n FROM \"{child}\" \
                 WHERE \"{column}\" IS NOT NULL) WHERE n % {share} = {})",
                step % share
            )
        };
        let mut shuffled = referred.clone();
        random.shuffle(&mut shuffled);
        let delete = |share: usize| {
            let count = (referred.len() * share / 100).max(1);
            let mut statement = database.prepare(&format!("DELETE FROM \"{parent}\" WHERE \"{key}\" = ?1")).unwrap();
            shuffled.iter().take(count).filter(|value| statement.execute([value]).unwrap_or(0) > 0).count() > 0
        };
        match self {
            Planted::Deleted => referred.len() > 3 && delete(random.usize(1..25)),
            Planted::ParentLoss => referred.len() > 5 && delete(random.usize(65..90)),
            Planted::Case => {
                holds_text
                    && run(format!(
                        "UPDATE OR IGNORE \"{child}\" SET \"{column}\" = CASE WHEN \"{column}\" = upper(\"{column}\") \
                         THEN lower(\"{column}\") ELSE upper(\"{column}\") END WHERE {} AND \"{column}\" GLOB '*[a-zA-Z]*'",
                        some_rows(3)
                    ))
            }
            Planted::Whitespace => {
                holds_text
                    && run(format!(
                        "UPDATE OR IGNORE \"{child}\" SET \"{column}\" = \"{column}\" || ' ' WHERE {}",
                        some_rows(3)
                    ))
            }
            Planted::Sentinel => {
                let sentinel = match (holds_text, random.bool()) {
                    (true, true) => "''",
                    (true, false) => "'null'",
                    (false, true) => "0",
                    (false, false) => "-1",
                };
                run(format!("UPDATE OR IGNORE \"{child}\" SET \"{column}\" = {sentinel} WHERE {}", some_rows(4)))
            }
            Planted::NotLoadedYet => {
                holds_integers
                    && run(format!(
                        "UPDATE OR IGNORE \"{child}\" SET \"{column}\" = (SELECT max(\"{key}\") FROM \"{parent}\") + 1 + rowid % 7 \
                         WHERE {}",
                        some_rows(4)
                    ))
            }
            Planted::WrongTable | Planted::WrongTableWithoutGaps => {
                let Some((other, its_key)) = another_key(database, relation, random) else { return false };
                let others = values(&format!(
                    "SELECT \"{its_key}\" FROM \"{other}\" WHERE \"{its_key}\" NOT IN (SELECT \"{key}\" FROM \"{parent}\" \
                     WHERE \"{key}\" IS NOT NULL)"
                ));
                if others.len() < 4 || (!holds_text && !holds_integers) || holds_text != others.iter().all(is_text) {
                    return false;
                }
                let integers = others.iter().filter_map(|value| match value {
                    rusqlite::types::Value::Integer(number) => Some(*number),
                    _ => None,
                });
                let range = integers.clone().max().unwrap_or(0).saturating_sub(integers.min().unwrap_or(0));
                let has_gaps = holds_text || range / others.len() as i64 > 4;
                if has_gaps != (self == Planted::WrongTable) {
                    return false;
                }
                let rows = values(&format!("SELECT rowid FROM \"{child}\" WHERE {}", some_rows(3)));
                let sql = format!("UPDATE OR IGNORE \"{child}\" SET \"{column}\" = ?1 WHERE rowid = ?2");
                let mut statement = database.prepare(&sql).unwrap();
                let changed = rows.iter().filter(|row| {
                    let value = &others[random.usize(..others.len())];
                    statement.execute(rusqlite::params![value, row]).unwrap_or(0) > 0
                });
                changed.count() > 2
            }
        }
    }
}

/// Returns a unique key of one column of a table that is neither child nor parent.
fn another_key(database: &Connection, relation: &Relation, random: &mut Rng) -> Option<(String, String)> {
    let mut statement = database
        .prepare(
            "SELECT t.name, min(c.name) FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
             WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.pk > 0 \
             GROUP BY t.name HAVING count(*) = 1 ORDER BY t.name",
        )
        .unwrap();
    let keys = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap);
    let is_other = |(table, _): &(String, String)| {
        !table.eq_ignore_ascii_case(&relation.child) && !table.eq_ignore_ascii_case(&relation.parent)
    };
    let keys: Vec<(String, String)> = keys.filter(is_other).collect();
    (!keys.is_empty()).then(|| keys[random.usize(..keys.len())].clone())
}

/// Returns the sound relations of a database with enough rows to plant something in.
fn relations(database: &Connection) -> Vec<Relation> {
    let mut statement = database
        .prepare(
            "SELECT t.name, f.\"from\", f.\"table\", coalesce(f.\"to\", k.name) FROM sqlite_schema t \
             JOIN pragma_foreign_key_list(t.name) f LEFT JOIN pragma_table_info(f.\"table\") k ON f.\"to\" IS NULL AND k.pk = 1 \
             WHERE t.type = 'table' AND t.name <> f.\"table\" GROUP BY t.name, f.id HAVING count(*) = 1 ORDER BY t.name, f.id",
        )
        .unwrap();
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<String>>(3)?)))
        .unwrap()
        .filter_map(Result::ok)
        .filter_map(|(child, column, parent, key)| Some(Relation { child, column, parent, key: key? }));
    let is_sound = |relation: &Relation| {
        let Relation { child, column, parent, key } = relation;
        let numbers = database.query_row(
            &format!(
                "SELECT count(DISTINCT \"{column}\"), (SELECT count(*) FROM \"{parent}\"), \
                 coalesce(sum(\"{column}\" IS NOT NULL AND \"{column}\" NOT IN \
                 (SELECT \"{key}\" FROM \"{parent}\" WHERE \"{key}\" IS NOT NULL)), 0), min(rowid) FROM \"{child}\""
            ),
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        );
        matches!(numbers, Ok((4.., 4.., 0)))
    };
    found.filter(is_sound).collect()
}

/// Makes a database of several tables. Some share their ids without a foreign key, as real ones do.
fn random_schema(path: &Path, random: &mut Rng) {
    let names = [
        "users",
        "user_profiles",
        "orders",
        "order_items",
        "customers",
        "customer_archive",
        "products",
        "categories",
        "regions",
        "cities",
        "invoices",
        "payments",
        "accounts",
        "articles",
        "authors",
        "tags",
        "sessions",
        "devices",
    ];
    let mut names = names.to_vec();
    random.shuffle(&mut names);
    let database = Connection::open(path).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN").unwrap();
    let mut tables: Vec<(&str, Vec<String>, bool)> = Vec::new();
    for name in names.into_iter().take(random.usize(4..9)) {
        let most = if random.bool() { 40 } else { 600 };
        let rows = random.usize(8..most);
        let mut ids: Vec<String> = match random.usize(..7) {
            0 | 1 => (1..=rows).map(|id| id.to_string()).collect(),
            2 => (1..=rows * 2).filter(|_| random.bool()).map(|id| id.to_string()).collect(),
            3 => (0..rows).map(|_| random.i64(1..1 << 50).to_string()).collect(),
            4 => (0..rows).map(|_| format!("'{:032x}'", random.u128(..))).collect(),
            5 => (0..rows).map(|i| format!("'{}{i:03}'", ["AB", "xy", "Q"][random.usize(..3)])).collect(),
            // The ids of another table, as an extension of it has them.
            _ => match tables.last() {
                Some((_, ids, _)) => ids.iter().filter(|_| random.usize(..10) > 0).cloned().collect(),
                None => (1..=rows).map(|id| id.to_string()).collect(),
            },
        };
        ids.sort();
        ids.dedup();
        let is_text = ids.first().is_some_and(|id| id.starts_with('\''));
        let parents: Vec<usize> = (0..tables.len()).filter(|_| random.usize(..3) > 0).collect();
        let columns: String = parents
            .iter()
            .map(|&parent| {
                let (parent, _, is_text) = &tables[parent];
                format!(", {parent}_id {} REFERENCES {parent}(id)", if *is_text { "TEXT" } else { "INTEGER" })
            })
            .collect();
        let kind = if is_text { "TEXT" } else { "INTEGER" };
        database.execute_batch(&format!("CREATE TABLE {name}(id {kind} PRIMARY KEY{columns}, note TEXT)")).unwrap();
        for id in &ids {
            let keys: String = parents
                .iter()
                .map(|&parent| format!(", {}", tables[parent].1[random.usize(..tables[parent].1.len())]))
                .collect();
            database.execute_batch(&format!("INSERT INTO {name} VALUES ({id}{keys}, 'x')")).unwrap();
        }
        tables.push((name, ids, is_text));
    }
    database.execute_batch("COMMIT").unwrap();
}

type Matrix = BTreeMap<(Planted, String), u32>;

/// Plants each cause once in a copy of the database, and adds the causes that are named to the matrix.
fn plant_all(bench: &Bench, original: &Path, random: &mut Rng, matrix: &mut Matrix) {
    let copy = bench.path("planted.db");
    for planted in Planted::ALL {
        let _ = std::fs::remove_file(&copy);
        std::fs::copy(original, &copy).unwrap();
        let database = Connection::open(&copy).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN").unwrap();
        let mut relations = relations(&database);
        random.shuffle(&mut relations);
        let Some(relation) = relations.iter().find(|relation| planted.plant(&database, relation, random)) else {
            continue;
        };
        database.execute_batch("COMMIT").unwrap();
        drop(database);
        let run = bench.run(&["scan", "planted.db", "--format", "json"]);
        let Ok(report) = serde_json::from_str::<serde_json::Value>(&run.stdout) else { panic!("{}", run.stderr) };
        let of_relation = |finding: &&serde_json::Value| {
            let id =
                finding["relation_id"].as_str().or(finding["relation"].as_str()).unwrap_or_default().to_lowercase();
            let start = format!("{}({})->", relation.child, relation.column).to_lowercase();
            finding["code"] == "orphan" && id.starts_with(&start)
        };
        let Some(finding) = report["findings"].as_array().unwrap().iter().find(of_relation) else { continue };
        let causes = finding["diagnosis"].as_array().unwrap().iter();
        let main = causes.max_by_key(|cause| cause["rows"].as_u64()).map_or("none", |it| it["cause"].as_str().unwrap());
        if main != planted.cause() && std::env::var_os("FK_DOCTOR_TELL").is_some() {
            println!(
                "{planted:?} in {original:?} {}({})->{}: {}",
                relation.child, relation.column, relation.parent, finding["diagnosis"]
            );
        }
        *matrix.entry((planted, main.to_owned())).or_default() += 1;
    }
}

#[test]
fn planted_causes_are_named() {
    let bench = Bench::new("");
    let mut random = Rng::with_seed(31);
    let mut matrix = Matrix::new();
    let rounds = std::env::var("FK_DOCTOR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(25);
    for _ in 0..rounds {
        let original = bench.path("original.db");
        let _ = std::fs::remove_file(&original);
        random_schema(&original, &mut random);
        plant_all(&bench, &original, &mut random, &mut matrix);
    }
    if std::env::var_os("FK_DOCTOR_CORPUS").is_some() {
        for original in corpus::databases(&bench) {
            plant_all(&bench, &original, &mut random, &mut matrix);
        }
    }
    let (mut right, mut total) = (0, 0);
    for ((planted, named), count) in &matrix {
        println!("{planted:<14?} {named:<16} {count:>4}");
        if *planted != Planted::WrongTableWithoutGaps {
            right += if planted.cause() == named { *count } else { 0 };
            total += count;
        }
    }
    let of_deleted: u32 =
        matrix.iter().filter(|((planted, _), _)| *planted == Planted::Deleted).map(|(_, count)| count).sum();
    let as_wrong_table = matrix.get(&(Planted::Deleted, "wrong-table".to_owned())).copied().unwrap_or(0);
    println!("{right} of {total} right, {as_wrong_table} of {of_deleted} deleted parents named as wrong table");
    assert!(right * 100 >= total * 95, "{matrix:?}");
    assert!(as_wrong_table * 100 <= of_deleted, "{matrix:?}");
}
