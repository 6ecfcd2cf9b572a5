//! Integer keys beyond the largest that the parent has: their rows are not loaded yet.

use super::Case;
use super::Explanation;
use super::Show;
use super::parent::Parent;
use super::parent_loss;
use crate::engine::Session;
use crate::engine::Suspects;
use crate::model::diagnosis::Evidence;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;

/// The keys that are not loaded yet.
pub(super) enum Later {
    /// All keys of the relation, including those that were not examined.
    All(Evidence),
    Some(Explanation),
}

/// Returns the keys beyond the largest of the parent, if nearly all open keys are. A parent that lost rows lost some of the
/// last ones too, and one that lost nearly all of them may have kept the first.
pub(super) fn find(
    schema: &Schema,
    session: &mut dyn Session,
    case: &Case<'_>,
    parent: Option<&Parent>,
    show: Show<'_>,
) -> Option<Later> {
    let parent = parent?;
    let largest = parent.largest?;
    let column = schema.parent_columns(case.relation).next()?;
    let beyond = || case.open.iter().map(|missing| &missing.key).filter(|key| is_beyond(key, largest));
    let count = beyond().count();
    if count == 0 || count * 5 < case.open.len() * 4 {
        return None;
    }
    if parent_loss::is_nearly_empty(schema, session, case, parent) {
        return None;
    }
    let shown = text::key(&show(case.relation, &vec![Value::Integer(largest)]));
    let evidence = Evidence::AboveLargest { column: column.name.clone(), largest: shown };
    let is_whole = count == case.tally.top.len() && (case.keys_not_examined() == 0 || are_all_beyond(case, largest));
    Some(if is_whole {
        Later::All(evidence)
    } else {
        Later::Some(Explanation::of(beyond().cloned().collect(), evidence))
    })
}

fn is_beyond(key: &Key, largest: i64) -> bool {
    key.first().and_then(Value::as_integer).is_some_and(|number| number > largest)
}

/// True if the least missing key is known and lies beyond the largest key of the parent.
fn are_all_beyond(case: &Case<'_>, largest: i64) -> bool {
    let tally = case.tally;
    if !tally.orphans.is_empty() && tally.suspects == Suspects::Rows(Vec::new()) {
        return tally
            .orphans
            .stream()
            .is_ok_and(|mut stream| stream.next_key().is_some_and(|key| is_beyond(key, largest)));
    }
    // Keys with equally many rows come in their order.
    tally.top.first().is_some_and(|missing| missing.rows == 1 && is_beyond(&missing.key, largest))
}
