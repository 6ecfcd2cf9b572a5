//! Changes the rows of consecutive lines in sets. A set changes exactly the rows of its lines, each of which meets the conditions of
//! its group in the statement that changes it. Otherwise the set is taken back and divided, until the rows of a small set are changed
//! one by one, which finds the row at fault and names it.

use std::collections::BTreeMap;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::gentle::LockedPortion;
use super::gentle::met_lock;
use super::groups::Groups;
use super::groups::change;
use super::known_references::KnownReferences;
use super::portion::Fit;
use super::portion::Portion;
use super::record::Record;
use super::set_portion::SetLine;
use super::set_portion::SetPortion;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::EngineError;
use crate::engine::set_writer::SetWriter;
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

/// The number of lines that are changed row by row at a time, to find the row that does not fit.
const SEARCHED: usize = 50;

/// The state of the changes in sets.
#[derive(Default)]
pub(super) struct Sets<'s> {
    /// The groups; `None` if all rows are changed one by one.
    groups: Option<Groups<'s>>,
    /// The number of lines in a set.
    size: usize,
    /// The lines that are changed row by row, because they have no group or did not fit.
    one_by_one: Positions,
    /// Before this step, a set has at most this number of lines.
    narrow: Option<(usize, usize)>,
}

/// The outcome of an attempt to change consecutive lines.
pub(super) enum LinesOutcome {
    /// This number of lines is changed or left.
    Done(usize),
    /// A set did not come out exactly as planned, and is taken back. Its lines are tried again in smaller sets, or row by row.
    Divided,
    /// A set did not come out exactly as planned, so the transaction has to be rolled back.
    NotExact,
    /// The transaction has to end first, because these lines need other locks.
    NeedsLocks,
    /// Another session holds a table that these lines need.
    TableHeld,
}

