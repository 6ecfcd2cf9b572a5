//! The tables of a folder of files, and the files of each.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaData;

use super::kept_lines::KeptLines;
use super::stamp::Stamp;
use super::types::FileType;
use crate::model::catalog::Engine;
use crate::model::facts::RowAddress;

/// The tables, in the order of the catalog.
pub(super) struct Lake {
    pub(super) tables: Vec<LakeTable>,
}

pub(super) struct LakeTable {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) files: Vec<DataFile>,
    pub(super) columns: Vec<LakeColumn>,
    /// The columns that name a row; empty if its file and its position do.
    pub(super) key: Vec<usize>,
    /// The reason why the table cannot be read.
    pub(super) unreadable: Option<String>,
    pub(super) dialect: Dialect,
}

impl LakeTable {
    /// Returns the name of a row's address in SQL, which no column has.
    pub(super) fn address_name(&self) -> Option<&'static str> {
        let RowAddress::Lasting(names) = Engine::Files.facts().row_address else { return None };
        let is_hidden = |name: &str| self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        names.iter().copied().find(|name| !is_hidden(name))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LakeColumn {
    pub(super) name: String,
    pub(super) of: FileType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Text,
    JsonLines,
}

/// How a text file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Fields without quotation marks that are NULL.
    pub(super) null: Vec<Vec<u8>>,
}

pub(super) struct DataFile {
    pub(super) path: PathBuf,
    /// The path below the lake, with `/`.
    pub(super) name: String,
    pub(super) stamp: Stamp,
    /// Where the file has each column of the table.
    pub(super) sources: Vec<ColumnSource>,
    /// The footer of a Parquet file.
    pub(super) footer: Option<Arc<ParquetMetaData>>,
    /// The values of a small file of JSON lines.
    pub(super) kept: Option<KeptLines>,
}

/// Where a file has a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnSource {
    /// The number of a leaf of a Parquet file, of a field of a text file, or of a member of JSON lines.
    Field(usize),
    /// A value in the name of the folder.
    Folder(Option<Vec<u8>>),
    /// The file has no such column, so that it is NULL in all rows.
    Absent,
}

/// The bits of an address that number a row in its file.
const ROW_BITS: u32 = 40;

/// Returns the address of a row: the position of its file in the table, and its number in the file.
pub(super) fn address(file: usize, row: u64) -> i64 {
    ((file as u64) << ROW_BITS | row & ((1 << ROW_BITS) - 1)).cast_signed()
}

/// Returns the position of a row's file and the row's number in it: `(0, 17)`.
pub(super) fn located(address: i64) -> (usize, u64) {
    let bits = address.cast_unsigned();
    ((bits >> ROW_BITS) as usize, bits & ((1 << ROW_BITS) - 1))
}
