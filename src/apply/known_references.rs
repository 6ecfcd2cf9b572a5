//! References that are checked for many batches at once. The results stay valid while no other session commits and this run does
//! not change the child, so that a child without an index is not read for each batch.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::ApplyError;
use super::Direction;
use super::lookahead::orphan_fingerprint;
use super::set_portion::SetLine;
use super::set_portion::SetPortion;
use super::walk::Walk;
use crate::engine::write::Writer;
use crate::model::ids::RelationId;
use crate::model::relation::Relation;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::state::Positions;
use crate::model::value::Value;
use crate::plan_file::Fingerprints;
use crate::sql::row_sets;

/// The largest number of deleted parents whose references are checked at once, which bounds the memory.
const WINDOW: usize = 200_000;

/// This number, after a change of this run made earlier results invalid: that may happen again soon.
const SMALL_WINDOW: usize = 20_000;

/// The number of orphans beyond which those of an earlier relation are forgotten, which bounds the memory.
const MOST_ORPHANS: usize = 1_000_000;

#[derive(Default)]
pub(super) struct KnownReferences {
    /// The data version for which the results are valid.
    version: Option<i64>,
    /// The fingerprints of the orphans of a relation.
    orphans: HashMap<RelationId, HashSet<u64>>,
    /// The lines that delete parents to which only known rows refer.
    checked: Positions,
    /// True if another row refers to a parent, so that each portion has to find out which.
    is_refuted: bool,
    /// True if a change of this run made results invalid, and nothing was checked since.
    was_changed: bool,
}

/// Deleted parents, with the rows that may refer to them.
#[derive(Default)]
struct Window {
    positions: Vec<usize>,
    groups: Vec<usize>,
    names: Vec<Vec<Value>>,
    /// For each line, the end of its rows in `rows`.
    ends: Vec<usize>,
    /// Fingerprints of rows, for each relation that the plan names.
    rows: Vec<u64>,
}

