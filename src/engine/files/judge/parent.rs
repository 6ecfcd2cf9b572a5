//! Reads the keys of a parent.

use super::Fault;
use super::KeyRule;
use super::KeyShare;
use super::Lake;
use super::Limits;
use super::ParentPlan;
use super::RowSet;
use super::Shape;
use super::on_pieces;
use super::rows;
use super::types;
use crate::engine::RepeatedKeys;
use crate::engine::files::batch::Batch;
use crate::engine::files::key::Side;
use crate::engine::files::lake::located;
use crate::engine::keyset::Key;
use crate::engine::keyset::KeySet;

/// A share of a parent's keys.
pub(super) struct ParentKeys {
    pub(super) set: KeySet,
    pub(super) repeated: Repeated,
}

/// Keys of a parent that come more than once.
#[derive(Debug, Default, Clone)]
pub(super) struct Repeated {
    keys: u64,
    rows: u64,
    /// The file and the number of the first row with such a key.
    first: Option<(i64, String)>,
}

impl Repeated {
    pub(super) fn add(&mut self, share: &Repeated) {
        self.keys += share.keys;
        self.rows += share.rows;
        self.first = [self.first.take(), share.first.clone()].into_iter().flatten().min();
    }

    /// Returns the keys that come more than once, if there are any.
    pub(super) fn shown(&self) -> Option<RepeatedKeys> {
        let (address, file) = self.first.clone()?;
        Some(RepeatedKeys { keys: self.keys, rows: self.rows, first: Some((file, located(address).1)) })
    }
}

/// The keys of some rows, in the form of their shape.
enum Keys {
    Integers(Vec<i64>),
    Wide(Vec<u128>),
}

impl Keys {
    fn new(shape: Shape) -> Keys {
        if shape == Shape::Integer { Keys::Integers(Vec::new()) } else { Keys::Wide(Vec::new()) }
    }

    #[inline(always)]
    fn add(&mut self, key: Key) {
        match (self, key) {
            (Keys::Integers(keys), Key::Integer(number)) => keys.push(number),
            (Keys::Wide(keys), Key::Wide(wide)) => keys.push(wide),
            // No child can refer to such a key.
            _ => {}
        }
    }

    fn append(&mut self, other: Keys) {
        match (self, other) {
            (Keys::Integers(keys), Keys::Integers(mut more)) => {
                if keys.is_empty() {
                    *keys = more
                } else {
                    keys.append(&mut more)
                }
            }
            (Keys::Wide(keys), Keys::Wide(mut more)) => {
                if keys.is_empty() {
                    *keys = more
                } else {
                    keys.append(&mut more)
                }
            }
            // All keys of a parent have the same form.
            _ => {}
        }
    }

    /// True if the keys, which are sorted, contain this one.
    fn contains(&self, key: Key) -> bool {
        match (self, key) {
            (Keys::Integers(keys), Key::Integer(number)) => keys.binary_search(&number).is_ok(),
            (Keys::Wide(keys), Key::Wide(wide)) => keys.binary_search(&wide).is_ok(),
            _ => false,
        }
    }

    fn len(&self) -> u64 {
        match self {
            Keys::Integers(keys) => keys.len() as u64,
            Keys::Wide(keys) => keys.len() as u64,
        }
    }
}

pub(super) fn read(
    lake: &Lake,
    plan: &ParentPlan<'_>,
    share: KeyShare,
    limits: Limits<'_>,
) -> Result<ParentKeys, Fault> {
    let keys = gather(lake, plan, share, limits)?;
    let rows = keys.len();
    let set = match (keys, plan.rule.shape()) {
        (Keys::Integers(keys), _) => KeySet::from_integers(keys),
        (Keys::Wide(keys), Shape::TwoIntegers) => KeySet::from_pairs(keys),
        (Keys::Wide(keys), _) => KeySet::from_hashes(keys),
    };
    let repeated = if set.len() < rows { repeated(lake, plan, share, limits)? } else { Repeated::default() };
    Ok(ParentKeys { set, repeated })
}

/// Calls `each` with the key and the address of every parent of a piece that counts.
fn each_key(
    lake: &Lake,
    plan: &ParentPlan<'_>,
    piece: rows::Piece,
    share: KeyShare,
    limits: Limits<'_>,
    mut each: impl FnMut(Key, i64),
) -> Result<(), Fault> {
    let number = plan.inclusion.parent.index();
    let mut wanted = plan.inclusion.parent_columns.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let position = |column: &usize| wanted.binary_search(column).unwrap_or(0);
    let side = Side {
        columns: plan.inclusion.parent_columns.iter().map(position).collect(),
        types: types(lake, number, &plan.inclusion.parent_columns),
    };
    let (rule, deleted): (&KeyRule, &RowSet) = (&plan.rule, &plan.deleted);
    let mut scratch = Vec::new();
    rows::read(&lake.tables[number], piece, &wanted, limits, &mut |batch: &Batch<'_>| {
        for row in 0..batch.rows {
            let address = batch.addresses.of(row);
            if deleted.as_ref().is_some_and(|rows| rows.contains(address.cast_unsigned())) {
                continue;
            }
            let key = rule.key(batch, row, &side, &mut scratch);
            if share.has(key) {
                each(key, address);
            }
        }
        Ok(())
    })
}

fn gather(lake: &Lake, plan: &ParentPlan<'_>, share: KeyShare, limits: Limits<'_>) -> Result<Keys, Fault> {
    let pieces = on_pieces(&lake.tables[plan.inclusion.parent.index()], |piece| {
        let mut keys = Keys::new(plan.rule.shape());
        each_key(lake, plan, piece, share, limits, |key, _| keys.add(key))?;
        Ok(keys)
    })?;
    let mut all = Keys::new(plan.rule.shape());
    pieces.into_iter().for_each(|keys| all.append(keys));
    Ok(all)
}

/// Reads the parent again, and counts the keys that come more than once.
fn repeated(lake: &Lake, plan: &ParentPlan<'_>, share: KeyShare, limits: Limits<'_>) -> Result<Repeated, Fault> {
    let mut keys = gather(lake, plan, share, limits)?;
    let counts = match &mut keys {
        Keys::Integers(keys) => keep_repeated(keys),
        Keys::Wide(keys) => keep_repeated(keys),
    };
    let table = &lake.tables[plan.inclusion.parent.index()];
    let first = on_pieces(table, |piece| {
        let mut first: Option<i64> = None;
        each_key(lake, plan, piece, share, limits, |key, address| {
            if first.is_none() && keys.contains(key) {
                first = Some(address);
            }
        })?;
        Ok(first)
    })?;
    let first = first.into_iter().flatten().min();
    let first = first.map(|address| (address, table.files[located(address).0].name.clone()));
    Ok(Repeated { keys: keys.len(), rows: counts, first })
}

/// Sorts keys, and keeps one of each that comes more than once. Returns the number of rows with such keys.
fn keep_repeated<T: Ord + Copy>(keys: &mut Vec<T>) -> u64 {
    keys.sort_unstable();
    let (mut kept, mut rows, mut from) = (0, 0, 0);
    while from < keys.len() {
        let key = keys[from];
        let alike = keys[from..].partition_point(|other| *other <= key);
        if alike > 1 {
            keys[kept] = key;
            kept += 1;
            rows += alike as u64;
        }
        from += alike;
    }
    keys.truncate(kept);
    rows
}
