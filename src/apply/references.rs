//! What the changes of a portion do to rows that refer to them, and to the rows that they themselves refer to. No change
//! leaves an orphan behind that was none before; the only exceptions are, when a plan is taken back, the orphans that the
//! plan had found.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::fit::Misfits;
use super::foreseen::is_its_parent;
use super::foreseen::orphan_fingerprint;
use super::foreseen::row_fingerprint;
use super::foreseen::was_orphan_of;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::Session;
use crate::model::ids::RelationId;
use crate::model::plan::Change;
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

/// A row without a parent in the transaction at hand, which a later change of the plan is to heal.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    relation: RelationId,
    row: RowName,
    /// The change that made it one.
    position: usize,
}

impl Walk<'_> {
    /// Before rows go, or leave a key: lines to which rows refer that are to stay do not fit. One that stays may itself refer
    /// to another that was to go, so they are looked at until nothing changes.
    pub(super) fn keep_parents(&mut self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        loop {
            for line in portion.lines.iter().filter(|line| matches!(line.fit, Fit::Left(_))) {
                let change = &line.change;
                self.foreseen.going.remove(&row_fingerprint(&change.table.to_string(), &change.row));
            }
            if !self.keep_parents_once(session, portion)? {
                return Ok(());
            }
            portion.unite();
        }
    }

    /// True if some line does not fit that did before.
    fn keep_parents_once(&mut self, session: &mut dyn Session, portion: &mut Portion) -> Result<bool, ApplyError> {
        let schema = self.order.schema;
        let mut any = false;
        for index in self.watched.clone() {
            let relation = &schema.relations[index];
            let concerned = |line: &Line| {
                line.fit == Fit::Ready
                    && is_its_parent(schema, relation, &line.change)
                    && leaves_key(schema, relation, &line.change)
            };
            let places: Vec<usize> =
                (0..portion.lines.len()).filter(|&place| concerned(&portion.lines[place])).collect();
            for some in places.chunks(CHUNK) {
                any |= self.meet_children(session, portion, index, some)?;
            }
        }
        Ok(any)
    }

    /// True if some line does not fit.
    fn meet_children(
        &mut self,
        session: &mut dyn Session,
        portion: &mut Portion,
        index: RelationId,
        places: &[usize],
    ) -> Result<bool, ApplyError> {
        let schema = self.order.schema;
        let relation = &schema.relations[index];
        let child = schema.child(relation);
        let names: Arc<[String]> = identity_columns(child).into_iter().map(str::to_owned).collect();
        let parents: Vec<&RowName> = places.iter().map(|&place| &portion.lines[place].change.row).collect();
        let mut children: Vec<(usize, RowName)> = Vec::new();
        let question = self.order.surgery.referencing_rows(schema, relation, &parents);
        session.numbered(&question, parents.len(), &mut |number, values| {
            children.push((places[number], RowName::of(&names, values.to_vec())));
        })?;
        if names.is_empty() && self.order.direction == Direction::Undo {
            // Such rows have no names: they are counted at the end.
            self.foreseen.counted.insert(index);
            return Ok(false);
        }
        let table = child.name.to_string();
        // Rows that this very portion takes away, or gives another reference.
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
        let mut strangers: Vec<(usize, RowName)> = Vec::new();
        for (place, row) in children {
            let fingerprint = row_fingerprint(&table, &row);
            if leaving.contains(&fingerprint) {
                // It is looked at once it is written.
            } else if self.foreseen.going.contains(&fingerprint) && !staying.contains(&fingerprint) {
                self.suspects.push(Suspect { relation: index, row, position: portion.lines[place].position });
            } else {
                strangers.push((place, row));
            }
        }
        let mut any = false;
        let mut adopted: HashMap<usize, HashSet<u64>> = HashMap::new();
        for (place, fingerprint) in self.fingerprints(session, index, strangers)? {
            let line = &mut portion.lines[place];
            let adopted = adopted.entry(place).or_insert_with(|| adopted_by(&line.change, &relation.id));
            let is_known = fingerprint.is_some_and(|fingerprint| {
                self.foreseen.returning.contains(&orphan_fingerprint(index, fingerprint))
                    || adopted.contains(&fingerprint)
            });
            // Of an older plan only the number of orphans is known.
            let is_counted = line.change.adopts.is_none() && self.foreseen.counted.contains(&index);
            if !is_known && !is_counted {
                line.fit = Fit::Left(SkipReason::Referred);
                any = true;
            }
        }
        Ok(any)
    }

    /// Of each row of a child, which comes with a number, the fingerprint of its name and key. None is known where no orphan
    /// may come back.
    fn fingerprints(
        &self,
        session: &mut dyn Session,
        relation: RelationId,
        rows: Vec<(usize, RowName)>,
    ) -> Result<Vec<(usize, Option<u64>)>, ApplyError> {
        if self.order.direction == Direction::Apply {
            return Ok(rows.into_iter().map(|(place, _)| (place, None)).collect());
        }
        let relation = &self.order.schema.relations[relation];
        let child = self.order.schema.child(relation);
        // Nothing else of a row is read: it may be of any size.
        let mut narrow = child.clone();
        let is_told = |place: usize| {
            let is_name = identity_columns(child).contains(&child.columns[place].name.as_str());
            is_name || relation.child_columns.contains(&place)
        };
        narrow.columns = (0..child.columns.len())
            .filter(|&place| is_told(place))
            .map(|place| child.columns[place].clone())
            .collect();
        let mut fingerprints = Vec::with_capacity(rows.len());
        for some in rows.chunks(CHUNK) {
            let names: Vec<&RowName> = some.iter().map(|(_, row)| row).collect();
            for ((place, row), image) in some.iter().zip(self.rows_of(session, &narrow, &names)?) {
                let name = image.map(|image| orphan_name(child, row, &image, relation));
                fingerprints.push((*place, name.map(|name| plan_file::fingerprint(&name))));
            }
        }
        Ok(fingerprints)
    }

    /// After rows were written: those that have no parent, and had none to lose, are suspects until the commit.
    pub(super) fn look_for_parents(&mut self, session: &mut dyn Session, portion: &Portion) -> Result<(), ApplyError> {
        let schema = self.order.schema;
        for index in self.watched.clone() {
            let relation = &schema.relations[index];
            let concerned: Vec<&Line> = portion
                .lines
                .iter()
                .filter(|line| line.fit == Fit::Ready && schema.child(relation).name == line.change.table)
                .filter(|line| takes_reference(schema, relation, &line.change))
                .filter(|line| !self.may_be_orphan(&line.change, relation))
                .collect();
            let rows: Vec<&RowName> = concerned.iter().map(|line| &line.change.row).collect();
            let orphans = self.orphans_among(session, relation, &rows)?;
            let suspects = concerned.iter().zip(orphans).filter(|(_, is_orphan)| *is_orphan).map(|(line, _)| Suspect {
                relation: index,
                row: line.change.row.clone(),
                position: line.position,
            });
            let suspects: Vec<Suspect> = suspects.collect();
            self.suspects.extend(suspects);
        }
        Ok(())
    }

    /// After parents were made: one to which no row refers any more was not to be made.
    pub(super) fn look_for_children(&mut self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), Halt> {
        let schema = self.order.schema;
        let is_made = |line: &Line| {
            let adopts = line.change.adopts.as_ref().is_some_and(|adopts| !adopts.is_empty());
            line.fit == Fit::Ready && adopts && line.change.before.is_none()
        };
        let mut places: Vec<usize> = (0..portion.lines.len()).filter(|&place| is_made(&portion.lines[place])).collect();
        for relation in &schema.relations {
            let adopting = |place: &usize| {
                let adopts = portion.lines[*place].change.adopts.iter().flatten();
                adopts.into_iter().any(|adopted| adopted.relation == relation.id)
            };
            let concerned: Vec<usize> = places.iter().copied().filter(adopting).collect();
            for some in concerned.chunks(CHUNK) {
                let parents: Vec<&RowName> = some.iter().map(|&place| &portion.lines[place].change.row).collect();
                let mut needed = BTreeSet::new();
                let question = self.order.surgery.referencing_rows(schema, relation, &parents);
                session.numbered(&question, parents.len(), &mut |number, _| {
                    needed.insert(some[number]);
                })?;
                places.retain(|place| !needed.contains(place));
            }
        }
        if places.is_empty() {
            return Ok(());
        }
        for &place in &places {
            portion.lines[place].fit = Fit::Left(SkipReason::Needless);
            self.barred.insert(portion.lines[place].position, SkipReason::Needless);
        }
        if self.order.skip_changed {
            return Err(Halt::Again);
        }
        let mut misfits = Misfits::default();
        misfits.gather(portion, self.order.direction);
        Err(self.misfit(&misfits, false).into())
    }

    /// Forgets the suspects that have found their parents, or are gone.
    pub(super) fn clear_suspects(&mut self, session: &mut dyn Session) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<RelationId, Vec<Suspect>> = BTreeMap::new();
        for suspect in std::mem::take(&mut self.suspects) {
            by_relation.entry(suspect.relation).or_default().push(suspect);
        }
        for (relation, suspects) in by_relation {
            let relation = &self.order.schema.relations[relation];
            let rows: Vec<&RowName> = suspects.iter().map(|suspect| &suspect.row).collect();
            let orphans = self.orphans_among(session, relation, &rows)?;
            self.suspects.extend(suspects.into_iter().zip(orphans).filter(|(_, orphan)| *orphan).map(|(one, _)| one));
        }
        Ok(())
    }

    /// A sentence on the suspects that are left.
    pub(super) fn told_suspects(&self) -> String {
        let told = self.suspects.iter().take(3).map(|suspect| {
            let relation = &self.order.schema.relations[suspect.relation];
            let child = &self.order.schema.child(relation).name;
            format!("{child} ({}) would have no parent in {}", text::named(suspect.row.iter()), relation.parent.name)
        });
        let told: Vec<String> = told.collect();
        let more = self.suspects.len().saturating_sub(told.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", told.join("; "))
    }

    /// The changes that made suspects are not tried again.
    pub(super) fn bar_suspects(&mut self) {
        for suspect in std::mem::take(&mut self.suspects) {
            self.barred.insert(suspect.position, SkipReason::NoParent);
        }
    }

    fn may_be_orphan(&self, change: &Change, relation: &Relation) -> bool {
        match self.order.direction {
            Direction::Apply => change.orphan_of.contains(&relation.id),
            Direction::Undo => was_orphan_of(change, relation),
        }
    }
}

