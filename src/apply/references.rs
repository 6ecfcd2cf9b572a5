//! Checks the references to and from the changed rows of a portion. No change may create an orphan. The only exceptions are the
//! orphans that the plan had found, which undo restores.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::fit::Mismatches;
use super::lookahead::orphan_fingerprint;
use super::lookahead::row_fingerprint;
use super::lookahead::was_orphan_of;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::Session;
use crate::model::catalog::TableName;
use crate::model::ids::RelationId;
use crate::model::plan::Adopted;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::Header;
use crate::model::plan::identity_columns;
use crate::model::plan::orphan_name;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::state::SkipReason;
use crate::model::text;
use crate::plan_file;

/// A row without a parent in the current transaction, which a later change of the plan repairs.
#[derive(Debug, Clone)]
pub(super) struct PendingOrphan {
    relation: RelationId,
    pub(super) row: RowName,
    /// The position of the change that made the row an orphan.
    position: usize,
}

impl Walk<'_> {
    /// Skips deletes and key changes of rows to which other rows refer. A skipped row may itself refer to another row that would be
    /// deleted, so this repeats until nothing changes.
    pub(super) fn skip_needed_parents(
        &mut self,
        session: &mut dyn Session,
        portion: &mut Portion,
    ) -> Result<(), ApplyError> {
        loop {
            for line in portion.lines.iter().filter(|line| matches!(line.fit, Fit::Left(_))) {
                let change = &line.change;
                self.lookahead.deleted.remove(&row_fingerprint(&change.table.to_string(), &change.row));
            }
            if !self.skip_needed_parents_once(session, portion)? {
                return Ok(());
            }
            portion.unite();
        }
    }

    /// Returns true if another line is skipped.
    fn skip_needed_parents_once(
        &mut self,
        session: &mut dyn Session,
        portion: &mut Portion,
    ) -> Result<bool, ApplyError> {
        let schema = self.options.schema;
        let mut any = false;
        let mut by_table: HashMap<TableName, Vec<usize>> = HashMap::new();
        for (index, line) in portion.lines.iter().enumerate() {
            by_table.entry(line.change.table.clone()).or_default().push(index);
        }
        let watched = Arc::clone(&self.watched);
        for &relation_id in watched.iter() {
            let relation = &schema.relations[relation_id];
            let Some(of_parent) = schema.parent(relation).and_then(|parent| by_table.get(&parent.name)) else {
                continue;
            };
            let leaves = |&index: &usize| {
                let line = &portion.lines[index];
                line.fit == Fit::Ready && leaves_key(schema, relation, &line.change)
            };
            let indexes: Vec<usize> = of_parent.iter().copied().filter(leaves).collect();
            for chunk in indexes.chunks(CHUNK) {
                any |= self.skip_referenced_rows(session, portion, relation_id, chunk)?;
            }
        }
        Ok(any)
    }

    /// Skips the lines to which other rows refer. Returns true if any line is skipped.
    fn skip_referenced_rows(
        &mut self,
        session: &mut dyn Session,
        portion: &mut Portion,
        relation_id: RelationId,
        indexes: &[usize],
    ) -> Result<bool, ApplyError> {
        let schema = self.options.schema;
        let relation = &schema.relations[relation_id];
        let child = schema.child(relation);
        let names: Arc<[String]> = identity_columns(child).into_iter().map(str::to_owned).collect();
        let parents: Vec<&RowName> = indexes.iter().map(|&index| &portion.lines[index].change.row).collect();
        let mut children: Vec<(usize, RowName)> = Vec::new();
        let query = self.options.sql.referencing_rows(schema, relation, &parents);
        session.numbered(&query, parents.len(), &mut |number, values| {
            children.push((indexes[number], RowName::of(&names, values.to_vec())));
        })?;
        if names.is_empty() && self.options.direction == Direction::Undo {
            // Rows without names are counted at the end.
            self.lookahead.counted.insert(relation_id);
            return Ok(false);
        }
        let table = child.name.to_string();
        // Rows that this portion deletes, or whose reference it changes.
        let leaving: HashSet<u64> = portion
            .lines
            .iter()
            .filter(|line| line.fit == Fit::Ready && line.change.table == child.name)
            .filter(|line| line.change.after.is_none() || takes_reference(schema, relation, &line.change))
            .map(|line| row_fingerprint(&table, &line.change.row))
            .collect();
        let staying: HashSet<u64> = portion
            .lines
            .iter()
            .filter(|line| matches!(line.fit, Fit::Left(_)) && line.change.table == child.name)
            .map(|line| row_fingerprint(&table, &line.change.row))
            .collect();
        let mut other_rows: Vec<(usize, RowName)> = Vec::new();
        for (index, row) in children {
            let fingerprint = row_fingerprint(&table, &row);
            if leaving.contains(&fingerprint) {
                // The row is checked after it was written.
            } else if self.lookahead.deleted.contains(&fingerprint) && !staying.contains(&fingerprint) {
                self.pending_orphans.push(PendingOrphan {
                    relation: relation_id,
                    row,
                    position: portion.lines[index].position,
                });
            } else {
                other_rows.push((index, row));
            }
        }
        let mut any = false;
        let mut adopted: HashMap<usize, HashSet<u64>> = HashMap::new();
        for (index, fingerprint) in self.fingerprints(session, relation_id, other_rows)? {
            let line = &mut portion.lines[index];
            let adopted = adopted.entry(index).or_insert_with(|| adopted_by(&line.change, &relation.id));
            let is_known = fingerprint.is_some_and(|fingerprint| {
                self.lookahead.returning.contains(&orphan_fingerprint(relation_id, fingerprint))
                    || adopted.contains(&fingerprint)
            });
            // A plan of an older version contains only the number of orphans.
            let is_counted = line.change.adopts.is_none() && self.lookahead.counted.contains(&relation_id);
            if !is_known && !is_counted {
                line.fit = Fit::Left(SkipReason::Referred);
                any = true;
            }
        }
        Ok(any)
    }

    /// Returns for each numbered row of a child the fingerprint of its name and key, for example `(3, Some(0x5eed))`. For apply
    /// it returns no fingerprints, because no orphan is restored.
    fn fingerprints(
        &self,
        session: &mut dyn Session,
        relation: RelationId,
        rows: Vec<(usize, RowName)>,
    ) -> Result<Vec<(usize, Option<u64>)>, ApplyError> {
        if self.options.direction == Direction::Apply {
            return Ok(rows.into_iter().map(|(index, _)| (index, None)).collect());
        }
        let relation = &self.options.schema.relations[relation];
        let child = self.options.schema.child(relation);
        // Other columns are not read, because they may be of any size.
        let mut narrow = child.clone();
        let is_needed = |index: usize| {
            let is_name = identity_columns(child).contains(&child.columns[index].name.as_str());
            is_name || relation.child_columns.contains(&index)
        };
        narrow.columns = (0..child.columns.len())
            .filter(|&index| is_needed(index))
            .map(|index| child.columns[index].clone())
            .collect();
        let mut fingerprints = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(CHUNK) {
            let names: Vec<&RowName> = chunk.iter().map(|(_, row)| row).collect();
            for ((index, row), image) in chunk.iter().zip(self.rows_of(session, &narrow, &names)?) {
                let name = image.map(|image| orphan_name(child, row, &image, relation));
                fingerprints.push((*index, name.map(|name| plan_file::fingerprint(&name))));
            }
        }
        Ok(fingerprints)
    }

    /// Records the written rows that have no parent now. A later change must give them a parent before the commit.
    pub(super) fn find_new_orphans(&mut self, session: &mut dyn Session, portion: &Portion) -> Result<(), ApplyError> {
        let schema = self.options.schema;
        let mut by_table: HashMap<&TableName, Vec<&Line>> = HashMap::new();
        for line in portion.lines.iter().filter(|line| line.fit == Fit::Ready) {
            by_table.entry(&line.change.table).or_default().push(line);
        }
        let watched = Arc::clone(&self.watched);
        for &relation_id in watched.iter() {
            let relation = &schema.relations[relation_id];
            let of_child = by_table.get(&schema.child(relation).name).into_iter().flatten().copied();
            let concerned: Vec<&Line> = of_child
                .filter(|line| takes_reference(schema, relation, &line.change))
                .filter(|line| !may_be_orphan(self.options.direction, &line.change, relation))
                .collect();
            let rows: Vec<&RowName> = concerned.iter().map(|line| &line.change.row).collect();
            let orphans = self.orphans_among(session, relation, &rows)?;
            let pending_orphans = concerned.iter().zip(orphans).filter(|(_, is_orphan)| *is_orphan).map(|(line, _)| {
                PendingOrphan { relation: relation_id, row: line.change.row.clone(), position: line.position }
            });
            let pending_orphans: Vec<PendingOrphan> = pending_orphans.collect();
            self.pending_orphans.extend(pending_orphans);
        }
        Ok(())
    }

    /// Checks that rows refer to the inserted parents. A parent without such a row is skipped or is an error.
    pub(super) fn check_adopting_parents(
        &mut self,
        session: &mut dyn Session,
        portion: &mut Portion,
    ) -> Result<(), Halt> {
        let schema = self.options.schema;
        let is_made = |line: &Line| {
            let adopts = line.change.adopts.as_ref().is_some_and(|adopts| !adopts.is_empty());
            // Other rows are inserted whether or not another row needs them.
            let is_parent = line.change.role() == ChangeRole::Parent;
            line.fit == Fit::Ready && adopts && is_parent && line.change.before.is_none()
        };
        let mut indexes: BTreeSet<usize> =
            (0..portion.lines.len()).filter(|&index| is_made(&portion.lines[index])).collect();
        let adopted =
            self.adopting(indexes.iter().map(|&index| (index, portion.lines[index].change.adopts.as_deref())));
        for (relation, adopting) in adopted {
            let relation = &schema.relations[relation];
            let concerned: Vec<usize> = adopting.intersection(&indexes).copied().collect();
            for chunk in concerned.chunks(CHUNK) {
                let parents: Vec<&RowName> = chunk.iter().map(|&index| &portion.lines[index].change.row).collect();
                let mut needed = BTreeSet::new();
                let query = self.options.sql.referencing_rows(schema, relation, &parents);
                session.numbered(&query, parents.len(), &mut |number, _| {
                    needed.insert(chunk[number]);
                })?;
                indexes.retain(|index| !needed.contains(index));
            }
        }
        if indexes.is_empty() {
            return Ok(());
        }
        for &index in &indexes {
            portion.lines[index].fit = Fit::Left(SkipReason::Needless);
            self.excluded.insert(portion.lines[index].position, SkipReason::Needless);
        }
        if self.options.skip_changed {
            return Err(Halt::Retry);
        }
        let mut mismatches = Mismatches::default();
        self.collect_mismatches(session, portion, &mut mismatches);
        Err(self.mismatch_error(&mismatches, false).into())
    }

    /// Returns for each relation the numbers of the changes that adopt its orphans.
    pub(super) fn adopting<'a>(
        &self,
        changes: impl Iterator<Item = (usize, Option<&'a [Adopted]>)>,
    ) -> BTreeMap<RelationId, BTreeSet<usize>> {
        let mut adopting: BTreeMap<RelationId, BTreeSet<usize>> = BTreeMap::new();
        for (number, adopts) in changes {
            for adopted in adopts.unwrap_or_default() {
                if let Some(relation) = self.schema_index.relation(&adopted.relation) {
                    adopting.entry(relation).or_default().insert(number);
                }
            }
        }
        adopting
    }

    /// Removes the pending orphans that have a parent now or were deleted.
    pub(super) fn clear_pending_orphans(&mut self, session: &mut dyn Session) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<RelationId, Vec<PendingOrphan>> = BTreeMap::new();
        for pending in std::mem::take(&mut self.pending_orphans) {
            by_relation.entry(pending.relation).or_default().push(pending);
        }
        for (relation, pending_orphans) in by_relation {
            let relation = &self.options.schema.relations[relation];
            let rows: Vec<&RowName> = pending_orphans.iter().map(|pending| &pending.row).collect();
            let orphans = self.orphans_among(session, relation, &rows)?;
            self.pending_orphans.extend(
                pending_orphans
                    .into_iter()
                    .zip(orphans)
                    .filter(|(_, is_orphan)| *is_orphan)
                    .map(|(pending, _)| pending),
            );
        }
        Ok(())
    }

    /// Returns a sentence about the pending orphans.
    pub(super) fn describe_pending_orphans(&self) -> String {
        let sentences = self.pending_orphans.iter().take(3).map(|pending| {
            let relation = &self.options.schema.relations[pending.relation];
            let child = &self.options.schema.child(relation).name;
            format!("{child} ({}) would have no parent in {}", text::named(pending.row.iter()), relation.parent.name)
        });
        let sentences: Vec<String> = sentences.collect();
        let more = self.pending_orphans.len().saturating_sub(sentences.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", sentences.join("; "))
    }

    /// Excludes the changes that made pending orphans from the next attempt.
    pub(super) fn exclude_pending_orphans(&mut self) {
        for pending in std::mem::take(&mut self.pending_orphans) {
            self.excluded.insert(pending.position, SkipReason::NoParent);
        }
    }
}

