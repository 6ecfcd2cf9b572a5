//! A statement of the user, with its line and kind. [`crate::sql::read::statements`] parses it.

use super::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text without the semicolon, and without comments before or after it.
    pub text: String,
    /// The number of its line in the whole text, counted from 1.
    pub line: usize,
    pub kind: StatementKind,
    /// True if the statement may replace or update existing rows, such as `INSERT OR REPLACE`.
    pub may_replace: bool,
    /// The values of its placeholders, in order.
    pub parameters: Vec<Value>,
}

/// The kind of a statement, by its keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    Insert,
    Update,
    Delete,
    /// Begins or ends a transaction, or sets a savepoint.
    Transaction,
    /// Changes a definition.
    Definition,
    /// `PRAGMA foreign_keys`: a trial always enforces them.
    Enforcement,
    /// Has an effect outside the database or on the connection.
    Outside,
    /// Any other statement, such as a query, or text that is not SQL.
    Other,
}
