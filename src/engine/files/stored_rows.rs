//! Gives the rows of tables to the readers of a discovery, with the key of each value in the kind in which it is compared.

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;
use smallvec::SmallVec;

use super::batch::Batch;
use super::batch::Column;
use super::cell::Cell;
use super::cell::Comparand;
use super::cell::shown;
use super::fault::Fault;
use super::lake::LakeTable;
use super::rows;
use super::rows::Limits;
use super::types::Class;
use super::types::FileType;
use crate::engine::RowConsumer;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::discover;
use crate::sql::discover::CellKey;

/// Rows of so many columns are kept on the stack.
const USUAL_WIDTH: usize = 32;

/// A column that is read, and what is given of its values.
struct Wanted<'a> {
    /// The position among the columns that are read.
    position: usize,
    of: &'a FileType,
    given: Given,
}

#[derive(Clone, Copy)]
enum Given {
    Value,
    Key(Class),
}

/// The values of a column of a batch.
enum Prepared<'b> {
    /// They are given as the file has them.
    Stored(&'b Column, &'b FileType),
    Made(Vec<Value>),
}

/// Gives all rows of a table to readers of `consumer`, from the threads of this pool.
pub(super) fn read(
    table: &LakeTable,
    cells: &[discover::Cell<'_>],
    limits: Limits<'_>,
    (consumer, reading): (&dyn RowConsumer, usize),
) -> Result<(), Fault> {
    if let Some(why) = &table.unreadable {
        return Err(Fault::Unreadable(why.clone()));
    }
    let mut columns: Vec<usize> = cells.iter().map(|cell| cell.column).collect();
    columns.sort_unstable();
    columns.dedup();
    let wanted = |cell: &discover::Cell<'_>| Wanted {
        position: columns.partition_point(|&before| before < cell.column),
        of: &table.columns[cell.column].of,
        given: match cell.key {
            Some(CellKey::File(kind)) => Given::Key(Class::of_kind(kind)),
            Some(CellKey::Collation(_)) | None => Given::Value,
        },
    };
    let wanted: Vec<Wanted<'_>> = cells.iter().map(wanted).collect();
    let outcomes = rows::pieces(table).into_par_iter().with_max_len(1).map(|piece| {
        let mut reader = consumer.reader(reading);
        let mut is_done = reader.is_done();
        if is_done {
            return Ok(());
        }
        let outcome = rows::read(table, piece, &columns, limits, &mut |batch| {
            let prepared: Vec<Prepared<'_>> = wanted.iter().map(|wanted| wanted.prepared(batch)).collect();
            for row in 0..batch.rows {
                let values: SmallVec<[ValueRef<'_>; USUAL_WIDTH]> =
                    prepared.iter().map(|column| column.value(row)).collect();
                reader.row(&values);
            }
            is_done = reader.is_done();
            // Reading ends here, and no table is unreadable.
            if is_done { Err(Fault::Unreadable(String::new())) } else { Ok(()) }
        });
        match outcome {
            Err(_) if is_done => {}
            outcome => outcome?,
        }
        reader.finish();
        Ok(())
    });
    outcomes.collect()
}

impl Wanted<'_> {
    fn prepared<'b>(&'b self, batch: &'b Batch<'_>) -> Prepared<'b> {
        let column = &batch.columns[self.position];
        let cells = (0..batch.rows).map(|row| column.cell(row));
        match self.given {
            Given::Value if is_shown_as_stored(self.of) => Prepared::Stored(column, self.of),
            Given::Value => Prepared::Made(cells.map(|cell| shown(cell, self.of)).collect()),
            Given::Key(class) => {
                let mut scratch = Vec::new();
                let key = |cell| Comparand { cell, of: self.of, class }.key(&mut scratch);
                Prepared::Made(cells.map(key).collect())
            }
        }
    }
}

fn is_shown_as_stored(of: &FileType) -> bool {
    matches!(
        of,
        FileType::Integer
            | FileType::Boolean
            | FileType::Real
            | FileType::Text
            | FileType::Binary
            | FileType::Untyped
            | FileType::Null
    )
}

impl Prepared<'_> {
    #[inline]
    fn value(&self, row: usize) -> ValueRef<'_> {
        let (column, of) = match self {
            Prepared::Made(values) => return values[row].borrowed(),
            Prepared::Stored(column, of) => (column, of),
        };
        match column.cell(row) {
            Cell::Null | Cell::Unsigned(_) | Cell::Wide(_) => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(number),
            Cell::Real(number) if number.is_nan() => ValueRef::Text(b"NaN"),
            Cell::Real(number) => ValueRef::Real(number),
            Cell::Bytes(bytes) if **of == FileType::Binary => ValueRef::Blob(bytes),
            Cell::Bytes(bytes) => ValueRef::Text(bytes),
        }
    }
}
