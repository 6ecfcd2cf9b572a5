//! Cases in which a discovery is easily wrong. Each `tests/data/discover/NAME.sql` is a database, and `NAME.json` what `discover`
//! says about it. `BLESS=1` rewrites the expected files; review the difference.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::fmt::Write;
use std::path::Path;

use common::Bench;
use serde_json::Value;
use serde_json::json;

/// What a person reads in a report, without scores, which change with the weights.
fn verdicts(report: &Value) -> String {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let counts = |pair: &Value| {
        let names = ["rows", "null_rows", "orphan_rows", "distinct", "missing_keys"];
        Value::Array(names.iter().map(|name| pair[*name].clone()).collect())
    };
    let gates = |pair: &Value| {
        let features =
            pair["evidence"].as_array().unwrap().iter().map(|evidence| evidence["feature"].as_str().unwrap());
        features
            .filter(|feature| feature.starts_with("gate:") || feature.ends_with("-without-rows"))
            .map(Value::from)
            .collect::<Vec<_>>()
    };
    let mut text = "{".to_owned();
    let mut add = |name: &str, entries: Vec<Value>| {
        let comma = if text.len() > 1 { "," } else { "" };
        let lines: Vec<String> = entries.iter().map(|entry| format!("\n  {entry}")).collect();
        write!(text, "{comma}\n\"{name}\": [{}]", lines.join(",")).unwrap();
    };
    let candidates = list("candidates")
        .into_iter()
        .map(|pair| json!([pair["tier"], pair["id"], counts(&pair), pair["reason"], gates(&pair)]));
    add("candidates", candidates.collect());
    add("near", list("near").iter().map(|near| json!([near["form"], near["id"], counts(near)])).collect());
    let side = |side: &Value| format!("{}({})", side["table"].as_str().unwrap(), side["columns"]);
    let missing = list("parents_missing");
    add("parents_missing", missing.iter().map(|about| json!([about["expected"], side(&about["child"])])).collect());
    let repeated = list("keys").into_iter().filter(|key| key["repeated_rows"] != 0);
    add("repeated_keys", repeated.map(|key| json!([key["table"], key["columns"], key["repeated_rows"]])).collect());
    add("not_looked_at", list("not_looked_at").iter().map(|part| part["subject"].clone()).collect());
    text.push_str("\n}\n");
    text
}

