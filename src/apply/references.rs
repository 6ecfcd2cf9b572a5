//! What the changes of a portion do to rows that refer to them, and to the rows that they themselves refer to. No change
//! leaves an orphan behind that was none before; the only exceptions are, when a plan is taken back, the orphans that the
//! plan had found.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::fit::Misfits;
use super::fit::number;
use super::fit::value_of;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::walk::Halt;
use super::walk::Walk;
use crate::engine::Session;
use crate::model::plan::Change;
use crate::model::plan::Part;
use crate::model::plan::identity_columns;
use crate::model::plan::orphan_name;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::state::Left;
use crate::model::text;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::plan_file;

/// A row without a parent in the transaction at hand, which a later change of the plan is to heal.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    relation: usize,
    row: RowName,
    /// The change that made it one.
    position: usize,
}

/// What was learnt of the whole plan before the first change.
#[derive(Default)]
pub(super) struct Foreseen {
    /// Rows that the walk takes away, by table and name.
    going: HashSet<u64>,
    /// Orphans that come back when the plan is taken back, by relation, name and key.
    returning: HashSet<u64>,
    /// Keys that changes of the plan are to refer to, and the parents that it is to make, in order.
    wanted: HashSet<String>,
    parents: Vec<Made>,
    /// Relations whose orphans can only be counted: rows of the child have no names, or the plan does not know its orphans.
    pub(super) counted: HashSet<usize>,
}

/// A parent that is to be made for the changes that come after it.
struct Made {
    position: usize,
    /// Its keys, and the keys that it refers to itself.
    keys: Vec<String>,
    references: Vec<String>,
    /// Orphans refer to it that do not change.
    is_adopting: bool,
}

impl Foreseen {
    /// The parents that are to be made, and that no change refers to which is still to be made.
    pub(super) fn needless_parents(&self) -> Vec<usize> {
        let mut wanted = self.wanted.clone();
        let mut needless = Vec::new();
        // A parent may be made for another parent, which comes after it.
        for made in self.parents.iter().rev() {
            if made.is_adopting || made.keys.iter().any(|key| wanted.contains(key)) {
                wanted.extend(made.references.iter().cloned());
            } else {
                needless.push(made.position);
            }
        }
        needless
    }
}

