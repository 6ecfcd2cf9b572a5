//! Orphans in memory, whose keys are one integer or two: how they are sorted, and packed beside the orphan before.

use std::cmp::Ordering;
use std::io;
use std::ops::Range;

use super::run::RunReader;
use super::run::push_step;
use super::run::push_varint;
use crate::model::value::Value;

/// Some orphans: keys, each with the address of its row.
pub(super) trait OrphanRows: Default + Send {
    /// The orphan before the next one of a run.
    type Last: Default + Send;

    fn len(&self) -> usize;

    /// The memory of the orphans, in bytes.
    fn bytes(&self) -> usize;

    fn clear(&mut self);

    fn append(&mut self, other: &mut Self);

    /// Appends some orphans of others, which are sorted.
    fn extend(&mut self, others: &Self, range: Range<usize>);

    /// Removes the first of these orphans, which are sorted.
    fn remove_first(&mut self, count: usize);

    /// Sorts by key, then by address.
    fn sort(&mut self);

    /// Does the same with orphans that come from so many sorted sources, one source after the other.
    fn merge(&mut self, sources: usize);

    /// Appends all orphans, each as far as it differs from the one before.
    fn pack(&self, into: &mut Vec<u8>);

    /// Appends the next orphans of a run, until all together take so many bytes.
    fn unpack(&mut self, from: &mut RunReader<'_>, most: usize, last: &mut Self::Last) -> io::Result<()>;

    fn row(&self, at: usize) -> i64;

    /// Puts the values of a key into `into`.
    fn show(&self, at: usize, into: &mut Vec<Value>);

    fn is_same_key(&self, left: usize, right: usize) -> bool;

    /// Compares an orphan with another.
    fn order(&self, at: usize, others: &Self, other: usize) -> Ordering;
}

/// A key of a fixed size.
pub(super) trait FixedKey: Ord + Copy + Default + Send {
    fn pack(self, before: Self, into: &mut Vec<u8>);

    fn unpack(self, from: &mut RunReader<'_>) -> io::Result<Self>;

    fn show(self, into: &mut Vec<Value>);

    /// Sorts many orphans by their keys. Those of one key keep their order. `other` is memory for as many.
    fn sort_many(orphans: &mut Vec<(Self, i64)>, other: &mut Vec<(Self, i64)>);
}

impl FixedKey for i64 {
    #[inline]
    fn pack(self, before: i64, into: &mut Vec<u8>) {
        push_varint(self.wrapping_sub(before).cast_unsigned(), into);
    }

    #[inline]
    fn unpack(self, from: &mut RunReader<'_>) -> io::Result<i64> {
        Ok(self.wrapping_add(from.varint()?.cast_signed()))
    }

    #[inline]
    fn show(self, into: &mut Vec<Value>) {
        match into.as_mut_slice() {
            [Value::Integer(number)] => *number = self,
            _ => *into = vec![Value::Integer(self)],
        }
    }

    fn sort_many(orphans: &mut Vec<(i64, i64)>, other: &mut Vec<(i64, i64)>) {
        sort_by_digits(orphans, other, |(key, _)| *key);
    }
}

impl FixedKey for (i64, i64) {
    #[inline]
    fn pack(self, before: (i64, i64), into: &mut Vec<u8>) {
        self.0.pack(before.0, into);
        push_step(self.1.wrapping_sub(before.1), into);
    }

    #[inline]
    fn unpack(self, from: &mut RunReader<'_>) -> io::Result<(i64, i64)> {
        Ok((self.0.unpack(from)?, self.1.wrapping_add(from.step()?)))
    }

    #[inline]
    fn show(self, into: &mut Vec<Value>) {
        match into.as_mut_slice() {
            [Value::Integer(first), Value::Integer(second)] => (*first, *second) = self,
            _ => *into = vec![Value::Integer(self.0), Value::Integer(self.1)],
        }
    }

    fn sort_many(orphans: &mut Vec<((i64, i64), i64)>, other: &mut Vec<((i64, i64), i64)>) {
        sort_by_digits(orphans, other, |(key, _)| key.1);
        sort_by_digits(orphans, other, |(key, _)| key.0);
    }
}

/// Orphans whose keys have a fixed size.
#[derive(Default)]
pub(super) struct FixedRows<K> {
    rows: Vec<(K, i64)>,
    /// Memory for sorting.
    other: Vec<(K, i64)>,
}

impl<K: FixedKey> FixedRows<K> {
    #[inline]
    pub(super) fn add(&mut self, key: K, row: i64) {
        self.rows.push((key, row));
    }
}

impl<K: FixedKey> OrphanRows for FixedRows<K> {
    type Last = (K, i64);

