//! Reads JSON (an array of objects) and NDJSON (one object per line). The keys of an object are its columns.

use std::cell::Cell;
use std::io::BufRead;
use std::io::Read;
use std::rc::Rc;

use serde::Deserializer;
use serde::de::SeqAccess;
use serde::de::Visitor;

use super::FileError;
use super::LONGEST_RECORD;
use super::Record;
use crate::model::value::Value;

type Object = serde_json::Map<String, serde_json::Value>;

pub(super) fn lines<E: From<FileError>>(
    mut source: impl BufRead,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Vec::new();
    let mut columns: Rc<[String]> = Rc::from([]);
    for line in 1.. {
        bytes.clear();
        let mut limited = Read::take(&mut source, LONGEST_RECORD as u64 + 1);
        let read = limited.read_until(b'\n', &mut bytes).map_err(|error| FileError::io(line, &error))?;
        if read == 0 {
            break;
        }
        if read > LONGEST_RECORD {
            return Err(FileError::new(line, "a line is longer than 64 MiB", "write one object per line").into());
        }
        let content = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes) } else { &bytes };
        if content.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let object: Object = serde_json::from_slice(content).map_err(|error| malformed(line, &error))?;
        each(record(line, object, &mut columns))?;
    }
    Ok(())
}

pub(super) fn array<E: From<FileError>>(
    source: impl BufRead,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let line = Rc::new(Cell::new(1));
    let counting =
        LineCounter { source: WithoutBom { source, is_first: true }, line: Rc::clone(&line), pending: false };
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_reader(counting);
    let visited = deserializer.deserialize_seq(Rows { each, line: &line, fault: &mut fault });
    if let Some(fault) = fault {
        return Err(fault);
    }
    visited.and_then(|()| deserializer.end()).map_err(|error| malformed(line.get(), &error).into())
}

fn malformed(line: u64, error: &serde_json::Error) -> FileError {
    let text = error.to_string();
    // serde_json appends its own line number, which is wrong for a line of NDJSON.
    let why = text.split(" at line ").next().unwrap_or(&text);
    FileError::new(
        line,
        format!("it is not valid: {why}"),
        "write an array of objects, or one object per line (--input ndjson)",
    )
}

fn record(line: u64, object: Object, columns: &mut Rc<[String]>) -> Record {
    if !object.keys().eq(columns.iter()) {
        *columns = object.keys().cloned().collect();
    }
    Record { line, columns: Rc::clone(columns), values: object.into_iter().map(|(_, value)| to_value(value)).collect() }
}

fn to_value(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Integer(i64::from(truth)),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(real)) => Value::Real(real),
            (None, None) => Value::text(number.to_string()),
        },
        serde_json::Value::String(text) => Value::text(text),
        other => Value::text(other.to_string()),
    }
}

struct Rows<'r, E> {
    each: &'r mut dyn FnMut(Record) -> Result<(), E>,
    line: &'r Cell<u64>,
    fault: &'r mut Option<E>,
}

impl<'de, E> Visitor<'de> for Rows<'_, E> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut columns: Rc<[String]> = Rc::from([]);
        while let Some(object) = rows.next_element::<Object>()? {
            if let Err(fault) = (self.each)(record(self.line.get(), object, &mut columns)) {
                *self.fault = Some(fault);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// Counts lines as they are read. The line break after an object does not count for that object.
struct LineCounter<R> {
    source: R,
    line: Rc<Cell<u64>>,
    pending: bool,
}

impl<R: Read> Read for LineCounter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // One byte at a time, as serde_json requests them.
        let Some(first) = buffer.get_mut(..1) else { return Ok(0) };
        let read = self.source.read(first)?;
        if self.pending {
            self.line.set(self.line.get() + 1);
        }
        self.pending = read == 1 && first[0] == b'\n';
        Ok(read)
    }
}

/// Skips a byte order mark.
struct WithoutBom<R> {
    source: R,
    is_first: bool,
}

impl<R: BufRead> Read for WithoutBom<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if std::mem::take(&mut self.is_first) && self.source.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.source.consume(3);
        }
        self.source.read(buffer)
    }
}
