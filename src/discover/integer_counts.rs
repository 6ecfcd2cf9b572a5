//! Counts how often each integer occurs: in an array where the integers are dense, else in a hash table.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::ops::ControlFlow;

/// Spreads keys whose bits are not evenly distributed. The keys are no secrets: they come without an order, and a hash
/// table of them is never larger than its number of keys asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpreadHasher(u64);

impl Hasher for SpreadHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number ^ (number >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.0 = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ (mixed >> 29);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn write_u128(&mut self, number: u128) {
        // Keyed hashes are evenly distributed already.
        self.0 ^= (number >> 64) as u64 ^ (number as u64);
    }
}

pub type SpreadMap<K, V> = HashMap<K, V, BuildHasherDefault<SpreadHasher>>;

/// An array may have so many elements for each distinct integer.
const SPARSEST: u64 = 24;

/// The hash table is examined for dense keys when it has so many.
const FIRST_EXAMINATION: usize = 64;

#[derive(Debug, Clone, Default)]
pub struct IntegerCounts {
    dense: Dense,
    sparse: SpreadMap<i64, u64>,
    next_examination: usize,
    bounds: Option<(i64, i64)>,
}

/// Counts of the integers from `first` on. A count of more than a byte continues in `carry`.
#[derive(Debug, Clone, Default)]
struct Dense {
    first: i64,
    low: Vec<u8>,
    carry: SpreadMap<i64, u64>,
    distinct: u64,
}

impl IntegerCounts {
    pub fn distinct(&self) -> u64 {
        self.dense.distinct + self.sparse.len() as u64
    }

