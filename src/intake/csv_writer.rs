//! Writes rows as CSV or TSV. Reading the file again gives the same rows; NULL and empty text stay distinct.

use std::io::Result;
use std::io::Write;

use crate::intake::ReadOptions;
use crate::model::text;
use crate::model::value::Value;

pub struct CsvWriter<W: Write> {
    out: W,
    separator: u8,
    null: String,
    header_written: bool,
    /// The number of rows written so far.
    pub rows: u64,
}

impl<W: Write> CsvWriter<W> {
    pub fn new(out: W, separator: u8, options: &ReadOptions) -> CsvWriter<W> {
        let null = options.null.clone().unwrap_or_default();
        // If the options name the columns, the file has no header.
        CsvWriter { out, separator, null, header_written: options.columns.is_some(), rows: 0 }
    }

    pub fn write_row(&mut self, columns: &[String], values: &[Value]) -> Result<()> {
        self.write_header(columns)?;
        self.rows += 1;
        let fields = values.iter().map(|value| match value {
            Value::Null => (self.null.clone(), false),
            Value::Text(bytes) => (String::from_utf8_lossy(bytes).into_owned(), true),
            other => (text::value(other), true),
        });
        let fields: Vec<(String, bool)> = fields.collect();
        self.write_line(&fields)
    }

    /// Writes the header, unless it was written before.
    pub fn write_header(&mut self, columns: &[String]) -> Result<()> {
        if std::mem::replace(&mut self.header_written, true) {
            return Ok(());
        }
        let names: Vec<(String, bool)> = columns.iter().map(|name| (name.clone(), true)).collect();
        self.write_line(&names)
    }

    pub fn finish(mut self) -> Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_line(&mut self, fields: &[(String, bool)]) -> Result<()> {
        for (position, (field, is_text)) in fields.iter().enumerate() {
            if position > 0 {
                self.out.write_all(&[self.separator])?;
            }
            let separator = char::from(self.separator);
            // A line with a single empty field would be read as an empty line.
            let would_vanish = fields.len() == 1 && field.is_empty();
            let needs_quotes = field.contains([separator, '"', '\n', '\r'])
                || (*is_text && *field == self.null)
                || (would_vanish && *is_text);
            if needs_quotes {
                write!(self.out, "\"{}\"", field.replace('"', "\"\""))?;
            } else {
                self.out.write_all(field.as_bytes())?;
            }
        }
        self.out.write_all(b"\n")
    }
}
