//! CSV as RFC 4180 has it, and the same with tabs. A quoted field may hold line breaks; nothing else about quotes is
//! forgiven, because whoever forgives a quote joins two rows.

use std::io::BufRead;
use std::rc::Rc;

use super::BadFile;
use super::LONGEST_RECORD;
use super::Manner;
use super::Record;
use crate::model::value::Value;

pub(super) fn read<E: From<BadFile>>(
    mut source: impl BufRead,
    separator: u8,
    manner: &Manner,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines { source: &mut source, line: 0 };
    let mut columns: Option<Rc<[String]>> = manner.columns.as_ref().map(|columns| columns.as_slice().into());
    while let Some((line, fields)) = fields(&mut lines, separator)? {
        let Some(columns) = &columns else {
            let names = fields.into_iter().map(|field| field.text);
            columns = Some(names.collect::<Vec<String>>().into());
            continue;
        };
        // A line with nothing on it is no row, unless a row has but one column.
        if let [only] = fields.as_slice()
            && only.text.is_empty()
            && !only.quoted
            && columns.len() > 1
        {
            continue;
        }
        if fields.len() != columns.len() {
            let why = format!("there are {} fields, and {} columns", fields.len(), columns.len());
            let help = "put fields that hold the separator in double quotes; or is it another kind of file (--input)?";
            return Err(BadFile::new(line, why, help).into());
        }
        let value = |field: Field| {
            let is_null = match &manner.null {
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
        None => {
            Err(BadFile::new(1, "the file is empty", "the first line names the columns; or name them: --columns")
                .into())
        }
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
    /// Adds the next line, its break included, to the record; false at the end of the file.
    fn add_to(&mut self, record: &mut Vec<u8>) -> Result<bool, BadFile> {
        let room = (LONGEST_RECORD - record.len()) as u64;
        let mut limited = std::io::Read::take(&mut *self.source, room + 1);
        let read = limited.read_until(b'\n', record).map_err(|error| BadFile::io(self.line + 1, &error))?;
        self.line += u64::from(read > 0);
        if record.len() > LONGEST_RECORD {
            let help = "look for a double quote that is never closed";
            return Err(BadFile::new(self.line, "a record is longer than 64 MiB", help));
        }
        Ok(read > 0)
    }
}

/// The fields of the next record, and the line it begins on.
fn fields(lines: &mut Lines<'_>, separator: u8) -> Result<Option<(u64, Vec<Field>)>, BadFile> {
    let mut record = Vec::new();
    if !lines.add_to(&mut record)? {
        return Ok(None);
    }
    let first = lines.line;
    if first == 1 && record.starts_with(&[0xef, 0xbb, 0xbf]) {
        record.drain(..3);
    }
    if first == 1 && (record.starts_with(&[0xff, 0xfe]) || record.starts_with(&[0xfe, 0xff])) {
        return Err(BadFile::new(1, "the file is in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"));
    }
    let mut found = Vec::new();
    let mut place = 0;
    loop {
        let (field, end) = match record.get(place) {
            Some(b'"') => quoted(lines, &mut record, place + 1, first)?,
            _ => {
                let rest = &record[place..];
                let length = rest.iter().position(|&byte| byte == separator || byte == b'\n').unwrap_or(rest.len());
                let bytes = &rest[..length];
                let bytes = if rest.get(length) != Some(&separator) {
                    bytes.strip_suffix(b"\r").unwrap_or(bytes)
                } else {
                    bytes
                };
                (Field { text: text(bytes, lines.line)?, quoted: false }, place + length)
            }
        };
        found.push(field);
        match record.get(end) {
            Some(&byte) if byte == separator => place = end + 1,
            Some(b'\n') | None => return Ok(Some((first, found))),
            Some(b'\r') if matches!(record.get(end + 1), Some(b'\n') | None) => return Ok(Some((first, found))),
            Some(_) => {
                let help = "write a double quote inside a quoted field twice";
                return Err(BadFile::new(lines.line, "there is text behind a closing quote", help));
            }
        }
    }
}

/// A field in quotes, from behind the first of them; further lines are read until the last.
fn quoted(lines: &mut Lines<'_>, record: &mut Vec<u8>, start: usize, first: u64) -> Result<(Field, usize), BadFile> {
    let mut bytes = Vec::new();
    let mut place = start;
    loop {
        match record.get(place) {
            Some(b'"') if record.get(place + 1) == Some(&b'"') => {
                bytes.push(b'"');
                place += 2;
            }
            Some(b'"') => return Ok((Field { text: text(&bytes, lines.line)?, quoted: true }, place + 1)),
            Some(&byte) => {
                bytes.push(byte);
                place += 1;
            }
            None => {
                if !lines.add_to(record)? {
                    let why = "a quote that is opened in this record is never closed";
                    return Err(BadFile::new(first, why, "close it, or write it twice if it is meant as a quote"));
                }
            }
        }
    }
}

fn text(bytes: &[u8], line: u64) -> Result<String, BadFile> {
    let bad =
        |_| BadFile::new(line, "there are bytes that are not UTF-8", "convert the file: iconv -f LATIN1 -t UTF-8");
    String::from_utf8(bytes.to_vec()).map_err(bad)
}
