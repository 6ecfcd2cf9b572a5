//! Compares the rows of a plan with the database, in the current transaction. A row may equal its image before, its image after,
//! or neither. A row is changed only if it equals its image and, if it was an orphan, its key still has no parent.

use std::collections::BTreeMap;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::lookahead::key_fingerprint;
use super::portion::Fit;
use super::portion::Portion;
use super::portion::is_only_kept_out;
use super::row_of;
use super::walk::Walk;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::image_match::ImageMatch;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::shown_name;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::state::RowNow;
use crate::model::state::SkipReason;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::stored_rows;
use crate::stored_rows::Stored;

impl Walk<'_> {
    /// Sets the fit of every line. It does not compare lines that the record lists as done.
    pub(super) fn fit(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let ours = &self.record()?.state.ours;
        for line in &mut portion.lines {
            let is_applied = ours.contains(line.position);
            line.fit = match (self.options.direction, self.excluded.get(&line.position)) {
                (Direction::Apply, _) if is_applied => Fit::Done,
                (Direction::Undo, _) if !is_applied => Fit::Done,
                (_, Some(SkipReason::Already)) => Fit::Already,
                (_, Some(why)) => Fit::Left(*why),
                _ => Fit::Ready,
            };
        }
        self.compare(session, portion)?;
        self.find_new_addresses(session, portion)?;
        match self.options.direction {
            Direction::Apply => {
                self.still_missing(session, portion)?;
                self.still_orphans(session, portion)?;
            }
            Direction::Undo => self.counters_of_a_part(session, portion)?,
        }
        portion.unite();
        Ok(())
    }

    /// Compares every row with its images.
    fn compare(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        for (table, indexes) in portion.by_table(|line| line.fit == Fit::Ready) {
            let changes: Vec<&Change> = indexes.iter().map(|&index| &portion.lines[index].change).collect();
            let compare_rows = self.compare_rows(session, &table, &changes)?;
            for (index, row_match) in indexes.into_iter().zip(compare_rows) {
                let line = &mut portion.lines[index];
                line.fit = match row_match {
                    ImageMatch::Before => Fit::Ready,
                    ImageMatch::After if line.change.role() == ChangeRole::Counter => Fit::Moved,
                    ImageMatch::After => Fit::Already,
                    // The engine advances a counter when rows are inserted. The plan sets it only if no other session has
                    // advanced it.
                    ImageMatch::Other if line.change.role() == ChangeRole::Counter => Fit::Already,
                    ImageMatch::Other => Fit::Left(SkipReason::Changed),
                };
            }
        }
        Ok(())
    }

    /// Includes counters of a plan that was interrupted. Such a counter has advanced with the inserted rows, but not to its planned
    /// value. Undo resets it if it has the number of the last inserted row.
    fn counters_of_a_part(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        for line in &mut portion.lines {
            // If another session had advanced it before, the record says so, and the counter stays.
            let is_left = self.record()?.state.left.contains_key(&line.position);
            if line.fit != Fit::Done || line.change.role() != ChangeRole::Counter || is_left {
                continue;
            }
            let Some(image) = line.change.before.as_ref() else { continue };
            let table = image.get("name").and_then(Value::as_text).unwrap_or_default();
            let Some(reached) = self.lookahead.reached.get(table) else { continue };
            let now = self.rows(session, &line.change.table.to_string(), &[&line.change.row])?.pop().flatten();
            if now.as_ref().and_then(|now| now.get("seq")).and_then(Value::as_integer) == Some(*reached) {
                line.fit = Fit::Ready;
            }
        }
        Ok(())
    }

    /// Compares each change with the row in the database.
    pub(super) fn compare_rows(
        &self,
        session: &mut dyn Session,
        table: &str,
        changes: &[&Change],
    ) -> Result<Vec<ImageMatch>, ApplyError> {
        let rows: Vec<&RowName> = changes.iter().map(|change| &change.row).collect();
        let now = if self.absent.contains(table) { vec![None; rows.len()] } else { self.rows(session, table, &rows)? };
        Ok(changes.iter().zip(now).map(|(change, now)| change.compared_with(now.as_ref())).collect())
    }

    /// Returns the rows with these names as the database has them.
    pub(super) fn rows(
        &self,
        session: &mut dyn Session,
        table: &str,
        rows: &[&RowName],
    ) -> Result<Vec<Option<RowName>>, ApplyError> {
        self.rows_of(session, self.table(table)?, rows)
    }

    /// Returns the rows with these names, from a table with some of its columns. A row that is too long to be read has an image
    /// without columns, which equals no image of a plan.
    pub(super) fn rows_of(
        &self,
        session: &mut dyn Session,
        table: &Table,
        rows: &[&RowName],
    ) -> Result<Vec<Option<RowName>>, ApplyError> {
        let image = |stored| match stored {
            Stored::Row(image) => Some(image.columns),
            Stored::TooLong => Some(RowName::new()),
            Stored::Nothing => None,
        };
        Ok(stored_rows::read(session, self.options.sql, table, rows)?.into_iter().map(image).collect())
    }

    /// Skips parents that would be inserted if another row has their key by now.
    fn still_missing(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let schema = self.options.schema;
        let mut by_relation: BTreeMap<RelationId, Vec<(usize, Key)>> = BTreeMap::new();
        for (index, line) in portion.lines.iter().enumerate().filter(|(_, line)| line.fit == Fit::Ready) {
            let (None, Some(image)) = (&line.change.before, &line.change.after) else { continue };
            for reason in line.change.reasons.iter().filter(|reason| reason.role == ChangeRole::Parent) {
                let Some(relation) = schema.relations.position(|relation| relation.id == reason.relation) else {
                    continue;
                };
                // The parents that a new row itself requires have the same relation as their reason.
                let is_its_parent = schema.parent(&schema.relations[relation]).map(|parent| &parent.name);
                if is_its_parent != Some(&line.change.table) {
                    continue;
                }
                let names = schema.parent_columns(&schema.relations[relation]).map(|column| column.name.as_str());
                let keys = by_relation.entry(relation).or_default();
                keys.extend(image.key(names).filter(|key| !key.contains(&Value::Null)).map(|key| (index, key)));
            }
        }
        for (relation, keys) in by_relation {
            let parent = &schema.relations[relation].parent;
            let Some(table) = parent.table else { continue };
            for chunk in keys.chunks(CHUNK) {
                let wanted: Vec<&Key> = chunk.iter().map(|(_, key)| key).collect();
                let query = self.options.sql.present_keys(&schema.tables[table], &parent.columns, &wanted);
                session.numbered(&query, wanted.len(), &mut |number, _| {
                    portion.lines[chunk[number].0].fit = Fit::Left(SkipReason::FoundParent);
                })?;
            }
        }
        Ok(())
    }

    /// Skips rows that are no longer orphans.
    fn still_orphans(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, line) in portion.lines.iter().enumerate().filter(|(_, line)| line.fit == Fit::Ready) {
            for reason in line.change.reasons.iter().filter(|reason| reason.role == ChangeRole::Orphan) {
                by_relation.entry(reason.relation.clone()).or_default().push(index);
            }
        }
        for (id, indexes) in by_relation {
            let Some(relation_id) = self.options.schema.relations.position(|relation| relation.id == id) else {
                return Err(self.refused(
                    format!("the relation {id} does not exist any more"),
                    "nothing was changed: make a new plan with `fk-doctor repair`",
                ));
            };
            let relation = &self.options.schema.relations[relation_id];
            let indexes: Vec<usize> = indexes
                .into_iter()
                .filter(|&index| is_child_of(self.options.schema, relation, &portion.lines[index].change))
                .collect();
            let rows: Vec<&RowName> = indexes.iter().map(|&index| &portion.lines[index].change.row).collect();
            let orphans = self.orphans_among(session, relation, &rows)?;
            let found: Vec<usize> =
                indexes.into_iter().zip(orphans).filter(|(_, is_orphan)| !is_orphan).map(|(index, _)| index).collect();
            let befores: Vec<Option<&RowName>> =
                found.iter().map(|&index| portion.lines[index].change.before.as_ref()).collect();
            let ours = self.are_parents_from_plan(session, relation_id, &befores)?;
            for (index, is_applied) in found.into_iter().zip(ours) {
                if !is_applied {
                    portion.lines[index].fit = Fit::Left(SkipReason::FoundParent);
                }
            }
        }
        Ok(())
    }

    /// Returns for each row true if it is an orphan of the relation now.
    pub(super) fn orphans_among(
        &self,
        session: &mut dyn Session,
        relation: &Relation,
        rows: &[&RowName],
    ) -> Result<Vec<bool>, ApplyError> {
        let mut orphans = vec![false; rows.len()];
        for (chunk, orphans) in rows.chunks(CHUNK).zip(orphans.chunks_mut(CHUNK)) {
            let query = self.options.sql.orphans_by_name(self.options.schema, relation, chunk);
            session.numbered(&query, chunk.len(), &mut |number, _| orphans[number] = true)?;
        }
        Ok(orphans)
    }

    /// Returns for each row true if its parent was inserted by this plan.
    fn are_parents_from_plan(
        &self,
        session: &mut dyn Session,
        relation: RelationId,
        rows: &[Option<&RowName>],
    ) -> Result<Vec<bool>, ApplyError> {
        let schema = self.options.schema;
        let about = &schema.relations[relation];
        let mut ours = vec![false; rows.len()];
        let Some(parent) = about.parent.table.filter(|_| !self.made_keys.is_empty()) else { return Ok(ours) };
        let keys: Vec<(usize, Key)> = rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| {
                let key = row.as_ref()?.key(schema.child_column_names(about));
                key.filter(|key| !key.contains(&Value::Null)).map(|key| (index, key))
            })
            .collect();
        for chunk in keys.chunks(CHUNK) {
            let wanted: Vec<&Key> = chunk.iter().map(|(_, key)| key).collect();
            let query = self.options.sql.present_keys(&schema.tables[parent], &about.parent.columns, &wanted);
            session.numbered(&query, wanted.len(), &mut |number, stored| {
                ours[chunk[number].0] = self.made_keys.contains(&key_fingerprint(relation, stored));
            })?;
        }
        Ok(ours)
    }
}