    /// Returns the least and the greatest integer.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        self.bounds
    }

    /// Returns the memory for so many distinct integers of a range, in bytes, at most.
    pub fn most_bytes(distinct: u64, range: u64) -> u64 {
        // An array grows by a half. A hash table is at least half full.
        range.saturating_add(range / 2).min(distinct.saturating_mul(40))
    }

    /// Returns the memory in bytes.
    pub fn bytes(&self) -> u64 {
        (self.dense.low.capacity() + (self.sparse.capacity() + self.dense.carry.capacity()) * 20) as u64
    }

    #[inline]
    pub fn add(&mut self, number: i64) {
        match self.dense.index(number) {
            Some(index) => self.dense.increment(index),
            None => self.add_outside(number, 1),
        }
    }

    /// Updates the bounds after [`IntegerCounts::add`]. It is apart, so that a batch does it once.
    pub fn widen(&mut self, least: i64, greatest: i64) {
        let bounds = self.bounds.get_or_insert((least, greatest));
        *bounds = (bounds.0.min(least), bounds.1.max(greatest));
    }

    #[cold]
    fn add_outside(&mut self, number: i64, rows: u64) {
        if let Some(count) = self.sparse.get_mut(&number) {
            *count += rows;
            return;
        }
        if self.dense.distinct > 0 && self.dense.extend(number) {
            self.move_covered();
            if let Some(index) = self.dense.index(number) {
                self.dense.add_many(index, rows);
            }
            return;
        }
        self.sparse.insert(number, rows);
        if self.sparse.len() >= self.next_examination.max(FIRST_EXAMINATION) {
            self.examine();
        }
    }

    /// Moves the integers that the array covers from the hash table to the array.
    fn move_covered(&mut self) {
        let IntegerCounts { dense, sparse, .. } = self;
        sparse.retain(|&number, rows| match dense.index(number) {
            Some(index) => {
                dense.add_many(index, *rows);
                false
            }
            None => true,
        });
    }

    /// Moves the integers of the hash table to the array, if they are dense.
    fn examine(&mut self) {
        self.next_examination = self.sparse.len() * 2;
        let bounds = self.sparse.keys().fold(None, |bounds: Option<(i64, i64)>, &number| {
            Some(bounds.map_or((number, number), |(least, most)| (least.min(number), most.max(number))))
        });
        let Some((mut least, mut most)) = bounds else { return };
        if self.dense.distinct > 0 {
            least = least.min(self.dense.first);
            most = most.max(self.dense.last());
        }
        let span = most.abs_diff(least);
        if span / SPARSEST > self.distinct() || most == i64::MAX {
            return;
        }
        self.dense.cover(least, most);
        for (number, rows) in std::mem::take(&mut self.sparse) {
            if let Some(index) = self.dense.index(number) {
                self.dense.add_many(index, rows);
            }
        }
        self.next_examination = 0;
    }

    /// Returns the rows with this integer.
    #[inline]
    pub fn count(&self, number: i64) -> u64 {
        match self.dense.index(number) {
            Some(index) => self.dense.count(index),
            None if self.sparse.is_empty() => 0,
            None => self.sparse.get(&number).copied().unwrap_or(0),
        }
    }

    #[inline]
    pub fn has(&self, number: i64) -> bool {
        match self.dense.index(number) {
            Some(index) => self.dense.low[index] != 0,
            None => !self.sparse.is_empty() && self.sparse.contains_key(&number),
        }
    }

    /// Calls `visit` with every integer and its rows, until it breaks.
    pub fn each(&self, mut visit: impl FnMut(i64, u64) -> ControlFlow<()>) -> ControlFlow<()> {
        for (&number, &rows) in &self.sparse {
            visit(number, rows)?;
        }
        for (index, &low) in self.dense.low.iter().enumerate() {
            if low != 0 {
                visit(self.dense.first.wrapping_add(index as i64), self.dense.count(index))?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Dense {
    #[inline]
    fn index(&self, number: i64) -> Option<usize> {
        let index = number.wrapping_sub(self.first).cast_unsigned();
        (number >= self.first && index < self.low.len() as u64).then_some(index as usize)
    }

    fn last(&self) -> i64 {
        self.first.saturating_add(self.low.len() as i64 - 1)
    }

    #[inline]
    fn increment(&mut self, index: usize) {
        let low = &mut self.low[index];
        match *low {
            0 => {
                *low = 1;
                self.distinct += 1;
            }
            // The low byte of a count never becomes zero again, because zero means that there is no row.
            u8::MAX => {
                *low = 1;
                *self.carry.entry(index as i64).or_default() += u64::from(u8::MAX);
            }
            _ => *low += 1,
        }
    }

    fn add_many(&mut self, index: usize, rows: u64) {
        if rows == 0 {
            return;
        }
        let all = self.count(index) + rows;
        self.distinct += u64::from(self.low[index] == 0);
        let low = (all - 1) % u64::from(u8::MAX) + 1;
        self.low[index] = low as u8;
        if all > low {
            self.carry.insert(index as i64, all - low);
        }
    }

    #[inline]
    fn count(&self, index: usize) -> u64 {
        let low = u64::from(self.low[index]);
        if self.carry.is_empty() { low } else { low + self.carry.get(&(index as i64)).copied().unwrap_or(0) }
    }

    /// Extends the array to a number outside of it. Returns false if the array would become too sparse.
    fn extend(&mut self, number: i64) -> bool {
        let (least, most) = (self.first.min(number), self.last().max(number));
        let span = most.abs_diff(least);
        if span / SPARSEST > self.distinct || most == i64::MAX {
            return false;
        }
        // Growing by a half in one direction keeps the number of copies small.
        let half = (span / 2).min(i64::MAX.cast_unsigned() / 4).cast_signed();
        if number < self.first {
            self.cover(least.saturating_sub(half), most);
        } else {
            self.cover(least, most.saturating_add(half).min(i64::MAX - 1));
        }
        true
    }

    /// Makes the array cover a range that contains its own.
    fn cover(&mut self, least: i64, most: i64) {
        let length = most.abs_diff(least) as usize + 1;
        if self.distinct == 0 {
            self.first = least;
            self.low = vec![0; length];
            return;
        }
        let ahead = self.first.abs_diff(least) as usize;
        if ahead == 0 {
            self.low.resize(length.max(self.low.len()), 0);
            return;
        }
        let mut low = vec![0; length.max(ahead + self.low.len())];
        low[ahead..ahead + self.low.len()].copy_from_slice(&self.low);
        self.low = low;
        self.first = least;
        self.carry = self.carry.drain().map(|(index, rows)| (index + ahead as i64, rows)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn check(numbers: impl Iterator<Item = i64>) {
        let (mut counts, mut model) = (IntegerCounts::default(), BTreeMap::new());
        for number in numbers {
            counts.add(number);
            counts.widen(number, number);
            *model.entry(number).or_insert(0) += 1;
        }
        let mut found = BTreeMap::new();
        let _ = counts.each(|number, rows| {
            assert_eq!(found.insert(number, rows), None);
            ControlFlow::Continue(())
        });
        assert_eq!(found, model);
        assert_eq!(counts.distinct(), model.len() as u64);
        assert_eq!(counts.bounds(), model.keys().next().copied().zip(model.keys().next_back().copied()));
        for (&number, &rows) in &model {
            for probe in [number.wrapping_sub(1), number, number.wrapping_add(1)] {
                assert_eq!(counts.count(probe), model.get(&probe).copied().unwrap_or(0));
                assert_eq!(counts.has(probe), model.contains_key(&probe));
            }
            assert!(rows > 0);
        }
    }

    #[test]
    fn counts_are_exact_for_every_distribution() {
        let mut rng = fastrand::Rng::with_seed(3);
        check([i64::MIN, i64::MAX, 0, 0].into_iter());
        check((0..70_000).map(|i| i % 70));
        check((0..5_000).rev());
        check((0..5_000).map(|i| -i * 3));
        check((0..2_000).map(|_| rng.i64(..)));
        check((0..20_000).map(|_| rng.i64(-500..500) * rng.i64(1..40)));
        check((0..3_000).map(|i| i64::MAX - i % 300));
        check((0..3_000).map(|i| i64::MIN + i % 300));
        check((0..4_000).map(|i| if i % 2 == 0 { i } else { i << 40 }));
    }

    #[test]
    fn dense_integers_take_little_memory() {
        let mut counts = IntegerCounts::default();
        (0..100_000).for_each(|number| counts.add(number));
        assert!(counts.bytes() < 300_000, "{}", counts.bytes());
    }
}
