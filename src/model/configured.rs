//! What a configuration asks for, before it is held against a database. Every part remembers its place in the text,
//! so that a fault found later can still point at it.

use std::ops::Range;

use crate::model::value::Key;

/// A value and where it stands in the configuration's text, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    pub value: T,
    pub place: Range<usize>,
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
    pub child: At<SideName>,
    pub parent: At<SideName>,
    /// `where`: SQL over `child`.
    pub condition: Option<At<String>>,
    /// `ignore-values`: keys that mean "none".
    pub ignored: Vec<At<Key>>,
    /// `soft-deleted`: SQL over `parent`.
    pub soft_deleted: Option<At<String>>,
}

/// Something wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}