/// True if the changed row is in the child table of the relation. A change may name relations of other tables as its reason.
fn is_child_of(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    schema.child(relation).name == change.table
}

/// The number of mismatching rows that a message names.
const NAMED: usize = 3;

/// Rows that differ from the plan, so that it cannot be applied.
#[derive(Default)]
pub(super) struct Mismatches {
    rows: u64,
    named: Vec<String>,
}

impl Walk<'_> {
    /// Adds the rows of a portion that differ from the plan, the first with their values.
    pub(super) fn collect_mismatches(&self, session: &mut dyn Session, portion: &Portion, mismatches: &mut Mismatches) {
        for line in &portion.lines {
            let Fit::Left(why) = line.fit else { continue };
            if is_only_kept_out(&line.change, why) {
                continue;
            }
            mismatches.rows += 1;
            if mismatches.named.len() < NAMED {
                let now =
                    if why == SkipReason::Changed { self.row_now(session, &line.change) } else { RowNow::Unknown };
                let now = now.text().map(|now| format!(": {now}")).unwrap_or_default();
                mismatches.named.push(format!(
                    "{} {}{now}",
                    self.shown_row(&line.change),
                    reason(why, self.options.direction)
                ));
            }
        }
    }
}

impl Walk<'_> {
    /// Returns a row as reports name it: by its primary key, if it has one.
    fn shown_row(&self, change: &Change) -> String {
        let stored = change.before.as_ref().or(change.after.as_ref());
        match self.tables.get(&change.table.to_string()) {
            Some(table) => {
                let name = shown_name(table, &change.row, stored);
                format!("{} ({})", change.table, text::named(name.iter()))
            }
            None => row_of(change),
        }
    }
}

