//! Reads some columns of all rows of a table, piece by piece.

use super::batch::Addresses;
use super::batch::Batch;
use super::batch::Column;
use super::fault::Fault;
use super::fault::caught;
use super::json_file::JsonReader;
use super::lake::ColumnSource;
use super::lake::Format;
use super::lake::LakeColumn;
use super::lake::LakeTable;
use super::lake::address;
use super::parquet_file::GroupReader;
use super::text_file::TextReader;
use crate::engine::Deadline;

/// Rows that are read together.
const BATCH: usize = 8_192;

/// The limits of reading.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    /// The largest page or record, in bytes.
    pub(super) memory: u64,
    pub(super) deadline: &'a Deadline,
}

/// A part of a table that one thread reads: a row group, or a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    file: usize,
    group: usize,
    /// The number of the first row in its file, from 0.
    first: u64,
}

/// Returns the pieces of a table, in the order of its rows.
pub(super) fn pieces(table: &LakeTable) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (number, file) in table.files.iter().enumerate() {
        match &file.footer {
            None => pieces.push(Piece { file: number, group: 0, first: 0 }),
            Some(footer) => {
                let mut first = 0;
                for (group, metadata) in footer.row_groups().iter().enumerate() {
                    pieces.push(Piece { file: number, group, first });
                    first += u64::try_from(metadata.num_rows()).unwrap_or(0);
                }
            }
        }
    }
    pieces
}

/// Returns an estimate of the number of rows of a table.
pub(super) fn estimate(table: &LakeTable) -> u64 {
    let of_file = |file: &super::lake::DataFile| match &file.footer {
        Some(footer) => u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0),
        // A field takes some bytes.
        None => file.stamp.size / (4 * table.columns.len().max(1) as u64),
    };
    table.files.iter().map(of_file).fold(0, u64::saturating_add)
}

/// Gives all rows of a piece to `visit`, with these columns.
pub(super) fn read(
    table: &LakeTable,
    piece: Piece,
    columns: &[usize],
    limits: Limits<'_>,
    visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let file = &table.files[piece.file];
    caught(file, || match table.format {
        Format::Parquet => read_group(table, piece, columns, limits, visit),
        Format::Text => read_text(table, piece, columns, limits, visit),
        Format::JsonLines => read_json(table, piece, columns, limits, visit),
    })
}

fn check_time(limits: Limits<'_>) -> Result<(), Fault> {
    if limits.deadline.has_passed() { Err(Fault::TimeLimit) } else { Ok(()) }
}

/// Returns the fields to read from the file, each once.
fn fields(table: &LakeTable, piece: Piece, columns: &[usize]) -> Vec<usize> {
    let sources = columns.iter().map(|&column| &table.files[piece.file].sources[column]);
    let mut fields: Vec<usize> = sources
        .filter_map(|source| match source {
            ColumnSource::Field(field) => Some(*field),
            _ => None,
        })
        .collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// Returns the columns in the order that was asked for, from the fields that were read.
fn arranged(table: &LakeTable, piece: Piece, columns: &[usize], fields: &[usize], read: Vec<Column>) -> Vec<Column> {
    let mut read: Vec<Option<Column>> = read.into_iter().map(Some).collect();
    let sources = columns.iter().map(|&column| &table.files[piece.file].sources[column]);
    sources
        .map(|source| match source {
            ColumnSource::Field(field) => {
                let at = fields.binary_search(field).ok();
                at.and_then(|at| read[at].take()).unwrap_or_else(|| Column::same(None))
            }
            ColumnSource::Folder(value) => Column::same(value.clone()),
            ColumnSource::Absent => Column::same(None),
        })
        .collect()
}

fn read_group(
    table: &LakeTable,
    piece: Piece,
    columns: &[usize],
    limits: Limits<'_>,
    visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let fields = fields(table, piece, columns);
    let mut reader = GroupReader::open(&table.files[piece.file], piece.group, &fields, limits.memory)?;
    let mut row = piece.first;
    loop {
        check_time(limits)?;
        let (rows, read) = reader.next(BATCH)?;
        if rows == 0 {
            return Ok(());
        }
        let columns = arranged(table, piece, columns, &fields, read);
        // Rows are numbered from 1.
        visit(&Batch { rows, addresses: Addresses::From(address(piece.file, row + 1)), columns: &columns })?;
        row += rows as u64;
    }
}

fn read_text(
    table: &LakeTable,
    piece: Piece,
    columns: &[usize],
    limits: Limits<'_>,
    visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let file = &table.files[piece.file];
    let fields = fields(table, piece, columns);
    let mut reader = TextReader::open(file, &table.dialect, limits.memory)?;
    let names = reader.header()?;
    let is_as_before = file.sources.iter().zip(&table.columns).all(|(source, column)| match source {
        ColumnSource::Field(field) => names.get(*field) == Some(&column.name),
        _ => true,
    });
    if !is_as_before {
        return Err(Fault::of(file, "its header changed while it was read"));
    }
    let next = |lines: &mut Vec<u64>| reader.next(BATCH, &fields, lines);
    read_records(table, piece, columns, limits, (&fields, next), visit)
}

fn read_json(
    table: &LakeTable,
    piece: Piece,
    columns: &[usize],
    limits: Limits<'_>,
    visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let file = &table.files[piece.file];
    let fields = fields(table, piece, columns);
    let column = |field: &usize| file.sources.iter().position(|source| *source == ColumnSource::Field(*field));
    let wanted: Vec<&LakeColumn> = fields.iter().filter_map(column).map(|column| &table.columns[column]).collect();
    let mut reader = JsonReader::open(file, limits.memory)?;
    let next = |lines: &mut Vec<u64>| reader.next(BATCH, &wanted, lines);
    read_records(table, piece, columns, limits, (&fields, next), visit)
}

/// Gives the records of a text file to `visit`. `next` reads some, and puts their lines into its argument.
fn read_records(
    table: &LakeTable,
    piece: Piece,
    columns: &[usize],
    limits: Limits<'_>,
    (fields, mut next): (&[usize], impl FnMut(&mut Vec<u64>) -> Result<Vec<Column>, Fault>),
    visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (mut lines, mut addresses) = (Vec::new(), Vec::new());
    loop {
        check_time(limits)?;
        let read = next(&mut lines)?;
        if lines.is_empty() {
            return Ok(());
        }
        addresses.clear();
        addresses.extend(lines.iter().map(|&line| address(piece.file, line)));
        let columns = arranged(table, piece, columns, fields, read);
        visit(&Batch { rows: lines.len(), addresses: Addresses::Listed(&addresses), columns: &columns })?;
    }
}
