//! Relations that were written for other programs: a manifest of dbt, or a data package of Frictionless.
//!
//! The content decides which of the two a file is. No relation is dropped in silence: one that cannot be resolved refers to a
//! table that cannot be read, with the reason.

use std::ops::Range;

use serde_json::Value;

use crate::model::configured::ConfiguredRelation;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::lake::TableFiles;

mod dbt;
mod frictionless;

/// The content of such a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RelationsFile {
    pub relations: Vec<WrittenRelation>,
    /// The files of the tables, if the file describes them.
    pub tables: Vec<TableFiles>,
    /// What was left out, for the user.
    pub notes: Vec<String>,
}

/// A relation of such a file.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenRelation {
    pub relation: ConfiguredRelation,
    /// The schemas of the child and of the parent, if the file names them apart.
    pub schemas: [Option<String>; 2],
    /// The reason why the relation cannot be checked.
    pub unresolved: Option<String>,
    /// True if its orphans are warnings.
    pub is_warning: bool,
}

/// Parses a file. `read` returns the text of another file, by its path from the first one. The error has all faults.
pub fn parse(text: &str, read: &dyn Fn(&str) -> Result<String, String>) -> Result<RelationsFile, Vec<String>> {
    let document: Value = serde_json::from_str(text).map_err(|error| vec![format!("it is no JSON: {error}")])?;
    let document = document.as_object().ok_or_else(|| vec!["it is no JSON object".to_owned()])?;
    if document.contains_key("nodes") && document.contains_key("metadata") {
        dbt::read(document, text)
    } else if document.contains_key("resources") {
        frictionless::read(document, text, read)
    } else {
        Err(vec![
            "it is neither a manifest of dbt (target/manifest.json) nor a data package (datapackage.json)".to_owned(),
        ])
    }
}

/// Returns the span of a text in quotation marks, for messages that point to its line.
fn span_of(text: &str, quoted: &str) -> Range<usize> {
    let wanted = Value::String(quoted.to_owned()).to_string();
    let start = text.find(&wanted).unwrap_or(0);
    start..start
}

fn side(table: String, columns: Vec<String>, span: &Range<usize>) -> Spanned<SideName> {
    Spanned { value: SideName { table, columns }, span: span.clone() }
}

/// Returns the texts of a value that is a text or an array of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