impl Walk<'_> {
    /// Forgets the results if another session committed since. Returns false if the engine cannot tell.
    fn renew_known_references(&mut self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        let version = writer.sets().map_or(Ok(None), |sets| sets.data_version())?;
        if version.is_none() || version != self.known.version {
            self.known = KnownReferences { version, ..KnownReferences::default() };
        }
        Ok(version.is_some())
    }

    /// Forgets the results that changes of these groups may make wrong.
    pub(super) fn forget_references(&mut self, groups: &[usize]) {
        let Some(all) = self.sets.groups() else { return };
        let touched: BTreeSet<usize> = groups.iter().copied().collect();
        for group in touched.into_iter().map(|group| &all.groups[group]) {
            let relations = self.schema_index.relations_from_named(&group.table.name);
            relations.iter().for_each(|(id, _)| _ = self.known.orphans.remove(id));
            let has_results = !self.known.checked.is_empty();
            let is_watched = || relations.iter().any(|(id, _)| self.watched.contains(id));
            if group.kind != RowChangeKind::Delete && has_results && is_watched() {
                self.known.checked = Positions::default();
                self.known.was_changed = true;
            }
        }
    }

    /// True if each inserted parent of a portion is known to be needed: an orphan that it adopts is still there.
    pub(super) fn are_known_to_be_needed(
        &mut self,
        writer: &mut dyn Writer,
        portion: &SetPortion,
    ) -> Result<bool, ApplyError> {
        let schema = self.options.schema;
        if !portion.lines.iter().any(SetLine::adopts_rows) {
            return Ok(true);
        }
        let adopted = portion.lines.iter().flat_map(|line| line.adopts.iter().flatten());
        let names: BTreeSet<&str> = adopted.map(|adopted| adopted.relation.as_str()).collect();
        let adopting = schema.relations.iter().filter(|about| names.contains(about.id.as_str()));
        if self.is_on_server() && self.are_found_by_index(adopting) {
            return Ok(false);
        }
        if !self.renew_known_references(writer)? {
            return Ok(false);
        }
        for line in portion.lines.iter().filter(|line| line.adopts_rows()) {
            let mut is_needed = false;
            for adopted in line.adopts.iter().flatten() {
                let Some(id) = self.schema_index.relation(&adopted.relation) else { continue };
                if !self.known.orphans.contains_key(&id) {
                    if self.known.orphans.values().map(HashSet::len).sum::<usize>() > MOST_ORPHANS {
                        self.known.orphans.clear();
                    }
                    let orphans = self.orphans_of(writer, id)?;
                    self.known.orphans.insert(id, orphans);
                }
                let orphans = &self.known.orphans[&id];
                is_needed |= adopted.rows.iter().any(|row| orphans.contains(row));
            }
            if !is_needed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the fingerprints of all orphans of a relation.
    fn orphans_of(&self, writer: &mut dyn Writer, id: RelationId) -> Result<HashSet<u64>, ApplyError> {
        let mut fingerprints = Fingerprints::new(&self.reference_columns(id));
        let mut orphans = HashSet::new();
        let group = self.sets.groups().and_then(|all| all.groups.first());
        let (Some(group), Some(sets)) = (group, writer.sets()) else { return Ok(orphans) };
        sets.each_orphan(group, id, &mut |values| {
            orphans.insert(fingerprints.of(values));
        })?;
        Ok(orphans)
    }

    /// True if an index finds the children of a set's parents. A check of each set then mostly costs less than a check of all
    /// children.
    fn are_found_by_index<'r>(&self, mut relations: impl Iterator<Item = &'r Relation>) -> bool {
        relations.all(|relation| row_sets::finds_children(self.options.schema, relation))
    }

    /// True if only orphans that the plan knows refer to the parents that a portion deletes.
    pub(super) fn are_known_to_be_free(
        &mut self,
        writer: &mut dyn Writer,
        portion: &SetPortion,
        groups: &[usize],
    ) -> Result<bool, ApplyError> {
        if !self.renew_known_references(writer)? {
            return Ok(false);
        }
        let Some(all) = self.sets.groups() else { return Ok(false) };
        let relations: BTreeSet<RelationId> =
            groups.iter().flat_map(|&group| all.leaves[group].iter().copied()).collect();
        let schema = self.options.schema;
        // An undo compares the children with the orphans that the plan knows, which costs less for many parents at once.
        let is_undo = self.options.direction == Direction::Undo;
        let leaving = relations.into_iter().map(|id| &schema.relations[id]);
        if (self.is_on_server() || !is_undo) && self.are_found_by_index(leaving) {
            return Ok(false);
        }
        let leaves = |(_, group): &(&SetLine, &usize)| !all.leaves[**group].is_empty();
        let leaving: Vec<usize> =
            portion.lines.iter().zip(groups).filter(leaves).map(|(line, _)| line.position).collect();
        let is_checked = |walk: &Walk<'_>| leaving.iter().all(|&position| walk.known.checked.contains(position));
        if !is_checked(self) && !self.known.is_refuted {
            let Some(first) = portion.lines.first().map(|line| line.position) else { return Ok(true) };
            self.check_window(writer, self.reading.position(first))?;
        }
        Ok(is_checked(self))
    }

    /// Checks the references to many parents that later lines delete.
    fn check_window(&mut self, writer: &mut dyn Writer, first: usize) -> Result<(), ApplyError> {
        let most = if std::mem::take(&mut self.known.was_changed) { SMALL_WINDOW } else { WINDOW };
        let window = self.window(writer, first, most)?;
        let Some(all) = self.sets.groups() else { return Ok(()) };
        let groups: Vec<Arc<RowGroup<'_>>> = all.groups.iter().map(|group| Arc::new(group.with_names_only())).collect();
        let named = window.groups.iter().zip(&window.names);
        let lines: Vec<BatchLine<'_>> =
            named.map(|(&group, name)| BatchLine { group, name, address: None, before: &[], after: &[] }).collect();
        let batch = RowBatch::new(RowBatch::new_id(), &groups, &lines);
        let mut is_refuted = false;
        for (relation, leaving) in all.leaving(&batch) {
            let mut fingerprints = Fingerprints::new(&self.reference_columns(relation));
            let Some(sets) = writer.sets() else { return Ok(()) };
            sets.each_reference(&batch, relation, &leaving, &mut |index, values| {
                let start = if index == 0 { 0 } else { window.ends[index - 1] };
                let row = fingerprints.of(values);
                is_refuted |= !window.rows[start..window.ends[index]].contains(&orphan_fingerprint(relation, row));
            })?;
        }
        self.known.is_refuted = is_refuted;
        if !is_refuted {
            window.positions.iter().for_each(|&position| self.known.checked.insert(position));
        }
        Ok(())
    }

    /// Returns the next parents that the plan deletes, from a step on.
    fn window(&mut self, writer: &mut dyn Writer, first: usize, most: usize) -> Result<Window, ApplyError> {
        let schema = self.options.schema;
        let mut window = Window::default();
        let mut step = first;
        let total = self.reading.plan.changes();
        while step < total && window.positions.len() < most {
            let portion = self.reading.set_portion(step, self.portion_size())?;
            step += portion.lines.len();
            let Some(groups) = self.groups_of(writer, &portion)? else { continue };
            let Some(all) = self.sets.groups() else { break };
            for (line, group) in portion.lines.into_iter().zip(groups) {
                if all.leaves[group].is_empty() {
                    continue;
                }
                for adopted in line.adopts.iter().flatten() {
                    let Some(id) = schema.relations.position(|relation| relation.id == adopted.relation) else {
                        continue;
                    };
                    window.rows.extend(adopted.rows.iter().map(|row| orphan_fingerprint(id, *row)));
                }
                window.positions.push(line.position);
                window.groups.push(group);
                window.names.push(line.name);
                window.ends.push(window.rows.len());
            }
        }
        Ok(window)
    }
}
