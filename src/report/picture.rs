//! What every picture of a schema needs to know. Leaves out: how it is drawn (`mermaid`, `dot`).

use std::collections::BTreeSet;

use crate::model::catalog::TableName;
use crate::model::finding::Severity;
use crate::model::ids::TableId;
use crate::model::relation::Defect;
use crate::model::relation::Relation;
use crate::model::schema::Schema;

/// The parents that do not exist. They are drawn all the same: they are what is wrong.
pub(super) struct Missing(Vec<String>);

impl Missing {
    /// In order of name, which is the order they are numbered in.
    pub(super) fn of(schema: &Schema) -> Missing {
        let missing = schema.relations.iter().filter(|relation| relation.parent.table.is_none());
        let names: BTreeSet<String> = missing.map(|relation| relation.parent.name.to_string()).collect();
        Missing(names.into_iter().collect())
    }

    /// Identifiers and names.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().enumerate().map(|(place, name)| (format!("m{}", place + 1), name.as_str()))
    }

    /// The identifier of one of these.
    pub(super) fn id(&self, name: &TableName) -> String {
        let name = name.to_string();
        format!("m{}", self.0.partition_point(|known| *known < name) + 1)
    }
}

/// True where a column is part of the key of some relation of its table.
pub(super) fn refers(schema: &Schema, table: TableId, column: usize) -> bool {
    schema.relations.iter().any(|relation| relation.child == table && relation.child_columns.contains(&column))
}

/// The defect that a picture names: the first of the gravest. Notes are not worth a label.
pub(super) fn worst(relation: &Relation) -> Option<&Defect> {
    let bar = relation.defects.iter().map(|defect| defect.code.severity()).max()?;
    let gravest = relation.defects.iter().find(|defect| defect.code.severity() == bar);
    gravest.filter(|_| bar > Severity::Note)
}
