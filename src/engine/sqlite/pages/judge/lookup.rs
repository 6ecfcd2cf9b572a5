//! Assembles a key from the fields of a record.

use std::cmp::Ordering;

use super::super::key::KeyComparison;
use super::super::layout::ColumnSource;
use super::super::page::Cell;
use super::super::reading::FieldValue;
use super::super::reading::Fields;
use super::super::record::Stored;
use super::plan::WIDEST_KEY;
use crate::engine::keyset::Key;
use crate::engine::orphan_list::KeyBytes;

/// The position of each part of a key among the wanted fields of a record.
pub(super) struct Lookup {
    parts: Vec<Part>,
    /// The parts in the order in which the records store them.
    stored_order: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Field { position: usize, absent_is_null: bool },
    Rowid,
}

/// Returns the numbers of all fields that these keys use, in ascending order.
pub(super) fn wanted<'a>(keys: impl IntoIterator<Item = &'a [ColumnSource]>) -> Vec<usize> {
    let fields = keys.into_iter().flatten().filter_map(|column| match column {
        ColumnSource::Field(field) => Some(field.number),
        ColumnSource::Rowid | ColumnSource::Computed => None,
    });
    let mut numbers: Vec<usize> = fields.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

impl Lookup {
    pub(super) fn new(key: &[ColumnSource], wanted: &[usize]) -> Lookup {
        let part = |column: &ColumnSource| match column {
            ColumnSource::Field(field) => Part::Field {
                position: wanted.partition_point(|&number| number < field.number),
                absent_is_null: field.absent_is_null,
            },
            ColumnSource::Rowid | ColumnSource::Computed => Part::Rowid,
        };
        let mut stored_order: Vec<usize> = (0..key.len()).collect();
        stored_order.sort_by_key(|&position| match &key[position] {
            ColumnSource::Field(field) => field.number,
            ColumnSource::Rowid | ColumnSource::Computed => usize::MAX,
        });
        Lookup { parts: key.iter().map(part).collect(), stored_order }
    }

    #[inline(always)]
    pub(super) fn key(
        &self,
        comparison: &KeyComparison,
        cell: &Cell<'_>,
        fields: &Fields,
        scratch: &mut Vec<u8>,
    ) -> Key {
        if let [part] = self.parts[..] {
            return match part.value(cell, fields) {
                Some(value) => comparison.key(&[value], scratch),
                None => Key::Outside,
            };
        }
        if let [left, right] = self.parts[..] {
            return match (left.value(cell, fields), right.value(cell, fields)) {
                (Some(left), Some(right)) => comparison.key(&[left, right], scratch),
                _ => Key::Outside,
            };
        }
        let mut values = [Stored::Null; WIDEST_KEY];
        match self.values(cell, fields, &mut values) {
            Some(values) => comparison.key(values, scratch),
            None => Key::Outside,
        }
    }

    /// Puts the key's values into `into` as bytes that keep their order. Returns false if a value is none that orphans are
    /// proven with.
    pub(super) fn key_bytes(&self, cell: &Cell<'_>, fields: &Fields, into: &mut KeyBytes) -> bool {
        into.clear();
        let mut values = [Stored::Null; WIDEST_KEY];
        let Some(values) = self.values(cell, fields, &mut values) else { return false };
        for value in values {
            match value {
                Stored::Integer(number) => into.add_integer(*number),
                Stored::Text(text) => into.add_text(text),
                Stored::Blob(blob) => into.add_blob(blob),
                Stored::Null | Stored::Real(_) => return false,
            }
        }
        true
    }

    /// True if the second of two records certainly belongs before the first.
    pub(super) fn is_descending(
        &self,
        comparison: &KeyComparison,
        first: (&Cell<'_>, &Fields),
        second: (&Cell<'_>, &Fields),
    ) -> bool {
        let (mut left, mut right) = ([Stored::Null; WIDEST_KEY], [Stored::Null; WIDEST_KEY]);
        let values = self.values(first.0, first.1, &mut left).zip(self.values(second.0, second.1, &mut right));
        values.and_then(|(left, right)| comparison.order(&self.stored_order, left, right)) == Some(Ordering::Greater)
    }

    /// Returns the values of the key; `None` if one of them is unknown or too long.
    fn values<'a, 'b>(
        &self,
        cell: &Cell<'a>,
        fields: &'a Fields,
        into: &'b mut [Stored<'a>; WIDEST_KEY],
    ) -> Option<&'b [Stored<'a>]> {
        for (part, value) in self.parts.iter().zip(into.iter_mut()) {
            *value = part.value(cell, fields)?;
        }
        Some(&into[..self.parts.len()])
    }
}

impl Part {
    #[inline(always)]
    fn value<'a>(self, cell: &Cell<'a>, fields: &'a Fields) -> Option<Stored<'a>> {
        match self {
            Part::Rowid => Some(Stored::Integer(cell.rowid)),
            Part::Field { position, absent_is_null } => match fields.value(cell, position) {
                FieldValue::Value(value) => Some(value),
                FieldValue::Absent if absent_is_null => Some(Stored::Null),
                FieldValue::Absent | FieldValue::TooLong => None,
            },
        }
    }
}
