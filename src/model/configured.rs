//! The relations of a configuration, before they are resolved against a database. Every part keeps its span in the
//! text, so that a later fault can point at it.

use std::ops::Range;

use crate::model::value::Key;

/// A value and its span in the text, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// One side of a configured relation, as written: `table(a,b)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SideName {
    /// May be a glob on the child's side.
    pub table: String,
    pub columns: Vec<String>,
}

/// A `[[relation]]` of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfiguredRelation {
    pub child: Spanned<SideName>,
    pub parent: Spanned<SideName>,
    /// `where`: SQL over `child`.
    pub condition: Option<Spanned<String>>,
    /// `ignore-values`: keys that refer to no parent.
    pub ignored: Vec<Spanned<Key>>,
    /// `soft-deleted`: SQL over `parent`.
    pub soft_deleted: Option<Spanned<String>>,
    /// True if a missing parent table is a defect of the relation, and not a fault of the configuration.
    pub parent_may_be_missing: bool,
}

/// A fault in a configuration or a rules file, with its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}
