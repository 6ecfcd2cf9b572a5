//! Relations that nobody declared, found in files: complete, and with the counts of a scan.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use fastrand::Rng;
use fk_doctor::internals::discover;
use fk_doctor::internals::discover::DiscoverOptions;
use fk_doctor::internals::discover::pairs::Pruning;
use fk_doctor::internals::discover::tolerance::Tolerance;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engines;
use fk_doctor::internals::model::catalog::Engine;
use fk_doctor::internals::model::discovery::PairCounts;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::source::Source;
use serde_json::Value;

use super::make::Cells;
use super::make::parquet_with;
use crate::common;
use crate::common::Bench;
use parquet::basic::Compression;

/// The types of random columns of Parquet files, each with its declaration.
const DECLARED: [&str; 11] = [
    "int32 {}",
    "int64 {}",
    "int64 {} (INTEGER(64,false))",
    "int64 {} (DECIMAL(12,2))",
    "double {}",
    "byte_array {} (STRING)",
    "byte_array {}",
    "fixed_len_byte_array(16) {} (UUID)",
    "boolean {}",
    "int32 {} (DATE)",
    "int64 {} (TIMESTAMP(MILLIS,true))",
];

/// The kinds of values that random columns of text files have.
const SPELLED: [&str; 6] = ["number", "text", "uuid", "boolean", "date", "timestamp"];

const DAY: i64 = 20_000;

/// Returns the number of each row: unique ones, or random ones; `None` for NULL.
fn numbers(rng: &mut Rng, rows: usize) -> Vec<Option<i64>> {
    if rng.bool() {
        let mut numbers: Vec<i64> = (0..rows as i64 + rng.i64(0..3)).collect();
        rng.shuffle(&mut numbers);
        numbers.truncate(rows);
        return numbers.into_iter().map(Some).collect();
    }
    let most = rng.i64(1..rows as i64 + 2);
    (0..rows).map(|_| (rng.usize(0..10) > 0).then(|| rng.i64(0..most))).collect()
}

fn cells(rng: &mut Rng, declared: &str, numbers: &[Option<i64>]) -> Cells {
    let fraction = rng.bool();
    let map = |f: &dyn Fn(i64) -> i64| Cells::Int64(numbers.iter().map(|number| number.map(f)).collect());
    let narrow = |f: &dyn Fn(i64) -> i32| Cells::Int32(numbers.iter().map(|number| number.map(f)).collect());
    let bytes = |f: &dyn Fn(i64) -> Vec<u8>| numbers.iter().map(|number| number.map(f)).collect();
    let halved = |number: i64| if fraction && number % 7 == 3 { number * 100 + 50 } else { number * 100 };
    match declared {
        "int32 {}" => narrow(&|number| number as i32),
        "int64 {}" => map(&|number| if number == 5 { (1 << 53) + 1 } else { number }),
        "int64 {} (INTEGER(64,false))" => map(&|number| if number == 5 { -1 } else { number }),
        "int64 {} (DECIMAL(12,2))" => map(&halved),
        "double {}" => {
            let real = |number: i64| match number {
                5 => f64::NAN,
                6 => -0.0,
                11 => (1_i64 << 53) as f64,
                number => halved(number) as f64 / 100.0,
            };
            Cells::Double(numbers.iter().map(|number| number.map(real)).collect())
        }
        "byte_array {} (STRING)" => Cells::Bytes(bytes(&|number| text(number).into_bytes())),
        "byte_array {}" => Cells::Bytes(bytes(&|number| text(number).into_bytes())),
        "fixed_len_byte_array(16) {} (UUID)" => Cells::Fixed(bytes(&|number| vec![number as u8; 16])),
        "boolean {}" => Cells::Bool(numbers.iter().map(|number| number.map(|number| number % 2 == 0)).collect()),
        "int32 {} (DATE)" => narrow(&|number| (DAY + number) as i32),
        _ => map(&|number| (DAY + number) * 86_400_000),
    }
}

