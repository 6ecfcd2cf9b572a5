//! The keys of a parent, so that many lookups are cheap: one bit a key where integers are dense, otherwise the keys
//! themselves, spread evenly over slots, and found through their first bits. Exact in every case.

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
    Integers(Sown<u64>),
    Pairs { first: (i64, i64), width: u64, bits: Bits },
    SparsePairs(Sown<u128>),
    Hashed(Sown<u128>),
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
            (KeySet::SparsePairs(set), Key::Wide(pair)) => set.has(mixed(pair)),
            (KeySet::Hashed(set), Key::Wide(hash)) => set.has(hash),
            _ => false,
        }
    }

    /// Names those of many keys that are not there.
    pub fn each_missing<A: Copy>(&self, keys: &[(Key, A)], mut missing: impl FnMut(A)) {
        match self {
            KeySet::Integers(set) => set.each_missing(keys, missing, |key| match key {
                Key::Integer(number) => Some(spread(number)),
                _ => None,
            }),
            KeySet::SparsePairs(set) => set.each_missing(keys, missing, |key| match key {
                Key::Wide(pair) => Some(mixed(pair)),
                _ => None,
            }),
            KeySet::Hashed(set) => set.each_missing(keys, missing, |key| match key {
                Key::Wide(hash) => Some(hash),
                _ => None,
            }),
            _ => keys.iter().filter(|(key, _)| !self.has(*key)).for_each(|&(_, what)| missing(what)),
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
        KeySet::Integers(Sown::new(keys.into_iter().map(spread).collect()))
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
        KeySet::SparsePairs(Sown::new(keys.into_iter().map(mixed).collect()))
    }

    /// Of keyed hashes, which are spread evenly as they are.
    pub fn of_hashes(hashes: Vec<u128>) -> KeySet {
        KeySet::Hashed(Sown::new(hashes))
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
    fn first_bits(self) -> u64;
}

impl Spread for u64 {
    #[inline(always)]
    fn first_bits(self) -> u64 {
        self
    }
}

impl Spread for u128 {
    #[inline(always)]
    fn first_bits(self) -> u64 {
        (self >> 64) as u64
    }
}

/// Sorted keys with gaps, each at the place that its first bits say or soon after; a gap repeats the key after it. One
/// look at memory finds most keys.
pub struct Sown<T> {
    slots: Vec<T>,
    /// Slots that first bits lead to; those that found no room follow.
    room: usize,
}

/// More slots than this are not looked at one by one: somebody chose keys that lie together.
const FEW: usize = 16;

impl<T: Spread> Sown<T> {
    fn new(mut keys: Vec<T>) -> Sown<T> {
        keys.par_sort_unstable();
        keys.dedup();
        let room = keys.len() + keys.len() / 2;
        let mut slots = Vec::with_capacity(room);
        for &key in &keys {
            let place = place(key, room);
            while slots.len() <= place {
                slots.push(key);
            }
            if slots.last() != Some(&key) {
                slots.push(key);
            }
        }
        if let Some(&last) = slots.last() {
            slots.resize(slots.len().max(room), last);
        }
        Sown { slots, room }
    }

    #[inline(always)]
    fn has(&self, key: T) -> bool {
        let slots = self.slots.get(place(key, self.room)..).unwrap_or_default();
        match slots.iter().take(FEW).find(|&&slot| slot >= key) {
            Some(&slot) => slot == key,
            None => slots.get(FEW..).is_some_and(|far| far.binary_search(&key).is_ok()),
        }
    }

    /// Names those of many keys that are not there; `spread` makes a key what the slots hold.
    #[inline(always)]
    fn each_missing<A: Copy>(&self, keys: &[(Key, A)], mut missing: impl FnMut(A), spread: impl Fn(Key) -> Option<T>) {
        // All slots are touched before the first is compared, so that the processor waits for many at once.
        let touch = |key| self.slots.get(place(key, self.room)).map_or(0, |slot| slot.first_bits());
        let touched = keys.iter().filter_map(|&(key, _)| spread(key)).fold(0, |all, key| all ^ touch(key));
        std::hint::black_box(touched);
        for &(key, what) in keys {
            if !spread(key).is_some_and(|key| self.has(key)) {
                missing(what);
            }
        }
    }
}

#[inline(always)]
fn place<T: Spread>(key: T, room: usize) -> usize {
    ((u128::from(key.first_bits()) * room as u128) >> 64) as usize
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
        assert!(matches!(KeySet::of_pairs(sparse.clone()), KeySet::SparsePairs(_)));
        for keys in [dense, sparse, vec![pair(i64::MIN, i64::MAX)], vec![]] {
            let set = KeySet::of_pairs(keys.clone());
            assert!(keys.iter().all(|&key| set.has(Key::Wide(key))));
            let others = [pair(-1, 0), pair(0, 5), pair(0, -6), pair(50, 0), pair(i64::MAX, i64::MIN)];
            for other in others {
                assert_eq!(set.has(Key::Wide(other)), keys.contains(&other), "{other}");
            }
            let probes: Vec<(Key, u128)> = keys.iter().chain(&others).map(|&key| (Key::Wide(key), key)).collect();
            let mut missing = Vec::new();
            set.each_missing(&probes, |key| missing.push(key));
            assert!(missing.iter().copied().eq(others.into_iter().filter(|other| !keys.contains(other))));
        }
    }

    #[test]
    fn keys_that_lie_together_are_found_too() {
        let keys: Vec<u128> = (0..500).map(|i| i * 2 + if i < 400 { 0 } else { 1 << 100 }).chain([u128::MAX]).collect();
        let set = KeySet::of_hashes(keys.clone());
        let probes = (0..1_002).flat_map(|i| [i, i + (1 << 100)]).chain([u128::MAX - 1, u128::MAX]);
        let probes: Vec<(Key, u128)> = probes.map(|key| (Key::Wide(key), key)).collect();
        let mut missing = Vec::new();
        set.each_missing(&probes, |key| missing.push(key));
        let absent: Vec<u128> = probes.iter().map(|(_, key)| *key).filter(|key| !keys.contains(key)).collect();
        assert_eq!(missing, absent);
        assert!(probes.iter().all(|&(probe, key)| set.has(probe) == keys.contains(&key)));
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
