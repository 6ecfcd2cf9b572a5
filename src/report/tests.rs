//! Properties of every format, on every sample.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::*;
use crate::model::catalog::Action;
use crate::model::catalog::Match;
use crate::model::examination::CoverageState;
use crate::model::examination::Method;
use crate::model::examination::ScanVerdict;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Severity;
use crate::model::redaction::Values;
use crate::model::relation::Origin;
use crate::model::value::Value;
use crate::report::health::Health;

const SCAN_SCHEMA: &str = include_str!("../../schemas/scan.schema.json");
const SCHEMA_SCHEMA: &str = include_str!("../../schemas/schema.schema.json");
const PLAIN: TerminalStyle = TerminalStyle::plain(80);

fn samples() -> [Examination; 5] {
    [sample::clean(), sample::no_relations(), sample::sick(), sample::incomplete(), sample::hostile()]
}

/// Returns every report of every sample.
fn reports(terminal: &TerminalStyle) -> Vec<String> {
    let mut reports = Vec::new();
    for examination in samples() {
        reports.extend(ScanFormat::ALL.iter().map(|&format| scan(&examination, format, terminal)));
        reports.extend(
            SchemaFormat::ALL
                .iter()
                .map(|&format| schema(&examination.schema, format, "fk-doctor scan app.db", terminal)),
        );
    }
    reports
}

fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn assert_valid(json_schema: &str, report: &str) {
    let validator = jsonschema::draft202012::new(&parsed(json_schema)).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(&parsed(report)).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{report}");
}

fn enumerated(json_schema: &str, pointer: &str) -> Vec<String> {
    let schema = parsed(json_schema);
    let names = schema.pointer(pointer).and_then(|names| names.as_array()).unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_string()).collect()
}

#[test]
fn report_contains_no_character_that_a_terminal_obeys() {
    for report in reports(&PLAIN) {
        sample::assert_harmless(&report);
    }
}

#[test]
fn color_adds_escapes_and_changes_no_word() {
    let colored = reports(&TerminalStyle { color: true, ..PLAIN });
    assert!(colored[0].contains("\u{1b}[1;32m"), "{:?}", colored[0]);
    for (colored, plain) in colored.iter().zip(reports(&PLAIN)) {
        let mut parts = colored.split("\u{1b}[");
        let mut stripped = parts.next().unwrap().to_string();
        for part in parts {
            let (code, text) = part.split_once('m').unwrap();
            assert!(code.chars().all(|letter| letter.is_ascii_digit() || letter == ';'), "{part:?}");
            stripped.push_str(text);
        }
        let trimmed: String = stripped.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        assert_eq!(trimmed, plain);
    }
}

