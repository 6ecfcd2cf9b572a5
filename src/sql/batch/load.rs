//! Rows that a server gets together, and the statements that load them.

use super::names_beside_image;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowGroup;
use crate::model::value::Value;

/// The statement that loads rows.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchLoad {
    /// The rows follow the statement, in the text format of the server.
    Stream(String),
    /// The statement has a parameter for each value of this number of rows.
    Rows(String, usize),
}

/// The values of rows in the order of a statement that loads them, one row after the other.
#[derive(Debug, Clone)]
pub struct LoadedRows<'v> {
    /// The number of values of a row.
    pub width: usize,
    pub values: Vec<&'v Value>,
}

impl<'v> LoadedRows<'v> {
    /// Returns the rows of a group's temporary table. Each begins with its number. A value that a line lacks is NULL.
    pub fn of_lines(group: &RowGroup<'_>, numbers: &'v [Value], lines: &[&BatchLine<'v>]) -> LoadedRows<'v> {
        let (names, images) = (names_beside_image(group).len(), group.before.len());
        let mut set: Vec<usize> = group.set.iter().map(|(_, position)| *position).collect();
        set.sort_unstable();
        let width = 1 + names + images + set.len();
        let mut values = Vec::with_capacity(width * lines.len());
        for (number, line) in numbers.iter().zip(lines) {
            let name = (0..names).map(|index| line.name.get(index));
            let before = (0..images).map(|index| line.before.get(index));
            let after = set.iter().map(|&position| line.after.get(position));
            values.push(number);
            values.extend(name.chain(before).chain(after).map(|value| value.unwrap_or(&Value::Null)));
        }
        LoadedRows { width, values }
    }

    /// Returns the new values of rows that are inserted.
    pub fn of_new_rows(group: &RowGroup<'_>, lines: &[&BatchLine<'v>]) -> LoadedRows<'v> {
        LoadedRows { width: group.set.len(), values: lines.iter().flat_map(|line| line.new_values(group)).collect() }
    }

    /// Returns the number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.width.max(1)
    }
}