#[test]
fn discoveries_that_are_easily_wrong_are_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/discover");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "sql"));
    names.sort();
    assert!(names.len() > 15, "{names:?}");
    let mut wrong = String::new();
    for path in names {
        let bench = Bench::new(&std::fs::read_to_string(&path).unwrap());
        let run = bench.run(&["discover", "app.db", "--format", "json", "--tier", "rejected"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", path.display());
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        common::assert_obeys("discover", &report);
        let (found, file) = (verdicts(&report), path.with_extension("json"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            write!(wrong, "{}: found\n{found}expected\n{expected}", file.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Every table has the same notes, so that each of these columns is among all others. Such pairs are left out and counted, and the
/// references that have a name are found.
#[test]
fn very_many_equal_columns_are_counted_and_named_references_found() {
    const TABLES: usize = 720;
    let bench = Bench::new("");
    let mut sql = "BEGIN;".to_owned();
    for number in 0..TABLES {
        let next = (number * 7 + 1) % TABLES;
        writeln!(sql, "CREATE TABLE t{number}(id INTEGER PRIMARY KEY, t{next}_id INTEGER, text_{number} TEXT);")
            .unwrap();
        let row = |row: usize| format!("({}, {}, 'note {row}')", number * 5 + row, next * 5 + (row * 3) % 5);
        let rows: Vec<String> = (0..5).map(row).collect();
        writeln!(sql, "INSERT INTO t{number} VALUES {};", rows.join(", ")).unwrap();
    }
    bench.execute(&(sql + "COMMIT;"));
    let report: Value = serde_json::from_str(&bench.run(&["discover", "app.db", "--format", "json"]).stdout).unwrap();
    let certain = report["candidates"].as_array().unwrap().iter().filter(|pair| pair["tier"] == "certain");
    let id = |number: usize| format!("t{number}(t{next}_id)->t{next}(id)", next = (number * 7 + 1) % TABLES);
    let found: Vec<&str> = certain.map(|pair| pair["id"].as_str().unwrap()).collect();
    let missing = (0..TABLES).map(id).filter(|id| !found.contains(&id.as_str())).count();
    assert_eq!((missing, found.len()), (0, TABLES));
    let left_out = report["not_looked_at"].as_array().unwrap();
    assert_eq!(left_out.len(), TABLES, "{left_out:?}");
    assert!(left_out.iter().all(|part| part["number"] == TABLES - 1 && part["failed"] == false), "{left_out:?}");
}

/// A reference of these names is accepted, and the next scan reads it back from the configuration.
#[test]
fn accepted_reference_with_odd_names_is_scanned() {
    let sql = std::fs::read_to_string("tests/data/discover/15-odd-names.sql").unwrap();
    let bench = Bench::new(&sql);
    let accepted = bench.run(&["discover", "app.db", "--accept", "likely", "--config", "fk-doctor.toml"]);
    assert_eq!(accepted.code, 0, "{}{}", accepted.stdout, accepted.stderr);
    let id = "orders?\nof today(customer\"id)->the \"big\" [*] customers(customer\"id)";
    let (code, scanned) = bench.scan();
    let findings = scanned["findings"].as_array().unwrap();
    let found: Vec<(&Value, &Value)> = findings.iter().map(|one| (&one["relation"], &one["rows"])).collect();
    assert_eq!((code, found), (1, vec![(&id.into(), &1.into())]));
    let declared = |report: &Value| report["summary"]["declared"].as_u64();
    let again = serde_json::from_str(&bench.run(&["discover", "app.db", "--format", "json"]).stdout).unwrap();
    assert_eq!(declared(&again), Some(2));
}

/// Only the engine compares real numbers with texts of digits. Comparing each with each would take minutes.
#[test]
fn real_numbers_that_refer_to_texts_are_counted_at_once() {
    let bench = Bench::new(
        "CREATE TABLE selected(code TEXT); CREATE TABLE orphan(code REAL);
         WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30000) INSERT INTO selected SELECT n || '.5' FROM n;
         INSERT INTO orphan SELECT CAST(code AS REAL) + (rowid % 10000 = 0) / 4.0 FROM selected;",
    );
    let run = bench.run(&["discover", "app.db", "--format", "json", "--tier", "rejected", "--timeout", "60s"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let pair =
        report["candidates"].as_array().unwrap().iter().find(|pair| pair["id"] == "orphan(code)->selected(code)");
    let count = |name: &str| pair.map_or(0, |pair| pair[name].as_u64().unwrap());
    let counts = ["rows", "orphan_rows", "distinct", "missing_keys"].map(count);
    assert_eq!((run.code, counts), (0, [30_000, 3, 30_000, 3]), "{report}");
}

/// SQLite has no wider tables than this one.
#[test]
fn reference_in_a_table_of_two_thousand_columns_is_found() {
    let columns: Vec<String> = (0..1998).map(|number| format!("c{number} INTEGER")).collect();
    let row = |row: i64| {
        let values: Vec<String> = (0..1998).map(|column| ((row >> (column % 6)) & 1).to_string()).collect();
        format!("({row}, {}, {})", 1001 + row * 7 % 30, values.join(", "))
    };
    let customers: Vec<String> = (1001..=1030).map(|id| format!("({id})")).collect();
    let bench = Bench::new(&format!(
        "CREATE TABLE customers(id INTEGER PRIMARY KEY); INSERT INTO customers VALUES {};
         CREATE TABLE wide(id INTEGER PRIMARY KEY, customer_id INTEGER, {}); INSERT INTO wide VALUES {};",
        customers.join(", "),
        columns.join(", "),
        (0..60).map(row).collect::<Vec<_>>().join(", ")
    ));
    let report: Value = serde_json::from_str(&bench.run(&["discover", "app.db", "--format", "json"]).stdout).unwrap();
    let certain: Vec<(&Value, &Value)> = report["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pair| pair["tier"] == "certain")
        .map(|pair| (&pair["id"], &pair["rows"]))
        .collect();
    assert_eq!(certain, [(&"wide(customer_id)->customers(id)".into(), &60.into())]);
}

#[test]
fn reference_among_five_thousand_tables_is_found() {
    const TABLES: usize = 5_000;
    let bench = Bench::new("");
    let mut sql = "BEGIN;".to_owned();
    for number in 0..TABLES {
        writeln!(sql, "CREATE TABLE notes_{number}(note TEXT);").unwrap();
        if number % 25 == 0 {
            writeln!(sql, "INSERT INTO notes_{number} VALUES ('n{number}');").unwrap();
        }
    }
    sql.push_str(
        "CREATE TABLE zones(id INTEGER PRIMARY KEY); CREATE TABLE areas(id INTEGER PRIMARY KEY, zone_id INTEGER);",
    );
    for number in 1..=20 {
        writeln!(sql, "INSERT INTO zones VALUES ({0}); INSERT INTO areas VALUES ({0} * 100, {0});", number).unwrap();
    }
    bench.execute(&(sql + "COMMIT;"));
    let report: Value = serde_json::from_str(&bench.run(&["discover", "app.db", "--format", "json"]).stdout).unwrap();
    assert_eq!((&report["summary"]["tables"], &report["summary"]["complete"]), (&(TABLES + 2).into(), &true.into()));
    let certain = report["candidates"].as_array().unwrap().iter().filter(|pair| pair["tier"] == "certain");
    let certain: Vec<&str> = certain.map(|pair| pair["id"].as_str().unwrap()).collect();
    assert_eq!(certain, ["areas(zone_id)->zones(id)"]);
}