#[test]
fn terminal_line_fits_the_width() {
    // A name and a command are never broken, so that they run over on a terminal that is narrower.
    for examination in samples().into_iter().take(4) {
        let defects = || examination.schema.relations.iter().flat_map(|relation| &relation.defects);
        let is_command =
            |line: &&str| line.starts_with("next: ") || defects().any(|defect| line.trim_start() == defect.help);
        for width in [40, 60, 80, 120] {
            let terminal = TerminalStyle::plain(width);
            let table = scan(&examination, ScanFormat::Table, &terminal);
            let overview = schema(&examination.schema, SchemaFormat::Table, "fk-doctor scan app.db", &terminal);
            for line in table.lines().chain(overview.lines()).filter(|line| !is_command(line)) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn report_ends_in_one_newline() {
    for report in reports(&TerminalStyle::default()) {
        assert!(report.ends_with('\n') && !report.ends_with("\n\n"), "{report:?}");
    }
}

#[test]
fn json_report_obeys_its_schema() {
    for examination in samples() {
        assert_valid(SCAN_SCHEMA, &scan(&examination, ScanFormat::Json, &PLAIN));
        assert_valid(SCHEMA_SCHEMA, &schema(&examination.schema, SchemaFormat::Json, "fk-doctor scan app.db", &PLAIN));
    }
}

#[test]
fn json_schema_refuses_unknown_field() {
    let mut report = parsed(&scan(&sample::sick(), ScanFormat::Json, &PLAIN));
    report["findings"][0]["surprise"] = true.into();
    let validator = jsonschema::draft202012::new(&parsed(SCAN_SCHEMA)).unwrap();
    assert!(!validator.is_valid(&report));
}

#[test]
fn json_schemas_list_every_code_cause_and_health() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(enumerated(SCAN_SCHEMA, "/$defs/finding/properties/code/enum"), codes);
    assert_eq!(enumerated(SCHEMA_SCHEMA, "/$defs/defect/properties/code/enum"), codes);
    let causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    assert_eq!(enumerated(SCAN_SCHEMA, "/$defs/diagnosis/properties/cause/enum"), causes);
    let healths: Vec<&str> = Health::ALL.iter().map(|health| health.name()).collect();
    assert_eq!(enumerated(SCHEMA_SCHEMA, "/$defs/relation/properties/health/enum"), healths);
}

#[test]
fn json_keeps_names_and_values_exactly() {
    let report = parsed(&scan(&sample::hostile(), ScanFormat::Json, &PLAIN));
    assert_eq!(report["database"]["name"], sample::HOSTILE);
    let missing = &report["findings"][2]["top_missing"];
    assert_eq!(missing[0]["key"][sample::HOSTILE], sample::HOSTILE);
    assert_eq!(missing[1]["key"][sample::HOSTILE]["text_hex"], "1bff");
}

#[test]
fn json_keeps_storage_classes_distinct() {
    let values = [
        (Value::Null, "null"),
        (Value::Integer(i64::MIN), "-9223372036854775808"),
        (Value::Real(5.0), "5.0"),
        (Value::Real(f64::INFINITY), r#"{"real":"Infinity"}"#),
        (Value::text("5"), r#""5""#),
        (Value::Blob(vec![0, 0xab]), r#"{"blob_hex":"00ab"}"#),
    ];
    for (value, expected) in values {
        let mut schema = sample::shop();
        sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
        let mut examination = sample::examined(schema);
        sample::orphans(&mut examination, 0, &[(&[value], 1)], 1);
        let report = scan(&examination, ScanFormat::Json, &PLAIN);
        assert_valid(SCAN_SCHEMA, &report);
        let compact: String = report.split_whitespace().collect();
        let missing = format!(r#""top_missing":[{{"key":{{"customer_id":{expected}}},"rows":1}}]"#);
        assert!(compact.contains(&missing), "{missing}\n{report}");
    }
}

#[test]
fn json_lists_keys_in_the_order_of_the_relation() {
    let mut schema = sample::shop();
    // SQLite allows `region` twice. The key has `code` first, and the table has `region` first.
    sample::relate(&mut schema, 1, &[3, 2, 3], "customers", &["code", "region", "id"]);
    let mut examination = sample::examined(schema);
    sample::orphans(&mut examination, 0, &[(&[Value::Integer(1), Value::Integer(2), Value::Integer(1)], 1)], 1);
    let report: String = scan(&examination, ScanFormat::Json, &PLAIN).split_whitespace().collect();
    assert!(report.contains(r#""key":{"code":1,"region":2}"#), "{report}");
}

#[test]
fn json_scan_has_fixed_order_of_fields() {
    let report = scan(&sample::incomplete(), ScanFormat::Json, &PLAIN);
    let expected = r#"    {
      "id": "order_items(order_id)->orders(number)",
      "child": {
        "schema": null,
        "table": "order_items",
        "columns": [
          "order_id"
        ]
      },
      "parent": {
        "schema": null,
        "table": "orders",
        "columns": [
          "number"
        ]
      },
      "origin": "declared",
      "on_delete": "CASCADE",
      "on_update": "NO ACTION",
      "match": "simple",
      "deferrable": false,
      "coverage": "unchecked",
      "reason": "orders has no column number",
      "method": null,
      "method_reason": null,
      "rows": 0,
      "null_rows": 0,
      "orphan_rows": 0,
      "missing_keys": 0
    }
  ],
  "findings": [],
  "baseline": null,
  "left_alone": []
}
"#;
    assert!(report.ends_with(expected), "{report}");
    assert!(report.starts_with("{\n  \"format\": \"fk-doctor/scan@1\",\n  \"tool\": {\n"), "{report}");
}

/// The schema of the report lists exactly the words of the model.
#[test]
fn json_schema_lists_exactly_the_words_of_the_model() {
    let schema: serde_json::Value = serde_json::from_str(SCAN_SCHEMA).unwrap();
    let mut known = BTreeMap::new();
    enums(&schema, "", &mut known);
    let words = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    let actions = words(Action::ALL.map(Action::name).to_vec());
    let expected = BTreeMap::from([
        ("verdict", words(ScanVerdict::ALL.map(ScanVerdict::name).to_vec())),
        ("values", words(Values::ALL.map(Values::name).to_vec())),
        ("coverage", words(CoverageState::ALL.map(CoverageState::name).to_vec())),
        ("method", words(Method::ALL.map(Method::name).to_vec())),
        ("origin", words(Origin::ALL.map(Origin::name).to_vec())),
        ("on_delete", actions.clone()),
        ("on_update", actions),
        ("match", words(Match::ALL.map(Match::name).to_vec())),
        ("code", words(Code::ALL.map(Code::name).to_vec())),
        ("severity", words(Severity::ALL.map(Severity::name).to_vec())),
        ("cause", words(Cause::ALL.map(Cause::name).to_vec())),
    ]);
    for (name, words) in expected {
        assert_eq!(known.get(name), Some(&words), "{name}");
    }
}

/// Collects the enumerations of a schema by property name, without null.
fn enums(schema: &serde_json::Value, name: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(list) = object.get("enum").and_then(serde_json::Value::as_array) {
                let words = list.iter().filter_map(serde_json::Value::as_str).map(str::to_owned);
                found.insert(name.to_owned(), words.collect());
            }
            object.iter().for_each(|(name, inside)| enums(inside, name, found));
        }
        serde_json::Value::Array(array) => array.iter().for_each(|inside| enums(inside, name, found)),
        _ => {}
    }
}
