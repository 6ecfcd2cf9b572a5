//! The complete report of each sample, at the widths of a phone, a terminal and a wide terminal.

use std::time::Duration;

use super::*;
use crate::model::ids::Id;
use crate::model::ids::RelationId;
use crate::model::scan_run::ScanRun;
use crate::model::value::Value;
use crate::report::sample;

const TERMINAL: TerminalStyle = TerminalStyle::plain(80);

/// Returns the sample with a name for commands.
fn run_by_a_person(mut examination: Examination) -> Examination {
    let rule = (examination.schema.relations[RelationId::from_index(0)].id.clone(), "placeholders".to_owned());
    examination.run = Some(ScanRun {
        database: Some("'my shop.sqlite'".to_owned()),
        stem: "my shop".to_owned(),
        elapsed: Duration::from_millis(12_345),
        shipped_rules: vec![rule],
        ..ScanRun::default()
    });
    examination
}

#[test]
fn sick_database_is_reported_at_every_width() {
    for width in [40, 80, 120] {
        let report = render(&run_by_a_person(sample::sick()), &TerminalStyle::plain(width));
        sample::assert_snapshot(&format!("scan-sick-{width}.txt"), &report);
    }
}

#[test]
fn every_detail_has_its_length() {
    for (name, detail) in [("quiet", Detail::Quiet), ("brief", Detail::Brief), ("all", Detail::All)] {
        let style = TerminalStyle { detail, ascii: name == "all", ..TERMINAL };
        sample::assert_snapshot(&format!("scan-sick-{name}.txt"), &render(&run_by_a_person(sample::sick()), &style));
    }
    assert_eq!(render(&sample::clean(), &TerminalStyle { detail: Detail::Quiet, ..TERMINAL }), "");
}

#[test]
fn clean_scan_is_short() {
    let expected = "\
✓ shop.sqlite is clean: 2 of 2 relations checked · 10,400 rows
  excluded notes_fts, notes_fts_data: virtual table, whose rows come from a
           module's code
";
    assert_eq!(render(&sample::clean(), &TERMINAL), expected);
}

#[test]
fn schema_without_relations_is_not_clean() {
    let expected = "\
○ shop.sqlite declares no foreign keys, so nothing was checked (3 tables)
";
    assert_eq!(render(&sample::no_relations(), &TERMINAL), expected);
}

#[test]
fn unchecked_relation_is_reported_first() {
    sample::assert_snapshot("scan-incomplete-80.txt", &render(&sample::incomplete(), &TERMINAL));
}

#[test]
fn incomplete_scan_is_never_green() {
    let green = render(&sample::clean(), &TerminalStyle { color: true, ..TERMINAL });
    let unsure = render(&sample::incomplete(), &TerminalStyle { color: true, ..TERMINAL });
    assert!(green.contains('✓') && green.contains("[1;32m"), "{green}");
    assert!(!unsure.contains('✓') && !unsure.contains("[1;32m"), "{unsure}");
}

#[test]
fn orphans_are_red_without_fail_on() {
    let mut examination = sample::sick();
    examination.fail_on = None;
    assert!(render(&examination, &TERMINAL).starts_with("✗ shop.sqlite: 1 defective relation, 340 orphan rows"));
}

#[test]
fn warning_without_orphans_has_no_tick() {
    let mut schema = sample::shop();
    sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
    sample::defect(&mut schema, 0, Code::TypeMismatch, "the types differ", "make them equal");
    let mut examination = sample::examined(schema);
    sample::group(&mut examination);
    let expected = "\
! shop.sqlite: 1 warning, no orphan rows; 1 of 1 relation checked · 5,200 rows

warning[type-mismatch] orders(customer_id)->customers(id)
  the types differ
  repair  make them equal
";
    assert_eq!(render(&examination, &TERMINAL), expected);
}

#[test]
fn reason_and_single_key_are_shown() {
    let mut schema = sample::shop();
    sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
    let mut examination = sample::examined(schema);
    sample::orphans(&mut examination, 0, &[(&[Value::Null], 1)], 1);
    sample::group(&mut examination);
    examination.relations.iter_mut().next().unwrap().reason = Some("the engine does not enforce it".to_string());
    let report = render(&examination, &TERMINAL);
    assert!(report.starts_with("✗ shop.sqlite: 1 orphan row in 1 of 1 relation\n"), "{report}");
    assert!(report.contains("\n  note    the engine does not enforce it\n"), "{report}");
    assert!(report.contains("\n  rows    id = 7  NULL\n"), "{report}");
}
