//! The set of a parent's keys, built for many lookups. Dense integers take one bit each. Other keys are stored
//! themselves, spread evenly over slots, and found by interpolation on their first bits. Every form is exact.

use rayon::slice::ParallelSliceMut;

pub(in crate::engine) mod field;
pub(in crate::engine) mod text_hash;

/// The key of a row, as sets compare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Key {
    /// Some column is NULL: the key refers to no parent, and no child can refer to it.
    Null,
    /// A key that no set holds, because it cannot be compared here.
    Outside,
    Integer(i64),
    /// Two integers (64 bits each), or a keyed hash of 128 bits.
    Wide(u128),
}

impl Key {
    #[inline(always)]
    pub(in crate::engine) fn pair(first: i64, second: i64) -> Key {
        Key::Wide(joined(first, second))
    }
}

/// A part of the key space. A set that is too large for memory is processed one share at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum KeyShare {
    /// All integers of this range, both ends included.
    Between(i64, i64),
    /// Part `number` of `of` equal parts, chosen by the key's mixed bits.
    Part { number: u32, of: u32 },
}

impl KeyShare {
    pub(in crate::engine) const ALL: KeyShare = KeyShare::Part { number: 0, of: 1 };

    #[inline(always)]
    pub(in crate::engine) fn has(self, key: Key) -> bool {
        match (self, key) {
            (KeyShare::Part { of: 1, .. }, _) => true,
            (KeyShare::Between(from, to), Key::Integer(number)) => (from..=to).contains(&number),
            (KeyShare::Between(..), Key::Wide(_)) => false,
            (KeyShare::Part { number, of }, Key::Integer(key)) => part(spread(key), of) == number,
            (KeyShare::Part { number, of }, Key::Wide(key)) => part((mixed(key) >> 64) as u64, of) == number,
            // Keys that no set holds belong to the first share.
            (share, Key::Null | Key::Outside) => share.is_first(),
        }
    }

    pub(in crate::engine) fn is_first(self) -> bool {
        match self {
            KeyShare::Between(from, _) => from == i64::MIN,
            KeyShare::Part { number, .. } => number == 0,
        }
    }
}

fn part(spread: u64, of: u32) -> u32 {
    ((u128::from(spread) * u128::from(of)) >> 64) as u32
}

/// Divides the shares of all parents into rounds. `needs` has the bytes for each parent, and its shares. A round has at most
/// one share of a parent.
pub(in crate::engine) fn shares_of_rounds(
    needs: impl Iterator<Item = (u64, Vec<KeyShare>)>,
    memory: u64,
) -> Vec<Vec<(usize, KeyShare)>> {
    let mut rounds: Vec<Vec<(usize, KeyShare)>> = Vec::new();
    let mut available = 0;
    for (position, (needed, shares)) in needs.enumerate() {
        let each = needed / shares.len() as u64;
        for (number, share) in shares.into_iter().enumerate() {
            if rounds.is_empty() || each > available || number > 0 {
                rounds.push(Vec::new());
                available = memory;
            }
            available = available.saturating_sub(each);
            if let Some(round) = rounds.last_mut() {
                round.push((position, share));
            }
        }
    }
    rounds
}

pub(in crate::engine) enum KeySet {
    Dense(Bits),
    Integers(SlotSet<u64>),
    Pairs { first: (i64, i64), width: u64, bits: Bits },
    SparsePairs(SlotSet<u128>),
    Hashed(SlotSet<u128>),
}