impl Walk<'_> {
    /// Learns what a line refers to, or is to be referred to by.
    fn foresee_references(&mut self, line: &Line) {
        let schema = self.order.schema;
        let change = &line.change;
        let (Some(image), Fit::Ready) = (&change.after, line.fit) else { return };
        let (mut keys, mut references) = (Vec::new(), Vec::new());
        for relation in &schema.relations {
            if schema.child(relation).name == change.table {
                references.extend(loose_key(relation, schema.child_column_names(relation), image));
            }
            if is_its_parent(schema, relation, change) {
                let names = schema.parent_columns(relation).map(|column| column.name.as_str());
                keys.extend(loose_key(relation, names, image));
            }
        }
        if change.part() == Part::Parent && change.before.is_none() {
            let is_adopting = change.adopts.as_ref().is_none_or(|adopts| !adopts.is_empty());
            self.foreseen.parents.push(Made { position: line.position, keys, references, is_adopting });
        } else {
            self.foreseen.wanted.extend(references);
        }
    }

    /// Learns what the lines of a portion are to do.
    pub(super) fn foresee(&mut self, portion: &Portion) {
        let schema = self.order.schema;
        for line in &portion.lines {
            let change = &line.change;
            if change.after.is_none() && !matches!(line.fit, Fit::Done | Fit::Left(_)) {
                self.foreseen.going.insert(row_fingerprint(&change.table.to_string(), &change.row));
            }
            if self.order.direction == Direction::Apply {
                if self.order.skip_changed {
                    self.foresee_references(line);
                }
                if line.fit == Fit::Done {
                    self.made(change);
                }
                continue;
            }
            if line.fit == Fit::Done {
                continue;
            }
            for (index, relation) in schema.relations.iter().enumerate() {
                // Rows without names, and those that an older plan did not name, are counted before anything changes.
                let is_counted = change.adopts.is_none() || identity_columns(schema.child(relation)).is_empty();
                if is_counted && is_its_parent(schema, relation, change) {
                    self.foreseen.counted.insert(index);
                }
                if let Some(image) = &change.after
                    && was_orphan_of(change, relation)
                    && schema.child(relation).name == change.table
                {
                    let name = orphan_name(schema.child(relation), &change.row, image, relation);
                    self.foreseen.returning.insert(orphan_fingerprint(index, plan_file::fingerprint(&name)));
                }
            }
        }
    }

    /// Remembers the keys of a parent that this plan made.
    pub(super) fn made(&mut self, change: &Change) {
        let (Part::Parent, None, Some(image)) = (change.part(), &change.before, &change.after) else { return };
        let schema = self.order.schema;
        for (index, relation) in schema.relations.iter().enumerate() {
            if is_its_parent(schema, relation, change) {
                let names = schema.parent_columns(relation).map(|column| column.name.as_str());
                let key: Option<Vec<Value>> = names.map(|name| value_of(image, name).cloned()).collect();
                self.made_keys.extend(key.map(|key| key_fingerprint(index, &key)));
            }
        }
    }

    /// Before rows go, or leave a key: lines to which rows refer that are to stay do not fit.
    pub(super) fn keep_parents(&mut self, session: &mut dyn Session, portion: &mut Portion) -> Result<(), ApplyError> {
        let suspects = self.suspects.len();
        // A line that stays keeps its own reference, so that the lines it refers to are looked at again.
        while self.keep_parents_once(session, portion)? {
            portion.unite();
            self.suspects.truncate(suspects);
        }
        Ok(())
    }

    /// True if some line does not fit that did before.
    fn keep_parents_once(&mut self, session: &mut dyn Session, portion: &mut Portion) -> Result<bool, ApplyError> {
        let schema = self.order.schema;
        let mut any = false;
        for index in 0..schema.relations.len() {
            let relation = &schema.relations[index];
            if !self.is_watched(relation) {
                continue;
            }
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
        index: usize,
        places: &[usize],
    ) -> Result<bool, ApplyError> {
        let schema = self.order.schema;
        let relation = &schema.relations[index];
        let child = schema.child(relation);
        let names = identity_columns(child);
        let parents: Vec<&RowName> = places.iter().map(|&place| &portion.lines[place].change.row).collect();
        let mut children: Vec<(usize, RowName)> = Vec::new();
        session.each_row(&self.order.surgery.children_of(schema, relation, &parents), &mut |row| {
            let Some(place) = number(row).and_then(|number| places.get(number)) else { return };
            let values = row.iter().skip(1).cloned();
            children.push((*place, names.iter().map(|name| (*name).to_owned()).zip(values).collect()));
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
        let rows: Vec<&RowName> = strangers.iter().map(|(_, row)| row).collect();
        let images = if self.order.direction == Direction::Undo && !rows.is_empty() {
            self.rows(session, &table, &rows)?
        } else {
            vec![None; rows.len()]
        };
        let mut any = false;
        for ((place, row), image) in strangers.iter().zip(images) {
            let fingerprint = image.map(|image| plan_file::fingerprint(&orphan_name(child, row, &image, relation)));
            let line = &mut portion.lines[*place];
            let is_known = fingerprint.is_some_and(|fingerprint| {
                self.foreseen.returning.contains(&orphan_fingerprint(index, fingerprint))
                    || adopts(&line.change, &relation.id, fingerprint)
            });
            // Of an older plan only the number of orphans is known.
            let is_counted = line.change.adopts.is_none() && self.foreseen.counted.contains(&index);
            if !is_known && !is_counted {
                line.fit = Fit::Left(Left::Referred);
                any = true;
            }
        }
        Ok(any)
    }

    /// After rows were written: those that have no parent, and had none to lose, are suspects until the commit.
    pub(super) fn look_for_parents(&mut self, session: &mut dyn Session, portion: &Portion) -> Result<(), ApplyError> {
        let schema = self.order.schema;
        for (index, relation) in schema.relations.iter().enumerate() {
            if !self.is_watched(relation) {
                continue;
            }
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
                session.each_row(&self.order.surgery.children_of(schema, relation, &parents), &mut |row| {
                    needed.extend(number(row).and_then(|number| some.get(number)).copied());
                })?;
                places.retain(|place| !needed.contains(place));
            }
        }
        if places.is_empty() {
            return Ok(());
        }
        for &place in &places {
            portion.lines[place].fit = Fit::Left(Left::Needless);
            self.barred.insert(portion.lines[place].position, Left::Needless);
        }
        if self.order.skip_changed {
            return Err(Halt::Again);
        }
        let mut misfits = Misfits::default();
        misfits.gather(portion);
        Err(self.misfit(&misfits, false).into())
    }

    /// Forgets the suspects that have found their parents, or are gone.
    pub(super) fn clear_suspects(&mut self, session: &mut dyn Session) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<usize, Vec<Suspect>> = BTreeMap::new();
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
            format!("{child} ({}) would have no parent in {}", text::row(&suspect.row), relation.parent.name)
        });
        let told: Vec<String> = told.collect();
        let more = self.suspects.len().saturating_sub(told.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", told.join("; "))
    }

    /// The changes that made suspects are not tried again.
    pub(super) fn bar_suspects(&mut self) {
        for suspect in std::mem::take(&mut self.suspects) {
            self.barred.insert(suspect.position, Left::NoParent);
        }
    }

    /// Only of relations that were checked when the plan was made is it known which orphans there were.
    fn is_watched(&self, relation: &Relation) -> bool {
        let forecasts = &self.reading.plan.header.forecasts;
        !matches!(relation.judge, Judge::Nobody(_))
            && !relation.parent.columns.is_empty()
            && forecasts.iter().any(|forecast| forecast.relation == relation.id)
    }

    fn may_be_orphan(&self, change: &Change, relation: &Relation) -> bool {
        match self.order.direction {
            Direction::Apply => change.orphan_of.contains(&relation.id),
            Direction::Undo => was_orphan_of(change, relation),
        }
    }
}