fn text(number: i64) -> String {
    match number {
        3 => String::new(),
        4 => "true".to_owned(),
        number if number % 3 == 0 => number.to_string(),
        number => format!("k{number}"),
    }
}

/// Spells a value in one of several ways, of which most are equal among values of its kind.
fn spelled(rng: &mut Rng, kind: &str, number: i64) -> String {
    let kind = if rng.usize(0..40) == 0 { SPELLED[rng.usize(0..SPELLED.len())] } else { kind };
    let ways = |rng: &mut Rng, ways: &[String]| ways[rng.usize(0..ways.len())].clone();
    let day = || format!("2024-10-{:02}", 4 + number % 28);
    match kind {
        "number" if number % 7 == 3 => ways(rng, &[format!("{number}.5"), format!("{number}.50"), number.to_string()]),
        "number" if rng.usize(0..5) == 0 => {
            ways(rng, &[format!("0{number}"), format!("{number}.0"), format!("+{number}"), format!("{number}e0")])
        }
        "number" if number == 5 => ways(rng, &["nan".to_owned(), "NaN".to_owned(), "9007199254740993".to_owned()]),
        "number" => number.to_string(),
        "uuid" => {
            let uuid =
                format!("{0}-{1}-{1}-{1}-{0}{1}", format!("{number:02x}").repeat(4), format!("{number:02x}").repeat(2));
            ways(rng, &[uuid.clone(), uuid.to_uppercase()])
        }
        "boolean" => {
            ways(rng, &[(number % 2 == 0).to_string(), ["False", "TRUE"][usize::from(number % 2 == 0)].to_owned()])
        }
        "date" => day(),
        "timestamp" => ways(rng, &[day(), format!("{}T00:00", day()), format!("{} 00:00:00.000Z", day())]),
        _ => text(number),
    }
}

fn write_text(bench: &Bench, rng: &mut Rng, name: &str, rows: usize) -> usize {
    let columns: Vec<(&str, Vec<Option<i64>>)> =
        (0..rng.usize(1..4)).map(|_| (SPELLED[rng.usize(0..SPELLED.len())], numbers(rng, rows))).collect();
    let names: Vec<String> = (0..columns.len()).map(|column| format!("c{column}")).collect();
    let mut lines = names.join(",") + "\n";
    for row in 0..rows {
        let fields = columns.iter().map(|(kind, numbers)| match numbers[row] {
            None => String::new(),
            Some(number) => format!("\"{}\"", spelled(rng, kind, number)),
        });
        let fields: Vec<String> = fields.collect();
        lines.push_str(&(fields.join(",") + "\n"));
    }
    bench.write(&format!("lake/{name}.csv"), &lines);
    columns.len()
}

fn write_json(bench: &Bench, rng: &mut Rng, name: &str, rows: usize) -> usize {
    let columns: Vec<(bool, Vec<Option<i64>>)> =
        (0..rng.usize(1..4)).map(|_| (rng.bool(), numbers(rng, rows))).collect();
    let mut lines = String::new();
    for row in 0..rows {
        let members = columns.iter().enumerate().map(|(at, (is_number, numbers))| match (numbers[row], is_number) {
            (None, _) => format!("\"c{at}\": null"),
            (Some(number), true) if number % 7 == 3 => {
                format!(
                    "\"c{at}\": {}",
                    [format!("{number}.5"), format!("{number}.50"), format!("{number}5e-1")][rng.usize(0..3)]
                )
            }
            (Some(number), true) => {
                format!("\"c{at}\": {}", [format!("{number}"), format!("{number}.0")][rng.usize(0..2)])
            }
            (Some(number), false) => format!("\"c{at}\": \"{}\"", text(number)),
        });
        let members: Vec<String> = members.collect();
        lines.push_str(&format!("{{{}}}\n", members.join(", ")));
    }
    bench.write(&format!("lake/{name}.ndjson"), &lines);
    columns.len()
}

