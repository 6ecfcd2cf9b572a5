//! The complete report of each sample.

use super::*;
use crate::model::value::Value;
use crate::report::sample;

const TERMINAL: TerminalStyle = TerminalStyle { width: Some(80), color: false };

#[test]
fn clean_scan_is_short() {
    let expected = "\
✓ 2 relations of shop.sqlite checked, no orphans · 10,400 rows
  1 note (child-not-indexed): `fk-doctor schema DB` lists them
  excluded     notes_fts, notes_fts_data: virtual table, whose rows come from a
               module's code
";
    assert_eq!(render(&sample::clean(), &TERMINAL), expected);
}

#[test]
fn schema_without_relations_is_not_clean() {
    let expected = "\
○ shop.sqlite declares no foreign keys: nothing was checked
  you can add relations that it does not declare to `fk-doctor.toml`
";
    assert_eq!(render(&sample::no_relations(), &TERMINAL), expected);
}

#[test]
fn finding_has_evidence_and_next_step() {
    let expected = "\
✗ 340 orphan rows in 2 of 4 relations of shop.sqlite (40 missing keys)
✗ 1 defect in 1 of 4 relations
! 1 warning

  relation                        orphans  missing  share  found
───────────────────────────────────────────────────────────────────────────────
  orders(customer_id)                 338       39   6.5%  orphan
    ->customers(id)
  orders(region,code)                   2        1  <0.1%  orphan
    ->customers(region,code)
  orders(old_id)->orders_old(id)        0        0         parent-table-missing
  1 other relation without errors

error[parent-table-missing] orders(old_id)->orders_old(id)
  the parent table orders_old does not exist: every complete key is an orphan
  help     create orders_old, or drop the foreign key

error[orphan] orders(customer_id)->customers(id)
  338 rows refer to 39 keys that customers does not have
  missing  customer_id = 22    300 rows
           customer_id = ' x'    1 row
           and 37 more keys     37 rows
  rows     id = 7  → 22
           id = 8  → ' x'
  cause    wrong-table (300 rows): 22 is suppliers(id)
  help     restore the missing rows, or repair the references with a rule

error[orphan] orders(region,code)->customers(region,code)
  2 rows refer to 1 key that customers does not have
  missing  region = 'EU', code = 12  2 rows
  rows     id = 7  → ('EU', 12)
  cause    wrong-table (2 rows): 22 is suppliers(id)
  help     restore the missing rows, or repair the references with a rule

warning[type-mismatch] order_items(order_id)->orders(id)
  order_items.order_id is TEXT, orders.id is INTEGER: '007' and 7 are compared
  as text
  help     declare both columns with the same type

  1 note (child-not-indexed): `fk-doctor schema DB` lists them
  4 relations · 4 checked · 10,400 rows · 340 orphan rows · 3 errors · 1 warning
  · 1 note
";
    assert_eq!(render(&sample::sick(), &TERMINAL), expected);
}

#[test]
fn unchecked_relation_is_reported_first() {
    let expected = "\
? 1 of 2 relations of shop.sqlite could not be checked

  relation                               orphans  missing  share  found
─────────────────────────────────────────────────────────────────────────────
  order_items(order_id)->orders(number)        –        –         not checked
  1 other relation without errors

  not checked  order_items(order_id)->orders(number): orders has no column
               number
  2 relations · 1 checked · 1 not checked · 5,200 rows · 0 orphan rows
";
    assert_eq!(render(&sample::incomplete(), &TERMINAL), expected);
}

#[test]
fn incomplete_scan_is_never_green() {
    let green = render(&sample::clean(), &TerminalStyle { width: Some(80), color: true });
    let unsure = render(&sample::incomplete(), &TerminalStyle { width: Some(80), color: true });
    assert!(green.contains('✓'));
    assert!(!unsure.contains('✓') && !unsure.contains("38;5;10m"), "{unsure}");
}

#[test]
fn orphans_are_red_without_fail_on() {
    let mut examination = sample::sick();
    examination.fail_on = None;
    assert!(render(&examination, &TERMINAL).starts_with("✗ 340 orphan rows"));
}

#[test]
fn warnings_are_shown_below_clean_headline() {
    let mut schema = sample::shop();
    sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
    sample::defect(&mut schema, 0, Code::TypeMismatch, "the types differ", "make them equal");
    let expected = "\
✓ 1 relation of shop.sqlite checked, no orphans · 5,200 rows
! 1 warning

warning[type-mismatch] orders(customer_id)->customers(id)
  the types differ
  help     make them equal

  1 relation · 1 checked · 5,200 rows · 0 orphan rows · 1 warning
";
    assert_eq!(render(&sample::examined(schema), &TERMINAL), expected);
}

#[test]
fn reason_and_single_key_are_shown() {
    let mut schema = sample::shop();
    sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
    let mut examination = sample::examined(schema);
    sample::orphans(&mut examination, 0, &[(&[Value::Null], 1)], 1);
    examination.relations.iter_mut().next().unwrap().reason = Some("the engine does not enforce it".to_string());
    let report = render(&examination, &TERMINAL);
    assert!(report.starts_with("✗ 1 orphan row in 1 of 1 relation of shop.sqlite (1 missing key)\n"), "{report}");
    assert!(report.contains("\n  reason   the engine does not enforce it\n"), "{report}");
    assert!(report.contains("\n  missing  customer_id = NULL  1 row\n"), "{report}");
}
