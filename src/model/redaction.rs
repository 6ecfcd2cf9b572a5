//! The values that reports may show. Names of tables and columns, and counts, are always shown. A value of a row is
//! shown, masked, or replaced by a keyed hash. Equal values have equal hashes, and nobody can guess a value without the
//! secret.
//!
//! Findings are redacted when they are made, so that no report receives a hidden value.

mod repair;

pub use repair::skipped_rows;

use sha2::Digest;
use sha2::Sha256;

use crate::model::catalog::Table;
use crate::model::finding::Finding;
use crate::model::finding::MissingKey;
use crate::model::finding::Sample;
use crate::model::finding::Span;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;

const MASK: &str = "***";

#[derive(Debug, Clone, Default)]
pub struct Redaction {
    pub values: Values,
    /// Columns whose values are always masked: `table.column`, or the name of a column of any table.
    pub columns: Vec<Pattern>,
    /// The key of the hashes.
    pub secret: Option<Secret>,
}

/// A value that a report may show. Only a [`Redaction`] can make one, so no report shows other values.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownValue(Value);

impl AsRef<Value> for ShownValue {
    fn as_ref(&self) -> &Value {
        &self.0
    }
}

/// Tests of reports make shown values without a redaction.
#[cfg(test)]
impl From<Value> for ShownValue {
    fn from(value: Value) -> ShownValue {
        ShownValue(value)
    }
}

/// The form in which reports show values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Values {
    #[default]
    Shown,
    Masked,
    Hashed,
}

impl Values {
    pub const ALL: [Values; 3] = [Values::Shown, Values::Masked, Values::Hashed];

    pub fn name(self) -> &'static str {
        match self {
            Values::Shown => "shown",
            Values::Masked => "masked",
            Values::Hashed => "hashed",
        }
    }
}

/// The key of hashes. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

impl Secret {
    pub fn new(text: &str) -> Secret {
        Secret(Sha256::digest(text).into())
    }

