//! Snapshots of refused statements.

use std::sync::Arc;

use super::*;
use crate::model::catalog::Action;
use crate::model::examination::Examination;
use crate::model::refusal::Refusal;
use crate::model::statement::Statement;
use crate::model::value::Value;
use crate::report::sample;

/// Returns the explanation of a refused statement, with a reason for each orphan of the examination.
fn refused(text: &str, kind: StatementKind, examination: Examination) -> Explained {
    let schema = Arc::new(examination.schema);
    let reason = |mut finding: crate::model::finding::Finding| {
        finding.code = Code::WouldFail;
        finding.diagnosis.clear();
        StatementReason::Relation(Box::new(finding))
    };
    let statement = Statement { text: text.to_owned(), line: 1, kind, may_replace: false, parameters: Vec::new() };
    Explained {
        verdict: StatementVerdict::Refused(Refusal::new(RefusalKind::ForeignKey, "FOREIGN KEY constraint failed")),
        reasons: examination.findings.into_iter().map(reason).collect(),
        ..Explained::new(statement, schema)
    }
}

fn snapshot(name: &str, explained: Explained) {
    let explanation = Explanation { schema: explained.schema.clone(), statements: vec![explained], trial: None };
    for width in [40, 80, 120] {
        sample::assert_snapshot(&format!("{name}-{width}.txt"), &render(&explanation, &TerminalStyle::plain(width)));
    }
}

fn insert() -> Explained {
    let mut schema = sample::shop();
    sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
    sample::relate(&mut schema, 1, &[2, 3], "customers", &["region", "code"]);
    let mut examination = sample::examined(schema);
    sample::orphans(&mut examination, 0, &[(&[Value::Integer(22)], 1)], 1);
    sample::orphans(&mut examination, 1, &[(&[Value::text("EU"), Value::Integer(12)], 1)], 1);
    let text = "INSERT INTO orders(id, customer_id, region, code) VALUES (5, 22, 'EU', 12)";
    let mut explained = refused(text, StatementKind::Insert, examination);
    if let StatementReason::Relation(finding) = &mut explained.reasons[0] {
        finding.help =
            format!("{}INSERT INTO customers(id, name) VALUES (22, …)", crate::model::explanation::PARENT_FIRST);
    }
    explained
}

#[test]
fn refused_insert_lists_missing_keys_and_parents_to_add() {
    snapshot("explain-insert", insert());
}

#[test]
fn insert_that_may_replace_rows_keeps_every_detail() {
    let mut explained = insert();
    explained.statement.may_replace = true;
    let explanation = Explanation { schema: explained.schema.clone(), statements: vec![explained], trial: None };
    let report = render(&explanation, &TerminalStyle::plain(80));
    assert!(report.contains("error[would-fail] orders(customer_id)->customers(id)"), "{report}");
}

#[test]
fn refused_delete_shows_the_tree_and_the_row_in_the_way() {
    let mut schema = sample::shop();
    sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
    sample::relate(&mut schema, 2, &[1], "orders", &["id"]);
    let mut examination = sample::examined(schema);
    sample::orphans(&mut examination, 1, &[(&[Value::Integer(7)], 3)], 1);
    let mut explained = refused("DELETE FROM customers WHERE id = 1", StatementKind::Delete, examination);
    let branch = |parent: &str, child: &str, column: &str, relation_id: &str, action| CascadeBranch {
        parent: parent.to_owned(),
        child: child.to_owned(),
        columns: vec![column.to_owned()],
        relation_id: relation_id.to_owned(),
        event: Event::Delete,
        action,
        deleted: 0,
        changed: 0,
        blocking: 0,
        levels: 0,
        below: Vec::new(),
        shown_elsewhere: false,
    };
    let items = branch("orders", "order_items", "order_id", "order_items(order_id)->orders(id)", Action::Restrict);
    let orders = branch("customers", "orders", "customer_id", "orders(customer_id)->customers(id)", Action::Cascade);
    let below = vec![CascadeBranch { blocking: 3, ..items }];
    explained.radius = vec![CascadeBranch { deleted: 2, below, ..orders }];
    let effect = |table: &str, deleted| Effect {
        table: table.to_owned(),
        inserted: 0,
        updated: 0,
        deleted,
        triggers: Vec::new(),
    };
    explained.effects = vec![effect("customers", 1), effect("orders", 2)];
    snapshot("explain-delete", explained);
}