impl Mismatches {
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the number of the rows among all `changes`, and the first of them.
    pub(super) fn sentence(&self, changes: usize) -> String {
        let more = self.rows.saturating_sub(self.named.len() as u64);
        let more = if more > 0 { format!("; and {}", text::plural(more, "more row")) } else { String::new() };
        let all = text::plural(changes as u64, "change");
        let are = if self.rows == 1 { "is" } else { "are" };
        let share = format!("{} of its {all} {are} out of date", text::count(self.rows));
        format!("{share}: {}{more}", self.named.join("; "))
    }
}

/// Returns the reason as words that follow the name of a row.
fn reason(why: SkipReason, direction: Direction) -> &'static str {
    match why {
        SkipReason::Already => "already has its new values",
        SkipReason::Changed if direction == Direction::Undo => "is not as it was when the plan was applied",
        SkipReason::Changed => "is not as it was when the plan was made",
        SkipReason::FoundParent => "has its parent by now",
        SkipReason::Referred => "is referred to by rows that were added since",
        SkipReason::NoParent => "would have no parent",
        SkipReason::Bound => "belongs to a row that differs from the plan",
        SkipReason::Needless => "is needed by no row any more",
        SkipReason::Refused => "is refused by the database",
        SkipReason::Busy => "is locked by another session",
    }
}
