//! With `--skip-changed`, leaves rows that the database refuses. The changes since the refused row's portion began are taken back, and
//! the portion is changed again without that row. If the row decides about changes before this portion, the whole run starts again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Direction;
use super::RunSummary;
use super::portion::Line;
use super::portion::Portion;
use super::references::PendingOrphan;
use super::sets::LinesOutcome;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::set_writer::SetWriter;
use crate::engine::write::Writer;

/// The state of a walk before it changes the rows of a portion one by one.
struct PortionStart {
    done: RunSummary,
    left_orphans: BTreeMap<String, u64>,
    pending_orphans: Vec<PendingOrphan>,
    /// The lines of the portion that were excluded before.
    excluded: BTreeSet<usize>,
}

impl Walk<'_> {
    /// Changes the rows of the portion at a step one by one. If the database refuses one of them and the run skips such rows, the
    /// portion is taken back, to be changed again without the row.
    pub(super) fn change_or_leave(
        &mut self,
        writer: &mut dyn Writer,
        step: usize,
        mut portion: Portion,
    ) -> Result<LinesOutcome, Halt> {
        let lines = portion.lines.len();
        if !self.options.skip_changed || writer.sets().is_none() {
            self.change(writer, &mut portion)?;
            return Ok(LinesOutcome::Done(lines));
        }
        writer.sets().map_or(Ok(()), SetWriter::set_savepoint)?;
        let start = self.portion_start(&portion);
        match self.change(writer, &mut portion) {
            Ok(()) => {
                self.portion_keys = None;
                writer.sets().map_or(Ok(()), SetWriter::release_savepoint)?;
                Ok(LinesOutcome::Done(lines))
            }
            Err(Halt::Retry) => {
                let first = portion.lines.iter().position(|line| self.is_left_since(&start, line));
                let is_local = !self.decides_about_earlier_changes(&portion, &start);
                // The database may have ended the transaction, and the savepoint with it.
                if !is_local || writer.sets().is_none_or(|sets| sets.return_to_savepoint().is_err()) {
                    return Err(Halt::Retry);
                }
                self.return_to(start);
                if let Some(first) = first {
                    // The rows before this one change as before, and the next portion begins with it.
                    self.narrow_to(step, first.max(1));
                    self.counts_each_change = false;
                }
                Ok(LinesOutcome::Divided)
            }
            Err(halt) => Err(halt),
        }
    }

    fn portion_start(&mut self, portion: &Portion) -> PortionStart {
        self.portion_keys = Some(Vec::new());
        let positions = portion.lines.iter().map(|line| line.position);
        PortionStart {
            done: self.done.clone(),
            left_orphans: self.left_orphans.clone(),
            pending_orphans: self.pending_orphans.clone(),
            excluded: positions.filter(|position| self.excluded.contains_key(position)).collect(),
        }
    }

    fn return_to(&mut self, start: PortionStart) {
        for key in self.portion_keys.take().unwrap_or_default() {
            self.made_keys.remove(&key);
        }
        (self.done, self.left_orphans) = (start.done, start.left_orphans);
        self.pending_orphans = start.pending_orphans;
        // A row that is not compared again would not be left.
        self.all_ready = false;
        self.has_left_rows = true;
    }

    /// True if the row of a line was refused since the portion began.
    fn is_left_since(&self, start: &PortionStart, line: &Line) -> bool {
        self.excluded.contains_key(&line.position) && !start.excluded.contains(&line.position)
    }

    /// True if a run that leaves the rows from its start on would make other changes before this portion.
    fn decides_about_earlier_changes(&mut self, portion: &Portion, start: &PortionStart) -> bool {
        let mut left = Vec::new();
        for unit in portion.units() {
            if portion.lines[unit.clone()].iter().any(|line| self.is_left_since(start, line)) {
                left.extend(unit);
            }
        }
        let is_apply = self.options.direction == Direction::Apply;
        let committed = match &self.record {
            Some(record) => &record.state.ours,
            None => return true,
        };
        left.into_iter().any(|index| {
            let line = &portion.lines[index];
            let is_awaited = start.pending_orphans.iter().any(|pending| pending.row == line.change.row);
            is_awaited
                || (is_apply && self.lookahead.leave(&self.schema_index, self.options.schema, &line.change, committed))
        })
    }
}
