//! A statement with its parameters, and the only code that makes one.
//!
//! An engine runs nothing but an [`Sql`]. All that makes or changes one is visible to `sql` alone, so each statement about a
//! user's tables is written in this folder. Values travel as parameters: no function here turns a value into text.

use crate::model::facts::Facts;
use crate::model::facts::ParameterStyle;
use crate::model::value::Value;

/// A statement and its parameters, in order.
///
/// Everyone can read a statement:
///
/// ```
/// fn length(sql: &fk_doctor::internals::sql::Sql) -> usize {
///     sql.text().len()
/// }
/// ```
///
/// No code outside of `sql` can make or change one:
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
    is_from_tables: bool,
    twins: Vec<TableCopy>,
}

/// A copy of a temporary table that fk-doctor made.
#[derive(Debug, Clone, PartialEq)]
pub struct TableCopy {
    pub name: String,
    /// The table that it is a copy of.
    pub of: String,
    /// The statements that make the copy equal to that table again.
    pub renewal: Vec<String>,
}

impl Sql {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }

    /// Returns the copies that must equal their tables when the statement runs.
    pub fn copies(&self) -> &[TableCopy] {
        &self.twins
    }

    /// True if the engine must answer from the tables themselves, and use no index.
    pub fn avoids_indexes(&self) -> bool {
        self.is_from_tables
    }

    /// Returns another text for the same parameters.
    pub(super) fn with_text(self, text: String) -> Sql {
        Sql { text, ..self }
    }

    /// Returns the statement with more copies that it names.
    pub(super) fn with_copies(mut self, twins: impl IntoIterator<Item = TableCopy>) -> Sql {
        self.twins.extend(twins);
        self
    }

    /// Returns the same question, to be answered without indexes.
    pub(super) fn without_indexes(self) -> Sql {
        Sql { is_from_tables: true, ..self }
    }
}

/// A statement under way: the parameters that it has so far.
pub struct Query {
    placeholder: ParameterStyle,
    parameters: Vec<Value>,
}

impl Query {
    pub(super) fn new(facts: &Facts) -> Query {
        Query { placeholder: facts.placeholder, parameters: Vec::new() }
    }

    /// Returns the placeholder of the next parameter, which has this value.
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

    /// Takes over parameters whose placeholders are part of the text already.
    pub(super) fn extend(&mut self, parameters: impl IntoIterator<Item = Value>) {
        self.parameters.extend(parameters);
    }

    pub(super) fn finish(self, text: String) -> Sql {
        Sql { text, parameters: self.parameters, is_from_tables: false, twins: Vec::new() }
    }
}

/// Returns a statement without parameters.
pub(super) fn plain(text: String) -> Sql {
    Sql { text, parameters: Vec::new(), is_from_tables: false, twins: Vec::new() }
}
