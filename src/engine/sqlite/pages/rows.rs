//! Reads columns of all rows of several tables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use smallvec::SmallVec;
use smallvec::smallvec;

use super::fault::Fault;
use super::header::Encoding;
use super::layout::ColumnSource;
use super::layout::Layouts;
use super::page::Cell as PageCell;
use super::reading::FieldValue;
use super::reading::Fields;
use super::reading::RecordReader;
use super::record;
use super::source::PageSource;
use super::tree::PageClaims;
use super::tree::Tree;
use super::tree::TreePiece;
use crate::engine::Deadline;
use crate::engine::RowConsumer;
use crate::engine::RowsReading;
use crate::model::value::ValueRef;
use crate::sql::discover::Cell;

/// A table that is read.
struct PlannedTable {
    tree: Tree,
    /// The number of values of a row that a reader gets.
    width: usize,
    /// The positions in the row that get the rowid.
    rowids: Vec<usize>,
    /// The fields that are read, in ascending order, each with its position in the row.
    fields: Vec<(usize, usize)>,
    /// True for each of these fields that is NULL in a record that ends before it.
    absent_is_null: Vec<bool>,
    /// Positions in the row that get the value of another one, which comes first.
    copies: Vec<(usize, usize)>,
}

/// Pieces of a table that one reader gets after each other.
struct Portion<'t> {
    reading: usize,
    table: &'t PlannedTable,
    pieces: Vec<TreePiece>,
}

/// A portion has at most so many pieces. A reader needs some time to begin and to finish.
const MOST_PIECES: usize = 16;

/// A table has at least so many portions for each thread, so that all threads are busy until the end.
const LEAST_PORTIONS: usize = 8;

pub struct RowsReader<'a> {
    pub layouts: &'a Layouts,
    pub source: &'a PageSource,
    pub deadline: &'a Deadline,
}

