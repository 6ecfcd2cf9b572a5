//! Text files with a record on each line: CSV and TSV, also compressed.
//!
//! A field in quotation marks may contain delimiters and line breaks, and a doubled quotation mark. A field without them
//! that is `null` by the dialect is NULL. A record with another number of fields than the header is a fault, because nobody
//! knows which of its fields are missing.

use super::batch::Column;
use super::batch::Values;
use super::fault::Fault;
use super::lake::DataFile;
use super::lake::Dialect;
use super::text_input::TextInput;

/// Reads the records of a file.
pub(super) struct TextReader<'a> {
    input: TextInput<'a>,
    dialect: &'a Dialect,
    /// The line of the next record, from 1.
    line: u64,
    width: usize,
}

/// Where a field lies in the buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Field {
    start: usize,
    end: usize,
    is_quoted: bool,
    has_doubled_quotes: bool,
}

/// The outcome of parsing a record from the buffer.
enum Parsed {
    /// The record ends before this offset, and has so many line breaks.
    Record { end: usize, lines: u64 },
    /// The record goes on after the buffer.
    Incomplete,
}

impl<'a> TextReader<'a> {
    /// `limit` is the largest size of a record, in bytes.
    pub(super) fn open(file: &'a DataFile, dialect: &'a Dialect, limit: u64) -> Result<TextReader<'a>, Fault> {
        Ok(TextReader { input: TextInput::open(file, limit)?, dialect, line: 1, width: 0 })
    }

    /// Reads the header. Returns its names.
    pub(super) fn header(&mut self) -> Result<Vec<String>, Fault> {
        let mut fields = Vec::new();
        self.input.begin()?;
        let Some(_) = self.record(&mut fields)? else {
            return Err(Fault::of(self.input.file, "it is empty, so that nobody knows its columns"));
        };
        let name = |field: &Field| {
            let mut bytes = Vec::new();
            append(&self.input.buffer, field, &mut bytes);
            String::from_utf8(bytes)
        };
        let names: Result<Vec<String>, _> = fields.iter().map(name).collect();
        let names = names.map_err(|_| Fault::of(self.input.file, "its header is not UTF-8 text"))?;
        if let Some(name) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
            return Err(Fault::of(self.input.file, format!("its header has the column {name} twice")));
        }
        self.width = names.len();
        Ok(names)
    }

    /// Reads at most `most` records. Returns these fields of each, and puts their lines into `lines`.
    pub(super) fn next(&mut self, most: usize, wanted: &[usize], lines: &mut Vec<u64>) -> Result<Vec<Column>, Fault> {
        lines.clear();
        let mut texts: Vec<(Vec<u8>, Vec<usize>, Vec<bool>)> = vec![Default::default(); wanted.len()];
        let mut fields = Vec::with_capacity(self.width);
        while lines.len() < most {
            let Some(line) = self.record(&mut fields)? else { break };
            if fields.len() != self.width {
                let why = format!("line {line} has {} fields, and the header has {}", fields.len(), self.width);
                return Err(Fault::of(self.input.file, why));
            }
            lines.push(line);
            for ((bytes, ends, present), &field) in texts.iter_mut().zip(wanted) {
                let field = &fields[field];
                let is_null = !field.is_quoted
                    && self.dialect.null.iter().any(|null| *null == self.input.buffer[field.start..field.end]);
                if !is_null {
                    append(&self.input.buffer, field, bytes);
                }
                ends.push(bytes.len());
                present.push(!is_null);
            }
        }
        let column = |(bytes, ends, present): (Vec<u8>, Vec<usize>, Vec<bool>)| Column {
            values: Values::Texts { bytes, ends },
            present: if present.contains(&false) { present } else { Vec::new() },
        };
        Ok(texts.into_iter().map(column).collect())
    }

    /// Parses the next record that is not an empty line. Returns its line; `None` at the end of the file.
    fn record(&mut self, fields: &mut Vec<Field>) -> Result<Option<u64>, Fault> {
        loop {
            if self.input.at == self.input.buffer.len() && !self.input.fill()? {
                return Ok(None);
            }
            match self.parse(fields)? {
                Parsed::Record { end, lines } => {
                    let line = self.line;
                    let is_empty = self.width != 1
                        && matches!(fields.as_slice(), [field] if field.start == field.end && !field.is_quoted);
                    self.input.at = end;
                    self.line += lines;
                    if !is_empty {
                        return Ok(Some(line));
                    }
                }
                Parsed::Incomplete => {
                    self.input.check_size(self.line)?;
                    self.input.fill()?;
                }
            }
        }
    }

    /// Finds the fields of the record at the begin of the buffer.
    fn parse(&self, fields: &mut Vec<Field>) -> Result<Parsed, Fault> {
        fields.clear();
        let (bytes, delimiter) = (&self.input.buffer, self.dialect.delimiter);
        let (mut at, mut lines) = (self.input.at, 1);
        loop {
            let field = if bytes.get(at) == Some(&b'"') {
                let (mut end, mut has_doubled_quotes) = (at + 1, false);
                loop {
                    let Some(found) = memchr::memchr2(b'"', b'\n', bytes.get(end..).unwrap_or_default()) else {
                        if self.input.is_at_end {
                            let why = format!("line {} begins a quoted field that never ends", self.line);
                            return Err(Fault::of(self.input.file, why));
                        }
                        return Ok(Parsed::Incomplete);
                    };
                    end += found;
                    if bytes[end] == b'\n' {
                        lines += 1;
                        end += 1;
                        continue;
                    }
                    match bytes.get(end + 1) {
                        Some(b'"') => {
                            has_doubled_quotes = true;
                            end += 2;
                        }
                        None if !self.input.is_at_end => return Ok(Parsed::Incomplete),
                        _ => break,
                    }
                }
                let field = Field { start: at + 1, end, is_quoted: true, has_doubled_quotes };
                at = end + 1;
                field
            } else {
                let rest = bytes.get(at..).unwrap_or_default();
                let length = match memchr::memchr3(delimiter, b'\n', b'\r', rest) {
                    Some(length) => length,
                    None if self.input.is_at_end => rest.len(),
                    None => return Ok(Parsed::Incomplete),
                };
                let field = Field { start: at, end: at + length, ..Field::default() };
                at += length;
                field
            };
            fields.push(field);
            match bytes.get(at) {
                Some(byte) if *byte == delimiter => at += 1,
                Some(b'\n') => return Ok(Parsed::Record { end: at + 1, lines }),
                Some(b'\r') => match bytes.get(at + 1) {
                    Some(b'\n') => return Ok(Parsed::Record { end: at + 2, lines }),
                    None if !self.input.is_at_end => return Ok(Parsed::Incomplete),
                    _ => return Ok(Parsed::Record { end: at + 1, lines }),
                },
                None if self.input.is_at_end => return Ok(Parsed::Record { end: at, lines: lines - 1 }),
                None => return Ok(Parsed::Incomplete),
                Some(_) => {
                    let why = format!("line {} has text after the quotation mark that ends a field", self.line);
                    return Err(Fault::of(self.input.file, why));
                }
            }
        }
    }
}

fn append(buffer: &[u8], field: &Field, into: &mut Vec<u8>) {
    let mut rest = &buffer[field.start..field.end];
    if field.has_doubled_quotes {
        while let Some(quote) = memchr::memchr(b'"', rest) {
            into.extend_from_slice(&rest[..=quote]);
            rest = rest.get(quote + 2..).unwrap_or_default();
        }
    }
    into.extend_from_slice(rest);
}
