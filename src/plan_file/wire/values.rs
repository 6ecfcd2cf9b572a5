//! The JSON of a row in a plan. A value keeps its storage class exactly: a value that JSON has no type for becomes an
//! object that names its class.

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde::de::value::MapAccessDeserializer;
use serde::ser::SerializeMap;

use crate::model::row::Row;
use crate::model::value::Value;
use crate::plan_file::hexadecimal;

pub(super) struct WireRow(pub(super) Row);

impl Serialize for WireRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            map.serialize_entry(name, &WireValue::of(value))?;
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
        while let Some((name, value)) = map.next_entry::<String, WireValue>()? {
            row.push((name, value.value().map_err(A::Error::custom)?));
        }
        Ok(WireRow(row.into()))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireValue {
    Null,
    Integer(i64),
    Text(String),
    Tagged(Tagged),
}

impl<'de> Deserialize<'de> for WireValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// Decides by the JSON type, instead of trying one variant after the other.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = WireValue;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a value of a column")
    }

    fn visit_unit<E: Error>(self) -> Result<WireValue, E> {
        Ok(WireValue::Null)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<WireValue, E> {
        Ok(WireValue::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<WireValue, E> {
        i64::try_from(number)
            .map(WireValue::Integer)
            .map_err(|_| E::custom(format!("{number} does not fit into 64 bits")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WireValue, E> {
        Ok(WireValue::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireValue, A::Error> {
        Tagged::deserialize(MapAccessDeserializer::new(map)).map(WireValue::Tagged)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Tagged {
    /// The shortest text that Rust parses to the same bits.
    Real(String),
    /// Text that is not valid UTF-8.
    TextHex(String),
    BlobHex(String),
}

impl WireValue {
    fn of(value: &Value) -> WireValue {
        match value {
            Value::Null => WireValue::Null,
            Value::Integer(number) => WireValue::Integer(*number),
            Value::Real(number) => WireValue::Tagged(Tagged::Real(format!("{number:?}"))),
            Value::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => WireValue::Text(text.to_owned()),
                Err(_) => WireValue::Tagged(Tagged::TextHex(hexadecimal(bytes))),
            },
            Value::Blob(bytes) => WireValue::Tagged(Tagged::BlobHex(hexadecimal(bytes))),
        }
    }

    fn value(self) -> Result<Value, String> {
        Ok(match self {
            WireValue::Null => Value::Null,
            WireValue::Integer(number) => Value::Integer(number),
            WireValue::Text(text) => Value::text(text),
            WireValue::Tagged(Tagged::Real(text)) => {
                Value::Real(text.parse().map_err(|_| format!("{text:?} is not a number"))?)
            }
            WireValue::Tagged(Tagged::TextHex(hex)) => Value::Text(bytes(&hex)?),
            WireValue::Tagged(Tagged::BlobHex(hex)) => Value::Blob(bytes(&hex)?),
        })
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    match digits {
        Some(digits) if digits.len().is_multiple_of(2) => {
            Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        _ => Err(format!("{hex:?} is not hexadecimal")),
    }
}
