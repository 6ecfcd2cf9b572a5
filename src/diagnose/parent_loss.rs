//! A parent that lost rows: more than half of the keys that are referred to are gone from it.

use super::Case;
use super::parent::Parent;
use super::parent::SAMPLE;
use crate::engine::Session;
use crate::model::schema::Schema;
use crate::model::text;
use crate::sql;

/// Most rows of a child in which its distinct keys are counted for the report.
const ROWS_COUNTED: u64 = 200_000;

/// A parent with fewer rows than this part of the missing keys has lost nearly all of them.
const NEARLY_ALL: u64 = 10;

/// Returns the evidence that the parent lost rows. If the keys that were examined have another cause, the others are not
/// held to be lost.
pub(super) fn find(schema: &Schema, session: &mut dyn Session, case: &Case<'_>) -> Option<String> {
    let Case { relation, tally, .. } = case;
    if case.rows_left() == 0 || !can_be_lost(schema, case) {
        return None;
    }
    let counts = &tally.counts;
    let not_matched = counts.null_rows + counts.ignored_rows + tally.orphan_rows + tally.known_rows;
    let matched_rows = counts.rows.saturating_sub(not_matched);
    let (missing, parent) = (tally.missing_keys, &relation.parent.name);
    if matched_rows < missing && counts.rows > ROWS_COUNTED {
        return Some(format!(
            "{missing} distinct keys are missing from {parent}, and only {} {} their parent: it seems to have lost rows",
            text::plural(matched_rows, "row"),
            if matched_rows == 1 { "has" } else { "have" }
        ));
    }
    let matched = if matched_rows == 0 {
        0
    } else {
        let question = sql::of(schema).matched_keys(schema, relation, missing);
        session.numbers(&question).ok()?.first().copied()?
    };
    (matched < missing).then(|| {
        format!(
            "{missing} of {} distinct keys are missing from {parent}: it seems to have lost rows",
            missing + matched
        )
    })
}

/// True if the parent has hardly any rows, compared with all keys that are missing from it.
pub(super) fn is_nearly_empty(schema: &Schema, session: &mut dyn Session, case: &Case<'_>, parent: &Parent) -> bool {
    let few = case.tally.missing_keys / NEARLY_ALL;
    if !can_be_lost(schema, case) || parent.rows_seen > few {
        return false;
    }
    if parent.rows_seen < SAMPLE {
        return true;
    }
    let mut rows = 0;
    if let Some(table) = schema.parent(case.relation)
        && let Ok(Some(_)) = session.each_first_row(table, &[], few + 1, &mut |_| rows += 1)
    {
        return rows <= few;
    }
    let Some(question) = sql::of(schema).parent_sample(schema, case.relation, few + 1) else { return false };
    rows = 0;
    session.each_row(&question, &mut |_| rows += 1).is_ok() && rows <= few
}

fn can_be_lost(schema: &Schema, case: &Case<'_>) -> bool {
    case.is_mostly_open()
        && schema.parent(case.relation).is_some()
        && case.relation.scope.soft_deleted.is_none()
        && case.tally.missing_keys >= 2
}
