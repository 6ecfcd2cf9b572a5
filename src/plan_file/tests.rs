//! A plan is read back exactly as it was written, and a changed plan is refused.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::os::unix::fs::FileExt;

use super::*;
use crate::model::catalog::Engine;
use crate::model::catalog::TableName;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::TableDigest;
use crate::model::value::Value;

fn header() -> Header {
    Header {
        engine: Engine::Sqlite,
        database: "app.db".to_owned(),
        identity: "i".to_owned(),
        schema: "s".to_owned(),
        record: "r".to_owned(),
        tables: vec![TableDigest { table: "t".to_owned(), digest: "d".to_owned() }],
        rules: Vec::new(),
        creates: Vec::new(),
        redefinitions: Vec::new(),
        files: vec!["deleted.ndjson".to_owned()],
        forecasts: Vec::new(),
        treated: Vec::new(),
        undecided: 0,
        orphan_rows: Some(12),
    }
}

fn change(values: &[Value]) -> Change {
    let row = values.iter().enumerate().map(|(i, value)| (format!("c{i}"), value.clone())).collect();
    Change {
        table: TableName { schema: None, table: "t\u{1b}\u{202e}".to_owned() },
        row: vec![("id", Value::Integer(i64::MIN))].into(),
        address: Some(-1),
        before: Some(row),
        after: None,
        reasons: vec![
            ChangeReason {
                role: ChangeRole::Orphan,
                relation: "r".to_owned(),
                rule: "u".to_owned(),
                treatment: "delete".to_owned()
            };
            2
        ],
        kept: Some("deleted.ndjson".to_owned()),
        unit: None,
        orphan_of: Vec::new(),
        adopts: Some(Vec::new()),
    }
}

#[test]
fn value_of_every_class_is_read_back_bit_for_bit() {
    let values = [
        Value::Null,
        Value::Integer(i64::MAX),
        Value::Real(0.1),
        Value::Real(-0.0),
        Value::Real(5e-324),
        Value::Real(f64::INFINITY),
        Value::Real(9_007_199_254_740_993.0),
        Value::text("it's \"\\ \u{0} \u{1b}[2J \u{2028} 日本"),
        Value::Text(vec![0xff, b'a', 0]),
        Value::Blob(vec![]),
        Value::Blob(vec![0, 255]),
    ];
    let written = change(&values);
    let line = change_line(&written);
    assert!(!line.contains(crate::model::text::is_unseen), "{line}");
    let read = read_change(&line).unwrap();
    let (before, again) = (written.before.clone().unwrap(), read.before.clone().unwrap());
    assert!(before.iter().zip(again.iter()).all(|(left, right)| left.0 == right.0 && left.1.is_same(right.1)));
    assert_eq!(Change { before: None, ..read }, Change { before: None, ..written });
}

#[test]
fn plan_with_a_changed_byte_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.ndjson");
    let mut writer = PlanWriter::new(Vec::new(), &header()).unwrap();
    for number in 0..3 {
        writer.change(&change_line(&change(&[Value::Integer(number), Value::text("x")]))).unwrap();
    }
    let plan = writer.finish().unwrap();
    std::fs::write(&path, &plan).unwrap();
    let mut whole = PlanFile::open(&path).unwrap();
    assert_eq!(whole.header, header());
    let second = change(&[Value::Integer(1), Value::text("x")]);
    for position in [2, 0, 1] {
        assert_eq!(whole.change(position).unwrap() == second, position == 1);
    }
    // Changing the file in place is faster than writing it again each time.
    let file = File::options().write(true).open(&path).unwrap();
    let put = |byte: u8, at: usize| file.write_all_at(&[byte], at as u64).unwrap();
    for (at, &byte) in plan.iter().enumerate() {
        for flip in [1, 0x20] {
            put(byte ^ flip, at);
            assert!(PlanFile::open(&path).is_err(), "byte {at}");
        }
        put(byte, at);
    }
    put(b'\n', plan.len());
    assert!(PlanFile::open(&path).is_err());
    file.set_len(plan.len() as u64).unwrap();
    assert!(PlanFile::open(&path).is_ok());
    for length in (0..plan.len()).rev() {
        file.set_len(length as u64).unwrap();
        assert!(PlanFile::open(&path).is_err(), "cut at {length}");
    }
}

#[test]
fn plan_changed_after_it_was_opened_is_not_executed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.ndjson");
    let mut writer = PlanWriter::new(Vec::new(), &header()).unwrap();
    let long = "x".repeat(50_000);
    for number in 0..5 {
        writer.change(&change_line(&change(&[Value::Integer(number), Value::text(&long)]))).unwrap();
    }
    let bytes = writer.finish().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let mut plan = PlanFile::open(&path).unwrap();
    let expected = |number: i64| change(&[Value::Integer(number), Value::text(&long)]);
    for position in [4, 0, 2, 3, 1] {
        assert_eq!(plan.change(position).unwrap(), expected(position as i64));
    }
    // A byte that only the third change contains.
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"y", 140_000).unwrap();
    assert_eq!(plan.change(0).unwrap(), expected(0));
    assert!(matches!(plan.change(2), Err(PlanError::Untrusted { .. })));
    file.write_all_at(&bytes[140_000..140_001], 140_000).unwrap();
    assert_eq!(plan.change(2).unwrap(), expected(2));
    file.set_len(140_000).unwrap();
    assert!(plan.change(4).is_err());
}
