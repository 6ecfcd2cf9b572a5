//! The unique keys of all tables, and which of them can hold the missing keys of a relation.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Case;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Value;
use crate::sql;

/// A unique key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UniqueKey {
    pub(super) table: TableId,
    pub(super) index: usize,
}

/// The unique keys of all tables.
pub(super) struct UniqueKeys {
    by_width: BTreeMap<usize, Vec<UniqueKey>>,
    /// Tables whose unique key refers to another table: they have its keys by intention.
    extensions: BTreeSet<(UniqueKey, TableId)>,
}

impl UniqueKeys {
    pub(super) fn of(schema: &Schema) -> UniqueKeys {
        let mut by_width: BTreeMap<usize, Vec<UniqueKey>> = BTreeMap::new();
        for (table, about) in schema.tables.entries().filter(|(_, about)| about.kind == TableKind::Table) {
            for (index, _) in about.indexes.iter().enumerate().filter(|(_, index)| is_unique_key(index)) {
                let unique_key = UniqueKey { table, index };
                by_width.entry(index_of(schema, unique_key).columns.len()).or_default().push(unique_key);
            }
        }
        let mut extensions = BTreeSet::new();
        for relation in &schema.relations {
            let referring: BTreeSet<usize> = relation.child_columns.iter().copied().collect();
            for (index, key) in schema.tables[relation.child].indexes.iter().enumerate() {
                let columns: BTreeSet<usize> = key.columns.iter().filter_map(|part| part.column).collect();
                if let Some(parent) = relation.parent.table.filter(|_| columns == referring) {
                    extensions.insert((UniqueKey { table: relation.child, index }, parent));
                }
            }
        }
        UniqueKeys { by_width, extensions }
    }

    /// Returns the keys of these tables that can hold the case's missing keys.
    pub(super) fn candidates_in(&self, schema: &Schema, case: &Case<'_>, tables: &BTreeSet<TableId>) -> Vec<UniqueKey> {
        let of_width = self.of_width(case);
        let of_table = |&table: &TableId| {
            let start = of_width.partition_point(|unique_key| unique_key.table < table);
            of_width[start..].iter().take_while(move |unique_key| unique_key.table == table)
        };
        self.candidates(schema, case, tables.iter().flat_map(of_table))
    }

    /// Returns the keys of all other tables that can hold the case's missing keys.
    pub(super) fn candidates_outside(
        &self,
        schema: &Schema,
        case: &Case<'_>,
        tables: &BTreeSet<TableId>,
    ) -> Vec<UniqueKey> {
        let others = self.of_width(case).iter().filter(|unique_key| !tables.contains(&unique_key.table));
        self.candidates(schema, case, others)
    }

    /// Returns all keys with as many columns as the case's missing keys, in the order of their tables.
    fn of_width(&self, case: &Case<'_>) -> &[UniqueKey] {
        let first = case.open.first();
        first.and_then(|missing| self.by_width.get(&missing.key.len())).map_or(&[], Vec::as_slice)
    }

    fn candidates<'k>(
        &self,
        schema: &Schema,
        case: &Case<'_>,
        unique_keys: impl Iterator<Item = &'k UniqueKey>,
    ) -> Vec<UniqueKey> {
        let relation = case.relation;
        let Some(first) = case.open.first().map(|missing| &missing.key) else { return Vec::new() };
        let is_other = |unique_key: &UniqueKey| {
            let parent = relation.parent.table;
            Some(unique_key.table) != parent
                && unique_key.table != relation.child
                && parent.is_none_or(|parent| !self.extensions.contains(&(*unique_key, parent)))
        };
        let can_hold = |unique_key: &UniqueKey| {
            let (table, index) = (&schema.tables[unique_key.table], index_of(schema, *unique_key));
            let columns = index.columns.iter().filter_map(|part| part.column).map(|column| &table.columns[column]);
            columns.zip(first).all(|(column, value)| is_of_family(column, value))
                && sql::of(schema).can_be_elsewhere(table, index, first)
        };
        unique_keys.copied().filter(is_other).filter(can_hold).collect()
    }
}

fn is_unique_key(index: &Index) -> bool {
    index.unique && !index.partial && index.columns.iter().all(|part| part.column.is_some())
}

fn is_of_family(column: &Column, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Integer(_) => column.family != Family::Text,
        Value::Real(_) => matches!(column.family, Family::Numeric | Family::Real | Family::Untyped),
        Value::Text(_) | Value::Blob(_) => matches!(column.family, Family::Text | Family::Untyped | Family::Numeric),
    }
}

pub(super) fn index_of(schema: &Schema, unique_key: UniqueKey) -> &Index {
    &schema.tables[unique_key.table].indexes[unique_key.index]
}

/// Returns a unique key as reports show it: `users(id)`.
pub(super) fn name(schema: &Schema, unique_key: UniqueKey) -> String {
    let table: &Table = &schema.tables[unique_key.table];
    let columns = index_of(schema, unique_key).columns.iter().filter_map(|part| part.column);
    side(&table.name, columns.map(|column| table.columns[column].name.as_str()))
}
