//! Shared parts of the schema diagrams: missing parents, key columns and the worst defect of a relation. `mermaid` and
//! `dot` draw the diagrams.

use std::collections::BTreeSet;

use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::finding::Severity;
use crate::model::ids::TableId;
use crate::model::relation::Defect;
use crate::model::relation::Relation;
use crate::model::schema::Schema;

/// The names of parent tables that do not exist. The diagrams show them, because they are defects.
pub(super) struct Missing(Vec<String>);

impl Missing {
    /// Returns the missing parents of relations in order of name. Their numbers follow this order.
    pub(super) fn of<'a>(relations: impl Iterator<Item = &'a Relation>) -> Missing {
        let missing = relations.filter(|relation| relation.parent.table.is_none());
        let names: BTreeSet<String> = missing.map(|relation| relation.parent.name.to_string()).collect();
        Missing(names.into_iter().collect())
    }

    /// Returns each identifier with its name, for example `("m1", "orders_old")`.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().enumerate().map(|(index, name)| (format!("m{}", index + 1), name.as_str()))
    }

    /// Returns the identifier of a missing parent, for example `m1`.
    pub(super) fn id(&self, name: &TableName) -> String {
        let name = name.to_string();
        format!("m{}", self.0.partition_point(|known| *known < name) + 1)
    }
}

/// Returns the tables to draw: those of the user, and of the others the ones with a relation.
pub(super) fn drawn_tables(schema: &Schema) -> impl Iterator<Item = (TableId, &Table)> {
    let sides = schema.relations.iter().flat_map(|relation| [Some(relation.child), relation.parent.table]);
    let related: BTreeSet<TableId> = sides.flatten().collect();
    schema.tables.entries().filter(move |(id, table)| schema.is_of_user(table) || related.contains(id))
}

/// True if a relation of the table has this column in its key.
pub(super) fn refers(schema: &Schema, table: TableId, column: usize) -> bool {
    schema.relations.iter().any(|relation| relation.child == table && relation.child_columns.contains(&column))
}

/// Returns the first defect of the highest severity, for the label of a relation. Notes get no label.
pub(super) fn worst(relation: &Relation) -> Option<&Defect> {
    let highest = relation.defects.iter().map(|defect| defect.code.severity()).max()?;
    let worst = relation.defects.iter().find(|defect| defect.code.severity() == highest);
    worst.filter(|_| highest > Severity::Note)
}