/// A key in the eyes of a relation, whatever the storage class of its values: numbers and their texts are the same.
fn loose_key<'n>(relation: &Relation, names: impl Iterator<Item = &'n str>, image: &RowName) -> Option<String> {
    let mut key = relation.parent.name.to_string();
    for name in names {
        let value = match value_of(image, name)? {
            Value::Null => return None,
            Value::Text(text) => String::from_utf8_lossy(text).to_lowercase(),
            other => text::value(other),
        };
        key.push('\0');
        key.push_str(&value);
    }
    Some(key)
}

fn was_orphan_of(change: &Change, relation: &Relation) -> bool {
    let is_reason = change.reasons.iter().any(|reason| reason.part == Part::Orphan && reason.relation == relation.id);
    is_reason || change.orphan_of.contains(&relation.id)
}

fn adopts(change: &Change, relation: &str, fingerprint: u64) -> bool {
    let adopted = change.adopts.iter().flatten().filter(|adopted| adopted.relation == relation);
    adopted.into_iter().any(|adopted| adopted.rows.contains(&fingerprint))
}

fn is_its_parent(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    schema.parent(relation).is_some_and(|parent| parent.name == change.table)
}

/// The row goes, or gets another key in the eyes of the relation.
fn leaves_key(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(_), None) => true,
        (Some(_), Some(_)) => {
            let set = change.set();
            schema.parent_columns(relation).any(|column| value_of(&set, &column.name).is_some())
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
            schema.child_columns(relation).any(|column| column.generated || value_of(&set, &column.name).is_some())
        }
        _ => false,
    }
}

fn row_fingerprint(table: &str, row: &RowName) -> u64 {
    let mut named = vec![("table".to_owned(), Value::text(table))];
    named.extend(row.iter().cloned());
    plan_file::fingerprint(&named)
}

/// A key of a parent in the eyes of a relation.
pub(super) fn key_fingerprint(relation: usize, key: &[Value]) -> u64 {
    let mut named: RowName = vec![(format!("relation {relation}"), Value::Null)];
    named.extend(key.iter().map(|value| ("key".to_owned(), value.clone())));
    plan_file::fingerprint(&named)
}

fn orphan_fingerprint(relation: usize, fingerprint: u64) -> u64 {
    fingerprint.rotate_left(17) ^ (relation as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