impl KeySet {
    /// True if the parent has no key.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        match self {
            KeySet::Integers(set) => set.slots.is_empty(),
            KeySet::SparsePairs(set) | KeySet::Hashed(set) => set.slots.is_empty(),
            // A bitmap reaches from the least key to the greatest.
            KeySet::Dense(_) | KeySet::Pairs { .. } => false,
        }
    }

    /// Returns the number of different keys.
    pub(in crate::engine) fn len(&self) -> u64 {
        match self {
            KeySet::Integers(set) => set.keys,
            KeySet::SparsePairs(set) | KeySet::Hashed(set) => set.keys,
            KeySet::Dense(bits) | KeySet::Pairs { bits, .. } => {
                bits.words.iter().map(|word| u64::from(word.count_ones())).sum()
            }
        }
    }

    #[inline(always)]
    pub(in crate::engine) fn has(&self, key: Key) -> bool {
        match (self, key) {
            (KeySet::Dense(bits), Key::Integer(number)) => bits.has(number),
            (KeySet::Integers(set), Key::Integer(number)) => set.has(spread(number)),
            (KeySet::Pairs { first, width, bits }, Key::Wide(pair)) => {
                let (high, low) = parts(pair);
                let across = low.wrapping_sub(first.1).cast_unsigned();
                let down = high.wrapping_sub(first.0).cast_unsigned();
                across < *width
                    && down.checked_mul(*width).is_some_and(|at| at.checked_add(across).is_some_and(|at| bits.bit(at)))
            }
            (KeySet::SparsePairs(set), Key::Wide(pair)) => set.has(mixed(pair)),
            (KeySet::Hashed(set), Key::Wide(hash)) => set.has(hash),
            _ => false,
        }
    }

    /// Calls `missing` with the tag of every key that the set does not hold.
    pub(in crate::engine) fn each_missing<A: Copy>(&self, keys: &[(Key, A)], mut missing: impl FnMut(A)) {
        match self {
            KeySet::Integers(set) => set.each_missing_tag(keys, missing, |key| match key {
                Key::Integer(number) => Some(spread(number)),
                _ => None,
            }),
            KeySet::SparsePairs(set) => set.each_missing_tag(keys, missing, |key| match key {
                Key::Wide(pair) => Some(mixed(pair)),
                _ => None,
            }),
            KeySet::Hashed(set) => set.each_missing_tag(keys, missing, |key| match key {
                Key::Wide(hash) => Some(hash),
                _ => None,
            }),
            _ => keys.iter().filter(|(key, _)| !self.has(*key)).for_each(|&(_, tag)| missing(tag)),
        }
    }

    pub(in crate::engine) fn from_integers(keys: Vec<i64>) -> KeySet {
        let range = keys.iter().min().zip(keys.iter().max());
        if let Some((&first, &last)) = range
            && last.wrapping_sub(first).cast_unsigned() / 64 < keys.len() as u64
        {
            let mut bits = Bits::between(first, last);
            keys.iter().for_each(|&key| bits.set(key));
            return KeySet::Dense(bits);
        }
        KeySet::Integers(SlotSet::new(keys.into_iter().map(spread).collect()))
    }

    pub(in crate::engine) fn from_pairs(keys: Vec<u128>) -> KeySet {
        let mut ranges: Option<((i64, i64), (i64, i64))> = None;
        for &key in &keys {
            let (high, low) = parts(key);
            let (down, across) = ranges.get_or_insert(((high, high), (low, low)));
            *down = (down.0.min(high), down.1.max(high));
            *across = (across.0.min(low), across.1.max(low));
        }
        if let Some((down, across)) = ranges {
            let height = u128::from(down.1.wrapping_sub(down.0).cast_unsigned()) + 1;
            let width = u128::from(across.1.wrapping_sub(across.0).cast_unsigned()) + 1;
            // One bit for each possible pair takes no more memory than the keys themselves.
            if height.saturating_mul(width) <= 128 * keys.len() as u128 {
                let (width, count) = (width as u64, (height * width) as u64);
                let mut bits = Bits::with_count(count);
                for key in keys {
                    let (high, low) = parts(key);
                    bits.set_bit((high - down.0).cast_unsigned() * width + (low - across.0).cast_unsigned());
                }
                return KeySet::Pairs { first: (down.0, across.0), width, bits };
            }
        }
        KeySet::SparsePairs(SlotSet::new(keys.into_iter().map(mixed).collect()))
    }

    /// Keyed hashes are evenly distributed already, so they need no mixing.
    pub(in crate::engine) fn from_hashes(hashes: Vec<u128>) -> KeySet {
        KeySet::Hashed(SlotSet::new(hashes))
    }
}

/// Joins two integers to one key.
#[inline(always)]
pub(in crate::engine) fn joined(first: i64, second: i64) -> u128 {
    u128::from(first.cast_unsigned()) << 64 | u128::from(second.cast_unsigned())
}

