//! Conflicts between the changes of one plan. If a change refers to a row, no other change may delete the row or give it
//! another key. No change may refer to a row or a key that another change removes.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::treat::Planner;
use crate::treat::TreatError;

/// Keys of parents, as hashes. If two hashes collide, a change that was possible may stay undecided.
pub(super) struct Conflicts {
    /// True if some rule can remove rows or keys that other rows refer to.
    pub(super) may_remove: bool,
    /// Tables in which rows get another key, if a relation refers to that key.
    pub(super) rekeyed: BTreeSet<TableId>,
    needed: HashSet<u64>,
    removed: HashSet<u64>,
}

impl Conflicts {
    pub(super) fn new(may_remove: bool) -> Conflicts {
        Conflicts { may_remove, rekeyed: BTreeSet::new(), needed: HashSet::new(), removed: HashSet::new() }
    }
}

/// Returns the hash of a key. It is equal in every run.
fn hash(table: TableId, columns: &[usize], key: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (table, columns, exact_bytes(key)).hash(&mut hasher);
    hasher.finish()
}

impl<'a> Planner<'a> {
    /// Records that the parent of this reference must stay, if the reference has one.
    pub(super) fn require_parent(&mut self, relation: &Relation, image: &Row) -> Result<(), TreatError> {
        let key = image.key(self.schema.child_column_names(relation));
        let (Some(key), Some(parent)) = (key.filter(|key| !key.contains(&Value::Null)), relation.parent.table) else {
            return Ok(());
        };
        let columns = &relation.parent.columns;
        if self.conflicts.may_remove
            && let Some(key) = self.stored_keys(parent, columns, &[&key])?.pop().flatten()
        {
            self.conflicts.needed.insert(hash(parent, columns, &key));
        }
        Ok(())
    }

    /// Records that a row must stay as the parent of a relation.
    pub(super) fn require_row(&mut self, relation: &Relation, image: &Row) {
        let key = image.key(self.schema.parent_columns(relation).map(|column| column.name.as_str()));
        if let (true, Some(key), Some(parent)) = (self.conflicts.may_remove, key, relation.parent.table) {
            self.conflicts.needed.insert(hash(parent, &relation.parent.columns, &key));
        }
    }

    /// Records that the parents of all references of a row must stay.
    pub(super) fn require_parents(&mut self, table: TableId, image: &Row) -> Result<(), TreatError> {
        for (_, relation) in self.relations_from(table) {
            self.require_parent(relation, image)?;
        }
        Ok(())
    }

    /// True if another change refers to this row. If `changed` is given, only keys with one of these columns count.
    pub(super) fn is_needed(&self, table: TableId, image: &Row, changed: Option<&[usize]>) -> bool {
        self.key_hashes(table, image, changed).any(|hash| self.conflicts.needed.contains(&hash))
    }

    /// Records that the keys of a row are removed. If `changed` is given, only keys with one of these columns count.
    pub(super) fn record_removal(&mut self, table: TableId, image: &Row, changed: Option<&[usize]>) {
        let hashes: Vec<u64> = self.key_hashes(table, image, changed).collect();
        self.conflicts.removed.extend(hashes);
    }

    pub(super) fn is_removed(&self, table: TableId, columns: &[usize], key: &Key) -> bool {
        self.conflicts.removed.contains(&hash(table, columns, key))
    }

    /// Returns the hashes of the keys by which relations refer to a row.
    fn key_hashes(&self, table: TableId, image: &Row, changed: Option<&[usize]>) -> impl Iterator<Item = u64> {
        let about = &self.schema.tables[table];
        self.relations_to(table, changed).into_iter().filter_map(move |(_, relation)| {
            let columns = &relation.parent.columns;
            let key = image.key(columns.iter().map(|&column| about.columns[column].name.as_str()));
            key.map(|key| hash(table, columns, &key))
        })
    }
}
