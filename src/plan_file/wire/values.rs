//! The JSON of values and rows in a plan. A value keeps its storage class exactly: a value that JSON has no type for
//! becomes an object that names its class.

use std::fmt::Write;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde::de::value::MapAccessDeserializer;
use serde::ser::SerializeMap;

use super::text;
use crate::model::row::Row;
use crate::model::value::Value;
use crate::plan_file::hexadecimal;

pub(super) struct WireRow(pub(super) Row);

impl Serialize for WireRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            map.serialize_entry(name, &BorrowedValue(value))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for WireRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Columns)
    }
}

/// Keeps the columns in the order of the text.
struct Columns;

impl<'de> Visitor<'de> for Columns {
    type Value = WireRow;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("columns and their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireRow, A::Error> {
        let mut row = Vec::new();
        while let Some((name, WireValue(value))) = map.next_entry::<String, WireValue>()? {
            row.push((name, value));
        }
        Ok(WireRow(row.into()))
    }
}

/// A value that is written.
pub(super) struct BorrowedValue<'v>(pub(super) &'v Value);

impl Serialize for BorrowedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Real(number) => real(*number).serialize(serializer),
            Value::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => Tagged::TextHex(hexadecimal(bytes)).serialize(serializer),
            },
            Value::Blob(bytes) => Tagged::BlobHex(hexadecimal(bytes)).serialize(serializer),
        }
    }
}

/// A value that was read.
pub(super) struct WireValue(pub(super) Value);

impl<'de> Deserialize<'de> for WireValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(WireValue)
    }
}

/// Decides by the JSON type, instead of trying one variant after the other.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a value of a column")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Integer).map_err(|_| E::custom(format!("{number} does not fit into 64 bits")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.as_bytes().to_vec()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Tagged::deserialize(MapAccessDeserializer::new(map))?.value().map_err(A::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Tagged {
    /// The shortest text that Rust parses to the same bits.
    Real(String),
    /// The bits of a number that is NaN, if its text would give other bits.
    RealHex(String),
    /// Text that is not valid UTF-8.
    TextHex(String),
    BlobHex(String),
}

fn real(number: f64) -> Tagged {
    let text = format!("{number:?}");
    match text.parse::<f64>() {
        Ok(read) if read.to_bits() == number.to_bits() => Tagged::Real(text),
        _ => Tagged::RealHex(format!("{:016x}", number.to_bits())),
    }
}

impl Tagged {
    fn value(self) -> Result<Value, String> {
        Ok(match self {
            Tagged::Real(text) => Value::Real(text.parse().map_err(|_| format!("{text:?} is not a number"))?),
            Tagged::RealHex(hex) => match u64::from_str_radix(&hex, 16) {
                Ok(bits) if hex.len() == 16 => Value::Real(f64::from_bits(bits)),
                _ => return Err(format!("{hex:?} is not a number")),
            },
            Tagged::TextHex(hex) => Value::Text(bytes(&hex)?),
            Tagged::BlobHex(hex) => Value::Blob(bytes(&hex)?),
        })
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(|| format!("{hex:?} is not hexadecimal"))
}

/// Appends a value.
pub(in crate::plan_file) fn push_value(line: &mut String, value: &Value) {
    match value {
        Value::Null => line.push_str("null"),
        // Writing to a string cannot fail.
        Value::Integer(number) => {
            let _ = write!(line, "{number}");
        }
        Value::Text(bytes) if bytes.iter().all(|byte| is_plain(*byte)) => {
            line.push('"');
            line.extend(std::str::from_utf8(bytes));
            line.push('"');
        }
        other => line.push_str(&text(&BorrowedValue(other))),
    }
}

/// True if the byte is itself in a JSON string, and visible on a terminal.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Appends values as a list.
pub(super) fn push_values<'v>(line: &mut String, values: impl IntoIterator<Item = &'v Value>) {
    let mut separator = '[';
    for value in values {
        line.push(separator);
        push_value(line, value);
        separator = ',';
    }
    if separator == '[' {
        line.push('[');
    }
    line.push(']');
}

/// Parses an object that [`row`] wrote.
pub(in crate::plan_file) fn read_row(text: &str) -> Result<Row, String> {
    serde_json::from_str::<WireRow>(text).map(|row| row.0).map_err(|error| format!("it is no row: {error}"))
}

/// Returns a row as an object.
pub(in crate::plan_file) fn row(row: &Row) -> String {
    let mut line = String::with_capacity(64);
    for (index, (name, value)) in row.iter().enumerate() {
        push_name(&mut line, index, name);
        push_value(&mut line, value);
    }
    end_row(&mut line);
    line
}

/// Appends what comes before the value of a column at this position of a row.
pub(in crate::plan_file) fn push_name(line: &mut String, index: usize, name: &str) {
    line.push(if index == 0 { '{' } else { ',' });
    match name.bytes().all(is_plain) {
        true => line.extend(["\"", name, "\""]),
        false => line.push_str(&text(&name)),
    }
    line.push(':');
}

/// Ends the text of a row, which may have no columns.
pub(in crate::plan_file) fn end_row(line: &mut String) {
    if line.is_empty() {
        line.push('{');
    }
    line.push('}');
}
