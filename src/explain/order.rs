//! Parents that come too late: a key that was missing, and that a later statement of the same text brings.

use crate::model::redaction::ShownValue;
use std::collections::BTreeSet;

use crate::engine::Trial;
use crate::model::explanation::Explained;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::schema::Schema;
use crate::model::statement::StatementKind;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;

/// Missing parents that a later statement brought: the positions of the statement that missed them, and of its reason.
pub(super) type Late = BTreeSet<(usize, usize)>;

/// Looks, after the last of these statements, for keys that earlier ones missed.
pub(super) fn found_later(trial: &mut dyn Trial, schema: &Schema, statements: &mut [Explained], late: &mut Late) {
    let Some((last, earlier)) = statements.split_last_mut() else { return };
    let writes = matches!(last.statement.kind, StatementKind::Insert | StatementKind::Update);
    if !writes || last.verdict != StatementVerdict::Accepted {
        return;
    }
    for (statement, explained) in earlier.iter_mut().enumerate() {
        for (number, reason) in explained.reasons.iter_mut().enumerate() {
            let StatementReason::Relation(finding) = reason else { continue };
            if finding.code == Code::WouldFail && all_are_there(trial, schema, finding) {
                let line = last.statement.line;
                if late.insert((statement, number)) {
                    finding.help = format!("its parent comes too late: run the statement of line {line} first");
                }
            }
        }
    }
}

fn all_are_there(trial: &mut dyn Trial, schema: &Schema, finding: &Finding) -> bool {
    let Some(relation) = schema.relations.iter().find(|relation| relation.id == finding.relation_id) else {
        return false;
    };
    let (Some(table), Some(key)) = (schema.parent(relation), relation.parent.key) else { return false };
    let index = &table.indexes[key];
    // The index may have the columns in another order than the relation.
    let in_order = |key: &[ShownValue]| -> Option<Key> {
        let place = |column: usize| relation.parent.columns.iter().position(|&known| known == column);
        index.columns.iter().map(|part| place(part.column?).map(|place| key[place].as_ref().clone())).collect()
    };
    let keys: Option<Vec<Key>> = finding.top_missing.iter().map(|missing| in_order(&missing.key)).collect();
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { return false };
    let keys: Vec<&Key> = keys.iter().collect();
    let Some(question) = sql::of(schema).keys_elsewhere(schema, table, index, &keys) else { return false };
    let mut found = 0;
    let answered = trial.each_row(&question, &mut |row| found += usize::from(matches!(row, [Value::Integer(_)])));
    answered.is_ok() && found == keys.len()
}