fn write_parquet(bench: &Bench, rng: &mut Rng, name: &str, rows: usize) -> usize {
    let columns: Vec<(String, Cells)> = (0..rng.usize(1..4))
        .map(|column| {
            let declared = DECLARED[rng.usize(0..DECLARED.len())];
            let numbers = numbers(rng, rows);
            (declared.replace("{}", &format!("c{column}")), cells(rng, declared, &numbers))
        })
        .collect();
    let columns: Vec<(&str, Cells)> =
        columns.iter().map(|(declared, cells)| (declared.as_str(), cells.clone())).collect();
    parquet_with(&bench.path(&format!("lake/{name}.parquet")), &columns, Compression::SNAPPY, rng.usize(3..40));
    columns.len()
}

/// Makes a lake of three tables. Returns the ids of all ordered pairs of columns, and of some pairs of two columns.
fn random(rng: &mut Rng) -> (Bench, Vec<String>) {
    let bench = Bench::empty();
    std::fs::create_dir(bench.path("lake")).unwrap();
    let mut columns: Vec<(&str, usize)> = Vec::new();
    for name in ["p", "q", "r"] {
        let rows = rng.usize(3..30);
        let width = match rng.usize(0..4) {
            0 => write_json(&bench, rng, name, rows),
            1 => write_text(&bench, rng, name, rows),
            _ => write_parquet(&bench, rng, name, rows),
        };
        columns.extend((0..width).map(|column| (name, column)));
    }
    let mut ids = Vec::new();
    for child in &columns {
        for parent in columns.iter().filter(|parent| *parent != child) {
            ids.push(format!("{}(c{})->{}(c{})", child.0, child.1, parent.0, parent.1));
        }
        let (next, last) = (child.1 + 1, columns.iter().filter(|other| other.0 == child.0).count());
        if next < last {
            let has_two = |parent: &(&str, usize)| parent.1 == 1 && parent.0 != child.0;
            for parent in columns.iter().filter(|parent| has_two(parent)) {
                ids.push(format!("{}(c{},c{next})->{}(c0,c1)", child.0, child.1, parent.0));
            }
        }
    }
    (bench, ids)
}

fn config(ids: &[String]) -> String {
    let relation = |id: &String| {
        let (child, parent) = id.split_once("->").unwrap();
        format!("[[relation]]\nchild = \"{child}\"\nparent = \"{parent}\"\n")
    };
    ids.iter().map(relation).collect()
}

