//! The counters from which an engine takes keys. The plan also contains their new values, so that undo can restore them.

use super::Planner;
use super::TreatError;
use super::parents::largest;
use crate::model::facts::CounterTable;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::TreatmentKind;
use crate::model::schema::Schema;
use crate::model::value::Value;

/// Returns the table in which the engine counts keys, if the database has it.
pub(super) fn counter_table(schema: &Schema) -> Option<(&'static CounterTable, TableId)> {
    let names = schema.database.engine.facts().counters.as_ref()?;
    Some((names, schema.table(names.table)?))
}

impl<'a> Planner<'a> {
    /// Returns the table's counter: the address of its row, and its value, for example `(3, 41)`.
    pub(super) fn counter(&mut self, table: TableId) -> Result<Option<(i64, i64)>, TreatError> {
        let mut found = None;
        if self.counters.is_none() {
            return Ok(None);
        }
        if let Some(query) = self.sql.counter_row(&self.schema.tables[table]) {
            self.lookups.each_row(&query, &mut |row| {
                if let [address, _, value] = row {
                    found = address.as_integer().zip(value.as_integer());
                }
            })?;
        }
        Ok(found)
    }

    /// Plans the new values of the counters of tables with new rows, so that undo can restore them.
    pub(super) fn plan_counters(&mut self) -> Result<(), TreatError> {
        let Some((names, counters)) = self.counters else { return Ok(()) };
        let tables: Vec<TableId> = self.new_parents.created.keys().copied().collect();
        for table in tables {
            let about = &self.schema.tables[table];
            let Some(query) = self.sql.counter_row(about) else { continue };
            // A table of the rehearsal has a counter only if the engine counts its keys. The counter's value cannot be used,
            // because it also counts rows that are not planned.
            let mut has_counter = false;
            if self.rehearsal.session.each_row(&query, &mut |_| has_counter = true).is_err() || !has_counter {
                continue;
            }
            let Some(reached) = self.largest_number(table)? else { continue };
            let before = self.counter(table)?;
            if before.is_some_and(|(_, counted)| counted >= reached) {
                continue;
            }
            let image = |value: i64| {
                let name = (names.name, Value::text(&about.name.table));
                Row::from(vec![name, (names.value, Value::Integer(value))])
            };
            let address = match before {
                Some((address, _)) => address,
                None => self.next_integer(counters, names.address)?,
            };
            let row = RowName::from(vec![(names.address, Value::Integer(address))]);
            let before = before.map(|(_, counted)| image(counted));
            let mut change = Change::new(self.schema.tables[counters].name.clone(), row, before, Some(image(reached)));
            change.reasons.push(ChangeReason {
                role: ChangeRole::Counter,
                relation: String::new(),
                rule: String::new(),
                treatment: TreatmentKind::Placeholder.name().to_owned(),
            });
            self.put(&change)?;
        }
        Ok(())
    }

    /// Returns the largest number in the names of the rows that the plan creates in a table.
    fn largest_number(&self, table: TableId) -> Result<Option<i64>, TreatError> {
        let Some(created) = self.new_parents.created.get(&table) else { return Ok(None) };
        if !created.is_stale {
            return Ok(created.largest_number);
        }
        let name = &self.schema.tables[table].name;
        let mut reached = None;
        self.draft.each(|change| {
            if change.table == *name && matches!(change.role(), ChangeRole::Parent | ChangeRole::Restored) {
                reached = reached.max(largest(&change.row));
            }
            Ok::<(), rusqlite::Error>(())
        })?;
        Ok(reached)
    }
}
