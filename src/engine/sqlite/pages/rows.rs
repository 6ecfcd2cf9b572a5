//! Reads columns of all rows of several tables.

use std::collections::BTreeSet;

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use smallvec::SmallVec;

use super::fault::Fault;
use super::header::Encoding;
use super::layout::ColumnSource;
use super::layout::Layouts;
use super::reading::FieldValue;
use super::reading::Fields;
use super::reading::RecordReader;
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
    columns: Vec<PlannedColumn>,
    /// The fields of all columns, in ascending order.
    fields: Vec<usize>,
}

enum PlannedColumn {
    Rowid,
    /// A field, by its position among those that are read.
    Field {
        position: usize,
        absent_is_null: bool,
    },
}

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
        let mut pieces: Vec<(usize, &PlannedTable, TreePiece)> = Vec::new();
        for (index, table) in planned.iter().enumerate() {
            let Ok(table) = table else { continue };
            pieces.extend(table.tree.pieces().map(|piece| (index, table, piece)));
        }
        let read = |&(index, table, piece): &(usize, &PlannedTable, TreePiece)| {
            (index, self.read_piece(table, piece, index, consumer))
        };
        let outcomes: Vec<(usize, Result<(), Fault>)> =
            match rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build() {
                Ok(pool) if threads > 1 => pool.install(|| pieces.par_iter().with_max_len(1).map(read).collect()),
                _ => pieces.iter().map(read).collect(),
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
        // A column can be read in several forms.
        let fields: BTreeSet<usize> = sources.iter().filter_map(|source| Some(source.field()?.number)).collect();
        let fields: Vec<usize> = fields.into_iter().collect();
        let column = |source: ColumnSource| match source.field() {
            None => PlannedColumn::Rowid,
            Some(field) => PlannedColumn::Field {
                position: fields.partition_point(|&before| before < field.number),
                absent_is_null: field.absent_is_null,
            },
        };
        let columns = sources.into_iter().map(column).collect();
        let tree = Tree::open(self.source, &mut PageClaims::new(self.source), layout.root, layout.without_rowid)?;
        Ok(PlannedTable { tree, columns, fields })
    }

    fn read_piece(
        &self,
        table: &PlannedTable,
        piece: TreePiece,
        index: usize,
        consumer: &dyn RowConsumer,
    ) -> Result<(), Fault> {
        if self.deadline.has_passed() {
            return Err(Fault::TimeLimit);
        }
        let mut reader = consumer.reader(index);
        if reader.is_done() {
            return Ok(());
        }
        let (mut fields, mut buffer) = (Fields::new(&table.fields), Vec::new());
        let records = RecordReader::new(self.source, table.fields.len());
        table.tree.each_page(self.source, piece, &mut buffer, |page| {
            page.each_cell(|cell| {
                records.read(page, &cell, &mut fields)?;
                let mut row: SmallVec<[ValueRef<'_>; USUAL_WIDTH]> = SmallVec::new();
                for column in &table.columns {
                    row.push(match *column {
                        PlannedColumn::Rowid => ValueRef::Integer(cell.rowid),
                        PlannedColumn::Field { position, absent_is_null } => match fields.value(&cell, position) {
                            FieldValue::Value(value) => value,
                            FieldValue::Absent if absent_is_null => ValueRef::Null,
                            FieldValue::Absent => return Err(Fault::unsupported("a row has only a default")),
                            FieldValue::TooLong => return Err(Fault::unsupported("a value is too long")),
                        },
                    });
                }
                reader.row(&row);
                Ok(())
            })
        })?;
        reader.finish();
        Ok(())
    }
}

/// Rows of so many columns are kept on the stack.
const USUAL_WIDTH: usize = 32;
