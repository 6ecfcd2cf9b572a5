//! Writes one change, and checks that it affected exactly one row.

use super::ApplyError;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::row_of;
use super::walk::Halt;
use super::walk::Walk;
use super::with_address;
use crate::engine::EngineError;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::image_match::ImageMatch;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::state::SkipReason;
use crate::model::text::plural;

impl Walk<'_> {
    pub(super) fn write_one(&mut self, writer: &mut dyn Writer, line: &Line) -> Result<(), Halt> {
        let change = &line.change;
        let table = self.table(&change.table.to_string())?.clone();
        let sql = self.options.sql;
        let row = if change.before.is_none() { &with_address(&table, change) } else { &change.row };
        let statement = sql.change_row(&table, row, change);
        let before = if self.counts_each_change { writer.changed_so_far()? } else { 0 };
        let mut changed = writer.change(&statement);
        if let (Err(EngineError::Failed { .. }), ChangeRole::Parent | ChangeRole::Restored) = (&changed, change.role())
            && let Some(unenforced) = sql.without_enforcement(&statement).filter(|_| !writer.lost_conflict())
        {
            // If two parents require each other, one is inserted while its foreign key is not enforced.
            changed = writer.change(&unenforced);
        }
        if self.counts_each_change && changed.is_ok() {
            changed = Ok(writer.changed_so_far()?.saturating_sub(before));
        }
        let why = match changed {
            Ok(1) => None,
            Ok(0) => Some((format!("{} did not change: a trigger prevented the change", row_of(change)), true)),
            Ok(rows) => {
                let more = plural(rows - 1, "row");
                Some((format!("changing {} changed {more} beyond the plan, by a trigger", row_of(change)), true))
            }
            Err(EngineError::Failed { why }) if !writer.lost_conflict() => {
                Some((format!("{} cannot be changed: {why}", row_of(change)), false))
            }
            Err(other) => return Err(other.into()),
        };
        if let Some((why, is_trigger)) = why {
            if self.options.skip_changed {
                self.excluded.insert(line.position, SkipReason::Refused);
                return Err(Halt::Retry);
            }
            let help = if is_trigger {
                self.without_triggers()
            } else {
                "nothing was changed: make a new plan with `fk-doctor repair`"
            };
            return Err(self.refused(why, help).into());
        }
        self.follow_up(writer, &table, change)?;
        Ok(())
    }

    /// Checks the number of affected rows, because triggers and cascades may change further rows. If it is wrong, a second attempt
    /// counts after each change and so finds the change at fault.
    pub(super) fn check_count(&mut self, portion: &Portion, planned: u64, changed: u64) -> Result<(), Halt> {
        if changed == planned {
            return Ok(());
        }
        if !self.counts_each_change {
            self.counts_each_change = true;
            return Err(Halt::Retry);
        }
        let table = portion.lines.first().map_or(String::new(), |line| line.change.table.to_string());
        let why = format!(
            "changing {} from {table} on changed {}, by a trigger",
            plural(planned, "row"),
            plural(changed, "row")
        );
        Err(self.refused(why, self.without_triggers()).into())
    }

    /// Advances the counter of the table after a change, and counts the change.
    fn follow_up(&mut self, writer: &mut dyn Writer, table: &Table, change: &Change) -> Result<(), ApplyError> {
        if let (ChangeRole::Parent | ChangeRole::Restored, None, Some(after)) =
            (change.role(), &change.before, &change.after)
        {
            for advance in self.options.sql.advance_sequences(table, after) {
                writer.each_row(&advance, &mut |_| {})?;
            }
            self.made(change);
        }
        self.done.count(change);
        Ok(())
    }

    /// Reads the written rows back, if triggers of this engine can store other values than were written.
    pub(super) fn check_stored(&mut self, writer: &mut dyn Writer, portion: &Portion) -> Result<(), Halt> {
        if self.options.facts().stores_as_written {
            return Ok(());
        }
        for (table, indexes) in portion.by_table(|line| line.fit == Fit::Ready) {
            let changes: Vec<&Change> = indexes.iter().map(|&index| &portion.lines[index].change).collect();
            let now = self.compare_rows(writer, &table, &changes)?;
            let Some((index, _)) = indexes.iter().zip(now).find(|(_, now)| *now != ImageMatch::After) else { continue };
            let line = &portion.lines[*index];
            if self.options.skip_changed {
                self.excluded.insert(line.position, SkipReason::Refused);
                return Err(Halt::Retry);
            }
            let why = format!("a trigger stored {} with other values than planned", row_of(&line.change));
            return Err(self.refused(why, self.without_triggers()).into());
        }
        Ok(())
    }

    fn without_triggers(&self) -> &'static str {
        if self.options.facts().can_silence_triggers {
            "nothing was changed: add --no-triggers to disable triggers"
        } else {
            "nothing was changed: drop the trigger, repeat the command, and create the trigger again"
        }
    }

    pub(super) fn table(&self, name: &str) -> Result<&Table, ApplyError> {
        self.tables.get(name).ok_or_else(|| {
            self.refused(
                format!("there is no table {name}"),
                "nothing was changed: make a new plan with `fk-doctor repair`",
            )
        })
    }
}
