//! The keys of a relation: how its pairs of columns compare, and the key of a row.

use std::hash::BuildHasher;

use siphasher::sip128::SipHasher13;

use super::batch::Batch;
use super::cell::Cell;
use super::cell::Comparand;
use super::cell::Part;
use super::number;
use super::types::Class;
use super::types::FileType;
use super::types::compared;
use crate::engine::keyset::Key;
use crate::engine::keyset::text_hash::TextHasher;
use crate::engine::orphan_list::KeyKind;
use crate::model::value::Value;

/// How the key of a relation compares.
#[derive(Debug, Clone)]
pub(super) struct KeyRule {
    classes: Vec<Class>,
    shape: Shape,
    hashers: Hashers,
}

/// The hashers of a run.
#[derive(Debug, Clone)]
pub(super) struct Hashers {
    keys: SipHasher13,
    texts: TextHasher,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Integer,
    TwoIntegers,
    /// A single text or binary value.
    Bytes,
    Other,
}

/// One side of a relation: a column of the batch and its type, for each part of the key.
pub(super) struct Side<'a> {
    pub(super) columns: Vec<usize>,
    pub(super) types: Vec<&'a FileType>,
}

impl Hashers {
    /// Returns new hashers, so that nobody can craft a file with colliding keys.
    pub(super) fn new() -> Hashers {
        let random = std::collections::hash_map::RandomState::new();
        let seed = (random.hash_one(0), random.hash_one(1));
        Hashers { keys: SipHasher13::new_with_keys(seed.0, seed.1), texts: TextHasher::new(seed) }
    }
}

impl Hashers {
    pub(super) fn keys(&self) -> SipHasher13 {
        self.keys
    }
}

impl KeyRule {
    /// Returns the rule for these pairs of types, child first; the first pair that is not compared otherwise.
    pub(super) fn new<'a>(
        pairs: &[(&'a FileType, &'a FileType)],
        hashers: &Hashers,
    ) -> Result<KeyRule, (&'a FileType, &'a FileType)> {
        let mut classes = Vec::new();
        let mut are_integers = true;
        for (child, parent) in pairs {
            let class = compared(child, parent).ok_or((*child, *parent))?;
            // If one side has only integers, no other value has an equal.
            are_integers &= matches!(class, Class::Number { .. } | Class::Boolean | Class::Date)
                && (child.is_integer() || parent.is_integer());
            classes.push(class);
        }
        let shape = match (are_integers, classes.as_slice()) {
            (true, [_]) => Shape::Integer,
            (true, [_, _]) => Shape::TwoIntegers,
            (_, [Class::Bytes]) => Shape::Bytes,
            _ => Shape::Other,
        };
        Ok(KeyRule { classes, shape, hashers: hashers.clone() })
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns an identity that is equal for rules under which a parent has the same keys.
    pub(super) fn identity(&self) -> (Shape, Vec<Class>) {
        (self.shape, self.classes.clone())
    }

    /// Returns the kind of the keys of orphans, whose types are those of the child.
    pub(super) fn kind_of_orphans(&self, types: &[&FileType]) -> KeyKind {
        let are_shown_as_integers = types.iter().all(|of| matches!(of, FileType::Integer | FileType::Boolean));
        match self.shape {
            Shape::Integer if are_shown_as_integers => KeyKind::Integer,
            Shape::TwoIntegers if are_shown_as_integers => KeyKind::TwoIntegers,
            _ => KeyKind::Other,
        }
    }

    fn comparand<'b>(&self, part: usize, batch: &'b Batch<'_>, row: usize, side: &Side<'b>) -> Comparand<'b> {
        let cell = batch.columns[side.columns[part]].cell(row);
        Comparand { cell, of: side.types[part], class: self.classes[part] }
    }

    /// Returns the key of a row.
    #[inline(always)]
    pub(super) fn key(&self, batch: &Batch<'_>, row: usize, side: &Side<'_>, scratch: &mut Vec<u8>) -> Key {
        match self.shape {
            Shape::Integer => match self.comparand(0, batch, row, side).integer() {
                Part::Value(number) => Key::Integer(number),
                Part::Null => Key::Null,
                Part::Unequal => Key::Outside,
            },
            Shape::TwoIntegers => {
                let [first, second] = [0, 1].map(|part| self.comparand(part, batch, row, side).integer());
                match (first, second) {
                    (Part::Value(first), Part::Value(second)) => Key::pair(first, second),
                    (Part::Null, _) | (_, Part::Null) => Key::Null,
                    _ => Key::Outside,
                }
            }
            Shape::Bytes => match self.comparand(0, batch, row, side).cell {
                // Most keys in files of text are integers, which are compared sooner than hashes.
                Cell::Bytes(bytes) => match number::plain_integer(bytes) {
                    Some(number) => Key::Integer(number),
                    None => Key::Wide(self.hashers.texts.hash(bytes)),
                },
                Cell::Null => Key::Null,
                _ => Key::Outside,
            },
            Shape::Other => match self.canonical(batch, row, side, scratch) {
                Part::Value(()) => Key::Wide(self.hashers.keys.hash(scratch).as_u128()),
                Part::Null => Key::Null,
                Part::Unequal => Key::Outside,
            },
        }
    }

    /// Puts the canonical form of a key into `scratch`.
    pub(super) fn canonical(&self, batch: &Batch<'_>, row: usize, side: &Side<'_>, scratch: &mut Vec<u8>) -> Part<()> {
        scratch.clear();
        let mut outcome = Part::Value(());
        for part in 0..self.classes.len() {
            match self.comparand(part, batch, row, side).feed(scratch) {
                Part::Value(()) => {}
                Part::Unequal => outcome = Part::Unequal,
                // A key with NULL refers to nothing, whatever its other parts are.
                Part::Null => return Part::Null,
            }
        }
        outcome
    }

    /// Returns the canonical form of a key of the configuration; `None` if no row can have it.
    pub(super) fn canonical_of_values(&self, key: &[Value]) -> Option<Vec<u8>> {
        let mut form = Vec::new();
        for (value, class) in key.iter().zip(&self.classes) {
            let spelled = match value {
                Value::Integer(number) => number.to_string().into_bytes(),
                Value::Real(number) => number.to_string().into_bytes(),
                Value::Text(bytes) | Value::Blob(bytes) => bytes.clone(),
                Value::Null => return None,
            };
            let comparand = Comparand { cell: Cell::Bytes(&spelled), of: &FileType::Untyped, class: *class };
            if comparand.feed(&mut form) != Part::Value(()) {
                return None;
            }
        }
        Some(form)
    }

    /// Returns the values of a key as a missing key shows them.
    pub(super) fn shown<'b>(
        &'b self,
        batch: &'b Batch<'_>,
        row: usize,
        side: &'b Side<'b>,
    ) -> impl Iterator<Item = Value> + 'b {
        (0..self.classes.len()).map(move |part| self.comparand(part, batch, row, side).shown_key())
    }
}
