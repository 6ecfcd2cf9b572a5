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
use crate::engine::files::batch::Batch;
use crate::engine::files::key::Side;
use crate::engine::files::lake::located;
use crate::engine::keyset::Key;
use crate::engine::keyset::KeySet;
use crate::model::examination::RepeatedKeys;

/// A share of a parent's keys.
pub(super) struct ParentKeys {
    pub(super) integers: KeySet,
    pub(super) others: KeySet,
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

/// The keys of some rows.
#[derive(Default)]
struct Keys {
    integers: Vec<i64>,
    wide: Vec<u128>,
}

impl Keys {
    #[inline(always)]
    fn add(&mut self, key: Key) {
        match key {
            Key::Integer(number) => self.integers.push(number),
            Key::Wide(wide) => self.wide.push(wide),
            // No child can refer to such a key.
            Key::Null | Key::Outside => {}
        }
    }

    /// True if the keys, which are sorted, contain this one.
    fn contains(&self, key: Key) -> bool {
        match key {
            Key::Integer(number) => self.integers.binary_search(&number).is_ok(),
            Key::Wide(wide) => self.wide.binary_search(&wide).is_ok(),
            Key::Null | Key::Outside => false,
        }
    }

    fn len(&self) -> u64 {
        (self.integers.len() + self.wide.len()) as u64
    }
}

/// Moves all elements into one list. The first list that has some is not copied.
fn joined<T>(lists: impl Iterator<Item = Vec<T>>) -> Vec<T> {
    let mut lists = lists.filter(|list| !list.is_empty());
    let mut all = lists.next().unwrap_or_default();
    lists.for_each(|mut list| all.append(&mut list));
    all
}

pub(super) fn read(
    lake: &Lake,
    plan: &ParentPlan<'_>,
    share: KeyShare,
    limits: Limits<'_>,
) -> Result<ParentKeys, Fault> {
    let keys = gather(lake, plan, share, limits)?;
    let rows = keys.len();
    let integers = KeySet::from_integers(keys.integers);
    let others = match plan.rule.shape() {
        Shape::TwoIntegers => KeySet::from_pairs(keys.wide),
        Shape::Integer | Shape::Bytes | Shape::Other => KeySet::from_hashes(keys.wide),
    };
    let is_unique = integers.len() + others.len() == rows;
    let repeated = if is_unique { Repeated::default() } else { repeated(lake, plan, share, limits)? };
    Ok(ParentKeys { integers, others, repeated })
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
        let mut keys = Keys::default();
        each_key(lake, plan, piece, share, limits, |key, _| keys.add(key))?;
        Ok(keys)
    })?;
    let (integers, wide): (Vec<Vec<i64>>, Vec<Vec<u128>>) =
        pieces.into_iter().map(|keys| (keys.integers, keys.wide)).unzip();
    Ok(Keys { integers: joined(integers.into_iter()), wide: joined(wide.into_iter()) })
}

/// Reads the parent again, and counts the keys that come more than once.
fn repeated(lake: &Lake, plan: &ParentPlan<'_>, share: KeyShare, limits: Limits<'_>) -> Result<Repeated, Fault> {
    let mut keys = gather(lake, plan, share, limits)?;
    let rows = keep_repeated(&mut keys.integers) + keep_repeated(&mut keys.wide);
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
    Ok(Repeated { keys: keys.len(), rows, first })
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
