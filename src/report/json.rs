//! The reports for programs, as JSON. `schemas/*.schema.json` defines them. The wire types are in this module and its
//! submodules, because no type of the model is a wire format.

pub(super) mod applied;
pub(super) mod checked;
pub(super) mod examination;
pub(super) mod explanation;
pub(super) mod repair;
pub(super) mod restore;
pub(super) mod schema;
pub(super) mod status;

use crate::model::redaction::ShownValue;
use std::io;

use serde::Serialize;
use serde::Serializer;
use serde_json::ser::CompactFormatter;
use serde_json::ser::Formatter;

use crate::model::catalog::DatabaseName;
use crate::model::catalog::TableName;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::is_unseen;
use crate::model::trial_method::TrialMethod;
use crate::model::value::Value;

/// Returns the whole document, indented, ending in a newline.
pub(super) fn document(report: &impl Serialize) -> String {
    serialized(report, Indented::default()) + "\n"
}

/// Returns the value on one line, without a newline.
pub(super) fn compact(report: &impl Serialize) -> String {
    serialized(report, CompactFormatter)
}

fn serialized(report: &impl Serialize, layout: impl Formatter) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, EscapeHidden(layout));
    if let Err(fault) = report.serialize(&mut serializer) {
        // Neither a Vec nor a type below can fail, and an incomplete report must not look complete.
        unreachable!("the report cannot be written as JSON: {fault}");
    }
    String::from_utf8(bytes).unwrap_or_else(|fault| String::from_utf8_lossy(fault.as_bytes()).into_owned())
}

#[derive(Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(super) const TOOL: Tool = Tool { name: "fk-doctor", version: env!("CARGO_PKG_VERSION") };

#[derive(Serialize)]
pub(super) struct Database<'a> {
    engine: &'a str,
    name: &'a str,
    version: &'a str,
}

impl<'a> Database<'a> {
    pub(super) fn of(name: &'a DatabaseName) -> Database<'a> {
        Database { engine: name.engine.name(), name: &name.name, version: &name.version }
    }
}

/// How statements or rows were tried.
#[derive(Serialize)]
struct WireTrial<'a> {
    method: &'static str,
    /// Why a large database was copied.
    reason: Option<&'a str>,
    /// The time during which no other program could write to the database, in milliseconds.
    locked_ms: Option<u64>,
}

impl<'a> WireTrial<'a> {
    fn of(method: &'a TrialMethod) -> WireTrial<'a> {
        let reason = match method {
            TrialMethod::Copy { why, .. } => why.as_deref(),
            _ => None,
        };
        let locked_ms = match method {
            TrialMethod::InPlace { locked } => Some(u64::try_from(locked.as_millis()).unwrap_or(u64::MAX)),
            _ => None,
        };
        WireTrial { method: method.name(), reason, locked_ms }
    }
}

#[derive(Serialize)]
pub(super) struct Side<'a> {
    schema: Option<&'a str>,
    table: &'a str,
    columns: Vec<&'a str>,
}

impl<'a> Side<'a> {
    pub(super) fn of(name: &'a TableName, columns: Vec<&'a str>) -> Side<'a> {
        Side { schema: name.schema.as_deref(), table: &name.table, columns }
    }
}

/// The definition of a relation, which the reports of scans and schemas share.
#[derive(Serialize)]
pub(super) struct WireRelation<'a> {
    id: &'a str,
    child: Side<'a>,
    parent: Side<'a>,
    origin: &'static str,
    on_delete: &'static str,
    on_update: &'static str,
    #[serde(rename = "match")]
    match_rule: &'static str,
    deferrable: bool,
}

