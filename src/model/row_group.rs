//! Groups of changes that differ only in their values, so that one statement can change all of their rows.
//!
//! A group says which conditions its rows must meet. An engine checks them in the statement that changes the rows.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::catalog::Table;
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
#[derive(Debug, Clone, Copy)]
pub struct RowBatch<'b, 's> {
    /// A number that no other batch of the program has, so that an engine loads a batch only once.
    pub id: u64,
    pub groups: &'b [Arc<RowGroup<'s>>],
    pub lines: &'b [BatchLine<'b>],
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
    /// Returns a batch with a new number.
    pub fn new(groups: &'b [Arc<RowGroup<'s>>], lines: &'b [BatchLine<'b>]) -> RowBatch<'b, 's> {
        RowBatch { id: RowBatch::new_id(), groups, lines }
    }

    pub fn new_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the indexes of the lines of each group.
    pub fn by_group(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut by_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            by_group.entry(line.group).or_default().push(index);
        }
        by_group
    }

    /// Returns the groups in an order in which each can change as a whole: parents are inserted before their children, and children
    /// are deleted before their parents.
    pub fn order(&self) -> Vec<usize> {
        let mut rest: BTreeSet<usize> = self.lines.iter().map(|line| line.group).collect();
        let mut order = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let waits = |&group: &usize| rest.iter().any(|&other| self.is_before(other, group));
            // Tables may refer to each other in a cycle.
            let next = rest.iter().copied().find(|group| !waits(group)).or_else(|| rest.first().copied());
            order.extend(next);
            next.map(|next| rest.remove(&next));
        }
        order
    }

    /// True if the first group has to change before the second.
    fn is_before(&self, first: usize, second: usize) -> bool {
        let (first, second) = (&self.groups[first], &self.groups[second]);
        let is_parent = |parent: &RowGroup<'_>, child: &RowGroup<'_>| {
            let schema = parent.schema;
            parent.table.name != child.table.name
                && schema.relations.iter().any(|relation| {
                    schema.parent(relation).is_some_and(|table| table.name == parent.table.name)
                        && schema.child(relation).name == child.table.name
                })
        };
        match (first.kind, second.kind) {
            (RowChangeKind::Insert, RowChangeKind::Insert) => is_parent(first, second),
            (RowChangeKind::Delete, RowChangeKind::Delete) => is_parent(second, first),
            (first, second) => first != second && (first == RowChangeKind::Insert || second == RowChangeKind::Delete),
        }
    }
}

impl BatchOutcome {
    /// True if exactly the rows of all lines changed.
    pub fn is_exact(&self, batch: &RowBatch<'_, '_>) -> bool {
        self.changed == batch.lines.len() as u64 && self.beyond == 0
    }
}
