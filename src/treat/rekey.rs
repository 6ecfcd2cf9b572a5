//! Changes of columns that other rows refer to. Such a change would make those rows orphans, or ON UPDATE CASCADE would change
//! them too. InnoDB does not count the rows that a cascade changes. A row that others refer to therefore keeps its key.

use super::CHUNK;
use super::Planner;
use super::Request;
use super::TreatError;
use crate::model::ids::TableId;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::schema_index::SchemaIndex;

/// True if a repair of some relation can change a key that other rows refer to.
pub(super) fn can_rekey(schema_index: &SchemaIndex<'_>, request: &Request<'_>) -> bool {
    let Request { schema, rules, assigned, .. } = *request;
    let treated = schema.relations.iter().zip(assigned).filter(|(_, rule)| {
        rule.is_some_and(|rule| rules[rule].treatments.iter().any(|treatment| !treatment.value.changes_the_schema()))
    });
    let mut treated = treated.map(|(relation, _)| relation);
    treated.any(|relation| schema_index.relations_to_columns(relation.child, &relation.child_columns).next().is_some())
}

impl<'a> Planner<'a> {
    /// Returns the indexes of the rows whose columns must keep their values, each with the reason. Each row of the input has
    /// its name, its stored image and its changed columns.
    pub(super) fn cannot_rekey(
        &mut self,
        table: TableId,
        rows: &[(&RowName, &Row, &[usize])],
    ) -> Result<Vec<(usize, String)>, TreatError> {
        let schema = self.schema;
        let mut refused: Vec<(usize, String)> = Vec::new();
        for (_, relation) in self.relations_to(table, None) {
            let changes = |changed: &[usize]| relation.parent.columns.iter().any(|column| changed.contains(column));
            let concerned: Vec<usize> = (0..rows.len()).filter(|&index| changes(rows[index].2)).collect();
            for chunk in concerned.chunks(CHUNK) {
                let names: Vec<&RowName> = chunk.iter().map(|&index| rows[index].0).collect();
                let query = self.sql.referencing_rows(schema, relation, &names);
                self.lookups.numbered(&query, names.len(), &mut |number, _| {
                    refused.push((chunk[number], format!("{} refers to the old key of the row", relation.id)));
                })?;
            }
        }
        for (index, (_, image, changed)) in rows.iter().enumerate() {
            if self.is_needed(table, image, Some(changed)) {
                refused.push((index, "another change of this plan refers to the old key of the row".to_owned()));
            }
        }
        refused.sort_by_key(|(index, _)| *index);
        refused.dedup_by_key(|(index, _)| *index);
        Ok(refused)
    }

    /// Records that a row gets another key, so that no change refers to the old key.
    pub(super) fn record_rekeying(&mut self, table: TableId, before: &Row, changed: &[usize]) {
        if self.schema_index.relations_to_columns(table, changed).next().is_some() {
            self.record_removal(table, before, Some(changed));
            self.conflicts.rekeyed.insert(table);
        }
    }
}