    /// Returns the first 16 hexadecimal digits of the HMAC-SHA-256 of the parts.
    pub fn hash(&self, parts: &[&[u8]]) -> String {
        let pad = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(self.0).for_each(|(byte, secret)| *byte ^= secret);
            block
        };
        let mut inner = Sha256::new_with_prefix(pad(0x36));
        for part in parts {
            inner.update((part.len() as u64).to_le_bytes());
            inner.update(part);
        }
        let outer = Sha256::new_with_prefix(pad(0x5c)).chain_update(inner.finalize()).finalize();
        outer.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Redaction {
    /// True if the redaction hides no value.
    pub fn shows_everything(&self) -> bool {
        self.values == Values::Shown && self.columns.is_empty()
    }

    /// True if the redaction hides a column of the relation's key.
    pub fn hides_keys_of(&self, schema: &Schema, relation: &Relation) -> bool {
        let width = relation.child_columns.len();
        self.values != Values::Shown || (0..width).any(|column| self.excludes_key_column(schema, relation, column))
    }

    /// Returns a key as it may be shown. A value is hidden if the column of either table is.
    pub fn key(&self, schema: &Schema, relation: &Relation, key: &Key) -> Vec<ShownValue> {
        let hide = |(column, value)| self.hide(self.excludes_key_column(schema, relation, column), value);
        key.iter().enumerate().map(hide).collect()
    }

    /// Returns one value of a table's column as it may be shown.
    pub fn value(&self, table: &str, column: &str, value: &Value) -> ShownValue {
        self.hide(self.excludes(table, column), value)
    }

    /// Returns a value that several columns share, as it may be shown. It is hidden if one of the columns, each with its table,
    /// is hidden.
    pub fn value_of_any(&self, columns: &[(&str, &str)], value: &Value) -> ShownValue {
        self.hide(columns.iter().any(|(table, column)| self.excludes(table, column)), value)
    }

    pub fn sample(&self, schema: &Schema, relation: &Relation, sample: Sample<Value>) -> Sample {
        let child = schema.child(relation);
        let hide = |(name, value): (String, Value)| {
            let is_shown_address = schema.database.engine.facts().shown_address.contains(&name.as_str())
                && child.columns.iter().all(|column| column.name != name);
            let hidden = if is_shown_address || is_address(child, &name) {
                ShownValue(value)
            } else {
                let of_key = schema.child_column_names(relation).position(|column| column == name);
                let excluded = !self.columns.is_empty()
                    && (self.excludes(&child.name.to_string(), &name)
                        || of_key.is_some_and(|column| self.excludes_key_column(schema, relation, column)));
                self.hide(excluded, &value)
            };
            (name, hidden)
        };
        Sample { row: sample.row.into_iter().map(hide).collect(), key: self.key(schema, relation, &sample.key) }
    }

    /// Returns the finding with hidden values replaced. The message and the diagnosis are not changed, so they must not
    /// contain hidden values.
    pub fn finding(&self, schema: &Schema, finding: Finding<Value>) -> Finding {
        let relation = &schema.relations[finding.relation];
        let missing = |missing: MissingKey<Value>| MissingKey {
            key: self.key(schema, relation, &missing.key),
            samples: missing.samples.into_iter().map(|sample| self.sample(schema, relation, sample)).collect(),
            span: missing.span.map(|span| Box::new(self.span(schema, relation, *span))),
            rows: missing.rows,
        };
        Finding {
            top_missing: finding.top_missing.into_iter().map(missing).collect(),
            samples: finding.samples.into_iter().map(|sample| self.sample(schema, relation, sample)).collect(),
            code: finding.code,
            severity: finding.severity,
            relation: finding.relation,
            relation_id: finding.relation_id,
            message: finding.message,
            help: finding.help,
            rows: finding.rows,
            missing_keys: finding.missing_keys,
            diagnosis: finding.diagnosis,
            known: finding.known,
            key_repair: finding.key_repair,
        }
    }

    fn span(&self, schema: &Schema, relation: &Relation, span: Span<Value>) -> Span {
        let excluded = self.excludes(&schema.child(relation).name.to_string(), &span.column);
        Span { first: self.hide(excluded, &span.first), last: self.hide(excluded, &span.last), column: span.column }
    }

    /// Returns an engine's message with all quoted text masked, because an engine may quote values. This also masks quoted
    /// names.
    pub fn message(&self, text: &str) -> String {
        if self.shows_everything() {
            return text.to_owned();
        }
        let mut shown = String::new();
        let mut open = None;
        for character in text.chars() {
            match open {
                Some(quote) if character == quote => {
                    shown.push_str(MASK);
                    shown.push(quote);
                    open = None;
                }
                Some(_) => {}
                None => {
                    shown.push(character);
                    open = matches!(character, '"' | '\'' | '`').then_some(character);
                }
            }
        }
        if open.is_some() {
            shown.push_str(MASK);
        }
        shown
    }

    fn excludes_key_column(&self, schema: &Schema, relation: &Relation, column: usize) -> bool {
        if self.columns.is_empty() {
            return false;
        }
        let child = schema.child_column_names(relation).nth(column);
        let parent = relation.parent.column_names.get(column);
        child.is_some_and(|name| self.excludes(&schema.child(relation).name.to_string(), name))
            || parent.is_some_and(|name| self.excludes(&relation.parent.name.to_string(), name))
    }

    fn excludes(&self, table: &str, column: &str) -> bool {
        self.columns.iter().any(|pattern| pattern.matches_column(table, column))
    }

    fn hide(&self, excluded: bool, value: &Value) -> ShownValue {
        ShownValue(match (self.values, excluded, &self.secret) {
            (Values::Shown, false, _) => value.clone(),
            (Values::Hashed, false, Some(secret)) => Value::text(format!("#{}", hash(secret, value))),
            _ => Value::text(MASK),
        })
    }
}

/// True if the name is that of the row address, which is not a value of the row.
fn is_address(table: &Table, name: &str) -> bool {
    table.row_address.as_deref() == Some(name) && !table.columns.iter().any(|column| column.name == name)
}

fn hash(secret: &Secret, value: &Value) -> String {
    match value {
        Value::Null => secret.hash(&[b"null"]),
        Value::Integer(number) => secret.hash(&[b"integer", &number.to_le_bytes()]),
        Value::Real(number) => secret.hash(&[b"real", &number.to_le_bytes()]),
        Value::Text(bytes) => secret.hash(&[b"text", bytes]),
        Value::Blob(bytes) => secret.hash(&[b"blob", bytes]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_differs_by_value_and_secret() {
        let (secret, other) = (Secret::new("one"), Secret::new("other"));
        let values = [
            Value::Null,
            Value::Integer(1),
            Value::Real(1.0),
            Value::text("1"),
            Value::Blob(vec![b'1']),
            Value::text(""),
        ];
        let hashes: std::collections::HashSet<String> = values.iter().map(|value| hash(&secret, value)).collect();
        assert_eq!(hashes.len(), values.len());
        assert_eq!(hash(&secret, &values[1]), hash(&secret, &values[1]));
        assert_ne!(hash(&secret, &values[1]), hash(&other, &values[1]));
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn quoted_text_of_a_message_is_masked() {
        let redaction = Redaction { values: Values::Masked, ..Redaction::default() };
        assert_eq!(
            redaction.message("invalid input syntax for type integer: \"x@y\""),
            "invalid input syntax for type integer: \"***\""
        );
        assert_eq!(redaction.message("it's open"), "it'***");
        assert_eq!(Redaction::default().message("a 'b'"), "a 'b'");
    }
}
