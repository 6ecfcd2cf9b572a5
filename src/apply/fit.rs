//! How the rows of a plan stand in the transaction at hand: each as it was, or as it is to become, or elsewhere. A row is
//! changed only if it equals its image and, where it was an orphan, its key still has no parent.

use std::collections::BTreeMap;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::foreseen::key_fingerprint;
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
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::state::SkipReason;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::stored_rows;
use crate::stored_rows::Stored;

impl Walk<'_> {
    /// Sets the fit of every line. Lines that the record knows to be done are not looked at.
    pub(super) fn fit(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let ours = &self.record()?.state.ours;
        for line in &mut portion.lines {
            let is_ours = ours.contains(line.position);
            line.fit = match (self.order.direction, self.barred.get(&line.position)) {
                (Direction::Apply, _) if is_ours => Fit::Done,
                (Direction::Undo, _) if !is_ours => Fit::Done,
                (_, Some(SkipReason::Already)) => Fit::Already,
                (_, Some(why)) => Fit::Left(*why),
                _ => Fit::Ready,
            };
        }
        self.compare(session, portion)?;
        match self.order.direction {
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
        for (table, places) in portion.by_table(|line| line.fit == Fit::Ready) {
            let changes: Vec<&Change> = places.iter().map(|&place| &portion.lines[place].change).collect();
            let standings = self.standings(session, &table, &changes)?;
            for (place, standing) in places.into_iter().zip(standings) {
                let line = &mut portion.lines[place];
                line.fit = match standing {
                    ImageMatch::Before => Fit::Ready,
                    ImageMatch::After if line.change.role() == ChangeRole::Counter => Fit::Moved,
                    ImageMatch::After => Fit::Already,
                    // A counter moves by itself when rows are made, and further when others make rows: it is only
                    // brought to where the plan says if nobody else has moved it.
                    ImageMatch::Other if line.change.role() == ChangeRole::Counter => Fit::Already,
                    ImageMatch::Other => Fit::Left(SkipReason::Changed),
                };
            }
        }
        Ok(())
    }

    /// Of a plan that was cut off, a counter may have moved with the rows that were made, and not yet to where the plan says:
    /// it goes back as well, if it stands at the last of them.
    fn counters_of_a_part(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        for line in &mut portion.lines {
            // Where others had moved it before, that is recorded, and it stays.
            let is_left = self.record()?.state.left.contains_key(&line.position);
            if line.fit != Fit::Done || line.change.role() != ChangeRole::Counter || is_left {
                continue;
            }
            let Some(image) = line.change.before.as_ref() else { continue };
            let table = image.get("name").and_then(Value::as_text).unwrap_or_default();
            let Some(reached) = self.foreseen.reached.get(table) else { continue };
            let now = self.rows(session, &line.change.table.to_string(), &[&line.change.row])?.pop().flatten();
            if now.as_ref().and_then(|now| now.get("seq")).and_then(Value::as_integer) == Some(*reached) {
                line.fit = Fit::Ready;
            }
        }
        Ok(())
    }

    pub(super) fn standings(
        &self,
        session: &mut dyn Session,
        table: &str,
        changes: &[&Change],
    ) -> Result<Vec<ImageMatch>, ApplyError> {
        let rows: Vec<&RowName> = changes.iter().map(|change| &change.row).collect();
        let now = if self.absent.contains(table) { vec![None; rows.len()] } else { self.rows(session, table, &rows)? };
        Ok(changes.iter().zip(now).map(|(change, now)| change.compared_with(now.as_ref())).collect())
    }

    /// The rows with these names as the database has them.
    pub(super) fn rows(
        &self,
        session: &mut dyn Session,
        table: &str,
        rows: &[&RowName],
    ) -> Result<Vec<Option<RowName>>, ApplyError> {
        self.rows_of(session, self.table(table)?, rows)
    }

    /// The rows with these names, of a table with some of its columns. The image of a row that is too long to be read has no
    /// columns: it is not as any plan has it.
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
        Ok(stored_rows::read(session, self.order.surgery, table, rows)?.into_iter().map(image).collect())
    }

    /// A parent that is to be made may be there by now, as another row.
    fn still_missing(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let schema = self.order.schema;
        let mut by_relation: BTreeMap<RelationId, Vec<(usize, Key)>> = BTreeMap::new();
        for (place, line) in portion.lines.iter().enumerate().filter(|(_, line)| line.fit == Fit::Ready) {
            let (None, Some(image)) = (&line.change.before, &line.change.after) else { continue };
            for reason in line.change.reasons.iter().filter(|reason| reason.role == ChangeRole::Parent) {
                let Some(relation) = schema.relations.position(|relation| relation.id == reason.relation) else {
                    continue;
                };
                // The parents that a made row itself takes are made for the same relation.
                let is_its_parent = schema.parent(&schema.relations[relation]).map(|parent| &parent.name);
                if is_its_parent != Some(&line.change.table) {
                    continue;
                }
                let names = schema.parent_columns(&schema.relations[relation]).map(|column| column.name.as_str());
                let keys = by_relation.entry(relation).or_default();
                keys.extend(image.key(names).filter(|key| !key.contains(&Value::Null)).map(|key| (place, key)));
            }
        }
        for (relation, keys) in by_relation {
            let parent = &schema.relations[relation].parent;
            let Some(table) = parent.table else { continue };
            for some in keys.chunks(CHUNK) {
                let asked: Vec<&Key> = some.iter().map(|(_, key)| key).collect();
                let question = self.order.surgery.present_keys(&schema.tables[table], &parent.columns, &asked);
                session.numbered(&question, asked.len(), &mut |number, _| {
                    portion.lines[some[number].0].fit = Fit::Left(SkipReason::FoundParent);
                })?;
            }
        }
        Ok(())
    }

    /// An orphan may have found a parent since: then it is no longer ours to change.
    fn still_orphans(&self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, line) in portion.lines.iter().enumerate().filter(|(_, line)| line.fit == Fit::Ready) {
            for reason in line.change.reasons.iter().filter(|reason| reason.role == ChangeRole::Orphan) {
                by_relation.entry(reason.relation.clone()).or_default().push(place);
            }
        }
        for (id, places) in by_relation {
            let Some(index) = self.order.schema.relations.position(|relation| relation.id == id) else {
                return Err(
                    self.refused(format!("there is no relation {id} any more"), "nothing was changed: make a new plan")
                );
            };
            let relation = &self.order.schema.relations[index];
            let places: Vec<usize> = places
                .into_iter()
                .filter(|&place| is_child_of(self.order.schema, relation, &portion.lines[place].change))
                .collect();
            let rows: Vec<&RowName> = places.iter().map(|&place| &portion.lines[place].change.row).collect();
            let orphans = self.orphans_among(session, relation, &rows)?;
            let found: Vec<usize> =
                places.into_iter().zip(orphans).filter(|(_, is_orphan)| !is_orphan).map(|(place, _)| place).collect();
            let befores: Vec<Option<&RowName>> =
                found.iter().map(|&place| portion.lines[place].change.before.as_ref()).collect();
            let ours = self.are_parents_ours(session, index, &befores)?;
            for (place, is_ours) in found.into_iter().zip(ours) {
                if !is_ours {
                    portion.lines[place].fit = Fit::Left(SkipReason::FoundParent);
                }
            }
        }
        Ok(())
    }

    /// Of each row whether it is an orphan of the relation now.
    pub(super) fn orphans_among(
        &self,
        session: &mut dyn Session,
        relation: &Relation,
        rows: &[&RowName],
    ) -> Result<Vec<bool>, ApplyError> {
        let mut orphans = vec![false; rows.len()];
        for (some, orphans) in rows.chunks(CHUNK).zip(orphans.chunks_mut(CHUNK)) {
            let question = self.order.surgery.orphans_by_name(self.order.schema, relation, some);
            session.numbered(&question, some.len(), &mut |number, _| orphans[number] = true)?;
        }
        Ok(orphans)
    }

    /// Of each row whether the parent that it has found is one that this plan made.
    fn are_parents_ours(
        &self,
        session: &mut dyn Session,
        relation: RelationId,
        rows: &[Option<&RowName>],
    ) -> Result<Vec<bool>, ApplyError> {
        let schema = self.order.schema;
        let about = &schema.relations[relation];
        let mut ours = vec![false; rows.len()];
        let Some(parent) = about.parent.table.filter(|_| !self.made_keys.is_empty()) else { return Ok(ours) };
        let keys: Vec<(usize, Key)> = rows
            .iter()
            .enumerate()
            .filter_map(|(place, row)| {
                let key = row.as_ref()?.key(schema.child_column_names(about));
                key.filter(|key| !key.contains(&Value::Null)).map(|key| (place, key))
            })
            .collect();
        for some in keys.chunks(CHUNK) {
            let asked: Vec<&Key> = some.iter().map(|(_, key)| key).collect();
            let question = self.order.surgery.present_keys(&schema.tables[parent], &about.parent.columns, &asked);
            session.numbered(&question, asked.len(), &mut |number, stored| {
                ours[some[number].0] = self.made_keys.contains(&key_fingerprint(relation, stored));
            })?;
        }
        Ok(ours)
    }
}

