//! Keys in slots, each near to the slot that its first bits select.

use rayon::slice::ParallelSliceMut;

use super::Key;

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
    pub(super) keys: u64,
}

/// The slots that a lookup compares without a branch.
const NEAR_SLOTS: usize = 4;

/// The keys whose slots are read together. Their cache lines stay near to the processor.
const KEYS_TOUCHED: usize = 256;

/// After this many slots a lookup changes to binary search. Only keys that were chosen to cluster need it.
const LINEAR_SLOTS: usize = 16;

impl<T: Spread> SlotSet<T> {
    pub(super) fn new(mut keys: Vec<T>) -> SlotSet<T> {
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
    pub(super) fn has(&self, key: T) -> bool {
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
    pub(super) fn each_missing_tag<A: Copy>(
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
