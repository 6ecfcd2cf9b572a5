//! The reports for machines, as JSON. What they look like is fixed by `schemas/*.schema.json`; the wire types are
//! here and below, because no type of the model is a wire format. Leaves out: anything said for people only.

pub(super) mod applied;
pub(super) mod checked;
pub(super) mod examination;
pub(super) mod explanation;
pub(super) mod repair;
pub(super) mod schema;
pub(super) mod status;

use crate::model::redaction::ShownValue;
use std::io;

use serde::Serialize;
use serde::Serializer;
use serde_json::ser::CompactFormatter;
use serde_json::ser::Formatter;
use serde_json::ser::PrettyFormatter;

use crate::model::catalog::DatabaseName;
use crate::model::catalog::TableName;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::is_unseen;
use crate::model::value::Value;

/// The whole document, ending in a newline.
pub(super) fn document(report: &impl Serialize) -> String {
    serialized(report, PrettyFormatter::new()) + "\n"
}

/// On one line.
pub(super) fn compact(report: &impl Serialize) -> String {
    serialized(report, CompactFormatter)
}

fn serialized(report: &impl Serialize, layout: impl Formatter) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Seen(layout));
    if let Err(fault) = report.serialize(&mut serializer) {
        // Neither a Vec nor a type below can refuse; half a report must not pass for a whole one.
        unreachable!("a report that is no JSON: {fault}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

#[derive(Serialize)]
struct Side<'a> {
    schema: Option<&'a str>,
    table: &'a str,
    columns: Vec<&'a str>,
}

impl<'a> Side<'a> {
    fn of(name: &'a TableName, columns: Vec<&'a str>) -> Side<'a> {
        Side { schema: name.schema.as_deref(), table: &name.table, columns }
    }
}

/// What a relation is, in both reports.
#[derive(Serialize)]
pub(super) struct About<'a> {
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

impl<'a> About<'a> {
    pub(super) fn of(schema: &'a Schema, relation: &'a Relation) -> About<'a> {
        let parent_columns = relation.parent.column_names.iter().map(String::as_str).collect();
        About {
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

/// A value that keeps its storage class: what JSON cannot hold as it is becomes an object that says so.
struct Wire<'a>(&'a ShownValue);

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Odd {
    /// A real that is not a number of JSON.
    Real(&'static str),
    /// Text that is not valid UTF-8.
    TextHex(String),
    BlobHex(String),
}

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_ref() {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Real(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::Real(number) if number.is_nan() => Odd::Real("NaN").serialize(serializer),
            Value::Real(number) => {
                Odd::Real(if *number > 0.0 { "Infinity" } else { "-Infinity" }).serialize(serializer)
            }
            Value::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => Odd::TextHex(hexadecimal(bytes)).serialize(serializer),
            },
            Value::Blob(bytes) => Odd::BlobHex(hexadecimal(bytes)).serialize(serializer),
        }
    }
}

/// An object of columns and values, in the order given.
pub(super) struct Named<'a>(Vec<(&'a str, &'a ShownValue)>);

impl<'a> Named<'a> {
    pub(super) fn of(row: &'a [(String, ShownValue)]) -> Named<'a> {
        Named::new(row.iter().map(|(column, value)| (column.as_str(), value)))
    }

    pub(super) fn new(columns: impl IntoIterator<Item = (&'a str, &'a ShownValue)>) -> Named<'a> {
        let mut named: Vec<(&str, &ShownValue)> = Vec::new();
        for (column, value) in columns {
            // A key may name a column twice; it has one value all the same, and an object one place for it.
            if !named.iter().any(|(known, _)| *known == column) {
                named.push((column, value));
            }
        }
        Named(named)
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, value)| (column, Wire(value))))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Laid out by another formatter, with what a terminal would obey or hide as `\u` escapes: the same JSON to a parser, and harmless
/// to whoever looks at it. serde_json by itself escapes only what it must.
struct Seen<F>(F);

impl<F: Formatter> Formatter for Seen<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (place, hidden) in fragment.char_indices().filter(|(_, character)| is_unseen(*character)) {
            writer.write_all(&fragment.as_bytes()[written..place])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = place + hidden.len_utf8();
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
