//! Tables that a plan brings along, to keep what it takes away or replaces: made before their first row, and gone with
//! their last one.

use super::ApplyError;
use super::Direction;
use super::Walk;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::value::Value;

impl Walk<'_> {
    /// Whether any was made.
    pub(super) fn make_tables(&mut self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        if self.order.direction == Direction::Undo {
            return Ok(false);
        }
        for new in self.plan.header.creates.clone() {
            if self.absent.contains(&new.name.to_string()) {
                writer.change(&self.order.surgery.create(&new))?;
                self.made.push(new);
            }
        }
        Ok(!std::mem::take(&mut self.absent).is_empty())
    }

    /// After a failure: tables that the rollback left behind.
    pub(super) fn clear_away(&self, writer: &mut dyn Writer) {
        for new in self.made.iter().filter(|_| self.order.surgery.defines_at_once()) {
            // The failure is what is told; an empty table harms nobody.
            let _ = self.drop_if_empty(writer, new, &new.as_table());
        }
    }

    fn drop_if_empty(&self, writer: &mut dyn Writer, new: &NewTable, table: &Table) -> Result<(), ApplyError> {
        let mut last = Value::Null;
        let question = self.order.surgery.largest(table, &new.columns[0]);
        writer.each_row(&question, &mut |row| last = row.first().cloned().unwrap_or(Value::Null))?;
        if last == Value::Null {
            writer.change(&self.order.surgery.drop(new))?;
        }
        Ok(())
    }

    /// Tables that the plan made go with their last row.
    pub(super) fn leave_no_empty_tables(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if self.order.direction == Direction::Apply {
            return Ok(());
        }
        for new in &self.plan.header.creates {
            let Some(table) = self.order.schema.table(&new.name.to_string()) else { continue };
            self.drop_if_empty(writer, new, &self.order.schema.tables[table])?;
        }
        Ok(())
    }
}
