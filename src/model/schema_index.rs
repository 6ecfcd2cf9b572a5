//! Finds the relations of a table, or a relation by its id. Plans ask for them row by row, and a schema may have thousands of
//! relations.

use std::collections::HashMap;

use super::catalog::TableName;
use super::ids::RelationId;
use super::ids::TableId;
use super::relation::Relation;
use super::schema::Schema;

/// The relations of a schema. Those of one table are in the order of the schema.
pub struct SchemaIndex<'s> {
    tables: HashMap<&'s TableName, TableId>,
    relations: HashMap<&'s str, RelationId>,
    from: HashMap<TableId, Vec<(RelationId, &'s Relation)>>,
    to: HashMap<TableId, Vec<(RelationId, &'s Relation)>>,
}

impl<'s> SchemaIndex<'s> {
    pub fn of(schema: &'s Schema) -> SchemaIndex<'s> {
        let tables = schema.tables.entries().map(|(id, table)| (&table.name, id)).collect();
        let (relations, from, to) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut index = SchemaIndex { tables, relations, from, to };
        for (id, relation) in schema.relations.entries() {
            index.relations.entry(&relation.id).or_insert(id);
            index.from.entry(relation.child).or_default().push((id, relation));
            if let Some(parent) = relation.parent.table {
                index.to.entry(parent).or_default().push((id, relation));
            }
        }
        index
    }

    /// Returns the relation with this text as its id.
    pub fn relation(&self, id: &str) -> Option<RelationId> {
        self.relations.get(id).copied()
    }

    /// Returns the relations whose child is this table.
    pub fn relations_from(&self, table: TableId) -> &[(RelationId, &'s Relation)] {
        self.from.get(&table).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the relations whose parent is this table, even if it lacks the columns to which they refer.
    pub fn relations_to(&self, table: TableId) -> &[(RelationId, &'s Relation)] {
        self.to.get(&table).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the relations to any of these columns of a table.
    pub fn relations_to_columns(
        &self,
        table: TableId,
        columns: &[usize],
    ) -> impl Iterator<Item = (RelationId, &'s Relation)> {
        let is_concerned = |(_, relation): &&(RelationId, &Relation)| {
            relation.parent.columns.iter().any(|column| columns.contains(column))
        };
        self.relations_to(table).iter().filter(is_concerned).copied()
    }

    /// Returns the relations whose child is the table with this name. There are none if the schema lacks the table.
    pub fn relations_from_named(&self, table: &TableName) -> &[(RelationId, &'s Relation)] {
        self.tables.get(table).map(|&table| self.relations_from(table)).unwrap_or_default()
    }

    /// Returns the relations whose parent is the table with this name.
    pub fn relations_to_named(&self, table: &TableName) -> &[(RelationId, &'s Relation)] {
        self.tables.get(table).map(|&table| self.relations_to(table)).unwrap_or_default()
    }
}
