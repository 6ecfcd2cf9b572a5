//! Reads answers page by page.
//!
//! The runtime runs only while a page is filled, and rests while the caller reads the page. Therefore no code of a
//! caller runs inside a runtime, and a caller may query another connection in the middle of an answer.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use crate::model::value::Value;

/// The rows of an answer, in the order in which the server sends them.
pub(in crate::engine) type Answer<'c, P> = BoxStream<'c, Result<P, sqlx::Error>>;

/// A page is full at this number of rows,
const ROWS: usize = 1024;

/// or at this number of bytes, so that memory is bounded for rows of any size.
const BYTES: usize = 1 << 18;

/// The part of an answer that is in memory.
pub(in crate::engine) trait Page<P> {
    fn add(&mut self, piece: P) -> Result<(), sqlx::Error>;

    fn is_full(&self) -> bool;

    fn clear(&mut self);
}

/// Reads until the page is full. Returns true if there may be more.
pub(super) async fn fill<P>(answer: &mut Answer<'_, P>, page: &mut impl Page<P>) -> Result<bool, sqlx::Error> {
    while !page.is_full() {
        match answer.try_next().await? {
            Some(piece) => page.add(piece)?,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Rows of values, one after the other.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rows {
    values: Vec<Value>,
    rows: usize,
    bytes: usize,
}

impl Rows {
    /// Adds one row, whose values `read` appends.
    pub(in crate::engine) fn add(
        &mut self,
        read: impl FnOnce(&mut Vec<Value>) -> Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        let start = self.values.len();
        if let Err(error) = read(&mut self.values) {
            // A row that cannot be read completely is discarded.
            self.values.truncate(start);
            return Err(error);
        }
        self.rows += 1;
        self.bytes += self.values[start..].iter().map(Value::bytes).sum::<usize>();
        Ok(())
    }

    pub(in crate::engine) fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    pub(in crate::engine) fn clear(&mut self) {
        self.values.clear();
        self.rows = 0;
        self.bytes = 0;
    }

    /// All rows of an answer have the same number of values.
    pub(in crate::engine) fn each(&self, each: &mut dyn FnMut(&[Value])) {
        match self.values.len().checked_div(self.rows) {
            None => {}
            Some(0) => (0..self.rows).for_each(|_| each(&[])),
            Some(width) => self.values.chunks_exact(width).for_each(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_full_at_its_rows_or_its_bytes() {
        let mut rows = Rows::default();
        let number = |values: &mut Vec<Value>| {
            values.push(Value::Integer(7));
            Ok(())
        };
        for _ in 0..ROWS {
            assert!(!rows.is_full());
            rows.add(number).unwrap();
        }
        assert!(rows.is_full());
        rows.clear();
        let large = |values: &mut Vec<Value>| {
            values.push(Value::Blob(vec![0; BYTES]));
            Ok(())
        };
        rows.add(large).unwrap();
        assert!(rows.is_full());
    }

    #[test]
    fn page_gives_its_rows_as_they_were_added() {
        let mut rows = Rows::default();
        for number in 0..3 {
            rows.add(|values| {
                values.extend([Value::Integer(number), Value::Null]);
                Ok(())
            })
            .unwrap();
        }
        let torn = rows.add(|values| {
            values.push(Value::Null);
            Err(sqlx::Error::Protocol("torn".to_owned()))
        });
        assert!(torn.is_err());
        let mut seen = Vec::new();
        rows.each(&mut |row| seen.push(row.to_vec()));
        assert_eq!(seen, [0, 1, 2].map(|number| vec![Value::Integer(number), Value::Null]));
        rows.clear();
        rows.add(|_| Ok(())).unwrap();
        let mut empty = 0;
        rows.each(&mut |row| empty += usize::from(row.is_empty()));
        assert_eq!(empty, 1, "a row without values is a row");
    }
}
