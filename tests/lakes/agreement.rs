//! Files and SQLite give the same report about the same rows, but for names.

use fastrand::Rng;

use super::make::Cells;
use super::make::parquet_with;
use super::make::scan;
use crate::common::Bench;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;

/// A column of random values.
struct Column {
    name: String,
    is_text: bool,
    values: Vec<Option<i64>>,
}

fn columns(rng: &mut Rng, rows: usize) -> Vec<Column> {
    let count = rng.usize(1..4);
    let column = |number: usize| {
        let (most, is_text) = (rng.i64(2..40), rng.bool());
        let values = (0..rows).map(|_| (rng.usize(0..12) > 0).then(|| rng.i64(0..most))).collect();
        Column { name: format!("c{number}"), is_text, values }
    };
    (0..count).map(column).collect()
}

fn text(number: i64) -> String {
    format!("k{number}")
}

fn sql(name: &str, columns: &[Column]) -> String {
    let declared: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {}", column.name, if column.is_text { "TEXT" } else { "INTEGER" }))
        .collect();
    let mut sql = format!("CREATE TABLE {name}({});", declared.join(", "));
    for row in 0..columns[0].values.len() {
        let values: Vec<String> = columns
            .iter()
            .map(|column| match column.values[row] {
                None => "NULL".to_owned(),
                Some(number) if column.is_text => format!("'{}'", text(number)),
                Some(number) => number.to_string(),
            })
            .collect();
        sql.push_str(&format!("INSERT INTO {name} VALUES ({});", values.join(", ")));
    }
    sql
}

fn write_csv(bench: &Bench, name: &str, columns: &[Column]) {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut lines = names.join(",") + "\n";
    for row in 0..columns[0].values.len() {
        let field = |column: &Column| match column.values[row] {
            None => String::new(),
            Some(number) if column.is_text => text(number),
            Some(number) => number.to_string(),
        };
        let fields: Vec<String> = columns.iter().map(field).collect();
        lines.push_str(&(fields.join(",") + "\n"));
    }
    bench.write(&format!("lake/{name}.csv"), &lines);
}

fn write_json(bench: &Bench, rng: &mut Rng, name: &str, columns: &[Column]) {
    let mut lines = String::new();
    for row in 0..columns[0].values.len() {
        let member = |column: &Column| {
            let value = match column.values[row] {
                // A member that is absent in all lines would be no column.
                None if row > 0 && rng.bool() => return None,
                None => "null".to_owned(),
                Some(number) if column.is_text => format!("\"{}\"", text(number)),
                Some(number) if rng.bool() => number.to_string(),
                Some(number) => format!("{number}.0"),
            };
            Some(format!("\"{}\": {value}", column.name))
        };
        let members: Vec<String> = columns.iter().filter_map(member).collect();
        lines.push_str(&format!("{{{}}}\n", members.join(", ")));
    }
    bench.write(&format!("lake/{name}.ndjson"), &lines);
}

fn write_parquet(bench: &Bench, rng: &mut Rng, name: &str, columns: &[Column]) {
    let cells: Vec<(String, Cells)> = columns
        .iter()
        .map(|column| match column.is_text {
            true => {
                let texts = column.values.iter().map(|value| value.map(|number| text(number).into_bytes()));
                (format!("byte_array {} (STRING)", column.name), Cells::Bytes(texts.collect()))
            }
            false => (format!("int64 {}", column.name), Cells::Int64(column.values.clone())),
        })
        .collect();
    let cells: Vec<(&str, Cells)> = cells.iter().map(|(declared, cells)| (declared.as_str(), cells.clone())).collect();
    let codec = match rng.usize(0..4) {
        0 => Compression::UNCOMPRESSED,
        1 => Compression::SNAPPY,
        2 => Compression::ZSTD(ZstdLevel::default()),
        _ => Compression::LZ4_RAW,
    };
    parquet_with(&bench.path(&format!("lake/{name}.parquet")), &cells, codec, rng.usize(5..60));
}

