//! One change, written and held against what was planned: one row, and nothing beyond it.

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
        let surgery = self.order.surgery;
        let row = if change.before.is_none() { &with_address(&table, change) } else { &change.row };
        let statement = surgery.change_row(&table, row, change);
        let before = if self.is_careful { writer.changed_so_far()? } else { 0 };
        let mut changed = writer.change(&statement);
        if let (Err(EngineError::Failed { .. }), ChangeRole::Parent) = (&changed, change.role())
            && let Some(unenforced) = surgery.without_enforcement(&statement).filter(|_| !writer.lost_conflict())
        {
            // Of parents that need each other, one has to be there first.
            changed = writer.change(&unenforced);
        }
        if self.is_careful && changed.is_ok() {
            changed = Ok(writer.changed_so_far()?.saturating_sub(before));
        }
        let why = match changed {
            Ok(1) => None,
            Ok(0) => Some((format!("{} did not change: a trigger kept it as it was", row_of(change)), true)),
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
            if self.order.skip_changed {
                self.barred.insert(line.position, SkipReason::Refused);
                return Err(Halt::Again);
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

    /// Triggers and cascades may have changed more rows than the plan. Which change it was is found by counting after each.
    pub(super) fn check_count(&mut self, portion: &Portion, planned: u64, changed: u64) -> Result<(), Halt> {
        if changed == planned {
            return Ok(());
        }
        if !self.is_careful {
            self.is_careful = true;
            return Err(Halt::Again);
        }
        let table = portion.lines.first().map_or(String::new(), |line| line.change.table.to_string());
        let why = format!(
            "changing {} from {table} on changed {}, by a trigger",
            plural(planned, "row"),
            plural(changed, "row")
        );
        Err(self.refused(why, self.without_triggers()).into())
    }

    /// What goes with a change that was made.
    fn follow_up(&mut self, writer: &mut dyn Writer, table: &Table, change: &Change) -> Result<(), ApplyError> {
        if let (ChangeRole::Parent, None, Some(after)) = (change.role(), &change.before, &change.after) {
            for advance in self.order.surgery.advance_sequences(table, after) {
                writer.each_row(&advance, &mut |_| {})?;
            }
            self.made(change);
        }
        match (&change.before, &change.after) {
            (None, _) => self.done.made += 1,
            (_, None) => self.done.deleted += 1,
            _ => self.done.changed += 1,
        }
        Ok(())
    }

    /// Where a trigger can store something else than was written, what was stored is read back.
    pub(super) fn check_stored(&mut self, writer: &mut dyn Writer, portion: &Portion) -> Result<(), Halt> {
        if self.order.facts().stores_as_written {
            return Ok(());
        }
        for (table, places) in portion.by_table(|line| line.fit == Fit::Ready) {
            let changes: Vec<&Change> = places.iter().map(|&place| &portion.lines[place].change).collect();
            let now = self.standings(writer, &table, &changes)?;
            let Some((place, _)) = places.iter().zip(now).find(|(_, now)| *now != ImageMatch::After) else { continue };
            let line = &portion.lines[*place];
            if self.order.skip_changed {
                self.barred.insert(line.position, SkipReason::Refused);
                return Err(Halt::Again);
            }
            let why = format!("{} was stored otherwise than was planned, by a trigger", row_of(&line.change));
            return Err(self.refused(why, self.without_triggers()).into());
        }
        Ok(())
    }

    fn without_triggers(&self) -> &'static str {
        if self.order.facts().can_silence_triggers {
            "nothing was changed: --no-triggers keeps triggers silent"
        } else {
            "nothing was changed: drop the trigger for the time of the repair"
        }
    }

    pub(super) fn table(&self, name: &str) -> Result<&Table, ApplyError> {
        self.tables
            .get(name)
            .ok_or_else(|| self.refused(format!("there is no table {name}"), "nothing was changed: make a new plan"))
    }
}
