//! Changes the rows of consecutive lines in sets. A set changes exactly the rows of its lines, each of which meets the conditions of
//! its group in the statement that changes it. Otherwise the transaction is rolled back, and its rows are changed one by one, which
//! finds the row at fault and names it.

use std::collections::BTreeMap;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::groups::Groups;
use super::known_references::KnownReferences;
use super::portion::Fit;
use super::portion::Portion;
use super::set_portion::SetLine;
use super::set_portion::SetPortion;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::EngineError;
use crate::engine::write::Writer;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::row::Row;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowChangeKind;
use crate::model::state::Positions;
use crate::model::value::Value;

/// The state of the changes in sets.
#[derive(Default)]
pub(super) struct Sets<'s> {
    /// The groups; `None` if all rows are changed one by one.
    groups: Option<Groups<'s>>,
    /// The number of lines in a set.
    size: usize,
    /// The lines that are changed row by row, because they have no group or did not fit.
    one_by_one: Positions,
}

/// How consecutive lines are changed.
enum Route {
    /// In a set, with the group of each line.
    Set(Vec<usize>),
    OneByOne,
    /// An earlier run made all of the changes.
    Done,
}

impl<'s> Sets<'s> {
    pub(super) fn groups(&self) -> Option<&Groups<'s>> {
        self.groups.as_ref()
    }
}

