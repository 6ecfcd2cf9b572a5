//! The order in which the changes of a plan are applied.

use crate::model::plan::Change;
use crate::model::plan::ChangeRole;

/// The steps of a plan, in order: first the inserts of missing rows, last the deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Parent,
    Record,
    Counter,
    Update,
    /// Deletes that must be applied before the deletes planned so far.
    DeleteFirst,
    Delete,
}

/// Unit numbers of `DeleteFirst` count down from here. All other unit numbers are far below.
pub(super) const FIRST: i64 = 1 << 52;

/// A group of changes that are applied together or not at all, in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    pub(super) step: i64,
    pub(super) number: i64,
}

/// Returns the step in which a change is applied.
pub(super) fn step(change: &Change) -> Step {
    match (change.role(), &change.before, &change.after) {
        (ChangeRole::Counter, ..) => Step::Counter,
        (ChangeRole::Record, ..) => Step::Record,
        (_, None, _) => Step::Parent,
        (_, _, None) => Step::Delete,
        _ => Step::Update,
    }
}

/// Changes of one table that are applied in the order of their rows.
#[derive(Clone, Copy, Default)]
pub struct Batch(pub(super) i64);

/// The sort key of a change: its step, its unit and its number, for example `(3, 17, 42)`.
pub(super) type SortKey = (i64, i64, i64);
