//! The values that a rule gives to the columns of a new parent.

use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Literal(Value),
    /// Text that contains values of columns.
    Template(Vec<TemplatePiece>),
    Sql(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePiece {
    Text(String),
    Column { scope: ExpressionScope, column: String },
}

/// The tables whose columns a rule's expressions can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpressionScope {
    Child,
    Via,
    Key,
}

impl ExpressionScope {
    pub const ALL: [ExpressionScope; 3] = [ExpressionScope::Child, ExpressionScope::Via, ExpressionScope::Key];

    pub fn name(self) -> &'static str {
        match self {
            ExpressionScope::Child => "child",
            ExpressionScope::Via => "via",
            ExpressionScope::Key => "key",
        }
    }
}
