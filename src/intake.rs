//! Reads rows from files: CSV, TSV, JSON and NDJSON become records with their line numbers.
//!
//! One record is in memory at a time. A malformed file is an error with its line; nothing is guessed. This module does
//! not know which table the rows are for, nor whether the table would accept them.

use std::io::BufRead;
use std::rc::Rc;

use crate::model::text::io_reason;
use crate::model::value::Value;

mod csv;
pub mod csv_writer;
mod json;

/// In bytes. A longer record is taken for a mistake, such as a quote that is never closed.
const LONGEST_RECORD: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Csv,
    Tsv,
    Json,
    Ndjson,
}

impl FileKind {
    pub const ALL: [FileKind; 4] = [FileKind::Csv, FileKind::Tsv, FileKind::Json, FileKind::Ndjson];

    pub fn name(self) -> &'static str {
        match self {
            FileKind::Csv => "csv",
            FileKind::Tsv => "tsv",
            FileKind::Json => "json",
            FileKind::Ndjson => "ndjson",
        }
    }

    /// Returns the kind that the extension of a file name stands for.
    pub fn from_name(name: &str) -> Option<FileKind> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "jsonl" => Some(FileKind::Ndjson),
            "txt" => Some(FileKind::Tsv),
            ending => FileKind::ALL.into_iter().find(|kind| kind.name() == ending),
        }
    }
}

/// Options for reading a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// The column names, if the first line does not contain them.
    pub columns: Option<Vec<String>>,
    /// The text of an unquoted field that means NULL. By default an empty field of CSV or TSV does.
    pub null: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The line on which the record begins, counted from 1.
    pub line: u64,
    pub columns: Rc<[String]>,
    pub values: Vec<Value>,
}

/// An error in a file, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    pub line: u64,
    pub why: String,
    pub help: String,
}

impl FileError {
    fn new(line: u64, why: impl Into<String>, help: impl Into<String>) -> FileError {
        FileError { line, why: why.into(), help: help.into() }
    }

    fn io(line: u64, error: &std::io::Error) -> FileError {
        FileError::new(line, io_reason(error), "check that the file can be read to its end")
    }
}

/// Calls `each` with every record of a file, in order. An error from `each` ends the reading and is returned.
pub fn read<E: From<FileError>>(
    source: impl BufRead,
    kind: FileKind,
    options: &ReadOptions,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    match kind {
        FileKind::Csv => csv::read(source, b',', options, each),
        FileKind::Tsv => csv::read(source, b'\t', options, each),
        FileKind::Json => json::array(source, each),
        FileKind::Ndjson => json::lines(source, each),
    }
}

#[cfg(test)]
mod tests;
