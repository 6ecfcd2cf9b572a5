//! The settings of `repoint`, which points the children of twins at the row that is kept.

use super::KeyMap;
use super::QuarantineTarget;
use crate::model::configured::Spanned;

/// The settings of `repoint`. Rows of the parent table that mean the same are twins.
#[derive(Debug, Clone, PartialEq)]
pub struct Repoint {
    pub twins: Spanned<TwinSource>,
    pub on_conflict: TwinConflict,
    /// Keeps the twins, and the children that are removed.
    pub keep: QuarantineTarget,
}

/// The way in which twins are found, and the row that is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum TwinSource {
    /// Rows with equal values of these SQL expressions. A row with NULL has no twin.
    Same { expressions: Vec<Spanned<String>>, keep: Spanned<KeptTwin> },
    /// A file of the keys of twins and of the rows that are kept.
    File(KeyMap),
    /// A table of such keys.
    Table { table: String, from: Vec<String>, into: Vec<String> },
}

/// The row that is kept of several twins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptTwin {
    /// The row with the smallest key.
    Oldest,
    /// The row to which most rows refer; of several, the one with the smallest key.
    MostReferred,
    /// A query over a twin, which returns the key of the row that is kept.
    Query(String),
}

/// The treatment of a child that cannot be pointed at the kept row because of a UNIQUE constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TwinConflict {
    /// The twin stays, with all its children.
    #[default]
    Skip,
    /// The child is quarantined, and its own children are pointed at the row that has its unique key.
    MergeDelete,
    /// The plan is refused.
    Fail,
}