/// Returns what both reports must agree on. Untyped text has no types, so its keys are shown in another form.
fn essence(report: &serde_json::Value, has_types: bool) -> serde_json::Value {
    let relations = report["relations"].as_array().unwrap().iter().map(|relation| {
        let mut relation = relation.clone();
        let facts = relation.as_object_mut().unwrap();
        ["method", "method_reason"].into_iter().for_each(|name| {
            facts.remove(name);
        });
        relation
    });
    let findings = report["findings"].as_array().unwrap().iter();
    let orphans = findings.filter(|finding| finding["code"] == "orphan" && has_types);
    let findings = orphans.map(|finding| {
        let missing = finding["top_missing"].as_array().unwrap().iter();
        let missing: Vec<_> = missing.map(|missing| (missing["key"].clone(), missing["rows"].clone())).collect();
        serde_json::json!([
            finding["relation"],
            finding["rows"],
            finding["missing_keys"],
            missing,
            finding["diagnosis"]
        ])
    });
    serde_json::json!([relations.collect::<Vec<_>>(), findings.collect::<Vec<_>>()])
}

/// The names of the tables of a random lake.
pub(super) const NAMES: [&str; 3] = ["p", "q", "c"];

/// Returns a database of SQLite, the same rows as files of a format in the folder `lake`, and the relations between its tables.
pub(super) fn random(seed: u64, format: &str) -> (Bench, String) {
    let mut rng = Rng::with_seed(seed);
    let tables: Vec<Vec<Column>> = NAMES
        .iter()
        .map(|_| {
            let rows = rng.usize(1..150);
            columns(&mut rng, rows)
        })
        .collect();
    let mut config = String::new();
    for (child, columns) in NAMES.iter().zip(&tables) {
        for (parent, others) in NAMES.iter().zip(&tables) {
            let width = columns.len().min(others.len()).min(rng.usize(1..3));
            let pairs: Vec<(usize, usize)> = (0..width).map(|at| (at, at)).collect();
            if pairs.iter().any(|&(left, right)| columns[left].is_text != others[right].is_text) {
                continue;
            }
            let side = |name: &str| {
                format!("{name}({})", pairs.iter().map(|(at, _)| format!("c{at}")).collect::<Vec<_>>().join(", "))
            };
            config.push_str(&format!("[[relation]]\nchild = \"{}\"\nparent = \"{}\"\n", side(child), side(parent)));
            match rng.usize(0..4) {
                0 => config.push_str("where = \"child.c0 IS NOT NULL AND length(child.c0) < 3\"\n"),
                1 => config.push_str("soft-deleted = \"length(parent.c0) = 2\"\n"),
                2 if width == 1 => config.push_str(if columns[0].is_text {
                    "ignore-values = [\"k3\"]\n"
                } else {
                    "ignore-values = [3]\n"
                }),
                _ => {}
            }
        }
    }
    let sql: String = NAMES.iter().zip(&tables).map(|(name, columns)| sql(name, columns)).collect();
    let bench = Bench::new(&sql);
    std::fs::create_dir(bench.path("lake")).unwrap();
    for (name, columns) in NAMES.iter().zip(&tables) {
        match format {
            "parquet" => write_parquet(&bench, &mut rng, name, columns),
            "json" => write_json(&bench, &mut rng, name, columns),
            _ => write_csv(&bench, name, columns),
        }
    }
    (bench, config)
}

#[test]
fn files_and_sqlite_agree_about_the_same_rows() {
    let mut with_orphans = 0;
    for seed in 0..30 {
        let format = ["parquet", "json", "csv"][seed as usize % 3];
        let (bench, config) = random(seed, format);
        bench.write("fk-doctor.toml", &config);
        let (code, of_files) = scan(&bench, &[]);
        let (_, of_sqlite) = bench.scan();
        let (files, sqlite) = (essence(&of_files, format != "csv"), essence(&of_sqlite, format != "csv"));
        assert_eq!(files, sqlite, "seed {seed}, {format}\n{config}");
        with_orphans += usize::from(code == 1);
    }
    assert!(with_orphans > 15, "{with_orphans}");
}
