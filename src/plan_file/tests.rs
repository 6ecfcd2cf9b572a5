//! A plan is read back exactly as it was written, and a changed plan is refused.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::os::unix::fs::FileExt;

use super::*;
use crate::model::catalog::Engine;
use crate::model::catalog::TableName;
use crate::model::plan::Adopted;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::TableDigest;

pub(crate) fn header() -> Header {
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

pub(crate) fn write(writer: &mut PlanWriter<Vec<u8>>, lines: &mut ChangeLines, change: &Change) {
    let mut text = String::new();
    lines.push(&mut text, change);
    writer.change(&lines.line(&text).unwrap()).unwrap();
}

/// True if both changes are equal, and their values to the bit.
fn is_same(left: &Change, right: &Change) -> bool {
    let image = |left: &Option<Row>, right: &Option<Row>| match (left, right) {
        (Some(left), Some(right)) => left.is_same(right) && left.columns().eq(right.columns()),
        (left, right) => left.is_none() && right.is_none(),
    };
    let rest = |change: &Change| Change { before: None, after: None, row: Row::new(), ..change.clone() };
    image(&left.before, &right.before)
        && image(&left.after, &right.after)
        && image(&Some(left.row.clone()), &Some(right.row.clone()))
        && rest(left) == rest(right)
}

fn any_value(random: &mut fastrand::Rng) -> Value {
    let text = ["", "a", "it's \"\\ \u{0} \u{1b}[2J \u{2028} 日本", "[1,null]", "{\"real\":\"1\"}", "x\ny"];
    match random.u8(0..9) {
        0 => Value::Null,
        1 => Value::Integer(random.i64(..)),
        2 => Value::Integer(random.i64(-3..3)),
        3 => Value::Real(f64::from_bits(random.u64(..))),
        4 => Value::Real(random.choice([0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, 5e-324, 0.1, 1.0]).unwrap()),
        5 => Value::text(random.choice(text).unwrap()),
        6 => Value::Text((0..random.usize(0..4)).map(|_| random.u8(..)).collect()),
        _ => Value::Blob((0..random.usize(0..4)).map(|_| random.u8(..)).collect()),
    }
}

/// Returns a change of any kind, with odd names and rare facts.
fn any_change(random: &mut fastrand::Rng) -> Change {
    const NAMES: [&str; 7] = ["id", "r", "note\n", "\u{202e}\"x\"", "group", "ID", ""];
    let text = |random: &mut fastrand::Rng| random.choice(NAMES).unwrap().to_owned();
    let row = |random: &mut fastrand::Rng, names: &[&str]| -> Row {
        names.iter().map(|name| (*name, any_value(random))).collect()
    };
    let count = random.usize(1..4);
    let (mut before, mut after) = (Some(row(random, &NAMES[..count])), None);
    match random.u8(0..5) {
        0 => {}
        1 => (before, after) = (None, before),
        2 => {
            let start = random.usize(0..2);
            after = Some(row(random, &NAMES[start..count + 1]));
        }
        _ => {
            after.clone_from(&before);
            if let Some(after) = &mut after {
                after.set(NAMES[random.usize(0..count)], any_value(random));
                after.set(NAMES[random.usize(0..count)], any_value(random));
            }
        }
    }
    let image = before.as_ref().or(after.as_ref());
    let name = match random.u8(0..3) {
        0 => row(random, &["rowid"]),
        1 => row(random, &["id"]),
        _ => image.unwrap().filtered(|column, _| column == "id"),
    };
    let reason = |random: &mut fastrand::Rng| ChangeReason {
        role: random.choice(ChangeRole::ALL).unwrap(),
        relation: text(random),
        rule: text(random),
        treatment: "t".to_owned(),
    };
    let reasons = (0..random.usize(1..3)).map(|_| reason(random)).collect();
    let adopted = |random: &mut fastrand::Rng| Adopted {
        relation: text(random),
        rows: (0..random.usize(0..3)).map(|_| random.u64(..)).collect(),
    };
    Change {
        address: random.bool().then(|| random.i64(..)),
        kept: (random.u8(0..4) == 0).then(|| text(random)),
        unit: random.bool().then(|| random.u64(..)),
        orphan_of: (0..random.usize(0..3)).map(|_| text(random)).collect(),
        adopts: (random.u8(0..4) > 0).then(|| (0..random.usize(0..3)).map(|_| adopted(random)).collect()),
        reasons,
        ..Change::new(
            TableName { schema: random.bool().then(|| text(random)), table: text(random) },
            name,
            before,
            after,
        )
    }
}

#[test]
fn any_change_is_read_back_from_its_plan_in_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.ndjson");
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let changes: Vec<Change> = (0..random.usize(1..2500)).map(|_| any_change(&mut random)).collect();
        let mut lines = ChangeLines::default();
        let mut writer = PlanWriter::new(Vec::new(), &header()).unwrap();
        changes.iter().for_each(|change| write(&mut writer, &mut lines, change));
        let bytes = writer.finish().unwrap();
        assert!(!std::str::from_utf8(&bytes).unwrap().lines().any(|line| line.contains(crate::model::text::is_unseen)));
        std::fs::write(&path, bytes).unwrap();
        let mut plan = PlanFile::open(&path).unwrap();
        assert_eq!(plan.changes(), changes.len());
        let mut reader = plan.second_reader().unwrap();
        let mut orders = [(0..changes.len()).collect::<Vec<_>>(), (0..changes.len()).rev().collect(), Vec::new()];
        orders[2].extend((0..200).map(|_| random.usize(0..changes.len())));
        for position in orders.into_iter().flatten() {
            let (read, grouped) = (plan.change(position).unwrap(), reader.grouped(position).unwrap());
            let expected = &changes[position];
            assert!(is_same(&read, expected), "{seed}: {read:?}\n{expected:?}");
            assert!(grouped.group.contains(expected), "{:?}\n{expected:?}", grouped.group);
            assert!(is_same(&grouped.into_change(), expected));
        }
    }
}