fn json(bench: &Bench, words: &[&str]) -> Value {
    let run = bench.run(&[words, &["--format", "json"]].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

/// Missing keys, each with its number of rows.
type Missing = Vec<(Vec<fk_doctor::internals::model::value::Value>, u64)>;

/// The rows, the rows with NULL, the orphans and the missing keys of a pair.
type Counts = [u64; 4];

const COUNTS: [&str; 4] = ["rows", "null_rows", "orphan_rows", "missing_keys"];

fn counts(entry: &Value) -> Counts {
    COUNTS.map(|name| entry[name].as_u64().unwrap_or_else(|| panic!("{name}: {entry:#}")))
}

/// Returns the counts of a scan of each pair that the law compares, and true if the parent's keys are unique.
fn scanned(report: &Value) -> BTreeMap<String, (Counts, bool)> {
    let repeated: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "parent-key-not-unique")
        .map(|finding| &finding["relation"])
        .collect();
    let relations = report["relations"].as_array().unwrap().iter();
    relations
        .filter(|relation| relation["coverage"] == "checked")
        .map(|relation| {
            let is_unique = !repeated.contains(&&relation["id"]);
            (relation["id"].as_str().unwrap().to_owned(), (counts(relation), is_unique))
        })
        .collect()
}

/// Returns the counts of each candidate without a condition, with its distinct keys.
fn candidates(report: &Value) -> BTreeMap<String, (Counts, u64)> {
    let candidates = report["candidates"].as_array().unwrap().iter();
    candidates
        .filter(|candidate| candidate["where"].is_null())
        .map(|candidate| {
            let distinct = candidate["distinct"].as_u64().unwrap();
            (candidate["id"].as_str().unwrap().to_owned(), (counts(candidate), distinct))
        })
        .collect()
}

/// Returns the columns without a repeated value: `q(c0)`.
fn unique(report: &Value) -> BTreeSet<String> {
    let keys = report["keys"].as_array().unwrap().iter().filter(|key| key["repeated_rows"] == 0 && key["arity"] == 1);
    let column = |key: &Value| format!("{}({})", key["table"].as_str().unwrap(), key["columns"][0].as_str().unwrap());
    keys.map(column).collect()
}

/// True if a pair is within the tolerance whatever its names are.
fn is_within(([rows, nulls, orphans, missing], distinct): (Counts, u64)) -> bool {
    let complete = rows - nulls;
    missing < distinct && (missing <= (distinct / 10).max(2) || orphans <= complete * 12 / 100)
}

fn check(seed: u64) -> usize {
    let mut rng = Rng::with_seed(seed);
    let (bench, ids) = random(&mut rng);
    let report = json(&bench, &["discover", "lake"]);
    let (found, unique) = (candidates(&report), unique(&report));
    bench.write("lake/fk-doctor.toml", &config(&ids));
    let expected = scanned(&json(&bench, &["scan", "lake"]));
    // Every pair is known now, so that the discovery counts all of them, also those that no proof leaves.
    let known = candidates(&json(&bench, &["discover", "lake"]));
    for (id, (counts, is_unique)) in &expected {
        let (of_discovery, distinct) = known.get(id).unwrap_or_else(|| panic!("seed {seed}: {id} is absent"));
        assert_eq!(of_discovery, counts, "seed {seed}: {id}");
        let is_single = !id.contains(',');
        // A parent may repeat a value to which no value of the child can be equal.
        let is_key = *is_unique && unique.contains(id.split_once("->").unwrap().1);
        if is_single && is_key && is_within((*counts, *distinct)) {
            assert_eq!(found.get(id), Some(&(*counts, *distinct)), "seed {seed}: {id} is no candidate");
        }
    }
    for (id, (of_candidate, distinct)) in &found {
        if let Some((counts, is_unique)) = expected.get(id) {
            // A column with the same name is a parent although one of its keys is repeated.
            let (child, parent) = id.split_once("->").unwrap();
            assert!(*is_unique || child[1..] == parent[1..], "seed {seed}: {id}");
            assert_eq!(of_candidate, counts, "seed {seed}: {id}");
            // Names that speak clearly for a pair let half of the keys be missing.
            let [rows, nulls, orphans, missing] = *counts;
            let is_half = missing * 2 <= *distinct || orphans * 2 <= rows - nulls;
            assert!(is_half || is_within((*counts, *distinct)), "seed {seed}: {id}");
        } else {
            assert!(id.contains(','), "seed {seed}: {id} is not compared by a scan");
        }
    }
    found.len()
}

/// Returns the pairs of single columns, with their counts and the first missing keys.
fn pairs_here(folder: &Path, pruning: Pruning, memory: u64, threads: usize) -> BTreeMap<String, (PairCounts, Missing)> {
    let source = Source::Folder { engine: Engine::Files, path: folder.to_owned(), tables: Vec::new() };
    let limits = WaitLimits { lock_wait: std::time::Duration::ZERO, deadline: Deadline::default() };
    let mut database = engines::open(&source, &limits).unwrap();
    let schema = resolve::resolve(database.catalog().unwrap(), &[]).unwrap_or_else(|_| panic!("no schema"));
    let options = DiscoverOptions {
        tolerance: Tolerance::default(),
        pruning,
        max_arity: 2,
        memory,
        threads,
        samples: 3,
        seed: (memory, 7),
        is_wanted: &|_| true,
        has_strong_name: &|_, _| false,
        deadline: Deadline::default(),
        progress: &|_| {},
    };
    let facts = discover::facts(&schema, database.session().unwrap().as_mut(), &options).unwrap();
    let single = facts.pairs.into_iter().filter(|pair| pair.child.columns.len() == 1);
    single.map(|pair| (schema.pair_id(&pair.child, &pair.parent), (pair.counts, pair.missing))).collect()
}

#[test]
fn pairs_in_files_do_not_depend_on_memory_proofs_or_threads() {
    let mut with_orphans = 0;
    for seed in 0..150 {
        let (bench, _) = random(&mut Rng::with_seed(seed));
        let folder = bench.path("lake");
        let whole = pairs_here(&folder, Pruning::ALL, 1 << 30, 1);
        assert_eq!(pairs_here(&folder, Pruning::NONE, 1 << 30, 2), whole, "seed {seed}: without proofs");
        let mut parts = pairs_here(&folder, Pruning::ALL, 400, 1);
        // Of pairs that are counted apart, no missing key is listed.
        for (id, (_, missing)) in &mut parts {
            if missing.is_empty() {
                missing.clone_from(&whole.get(id).unwrap_or_else(|| panic!("seed {seed}: {id}")).1);
            }
        }
        assert_eq!(parts, whole, "seed {seed}: with little memory");
        with_orphans += whole.values().filter(|(counts, _)| counts.orphan_rows > 0).count();
    }
    assert!(with_orphans > 100, "{with_orphans}");
}

#[test]
fn candidates_in_files_are_complete_and_have_the_counts_of_a_scan() {
    let number = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let first = std::env::var("FK_DOCTOR_FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let found: usize = (first..first + number).map(check).sum();
    assert!(found as u64 > number, "{found} candidates");
}

/// Writes the same rows into tables of the database and files of a format. The columns are integers or texts, in turns.
fn write_both(bench: &Bench, rng: &mut Rng, format: &str) -> String {
    let mut sql = String::new();
    for name in ["p", "q", "r"] {
        let rows = rng.usize(3..60);
        let columns: Vec<Vec<Option<i64>>> = (0..4).map(|_| numbers(rng, rows)).collect();
        sql.push_str(&format!("CREATE TABLE {name}(c0 INTEGER, c1 TEXT, c2 INTEGER, c3 TEXT);"));
        let (mut csv, mut json) = ("c0,c1,c2,c3\n".to_owned(), String::new());
        for row in 0..rows {
            let texts: Vec<Option<String>> = columns
                .iter()
                .enumerate()
                .map(|(at, numbers)| {
                    numbers[row].map(|number| if at % 2 == 0 { number.to_string() } else { format!("k{number}") })
                })
                .collect();
            let quoted = |quote: &str, null: &str| -> String {
                let value = |(at, text): (usize, &Option<String>)| match text {
                    None => null.to_owned(),
                    Some(text) if at % 2 == 0 => text.clone(),
                    Some(text) => format!("{quote}{text}{quote}"),
                };
                texts.iter().enumerate().map(value).collect::<Vec<_>>().join(",")
            };
            sql.push_str(&format!("INSERT INTO {name} VALUES ({});", quoted("'", "NULL")));
            csv.push_str(&(quoted("", "") + "\n"));
            let members = quoted("\"", "null");
            let members: Vec<String> =
                members.split(',').enumerate().map(|(at, value)| format!("\"c{at}\": {value}")).collect();
            json.push_str(&format!("{{{}}}\n", members.join(", ")));
        }
        let cells: Vec<(String, Cells)> = columns
            .iter()
            .enumerate()
            .map(|(at, numbers)| match at % 2 {
                0 => (format!("int64 c{at}"), Cells::Int64(numbers.clone())),
                _ => {
                    let texts = numbers.iter().map(|number| number.map(|number| format!("k{number}").into_bytes()));
                    (format!("byte_array c{at} (STRING)"), Cells::Bytes(texts.collect()))
                }
            })
            .collect();
        let cells: Vec<(&str, Cells)> = cells.iter().map(|(name, cells)| (name.as_str(), cells.clone())).collect();
        match format {
            "csv" => bench.write(&format!("lake/{name}.csv"), &csv),
            "json" => bench.write(&format!("lake/{name}.ndjson"), &json),
            _ => parquet_with(&bench.path(&format!("lake/{name}.parquet")), &cells, Compression::SNAPPY, 20),
        }
    }
    sql
}

#[test]
fn files_and_sqlite_have_the_same_candidates() {
    let mut number = 0;
    for seed in 0..18 {
        let format = ["parquet", "json", "csv"][seed as usize % 3];
        let mut rng = Rng::with_seed(seed);
        let bench = Bench::empty();
        std::fs::create_dir(bench.path("lake")).unwrap();
        let sql = write_both(&bench, &mut rng, format);
        rusqlite::Connection::open(bench.path("app.db")).unwrap().execute_batch(&sql).unwrap();
        let (of_files, of_sqlite) = (json(&bench, &["discover", "lake"]), json(&bench, &["discover", "app.db"]));
        assert_eq!(candidates(&of_files), candidates(&of_sqlite), "seed {seed}, {format}");
        let keys = |report: &Value| report["keys"].clone();
        assert_eq!(keys(&of_files), keys(&of_sqlite), "seed {seed}, {format}");
        number += candidates(&of_files).len();
    }
    assert!(number > 100, "{number}");
}

/// Makes a lake in which the names and the rows speak for one relation, which has an orphan.
fn shop() -> Bench {
    let bench = Bench::empty();
    std::fs::create_dir(bench.path("lake")).unwrap();
    let customers: String = (1..=40).map(|id| format!("{id},Name {id}\n")).collect();
    bench.write("lake/customers.csv", &format!("id,name\n{customers}"));
    let customer = |id: i64| if id == 90 { 77 } else { 1 + id * 7 % 40 };
    let customers = (1..=90).map(|id| Some(customer(id))).collect();
    let ids: Vec<i64> = (1001..=1090).collect();
    let columns = [("int64 id", Cells::integers(&ids)), ("int64 customer_id", Cells::Int64(customers))];
    parquet_with(&bench.path("lake/orders.parquet"), &columns, Compression::SNAPPY, 50);
    bench
}

const RELATION: &str = "orders(customer_id)->customers(id)";

#[test]
fn accepted_relation_is_scanned_with_the_counts_of_the_discovery() {
    let bench = shop();
    let report = json(&bench, &["discover", "lake", "--tier", "certain"]);
    common::assert_obeys("discover", &report);
    let found = candidates(&report);
    assert_eq!(found[RELATION], ([90, 0, 1, 1], 41));
    let accepted = bench.run(&["discover", "lake", "--accept", "certain", "--config", "lake/fk-doctor.toml"]);
    assert_eq!((accepted.code, accepted.stdout.as_str()), (0, ""), "{}", accepted.stderr);
    assert!(accepted.stderr.contains("wrote lake/fk-doctor.toml: 1 relation added"), "{}", accepted.stderr);
    let report = json(&bench, &["scan", "lake"]);
    assert_eq!(scanned(&report)[RELATION], ([90, 0, 1, 1], true));
    let again = json(&bench, &["discover", "lake"]);
    let candidate = &again["candidates"].as_array().unwrap().iter().find(|candidate| candidate["id"] == RELATION);
    assert_eq!(candidate.unwrap()["tier"], "declared");
}

#[test]
fn other_commands_use_the_discovery_of_a_folder() {
    let bench = shop();
    let scan = json(&bench, &["scan", "lake", "--discover"]);
    assert_eq!(scan["findings"][0]["code"], "orphan-discovered", "{scan:#}");
    assert_eq!(scanned(&scan)[RELATION], ([90, 0, 1, 1], true));
    let schema = bench.run(&["schema", "lake", "--discover", "--format", "mermaid"]);
    assert!(schema.code == 0 && schema.stdout.contains("customer_id"), "{}{}", schema.stdout, schema.stderr);
    let draft = bench.run(&["init", "lake"]);
    assert_eq!(draft.code, 0, "{}", draft.stderr);
    let text = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert!(text.contains("#child = \"orders(customer_id)\"\n#parent = \"customers(id)\"\n"), "{text}");
}

#[test]
fn next_command_of_a_discovery_writes_into_the_folder() {
    let bench = shop();
    let found = bench.run(&["discover", "lake"]);
    let next = "next: fk-doctor discover lake --accept certain >> lake/fk-doctor.toml\n";
    assert!(found.stdout.contains(next), "{}", found.stdout);
    let bare = bench.run(&["scan", "lake"]);
    assert_eq!(bare.code, 2);
    assert!(bare.stderr.contains("list the likely ones with `fk-doctor discover lake`"), "{}", bare.stderr);
    std::fs::remove_file(bench.path("lake/customers.csv")).unwrap();
    let searched = bench.run(&["scan", "lake", "--discover"]);
    assert_eq!(searched.code, 2);
    assert!(searched.stderr.contains("and the discovery found none that is certain"), "{}", searched.stderr);
}

#[test]
fn table_that_cannot_be_read_is_named_and_the_run_is_incomplete() {
    let bench = shop();
    bench.write("lake/broken.csv", "id,customer_id\n1\n");
    std::fs::create_dir(bench.path("lake/empty")).unwrap();
    bench.write("lake/empty/_SUCCESS", "");
    bench.write("tables.toml", "[tables]\norders = \"orders.parquet\"\ncustomers = \"customers.csv\"\nbroken = \"broken.csv\"\nempty = \"empty/\"\n");
    let report = json(&bench, &["discover", "lake", "--config", "tables.toml"]);
    let not_read: BTreeMap<&str, &str> = report["not_looked_at"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| (part["subject"].as_str().unwrap(), part["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(not_read["broken"], "broken.csv: line 2 has 1 fields, and the header has 2");
    assert!(not_read["empty"].contains("no"), "{not_read:?}");
    assert!(candidates(&report).contains_key(RELATION));
    for command in [&["discover"][..], &["scan", "--discover"], &["schema", "--discover"]] {
        let outcome = bench.run(&[command, &["lake", "--config", "tables.toml"]].concat());
        assert_eq!(outcome.code, 4, "{command:?}: {}", outcome.stderr);
    }
}

#[test]
fn parent_whose_texts_are_equal_numbers_is_no_key_of_integers() {
    for (last, is_candidate) in [("007", false), ("9", true)] {
        let bench = Bench::empty();
        std::fs::create_dir(bench.path("lake")).unwrap();
        bench.write("lake/parent.csv", &format!("id\n7\n8\n{last}\n"));
        let child = [("int64 r", Cells::integers(&[7, 8, 8]))];
        parquet_with(&bench.path("lake/child.parquet"), &child, Compression::SNAPPY, 10);
        let found = candidates(&json(&bench, &["discover", "lake"]));
        assert_eq!(found.contains_key("child(r)->parent(id)"), is_candidate, "{last}: {found:?}");
    }
}

#[test]
fn names_of_folders_are_columns_that_a_discovery_compares() {
    let bench = Bench::empty();
    let days = [("int32 day (DATE)", Cells::Int32(vec![Some(20_454), Some(20_455), Some(20_456)]))];
    parquet_with(&bench.path("lake/days.parquet"), &days, Compression::SNAPPY, 10);
    for day in ["2026-01-01", "2026-01-02", "2026-02-09"] {
        let path = bench.path(&format!("lake/events/day={day}/part.parquet"));
        parquet_with(&path, &[("int64 id", Cells::integers(&[1, 2]))], Compression::SNAPPY, 10);
    }
    let found = candidates(&json(&bench, &["discover", "lake"]));
    assert_eq!(found["events(day)->days(day)"], ([6, 0, 2, 1], 3));
}

#[test]
fn file_that_changes_while_it_is_read_makes_the_discovery_incomplete() {
    let bench = shop();
    bench.write("lake/log.csv", &format!("line\n{}", "some text\n".repeat(20_000)));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let path = bench.path("lake/log.csv");
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(b"more\n").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let outcome = bench.run(&["discover", "lake"]);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        outcome
    });
    assert_eq!(outcome.code, 4, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("log.csv changed while it was read"), "{}", outcome.stdout);
}
