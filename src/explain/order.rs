//! Finds parents that a script inserts too late, after the statement that needs them.

use std::collections::BTreeSet;

use crate::engine::Trial;
use crate::model::explanation::Explained;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::redaction::ShownValue;
use crate::model::schema::Schema;
use crate::model::statement::StatementKind;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;

/// Reasons whose missing parents a later statement inserted: `(2, 0)` is the first reason of the third statement.
pub(super) type LateParents = BTreeSet<(usize, usize)>;

/// Notes the reasons of earlier statements whose missing keys exist after the last statement.
pub(super) fn note_late_parents(
    trial: &mut dyn Trial,
    schema: &Schema,
    statements: &mut [Explained],
    late: &mut LateParents,
) {
    let Some((last, earlier)) = statements.split_last_mut() else { return };
    let writes = matches!(last.statement.kind, StatementKind::Insert | StatementKind::Update);
    if !writes || last.verdict != StatementVerdict::Accepted {
        return;
    }
    for (statement, explained) in earlier.iter_mut().enumerate() {
        for (number, reason) in explained.reasons.iter_mut().enumerate() {
            let StatementReason::Relation(finding) = reason else { continue };
            if finding.code == Code::WouldFail && all_exist(trial, schema, finding) {
                let line = last.statement.line;
                if late.insert((statement, number)) {
                    finding.help = format!("the parent is inserted too late: run the statement of line {line} first");
                }
            }
        }
    }
}

/// True if every missing key that a finding shows exists now.
fn all_exist(trial: &mut dyn Trial, schema: &Schema, finding: &Finding) -> bool {
    let Some(relation) = schema.relations.iter().find(|relation| relation.id == finding.relation_id) else {
        return false;
    };
    let (Some(table), Some(key)) = (schema.parent(relation), relation.parent.key) else { return false };
    let index = &table.indexes[key];
    // The index may have the columns in another order than the relation.
    let in_order = |key: &[ShownValue]| -> Option<Key> {
        let position = |column: usize| relation.parent.columns.iter().position(|&known| known == column);
        index.columns.iter().map(|part| position(part.column?).map(|position| key[position].as_ref().clone())).collect()
    };
    let keys: Option<Vec<Key>> = finding.top_missing.iter().map(|missing| in_order(&missing.key)).collect();
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { return false };
    let keys: Vec<&Key> = keys.iter().collect();
    let Some(question) = sql::of(schema).keys_elsewhere(schema, table, index, &keys) else { return false };
    let mut found = 0;
    let answered = trial.each_row(&question, &mut |row| found += usize::from(matches!(row, [Value::Integer(_)])));
    answered.is_ok() && found == keys.len()
}