/// Returns the two integers of a pair.
pub(in crate::engine) fn parts(pair: u128) -> (i64, i64) {
    (((pair >> 64) as u64).cast_signed(), (pair as u64).cast_signed())
}

/// Distributes integers evenly over 64 bits. The function is a bijection.
#[inline(always)]
pub(in crate::engine) fn spread(number: i64) -> u64 {
    let mut bits = number.cast_unsigned();
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ (bits >> 32)
}

/// Returns the number of which [`spread`] made these bits.
pub(in crate::engine) fn gathered(spread: u64) -> i64 {
    // The factor of `spread` times this number is one.
    const INVERSE: u64 = 0xcfee_444d_8b59_a89b;
    let mut bits = spread ^ (spread >> 32);
    bits = bits.wrapping_mul(INVERSE);
    bits = (bits ^ (bits >> 32)).wrapping_mul(INVERSE);
    (bits ^ (bits >> 32)).cast_signed()
}

/// Distributes 128-bit keys evenly. The function is a bijection: each half in turn changes the other.
#[inline(always)]
pub(in crate::engine) fn mixed(key: u128) -> u128 {
    let (mut high, mut low) = ((key >> 64) as u64, key as u64);
    high ^= spread(low.cast_signed());
    low ^= spread(high.wrapping_add(0x9e37_79b9_7f4a_7c15).cast_signed());
    high ^= spread(low.wrapping_add(0x7f4a_7c15_9e37_79b9).cast_signed());
    u128::from(high) << 64 | u128::from(low)
}

/// Returns the key of which [`mixed`] made this one.
pub(in crate::engine) fn unmixed(mixed: u128) -> u128 {
    let (mut high, mut low) = ((mixed >> 64) as u64, mixed as u64);
    high ^= spread(low.wrapping_add(0x7f4a_7c15_9e37_79b9).cast_signed());
    low ^= spread(high.wrapping_add(0x9e37_79b9_7f4a_7c15).cast_signed());
    high ^= spread(low.cast_signed());
    u128::from(high) << 64 | u128::from(low)
}

/// One bit for each integer of a range.
pub(in crate::engine) struct Bits {
    first: i64,
    words: Vec<u64>,
}

impl Bits {
    pub(in crate::engine) fn between(first: i64, last: i64) -> Bits {
        let count = last.wrapping_sub(first).cast_unsigned().saturating_add(1);
        Bits { first, ..Bits::with_count(count) }
    }

    fn with_count(count: u64) -> Bits {
        Bits { first: 0, words: vec![0; (count / 64 + 1) as usize] }
    }

    pub(in crate::engine) fn set(&mut self, number: i64) {
        self.set_bit(number.wrapping_sub(self.first).cast_unsigned());
    }

    fn set_bit(&mut self, at: u64) {
        self.words[(at / 64) as usize] |= 1 << (at % 64);
    }

    #[inline(always)]
    pub(in crate::engine) fn has(&self, number: i64) -> bool {
        self.bit(number.wrapping_sub(self.first).cast_unsigned())
    }