impl<'a> WireRelation<'a> {
    pub(super) fn of(schema: &'a Schema, relation: &'a Relation) -> WireRelation<'a> {
        let parent_columns = relation.parent.column_names.iter().map(String::as_str).collect();
        WireRelation {
            id: &relation.id,
            child: Side::of(&schema.child(relation).name, schema.child_column_names(relation).collect()),
            parent: Side::of(&relation.parent.name, parent_columns),
            origin: relation.origin.name(),
            on_delete: relation.on_delete.name(),
            on_update: relation.on_update.name(),
            match_rule: relation.match_rule.name(),
            deferrable: relation.deferrable,
        }
    }
}

/// A value that keeps its storage class. A value that JSON cannot hold becomes an object that names its class.
struct WireValue<'a>(&'a ShownValue);

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum TaggedValue {
    /// A real that JSON cannot write as a number.
    Real(&'static str),
    /// Text that is not valid UTF-8.
    TextHex(String),
    BlobHex(String),
}

impl Serialize for WireValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_ref() {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Real(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::Real(number) if number.is_nan() => TaggedValue::Real("NaN").serialize(serializer),
            Value::Real(number) => {
                TaggedValue::Real(if *number > 0.0 { "Infinity" } else { "-Infinity" }).serialize(serializer)
            }
            Value::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => TaggedValue::TextHex(hexadecimal(bytes)).serialize(serializer),
            },
            Value::Blob(bytes) => TaggedValue::BlobHex(hexadecimal(bytes)).serialize(serializer),
        }
    }
}

/// A JSON object with a value for each column, in the given order.
pub(super) struct NamedValues<'a>(Vec<(&'a str, &'a ShownValue)>);

impl<'a> NamedValues<'a> {
    pub(super) fn of(row: &'a [(String, ShownValue)]) -> NamedValues<'a> {
        NamedValues::new(row.iter().map(|(column, value)| (column.as_str(), value)))
    }

    pub(super) fn new(columns: impl IntoIterator<Item = (&'a str, &'a ShownValue)>) -> NamedValues<'a> {
        let mut named: Vec<(&str, &ShownValue)> = Vec::new();
        for (column, value) in columns {
            // A key may name a column twice. Both have the same value, and the object needs it once.
            if !named.iter().any(|(known, _)| *known == column) {
                named.push((column, value));
            }
        }
        NamedValues(named)
    }
}

impl Serialize for NamedValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, value)| (column, WireValue(value))))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The layout of serde_json's own `PrettyFormatter`. It writes the end of a line and the indentation of the next in one step,
/// because a report of many relations has a million lines.
#[derive(Default)]
struct Indented {
    depth: usize,
    has_value: bool,
}

impl Indented {
    fn open<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn close<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.has_value {
            self.line(writer, true)?;
        }
        writer.write_all(bracket)
    }

    /// Begins a line, after a comma if it is not the first one.
    fn line<W: ?Sized + io::Write>(&self, writer: &mut W, is_first: bool) -> io::Result<()> {
        const LINE: &[u8] = b",\n                                ";
        let start = usize::from(is_first);
        let spaces = 2 * self.depth;
        let at_once = spaces.min(LINE.len() - 2);
        writer.write_all(&LINE[start..2 + at_once])?;
        (at_once..spaces).try_for_each(|_| writer.write_all(b" "))
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.line(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.line(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

/// A formatter that writes characters which a terminal would obey or hide as `\u` escapes. Parsers read the same JSON.
/// serde_json itself escapes only what JSON requires. The inner formatter decides the layout.
struct EscapeHidden<F>(F);

impl<F: Formatter> Formatter for EscapeHidden<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (offset, hidden) in fragment.char_indices().filter(|(_, character)| is_unseen(*character)) {
            writer.write_all(&fragment.as_bytes()[written..offset])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = offset + hidden.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_the_one_of_serde_json() {
        let mut deep = serde_json::json!([]);
        for level in 0..40 {
            deep = serde_json::json!({ "level": level, "list": [deep, [], {}], "text": "a\n\"b\"" });
        }
        assert_eq!(serialized(&deep, Indented::default()), serde_json::to_string_pretty(&deep).unwrap_or_default());
    }
}
