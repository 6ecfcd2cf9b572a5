//! A statement as somebody typed it, with its line and kind. [`crate::sql::read::statements`] makes it.

use super::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Without the semicolon, and without comments before or after it.
    pub text: String,
    /// Line of the text it was cut from, from 1.
    pub line: usize,
    pub kind: StatementKind,
    /// It may put new rows in the place of others, or change those it meets.
    pub may_replace: bool,
    /// For its placeholders, in order.
    pub parameters: Vec<Value>,
}

/// What a statement does, as far as its words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    Insert,
    Update,
    Delete,
    /// Begins or ends a transaction, or marks a point in it.
    Transaction,
    /// Changes definitions.
    Definition,
    /// `PRAGMA foreign_keys`: a trial always enforces them.
    Enforcement,
    /// Has an effect outside the database, or on the connection.
    Outside,
    /// Everything else: reads, or is not SQL.
    Other,
}
