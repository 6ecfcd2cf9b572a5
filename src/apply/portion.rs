//! Consecutive changes of a plan in the direction of the run. A portion contains only whole units.

use super::ApplyError;
use super::Direction;
use super::lines_ahead::LinesAhead;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::state::SkipReason;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;

/// The state of a change in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The record says that an earlier run made the change, or took it back. The row is not compared.
    Done,
    /// The row already has its new values, and not from this plan.
    Already,
    /// A counter that has its planned value, because the engine advanced it with the inserted rows.
    Moved,
    /// The row equals its image before, and may be changed.
    Ready,
    /// The row is skipped.
    Left(SkipReason),
}

#[derive(Debug)]
pub(super) struct Line {
    /// Its position in the plan.
    pub(super) position: usize,
    /// The change. Its images are swapped for undo.
    pub(super) change: Change,
    pub(super) fit: Fit,
}

#[derive(Debug)]
pub(super) struct Portion {
    pub(super) lines: Vec<Line>,
    /// True if rows come back under other addresses than those of the plan.
    pub(super) has_new_addresses: bool,
}

/// Reads a plan forwards, or backwards with its images swapped.
pub(super) struct Reading<'p> {
    pub(super) plan: &'p mut PlanFile,
    pub(super) direction: Direction,
    /// The change that was read last, at its step.
    ahead: Option<(usize, Change)>,
    /// The lines of sets, which are read on another thread.
    pub(super) ahead_of_sets: Option<LinesAhead>,
}

impl<'p> Reading<'p> {
    pub(super) fn new(plan: &'p mut PlanFile, direction: Direction) -> Reading<'p> {
        Reading { plan, direction, ahead: None, ahead_of_sets: None }
    }

    /// Returns the position in the plan of a step of the run.
    pub(super) fn position(&self, step: usize) -> usize {
        self.direction.position(step, self.plan.changes())
    }

    fn change(&mut self, step: usize) -> Result<Change, PlanError> {
        if let Some((at, change)) = self.ahead.take()
            && at == step
        {
            return Ok(change);
        }
        let change = self.plan.change(self.position(step))?;
        Ok(match self.direction {
            Direction::Apply => change,
            Direction::Undo => change.inverse(),
        })
    }

    /// Returns at least one change from a step on, and about `most` changes at most. It never divides a unit.
    pub(super) fn portion(&mut self, step: usize, most: usize) -> Result<Portion, ApplyError> {
        let total = self.plan.changes();
        let mut lines: Vec<Line> = Vec::new();
        for step in step..total {
            let change = self.change(step)?;
            let continues = lines.last().is_none_or(|last| is_one_unit(&last.change, &change));
            let counts = |change: &Change| change.role() == ChangeRole::Counter;
            // A counter is compared after the rows that advance it were written.
            let is_alike = lines.last().is_none_or(|last| counts(&last.change) == counts(&change));
            if !continues && (lines.len() >= most || !is_alike) {
                self.ahead = Some((step, change));
                break;
            }
            lines.push(Line { position: self.position(step), change, fit: Fit::Ready });
        }
        Ok(Portion { lines, has_new_addresses: false })
    }
}

fn is_one_unit(previous: &Change, next: &Change) -> bool {
    previous.unit.is_some() && previous.unit == next.unit
}

impl Portion {
    /// Returns the lines of each unit, as ranges of `lines`.
    pub(super) fn units(&self) -> Vec<std::ops::Range<usize>> {
        let mut units: Vec<std::ops::Range<usize>> = Vec::new();
        for index in 0..self.lines.len() {
            match units.last_mut() {
                Some(unit) if is_one_unit(&self.lines[unit.start].change, &self.lines[index].change) => {
                    unit.end = index + 1;
                }
                _ => units.push(index..index + 1),
            }
        }
        units
    }

    /// Makes each unit all or nothing. If one line is skipped, the other lines are skipped too. If another session already made the
    /// main change, the other lines are also skipped, except that a line of a record table counts as done.
    pub(super) fn unite(&mut self) {
        for unit in self.units() {
            let lines = &mut self.lines[unit];
            leave_rows_without_record(lines);
            let is_left = lines.iter().any(|line| matches!(line.fit, Fit::Left(_)));
            let mut mains = lines.iter().filter(|line| {
                matches!(
                    line.change.role(),
                    ChangeRole::Orphan | ChangeRole::Parent | ChangeRole::Restored | ChangeRole::Twin
                ) && line.fit != Fit::Done
            });
            let is_needless = mains.clone().next().is_some() && mains.all(|line| line.fit == Fit::Already);
            for line in lines.iter_mut().filter(|line| line.fit == Fit::Ready) {
                if is_left || (is_needless && line.change.role() != ChangeRole::Record) {
                    line.fit = Fit::Left(SkipReason::Bound);
                } else if is_needless {
                    line.fit = Fit::Already;
                }
            }
        }
    }

    /// Returns the indexes of the lines that pass a filter, by table.
    pub(super) fn by_table(&self, is_selected: impl Fn(&Line) -> bool) -> Vec<(String, Vec<usize>)> {
        let mut tables: Vec<(String, Vec<usize>)> = Vec::new();
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| is_selected(line)) {
            let name = line.change.table.to_string();
            match tables.iter_mut().find(|(table, _)| *table == name) {
                Some((_, indexes)) => indexes.push(index),
                None => tables.push((name, vec![index])),
            }
        }
        tables
    }
}

/// Skips quarantined rows whose record is gone, because another run has restored or removed them.
fn leave_rows_without_record(lines: &mut [Line]) {
    let is_gone = |line: &Line| {
        line.change.role() == ChangeRole::Record && line.change.after.is_none() && line.fit == Fit::Already
    };
    if lines.iter().any(is_gone) {
        let returns = |line: &&mut Line| line.change.role() == ChangeRole::Restored && line.change.before.is_none();
        for line in lines.iter_mut().filter(|line| line.fit == Fit::Ready).filter(returns) {
            line.fit = Fit::Left(SkipReason::Changed);
        }
    }
}

/// True for a line of a record table that is skipped only because its row is skipped. Such a line is not reported.
pub(super) fn is_only_kept_out(change: &Change, why: SkipReason) -> bool {
    change.role() == ChangeRole::Record && why == SkipReason::Bound
}