/// How consecutive lines are changed.
pub(super) enum Route {
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
            let groups = Groups::new(
                self.options.schema,
                self.options.direction,
                &self.watched,
                &self.schema_index,
                &self.tables,
            );
            self.sets = Sets { groups: Some(groups), size, ..Sets::default() };
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
        let mut size = self.sets.size;
        let is_server = self.is_on_server();
        (self.options.progress)(&ProgressStep::of(RunPhase::CompareRows, 0, total));
        while step < total {
            self.stop_if_asked(0)?;
            let portion = self.reading.set_portion(step, size)?;
            let is_ready = match self.route(writer, &portion)? {
                Route::Done => None,
                Route::OneByOne => Some(false),
                Route::Set(groups) => Some(self.fits_as_set(writer, &portion, &groups)?),
            };
            // A unit can have more lines than asked for.
            let asked = size.min(portion.lines.len());
            if is_ready == Some(false) && is_server && asked > SEARCHED {
                // Few rows are left to be changed row by row, which takes a server long.
                size = asked / 8;
                self.reading.put_back(portion.lines);
                continue;
            }
            step += portion.lines.len();
            size = self.sets.size.min(size.saturating_mul(2));
            (self.options.progress)(&ProgressStep::of(RunPhase::CompareRows, step, total));
            match is_ready {
                Some(true) => {
                    let state = self.record()?;
                    ready += portion.lines.iter().filter(|line| !self.was_done(state, line)).count() as u64;
                }
                Some(false) => {
                    fits = false;
                    self.change_one_by_one(&portion);
                }
                None => {}
            }
            portion.discard();
        }
        Ok((ready, fits))
    }

    /// Marks lines to be changed row by row. Their rows are compared again.
    fn change_one_by_one(&mut self, portion: &SetPortion) {
        self.all_ready = false;
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

    /// True if a line is changed row by row.
    fn is_left_to_rows(&self, line: &SetLine) -> bool {
        // A counter may have moved without a change of the plan.
        line.role() == ChangeRole::Counter
            || self.sets.one_by_one.contains(line.position)
            || self.excluded.contains_key(&line.position)
    }

    /// True if the record says that an earlier transaction made the change, or took it back.
    pub(super) fn was_done(&self, record: &Record, line: &SetLine) -> bool {
        record.state.ours.contains(line.position) == (self.options.direction == Direction::Apply)
    }

    /// Returns the lines from a step on that are read at once. Lines that are changed row by row are apart from others.
    fn next_lines(&mut self, step: usize, most: usize) -> Result<SetPortion, ApplyError> {
        let mut portion = self.reading.set_portion(step, most)?;
        let Some(first) = portion.lines.first() else { return Ok(portion) };
        let is_of_rows = self.is_left_to_rows(first);
        if let Some(end) = portion.lines.iter().position(|line| self.is_left_to_rows(line) != is_of_rows) {
            // A unit is whole.
            let continues = |pair: &[SetLine]| pair[0].continues(&pair[1]);
            let end = end + portion.lines[end - 1..].windows(2).take_while(|pair| continues(pair)).count();
            self.reading.put_back(portion.lines.split_off(end));
        }
        Ok(portion)
    }

    pub(super) fn route(&mut self, writer: &mut dyn Writer, portion: &SetPortion) -> Result<Route, ApplyError> {
        if portion.lines.iter().any(|line| self.is_left_to_rows(line)) {
            return Ok(Route::OneByOne);
        }
        let state = self.record()?;
        let done = portion.lines.iter().filter(|line| self.was_done(state, line)).count();
        if done == portion.lines.len() {
            return Ok(Route::Done);
        }
        if done > 0 && !self.is_gentle() {
            return Ok(Route::OneByOne);
        }
        Ok(self.groups_of(writer, portion)?.map_or(Route::OneByOne, Route::Set))
    }

    /// True if every row of a portion fits now.
    fn fits_as_set(&self, writer: &mut dyn Writer, portion: &SetPortion, groups: &[usize]) -> Result<bool, ApplyError> {
        let (Some(all), Some(sets)) = (&self.sets.groups, writer.sets()) else { return Ok(false) };
        // A table that the plan creates later has no row that could differ.
        let exists: Vec<bool> =
            all.groups.iter().map(|group| !self.absent.contains(&group.table.name.to_string())).collect();
        let state = self.record()?;
        let mut lines = batch_lines(portion, groups);
        let mut open = portion.lines.iter().map(|line| !self.was_done(state, line));
        lines.retain(|line| open.next().unwrap_or(true) && exists[line.group]);
        match sets.count_fitting(&RowBatch::new(RowBatch::new_id(), &all.compared, &lines)) {
            Ok(count) => Ok(count == lines.len() as u64),
            Err(error) if is_of_rows(&error) && !is_of_others(writer) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the rows of about `most` lines from a step on: in a set if possible, and otherwise row by row.
    pub(super) fn change_lines(
        &mut self,
        writer: &mut dyn Writer,
        step: usize,
        most: usize,
    ) -> Result<LinesOutcome, Halt> {
        let mut most = most;
        if self.sets.groups.is_some() {
            let portion = self.next_lines(step, most)?;
            let (lines, route) = (portion.lines.len(), self.route(writer, &portion)?);
            if !self.has_locks_for(&route) {
                return Ok(LinesOutcome::NeedsLocks);
            }
            match route {
                Route::Set(groups) => {
                    return self.change_as_set(writer, step, portion, groups);
                }
                Route::Done => {
                    let _ = self.extend_batch_by(portion.lines.iter().map(|line| line.position as u64), 0);
                    return Ok(LinesOutcome::Done(lines));
                }
                Route::OneByOne => {}
            }
            most = portion.lines.len();
            self.look_ahead_at_all()?;
        }
        let portion = self.reading.portion(step, most)?;
        self.known = KnownReferences::default();
        self.change_or_leave(writer, step, portion)
    }

    /// Changes the rows of the portion at a step, except those that other sessions hold.
    fn change_as_set(
        &mut self,
        writer: &mut dyn Writer,
        step: usize,
        portion: SetPortion,
        groups: Vec<usize>,
    ) -> Result<LinesOutcome, Halt> {
        let all_positions: Vec<u64> = portion.lines.iter().map(|line| line.position as u64).collect();
        let Some(LockedPortion { portion, groups, busy }) = self.lock_portion(writer, portion, groups)? else {
            return Ok(LinesOutcome::TableHeld);
        };
        let count = portion.lines.len() as u64;
        if count > 0 {
            // Beside other sessions a transaction has few sets, and each savepoint would lengthen its locks.
            let is_saved = !self.is_gentle();
            if is_saved {
                writer.sets().map_or(Ok(()), SetWriter::set_savepoint)?;
            }
            let is_exact = match self.change_set(writer, &portion, &groups) {
                Err(Halt::Error(ApplyError::Engine(error))) if is_of_rows(&error) && !is_of_others(writer) => false,
                outcome => outcome?,
            };
            if !is_exact {
                self.divide(step, all_positions.len(), &portion);
                return Ok(if is_saved { take_back(writer) } else { LinesOutcome::NotExact });
            }
            if is_saved {
                writer.sets().map_or(Ok(()), SetWriter::release_savepoint)?;
            }
            self.advance_sequences(writer, &portion, &groups)?;
            self.count_changed(&portion, &groups);
            self.forget_references(&groups);
            self.confirm_later(step, all_positions.len(), portion, groups);
        }
        let lines = all_positions.len();
        let _ = self.extend_batch_by(all_positions.into_iter(), count);
        self.leave_busy(&busy);
        Ok(LinesOutcome::Done(lines))
    }

    /// Returns the number of lines of the portion at a step, at most `most`.
    pub(super) fn narrowed(&self, step: usize, most: usize) -> usize {
        match self.sets.narrow {
            Some((end, size)) if step < end => most.min(size).min(end - step),
            _ => most,
        }
    }

    /// Makes the portions at a step smaller, to find the line that does not fit. Returns false if they are small enough. A portion with
    /// a large unit can have more lines than asked for, and does not become smaller.
    pub(super) fn narrow(&mut self, step: usize, lines: usize, least: usize) -> bool {
        let asked = self.narrowed(step, lines);
        let is_large = asked > least;
        if is_large {
            self.sets.narrow = Some((step + lines, (asked / 4).max(1)));
        }
        is_large
    }

    /// Makes the portions at a step smaller, after one of this size did not come out as planned. If it is small enough, its lines are
    /// changed row by row.
    pub(super) fn divide(&mut self, step: usize, size: usize, portion: &SetPortion) {
        if !self.narrow(step, size, SEARCHED) {
            self.change_one_by_one(portion);
        }
    }

    /// Makes the next portion, which begins at a step, end after some lines.
    pub(super) fn narrow_to(&mut self, step: usize, lines: usize) {
        self.sets.narrow = Some((step + lines, lines));
    }

    fn change_set(&mut self, writer: &mut dyn Writer, portion: &SetPortion, groups: &[usize]) -> Result<bool, Halt> {
        let Some(all) = &self.sets.groups else { return Ok(false) };
        let (lines, all) = (batch_lines(portion, groups), all.groups.clone());
        let batch = RowBatch::new(portion.batch, &all, &lines);
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
        let direction = self.options.direction;
        let inserted = portion.lines.iter().zip(groups).filter(inserts).filter_map(|(line, _)| change(line, direction));
        let inserted: Vec<Change> = inserted.collect();
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
                if self.options.direction == Direction::Apply
                    && self.options.skip_changed
                    && self.is_in_open_batch(line.position)
                {
                    // A refused row may make a parent of this transaction needless.
                    self.look_ahead_at_references(line);
                }
                line.fit = if self.is_done(line.position)? { Fit::Done } else { Fit::Ready };
            }
            self.look_ahead(&portion);
        }
        Ok(())
    }

    /// True if the record or the current transaction has made the change, or if an undo finds that it was never made.
    fn is_done(&self, position: usize) -> Result<bool, ApplyError> {
        Ok(match self.options.direction {
            Direction::Apply => self.record()?.state.ours.contains(position) || self.is_in_open_batch(position),
            Direction::Undo => !self.applied_at_start.contains(position),
        })
    }

    /// True if the current transaction has made the change.
    fn is_in_open_batch(&self, position: usize) -> bool {
        let position = position as u64;
        self.batch
            .as_ref()
            .is_some_and(|batch| (batch.first..=batch.last).contains(&position) && !batch.left.contains_key(&position))
    }
}

/// Takes back the changes of a set.
fn take_back(writer: &mut dyn Writer) -> LinesOutcome {
    // The server may have ended the transaction, and the savepoint with it.
    let is_taken_back = writer.sets().is_some_and(|sets| sets.return_to_savepoint().is_ok());
    if is_taken_back { LinesOutcome::Divided } else { LinesOutcome::NotExact }
}

pub(super) fn batch_lines<'p>(portion: &'p SetPortion, groups: &[usize]) -> Vec<BatchLine<'p>> {
    portion.lines.iter().zip(groups).map(|(line, &group)| line.in_batch(group)).collect()
}

/// True if the last error came from other sessions.
fn is_of_others(writer: &mut dyn Writer) -> bool {
    writer.lost_conflict() || met_lock(writer)
}

/// True if the engine refused a statement because of the rows. The rows are then changed one by one, to find the row at fault.
fn is_of_rows(error: &EngineError) -> bool {
    matches!(error, EngineError::Failed { .. })
}
