//! Reads columns of all rows of several tables.

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;

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

/// A table that is read.
struct PlannedTable {
    tree: Tree,
    sources: Vec<ColumnSource>,
    /// The fields of all sources, in ascending order.
    fields: Vec<usize>,
    /// For each source, the position of its field.
    positions: Vec<Option<usize>>,
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
        let source = |&column: &usize| layout.columns.get(column).copied().ok_or_else(missing);
        let sources: Vec<ColumnSource> = reading.columns.iter().map(source).collect::<Result<_, Fault>>()?;
        if sources.contains(&ColumnSource::Computed) {
            return Err(Fault::unsupported("a column is computed when it is read"));
        }
        let number = |source: &ColumnSource| match source {
            ColumnSource::Field(field) => Some(field.number),
            ColumnSource::Rowid | ColumnSource::Computed => None,
        };
        let mut fields: Vec<usize> = sources.iter().filter_map(number).collect();
        fields.sort_unstable();
        // A column can be read in several forms.
        fields.dedup();
        let positions = sources.iter().map(|source| fields.iter().position(|&field| Some(field) == number(source)));
        let positions = positions.collect();
        let tree = Tree::open(self.source, &mut PageClaims::new(self.source), layout.root, layout.without_rowid)?;
        Ok(PlannedTable { tree, sources, fields, positions })
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
                let mut row: [ValueRef<'_>; SMALL] = [ValueRef::Null; SMALL];
                let value = |index: usize| {
                    let (source, position) = (table.sources[index], table.positions[index]);
                    match (source, position.map(|position| fields.value(&cell, position))) {
                        (ColumnSource::Field(_), Some(FieldValue::Value(value))) => Ok(value),
                        (ColumnSource::Field(field), Some(FieldValue::Absent)) if field.absent_is_null => {
                            Ok(ValueRef::Null)
                        }
                        (ColumnSource::Field(_), Some(FieldValue::Absent)) => {
                            Err(Fault::unsupported("a row has only a default"))
                        }
                        (ColumnSource::Field(_), Some(FieldValue::TooLong)) => {
                            Err(Fault::unsupported("a value is too long"))
                        }
                        _ => Ok(ValueRef::Integer(cell.rowid)),
                    }
                };
                let width = table.sources.len();
                if width <= SMALL {
                    for (index, slot) in row[..width].iter_mut().enumerate() {
                        *slot = value(index)?;
                    }
                    reader.row(&row[..width]);
                    return Ok(());
                }
                let wide: Vec<ValueRef<'_>> = (0..width).map(value).collect::<Result<_, Fault>>()?;
                reader.row(&wide);
                Ok(())
            })
        })?;
        reader.finish();
        Ok(())
    }
}

/// Rows of so many columns are kept on the stack.
const SMALL: usize = 32;
