//! Reads the values of rows from the storage, without SQL.

use super::EngineError;
use crate::model::catalog::Table;
use crate::model::value::ValueRef;
use crate::sql::discover::Cell;

/// Columns of a table that are read in all rows.
#[derive(Debug, Clone)]
pub struct RowsReading<'a> {
    pub table: &'a Table,
    pub cells: Vec<Cell<'a>>,
}

/// The outcome of reading the rows of a table from the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsOutcome {
    Read,
    /// The storage cannot answer. The readers may have got some of the rows.
    AskSql,
    /// Neither the storage nor SQL can answer.
    Failed(EngineError),
}

/// Makes the readers of rows.
pub trait RowConsumer: Sync {
    /// Returns a reader for some rows of a reading, which is given by its position.
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_>;
}

/// Receives rows on one thread.
pub trait RowReader {
    fn row(&mut self, values: &[ValueRef<'_>]);

    /// True if the reader needs no more rows.
    fn is_done(&self) -> bool {
        false
    }

    /// Ends the reader, after its last row.
    fn finish(self: Box<Self>);
}

/// A question about the rows of a table, whose addresses a column stores.
#[derive(Debug, Clone)]
pub struct RowsQuestion<'a> {
    pub table: &'a Table,
    /// The column with the address of each row.
    pub column: usize,
    /// The addresses to look up.
    pub wanted: Vec<i64>,
    /// The number of addresses to return from the beginning of the table.
    pub first: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsAnswer {
    /// One flag for each wanted address: true if there is such a row.
    pub is_present: Vec<bool>,
    /// The first addresses, in ascending order.
    pub first: Vec<i64>,
    /// The last address, if the first ones were asked for.
    pub last: Option<i64>,
}
