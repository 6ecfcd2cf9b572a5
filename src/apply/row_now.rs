//! The values that a row has now, if it differs from the plan. They only explain: if they cannot be read, a report shows less.

use super::walk::Walk;
use crate::engine::Session;
use crate::model::plan::Change;
use crate::model::state::RowNow;
use crate::model::state::SkipReason;
use crate::model::value::Value;

/// The number of skipped rows whose values are read.
const EXPLAINED: u64 = 100;

impl Walk<'_> {
    /// Returns how a row that is skipped for this reason differs from the plan. Only the first rows are read.
    pub(super) fn row_of_skipped(&self, session: &mut dyn Session, change: &Change, why: SkipReason) -> RowNow<Value> {
        match why {
            SkipReason::Changed if self.done.rows_left() < EXPLAINED => self.row_now(session, change),
            _ => RowNow::Unknown,
        }
    }

    /// Returns how the row of a change differs from its planned image.
    pub(super) fn row_now(&self, session: &mut dyn Session, change: &Change) -> RowNow<Value> {
        let table = change.table.to_string();
        if self.absent.contains(&table) || !self.tables.contains_key(&table) {
            return RowNow::Unknown;
        }
        let found = self.rows(session, &table, &[&change.row]).ok().and_then(|rows| rows.into_iter().next());
        let Some(planned) = change.before.as_ref().or(change.after.as_ref()) else { return RowNow::Unknown };
        match found {
            Some(None) if change.before.is_some() => RowNow::Gone,
            Some(Some(found)) => {
                let differing = planned.iter().filter_map(|(column, value)| {
                    let now = found.get(column).filter(|now| *now != value)?;
                    Some((column.to_owned(), value.clone(), now.clone()))
                });
                RowNow::of(differing.collect())
            }
            _ => RowNow::Unknown,
        }
    }
}