/// True if the plan knows that the changed row is an orphan of the relation.
pub(super) fn may_be_orphan(direction: Direction, change: &Change, relation: &Relation) -> bool {
    match direction {
        Direction::Apply => change.orphan_of.contains(&relation.id),
        Direction::Undo => was_orphan_of(change, relation),
    }
}

/// Returns the relations that were checked when the plan was made.
pub(super) fn watched(schema: &Schema, header: &Header) -> BTreeSet<RelationId> {
    let forecasts: HashSet<&str> = header.forecasts.iter().map(|forecast| forecast.relation.as_str()).collect();
    let is_watched = |relation: &Relation| {
        !matches!(relation.judge, Judge::Incomparable(_))
            && !relation.parent.columns.is_empty()
            && forecasts.contains(relation.id.as_str())
    };
    schema.relations.ids().filter(|&relation_id| is_watched(&schema.relations[relation_id])).collect()
}

fn adopted_by(change: &Change, relation: &str) -> HashSet<u64> {
    let adopted = change.adopts.iter().flatten().filter(|adopted| adopted.relation == relation);
    adopted.flat_map(|adopted| adopted.rows.iter().copied()).collect()
}

/// True if the row is deleted or gets another key for this relation.
pub(super) fn leaves_key(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(_), None) => true,
        (Some(_), Some(_)) => {
            let set = change.set();
            schema.parent_columns(relation).any(|column| set.get(&column.name).is_some())
        }
        _ => false,
    }
}

/// True if the row is new or gets another reference.
pub(super) fn takes_reference(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    match (&change.before, &change.after) {
        (None, Some(_)) => true,
        (Some(_), Some(_)) => {
            let set = change.set();
            schema.child_columns(relation).any(|column| column.generated || set.get(&column.name).is_some())
        }
        _ => false,
    }
}
