//! Many rows of one table, by number. A row takes little more memory than the values of its name.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::model::row::RowName;
use crate::model::value::Value;
use crate::model::value::exact_bytes;

/// The names of rows, which are numbered from 0. Equal names have the same number.
pub(super) struct RowNumbers {
    columns: Arc<[String]>,
    /// The values of all names, one name after the other.
    values: Vec<Value>,
    numbers: HashTable<usize>,
    hasher: RandomState,
}

impl RowNumbers {
    pub(super) fn new(columns: Arc<[String]>) -> RowNumbers {
        RowNumbers { columns, values: Vec::new(), numbers: HashTable::new(), hasher: RandomState::new() }
    }

    /// Returns the number of a row, and adds the row if it is new.
    pub(super) fn number(&mut self, name: &RowName) -> usize {
        let name = name.values();
        let (width, hasher) = (self.columns.len(), &self.hasher);
        let hash = |name: &[Value]| hasher.hash_one(exact_bytes(name));
        let name_of = |number: usize| &self.values[number * width..(number + 1) * width];
        let new = self.numbers.len();
        let entry =
            self.numbers.entry(hash(name), |&number| is_same(name_of(number), name), |&number| hash(name_of(number)));
        let number = *entry.or_insert(new).get();
        if number == new {
            self.values.extend_from_slice(name);
        }
        number
    }

    /// Returns the number of a row, if it has one.
    pub(super) fn get(&self, name: &RowName) -> Option<usize> {
        self.number_of(name.values())
    }

    /// Returns the number of the row with these values.
    pub(super) fn number_of(&self, name: &[Value]) -> Option<usize> {
        let hash = self.hasher.hash_one(exact_bytes(name));
        self.numbers.find(hash, |&number| is_same(self.values_of(number), name)).copied()
    }

    pub(super) fn name(&self, number: usize) -> RowName {
        RowName::of(&self.columns, self.values_of(number).to_vec())
    }

    /// Returns all rows, this number of them at a time.
    pub(super) fn chunks(&self, size: usize) -> impl Iterator<Item = RowChunk> {
        (0..self.len()).step_by(size).map(move |first| {
            let last = (first + size).min(self.len());
            RowChunk { first, names: (first..last).map(|number| self.name(number)).collect() }
        })
    }

    /// Returns the number of columns of a name.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn values_of(&self, number: usize) -> &[Value] {
        let width = self.columns.len();
        &self.values[number * width..(number + 1) * width]
    }
}

/// Rows with consecutive numbers.
pub(super) struct RowChunk {
    pub(super) first: usize,
    pub(super) names: Vec<RowName>,
}

fn is_same(left: &[Value], right: &[Value]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.is_same(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_number_of_its_own() {
        let columns: Arc<[String]> = ["a".to_owned(), "b".to_owned()].into();
        let name = |values: [Value; 2]| RowName::of(&columns, values.to_vec());
        let mut names: Vec<RowName> = (0..10_000)
            .map(|number| name([Value::Integer(number / 100), Value::text((number % 100).to_string())]))
            .collect();
        // Values that only their bits or their classes tell apart.
        names.push(name([Value::Real(0.0), Value::Null]));
        names.push(name([Value::Real(-0.0), Value::Null]));
        names.push(name([Value::Integer(0), Value::Null]));
        names.push(name([Value::Real(f64::NAN), Value::Blob(vec![0])]));
        let mut rows = RowNumbers::new(Arc::clone(&columns));
        for _ in 0..2 {
            assert!(names.iter().map(|name| rows.number(name)).eq(0..names.len()));
        }
        assert_eq!(rows.len(), names.len());
        assert_eq!(rows.get(&name([Value::Integer(0), Value::Integer(0)])), None);
        for (number, name) in names.iter().enumerate() {
            assert!(rows.get(name) == Some(number) && rows.name(number).is_same(name), "{name:?}");
        }
        let chunked = rows.chunks(999).flat_map(|chunk| (chunk.first..).zip(chunk.names));
        assert!(
            chunked.zip(&names).enumerate().all(|(index, ((number, row), name))| number == index && row.is_same(name))
        );
    }
}
