//! Rows that come back under other addresses. The engine gives the address of a deleted row to another row. If undo finds that, the
//! deleted row gets a new address: its primary key shows that the other row is not the same one, and no row has that key.

use super::ApplyError;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::walk::Walk;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
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
            let Some(address) = table.lasting_address() else { continue };
            let image = |&index: &usize| portion.lines[index].change.after.as_ref();
            let is_elsewhere = self.are_other_rows(session, table, &indexes.iter().map(image).collect::<Vec<_>>())?;
            let returning = indexes.into_iter().zip(is_elsewhere).filter(|(_, is_elsewhere)| *is_elsewhere);
            let returning: Vec<usize> = returning.map(|(index, _)| index).collect();
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

    /// Returns for each deleted row of a table true if its address belongs to another row by now: the table names rows by their
    /// addresses only, and no stored row has the key of the deleted row.
    pub(super) fn are_other_rows(
        &self,
        session: &mut dyn Session,
        table: &Table,
        deleted: &[Option<&Row>],
    ) -> Result<Vec<bool>, ApplyError> {
        let mut are_other = vec![false; deleted.len()];
        if table.lasting_address().is_none_or(|address| identity_columns(table) != [address]) {
            return Ok(are_other);
        }
        let names = || table.primary_key.iter().map(|&column| table.columns[column].name.as_str());
        let keys = deleted.iter().enumerate().filter_map(|(index, row)| Some((index, row.as_ref()?.key(names())?)));
        let keys: Vec<(usize, Key)> = keys.filter(|(_, key)| !key.is_empty() && !key.contains(&Value::Null)).collect();
        if keys.is_empty() {
            return Ok(are_other);
        }
        keys.iter().for_each(|(index, _)| are_other[*index] = true);
        let wanted: Vec<&Key> = keys.iter().map(|(_, key)| key).collect();
        let query = self.options.sql.present_keys(table, &table.primary_key, &wanted);
        session.numbered(&query, wanted.len(), &mut |number, _| are_other[keys[number].0] = false)?;
        Ok(are_other)
    }
}
