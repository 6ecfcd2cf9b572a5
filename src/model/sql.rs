//! Every statement that touches a user's tables is written under this module, and nowhere else.
//!
//! [`Sql`] cannot be made outside: an engine runs what it is given. Names are quoted by [`quoted`]; values travel as
//! parameters and never become text. The one foreign text is a condition from the operator's own configuration.

use crate::model::value::Value;

pub mod sqlite;

/// A statement and its parameters, `?1` first.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    text: String,
    parameters: Vec<Value>,
}

impl Sql {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }
}

/// A name as an SQL identifier, whatever it contains.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