impl Walk<'_> {
    /// Decides if rows can be changed in sets at all.
    pub(super) fn open_sets(&mut self, writer: &mut dyn Writer) {
        let Some(size) = writer.sets().map(|sets| sets.batch_size()) else { return };
        if !self.avoids_sets && self.reading.plan.header.redefinitions.is_empty() {
            let groups = Groups::new(self.options.schema, self.options.direction, &self.watched, &self.tables);
            self.sets = Sets { groups: Some(groups), size, one_by_one: Positions::default() };
        }
    }

    /// Returns the number of lines that are read at a time.
    pub(super) fn portion_size(&self) -> usize {
        if self.sets.groups.is_some() { self.sets.size } else { CHUNK }
    }

    /// Compares all rows with the plan in sets. Returns the number of lines that are ready, and true if every other line is done.
    /// The other lines are marked to be changed row by row.
    pub(super) fn inspect_sets(&mut self, writer: &mut dyn Writer) -> Result<(u64, bool), ApplyError> {
        if self.sets.groups.is_none() {
            return Ok((0, false));
        }
        let total = self.reading.plan.changes();
        let (mut step, mut ready, mut fits) = (0, 0, true);
        (self.options.progress)(&ProgressStep::of(RunPhase::CompareRows, 0, total));
        while step < total {
            self.stop_if_asked(0)?;
            let portion = self.reading.set_portion(step, self.sets.size)?;
            step += portion.lines.len();
            (self.options.progress)(&ProgressStep::of(RunPhase::CompareRows, step, total));
            let is_ready = match self.route(writer, &portion)? {
                Route::Done => continue,
                Route::OneByOne => false,
                Route::Set(groups) => self.fits_as_set(writer, &portion, &groups)?,
            };
            if is_ready {
                ready += portion.lines.len() as u64;
            } else {
                fits = false;
                self.change_one_by_one(&portion);
            }
        }
        Ok((ready, fits))
    }

    /// Marks lines to be changed row by row.
    fn change_one_by_one(&mut self, portion: &SetPortion) {
        portion.lines.iter().for_each(|line| self.sets.one_by_one.insert(line.position));
    }

    /// True if the rows of a portion have to be compared one by one before they change.
    pub(super) fn needs_comparison(&self, portion: &Portion) -> Result<bool, ApplyError> {
        let is_apply = self.options.direction == Direction::Apply;
        let ours = &self.record()?.state.ours;
        Ok(self.sets.groups.is_none()
            || portion
                .lines
                .iter()
                .any(|line| self.sets.one_by_one.contains(line.position) || ours.contains(line.position) == is_apply))
    }

    /// Returns the group of each line; `None` if one of them has no group.
    pub(super) fn groups_of(
        &mut self,
        writer: &mut dyn Writer,
        portion: &SetPortion,
    ) -> Result<Option<Vec<usize>>, ApplyError> {
        let (Some(all), Some(sets)) = (self.sets.groups.as_mut(), writer.sets()) else { return Ok(None) };
        let mut groups = Vec::with_capacity(portion.lines.len());
        for line in &portion.lines {
            match all.group(line, &mut |group| sets.supports(group))? {
                Some(group) => groups.push(group),
                None => return Ok(None),
            }
        }
        Ok(Some(groups))
    }

    fn route(&mut self, writer: &mut dyn Writer, portion: &SetPortion) -> Result<Route, ApplyError> {
        // A counter may have moved without a change of the plan.
        let is_left_to_rows = |line: &SetLine| {
            line.role() == ChangeRole::Counter
                || self.sets.one_by_one.contains(line.position)
                || self.excluded.contains_key(&line.position)
        };
        if portion.lines.iter().any(is_left_to_rows) {
            return Ok(Route::OneByOne);
        }
        let ours = &self.record()?.state.ours;
        let is_apply = self.options.direction == Direction::Apply;
        let done = portion.lines.iter().filter(|line| ours.contains(line.position) == is_apply).count();
        if done > 0 {
            return Ok(if done == portion.lines.len() { Route::Done } else { Route::OneByOne });
        }
        Ok(self.groups_of(writer, portion)?.map_or(Route::OneByOne, Route::Set))
    }

    /// True if every row of a portion fits now.
    fn fits_as_set(&self, writer: &mut dyn Writer, portion: &SetPortion, groups: &[usize]) -> Result<bool, ApplyError> {
        let (Some(all), Some(sets)) = (&self.sets.groups, writer.sets()) else { return Ok(false) };
        // A table that the plan creates later has no row that could differ.
        let exists: Vec<bool> =
            all.groups.iter().map(|group| !self.absent.contains(&group.table.name.to_string())).collect();
        let mut lines = batch_lines(portion, groups);
        lines.retain(|line| exists[line.group]);
        match sets.count_fitting(&RowBatch::new(&all.groups, &lines)) {
            Ok(count) => Ok(count == lines.len() as u64),
            Err(error) if is_of_rows(&error) && !writer.lost_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the rows of about `most` lines from a step on: in a set if possible, and otherwise row by row. Returns the number
    /// of lines. `None` if the transaction has to be rolled back, because a set did not come out exactly as planned.
    pub(super) fn change_lines(
        &mut self,
        writer: &mut dyn Writer,
        step: usize,
        most: usize,
    ) -> Result<Option<usize>, Halt> {
        let mut most = most;
        if self.sets.groups.is_some() {
            let portion = self.reading.set_portion(step, most)?;
            match self.route(writer, &portion)? {
                Route::Set(groups) => {
                    let is_changed = self.change_as_set(writer, &portion, &groups)?;
                    return Ok(is_changed.then_some(portion.lines.len()));
                }
                Route::Done => {
                    let _ = self.extend_batch_by(portion.lines.iter().map(|line| line.position as u64), 0);
                    return Ok(Some(portion.lines.len()));
                }
                Route::OneByOne => {}
            }
            most = portion.lines.len();
            self.look_ahead_at_all()?;
        }
        let mut portion = self.reading.portion(step, most)?;
        self.known = KnownReferences::default();
        self.change(writer, &mut portion)?;
        Ok(Some(portion.lines.len()))
    }

    /// Changes the rows of a portion. Returns false if they did not all fit, or further rows changed.
    fn change_as_set(&mut self, writer: &mut dyn Writer, portion: &SetPortion, groups: &[usize]) -> Result<bool, Halt> {
        let changed_before = writer.changed_so_far()?;
        let is_exact = match self.change_set(writer, portion, groups) {
            Err(Halt::Error(ApplyError::Engine(error))) if is_of_rows(&error) && !writer.lost_conflict() => false,
            outcome => outcome?,
        };
        let count = portion.lines.len() as u64;
        if !is_exact || writer.changed_so_far()?.saturating_sub(changed_before) != count {
            self.change_one_by_one(portion);
            return Ok(false);
        }
        self.advance_sequences(writer, portion, groups)?;
        self.count_changed(portion, groups);
        self.forget_references(groups);
        let _ = self.extend_batch_by(portion.lines.iter().map(|line| line.position as u64), count);
        Ok(true)
    }

    fn change_set(&mut self, writer: &mut dyn Writer, portion: &SetPortion, groups: &[usize]) -> Result<bool, Halt> {
        let Some(all) = &self.sets.groups else { return Ok(false) };
        let (lines, all) = (batch_lines(portion, groups), all.groups.clone());
        let batch = RowBatch::new(&all, &lines);
        let is_needed = self.are_known_to_be_needed(writer, portion)?;
        let is_free = self.are_known_to_be_free(writer, portion, groups)?;
        if !is_free && !self.can_delete(writer, portion, &batch)? {
            return Ok(false);
        }
        let Some(sets) = writer.sets() else { return Ok(false) };
        if !sets.change_batch(&batch)?.is_exact(&batch) {
            return Ok(false);
        }
        Ok(is_needed || self.are_needed(writer, portion, &batch)?)
    }

    /// Advances the sequences of the tables into which a portion inserted rows.
    fn advance_sequences(
        &self,
        writer: &mut dyn Writer,
        portion: &SetPortion,
        groups: &[usize],
    ) -> Result<(), ApplyError> {
        let Some(all) = &self.sets.groups else { return Ok(()) };
        let mut largest: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for (line, &group) in portion.lines.iter().zip(groups) {
            let is_new = all.groups[group].kind == RowChangeKind::Insert;
            if is_new && matches!(line.role(), ChangeRole::Parent | ChangeRole::Restored) {
                for (index, number) in line.name.iter().enumerate().filter_map(|(i, v)| Some((i, v.as_integer()?))) {
                    let largest = largest.entry((group, index)).or_insert(number);
                    *largest = (*largest).max(number);
                }
            }
        }
        for ((group, index), number) in largest {
            let group = &all.groups[group];
            let name = Row::from(vec![(group.name[index].as_str(), Value::Integer(number))]);
            for advance in self.options.sql.advance_sequences(&group.table, &name) {
                writer.each_row(&advance, &mut |_| {})?;
            }
        }
        Ok(())
    }

    /// Counts the changes of a portion, and records the parents that it inserted.
    fn count_changed(&mut self, portion: &SetPortion, groups: &[usize]) {
        let Some(all) = &self.sets.groups else { return };
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        groups.iter().for_each(|group| *counts.entry(*group).or_default() += 1);
        for (group, count) in counts {
            let group = &all.groups[group];
            self.done.count_rows(&group.table.name, group.kind, count);
        }
        if !self.has_looked_ahead {
            return;
        }
        let inserts = |(_, group): &(&SetLine, &usize)| all.groups[**group].kind == RowChangeKind::Insert;
        let inserted: Vec<Change> =
            portion.lines.iter().zip(groups).filter(inserts).map(|(line, _)| inserted(line)).collect();
        inserted.iter().for_each(|change| self.made(change));
    }

    /// Looks ahead at all lines of the plan, if that was not done before. Only changes that are made row by row need it.
    pub(super) fn look_ahead_at_all(&mut self) -> Result<(), ApplyError> {
        if self.has_looked_ahead {
            return Ok(());
        }
        self.has_looked_ahead = true;
        let total = self.reading.plan.changes();
        let mut step = 0;
        while step < total {
            let mut portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            for line in &mut portion.lines {
                line.fit = if self.is_done(line.position)? { Fit::Done } else { Fit::Ready };
            }
            self.look_ahead(&portion);
        }
        Ok(())
    }

    /// True if the record or the current transaction has made the change, or if an undo finds that it was never made.
    fn is_done(&self, position: usize) -> Result<bool, ApplyError> {
        let is_made = |batch: &super::batches::Batch| {
            (batch.first..=batch.last).contains(&(position as u64)) && !batch.left.contains_key(&(position as u64))
        };
        Ok(match self.options.direction {
            Direction::Apply => {
                self.record()?.state.ours.contains(position) || self.batch.as_ref().is_some_and(is_made)
            }
            Direction::Undo => !self.applied_at_start.contains(position),
        })
    }
}

/// Returns a line that inserts a row as a change.
fn inserted(line: &SetLine) -> Change {
    let row = Row::of(&line.group.row, line.name.clone());
    let after = Row::of(line.group.columns(), line.after.clone());
    let mut change = Change::new(line.group.table.clone(), row, None, Some(after));
    change.reasons.clone_from(&line.group.reasons);
    change
}

pub(super) fn batch_lines<'p>(portion: &'p SetPortion, groups: &[usize]) -> Vec<BatchLine<'p>> {
    portion.lines.iter().zip(groups).map(|(line, &group)| line.in_batch(group)).collect()
}

/// True if the engine refused a statement because of the rows. The rows are then changed one by one, to find the row at fault.
fn is_of_rows(error: &EngineError) -> bool {
    matches!(error, EngineError::Failed { .. })
}
