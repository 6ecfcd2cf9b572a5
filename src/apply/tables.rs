//! Tables that a plan creates to keep deleted rows and old keys. They are created before their first row and dropped with their
//! last row. A run never drops a table that another program created, or one that may get rows while it is dropped.

use super::ApplyError;
use super::Direction;
use super::walk::Walk;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::state::Operation;
use crate::model::value::Value;

impl Walk<'_> {
    /// Creates the missing tables of the plan. Returns true if any was created.
    pub(super) fn create_tables(&mut self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        if self.options.direction == Direction::Undo {
            return Ok(false);
        }
        for new in self.reading.plan.header.creates.clone() {
            let name = new.name.to_string();
            if self.absent.contains(&name) {
                writer.change(&self.options.sql.create_marked_table(&new, self.reading.plan.digest()))?;
                self.made.push(new);
                self.note(writer, Operation::Create(name))?;
            }
        }
        Ok(!std::mem::take(&mut self.absent).is_empty())
    }

    /// Drops the empty tables that a rollback left behind after a failure.
    pub(super) fn drop_leftover_tables(&self, writer: &mut dyn Writer) {
        let defines_at_once = self.options.facts().defines_at_once();
        for new in self.made.iter().filter(|_| defines_at_once || self.is_gentle()) {
            // The first error is reported. An empty table does no harm.
            if !defines_at_once && writer.begin(None).is_err() {
                return;
            }
            let dropped = self.drop_if_empty(writer, new, &new.as_table());
            if !defines_at_once && (dropped.is_err() || writer.commit().is_err()) {
                writer.rollback();
            }
        }
    }

    /// Drops a table if it is empty. It locks the table first, so that it sees rows that another session commits meanwhile.
    fn drop_if_empty(&self, writer: &mut dyn Writer, new: &NewTable, table: &Table) -> Result<(), ApplyError> {
        let sql = self.options.sql;
        if let Some(query) = sql.may_drop_table(new, self.reading.plan.digest()) {
            let mut may = false;
            writer.each_row(&query, &mut |_| may = true)?;
            if !may {
                return Ok(());
            }
        }
        if let Some(claim) = sql.lock_until_dropped(new) {
            writer.define(&claim)?;
        }
        let mut last = Value::Null;
        let query = sql.largest_value(table, &new.columns[0]);
        let outcome = writer.each_row(&query, &mut |row| last = row.first().cloned().unwrap_or(Value::Null));
        let dropped = match outcome {
            Ok(()) if last == Value::Null => writer.define(&sql.drop_table(new)),
            failed => failed,
        };
        if let Some(release) = sql.unlock_tables() {
            writer.define(&release)?;
        }
        Ok(dropped?)
    }

    /// Drops the tables that the plan created and that are empty now.
    pub(super) fn drop_empty_tables(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if self.options.direction == Direction::Apply {
            return Ok(());
        }
        let created = &self.record()?.state.created;
        for new in &self.reading.plan.header.creates {
            let name = new.name.to_string();
            // If CREATE TABLE is committed at once, a run may be killed before it records the table. The table's mark then shows its
            // origin.
            let may_be_ours = created.contains(&name) || self.options.facts().defines_at_once();
            let Some(table) = self.options.schema.table(&name).filter(|_| may_be_ours) else { continue };
            let dropped = self.drop_if_empty(writer, new, &self.options.schema.tables[table]);
            // If the rows are committed already, an empty table does no harm. A role without the privilege leaves it.
            if !self.options.facts().defines_at_once() {
                dropped?;
            }
        }
        Ok(())
    }
}
