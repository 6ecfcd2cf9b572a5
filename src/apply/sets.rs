//! Changes the rows of a portion in sets. A set changes exactly the rows of its lines, each of which meets the conditions of its
//! group in the statement that changes it. Otherwise the transaction is rolled back, and its rows are changed one by one, which
//! finds the row at fault and names it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::groups::Groups;
use super::groups::batch_line;
use super::known_references::KnownReferences;
use super::lookahead::orphan_fingerprint;
use super::lookahead::row_fingerprint;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::references::adopted_by;
use super::references::takes_reference;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::EngineError;
use crate::engine::write::Writer;
use crate::model::ids::RelationId;
use crate::model::plan::identity_columns;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::row::Row;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowBatch;
use crate::model::state::Positions;
use crate::model::value::Value;
use crate::plan_file;

/// The state of the changes in sets.
#[derive(Default)]
pub(super) struct Sets<'s> {
    /// The groups; `None` if all rows are changed one by one.
    groups: Option<Groups<'s>>,
    /// The number of lines in a set.
    size: usize,
    /// The lines that are changed row by row, because they have no group or did not fit.
    pub(super) one_by_one: Positions,
}

/// How the lines of a portion are changed.
#[derive(Debug, PartialEq, Eq)]
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
        while step < total {
            (self.options.progress)(&ProgressStep::of(RunPhase::CompareRows, step, total));
            let portion = self.reading.portion(step, self.sets.size)?;
            step += portion.lines.len();
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

    /// Marks the lines of a portion to be changed row by row.
    pub(super) fn change_one_by_one(&mut self, portion: &Portion) {
        portion.lines.iter().for_each(|line| self.sets.one_by_one.insert(line.position));
    }

    /// True if a line is changed row by row.
    pub(super) fn is_one_by_one(&self, portion: &Portion) -> bool {
        self.sets.groups.is_none() || portion.lines.iter().any(|line| self.sets.one_by_one.contains(line.position))
    }

    /// True if the record says of a line that its change was made, or taken back.
    pub(super) fn is_any_done(&self, portion: &Portion) -> Result<bool, ApplyError> {
        let ours = &self.record()?.state.ours;
        let is_apply = self.options.direction == Direction::Apply;
        Ok(portion.lines.iter().any(|line| ours.contains(line.position) == is_apply))
    }

    /// Returns the group of each line; `None` if one of them has no group.
    pub(super) fn groups_of(
        &mut self,
        writer: &mut dyn Writer,
        portion: &Portion,
    ) -> Result<Option<Vec<usize>>, ApplyError> {
        let (Some(all), Some(sets)) = (self.sets.groups.as_mut(), writer.sets()) else { return Ok(None) };
        let mut groups = Vec::with_capacity(portion.lines.len());
        for line in &portion.lines {
            match all.group(&line.change, &mut |group| sets.supports(group))? {
                Some(group) => groups.push(group),
                None => return Ok(None),
            }
        }
        Ok(Some(groups))
    }

    fn route(&mut self, writer: &mut dyn Writer, portion: &Portion) -> Result<Route, ApplyError> {
        if self.is_one_by_one(portion) || portion.lines.iter().any(|line| self.excluded.contains_key(&line.position)) {
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
    fn fits_as_set(&self, writer: &mut dyn Writer, portion: &Portion, groups: &[usize]) -> Result<bool, ApplyError> {
        let (Some(all), Some(sets)) = (&self.sets.groups, writer.sets()) else { return Ok(false) };
        let lines = batch_lines(portion, groups);
        match sets.count_fitting(&RowBatch { groups: &all.groups, lines: &lines }) {
            Ok(count) => Ok(count == lines.len() as u64),
            Err(error) if is_of_rows(&error) && !writer.lost_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes a portion in a set if possible, and otherwise row by row. Returns false if the transaction has to be rolled back,
    /// because the set did not come out exactly as planned.
    pub(super) fn change_portion(&mut self, writer: &mut dyn Writer, portion: &mut Portion) -> Result<bool, Halt> {
        let Route::Set(groups) = self.route(writer, portion)? else {
            self.look_ahead_at_all()?;
            self.known = KnownReferences::default();
            return self.change(writer, portion).map(|()| true);
        };
        let changed_before = writer.changed_so_far()?;
        let is_exact = match self.change_set(writer, portion, &groups) {
            Err(Halt::Error(ApplyError::Engine(error))) if is_of_rows(&error) && !writer.lost_conflict() => false,
            outcome => outcome?,
        };
        if !is_exact || writer.changed_so_far()?.saturating_sub(changed_before) != portion.lines.len() as u64 {
            self.change_one_by_one(portion);
            return Ok(false);
        }
        for line in &portion.lines {
            self.done.count(&line.change);
            if self.has_looked_ahead {
                self.made(&line.change);
            }
        }
        self.forget_references(&groups);
        self.extend_batch(portion, portion.lines.len() as u64);
        Ok(true)
    }

    /// Changes the rows of a portion. Returns false if they did not all fit.
    fn change_set(&mut self, writer: &mut dyn Writer, portion: &Portion, groups: &[usize]) -> Result<bool, Halt> {
        let lines = batch_lines(portion, groups);
        let is_needed = self.are_known_to_be_needed(writer, portion)?;
        let is_free = self.are_known_to_be_free(writer, portion, groups)?;
        let references = if is_free { BTreeMap::new() } else { self.references_to_deleted(writer, &lines)? };
        for (relation, children) in references {
            if self.are_known_references(portion, relation, &children) {
                continue;
            }
            // An orphan that undo restores is known by the lookahead.
            self.look_ahead_at_all()?;
            if !self.are_known_references(portion, relation, &children) {
                return Ok(false);
            }
        }
        let Some(all) = &self.sets.groups else { return Ok(false) };
        let batch = RowBatch { groups: &all.groups, lines: &lines };
        let Some(sets) = writer.sets() else { return Ok(false) };
        if !sets.change_batch(&batch)?.is_exact(&batch) {
            return Ok(false);
        }
        if is_needed { Ok(true) } else { self.are_needed(writer, portion, &batch) }
    }

    /// Returns the rows that refer to rows which the lines delete, each with the index of its line.
    fn references_to_deleted(
        &self,
        writer: &mut dyn Writer,
        lines: &[BatchLine<'_>],
    ) -> Result<BTreeMap<RelationId, Vec<(usize, Row)>>, ApplyError> {
        let mut references = BTreeMap::new();
        let (Some(all), Some(sets)) = (&self.sets.groups, writer.sets()) else { return Ok(references) };
        let batch = RowBatch { groups: &all.groups, lines };
        let relations: BTreeSet<RelationId> =
            lines.iter().flat_map(|line| all.leaves[line.group].iter().copied()).collect();
        for relation in relations {
            let leaves = |index: usize| all.leaves[lines[index].group].contains(&relation);
            let names = self.reference_columns(relation);
            let mut children = Vec::new();
            sets.each_reference(&batch, relation, &leaves, &mut |index, values| {
                children.push((index, Row::of(&names, values.to_vec())));
            })?;
            references.insert(relation, children);
        }
        Ok(references)
    }

    /// Returns the columns of a child in a row of [`crate::engine::set_writer::SetWriter::each_reference`].
    pub(super) fn reference_columns(&self, relation: RelationId) -> std::sync::Arc<[String]> {
        let schema = self.options.schema;
        let relation = &schema.relations[relation];
        let key = schema.child_columns(relation).filter(|column| !column.generated).map(|column| column.name.as_str());
        identity_columns(schema.child(relation)).into_iter().chain(key).map(str::to_owned).collect()
    }

    /// True if each child row that refers to a deleted row also changes in this portion or is an orphan that undo restores.
    fn are_known_references(&self, portion: &Portion, relation: RelationId, children: &[(usize, Row)]) -> bool {
        if children.is_empty() {
            return true;
        }
        let schema = self.options.schema;
        let about = &schema.relations[relation];
        let child = schema.child(about);
        let identity = identity_columns(child).len();
        let table = child.name.to_string();
        let changes_reference = |line: &&Line| {
            line.change.table == child.name
                && (line.change.after.is_none() || takes_reference(schema, about, &line.change))
        };
        let leaving: HashSet<u64> = portion
            .lines
            .iter()
            .filter(changes_reference)
            .map(|line| row_fingerprint(&table, &line.change.row))
            .collect();
        let mut adopted: Option<(usize, HashSet<u64>)> = None;
        children.iter().all(|(index, row)| {
            if !leaving.is_empty() {
                let name: Row = row.iter().take(identity).map(|(column, value)| (column, value.clone())).collect();
                if leaving.contains(&row_fingerprint(&table, &name)) {
                    return true;
                }
            }
            if self.options.direction == Direction::Apply {
                return false;
            }
            let known = match &mut adopted {
                Some((known, rows)) if known == index => rows,
                other => &mut other.insert((*index, adopted_by(&portion.lines[*index].change, &about.id))).1,
            };
            let fingerprint = plan_file::fingerprint(row);
            known.contains(&fingerprint)
                || self.lookahead.returning.contains(&orphan_fingerprint(relation, fingerprint))
        })
    }

    /// True if a row refers to each inserted parent that was made for rows.
    fn are_needed(&self, writer: &mut dyn Writer, portion: &Portion, batch: &RowBatch<'_, '_>) -> Result<bool, Halt> {
        let schema = self.options.schema;
        let mut open: BTreeSet<usize> =
            (0..portion.lines.len()).filter(|&index| adopts_rows(&portion.lines[index])).collect();
        for (id, relation) in schema.relations.entries() {
            let is_adopted = |index: &usize| {
                let mut adopts = portion.lines[*index].change.adopts.iter().flatten();
                adopts.any(|adopted| adopted.relation == relation.id)
            };
            let asked: HashSet<usize> = open.iter().copied().filter(is_adopted).collect();
            if asked.is_empty() {
                continue;
            }
            let Some(sets) = writer.sets() else { return Ok(false) };
            sets.each_reference(batch, id, &|index| asked.contains(&index), &mut |index, _: &[Value]| {
                open.remove(&index);
            })?;
        }
        Ok(open.is_empty())
    }

    /// Looks ahead at all lines of the plan, if that was not done before. Only changes that are made row by row need it.
    fn look_ahead_at_all(&mut self) -> Result<(), ApplyError> {
        if self.has_looked_ahead || self.sets.groups.is_none() {
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

/// True if the line inserts a parent for rows that the plan does not change.
pub(super) fn adopts_rows(line: &Line) -> bool {
    line.change.before.is_none() && line.change.adopts.as_ref().is_some_and(|adopts| !adopts.is_empty())
}

fn batch_lines<'p>(portion: &'p Portion, groups: &[usize]) -> Vec<BatchLine<'p>> {
    portion.lines.iter().zip(groups).map(|(line, &group)| batch_line(group, &line.change)).collect()
}

/// True if the engine refused a statement because of the rows. The rows are then changed one by one, to find the row at fault.
fn is_of_rows(error: &EngineError) -> bool {
    matches!(error, EngineError::Failed { .. })
}
