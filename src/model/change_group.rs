//! The facts that many changes of a plan share, so that each change contains only its values.
//!
//! The changes of a group have the same table, the same columns, the same changed columns and the same reasons. A
//! program can therefore prepare one statement for each group.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::TableName;
use super::plan::Adopted;
use super::plan::Change;
use super::plan::ChangeReason;
use super::row::Row;
use super::value::Value;

/// The shared facts of the changes of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangeGroup {
    pub table: TableName,
    /// The columns that identify the row.
    pub row: Arc<[String]>,
    pub images: GroupImages,
    /// At least one reason.
    pub reasons: Vec<ChangeReason>,
    /// See [`Change::kept`] and [`Change::orphan_of`].
    pub kept: Option<String>,
    pub orphan_of: Vec<String>,
    /// The positions of `row` among [`Self::columns`].
    row_positions: Option<Vec<usize>>,
}

/// The columns of both images.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GroupImages {
    Insert {
        columns: Arc<[String]>,
    },
    Delete {
        columns: Arc<[String]>,
    },
    /// `set` has the positions of the columns that change. All other columns keep their values.
    Update {
        columns: Arc<[String]>,
        set: Vec<usize>,
    },
    /// Both images exist, with different columns. Only plans of older versions have such changes.
    Replace {
        before: Arc<[String]>,
        after: Arc<[String]>,
    },
}

impl GroupImages {
    /// Returns the number of values of a change before and after it, each `None` without an image: (Some(3), Some(1)) for an update
    /// of one of three columns.
    pub fn widths(&self) -> (Option<usize>, Option<usize>) {
        match self {
            GroupImages::Insert { columns } => (None, Some(columns.len())),
            GroupImages::Delete { columns } => (Some(columns.len()), None),
            GroupImages::Update { columns, set } => (Some(columns.len()), Some(set.len())),
            GroupImages::Replace { before, after } => (Some(before.len()), Some(after.len())),
        }
    }
}

impl ChangeGroup {
    /// Returns the group of a change.
    pub fn of(change: &Change) -> ChangeGroup {
        ChangeGroup::new(
            change.table.clone(),
            Arc::clone(change.row.shared_columns()),
            GroupImages::of(change),
            change.reasons.clone(),
            change.kept.clone(),
            change.orphan_of.clone(),
        )
    }

    pub fn new(
        table: TableName,
        row: Arc<[String]>,
        images: GroupImages,
        reasons: Vec<ChangeReason>,
        kept: Option<String>,
        orphan_of: Vec<String>,
    ) -> ChangeGroup {
        let columns = images.columns();
        let row_positions = row.iter().map(|name| columns.iter().position(|column| column == name)).collect();
        ChangeGroup { table, row, images, reasons, kept, orphan_of, row_positions }
    }

    /// True if the change belongs to the group.
    pub fn contains(&self, change: &Change) -> bool {
        is_equal(&self.row, change.row.shared_columns())
            && self.images.fit(change)
            && self.table == change.table
            && self.reasons == change.reasons
            && self.kept == change.kept
            && self.orphan_of == change.orphan_of
    }

    /// Returns the columns of the row before the change, or of an inserted row.
    pub fn columns(&self) -> &Arc<[String]> {
        self.images.columns()
    }

    /// Returns the positions of the identifying columns among [`Self::columns`]; `None` if the images lack one of them.
    pub fn row_positions(&self) -> Option<&[usize]> {
        self.row_positions.as_deref()
    }

    /// True if these identifying values are in the image, which is the row before the change or the inserted row.
    pub fn names_row(&self, image: &[Value], row: &[Value]) -> bool {
        self.row_positions().is_some_and(|positions| {
            positions.len() == row.len()
                && positions.iter().zip(row).all(|(&at, name)| image.get(at).is_some_and(|value| value.is_same(name)))
        })
    }
}

impl GroupImages {
    fn columns(&self) -> &Arc<[String]> {
        match self {
            GroupImages::Insert { columns } | GroupImages::Delete { columns } => columns,
            GroupImages::Update { columns, .. } => columns,
            GroupImages::Replace { before, .. } => before,
        }
    }

    fn of(change: &Change) -> GroupImages {
        match (&change.before, &change.after) {
            (None, None) => GroupImages::Insert { columns: Arc::new([]) },
            (None, Some(after)) => GroupImages::Insert { columns: Arc::clone(after.shared_columns()) },
            (Some(before), None) => GroupImages::Delete { columns: Arc::clone(before.shared_columns()) },
            (Some(before), Some(after)) if is_equal(before.shared_columns(), after.shared_columns()) => {
                GroupImages::Update {
                    columns: Arc::clone(before.shared_columns()),
                    set: changed(before, after).collect(),
                }
            }
            (Some(before), Some(after)) => GroupImages::Replace {
                before: Arc::clone(before.shared_columns()),
                after: Arc::clone(after.shared_columns()),
            },
        }
    }

    fn fit(&self, change: &Change) -> bool {
        match (self, &change.before, &change.after) {
            (GroupImages::Insert { columns }, None, after) => {
                after.as_ref().map_or(columns.is_empty(), |after| is_equal(columns, after.shared_columns()))
            }
            (GroupImages::Delete { columns }, Some(before), None) => is_equal(columns, before.shared_columns()),
            (GroupImages::Update { columns, set }, Some(before), Some(after)) => {
                is_equal(columns, before.shared_columns())
                    && is_equal(columns, after.shared_columns())
                    && changed(before, after).eq(set.iter().copied())
            }
            (GroupImages::Replace { before: old, after: new }, Some(before), Some(after)) => {
                !is_equal(before.shared_columns(), after.shared_columns())
                    && is_equal(old, before.shared_columns())
                    && is_equal(new, after.shared_columns())
            }
            _ => false,
        }
    }
}

