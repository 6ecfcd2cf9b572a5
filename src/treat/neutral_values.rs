//! Values for NOT NULL columns of new rows about which nothing is known.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;

/// A neutral value for a NOT NULL column.
pub(super) enum Neutral {
    Plain(Value),
    /// A text that contains the key.
    Derived,
    /// The key itself, if it is a number.
    Key,
}

pub(super) fn neutral_kind(column: &Column, is_unique: bool) -> Neutral {
    let kind = column.declared_type.to_ascii_uppercase();
    match column.family {
        Family::Integer | Family::Real if is_unique => Neutral::Key,
        Family::Integer => Neutral::Plain(Value::Integer(0)),
        Family::Real => Neutral::Plain(Value::Real(0.0)),
        _ if is_unique => Neutral::Derived,
        _ if kind.contains("JSON") => Neutral::Plain(Value::text("{}")),
        Family::Numeric if kind.contains("TIME") => Neutral::Plain(Value::text("1970-01-01 00:00:00")),
        Family::Numeric if kind.contains("DATE") => Neutral::Plain(Value::text("1970-01-01")),
        Family::Numeric => Neutral::Plain(Value::Integer(0)),
        // The earliest time that such a column can hold.
        Family::Untyped if kind.contains("TIMESTAMP") && !kind.contains("ZONE") => {
            Neutral::Plain(Value::text("1970-01-01 00:00:01"))
        }
        Family::Untyped if kind.contains("TIMESTAMP") || kind.starts_with("DATE") => {
            Neutral::Plain(Value::text("1970-01-01"))
        }
        Family::Untyped if kind.starts_with("BIT(") => Neutral::Plain(Value::Integer(0)),
        Family::Untyped if kind == "BOOLEAN" => Neutral::Plain(Value::text("false")),
        Family::Text | Family::Untyped => Neutral::Derived,
    }
}

pub(super) fn neutral(column: &Column, seed: &Key, is_unique: bool) -> Value {
    match (neutral_kind(column, is_unique), seed.first()) {
        (Neutral::Plain(value), _) => value,
        (Neutral::Key, Some(Value::Integer(number))) => Value::Integer(*number),
        _ => Value::text(format!("placeholder-{}", plain(seed))),
    }
}

/// Returns a key as a part of a text.
pub(super) fn plain(key: &Key) -> String {
    let part = |value: &Value| match value.as_text() {
        Some(text) => text.to_owned(),
        None => text::value(value),
    };
    key.iter().map(part).collect::<Vec<_>>().join("-")
}