/// The relations that were checked when the plan was made.
pub(super) fn watched(schema: &Schema, header: &Header) -> Vec<RelationId> {
    let is_watched = |relation: &Relation| {
        !matches!(relation.judge, Judge::Incomparable(_))
            && !relation.parent.columns.is_empty()
            && header.forecasts.iter().any(|forecast| forecast.relation == relation.id)
    };
    schema.relations.ids().filter(|&index| is_watched(&schema.relations[index])).collect()
}

fn adopted_by(change: &Change, relation: &str) -> HashSet<u64> {
    let adopted = change.adopts.iter().flatten().filter(|adopted| adopted.relation == relation);
    adopted.flat_map(|adopted| adopted.rows.iter().copied()).collect()
}

/// The row goes, or gets another key in the eyes of the relation.
fn leaves_key(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(_), None) => true,
        (Some(_), Some(_)) => {
            let set = change.set();
            schema.parent_columns(relation).any(|column| set.get(&column.name).is_some())
        }
        _ => false,
    }
}

/// The row is new, or gets another reference.
fn takes_reference(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    match (&change.before, &change.after) {
        (None, Some(_)) => true,
        (Some(_), Some(_)) => {
            let set = change.set();
            schema.child_columns(relation).any(|column| column.generated || set.get(&column.name).is_some())
        }
        _ => false,
    }
}
