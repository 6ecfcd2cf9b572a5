//! The rows that get another primary key, each by its old and its new name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::row_numbers::RowNumbers;
use crate::model::ids::TableId;
use crate::model::row::RowName;

#[derive(Default)]
pub(super) struct MovedRows {
    tables: BTreeMap<TableId, Names>,
}

/// The names of the moved rows of one table.
struct Names {
    old: RowNumbers,
    new: RowNumbers,
    /// The number of the new name of each old one, and of the old name of each new one.
    new_of_old: Vec<usize>,
    old_of_new: Vec<usize>,
}

impl MovedRows {
    /// Adds a row. If it has been moved before, this is its newest name.
    pub(super) fn insert(&mut self, table: TableId, old: &RowName, new: &RowName) {
        let rows = || RowNumbers::new(Arc::clone(old.shared_columns()));
        let names = self.tables.entry(table).or_insert_with(|| Names {
            old: rows(),
            new: rows(),
            new_of_old: Vec::new(),
            old_of_new: Vec::new(),
        });
        let (old, new) = (names.old.number(old), names.new.number(new));
        set(&mut names.new_of_old, old, new);
        set(&mut names.old_of_new, new, old);
    }

    pub(super) fn new_name(&self, table: TableId, old: &RowName) -> Option<RowName> {
        let names = self.tables.get(&table)?;
        Some(names.new.name(names.new_of_old[names.old.get(old)?]))
    }

    pub(super) fn old_name(&self, table: TableId, new: &RowName) -> Option<RowName> {
        let names = self.tables.get(&table)?;
        Some(names.old.name(names.old_of_new[names.new.get(new)?]))
    }
}

/// Sets a value of a list, or adds it at the end.
fn set(list: &mut Vec<usize>, index: usize, value: usize) {
    match list.get_mut(index) {
        Some(earlier) => *earlier = value,
        None => list.push(value),
    }
}
