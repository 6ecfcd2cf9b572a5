//! Rows back into a file of the kind they came from: CSV, or the same with tabs. What is read again is what was written,
//! NULL and empty texts told apart.

use std::io::Result;
use std::io::Write;

use crate::intake::Manner;
use crate::model::text;
use crate::model::value::Value;

pub struct Back<W: Write> {
    out: W,
    separator: u8,
    null: String,
    is_begun: bool,
    /// Lines of rows written so far.
    pub rows: u64,
}

impl<W: Write> Back<W> {
    pub fn new(out: W, separator: u8, manner: &Manner) -> Back<W> {
        let null = manner.null.clone().unwrap_or_default();
        // Columns that were named elsewhere are not named in the file.
        Back { out, separator, null, is_begun: manner.columns.is_some(), rows: 0 }
    }

    pub fn row(&mut self, columns: &[String], values: &[Value]) -> Result<()> {
        self.begin(columns)?;
        self.rows += 1;
        let fields = values.iter().map(|value| match value {
            Value::Null => (self.null.clone(), false),
            Value::Text(bytes) => (String::from_utf8_lossy(bytes).into_owned(), true),
            other => (text::value(other), true),
        });
        let fields: Vec<(String, bool)> = fields.collect();
        self.line(&fields)
    }

    /// Names the columns, unless that is done.
    pub fn begin(&mut self, columns: &[String]) -> Result<()> {
        if std::mem::replace(&mut self.is_begun, true) {
            return Ok(());
        }
        let names: Vec<(String, bool)> = columns.iter().map(|name| (name.clone(), true)).collect();
        self.line(&names)
    }

    pub fn finish(mut self) -> Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, fields: &[(String, bool)]) -> Result<()> {
        for (place, (field, is_text)) in fields.iter().enumerate() {
            if place > 0 {
                self.out.write_all(&[self.separator])?;
            }
            let separator = char::from(self.separator);
            // A line of one empty field would be no line.
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
