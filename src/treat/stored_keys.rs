//! Finds keys: in the stored tables, and in the parents that the plan creates.

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Group;
use crate::model::ids::TableId;
use crate::model::value::Key;

impl<'a> Planner<'a> {
    /// Returns the single key that a query returns for each number. Otherwise the error is the text `none` or `several`.
    pub(super) fn unique_keys(
        &mut self,
        query: &crate::sql::Sql,
        count: usize,
        none: &str,
        several: &str,
    ) -> Result<Vec<Result<Key, String>>, TreatError> {
        let mut found: Vec<Vec<Key>> = (0..count).map(|_| Vec::new()).collect();
        self.lookups.numbered(query, count, &mut |number, key| {
            if found[number].len() < 2 {
                found[number].push(key.to_vec());
            }
        })?;
        let single = |mut keys: Vec<Key>| match keys.len() {
            0 => Err(none.to_owned()),
            1 => Ok(keys.remove(0)),
            _ => Err(several.to_owned()),
        };
        Ok(found.into_iter().map(single).collect())
    }

    /// Returns each key as the table stores it, if exactly one row of the table has it.
    pub(super) fn stored_keys(
        &mut self,
        table: TableId,
        columns: &[usize],
        keys: &[&Key],
    ) -> Result<Vec<Option<Key>>, TreatError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.sql.present_keys(&self.schema.tables[table], columns, keys);
        let found = self.unique_keys(&query, keys.len(), "", "")?;
        // A row that this plan removes does not count as a parent.
        Ok(found.into_iter().map(|found| found.ok().filter(|key| !self.is_removed(table, columns, key))).collect())
    }

    /// Returns for each key true if the plan already creates its parent.
    pub(super) fn planned(&mut self, case: &Case<'_>, groups: &[&Group]) -> Result<Vec<bool>, TreatError> {
        let mut planned = vec![false; groups.len()];
        let may_be_planned =
            |table: &_| self.new_parents.created_in(*table) && !self.new_parents.have_missing_keys_of(*table, case.id);
        let Some(parent) = case.relation.parent.table.filter(may_be_planned) else {
            return Ok(planned);
        };
        let keys: Vec<&Key> = groups.iter().map(|group| &group.key).collect();
        let table = &self.schema.tables[parent];
        let (rehearsal, sql) = self.rehearsal_of(parent)?;
        let query = sql.present_keys(table, &case.relation.parent.columns, &keys);
        rehearsal.numbered(&query, keys.len(), &mut |number, _| planned[number] = true)?;
        Ok(planned)
    }

    /// Returns a key as it is stored in a parent that the plan creates.
    pub(super) fn created_key(
        &mut self,
        parent: TableId,
        columns: &[usize],
        key: &Key,
    ) -> Result<Option<Key>, TreatError> {
        let mut found = None;
        if self.new_parents.created_in(parent) {
            let table = &self.schema.tables[parent];
            let (rehearsal, sql) = self.rehearsal_of(parent)?;
            rehearsal
                .numbered(&sql.present_keys(table, columns, &[key]), 1, &mut |_, key| found = Some(key.to_vec()))?;
        }
        Ok(found)
    }

    pub(super) fn table(&self, name: &str) -> Option<TableId> {
        self.schema.table(name)
    }

    /// Returns the indexes of columns. The names were checked before.
    pub(super) fn columns(&self, table: TableId, names: &[String]) -> Vec<usize> {
        let columns = &self.schema.tables[table].columns;
        let position = |name: &String| columns.iter().position(|column| self.schema.names.same(&column.name, name));
        names.iter().filter_map(position).collect()
    }
}
