//! Odd values among short records, in every kind of key that is read without decoding them: each row that SQLite calls an
//! orphan must be a suspect.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use rusqlite::Connection;

use super::super::judge;
use super::super::layout::Layouts;
use super::super::source::PageSource;
use super::inclusion;
use crate::engine::Inclusion;
use crate::engine::StorageReadOptions;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::engine::sqlite::introspect;
use crate::model::catalog::Catalog;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Tables;

/// Children with one key each, which are read in the fastest way: their name, and the definition of the key.
const CHILDREN: [(&str, &str); 7] = [
    ("dense", "k INTEGER REFERENCES dense_parent"),
    ("sparse", "k INTEGER REFERENCES sparse_parent"),
    ("pair", "k INTEGER, l INTEGER, FOREIGN KEY (k, l) REFERENCES pair_parent"),
    ("apart", "k INTEGER, l INTEGER, FOREIGN KEY (k, l) REFERENCES apart_parent"),
    ("text", "k TEXT REFERENCES text_parent"),
    ("untyped", "k REFERENCES untyped_parent"),
    ("twice", "k INTEGER REFERENCES dense_parent, l INTEGER REFERENCES dense_parent"),
];

const PARENTS: &str = "
CREATE TABLE dense_parent(id INTEGER PRIMARY KEY, pad);
CREATE TABLE sparse_parent(id INTEGER PRIMARY KEY, pad);
CREATE TABLE pair_parent(a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE apart_parent(a INTEGER, b INTEGER, PRIMARY KEY (a, b));
CREATE TABLE text_parent(id TEXT PRIMARY KEY, pad);
CREATE TABLE untyped_parent(id PRIMARY KEY DESC, pad);
WITH RECURSIVE n(i) AS (SELECT -3 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO dense_parent SELECT i, 'pad' FROM n;
DELETE FROM dense_parent WHERE id % 11 = 5;
INSERT INTO sparse_parent SELECT id * 72057594037927 - 9007199254740993, 'pad' FROM dense_parent;
INSERT INTO pair_parent SELECT id / 16, id % 16 FROM dense_parent;
INSERT INTO apart_parent SELECT id * 1000003, id * -72057594037927 FROM dense_parent;
INSERT INTO text_parent SELECT printf('%.*c', abs(id) % 70, 'x') || id, 'pad' FROM dense_parent;
INSERT INTO untyped_parent SELECT CASE abs(id) % 4 WHEN 0 THEN id WHEN 1 THEN id || '' WHEN 2 THEN CAST('b' || id AS BLOB) ELSE id + 0.5 END, 'pad' FROM dense_parent;
";

/// Returns an expression for the key of a row, mostly one of the parent's, and its second column.
fn key_of(child: &str, rng: &mut Rng) -> String {
    let number = rng.i64(-6..260);
    let odd =
        ["NULL", "''", "'5'", "5.0", "x'05'", "-1", "9223372036854775807", "zeroblob(200)", "printf('%.*c', 200, 'y')"];
    let value = |expression: String, rng: &mut Rng| {
        if rng.u8(..20) == 0 { odd[rng.usize(..odd.len())].to_owned() } else { expression }
    };
    let [first, second] = match child {
        "sparse" => [format!("{number} * 72057594037927 - 9007199254740993"), "NULL".to_owned()],
        "pair" => [format!("{number} / 16"), format!("{number} % 16")],
        "apart" => [format!("{number} * 1000003"), format!("{number} * -72057594037927")],
        "text" => [format!("printf('%.*c', abs({number}) % 70, 'x') || {number}"), "NULL".to_owned()],
        "untyped" => {
            let forms = ["{}", "'{}'", "CAST('b{}' AS BLOB)", "{} + 0.5"];
            [forms[number.unsigned_abs() as usize % 4].replace("{}", &number.to_string()), "NULL".to_owned()]
        }
        _ => [number.to_string(), rng.i64(-3..250).to_string()],
    };
    let (first, second) = (value(first, rng), value(second, rng));
    if ["pair", "apart", "twice"].contains(&child) { format!("{first}, {second}") } else { first }
}

/// Adds a child whose key is its first field, far behind, or led by text of any length.
fn add_child(connection: &Connection, child: &str, key: &str, rng: &mut Rng) {
    let run = |sql: String| connection.execute_batch(&sql).unwrap();
    let before = ["", "pad, ", "a, b, c, d, e, f, g, pad, "][rng.usize(..3)];
    run(format!("CREATE TABLE {child}({before}{})", key.replace("FOREIGN", "z, FOREIGN")));
    let names = if key.contains("l INTEGER") { "k, l" } else { "k" };
    for row in 0..300 {
        let rowid = match rng.u8(..40) {
            0 => -row,
            1 => i64::MAX - row,
            _ => row * 3 + rng.i64(..2) + 1,
        };
        let values = key_of(child, rng);
        let (pad, text) = match before {
            "" => ("", String::new()),
            _ => (", pad", format!(", printf('%.*c', {}, 'p')", rng.usize(..300))),
        };
        run(format!("INSERT OR REPLACE INTO {child}(rowid, {names}{pad}) VALUES ({rowid}, {values}{text})"));
    }
    // Cells that are no longer in the order of the rows.
    run(format!("UPDATE {child} SET k = k WHERE rowid % 7 = 1; DELETE FROM {child} WHERE rowid % 13 = 4"));
    if rng.bool() {
        run(format!("CREATE INDEX {child}_k ON {child}({names})"));
    }
}

fn rowids(connection: &Connection, question: &str) -> Vec<i64> {
    let mut statement = connection.prepare(question).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Returns the suspects of every relation: the child's name, its first column, and the rowids.
fn suspects(connection: &Connection, path: &Path, memory: u64) -> Vec<(String, String, Vec<i64>)> {
    let (Catalog { tables, foreign_keys, .. }, layouts): (Catalog, Layouts) =
        introspect::read(connection, path).unwrap();
    let inclusions: Vec<Inclusion> = foreign_keys.iter().map(|key| whole_inclusion(&tables, key)).collect();
    let source = PageSource::new(Arc::new(File::open(path).unwrap()), None).unwrap();
    let effort = StorageReadOptions { memory, threads: 1, progress: &|_| {} };
    let answers = judge::judge_on_caller_threads(&tables, &inclusions, &layouts, &source, &effort);
    let named = inclusions.iter().zip(answers).map(|(inclusion, answer)| {
        let child = &tables[inclusion.child];
        match answer {
            Ok(StorageReading { suspects: Suspects::Rows(mut rows), orphans, .. }) => {
                let mut proven = orphans.stream().unwrap();
                while let Some((_, row)) = proven.next_row().unwrap() {
                    rows.push(row);
                }
                rows.sort_unstable();
                (child.name.table.clone(), child.columns[inclusion.child_columns[0]].name.clone(), rows)
            }
            other => panic!("{}: {other:?}", child.name),
        }
    });
    named.collect()
}

/// Returns the inclusion of a foreign key that refers to its parent's primary key.
fn whole_inclusion(tables: &Tables, key: &ForeignKey) -> Inclusion {
    let parent = tables.iter().find(|table| table.name == key.parent).unwrap();
    let columns = parent.primary_key.iter().map(|&column| parent.columns[column].name.clone()).collect();
    inclusion(tables, &ForeignKey { parent_columns: Some(columns), ..key.clone() })
}

#[test]
fn rows_with_odd_values_among_short_records_are_judged_like_the_pragma() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::with_seed(11);
    for round in 0..12 {
        let path = folder.path().join(format!("{round}.db"));
        let connection = Connection::open(&path).unwrap();
        let size = [512, 1024, 4096][round % 3];
        let begin = format!("PRAGMA page_size = {size}; PRAGMA foreign_keys = OFF; BEGIN; {PARENTS}");
        connection.execute_batch(&begin).unwrap();
        CHILDREN.iter().for_each(|(child, key)| add_child(&connection, child, key, &mut rng));
        connection.execute_batch("COMMIT; BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
        // The second limit needs several rounds, in which nothing is read in the fastest way.
        for (child, column, suspects) in [1 << 28, 1 << 10].into_iter().flat_map(|it| suspects(&connection, &path, it))
        {
            let orphans = rowids(
                &connection,
                &format!(
                    "SELECT f.rowid FROM pragma_foreign_key_check('{child}') f JOIN pragma_foreign_key_list('{child}') l
                     ON l.id = f.fkid WHERE l.seq = 0 AND l.\"from\" = '{column}' ORDER BY 1"
                ),
            );
            let lost = orphans.iter().find(|orphan| suspects.binary_search(orphan).is_err());
            assert_eq!(lost, None, "{child}: an orphan is neither proven nor a suspect");
            if ["dense", "sparse", "twice"].contains(&child.as_str()) {
                let certain = format!("SELECT rowid FROM {child} WHERE typeof({column}) IN ('integer', 'null')");
                let certain = rowids(&connection, &certain);
                let wrong = suspects.iter().find(|row| orphans.binary_search(row).is_err() && certain.contains(row));
                assert_eq!(wrong, None, "{child}: a row that is certainly no orphan is proven to be one, or a suspect");
            }
        }
    }
}
