//! Groups of changes that differ only in their values, so that one statement can change all of their rows.
//!
//! A group says which conditions its rows must meet. An engine checks them in the statement that changes the rows.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::catalog::Table;
use super::catalog::TableName;
use super::ids::RelationId;
use super::plan::ChangeRole;
use super::schema::Schema;
use super::value::Value;

/// The kind of a group's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowChangeKind {
    Insert,
    Update,
    Delete,
}

/// Changes of one table and one kind, with the conditions that each of its rows must meet.
#[derive(Debug, Clone)]
pub struct RowGroup<'s> {
    pub schema: &'s Schema,
    /// The table. It may be one that the plan creates, which the schema lacks.
    pub table: Arc<Table>,
    pub kind: RowChangeKind,
    pub role: ChangeRole,
    /// The columns that identify the row. One of them may be the row's address.
    pub name: Arc<[String]>,
    /// True if the identifying values of each line are also those of its stored row, or of its new row for an insert.
    pub is_named_by_image: bool,
    /// All columns of the stored row; empty for an insert. The row must be equal to them, to the bit.
    pub before: Arc<[String]>,
    /// The columns that get new values: the changed columns of an update, or the columns of a new row. Each comes with its
    /// position in [`BatchLine::after`].
    pub set: Vec<(String, usize)>,
    /// The row's own address, which an insert sets; see [`BatchLine::address`].
    pub address: Option<String>,
    /// Relations of which the stored row must be an orphan.
    pub orphan_of: Vec<RelationId>,
    /// Relations in which no parent may have the key of the new row.
    pub missing_in: Vec<RelationId>,
    /// Relations in which the row, after its change, may not be an orphan. The columns that the group sets are part of their
    /// keys, so the new values decide.
    pub needs_parent_in: Vec<RelationId>,
}

impl RowGroup<'_> {
    /// Returns the group for lines that have no images. They can be asked about, and not be changed.
    pub fn with_names_only(&self) -> Self {
        RowGroup { is_named_by_image: false, before: Arc::new([]), set: Vec::new(), ..self.clone() }
    }

    /// Returns the group with the values that a comparison with the stored rows needs. Those of a new row are its name and its keys.
    pub fn for_comparison(&self) -> Self {
        let mut group = self.clone();
        if self.kind == RowChangeKind::Insert {
            let keys: BTreeSet<&str> =
                self.missing_in.iter().flat_map(|&relation| self.key_columns(relation)).collect();
            group.set.retain(|(name, _)| self.name.contains(name) || keys.contains(name.as_str()));
        }
        group
    }

    /// True if the key of a relation's parent is what names the row.
    pub fn is_named_by_key(&self, relation: RelationId) -> bool {
        let names: BTreeSet<&str> = self.name.iter().map(String::as_str).collect();
        self.key_columns(relation).collect::<BTreeSet<&str>>() == names
    }

    /// True if the table refuses a second row with the key of a relation's parent.
    pub fn is_kept_unique(&self, relation: RelationId) -> bool {
        let about = &self.schema.relations[relation];
        let indexes = self.schema.parent(about).map(|parent| &parent.indexes);
        let key = indexes.zip(about.parent.key).and_then(|(indexes, key)| indexes.get(key));
        key.is_some_and(|key| key.is_key_of(&about.parent.columns))
    }

    fn key_columns(&self, relation: RelationId) -> impl Iterator<Item = &str> {
        self.schema.parent_columns(&self.schema.relations[relation]).map(|column| column.name.as_str())
    }
}

/// The change of one row of a group.
#[derive(Debug, Clone, Copy)]
pub struct BatchLine<'l> {
    /// The index of the group in [`RowBatch::groups`].
    pub group: usize,
    /// The values of [`RowGroup::name`].
    pub name: &'l [Value],
    /// The address under which an insert stores the row, if [`RowGroup::address`] is set.
    pub address: Option<i64>,
    /// The values of [`RowGroup::before`]. Empty for an insert.
    pub before: &'l [Value],
    /// The values that [`RowGroup::set`] refers to. Empty for a delete.
    pub after: &'l [Value],
}

impl<'l> BatchLine<'l> {
    /// Returns the new values of the columns of [`RowGroup::set`], in their order.
    pub fn new_values(&self, group: &RowGroup<'_>) -> impl Iterator<Item = &'l Value> {
        let after = self.after;
        group.set.iter().map(move |(_, position)| &after[*position])
    }
}

/// Changes that are made together or not at all, in the order of the plan. No two of them change one row.
#[derive(Debug)]
pub struct RowBatch<'b, 's> {
    /// A number that no other batch of the program has, so that an engine loads a batch only once.
    pub id: u64,
    pub groups: &'b [Arc<RowGroup<'s>>],
    pub lines: &'b [BatchLine<'b>],
    /// The indexes of the lines of each group.
    pub by_group: BTreeMap<usize, Vec<usize>>,
}

/// The outcome of a batch. If it is not exact, the caller rolls the transaction back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct BatchOutcome {
    /// The number of lines whose row was changed, and is stored as planned.
    pub changed: u64,
    /// The number of rows that were changed beyond the lines, by triggers or cascades, or that are missing in the engine's own count.
    pub beyond: u64,
}