/// Lines of plans, and lines that differ from them in a few bytes. The fast parser leaves a line to the general one, or gives the same
/// change.
#[test]
fn fast_parser_agrees_with_the_general_parser() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut lines = ChangeLines::default();
    let (mut plain, mut general) = (0, 0);
    for number in 0..4_000 {
        let mut change = any_change(&mut random);
        if number % 2 == 0 {
            // A change as most plans have them.
            change.address = None;
            change.adopts.get_or_insert_default();
            for image in [&mut change.before, &mut change.after].into_iter().flatten() {
                let names: Vec<String> = image.columns().map(str::to_owned).collect();
                let values =
                    [Value::Null, Value::Integer(random.i64(-9..)), Value::text("{\"id\":\"é\\\"}"), Value::text("")];
                names.iter().for_each(|name| _ = image.set(name, random.choice(&values).unwrap().clone()));
            }
            let image = change.before.as_ref().or(change.after.as_ref()).unwrap();
            change.row = image.filtered(|column, _| column == "id");
        }
        let mut line = String::new();
        lines.push(&mut line, &change);
        for edits in 0..4 {
            let mut bytes = line.clone().into_bytes();
            for _ in 0..edits {
                let at = random.usize(0..bytes.len());
                let byte = random.choice(*b"\"\\,:[]{}0123456789-.enul x\x7f\t").unwrap();
                match random.u8(0..3) {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => _ = bytes.remove(at),
                }
            }
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let Some(fast) = wire::plain::read_change(&text, &lines.groups) else {
                general += 1;
                continue;
            };
            plain += 1;
            let slow = wire::compact::read_any_change(&text, &lines.groups).unwrap();
            assert_eq!((fast.number, fast.unit, fast.address), (slow.number, slow.unit, slow.address), "{text}");
            assert!(is_same(&fast.into_change(), &slow.into_change()), "{text}");
        }
    }
    assert!(plain > 300 && general > 300, "{plain} {general}");
    let mut groups = ChangeGroups::default();
    let table = TableName { schema: None, table: "t".to_owned() };
    let image = Row::from(vec![("id", Value::Integer(-12)), ("note", Value::text("it's \"\\ é"))]);
    let change =
        Change { unit: Some(3), ..Change::new(table, Row::from(vec![("id", Value::Integer(-12))]), Some(image), None) };
    let mut line = String::new();
    groups.number_of(&change);
    wire::compact::push_change(&mut line, 0, groups.get(0).unwrap(), &change);
    let read = wire::plain::read_change(&line, &groups).unwrap();
    assert!(is_same(&read.into_change(), &Change { adopts: Some(Vec::new()), ..change }), "{line}");
}

#[test]
fn fingerprints_of_values_are_those_of_rows() {
    let mut random = fastrand::Rng::with_seed(11);
    for columns in [&["id", "r\n\"", ""][..], &["id"], &[]] {
        let names: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let mut fingerprints = Fingerprints::new(&names);
        for _ in 0..200 {
            let values: Vec<Value> = names.iter().map(|_| any_value(&mut random)).collect();
            let row: Row = columns.iter().zip(&values).map(|(&name, value)| (name, value.clone())).collect();
            assert_eq!(fingerprints.of(&values), fingerprint(&row), "{row:?}");
        }
    }
}

/// A change that is added to groups from memory has the same parts as one that is read from a plan.
#[test]
fn grouped_change_is_the_change_again() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut groups = ChangeGroups::default();
    for _ in 0..2000 {
        let change = any_change(&mut random);
        let grouped = groups.grouped(change.clone());
        assert_eq!(groups.number_of(&change), grouped.number);
        assert!(is_same(&grouped.into_change(), &change));
    }
}

/// Plans of ten million changes may not fill the memory.
#[test]
fn marks_are_few() {
    let mut marks = LineMarks::default();
    marks.skip(500);
    for _ in 0..10_000_000 {
        marks.line(60);
    }
    assert_eq!(marks.len(), 10_000);
    assert_eq!(marks.stretch_of(1999), (1000, 60_500..120_500));
    assert_eq!(marks.stretch_of(9_999_999), (9_999_000, 599_940_500..600_000_500));
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
    let mut lines = ChangeLines::default();
    let mut writer = PlanWriter::new(Vec::new(), &header()).unwrap();
    for number in 0..3 {
        write(&mut writer, &mut lines, &change(&[Value::Integer(number), Value::text("x")]));
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
    let mut lines = ChangeLines::default();
    let mut writer = PlanWriter::new(Vec::new(), &header()).unwrap();
    // Each change is in blocks of its own, and in a stretch of its own.
    let long = "x".repeat(600_000);
    for number in 0..5 {
        write(&mut writer, &mut lines, &change(&[Value::Integer(number), Value::text(&long)]));
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
    let inside = 1_500_000;
    file.write_all_at(b"y", inside as u64).unwrap();
    assert_eq!(plan.change(0).unwrap(), expected(0));
    assert!(matches!(plan.change(2), Err(PlanError::Untrusted { .. })));
    file.write_all_at(&bytes[inside..=inside], inside as u64).unwrap();
    assert_eq!(plan.change(2).unwrap(), expected(2));
    file.set_len(inside as u64).unwrap();
    assert!(plan.change(4).is_err());
}
