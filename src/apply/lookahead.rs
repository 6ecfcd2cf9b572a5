//! Lookahead over all lines of a plan before the first change: the rows that will be deleted, the orphans that undo restores,
//! and the new parents that no row needs.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::ApplyError;
use super::CHUNK;
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
use crate::model::schema_index::SchemaIndex;
use crate::model::state::Positions;
use crate::model::text;
use crate::model::value::Value;
use crate::plan_file;

/// The results of the lookahead.
#[derive(Default)]
pub(super) struct Lookahead {
    /// Rows that the run deletes, as fingerprints of table and name.
    pub(super) deleted: HashSet<u64>,
    /// Orphans that undo restores, as fingerprints of relation, name and key.
    pub(super) returning: HashSet<u64>,
    /// By table, the largest number in the names of the inserted rows that undo deletes.
    pub(super) reached: BTreeMap<String, i64>,
    /// The keys to which changes of the plan refer, with the number of references.
    referenced: HashMap<String, usize>,
    /// The parents that the plan inserts, in order.
    parents: Vec<NewParent>,
    /// Relations whose orphans can only be counted, because rows of the child have no names or the plan does not list the orphans.
    pub(super) counted: HashSet<RelationId>,
}

/// A parent that is inserted for later changes.
struct NewParent {
    position: usize,
    /// Its keys, and the keys to which it refers.
    keys: Vec<String>,
    references: Vec<String>,
    /// True if unchanged orphans refer to it.
    is_adopting: bool,
}

impl Lookahead {
    /// Returns the positions of new parents to which no remaining change refers.
    pub(super) fn needless_parents(&self) -> Vec<usize> {
        let mut referenced: HashSet<&str> =
            self.referenced.iter().filter(|(_, count)| **count > 0).map(|(key, _)| key.as_str()).collect();
        let mut needless = Vec::new();
        // A parent may be inserted for another parent, which comes later in the plan.
        for parent in self.parents.iter().rev() {
            if parent.is_adopting || parent.keys.iter().any(|key| referenced.contains(key.as_str())) {
                referenced.extend(parent.references.iter().map(String::as_str));
            } else {
                needless.push(parent.position);
            }
        }
        needless
    }

    /// Takes away the references of a change that is left after all. True if a new parent that is not committed may be needless
    /// without it.
    pub(super) fn leave(
        &mut self,
        schema_index: &SchemaIndex<'_>,
        schema: &Schema,
        change: &Change,
        committed: &Positions,
    ) -> bool {
        let mut last_references = loose_references(schema_index, schema, change);
        if !is_new_parent(change) {
            last_references.retain(|key| match self.referenced.get_mut(key) {
                Some(count) => {
                    *count = count.saturating_sub(1);
                    *count == 0
                }
                None => true,
            });
        }
        let needs = |parent: &NewParent| parent.keys.iter().any(|key| last_references.contains(key));
        let is_open = |parent: &NewParent| !parent.is_adopting && !committed.contains(parent.position);
        !last_references.is_empty() && self.parents.iter().any(|parent| is_open(parent) && needs(parent))
    }
}

fn is_new_parent(change: &Change) -> bool {
    change.role() == ChangeRole::Parent && change.before.is_none()
}

/// Returns the keys to which a row refers after its change.
fn loose_references(schema_index: &SchemaIndex<'_>, schema: &Schema, change: &Change) -> Vec<String> {
    let Some(image) = &change.after else { return Vec::new() };
    let relations = schema_index.relations_from_named(&change.table).iter();
    relations.filter_map(|(_, relation)| loose_key(relation, schema.child_column_names(relation), image)).collect()
}

