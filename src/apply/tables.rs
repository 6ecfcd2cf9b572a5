//! Tables that a plan brings along, to keep what it takes away or replaces: made before their first row, and gone with
//! their last one. Nobody drops a table that another made, or that may have rows in the moment in which it is dropped.

use super::ApplyError;
use super::Direction;
use super::walk::Walk;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::state::Operation;
use crate::model::value::Value;

impl Walk<'_> {
    /// Whether any was made.
    pub(super) fn make_tables(&mut self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        if self.order.direction == Direction::Undo {
            return Ok(false);
        }
        for new in self.reading.plan.header.creates.clone() {
            let name = new.name.to_string();
            if self.absent.contains(&name) {
                writer.change(&self.order.surgery.create_marked_table(&new, self.reading.plan.digest()))?;
                self.made.push(new);
                self.note(writer, Operation::Create(name))?;
            }
        }
        Ok(!std::mem::take(&mut self.absent).is_empty())
    }

    /// After a failure: tables that the rollback left behind.
    pub(super) fn clear_away(&self, writer: &mut dyn Writer) {
        for new in self.made.iter().filter(|_| self.order.facts().defines_at_once()) {
            // The failure is what is told; an empty table harms nobody.
            let _ = self.drop_if_empty(writer, new, &new.as_table());
        }
    }

    /// The table is claimed first, so that what another session has written and not yet committed is waited for and seen.
    fn drop_if_empty(&self, writer: &mut dyn Writer, new: &NewTable, table: &Table) -> Result<(), ApplyError> {
        let surgery = self.order.surgery;
        if let Some(question) = surgery.may_drop_table(new, self.reading.plan.digest()) {
            let mut may = false;
            writer.each_row(&question, &mut |_| may = true)?;
            if !may {
                return Ok(());
            }
        }
        if let Some(claim) = surgery.lock_until_dropped(new) {
            writer.define(&claim)?;
        }
        let mut last = Value::Null;
        let question = surgery.largest_value(table, &new.columns[0]);
        let looked = writer.each_row(&question, &mut |row| last = row.first().cloned().unwrap_or(Value::Null));
        let dropped = match looked {
            Ok(()) if last == Value::Null => writer.define(&surgery.drop_table(new)),
            looked => looked,
        };
        if let Some(release) = surgery.unlock_tables() {
            writer.define(&release)?;
        }
        Ok(dropped?)
    }

    /// Tables that the plan made go with their last row.
    pub(super) fn leave_no_empty_tables(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if self.order.direction == Direction::Apply {
            return Ok(());
        }
        let created = &self.record()?.state.created;
        for new in &self.reading.plan.header.creates {
            let name = new.name.to_string();
            // Where a table is made at once, its mark says whose it is: a run may have been killed before it could record it.
            let may_be_ours = created.contains(&name) || self.order.facts().defines_at_once();
            let Some(table) = self.order.schema.table(&name).filter(|_| may_be_ours) else { continue };
            let dropped = self.drop_if_empty(writer, new, &self.order.schema.tables[table]);
            // Where the rows are committed before, an empty table harms nobody: a role that may not drop it leaves it.
            if !self.order.facts().defines_at_once() {
                dropped?;
            }
        }
        Ok(())
    }
}
