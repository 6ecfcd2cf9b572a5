//! A key put together from the fields of a record.

use std::cmp::Ordering;

use super::super::key::Key;
use super::super::key::Rule;
use super::super::layout::Column;
use super::super::page::Cell;
use super::super::reading::Fields;
use super::super::reading::Found;
use super::super::record::Stored;
use super::plan::WIDEST_KEY;

/// Where each part of a key is among the wanted fields of a record.
pub(super) struct Lookup {
    parts: Vec<Part>,
    /// The parts in the order in which the records hold them.
    stored_order: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Field { position: usize, absent_is_null: bool },
    Rowid,
}

/// The numbers of all fields that these keys take, ascending.
pub(super) fn wanted<'a>(keys: impl IntoIterator<Item = &'a [Column]>) -> Vec<usize> {
    let fields = keys.into_iter().flatten().filter_map(|column| match column {
        Column::Field(field) => Some(field.number),
        Column::Rowid | Column::Computed => None,
    });
    let mut numbers: Vec<usize> = fields.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

impl Lookup {
    pub(super) fn new(key: &[Column], wanted: &[usize]) -> Lookup {
        let part = |column: &Column| match column {
            Column::Field(field) => Part::Field {
                position: wanted.partition_point(|&number| number < field.number),
                absent_is_null: field.absent_is_null,
            },
            Column::Rowid | Column::Computed => Part::Rowid,
        };
        let mut stored_order: Vec<usize> = (0..key.len()).collect();
        stored_order.sort_by_key(|&place| match &key[place] {
            Column::Field(field) => field.number,
            Column::Rowid | Column::Computed => usize::MAX,
        });
        Lookup { parts: key.iter().map(part).collect(), stored_order }
    }

    #[inline(always)]
    pub(super) fn key(&self, rule: &Rule, cell: &Cell<'_>, fields: &Fields, scratch: &mut Vec<u8>) -> Key {
        if let [part] = self.parts[..] {
            return match part.value(cell, fields) {
                Some(value) => rule.key(&[value], scratch),
                None => Key::Outside,
            };
        }
        if let [one, two] = self.parts[..] {
            return match (one.value(cell, fields), two.value(cell, fields)) {
                (Some(one), Some(two)) => rule.key(&[one, two], scratch),
                _ => Key::Outside,
            };
        }
        let mut values = [Stored::Null; WIDEST_KEY];
        match self.values(cell, fields, &mut values) {
            Some(values) => rule.key(values, scratch),
            None => Key::Outside,
        }
    }

    /// Whether the second of two records belongs before the first, as far as can be told here.
    pub(super) fn descends(&self, rule: &Rule, first: (&Cell<'_>, &Fields), second: (&Cell<'_>, &Fields)) -> bool {
        let (mut one, mut two) = ([Stored::Null; WIDEST_KEY], [Stored::Null; WIDEST_KEY]);
        let values = self.values(first.0, first.1, &mut one).zip(self.values(second.0, second.1, &mut two));
        values.and_then(|(one, two)| rule.order(&self.stored_order, one, two)) == Some(Ordering::Greater)
    }

    /// The values of the key; `None` where one is not at hand.
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
                Found::Value(value) => Some(value),
                Found::Absent if absent_is_null => Some(Stored::Null),
                Found::Absent | Found::TooLong => None,
            },
        }
    }
}
