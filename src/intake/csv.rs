//! Reads CSV as RFC 4180 defines it, and TSV, which differs only in its separator. A quoted field may hold line breaks.
//! Any other irregular quote is an error, because tolerating one could join two rows.

use std::io::BufRead;
use std::rc::Rc;

use super::FileError;
use super::LONGEST_RECORD;
use super::ReadOptions;
use super::Record;
use crate::model::value::Value;

pub(super) fn read<E: From<FileError>>(
    mut source: impl BufRead,
    separator: u8,
    options: &ReadOptions,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines { source: &mut source, line: 0 };
    let mut columns: Option<Rc<[String]>> = options.columns.as_ref().map(|columns| columns.as_slice().into());
    while let Some((line, fields)) = fields(&mut lines, separator)? {
        let Some(columns) = &columns else {
            let names = fields.into_iter().map(|field| field.text);
            columns = Some(names.collect::<Vec<String>>().into());
            continue;
        };
        // An empty line is not a row, unless rows have a single column.
        if let [only] = fields.as_slice()
            && only.text.is_empty()
            && !only.quoted
            && columns.len() > 1
        {
            continue;
        }
        if fields.len() != columns.len() {
            let why = format!("there are {} fields, and {} columns", fields.len(), columns.len());
            let help = "put fields that contain the separator in double quotes; for another kind of file use --input";
            return Err(FileError::new(line, why, help).into());
        }
        let value = |field: Field| {
            let is_null = match &options.null {
                Some(word) => field.text == *word,
                None => field.text.is_empty(),
            };
            if is_null && !field.quoted { Value::Null } else { Value::text(field.text) }
        };
        let values = fields.into_iter().map(value).collect();
        each(Record { line, columns: Rc::clone(columns), values })?;
    }
    match columns {
        Some(_) => Ok(()),
        None => Err(FileError::new(
            1,
            "the file is empty",
            "write the column names on the first line, or give them with --columns",
        )
        .into()),
    }
}

struct Field {
    text: String,
    quoted: bool,
}

struct Lines<'s> {
    source: &'s mut dyn BufRead,
    /// Lines read so far.
    line: u64,
}

impl Lines<'_> {
    /// Appends the next line, with its line break, to the record. Returns false at the end of the file.
    fn add_to(&mut self, record: &mut Vec<u8>) -> Result<bool, FileError> {
        let remaining = (LONGEST_RECORD - record.len()) as u64;
        let mut limited = std::io::Read::take(&mut *self.source, remaining + 1);
        let read = limited.read_until(b'\n', record).map_err(|error| FileError::io(self.line + 1, &error))?;
        self.line += u64::from(read > 0);
        if record.len() > LONGEST_RECORD {
            let help = "look for a double quote that is never closed";
            return Err(FileError::new(self.line, "a record is longer than 64 MiB", help));
        }
        Ok(read > 0)
    }
}

/// Returns the line on which the next record begins, and its fields; `None` at the end of the file.
fn fields(lines: &mut Lines<'_>, separator: u8) -> Result<Option<(u64, Vec<Field>)>, FileError> {
    let mut record = Vec::new();
    if !lines.add_to(&mut record)? {
        return Ok(None);
    }
    let first = lines.line;
    if first == 1 && record.starts_with(&[0xef, 0xbb, 0xbf]) {
        record.drain(..3);
    }
    if first == 1 && (record.starts_with(&[0xff, 0xfe]) || record.starts_with(&[0xfe, 0xff])) {
        return Err(FileError::new(1, "the file is in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"));
    }
    let mut record_fields = Vec::new();
    let mut position = 0;
    loop {
        let (field, end) = match record.get(position) {
            Some(b'"') => quoted(lines, &mut record, position + 1, first)?,
            _ => {
                let rest = &record[position..];
                let length = rest.iter().position(|&byte| byte == separator || byte == b'\n').unwrap_or(rest.len());
                let bytes = &rest[..length];
                let bytes = if rest.get(length) != Some(&separator) {
                    bytes.strip_suffix(b"\r").unwrap_or(bytes)
                } else {
                    bytes
                };
                (Field { text: text(bytes, lines.line)?, quoted: false }, position + length)
            }
        };
        record_fields.push(field);
        match record.get(end) {
            Some(&byte) if byte == separator => position = end + 1,
            Some(b'\n') | None => return Ok(Some((first, record_fields))),
            Some(b'\r') if matches!(record.get(end + 1), Some(b'\n') | None) => {
                return Ok(Some((first, record_fields)));
            }
            Some(_) => {
                let help = "write a double quote inside a quoted field twice";
                return Err(FileError::new(lines.line, "there is text after a closing quote", help));
            }
        }
    }
}

/// Reads a quoted field, with further lines up to its closing quote. `start` is after the opening quote. Returns the
/// field and the offset after the closing quote.
fn quoted(lines: &mut Lines<'_>, record: &mut Vec<u8>, start: usize, first: u64) -> Result<(Field, usize), FileError> {
    let mut bytes = Vec::new();
    let mut position = start;
    loop {
        match record.get(position) {
            Some(b'"') if record.get(position + 1) == Some(&b'"') => {
                bytes.push(b'"');
                position += 2;
            }
            Some(b'"') => return Ok((Field { text: text(&bytes, lines.line)?, quoted: true }, position + 1)),
            Some(&byte) => {
                bytes.push(byte);
                position += 1;
            }
            None => {
                if !lines.add_to(record)? {
                    let why = "a quote in this record is never closed";
                    return Err(FileError::new(first, why, "close it, or write it twice if it is meant as a quote"));
                }
            }
        }
    }
}

fn text(bytes: &[u8], line: u64) -> Result<String, FileError> {
    let bad =
        |_| FileError::new(line, "there are bytes that are not UTF-8", "convert the file: iconv -f LATIN1 -t UTF-8");
    String::from_utf8(bytes.to_vec()).map_err(bad)
}
