//! What the changes of one plan need of each other: a row that another change points at must not go nor get another key, and
//! nothing may be pointed at a row or a key that goes.

use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::plan_file;
use crate::treat::Planner;
use crate::treat::TreatError;

/// Keys of parents, as hashes: two that share one only make a change undecided that could have been made.
#[derive(Default)]
pub(super) struct Conflicts {
    needed: HashSet<u64>,
    gone: HashSet<u64>,
}

fn hash(table: TableId, columns: &[usize], key: &[Value]) -> u64 {
    let named: Row = key.iter().map(|value| (String::new(), value.clone())).collect();
    // Always the same hash for the same key, in every run.
    let mut hasher = DefaultHasher::new();
    (table, columns, plan_file::row_text(&named)).hash(&mut hasher);
    hasher.finish()
}

impl<'a> Planner<'a> {
    /// The parent of this reference has to stay, if there is one.
    pub(super) fn need(&mut self, relation: &Relation, image: &Row) -> Result<(), TreatError> {
        let key = image.key(self.schema.child_column_names(relation));
        let (Some(key), Some(parent)) = (key.filter(|key| !key.contains(&Value::Null)), relation.parent.table) else {
            return Ok(());
        };
        let columns = &relation.parent.columns;
        // Where nothing goes, nothing has to be remembered.
        if self.takes_away
            && let Some(key) = self.stored_keys(parent, columns, &[&key])?.pop().flatten()
        {
            self.ties.needed.insert(hash(parent, columns, &key));
        }
        Ok(())
    }

    /// Every reference that a row has.
    pub(super) fn need_all(&mut self, table: TableId, image: &Row) -> Result<(), TreatError> {
        let schema = self.schema;
        for relation in schema.relations.iter().filter(|relation| relation.child == table) {
            self.need(relation, image)?;
        }
        Ok(())
    }

    /// Whether another change points at this row.
    pub(super) fn is_needed(&self, table: TableId, image: &Row, changed: Option<&[usize]>) -> bool {
        self.names(table, image, changed).any(|name| self.ties.needed.contains(&name))
    }

    pub(super) fn gone(&mut self, table: TableId, image: &Row, changed: Option<&[usize]>) {
        let names: Vec<u64> = self.names(table, image, changed).collect();
        self.ties.gone.extend(names);
    }

    pub(super) fn is_gone(&self, table: TableId, columns: &[usize], key: &Key) -> bool {
        self.ties.gone.contains(&hash(table, columns, key))
    }

    /// By what keys a row can be referred to; only those that have any of some columns in them, if it is these that change.
    fn names(&self, table: TableId, image: &Row, changed: Option<&[usize]>) -> impl Iterator<Item = u64> {
        let schema = self.schema;
        let about = &schema.tables[table];
        let is_meant = move |relation: &&Relation| {
            let changes = |changed: &[usize]| relation.parent.columns.iter().any(|column| changed.contains(column));
            relation.parent.table == Some(table) && changed.is_none_or(changes)
        };
        schema.relations.iter().filter(is_meant).filter_map(move |relation| {
            let columns = &relation.parent.columns;
            let key = image.key(columns.iter().map(|&column| about.columns[column].name.as_str()));
            key.map(|key| hash(table, columns, &key))
        })
    }
}
