//! The keys of a parent, so that many lookups are cheap: one bit a key where integers are dense, otherwise the keys
//! themselves, spread evenly, sorted, and found through their first bits. Exact in every case.

use rayon::slice::ParallelSliceMut;

use super::key::Key;

/// A share of all keys, so that a set that is too large for memory can be worked through in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Integers from one number to another.
    Between(i64, i64),
    /// One of several equal parts, by the key's spread bits.
    Part { number: u32, of: u32 },
}

impl Share {
    pub const ALL: Share = Share::Part { number: 0, of: 1 };

    #[inline(always)]
    pub fn has(self, key: Key) -> bool {
        match (self, key) {
            (Share::Part { of: 1, .. }, _) => true,
            (Share::Between(from, to), Key::Integer(number)) => (from..=to).contains(&number),
            (Share::Between(..), _) => false,
            (Share::Part { number, of }, Key::Integer(key)) => part(spread(key), of) == number,
            (Share::Part { number, of }, Key::Wide(key)) => part((mixed(key) >> 64) as u64, of) == number,
            // What no set holds is met in the first turn.
            (Share::Part { number, .. }, Key::Null | Key::Outside) => number == 0,
        }
    }

    pub fn is_first(self) -> bool {
        match self {
            Share::Between(from, _) => from == i64::MIN,
            Share::Part { number, .. } => number == 0,
        }
    }
}

fn part(spread: u64, of: u32) -> u32 {
    ((u128::from(spread) * u128::from(of)) >> 64) as u32
}

pub enum KeySet {
    Dense(Bits),
    Integers(Compact<u64>),
    Pairs { first: (i64, i64), width: u64, bits: Bits },
    Wide(Compact<u128>),
}

impl KeySet {
    #[inline(always)]
    pub fn has(&self, key: Key) -> bool {
        match (self, key) {
            (KeySet::Dense(bits), Key::Integer(number)) => bits.has(number),
            (KeySet::Integers(set), Key::Integer(number)) => set.has(spread(number)),
            (KeySet::Pairs { first, width, bits }, Key::Wide(pair)) => {
                let (one, two) = parts(pair);
                let across = two.wrapping_sub(first.1).cast_unsigned();
                let down = one.wrapping_sub(first.0).cast_unsigned();
                across < *width
                    && down.checked_mul(*width).is_some_and(|at| at.checked_add(across).is_some_and(|at| bits.bit(at)))
            }
            (KeySet::Wide(set), Key::Wide(key)) => set.has(mixed(key)),
            _ => false,
        }
    }

    pub fn of_integers(keys: Vec<i64>) -> KeySet {
        let range = keys.iter().min().zip(keys.iter().max());
        if let Some((&first, &last)) = range
            && last.wrapping_sub(first).cast_unsigned() / 64 < keys.len() as u64
        {
            let mut bits = Bits::between(first, last);
            keys.iter().for_each(|&key| bits.set(key));
            return KeySet::Dense(bits);
        }
        KeySet::Integers(Compact::new(keys.into_iter().map(spread).collect()))
    }

    pub fn of_pairs(keys: Vec<u128>) -> KeySet {
        let mut ranges: Option<((i64, i64), (i64, i64))> = None;
        for &key in &keys {
            let (one, two) = parts(key);
            let (down, across) = ranges.get_or_insert(((one, one), (two, two)));
            *down = (down.0.min(one), down.1.max(one));
            *across = (across.0.min(two), across.1.max(two));
        }
        if let Some((down, across)) = ranges {
            let height = u128::from(down.1.wrapping_sub(down.0).cast_unsigned()) + 1;
            let width = u128::from(across.1.wrapping_sub(across.0).cast_unsigned()) + 1;
            // A bit for each place takes no more than the keys themselves would.
            if height.saturating_mul(width) <= 128 * keys.len() as u128 {
                let (width, places) = (width as u64, (height * width) as u64);
                let mut bits = Bits::of(places);
                for key in keys {
                    let (one, two) = parts(key);
                    bits.set_bit((one - down.0).cast_unsigned() * width + (two - across.0).cast_unsigned());
                }
                return KeySet::Pairs { first: (down.0, across.0), width, bits };
            }
        }
        KeySet::of_wide(keys)
    }

    pub fn of_wide(mut keys: Vec<u128>) -> KeySet {
        keys.iter_mut().for_each(|key| *key = mixed(*key));
        KeySet::Wide(Compact::new(keys))
    }
}

fn parts(pair: u128) -> (i64, i64) {
    (((pair >> 64) as u64).cast_signed(), (pair as u64).cast_signed())
}

/// Spreads integers evenly over all 64 bits, no two to the same place.
#[inline]
fn spread(number: i64) -> u64 {
    let mut bits = number.cast_unsigned();
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ (bits >> 32)
}

/// Spreads 128 bits evenly, no two to the same place: each half takes its turn in changing the other.
#[inline]
pub fn mixed(key: u128) -> u128 {
    let (mut one, mut two) = ((key >> 64) as u64, key as u64);
    one ^= spread(two.cast_signed());
    two ^= spread(one.wrapping_add(0x9e37_79b9_7f4a_7c15).cast_signed());
    one ^= spread(two.wrapping_add(0x7f4a_7c15_9e37_79b9).cast_signed());
    u128::from(one) << 64 | u128::from(two)
}

/// One bit for each integer of a range.
pub struct Bits {
    first: i64,
    count: u64,
    words: Vec<u64>,
}

impl Bits {
    pub fn between(first: i64, last: i64) -> Bits {
        let places = last.wrapping_sub(first).cast_unsigned().saturating_add(1);
        Bits { first, ..Bits::of(places) }
    }

