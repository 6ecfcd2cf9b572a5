//! The resolved schema: the tables, and the relations between them with their defects.

use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::discovery::ColumnList;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::state;
use crate::model::text::count;
use crate::model::text::plural;

#[derive(Debug, Clone)]
pub struct Schema {
    pub database: DatabaseName,
    pub names: NameRule,
    pub tables: Tables,
    pub relations: IdVec<RelationId, Relation>,
    /// The numbers of tables and relations that the user left out. A scan lists those that it leaves out instead.
    pub omitted: Omitted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    pub tables: usize,
    pub relations: usize,
}

impl Schema {
    /// Returns the number of tables with its noun: `3 tables`, or `3 of 12 tables` if some are left out.
    pub fn number_of_tables(&self) -> String {
        of_all(self.user_tables().count(), self.omitted.tables, "table")
    }

    /// Returns the tables of the user.
    pub fn user_tables(&self) -> impl Iterator<Item = (TableId, &Table)> {
        self.tables.entries().filter(|(_, table)| self.is_of_user(table))
    }

    /// True if the table is neither one of the engine's own nor the record of plans.
    pub fn is_of_user(&self, table: &Table) -> bool {
        !self.database.engine.facts().owns(table) && table.name.table != state::TABLE
    }

    /// Returns the number of relations with its noun: `4 relations`, or `4 of 20 relations` if some are left out.
    pub fn number_of_relations(&self) -> String {
        of_all(self.relations.len(), self.omitted.relations, "relation")
    }

    /// Returns the table with a name as reports write it.
    pub fn table(&self, name: &str) -> Option<TableId> {
        self.tables.position(|table| table.name.is_written(name, self.names))
    }

    /// Returns the table to which a partition belongs.
    pub fn table_of_partition(&self, name: &TableName) -> Option<TableId> {
        self.tables.position(|table| table.partitions.contains(name))
    }

    /// Returns the id that a relation between these columns has.
    pub fn pair_id(&self, child: &ColumnList, parent: &ColumnList) -> String {
        let text = |list: &ColumnList| {
            let table = &self.tables[list.table];
            side(&table.name, list.columns.iter().map(|&column| table.columns[column].name.as_str()))
        };
        format!("{}->{}", text(child), text(parent))
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

    /// Returns the parent's columns in key order; none if the parent or one of its columns is missing.
    pub fn parent_columns<'a>(&'a self, relation: &'a Relation) -> impl Iterator<Item = &'a Column> {
        let table = self.parent(relation);
        relation.parent.columns.iter().filter_map(move |&column| table.map(|table| &table.columns[column]))
    }
}

fn of_all(number: usize, omitted: usize, noun: &str) -> String {
    let all = plural((number + omitted) as u64, noun);
    if omitted == 0 { all } else { format!("{} of {all}", count(number as u64)) }
}

/// Returns one side of a relation as reports write it: `table(a,b)`.
pub fn side<'a>(table: impl std::fmt::Display, columns: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!("{table}(");
    for (position, column) in columns.into_iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(column);
    }
    text.push(')');
    text
}
