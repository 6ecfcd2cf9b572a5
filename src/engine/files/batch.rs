//! Some rows of a table, column by column.

use parquet::data_type::ByteArray;

use super::cell::Cell;

/// Rows that were read together.
pub(super) struct Batch<'a> {
    pub(super) rows: usize,
    pub(super) addresses: Addresses<'a>,
    pub(super) columns: &'a [Column],
}

/// The addresses of the rows of a batch.
#[derive(Clone, Copy)]
pub(super) enum Addresses<'a> {
    /// The address of the first row. Those of the others follow without a gap.
    From(i64),
    Listed(&'a [i64]),
}

impl Addresses<'_> {
    #[inline(always)]
    pub(super) fn of(&self, row: usize) -> i64 {
        match self {
            Addresses::From(first) => first + row as i64,
            Addresses::Listed(rows) => rows[row],
        }
    }
}

/// The values of a column in a batch.
pub(super) struct Column {
    pub(super) values: Values,
    /// False for a row whose value is NULL. Empty if no value is NULL.
    pub(super) present: Vec<bool>,
}

/// One value for each row. The value of a row that is NULL is arbitrary.
pub(super) enum Values {
    Integers(Vec<i64>),
    Unsigned(Vec<u64>),
    Wide(Vec<i128>),
    Reals(Vec<f64>),
    Bytes(Vec<ByteArray>),
    /// Texts one after the other, each with its end.
    Texts {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    /// All rows have this value.
    Same(Option<Vec<u8>>),
}

impl Column {
    /// Returns a column whose rows are all NULL, or all the same text.
    pub(super) fn same(value: Option<Vec<u8>>) -> Column {
        Column { values: Values::Same(value), present: Vec::new() }
    }

    #[inline(always)]
    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        if self.present.get(row) == Some(&false) {
            return Cell::Null;
        }
        match &self.values {
            Values::Integers(values) => Cell::Integer(values[row]),
            Values::Unsigned(values) => Cell::Unsigned(values[row]),
            Values::Wide(values) => Cell::Wide(values[row]),
            Values::Reals(values) => Cell::Real(values[row]),
            Values::Bytes(values) => Cell::Bytes(values[row].data()),
            Values::Texts { bytes, ends } => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                Cell::Bytes(&bytes[start..ends[row]])
            }
            Values::Same(Some(value)) => Cell::Bytes(value),
            Values::Same(None) => Cell::Null,
        }
    }
}
