//! Rows that come back under other addresses. The engine gives the address of a deleted row to another row. If undo finds that, the
//! deleted row gets a new address: its primary key shows that the other row is not the same one, and no row has that key.

use std::collections::HashSet;

use super::ApplyError;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::walk::Walk;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::plan::identity_columns;
use crate::model::row::RowName;
use crate::model::state::SkipReason;
use crate::model::value::Key;
use crate::model::value::Value;

impl Walk<'_> {
    /// Gives new addresses to rows of a portion that come back and are named by an address that another row has.
    pub(super) fn find_new_addresses(
        &self,
        session: &mut dyn Session,
        portion: &mut Portion,
    ) -> Result<(), ApplyError> {
        let is_kept_out = |line: &Line| line.fit == Fit::Left(SkipReason::Changed) && line.change.before.is_none();
        for (table, indexes) in portion.by_table(is_kept_out) {
            let table = self.table(&table)?;
            let Some(address) = table.lasting_address().filter(|address| identity_columns(table) == [*address]) else {
                continue;
            };
            let returning = self.with_free_keys(session, table, portion, indexes)?;
            if returning.is_empty() {
                continue;
            }
            let own = |line: &Line| line.change.row.get(address).and_then(Value::as_integer);
            let mut last = portion.lines.iter().filter(|line| line.change.table == table.name).filter_map(own).max();
            session.each_row(&self.options.sql.largest_value(table, address), &mut |row| {
                last = last.max(row.first().and_then(Value::as_integer));
            })?;
            for (index, next) in returning.into_iter().zip(last.unwrap_or(0).saturating_add(1)..) {
                let line = &mut portion.lines[index];
                line.change.row = RowName::from(vec![(address, Value::Integer(next))]);
                line.change.address = None;
                line.fit = Fit::Ready;
                portion.has_new_addresses = true;
            }
        }
        Ok(())
    }

    /// Returns those lines whose rows have a whole primary key that no stored row has.
    fn with_free_keys(
        &self,
        session: &mut dyn Session,
        table: &Table,
        portion: &Portion,
        indexes: Vec<usize>,
    ) -> Result<Vec<usize>, ApplyError> {
        let names = || table.primary_key.iter().map(|&column| table.columns[column].name.as_str());
        let key = |index: usize| portion.lines[index].change.after.as_ref().and_then(|image| image.key(names()));
        let keys = indexes.into_iter().filter_map(|index| Some((index, key(index)?)));
        let keys: Vec<(usize, Key)> = keys.filter(|(_, key)| !key.is_empty() && !key.contains(&Value::Null)).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<&Key> = keys.iter().map(|(_, key)| key).collect();
        let mut taken: HashSet<usize> = HashSet::new();
        let query = self.options.sql.present_keys(table, &table.primary_key, &wanted);
        session.numbered(&query, wanted.len(), &mut |number, _| _ = taken.insert(keys[number].0))?;
        Ok(keys.iter().map(|(index, _)| *index).filter(|index| !taken.contains(index)).collect())
    }
}