impl RowsReader<'_> {
    /// Gives all rows to readers of `consumer`, from several threads and in no order. Returns an outcome for each reading.
    /// After a fault the readers may have got some of the rows.
    pub fn read(
        &self,
        readings: &[RowsReading<'_>],
        threads: usize,
        consumer: &dyn RowConsumer,
    ) -> Vec<Result<(), Fault>> {
        let planned: Vec<Result<PlannedTable, Fault>> = readings.iter().map(|reading| self.plan(reading)).collect();
        let mut portions: Vec<Portion<'_>> = Vec::new();
        for (reading, table) in planned.iter().enumerate() {
            let Ok(table) = table else { continue };
            let pieces: Vec<TreePiece> = table.tree.pieces().collect();
            let at_once = (pieces.len() / (threads.max(1) * LEAST_PORTIONS)).clamp(1, MOST_PIECES);
            portions.extend(pieces.chunks(at_once).map(|pieces| Portion { reading, table, pieces: pieces.to_vec() }));
        }
        let read = |portion: &Portion<'_>| (portion.reading, self.read_portion(portion, consumer));
        let outcomes: Vec<(usize, Result<(), Fault>)> =
            match rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build() {
                Ok(pool) if threads > 1 => pool.install(|| portions.par_iter().with_max_len(1).map(read).collect()),
                _ => portions.iter().map(read).collect(),
            };
        let mut results: Vec<Result<(), Fault>> =
            planned.iter().map(|table| table.as_ref().map(|_| ()).map_err(Clone::clone)).collect();
        for (index, outcome) in outcomes {
            if results[index].is_ok() {
                results[index] = outcome;
            }
        }
        results
    }

    fn plan(&self, reading: &RowsReading<'_>) -> Result<PlannedTable, Fault> {
        if self.source.header.encoding != Encoding::Utf8 {
            return Err(Fault::unsupported("its text is not UTF-8"));
        }
        let name = &reading.table.name.table;
        let missing = || Fault::unsupported(format!("{name} is not stored as a table"));
        let layout = self.layouts.tables.get(name).ok_or_else(missing)?;
        // The columns of this engine have no comparison keys of their own.
        let source = |cell: &Cell<'_>| layout.columns.get(cell.column).copied().ok_or_else(missing);
        let sources: Vec<ColumnSource> = reading.cells.iter().map(source).collect::<Result<_, Fault>>()?;
        if sources.contains(&ColumnSource::Computed) {
            return Err(Fault::unsupported("a column is computed when it is read"));
        }
        let mut table = PlannedTable {
            tree: Tree::open(self.source, &mut PageClaims::new(self.source), layout.root, layout.without_rowid)?,
            width: sources.len(),
            rowids: Vec::new(),
            fields: Vec::new(),
            absent_is_null: Vec::new(),
            copies: Vec::new(),
        };
        let mut fields: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
        for (position, source) in sources.into_iter().enumerate() {
            match source.field() {
                None => table.rowids.push(position),
                Some(field) => match fields.entry(field.number) {
                    Entry::Vacant(entry) => _ = entry.insert((position, field.absent_is_null)),
                    // A column can be read in several forms.
                    Entry::Occupied(first) => table.copies.push((first.get().0, position)),
                },
            }
        }
        for (field, (position, absent_is_null)) in fields {
            table.fields.push((field, position));
            table.absent_is_null.push(absent_is_null);
        }
        Ok(table)
    }

    fn read_portion(&self, portion: &Portion<'_>, consumer: &dyn RowConsumer) -> Result<(), Fault> {
        let table = portion.table;
        let mut reader = consumer.reader(portion.reading);
        let numbers: Vec<usize> = table.fields.iter().map(|(field, _)| *field).collect();
        let (mut fields, mut buffer) = (Fields::new(&numbers), Vec::new());
        let records = RecordReader::new(self.source, numbers.len());
        for &piece in &portion.pieces {
            if self.deadline.has_passed() {
                return Err(Fault::TimeLimit);
            }
            if reader.is_done() {
                break;
            }
            table.tree.each_page(self.source, piece, &mut buffer, |page| {
                let mut row: Row<'_> = smallvec![ValueRef::Null; table.width];
                page.each_cell(|cell| {
                    let is_short =
                        record::short_values(cell.local, &table.fields, |position, value| row[*position] = value);
                    if is_short {
                        table.complete(&cell, &mut row);
                        reader.row(&row);
                    } else {
                        records.read(page, &cell, &mut fields)?;
                        reader.row(&table.decoded(&fields, &cell)?);
                    }
                    Ok(())
                })
            })?;
        }
        reader.finish();
        Ok(())
    }
}

impl PlannedTable {
    /// Sets the values of a row that do not come first from a field.
    #[inline(always)]
    fn complete(&self, cell: &PageCell<'_>, row: &mut [ValueRef<'_>]) {
        for &position in &self.rowids {
            row[position] = ValueRef::Integer(cell.rowid);
        }
        for &(from, to) in &self.copies {
            row[to] = row[from];
        }
    }

    /// Returns the row of a record that was decoded in full.
    #[cold]
    fn decoded<'v>(&self, fields: &'v Fields, cell: &PageCell<'v>) -> Result<Row<'v>, Fault> {
        let mut row: Row<'v> = smallvec![ValueRef::Null; self.width];
        for (number, ((_, position), absent_is_null)) in self.fields.iter().zip(&self.absent_is_null).enumerate() {
            row[*position] = match fields.value(cell, number) {
                FieldValue::Value(value) => value,
                FieldValue::Absent if *absent_is_null => ValueRef::Null,
                FieldValue::Absent => return Err(Fault::unsupported("a row has only a default")),
                FieldValue::TooLong => return Err(Fault::unsupported("a value is too long")),
            };
        }
        self.complete(cell, &mut row);
        Ok(row)
    }
}

type Row<'v> = SmallVec<[ValueRef<'v>; USUAL_WIDTH]>;

/// Rows of so many columns are kept on the stack.
const USUAL_WIDTH: usize = 32;
