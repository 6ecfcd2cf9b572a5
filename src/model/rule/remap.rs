//! The settings of `remap`, which gives child rows the key of another parent.

use std::collections::HashMap;

use super::Via;
use crate::model::configured::Spanned;
use crate::model::value::Key;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct Remap {
    pub via: Option<Spanned<Via>>,
    pub how: Spanned<RemapHow>,
    /// The table that records the old and the new key of every remapped row.
    pub record: Option<String>,
    pub on_conflict: OnConflict,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RemapHow {
    /// A query that returns the parent's key.
    To(String),
    /// A file of old and new keys.
    File(KeyMap),
    /// A table of old and new keys.
    Table {
        table: String,
        from: Vec<String>,
        into: Vec<String>,
    },
    Normalize(Vec<Normalization>),
}

/// Old and new keys as text, from a CSV file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyMap {
    pub file: String,
    pub entries: HashMap<Vec<String>, Vec<String>>,
}

impl KeyMap {
    /// Returns the new key of an old one. Numbers are compared as text, because a CSV file contains only text.
    pub fn new_key(&self, key: &Key) -> Option<Key> {
        let text = |value: &Value| match value {
            Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Real(number) => number.to_string(),
            other => crate::model::text::value(other),
        };
        let old: Vec<String> = key.iter().map(text).collect();
        self.entries.get(&old).map(|new| new.iter().map(Value::text).collect())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    Trim,
    Casefold,
    ZeroPadding,
    Uuid,
}

impl Normalization {
    pub const ALL: [Normalization; 4] =
        [Normalization::Trim, Normalization::Casefold, Normalization::ZeroPadding, Normalization::Uuid];

    pub fn name(self) -> &'static str {
        match self {
            Normalization::Trim => "trim",
            Normalization::Casefold => "casefold",
            Normalization::ZeroPadding => "zero-padding",
            Normalization::Uuid => "uuid",
        }
    }
}

/// The treatment of a row that cannot be remapped because of a UNIQUE constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    #[default]
    Undecided,
    Quarantine,
}
