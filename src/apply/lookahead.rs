//! What a plan is going to do, learnt from all of its lines before the first change: which rows go, which orphans come
//! back, and which parents nobody needs.

use std::collections::BTreeMap;
use std::collections::HashSet;

use super::Direction;
use super::portion::Fit;
use super::portion::Line;
use super::portion::Portion;
use super::walk::Walk;
use crate::model::ids::RelationId;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::plan::orphan_name;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Value;
use crate::plan_file;

/// What was learnt of the whole plan before the first change.
#[derive(Default)]
pub(super) struct Lookahead {
    /// Rows that the walk takes away, by table and name.
    pub(super) going: HashSet<u64>,
    /// Orphans that come back when the plan is taken back, by relation, name and key.
    pub(super) returning: HashSet<u64>,
    /// By table, the largest number that names a row which the plan made and that is taken back.
    pub(super) reached: BTreeMap<String, i64>,
    /// Keys that changes of the plan are to refer to, and the parents that it is to make, in order.
    wanted: HashSet<String>,
    parents: Vec<Made>,
    /// Relations whose orphans can only be counted: rows of the child have no names, or the plan does not know its orphans.
    pub(super) counted: HashSet<RelationId>,
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

impl Lookahead {
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
    fn look_ahead_at_references(&mut self, line: &Line) {
        let schema = self.options.schema;
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
        if change.role() == ChangeRole::Parent && change.before.is_none() {
            let is_adopting = change.adopts.as_ref().is_none_or(|adopts| !adopts.is_empty());
            self.lookahead.parents.push(Made { position: line.position, keys, references, is_adopting });
        } else {
            self.lookahead.wanted.extend(references);
        }
    }

    /// Learns what the lines of a portion are to do.
    pub(super) fn look_ahead(&mut self, portion: &Portion) {
        let schema = self.options.schema;
        for line in &portion.lines {
            let change = &line.change;
            if change.after.is_none() && !matches!(line.fit, Fit::Done | Fit::Left(_)) {
                self.lookahead.going.insert(row_fingerprint(&change.table.to_string(), &change.row));
            }
            if self.options.direction == Direction::Apply {
                if self.options.skip_changed {
                    self.look_ahead_at_references(line);
                }
                if line.fit == Fit::Done {
                    self.made(change);
                }
                continue;
            }
            let is_applied = line.fit != Fit::Done;
            if is_applied && change.role() == ChangeRole::Parent {
                let largest = change.row.iter().filter_map(|(_, value)| value.as_integer()).max();
                let reached = self.lookahead.reached.entry(change.table.table.clone()).or_insert(i64::MIN);
                *reached = largest.map_or(*reached, |largest| largest.max(*reached));
            }
            for (index, relation) in schema.relations.entries() {
                // Rows without names, and those that an older plan did not name, are counted before anything changes.
                let is_counted = change.adopts.is_none() || identity_columns(schema.child(relation)).is_empty();
                if is_applied && is_counted && is_its_parent(schema, relation, change) {
                    self.lookahead.counted.insert(index);
                }
                // Where the plan was cut off, a row that it did not come to is still the orphan that the plan had found.
                if let Some(image) = &change.after
                    && was_orphan_of(change, relation)
                    && schema.child(relation).name == change.table
                {
                    let name = orphan_name(schema.child(relation), &change.row, image, relation);
                    self.lookahead.returning.insert(orphan_fingerprint(index, plan_file::fingerprint(&name)));
                }
            }
        }
    }

    /// Remembers the keys of a parent that this plan made.
    pub(super) fn made(&mut self, change: &Change) {
        let (ChangeRole::Parent, None, Some(image)) = (change.role(), &change.before, &change.after) else { return };
        let schema = self.options.schema;
        for (index, relation) in schema.relations.entries() {
            if is_its_parent(schema, relation, change) {
                let names = schema.parent_columns(relation).map(|column| column.name.as_str());
                self.made_keys.extend(image.key(names).map(|key| key_fingerprint(index, &key)));
            }
        }
    }
}

/// A key in the eyes of a relation, whatever the storage class of its values: numbers and their texts are the same.
fn loose_key<'n>(relation: &Relation, names: impl Iterator<Item = &'n str>, image: &Row) -> Option<String> {
    let mut key = relation.parent.name.to_string();
    for name in names {
        let value = match image.get(name)? {
            Value::Null => return None,
            Value::Text(text) => String::from_utf8_lossy(text).to_lowercase(),
            other => text::value(other),
        };
        key.push('\0');
        key.push_str(&value);
    }
    Some(key)
}

pub(super) fn row_fingerprint(table: &str, row: &RowName) -> u64 {
    plan_file::fingerprint(&Row::from(vec![("table", Value::text(table))]).followed_by(row))
}

/// A key of a parent in the eyes of a relation.
pub(super) fn key_fingerprint(relation: RelationId, key: &[Value]) -> u64 {
    let relation = (format!("relation {relation}"), Value::Null);
    let key = key.iter().map(|value| ("key".to_owned(), value.clone()));
    plan_file::fingerprint(&std::iter::once(relation).chain(key).collect())
}

pub(super) fn orphan_fingerprint(relation: RelationId, fingerprint: u64) -> u64 {
    fingerprint.rotate_left(17) ^ (relation.index() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(super) fn was_orphan_of(change: &Change, relation: &Relation) -> bool {
    let is_reason =
        change.reasons.iter().any(|reason| reason.role == ChangeRole::Orphan && reason.relation == relation.id);
    is_reason || change.orphan_of.contains(&relation.id)
}

pub(super) fn is_its_parent(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    schema.parent(relation).is_some_and(|parent| parent.name == change.table)
}
