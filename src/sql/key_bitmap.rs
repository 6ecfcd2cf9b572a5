//! The queries that check whole-number keys of PostgreSQL by a bitmap of the parent's keys.
//!
//! The bitmap goes back to the server as a value, and a sequential scan of the child finds each key in it. Two integers
//! are equal for the server's operator exactly if they are one number, so the bitmap gives the operator's verdict.

use crate::model::catalog::Table;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;

/// The set of keys in a range of whole numbers. The bit of the lowest number is the lowest bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBitmap {
    pub lowest: i64,
    pub highest: i64,
    pub bits: Vec<u8>,
}

impl KeyBitmap {
    /// Returns an empty bitmap for a range of keys; `None` if it takes more than `max_bytes` bytes.
    pub fn of_range(lowest: i64, highest: i64, max_bytes: u64) -> Option<KeyBitmap> {
        let bytes = highest.checked_sub(lowest)? / 8 + 1;
        let bytes = u64::try_from(bytes).ok().filter(|&bytes| bytes <= max_bytes)?;
        Some(KeyBitmap { lowest, highest, bits: vec![0; usize::try_from(bytes).ok()?] })
    }

    /// Adds a key. Returns false if the key is outside of the range.
    #[must_use]
    pub fn insert(&mut self, key: i64) -> bool {
        if !(self.lowest..=self.highest).contains(&key) {
            return false;
        }
        let bit = key.abs_diff(self.lowest);
        let byte = usize::try_from(bit / 8).ok().and_then(|index| self.bits.get_mut(index));
        byte.map(|byte| *byte |= 1 << (bit % 8)).is_some()
    }
}

/// Returns a query for one row: the lowest and the highest key of a parent, such as (1, 9000).
pub fn range(parent: &Table, column: usize) -> Sql {
    let key = format!("parent.{}", quoted(&parent.columns[column].name));
    plain(format!("SELECT min({key})::int8, max({key})::int8 FROM {}", source(parent, "parent")))
}

/// Returns a query for every key of a parent: rows of one number.
pub fn keys(parent: &Table, column: usize) -> Sql {
    let key = format!("parent.{}", quoted(&parent.columns[column].name));
    plain(format!("SELECT {key}::int8 FROM {} WHERE {key} IS NOT NULL", source(parent, "parent")))
}

/// Returns a query for one row: the number of child rows, and for each of these columns the rows with a NULL and the
/// rows whose key is not in its bitmap, such as (9, 2, 0).
pub fn counts(child: &Table, columns: &[(usize, &KeyBitmap)]) -> Sql {
    let mut query = POSTGRES.query();
    let mut wanted = vec!["count(*)".to_owned()];
    for (column, bitmap) in columns {
        let missing = missing(&mut query, child, *column, bitmap);
        wanted.push(format!("count(*) - count(child.{})", quoted(&child.columns[*column].name)));
        wanted.push(format!("count(*) FILTER (WHERE {missing})"));
    }
    query.finish(format!("SELECT {} FROM {}", wanted.join(", "), source(child, "child")))
}

/// Returns a query for the addresses of the rows whose key is not in the bitmap, as text, such as ('(0,7)').
pub fn suspects(child: &Table, column: usize, bitmap: &KeyBitmap) -> Sql {
    let mut query = POSTGRES.query();
    let missing = missing(&mut query, child, column, bitmap);
    query.finish(format!("SELECT child.ctid::text FROM {} WHERE {missing}", source(child, "child")))
}

fn source(table: &Table, alias: &str) -> String {
    POSTGRES.source(None, table, alias, Reading::WholeTable)
}

/// Returns the condition that a key is not in the bitmap. The range is tested first, because there is no bit outside of
/// it. A NULL is in no range and is no key.
fn missing(query: &mut Query, child: &Table, column: usize, bitmap: &KeyBitmap) -> String {
    let lowest = query.parameter(Value::Integer(bitmap.lowest));
    let highest = query.parameter(Value::Integer(bitmap.highest));
    let bits = query.parameter(Value::Blob(bitmap.bits.clone()));
    let key = format!("child.{}::int8", quoted(&child.columns[column].name));
    format!(
        "CASE WHEN {key} BETWEEN {lowest} AND {highest} THEN get_bit({bits}, ({key} - {lowest})::int4) = 0 \
         ELSE {key} IS NOT NULL END"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmap_has_the_bit_order_of_get_bit() {
        let mut bitmap = KeyBitmap::of_range(-3, 12, 2).unwrap();
        assert!([-3, 4, 5, 12].iter().all(|&key| bitmap.insert(key)));
        assert_eq!(bitmap.bits, [0b1000_0001, 0b1000_0001]);
        assert!(!bitmap.insert(13) && !bitmap.insert(i64::MIN));
    }

    #[test]
    fn range_that_is_too_wide_has_no_bitmap() {
        assert_eq!(KeyBitmap::of_range(0, 16, 2), None);
        assert_eq!(KeyBitmap::of_range(i64::MIN, i64::MAX, u64::MAX), None);
        assert!(KeyBitmap::of_range(i64::MAX, i64::MAX, 1).unwrap().insert(i64::MAX));
    }
}
