//! The distinct keys of a column in a form, each with its number of rows.

use std::ops::ControlFlow;

use super::integer_counts::IntegerCounts;
use super::integer_counts::SpreadMap;
use super::value_key::ValueKey;

/// The memory of a key in bytes, with the gaps of its hash table.
pub const BYTES_OF_KEY: u64 = 48;

#[derive(Debug, Clone, Default)]
pub struct KeyCounts {
    integers: IntegerCounts,
    hashes: SpreadMap<u128, u32>,
    /// Rows of hashes that occur too often for their count.
    surplus: SpreadMap<u128, u64>,
    rows: u64,
}

/// The keys of a few thousand rows.
#[derive(Debug, Clone, Default)]
pub struct KeyBatch {
    /// An integer stands here once for each of its rows.
    pub integers: Vec<i64>,
    pub hashes: Vec<(u128, u32)>,
}

impl KeyBatch {
    #[inline]
    pub fn push(&mut self, key: ValueKey, rows: u32) {
        match key {
            ValueKey::Integer(number) => self.integers.extend(std::iter::repeat_n(number, rows as usize)),
            ValueKey::Hash(hash) => self.hashes.push((hash, rows)),
        }
    }

    /// Takes the key back that was pushed last.
    pub fn pop(&mut self, key: ValueKey, rows: u32) {
        match key {
            ValueKey::Integer(_) => self.integers.truncate(self.integers.len() - rows as usize),
            ValueKey::Hash(_) => _ = self.hashes.pop(),
        }
    }

    pub fn clear(&mut self) {
        self.integers.clear();
        self.hashes.clear();
    }
}

impl KeyCounts {
    pub fn distinct(&self) -> u64 {
        self.integers.distinct() + self.hashes.len() as u64
    }

    /// The rows that were counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// True if two rows have the same key.
    pub fn has_repetition(&self) -> bool {
        self.rows > self.distinct()
    }

    pub fn bytes(&self) -> u64 {
        self.integers.bytes() + (self.hashes.capacity() as u64 * 8 / 7) * 33
    }

    pub fn integers(&self) -> &IntegerCounts {
        &self.integers
    }

    /// The number of distinct keys that are no integers.
    pub fn distinct_hashes(&self) -> u64 {
        self.hashes.len() as u64
    }

    pub fn add(&mut self, batch: &KeyBatch) {
        self.add_integers(&batch.integers);
        self.add_hashes(&batch.hashes);
    }

    fn add_integers(&mut self, numbers: &[i64]) {
        let Some(&first) = numbers.first() else { return };
        let (mut least, mut greatest) = (first, first);
        for &number in numbers {
            least = least.min(number);
            greatest = greatest.max(number);
            self.integers.add(number);
        }
        self.integers.widen(least, greatest);
        self.rows += numbers.len() as u64;
    }

    fn add_hashes(&mut self, hashes: &[(u128, u32)]) {
        for &(hash, rows) in hashes {
            let count = self.hashes.entry(hash).or_default();
            match count.checked_add(rows) {
                Some(more) => *count = more,
                None => *self.surplus.entry(hash).or_default() += u64::from(rows),
            }
            self.rows += u64::from(rows);
        }
    }

    #[inline]
    pub fn has(&self, key: ValueKey) -> bool {
        match key {
            ValueKey::Integer(number) => self.integers.has(number),
            ValueKey::Hash(hash) => self.hashes.contains_key(&hash),
        }
    }

    /// Calls `visit` with every key and its rows, until it breaks.
    pub fn each(&self, mut visit: impl FnMut(ValueKey, u64) -> ControlFlow<()>) -> ControlFlow<()> {
        for (&hash, &rows) in &self.hashes {
            let surplus = if self.surplus.is_empty() { 0 } else { self.surplus.get(&hash).copied().unwrap_or(0) };
            visit(ValueKey::Hash(hash), u64::from(rows) + surplus)?;
        }
        self.integers.each(|number, rows| visit(ValueKey::Integer(number), rows))
    }

    /// Calls `visit` with every key that a parent lacks and its rows, until it breaks.
    pub fn each_missing(
        &self,
        parent: &KeyCounts,
        mut visit: impl FnMut(ValueKey, u64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.each(|key, rows| if parent.has(key) { ControlFlow::Continue(()) } else { visit(key, rows) })
    }
}
