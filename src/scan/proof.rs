//! Which relations the engine confirms, of those whose orphans the storage proved.
//!
//! The storage proves the orphans of all relations in a few ways, which depend on the types of the key's columns and on the
//! trees that hold them. A relation in which the engine agrees confirms the way, so that not every relation of a large
//! schema needs a statement of its own. If the engine contradicts one, it judges all relations that were proven in this way.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::orphan_row::is_named_by_address;
use crate::engine::StorageReading;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::examination::Method;
use crate::model::facts::Equality;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;

/// So many relations of each way are confirmed, and after them those whose numbers are powers of two.
const CONFIRMED_FIRST: usize = 4;

/// How far the proof of a relation's orphans is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// The engine confirms some of the orphans.
    Confirm,
    /// The engine confirmed other relations that were proven in the same way.
    Confirmed,
    /// The engine contradicted another relation that was proven in the same way.
    Contradicted,
}

/// The ways in which the storage proved orphans.
pub(super) struct Proofs<'a> {
    /// True if no engine could confirm or contradict a proof.
    is_final: bool,
    ways: Vec<Way<'a>>,
    /// The way of each relation with proven orphans, and true if the relation itself is confirmed.
    relations: IdVec<RelationId, Option<(usize, bool)>>,
}

struct Way<'a> {
    is_like: Likeness<'a>,
    relations: usize,
    is_contradicted: AtomicBool,
}

/// What relations that are proven in the same way have in common.
#[derive(PartialEq)]
struct Likeness<'a> {
    method: Method,
    is_named_by_address: bool,
    parent_has_address: bool,
    parent_has_separate_index: bool,
    columns: Vec<[(&'a Family, Option<&'a str>); 2]>,
}

impl<'a> Proofs<'a> {
    /// `readings` gives the reading of each relation whose storage was read.
    pub(super) fn of<'r>(schema: &'a Schema, readings: impl Iterator<Item = Option<&'r StorageReading>>) -> Proofs<'a> {
        let mut ways: Vec<Way<'_>> = Vec::new();
        let mut way_of = |relation: &'a Relation, reading: &StorageReading| {
            let is_like = Likeness::of(schema, relation, reading.method);
            let known = ways.iter().position(|way| way.is_like == is_like);
            let way = known.unwrap_or_else(|| {
                ways.push(Way { is_like, relations: 0, is_contradicted: AtomicBool::new(false) });
                ways.len() - 1
            });
            let number = ways[way].relations;
            ways[way].relations += 1;
            (way, number < CONFIRMED_FIRST || number.is_power_of_two())
        };
        let relations: Vec<Option<(usize, bool)>> = schema
            .relations
            .iter()
            .zip(readings)
            .map(|(relation, reading)| {
                reading.filter(|reading| !reading.orphans.is_empty()).map(|reading| way_of(relation, reading))
            })
            .collect();
        let is_final = schema.database.engine.facts().equality == Equality::OfFiles;
        Proofs { is_final, relations: relations.into(), ways }
    }

    /// True if the proof of a relation is trusted because of other relations, which must be judged before it.
    pub(super) fn is_confirmed_by_others(&self, relation: RelationId) -> bool {
        matches!(self.relations[relation], Some((_, false)))
    }

    pub(super) fn trust(&self, relation: RelationId) -> Trust {
        match self.relations[relation] {
            _ if self.is_final => Trust::Confirmed,
            None | Some((_, true)) => Trust::Confirm,
            Some((way, _)) if self.ways[way].is_contradicted.load(Ordering::Acquire) => Trust::Contradicted,
            Some(_) => Trust::Confirmed,
        }
    }

    /// Notes that the engine contradicted the proof of a relation.
    pub(super) fn contradict(&self, relation: RelationId) {
        if let Some((way, true)) = self.relations[relation] {
            self.ways[way].is_contradicted.store(true, Ordering::Release);
        }
    }
}

impl<'a> Likeness<'a> {
    fn of(schema: &'a Schema, relation: &'a Relation, method: Method) -> Likeness<'a> {
        let described = |column: &'a Column| (&column.family, column.collation.as_deref());
        let child = schema.child(relation);
        let of_child = relation.child_columns.iter().map(|&column| described(&child.columns[column]));
        let of_parent = schema.parent_columns(relation).map(described);
        let parent = schema.parent(relation);
        Likeness {
            method,
            is_named_by_address: is_named_by_address(child),
            parent_has_address: parent.is_some_and(|parent| parent.row_address.is_some()),
            parent_has_separate_index: parent
                .is_some_and(|parent| relation.parent.key.is_some_and(|key| parent.indexes[key].separate)),
            columns: of_child.zip(of_parent).map(|(child, parent)| [child, parent]).collect(),
        }
    }
}
