//! Reads some columns of all rows of a table, piece by piece.

use super::batch::Addresses;
use super::batch::Batch;
use super::batch::Column;
use super::fault::Fault;
use super::fault::caught;
use super::json_file::JsonReader;
use super::json_file::kept_columns;
use super::lake::ColumnSource;
use super::lake::DataFile;
use super::lake::Format;
use super::lake::LakeColumn;
use super::lake::LakeTable;
use super::lake::address;
use super::parquet_rows::GroupReader;
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
    let of_file = |file: &DataFile| match &file.footer {
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
    visit: Visit<'_>,
) -> Result<(), Fault> {
    let file = &table.files[piece.file];
    let wanted = Wanted { table, file, piece, columns, limits };
    caught(file, || match table.format {
        Format::Parquet => wanted.read_group(visit),
        Format::Text => wanted.read_text(visit),
        Format::JsonLines => wanted.read_json(visit),
    })
}

type Visit<'a> = &'a mut dyn FnMut(&Batch<'_>) -> Result<(), Fault>;

/// The columns that are wanted of a piece.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    table: &'a LakeTable,
    file: &'a DataFile,
    piece: Piece,
    columns: &'a [usize],
    limits: Limits<'a>,
}

impl Wanted<'_> {
    fn check_time(self) -> Result<(), Fault> {
        if self.limits.deadline.has_passed() { Err(Fault::TimeLimit) } else { Ok(()) }
    }

    /// Returns the fields to read from the file, each once.
    fn fields(self) -> Vec<usize> {
        let sources = self.columns.iter().map(|&column| &self.file.sources[column]);
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
    fn arranged(self, fields: &[usize], read: Vec<Column>) -> Vec<Column> {
        let mut read: Vec<Option<Column>> = read.into_iter().map(Some).collect();
        let sources = self.columns.iter().map(|&column| &self.file.sources[column]);
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

    fn read_group(self, visit: Visit<'_>) -> Result<(), Fault> {
        let fields = self.fields();
        let mut reader = GroupReader::open(self.file, self.piece.group, &fields, self.limits.memory)?;
        let mut row = self.piece.first;
        loop {
            self.check_time()?;
            let (rows, read) = reader.next(BATCH)?;
            if rows == 0 {
                return Ok(());
            }
            let columns = self.arranged(&fields, read);
            // Rows are numbered from 1.
            let addresses = Addresses::From(address(self.piece.file, row + 1));
            visit(&Batch { rows, addresses, columns: &columns })?;
            row += rows as u64;
        }
    }

    fn read_text(self, visit: Visit<'_>) -> Result<(), Fault> {
        let fields = self.fields();
        let mut reader = TextReader::open(self.file, &self.table.dialect, self.limits.memory)?;
        let names = reader.header()?;
        let is_as_before = self.file.sources.iter().zip(&self.table.columns).all(|(source, column)| match source {
            ColumnSource::Field(field) => names.get(*field) == Some(&column.name),
            _ => true,
        });
        if !is_as_before {
            return Err(Fault::of(self.file, "its header changed while it was read"));
        }
        self.read_records(&fields, |lines| reader.next(BATCH, &fields, lines), visit)
    }

    fn read_json(self, visit: Visit<'_>) -> Result<(), Fault> {
        let fields = self.fields();
        let column = |field: &usize| {
            let number = self.file.sources.iter().position(|source| *source == ColumnSource::Field(*field));
            number.map(|number| &self.table.columns[number])
        };
        let wanted: Vec<&LakeColumn> = fields.iter().filter_map(column).collect();
        // A line that is larger than the memory is a fault, also if its values were kept.
        if let Some(kept) = self.file.kept.as_ref().filter(|kept| kept.longest <= self.limits.memory) {
            let numbered: Vec<(usize, &LakeColumn)> = fields.iter().copied().zip(wanted).collect();
            let mut next = 0;
            let read = |lines: &mut Vec<u64>| {
                let rows = next..kept.lines.len().min(next + BATCH);
                next = rows.end;
                lines.clear();
                lines.extend_from_slice(&kept.lines[rows.clone()]);
                kept_columns(self.file, kept, rows, &numbered)
            };
            return self.read_records(&fields, read, visit);
        }
        let mut reader = JsonReader::open(self.file, self.limits.memory)?;
        self.read_records(&fields, |lines| reader.next(BATCH, &wanted, lines), visit)
    }

    /// Gives the records of a text file to `visit`. `next` reads some, and puts their lines into its argument.
    fn read_records(
        self,
        fields: &[usize],
        mut next: impl FnMut(&mut Vec<u64>) -> Result<Vec<Column>, Fault>,
        visit: Visit<'_>,
    ) -> Result<(), Fault> {
        let (mut lines, mut addresses) = (Vec::new(), Vec::new());
        loop {
            self.check_time()?;
            let read = next(&mut lines)?;
            if lines.is_empty() {
                return Ok(());
            }
            addresses.clear();
            addresses.extend(lines.iter().map(|&line| address(self.piece.file, line)));
            let columns = self.arranged(fields, read);
            visit(&Batch { rows: lines.len(), addresses: Addresses::Listed(&addresses), columns: &columns })?;
        }
    }
}
