//! The resolved schema: tables, and every relation between them, judged.

use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;

#[derive(Debug, Clone)]
pub struct Schema {
    pub database: DatabaseName,
    pub names: NameRule,
    pub tables: Tables,
    pub relations: IdVec<RelationId, Relation>,
}

impl Schema {
    /// A table by its name as reports write it.
    pub fn table(&self, name: &str) -> Option<TableId> {
        self.tables.position(|table| self.names.same(&table.name.to_string(), name))
    }

    /// The table whose rows a partition of this name holds.
    pub fn table_of_partition(&self, name: &TableName) -> Option<TableId> {
        self.tables.position(|table| table.partitions.contains(name))
    }

    pub fn child(&self, relation: &Relation) -> &Table {
        &self.tables[relation.child]
    }

    pub fn parent(&self, relation: &Relation) -> Option<&Table> {
        relation.parent.table.map(|table| &self.tables[table])
    }

    pub fn child_columns<'a>(&'a self, relation: &'a Relation) -> impl Iterator<Item = &'a Column> {
        let table = self.child(relation);
        relation.child_columns.iter().map(|&column| &table.columns[column])
    }

    pub fn child_column_names<'a>(&'a self, relation: &'a Relation) -> impl Iterator<Item = &'a str> {
        self.child_columns(relation).map(|column| column.name.as_str())
    }

    /// The parent's columns that were found, in key order; none where the parent or one of them is missing.
    pub fn parent_columns<'a>(&'a self, relation: &'a Relation) -> impl Iterator<Item = &'a Column> {
        let table = self.parent(relation);
        relation.parent.columns.iter().filter_map(move |&column| table.map(|table| &table.columns[column]))
    }
}

/// `table(a,b)`: how one side of a relation is written everywhere.
pub fn side<'a>(table: impl std::fmt::Display, columns: impl IntoIterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.into_iter().collect();
    format!("{table}({})", columns.join(","))
}
