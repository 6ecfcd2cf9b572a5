//! A statement with its parameters, and the only functions that make one.
//!
//! An engine runs nothing but an [`Sql`]. Every function that makes or changes one is private to `sql`, so each
//! statement about a user's tables is written in this folder. Values travel as parameters: no function here turns a
//! value into text.

use crate::model::facts::Facts;
use crate::model::facts::ParameterStyle;
use crate::model::value::Value;

/// A statement and its parameters, in order.
///
/// An example is the text `SELECT 1 FROM main."orders" WHERE "id" = ?1` with the parameter 7.
///
/// Any code can read a statement:
///
/// ```
/// fn length(sql: &fk_doctor::internals::sql::Sql) -> usize {
///     sql.text().len()
/// }
/// ```
///
/// Only `sql` can make or change one:
///
/// ```compile_fail,E0451
/// fn forged(known: fk_doctor::internals::sql::Sql) -> fk_doctor::internals::sql::Sql {
///     fk_doctor::internals::sql::Sql { text: "DROP TABLE orders".to_owned(), ..known }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    text: String,
    parameters: Vec<Value>,
    avoids_indexes: bool,
    reads_no_row: bool,
    copies: Vec<TableCopy>,
}

/// A second copy of a temporary table, for a server that opens such a table only once in a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct TableCopy {
    pub name: String,
    /// The table that is copied.
    pub of: String,
    /// The statements that make the copy equal to the table again.
    pub renewal: Vec<String>,
}

impl Sql {
    /// Returns the text, with a placeholder for each parameter.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }

    /// Returns the copies that must be equal to their tables when the statement runs.
    pub fn copies(&self) -> &[TableCopy] {
        &self.copies
    }

    /// True if the engine must read the tables and use no index.
    pub fn avoids_indexes(&self) -> bool {
        self.avoids_indexes
    }

    /// True if the statement is only compiled and returns no rows, as the check of a condition.
    pub fn reads_no_row(&self) -> bool {
        self.reads_no_row
    }

    /// Returns the statement with another text and the same parameters.
    pub(super) fn with_text(self, text: String) -> Sql {
        Sql { text, ..self }
    }

    /// Returns the statement with more copies, which its text names.
    pub(super) fn with_copies(mut self, copies: impl IntoIterator<Item = TableCopy>) -> Sql {
        self.copies.extend(copies);
        self
    }

    /// Returns the statement, for the engine to run without indexes.
    pub(super) fn without_indexes(self) -> Sql {
        Sql { avoids_indexes: true, ..self }
    }

    /// Returns the statement with an ending that makes it read no row.
    pub(super) fn without_rows(self) -> Sql {
        let text = format!("{} LIMIT 0", self.text);
        Sql { text, reads_no_row: true, ..self }
    }
}

/// Collects the parameters of a statement that is being built.
pub struct Query {
    placeholder: ParameterStyle,
    parameters: Vec<Value>,
}

impl Query {
    pub(super) fn new(facts: &Facts) -> Query {
        Query { placeholder: facts.placeholder, parameters: Vec::new() }
    }

    /// Adds a parameter, and returns its placeholder.
    pub(super) fn parameter(&mut self, value: Value) -> String {
        self.parameters.push(value);
        match self.placeholder {
            ParameterStyle::Numbered(sign) => format!("{sign}{}", self.parameters.len()),
            ParameterStyle::Question => "?".to_owned(),
        }
    }

    /// Returns the number of parameters so far.
    pub(super) fn count(&self) -> usize {
        self.parameters.len()
    }

    /// Adds parameters whose placeholders the text already has.
    pub(super) fn extend(&mut self, parameters: impl IntoIterator<Item = Value>) {
        self.parameters.extend(parameters);
    }

    pub(super) fn finish(self, text: String) -> Sql {
        Sql { text, parameters: self.parameters, avoids_indexes: false, reads_no_row: false, copies: Vec::new() }
    }
}

/// Returns a statement without parameters.
pub(super) fn plain(text: String) -> Sql {
    Sql { text, parameters: Vec::new(), avoids_indexes: false, reads_no_row: false, copies: Vec::new() }
}
