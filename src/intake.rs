//! Rows from files, one at a time: CSV, TSV, JSON and NDJSON become records with the line they stand on.
//!
//! A file that is not what it should be is an error with its line, never a guess; one record is held at a time. Leaves
//! out: which table the rows are for, and whether it would take them.

use std::io::BufRead;
use std::rc::Rc;

use crate::model::value::Value;

mod csv;
pub mod csv_writer;
mod json;

/// Longer records are not rows but accidents.
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

    /// As the end of a file's name says.
    pub fn of(name: &str) -> Option<FileKind> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "jsonl" => Some(FileKind::Ndjson),
            "txt" => Some(FileKind::Tsv),
            ending => FileKind::ALL.into_iter().find(|kind| kind.name() == ending),
        }
    }
}

/// How the text of a file is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manner {
    /// The columns, where the first line does not name them.
    pub columns: Option<Vec<String>>,
    /// A field without quotes that reads so is NULL. In CSV and TSV an empty one is by default.
    pub null: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The line on which it begins, from 1.
    pub line: u64,
    pub columns: Rc<[String]>,
    pub values: Vec<Value>,
}

/// What is wrong with a file, and on which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFile {
    pub line: u64,
    pub why: String,
    pub help: String,
}

impl BadFile {
    fn new(line: u64, why: impl Into<String>, help: impl Into<String>) -> BadFile {
        BadFile { line, why: why.into(), help: help.into() }
    }

    fn io(line: u64, error: &std::io::Error) -> BadFile {
        BadFile::new(line, error.to_string(), "check that the file can be read to its end")
    }
}

/// Calls `each` with every record of a file, in order. `each` may end it with a fault of its own.
pub fn read<E: From<BadFile>>(
    source: impl BufRead,
    kind: FileKind,
    manner: &Manner,
    each: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    match kind {
        FileKind::Csv => csv::read(source, b',', manner, each),
        FileKind::Tsv => csv::read(source, b'\t', manner, each),
        FileKind::Json => json::array(source, each),
        FileKind::Ndjson => json::lines(source, each),
    }
}

#[cfg(test)]
mod tests;