/// A change may name relations of other rows that it was made for.
fn is_child_of(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    schema.child(relation).name == change.table
}

/// How many rows that do not fit are named.
const NAMED: usize = 3;

/// Rows that keep a plan from going through.
#[derive(Default)]
pub(super) struct Misfits {
    rows: u64,
    named: Vec<String>,
}

impl Misfits {
    pub(super) fn gather(&mut self, portion: &Portion, direction: Direction) {
        for line in &portion.lines {
            let Fit::Left(why) = line.fit else { continue };
            if is_only_kept_out(&line.change, why) {
                continue;
            }
            self.rows += 1;
            if self.named.len() < NAMED {
                self.named.push(format!("{} {}", row_of(&line.change), reason(why, direction)));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn sentence(&self) -> String {
        let more = self.rows.saturating_sub(self.named.len() as u64);
        let more =
            if more > 0 { format!("; and {}", crate::model::text::plural(more, "more row")) } else { String::new() };
        format!("{}{more}", self.named.join("; "))
    }
}

/// Reads after a row.
fn reason(why: SkipReason, direction: Direction) -> &'static str {
    match why {
        SkipReason::Already => "is already so",
        SkipReason::Changed if direction == Direction::Undo => "is not as it was when the plan was applied",
        SkipReason::Changed => "is not as it was when the plan was made",
        SkipReason::FoundParent => "has its parent by now",
        SkipReason::Referred => "is referred to by rows that came since",
        SkipReason::NoParent => "would have no parent",
        SkipReason::Bound => "was to change with a row that does not fit",
        SkipReason::Needless => "is needed by no row any more",
        SkipReason::Refused => "is refused by the database",
    }
}