/// Returns the positions of the values that differ between rows with the same columns.
fn changed(before: &Row, after: &Row) -> impl Iterator<Item = usize> {
    let pairs = before.values().iter().zip(after.values()).enumerate();
    pairs.filter(|(_, (old, new))| !old.is_same(new)).map(|(position, _)| position)
}

fn is_equal(left: &Arc<[String]>, right: &Arc<[String]>) -> bool {
    Arc::ptr_eq(left, right) || left == right
}

/// A change as its group and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedChange {
    /// The number of the group in its plan, from 0. Equal numbers have equal groups.
    pub number: usize,
    pub group: Arc<ChangeGroup>,
    /// The identifying values, if they are not those of the image.
    pub row: Option<Vec<Value>>,
    /// The image before the change, in the order of the group's columns. Empty for an insert.
    pub before: Vec<Value>,
    /// The values after the change: of the changed columns for an update, and of all columns for an insert. Empty for a
    /// delete.
    pub after: Vec<Value>,
    /// See the fields of [`Change`].
    pub unit: Option<u64>,
    pub address: Option<i64>,
    pub adopts: Option<Vec<Adopted>>,
}

impl GroupedChange {
    /// Returns the change with the names of its columns.
    pub fn into_change(self) -> Change {
        let group = self.group;
        let image = |columns: &Arc<[String]>, values: Vec<Value>| Some(Row::of(columns, values));
        let (before, after) = match &group.images {
            GroupImages::Insert { columns } => (None, image(columns, self.after)),
            GroupImages::Delete { columns } => (image(columns, self.before), None),
            GroupImages::Replace { before, after } => (image(before, self.before), image(after, self.after)),
            GroupImages::Update { columns, set } => {
                let mut after = self.before.clone();
                for (&position, value) in set.iter().zip(self.after) {
                    after[position] = value;
                }
                (image(columns, self.before), image(columns, after))
            }
        };
        let named = self.row.or_else(|| {
            let values = before.as_ref().or(after.as_ref())?.values();
            group.row_positions()?.iter().map(|&position| values.get(position).cloned()).collect()
        });
        Change {
            table: group.table.clone(),
            row: Row::of(&group.row, named.unwrap_or_default()),
            address: self.address,
            before,
            after,
            reasons: group.reasons.clone(),
            kept: group.kept.clone(),
            unit: self.unit,
            orphan_of: group.orphan_of.clone(),
            adopts: self.adopts,
        }
    }
}

/// The values of a change that is written, in the order of the columns of its group.
pub struct ChangeValues<'v> {
    /// The values that identify the row.
    pub row: &'v [Value],
    pub before: Option<&'v [Value]>,
    /// For an update, the values of the changed columns.
    pub after: Option<&'v [Value]>,
    /// See the fields of [`Change`].
    pub address: Option<i64>,
    pub unit: Option<u64>,
    pub adopts: Option<&'v [Adopted]>,
}

/// The groups of a plan, in the order in which their first changes came.
#[derive(Debug, Clone, Default)]
pub struct ChangeGroups {
    groups: Vec<Arc<ChangeGroup>>,
    numbers: HashMap<Arc<ChangeGroup>, usize>,
    /// The numbers of the groups that were found last. Most changes belong to one of them.
    recent: Vec<usize>,
}

/// The number of groups that are compared before the hash is computed.
const RECENT: usize = 4;

impl ChangeGroups {
    /// Returns the number of a change's group. A change of a new group adds the group.
    pub fn number_of(&mut self, change: &Change) -> usize {
        let recent = self.recent.iter().copied().find(|&number| self.groups[number].contains(change));
        if let Some(number) = recent {
            return number;
        }
        let group = Arc::new(ChangeGroup::of(change));
        let number = self.numbers.get(&group).copied().unwrap_or_else(|| self.add(group));
        self.recent.insert(0, number);
        self.recent.truncate(RECENT);
        number
    }

    /// Adds a group. Returns its number.
    pub fn add(&mut self, group: Arc<ChangeGroup>) -> usize {
        let number = self.groups.len();
        self.groups.push(Arc::clone(&group));
        self.numbers.entry(group).or_insert(number);
        number
    }

    pub fn get(&self, number: usize) -> Option<&Arc<ChangeGroup>> {
        self.groups.get(number)
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Returns a change as its group and its values.
    pub fn grouped(&mut self, change: Change) -> GroupedChange {
        let number = self.number_of(&change);
        let group = Arc::clone(&self.groups[number]);
        let after = match (&group.images, change.after) {
            (GroupImages::Update { set, .. }, Some(after)) => {
                set.iter().map(|&position| after.values()[position].clone()).collect()
            }
            (_, after) => after.map_or_else(Vec::new, Row::into_values),
        };
        let before = change.before.map_or_else(Vec::new, Row::into_values);
        let image = if before.is_empty() { &after } else { &before };
        let is_named = group.names_row(image, change.row.values());
        GroupedChange {
            number,
            row: (!is_named).then(|| change.row.into_values()),
            before,
            after,
            unit: change.unit,
            address: change.address,
            adopts: change.adopts,
            group,
        }
    }
}
