//! New parents that need no rehearsal: nothing can refuse or alter the row, and no other row has its key.
//!
//! The key of such a row is a missing key of whole numbers. No stored row has it, because the scan has compared it with all
//! keys of the parent, unless some of its rows count as deleted. Every unique index of the table contains the columns of the key, so
//! no two of these rows collide.

use std::sync::Arc;

use super::Case;
use super::Planner;
use super::TreatError;
use super::parents::NewRow;
use super::parents::WantedParent;
use super::parents::stored_name;
use super::references::is_judged;
use super::unrehearsed::is_certain_value;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Value;

impl<'a> Planner<'a> {
    /// Returns a new row as it will certainly be stored; `None` if it must be rehearsed.
    pub(super) fn certain_image(
        &mut self,
        case: &Case<'a>,
        wanted: &WantedParent<'_>,
        row: &NewRow<'_>,
    ) -> Result<Option<Row>, TreatError> {
        let (schema, relation) = (self.schema, case.relation);
        let table = &schema.tables[row.table];
        let key_columns = &relation.parent.columns;
        // A parent that counts as deleted has its key, although the scan calls that key missing. Only the rehearsal knows the
        // tables of which the engine counts the keys.
        if relation.scope.soft_deleted.is_some()
            || self.counters.is_some()
            || wanted.record.is_some()
            || relation.child == row.table
        {
            return Ok(None);
        }
        let has_missing_key = wanted.key.is_some_and(|key| {
            key.len() == key_columns.len()
                && key_columns.iter().zip(key).all(|(&column, value)| {
                    let about = &table.columns[column];
                    about.family == Family::Integer
                        && matches!(value, Value::Integer(_))
                        && row.values.get(&about.name).is_some_and(|given| given.is_same(value))
                })
        });
        let refers = |row: &NewRow<'_>| {
            let own = self.relations_from(row.table);
            own.into_iter().any(|(_, other)| is_judged(other) && self.reference(other, &row.values).is_some())
        };
        if !has_missing_key || !has_only_keys_with(table, key_columns) || refers(row) {
            return Ok(None);
        }
        let defaults = self.defaults(row.table)?;
        let stored = |column: &Column| match row.values.get(&column.name) {
            Some(value) => is_certain_value(self.sql, column, value).then(|| value.clone()),
            None => {
                let is_null = !column.not_null && !defaults.iter().any(|(name, _)| *name == column.name);
                is_null.then_some(Value::Null)
            }
        };
        let Some(values) = table.columns.iter().map(stored).collect::<Option<Vec<Value>>>() else { return Ok(None) };
        if self.has_conditions(row.table)? {
            return Ok(None);
        }
        let names = self.new_parents.columns.entry(row.table).or_insert_with(|| {
            let names: Arc<[String]> = table.columns.iter().map(|column| column.name.clone()).collect();
            names
        });
        let image = Row::of(names, values);
        let is_planned = self.draft.get(&table.name, &stored_name(&row.name, &image))?.is_some();
        Ok((!is_planned).then_some(image))
    }

    /// Plans such a row. The rehearsal gets it once it is needed there. Returns its name and its image.
    pub(super) fn plan_certain_parent(
        &mut self,
        case: &Case<'a>,
        row: NewRow<'_>,
        image: Row,
    ) -> Result<(RowName, Row), TreatError> {
        let (table, name) = (row.table, stored_name(&row.name, &image));
        if !self.rehearsal.behind.contains_key(&table) {
            self.rehearsal.behind.insert(table, self.draft.mark()?);
        }
        self.plan_parent(NewRow { missing_key_of: Some(case.id), ..row }, &name, &image)?;
        Ok((name, image))
    }
}

/// True if the table is a plain one without generated columns, and each of its unique indexes contains these columns. An index on
/// expressions or on some rows may refuse a row.
fn has_only_keys_with(table: &Table, key: &[usize]) -> bool {
    let is_harmless = |index: &Index| {
        let columns: Option<Vec<usize>> = index.columns.iter().map(|part| part.column).collect();
        let contains_key = |columns: &Vec<usize>| key.iter().all(|column| columns.contains(column));
        !index.partial && columns.is_some_and(|columns| !index.unique || contains_key(&columns))
    };
    table.kind == TableKind::Table
        && table.irreversible.is_none()
        && !table.columns.iter().any(|column| column.generated)
        && table.indexes.iter().all(is_harmless)
}
