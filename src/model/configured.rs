//! What a configuration asks for, before it is held against a database. Every part remembers its place in the text,
//! so that a fault found later can still point at it.

use std::ops::Range;

use crate::model::value::Key;

/// A value and where it stands in the configuration's text, in bytes.
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

/// One `[[relation]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfiguredRelation {
    pub child: Spanned<SideName>,
    pub parent: Spanned<SideName>,
    /// `where`: SQL over `child`.
    pub condition: Option<Spanned<String>>,
    /// `ignore-values`: keys that mean "none".
    pub ignored: Vec<Spanned<Key>>,
    /// `soft-deleted`: SQL over `parent`.
    pub soft_deleted: Option<Spanned<String>>,
}

/// Something wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}