    #[inline]
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn bytes(&self) -> usize {
        self.rows.len() * size_of::<(K, i64)>()
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn append(&mut self, other: &mut Self) {
        self.rows.append(&mut other.rows);
    }

    fn extend(&mut self, others: &Self, range: Range<usize>) {
        self.rows.extend_from_slice(&others.rows[range]);
    }

    fn remove_first(&mut self, count: usize) {
        self.rows.drain(..count);
    }

    fn sort(&mut self) {
        if self.rows.len() < DIGITS || self.rows.len() > u32::MAX as usize {
            return self.rows.sort_unstable();
        }
        if !self.rows.is_sorted_by_key(|(key, _)| *key) {
            K::sort_many(&mut self.rows, &mut self.other);
        }
        for orphans in self.rows.chunk_by_mut(|left, right| left.0 == right.0) {
            if orphans.len() > 1 && !orphans.is_sorted_by_key(|(_, row)| *row) {
                orphans.sort_unstable_by_key(|(_, row)| *row);
            }
        }
    }

    fn merge(&mut self, sources: usize) {
        // A stable sort finds what is sorted already.
        if sources <= FEW_SOURCES { self.rows.sort() } else { self.sort() }
    }

    fn pack(&self, into: &mut Vec<u8>) {
        into.reserve(self.rows.len() * 6);
        let mut before = (K::default(), 0);
        for &(key, row) in &self.rows {
            key.pack(before.0, into);
            push_step(row.wrapping_sub(before.1), into);
            before = (key, row);
        }
    }

    fn unpack(&mut self, from: &mut RunReader<'_>, most: usize, last: &mut (K, i64)) -> io::Result<()> {
        let (mut key, mut row) = *last;
        while self.bytes() < most && from.next_entry() {
            key = key.unpack(from)?;
            row = row.wrapping_add(from.step()?);
            self.rows.push((key, row));
        }
        *last = (key, row);
        Ok(())
    }

    #[inline]
    fn row(&self, at: usize) -> i64 {
        self.rows[at].1
    }

    #[inline]
    fn show(&self, at: usize, into: &mut Vec<Value>) {
        self.rows[at].0.show(into);
    }

    #[inline]
    fn is_same_key(&self, left: usize, right: usize) -> bool {
        self.rows[left].0 == self.rows[right].0
    }

    fn order(&self, at: usize, others: &Self, other: usize) -> Ordering {
        self.rows[at].cmp(&others.rows[other])
    }
}

/// The most sources that are merged in pairs.
const FEW_SOURCES: usize = 4;

/// The bits of a digit. With fewer there are more rounds; with more, the positions to write to leave the processor's nearest
/// cache.
const DIGIT_BITS: u32 = 10;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts by a number, one digit after the other from the lowest on. Orphans with equal numbers keep their order.
fn sort_by_digits<K: FixedKey>(
    orphans: &mut Vec<(K, i64)>,
    other: &mut Vec<(K, i64)>,
    number: impl Fn(&(K, i64)) -> i64,
) {
    let bits = |orphan: &(K, i64)| number(orphan).cast_unsigned() ^ 1 << 63;
    let first = orphans.first().map_or(0, bits);
    let varying = orphans.iter().fold(0, |varying, orphan| varying | (bits(orphan) ^ first));
    other.resize(orphans.len(), (K::default(), 0));
    let mut shift = varying.trailing_zeros();
    while shift < u64::BITS && varying >> shift != 0 {
        let digit = |orphan: &(K, i64)| (bits(orphan) >> shift) as usize % DIGITS;
        let mut next = [0_u32; DIGITS];
        for orphan in orphans.iter() {
            next[digit(orphan)] += 1;
        }
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        for orphan in orphans.iter() {
            let position = &mut next[digit(orphan)];
            other[*position as usize] = *orphan;
            *position += 1;
        }
        std::mem::swap(orphans, other);
        shift += DIGIT_BITS;
    }
}
