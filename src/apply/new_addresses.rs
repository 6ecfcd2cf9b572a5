//! Rows that come back under other addresses. The engine gives the address of a deleted row to another row. The deleted row then comes
//! back under a new address. Its key shows that the other row is not the same one.

use super::ApplyError;
use super::CHUNK;
use super::Direction;
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
    /// Gives new addresses to the rows of a portion that come back and whose address another row has.
    pub(super) fn find_new_addresses(
        &self,
        session: &mut dyn Session,
        portion: &mut Portion,
    ) -> Result<(), ApplyError> {
        for (table, indexes) in portion.by_table(|line| line.change.before.is_none()) {
            let Some(table) = self.tables.get(&table).filter(|_| !self.absent.contains(&table)) else { continue };
            let Some(address) = table.lasting_address() else { continue };
            let taken = match is_named_by_address(table) {
                true => self.replaced_rows(session, table, &portion.lines, indexes)?,
                false => self.rows_at_taken_addresses(session, (table, address), &portion.lines, indexes)?,
            };
            if taken.is_empty() {
                continue;
            }
            let own = |line: &Line| line.change.address.or_else(|| line.change.row.get(address)?.as_integer());
            let mut last = portion.lines.iter().filter(|line| line.change.table == table.name).filter_map(own).max();
            session.each_row(&self.options.sql.largest_value(table, address), &mut |row| {
                last = last.max(row.first().and_then(Value::as_integer));
            })?;
            for (index, next) in taken.into_iter().zip(last.unwrap_or(0).saturating_add(1)..) {
                let line = &mut portion.lines[index];
                line.change.address = Some(next);
                if is_named_by_address(table) {
                    line.change.row = RowName::from(vec![(address, Value::Integer(next))]);
                    line.fit = Fit::Ready;
                }
                portion.has_new_addresses = true;
            }
        }
        Ok(())
    }

    /// Returns those of some lines whose rows undo brings back while other rows have their addresses. Only the addresses name the rows.
    fn replaced_rows(
        &self,
        session: &mut dyn Session,
        table: &Table,
        lines: &[Line],
        mut indexes: Vec<usize>,
    ) -> Result<Vec<usize>, ApplyError> {
        indexes.retain(|&index| lines[index].fit == Fit::Left(SkipReason::Changed));
        if indexes.is_empty() || self.options.direction == Direction::Apply {
            return Ok(Vec::new());
        }
        let deleted: Vec<Option<&Row>> = indexes.iter().map(|&index| lines[index].change.after.as_ref()).collect();
        let are_replaced = self.are_replaced(session, table, &deleted)?;
        Ok(indexes
            .into_iter()
            .zip(are_replaced)
            .filter(|(_, is_replaced)| *is_replaced)
            .map(|(index, _)| index)
            .collect())
    }

    /// Returns those of some lines whose rows come back under their keys while other rows have their addresses.
    fn rows_at_taken_addresses(
        &self,
        session: &mut dyn Session,
        (table, address): (&Table, &str),
        lines: &[Line],
        indexes: Vec<usize>,
    ) -> Result<Vec<usize>, ApplyError> {
        let named = indexes.into_iter().filter(|&index| lines[index].fit == Fit::Ready).filter_map(|index| {
            let own = lines[index].change.address?;
            Some((index, RowName::from(vec![(address, Value::Integer(own))])))
        });
        let named: Vec<(usize, RowName)> = named.collect();
        // Other columns are not read, because they may be of any size.
        let mut narrow = table.clone();
        narrow.columns = table.primary_key.iter().map(|&column| table.columns[column].clone()).collect();
        let mut taken = Vec::new();
        for chunk in named.chunks(CHUNK) {
            let names: Vec<&RowName> = chunk.iter().map(|(_, name)| name).collect();
            let stored = self.rows_of(session, &narrow, &names)?;
            taken.extend(chunk.iter().zip(stored).filter(|(_, stored)| stored.is_some()).map(|((index, _), _)| *index));
        }
        Ok(taken)
    }

    /// Returns for each deleted row of a table true if its address belongs to another row by now: only their addresses name the rows of
    /// the table, and no stored row has the key of the deleted row.
    pub(super) fn are_replaced(
        &self,
        session: &mut dyn Session,
        table: &Table,
        deleted: &[Option<&Row>],
    ) -> Result<Vec<bool>, ApplyError> {
        let mut are_replaced = vec![false; deleted.len()];
        if !is_named_by_address(table) {
            return Ok(are_replaced);
        }
        let names = || table.primary_key.iter().map(|&column| table.columns[column].name.as_str());
        let keys = deleted.iter().enumerate().filter_map(|(index, row)| Some((index, row.as_ref()?.key(names())?)));
        let keys: Vec<(usize, Key)> = keys.filter(|(_, key)| !key.is_empty() && !key.contains(&Value::Null)).collect();
        for chunk in keys.chunks(CHUNK) {
            chunk.iter().for_each(|(index, _)| are_replaced[*index] = true);
            let wanted: Vec<&Key> = chunk.iter().map(|(_, key)| key).collect();
            let query = self.options.sql.present_keys(table, &table.primary_key, &wanted);
            session.numbered(&query, wanted.len(), &mut |number, _| are_replaced[chunk[number].0] = false)?;
        }
        Ok(are_replaced)
    }
}

/// True if nothing but their addresses names the rows of a table.
fn is_named_by_address(table: &Table) -> bool {
    table.lasting_address().is_some_and(|address| identity_columns(table) == [address])
}