impl Walk<'_> {
    /// Collects the keys of a line and the keys to which it refers.
    pub(super) fn look_ahead_at_references(&mut self, line: &Line) {
        let schema = self.options.schema;
        let change = &line.change;
        let (Some(image), Fit::Ready) = (&change.after, line.fit) else { return };
        let (mut keys, references) = (Vec::new(), loose_references(&self.schema_index, schema, change));
        for (_, relation) in self.schema_index.relations_to_named(&change.table) {
            let names = schema.parent_columns(relation).map(|column| column.name.as_str());
            keys.extend(loose_key(relation, names, image));
        }
        if is_new_parent(change) {
            let is_adopting = change.adopts.as_ref().is_none_or(|adopts| !adopts.is_empty());
            self.lookahead.parents.push(NewParent { position: line.position, keys, references, is_adopting });
        } else {
            references.into_iter().for_each(|key| *self.lookahead.referenced.entry(key).or_default() += 1);
        }
    }

    /// Collects the effects of the lines of a portion.
    pub(super) fn look_ahead(&mut self, portion: &Portion) {
        let schema = self.options.schema;
        for line in &portion.lines {
            let change = &line.change;
            if change.after.is_none() && !matches!(line.fit, Fit::Done | Fit::Left(_)) {
                self.lookahead.deleted.insert(row_fingerprint(&change.table.to_string(), &change.row));
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
            if is_applied && matches!(change.role(), ChangeRole::Parent | ChangeRole::Restored) {
                let largest = change.row.iter().filter_map(|(_, value)| value.as_integer()).max();
                let reached = self.lookahead.reached.entry(change.table.table.clone()).or_insert(i64::MIN);
                *reached = largest.map_or(*reached, |largest| largest.max(*reached));
            }
            let schema_index = Arc::clone(&self.schema_index);
            for (index, relation) in schema_index.relations_to_named(&change.table).iter().filter(|_| is_applied) {
                // The orphans are counted before anything changes if rows have no names or an older plan did not list them.
                if change.adopts.is_none() || identity_columns(schema.child(relation)).is_empty() {
                    self.lookahead.counted.insert(*index);
                }
            }
            for &(index, relation) in schema_index.relations_from_named(&change.table) {
                // If the plan was interrupted, a row that it did not reach is still an orphan that the plan had found.
                if let Some(image) = &change.after
                    && was_orphan_of(change, relation)
                {
                    let name = orphan_name(schema.child(relation), &change.row, image, relation);
                    self.lookahead.returning.insert(orphan_fingerprint(index, plan_file::fingerprint(&name)));
                }
            }
        }
    }

    /// Records the keys of the parents that earlier runs of this plan inserted. To compare an orphan, all of them are needed: any line
    /// of the plan may insert a parent that the orphan seems to have found.
    pub(super) fn recall_made_parents(&mut self) -> Result<(), ApplyError> {
        if self.options.direction == Direction::Undo || self.record()?.state.ours.is_empty() {
            return Ok(());
        }
        let (mut step, total) = (0, self.reading.plan.changes());
        while step < total {
            let portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            for line in &portion.lines {
                if self.record()?.state.ours.contains(line.position) {
                    self.made(&line.change);
                }
            }
        }
        Ok(())
    }

    /// Records the keys of a parent that this plan inserted.
    pub(super) fn made(&mut self, change: &Change) {
        let (ChangeRole::Parent, None, Some(image)) = (change.role(), &change.before, &change.after) else { return };
        let schema = self.options.schema;
        for &(index, relation) in self.schema_index.relations_to_named(&change.table) {
            let names = schema.parent_columns(relation).map(|column| column.name.as_str());
            let Some(key) = image.key(names).map(|key| key_fingerprint(index, &key)) else { continue };
            if self.made_keys.insert(key) {
                let of_transaction = self.transaction.as_mut().map(|start| &mut start.made_keys);
                of_transaction.into_iter().chain(&mut self.portion_keys).for_each(|keys| keys.push(key));
            }
        }
    }
}

/// Returns a key as text in lower case, so that a number and its text are equal. `None` if a column is NULL or missing.
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

/// Returns the fingerprint of a parent key of a relation.
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