    fn of(places: u64) -> Bits {
        Bits { first: 0, count: places, words: vec![0; (places / 64 + 1) as usize] }
    }

    pub fn set(&mut self, number: i64) {
        self.set_bit(number.wrapping_sub(self.first).cast_unsigned());
    }

    fn set_bit(&mut self, at: u64) {
        self.words[(at / 64) as usize] |= 1 << (at % 64);
    }

    #[inline(always)]
    fn has(&self, number: i64) -> bool {
        self.bit(number.wrapping_sub(self.first).cast_unsigned())
    }

    #[inline(always)]
    fn bit(&self, at: u64) -> bool {
        at < self.count && self.words[(at / 64) as usize] & 1 << (at % 64) != 0
    }

    /// Takes over what is set in a part of the same range.
    pub fn add(&mut self, part: &Bits) {
        let ahead = part.first.wrapping_sub(self.first).cast_unsigned();
        let (word, shift) = ((ahead / 64) as usize, ahead % 64);
        for (i, &bits) in part.words.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            self.words[word + i] |= bits << shift;
            if shift > 0 && bits >> (64 - shift) != 0 {
                self.words[word + i + 1] |= bits >> (64 - shift);
            }
        }
    }
}

/// A number whose bits are spread evenly.
pub trait Spread: Copy + Ord + Send {
    fn first_bits(self, count: u32) -> usize;
}

impl Spread for u64 {
    #[inline]
    fn first_bits(self, count: u32) -> usize {
        if count == 0 { 0 } else { (self >> (64 - count)) as usize }
    }
}

impl Spread for u128 {
    #[inline]
    fn first_bits(self, count: u32) -> usize {
        ((self >> 64) as u64).first_bits(count)
    }
}

/// Sorted keys, and where those with the same first bits begin.
pub struct Compact<T> {
    keys: Vec<T>,
    begins: Vec<u32>,
    bits: u32,
}

impl<T: Spread> Compact<T> {
    fn new(mut keys: Vec<T>) -> Compact<T> {
        keys.par_sort_unstable();
        // One or two keys share their first bits. More keys than 32 bits count are made into several shares before.
        let bits = keys.len().max(1).ilog2();
        let mut begins = vec![0u32; (1 << bits) + 1];
        for key in &keys {
            begins[key.first_bits(bits) + 1] += 1;
        }
        let mut sum = 0;
        for begin in &mut begins {
            sum += *begin;
            *begin = sum;
        }
        Compact { keys, begins, bits }
    }

    #[inline]
    fn has(&self, key: T) -> bool {
        let place = key.first_bits(self.bits);
        let (from, to) = (self.begins[place] as usize, self.begins[place + 1] as usize);
        let near = &self.keys[from..to];
        if near.len() > 8 { near.binary_search(&key).is_ok() } else { near.contains(&key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(one: i64, two: i64) -> u128 {
        u128::from(one.cast_unsigned()) << 64 | u128::from(two.cast_unsigned())
    }

    #[test]
    fn dense_sparse_and_extreme_integers_are_found_and_no_others() {
        for keys in [
            vec![],
            vec![i64::MIN, i64::MAX],
            vec![-3, -2, 0, 1, 64, 65, 127, 128],
            (0..1_000).map(|i| i * 7_919_003).collect(),
            vec![i64::MAX - 1, i64::MAX],
        ] {
            let set = KeySet::of_integers(keys.clone());
            for probe in keys.iter().flat_map(|key| [key.wrapping_sub(1), *key, key.wrapping_add(1)]).chain([0, 5]) {
                assert_eq!(set.has(Key::Integer(probe)), keys.contains(&probe), "{probe}");
            }
            assert!(!set.has(Key::Null) && !set.has(Key::Outside));
        }
    }

    #[test]
    fn pairs_are_found_packed_and_not() {
        let dense: Vec<u128> = (0..50).flat_map(|a| (-5..5).map(move |b| pair(a, b))).collect();
        let sparse: Vec<u128> = (0..50).map(|a| pair(a * 1_000_000_007, -a)).collect();
        assert!(matches!(KeySet::of_pairs(dense.clone()), KeySet::Pairs { .. }));
        assert!(matches!(KeySet::of_pairs(sparse.clone()), KeySet::Wide(_)));
        for keys in [dense, sparse, vec![pair(i64::MIN, i64::MAX)], vec![]] {
            let set = KeySet::of_pairs(keys.clone());
            assert!(keys.iter().all(|&key| set.has(Key::Wide(key))));
            for other in [pair(-1, 0), pair(0, 5), pair(0, -6), pair(50, 0), pair(i64::MAX, i64::MIN)] {
                assert_eq!(set.has(Key::Wide(other)), keys.contains(&other), "{other}");
            }
        }
    }

    #[test]
    fn parts_of_a_bitmap_join() {
        let mut whole = Bits::between(-100, 1_000);
        let mut part = Bits::between(37, 300);
        [37, 100, 300].into_iter().for_each(|number| part.set(number));
        whole.add(&part);
        assert!((-100..=1_000).all(|number| whole.has(number) == [37, 100, 300].contains(&number)));
    }

    #[test]
    fn every_key_is_in_exactly_one_share() {
        for number in [i64::MIN, -1, 0, 1, 12_345, i64::MAX] {
            let keys = [Key::Integer(number), Key::Wide(number.cast_unsigned().into()), Key::Outside, Key::Null];
            for key in keys {
                let shares = (0..7).filter(|&part| Share::Part { number: part, of: 7 }.has(key)).count();
                assert_eq!(shares, 1, "{key:?}");
            }
        }
    }
}