    #[inline(always)]
    fn bit(&self, at: u64) -> bool {
        // No bit after the last number is ever set.
        usize::try_from(at / 64)
            .ok()
            .and_then(|word| self.words.get(word))
            .is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    /// Sets every bit that is set in `part`, whose range lies inside this one.
    pub(in crate::engine) fn add(&mut self, part: &Bits) {
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

/// A number whose bits are evenly distributed.
pub(in crate::engine) trait Spread: Copy + Ord + Send {
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

/// Sorted keys in slots with gaps. Each key sits at the slot that its first bits select, or soon after; a gap repeats
/// the key after it. Most lookups touch one cache line.
pub(in crate::engine) struct SlotSet<T> {
    slots: Vec<T>,
    /// The number of slots that first bits can select. Keys that did not fit follow after them.
    slot_count: usize,
    /// The number of different keys.
    keys: u64,
}

/// The slots that a lookup compares without a branch.
const NEAR_SLOTS: usize = 4;

/// The keys whose slots are read together. Their cache lines stay near to the processor.
const KEYS_TOUCHED: usize = 256;

/// After this many slots a lookup changes to binary search. Only keys that were chosen to cluster need it.
const LINEAR_SLOTS: usize = 16;

impl<T: Spread> SlotSet<T> {
    fn new(mut keys: Vec<T>) -> SlotSet<T> {
        keys.par_sort_unstable();
        keys.dedup();
        let slot_count = keys.len() + keys.len() / 2;
        let mut slots = Vec::with_capacity(slot_count);
        for &key in &keys {
            let slot = slot_of(key, slot_count);
            while slots.len() <= slot {
                slots.push(key);
            }
            if slots.last() != Some(&key) {
                slots.push(key);
            }
        }
        if let Some(&last) = slots.last() {
            slots.resize(slots.len().max(slot_count), last);
        }
        SlotSet { slots, slot_count, keys: keys.len() as u64 }
    }

    #[inline(always)]
    fn has(&self, key: T) -> bool {
        let slots = self.slots.get(slot_of(key, self.slot_count)..).unwrap_or_default();
        // Nearly all keys are in one of the first slots. Comparing all of these takes less time than a wrong guess.
        if slots
            .first_chunk::<NEAR_SLOTS>()
            .is_some_and(|near| near.iter().fold(false, |found, &slot| found | (slot == key)))
        {
            return true;
        }
        match slots.iter().take(LINEAR_SLOTS).find(|&&slot| slot >= key) {
            Some(&slot) => slot == key,
            None => slots.get(LINEAR_SLOTS..).is_some_and(|far| far.binary_search(&key).is_ok()),
        }
    }

    /// Calls `missing` with the position of every key that the set does not hold. The keys are in the slots' form.
    #[inline(always)]
    pub(in crate::engine) fn each_missing(&self, keys: &[T], mut missing: impl FnMut(usize)) {
        self.touch(keys.iter().copied());
        for (position, &key) in keys.iter().enumerate() {
            if !self.has(key) {
                missing(position);
            }
        }
    }

    /// Reads the slots of some keys before the first is compared, so that the processor loads many cache lines at once.
    #[inline(always)]
    fn touch(&self, keys: impl Iterator<Item = T>) {
        let bits = |key| {
            let slot = slot_of(key, self.slot_count);
            let near = self.slots.get(slot..slot + NEAR_SLOTS);
            near.map_or(0, |near| near[0].first_bits() ^ near[NEAR_SLOTS - 1].first_bits())
        };
        std::hint::black_box(keys.fold(0, |all, key| all ^ bits(key)));
    }

    /// Calls `missing` with the tag of every key that the set does not hold. `spread` converts a key to the slots'
    /// form.
    #[inline(always)]
    fn each_missing_tag<A: Copy>(
        &self,
        keys: &[(Key, A)],
        mut missing: impl FnMut(A),
        spread: impl Fn(Key) -> Option<T>,
    ) {
        for some in keys.chunks(KEYS_TOUCHED) {
            self.touch(some.iter().filter_map(|&(key, _)| spread(key)));
            for &(key, tag) in some {
                if !spread(key).is_some_and(|key| self.has(key)) {
                    missing(tag);
                }
            }
        }
    }
}

#[inline(always)]
fn slot_of<T: Spread>(key: T, slot_count: usize) -> usize {
    ((u128::from(key.first_bits()) * slot_count as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(high: i64, low: i64) -> u128 {
        u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned())
    }

    #[test]
    fn integer_set_holds_exactly_its_keys() {
        for keys in [
            vec![],
            vec![i64::MIN, i64::MAX],
            vec![-3, -2, 0, 1, 64, 65, 127, 128],
            (0..1_000).map(|i| i * 7_919_003).collect(),
            vec![i64::MAX - 1, i64::MAX],
        ] {
            let set = KeySet::from_integers(keys.clone());
            for probe in keys.iter().flat_map(|key| [key.wrapping_sub(1), *key, key.wrapping_add(1)]).chain([0, 5]) {
                assert_eq!(set.has(Key::Integer(probe)), keys.contains(&probe), "{probe}");
            }
            assert!(!set.has(Key::Null) && !set.has(Key::Outside));
        }
    }

    #[test]
    fn pair_set_holds_exactly_its_keys_in_both_forms() {
        let dense: Vec<u128> = (0..50).flat_map(|a| (-5..5).map(move |b| pair(a, b))).collect();
        let sparse: Vec<u128> = (0..50).map(|a| pair(a * 1_000_000_007, -a)).collect();
        assert!(matches!(KeySet::from_pairs(dense.clone()), KeySet::Pairs { .. }));
        assert!(matches!(KeySet::from_pairs(sparse.clone()), KeySet::SparsePairs(_)));
        for keys in [dense, sparse, vec![pair(i64::MIN, i64::MAX)], vec![]] {
            let set = KeySet::from_pairs(keys.clone());
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
    fn clustered_hashes_are_found() {
        let keys: Vec<u128> = (0..500).map(|i| i * 2 + if i < 400 { 0 } else { 1 << 100 }).chain([u128::MAX]).collect();
        let set = KeySet::from_hashes(keys.clone());
        let probes = (0..1_002).flat_map(|i| [i, i + (1 << 100)]).chain([u128::MAX - 1, u128::MAX]);
        let probes: Vec<(Key, u128)> = probes.map(|key| (Key::Wide(key), key)).collect();
        let mut missing = Vec::new();
        set.each_missing(&probes, |key| missing.push(key));
        let absent: Vec<u128> = probes.iter().map(|(_, key)| *key).filter(|key| !keys.contains(key)).collect();
        assert_eq!(missing, absent);
        assert!(probes.iter().all(|&(probe, key)| set.has(probe) == keys.contains(&key)));
    }

    #[test]
    fn keys_are_recovered_from_their_slots() {
        let numbers = [i64::MIN, -1, 0, 1, 5, 1 << 40, i64::MAX];
        for number in numbers.into_iter().chain((0..1_000).map(|i: i64| i.wrapping_mul(0x0123_4567_89ab_cdef))) {
            assert_eq!(gathered(spread(number)), number);
            assert_eq!(unmixed(mixed(joined(number, !number / 3))), joined(number, !number / 3));
        }
    }

    #[test]
    fn bitmap_parts_join_into_the_whole() {
        let mut whole = Bits::between(-100, 1_000);
        let mut part = Bits::between(37, 300);
        [37, 100, 300].into_iter().for_each(|number| part.set(number));
        whole.add(&part);
        assert!((-100..=1_000).all(|number| whole.has(number) == [37, 100, 300].contains(&number)));
    }

    #[test]
    fn key_belongs_to_exactly_one_share() {
        for number in [i64::MIN, -1, 0, 1, 12_345, i64::MAX] {
            let keys = [Key::Integer(number), Key::Wide(number.cast_unsigned().into()), Key::Outside, Key::Null];
            for key in keys {
                let shares = (0..7).filter(|&part| KeyShare::Part { number: part, of: 7 }.has(key)).count();
                assert_eq!(shares, 1, "{key:?}");
            }
            let ranges = [(i64::MIN, -1), (0, 12_344), (12_345, i64::MAX)];
            for key in [Key::Integer(number), Key::Outside, Key::Null] {
                let shares = ranges.iter().filter(|&&(from, to)| KeyShare::Between(from, to).has(key)).count();
                assert_eq!(shares, 1, "{key:?}");
            }
        }
    }

    #[test]
    fn round_has_one_share_of_a_parent() {
        let parts = |of| (0..of).map(|number| KeyShare::Part { number, of }).collect::<Vec<_>>();
        // Two shares of the second parent have exactly as many bytes as fit.
        let needs = [(10, parts(1)), (101, parts(2)), (20, parts(1))];
        let rounds = shares_of_rounds(needs.into_iter(), 100);
        let share = |number, of| KeyShare::Part { number, of };
        assert_eq!(rounds, [vec![(0, share(0, 1)), (1, share(0, 2))], vec![(1, share(1, 2)), (2, share(0, 1))]]);
        let rounds = shares_of_rounds([(101, parts(2))].into_iter(), 100);
        assert_eq!(rounds, [vec![(0, share(0, 2))], vec![(0, share(1, 2))]]);
    }
}
