//! The set of a parent's keys, built for many lookups. Dense integers take one bit each. Other keys are stored
//! themselves, spread evenly over slots, and found by interpolation on their first bits. Every form is exact.

mod bits;
pub(in crate::engine) mod field;
mod mix;
mod share;
mod slots;
pub(in crate::engine) mod text_hash;

pub(in crate::engine) use bits::Bits;
pub(in crate::engine) use mix::gathered;
pub(in crate::engine) use mix::mixed;
pub(in crate::engine) use mix::spread;
pub(in crate::engine) use mix::unmixed;
pub(in crate::engine) use share::KeyShare;
pub(in crate::engine) use share::shares_of_rounds;
pub(in crate::engine) use slots::SlotSet;

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
            KeySet::Integers(set) => set.keys == 0,
            KeySet::SparsePairs(set) | KeySet::Hashed(set) => set.keys == 0,
            // A bitmap reaches from the least key to the greatest.
            KeySet::Dense(_) | KeySet::Pairs { .. } => false,
        }
    }

    /// Returns the number of different keys.
    pub(in crate::engine) fn len(&self) -> u64 {
        match self {
            KeySet::Integers(set) => set.keys,
            KeySet::SparsePairs(set) | KeySet::Hashed(set) => set.keys,
            KeySet::Dense(bits) | KeySet::Pairs { bits, .. } => bits.count(),
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
}