impl<'b, 's> RowBatch<'b, 's> {
    pub fn new(id: u64, groups: &'b [Arc<RowGroup<'s>>], lines: &'b [BatchLine<'b>]) -> RowBatch<'b, 's> {
        let mut by_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, line) in lines.iter().enumerate() {
            by_group.entry(line.group).or_default().push(index);
        }
        RowBatch { id, groups, lines, by_group }
    }

    pub fn new_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the groups of the batch by their tables.
    pub fn groups_by_table(&self) -> HashMap<&'b TableName, Vec<usize>> {
        by_table(self.by_group.keys().copied(), self.groups)
    }

    /// Returns the groups in an order in which each can change as a whole: first the inserts, parents before their children, then
    /// the updates, and then the deletes, children before their parents.
    pub fn order(&self) -> Vec<usize> {
        let of_kind = |kind| self.by_group.keys().copied().filter(move |&group| self.groups[group].kind == kind);
        let inserts = Precedence::of(of_kind(RowChangeKind::Insert), self.groups, false);
        let deletes = Precedence::of(of_kind(RowChangeKind::Delete), self.groups, true);
        inserts.order().into_iter().chain(of_kind(RowChangeKind::Update)).chain(deletes.order()).collect()
    }
}

/// Returns these groups by their tables.
fn by_table<'g>(
    groups: impl Iterator<Item = usize>,
    all: &'g [Arc<RowGroup<'_>>],
) -> HashMap<&'g TableName, Vec<usize>> {
    let mut by_table: HashMap<&TableName, Vec<usize>> = HashMap::new();
    for group in groups {
        by_table.entry(&all[group].table.name).or_default().push(group);
    }
    by_table
}

/// Which of some groups change before which others.
struct Precedence {
    /// The groups, each with the number of groups for which it waits.
    waits: BTreeMap<usize, usize>,
    /// The groups that wait for each group.
    followers: BTreeMap<usize, Vec<usize>>,
}

impl Precedence {
    /// Parents come before their children, or after them if `children_first` is true.
    fn of(groups: impl Iterator<Item = usize>, all: &[Arc<RowGroup<'_>>], children_first: bool) -> Precedence {
        let waits: BTreeMap<usize, usize> = groups.map(|group| (group, 0)).collect();
        let by_table = by_table(waits.keys().copied(), all);
        let mut precedence = Precedence { waits, followers: BTreeMap::new() };
        let Some(&first) = precedence.waits.keys().next().filter(|_| by_table.len() > 1) else { return precedence };
        let schema = all[first].schema;
        let pairs = schema.relations.iter().filter_map(|relation| {
            let (parent, child) = (&schema.parent(relation)?.name, &schema.child(relation).name);
            let (first, second) = if children_first { (child, parent) } else { (parent, child) };
            (first != second).then_some((by_table.get(first)?, by_table.get(second)?))
        });
        let pairs: BTreeSet<(&Vec<usize>, &Vec<usize>)> = pairs.collect();
        for (firsts, seconds) in pairs {
            for second in seconds {
                *precedence.waits.entry(*second).or_default() += firsts.len();
            }
            for first in firsts {
                precedence.followers.entry(*first).or_default().extend(seconds);
            }
        }
        precedence
    }

    /// Returns the groups, each after those for which it waits, and otherwise in the order of their numbers. Tables may refer to
    /// each other in a cycle.
    fn order(mut self) -> Vec<usize> {
        let mut ready: BTreeSet<usize> =
            self.waits.iter().filter(|(_, waits)| **waits == 0).map(|(group, _)| *group).collect();
        let mut order = Vec::with_capacity(self.waits.len());
        while let Some(next) = ready.pop_first().or_else(|| self.waits.keys().next().copied()) {
            self.waits.remove(&next);
            order.push(next);
            for follower in self.followers.remove(&next).unwrap_or_default() {
                if let Some(waits) = self.waits.get_mut(&follower) {
                    *waits -= 1;
                    if *waits == 0 {
                        ready.insert(follower);
                    }
                }
            }
        }
        order
    }
}

impl BatchOutcome {
    /// True if exactly the rows of all lines changed.
    pub fn is_exact(&self, batch: &RowBatch<'_, '_>) -> bool {
        self.changed == batch.lines.len() as u64 && self.beyond == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the order of groups, each pair of which says that the first comes before the second.
    fn ordered(groups: usize, pairs: &[(usize, usize)]) -> Vec<usize> {
        let mut waits: BTreeMap<usize, usize> = (0..groups).map(|group| (group, 0)).collect();
        let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(first, second) in pairs {
            *waits.entry(second).or_default() += 1;
            followers.entry(first).or_default().push(second);
        }
        Precedence { waits, followers }.order()
    }

    #[test]
    fn group_comes_after_those_for_which_it_waits() {
        assert_eq!(ordered(3, &[]), [0, 1, 2]);
        assert_eq!(ordered(3, &[(2, 0), (0, 1)]), [2, 0, 1]);
        assert_eq!(ordered(4, &[(3, 0), (2, 0), (0, 1)]), [2, 3, 0, 1]);
    }

    #[test]
    fn groups_in_a_cycle_come_in_the_order_of_their_numbers() {
        assert_eq!(ordered(2, &[(0, 1), (1, 0)]), [0, 1]);
        assert_eq!(ordered(4, &[(1, 2), (2, 1), (2, 0), (0, 3)]), [0, 3, 1, 2]);
    }
}
