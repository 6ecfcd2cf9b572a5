//! The keys of one column in every form that some parent of the database compares with.
//!
//! In most columns all forms give the same keys, so that one set of counts serves all. The first value whose key differs in a
//! form gives that form a set of its own.

use super::column_batch::ColumnBatch;
use super::column_batch::Stats;
use super::form::Form;
use super::key_counts::KeyCounts;
use super::value_key::ValueKey;

/// The forms of a column.
#[derive(Debug, Clone)]
pub struct FormPlan {
    /// The form in which the column compares its own values.
    pub own: Form,
    /// The forms of all parents that differ from it.
    pub others: Vec<Form>,
    /// True for a column whose integers SQLite stores as such but reads as real numbers.
    pub is_real: bool,
    /// The number of forms that need a comparison key of the server. These follow the value in each row.
    pub collated: usize,
    /// Only keys of this part are counted.
    pub part: Part,
}

/// A part of all keys: those with a hash in a range. The whole has the hashes from 0 to [`Part::HASHES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    first: u64,
    /// One more than the last hash.
    end: u64,
}

impl Part {
    const HASHES: u64 = 1 << 32;

    pub const WHOLE: Part = Part { first: 0, end: Part::HASHES };

    /// Returns one of several parts of equal size, for example the last of three: `nth(2, 3)`.
    pub fn nth(number: u64, of: u64) -> Part {
        let end_of = |number: u64| (u128::from(Part::HASHES) * u128::from(number) / u128::from(of.max(1))) as u64;
        Part { first: end_of(number), end: end_of(number + 1) }
    }

    /// Returns the part after this one that is about `1 / divisor` of the whole, or all that is left; `None` after the last part.
    pub fn next(self, divisor: u64) -> Option<Part> {
        let size = (Part::HASHES / divisor.max(1)).max(1);
        (self.end < Part::HASHES)
            .then(|| Part { first: self.end, end: self.end.saturating_add(size).min(Part::HASHES) })
    }

    /// Returns about how many keys the whole has, if all parts up to this one have so many.
    pub fn extrapolated(self, keys: u64) -> u64 {
        (u128::from(keys) * u128::from(Part::HASHES) / u128::from(self.end.max(1))) as u64
    }

    pub fn is_whole(self) -> bool {
        self == Part::WHOLE
    }

    pub fn is_first(self) -> bool {
        self.first == 0
    }

    #[inline]
    pub fn has(self, key: ValueKey) -> bool {
        self.is_whole() || {
            let hash = match key {
                ValueKey::Integer(number) => {
                    let bits = number.cast_unsigned();
                    (bits ^ (bits >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
                }
                ValueKey::Hash(hash) => (hash >> 32) as u64 & u64::from(u32::MAX),
            };
            (self.first..self.end).contains(&hash)
        }
    }
}

/// The keys of a column in all rows that were read so far.
#[derive(Debug, Clone)]
pub struct ColumnKeys {
    own: KeyCounts,
    others: Vec<Option<KeyCounts>>,
    /// The rows with a value that the engine alone can compare: for the own form, and then for the others.
    uncertain: Vec<u64>,
    pub stats: Stats,
    /// True if the keys were dropped, to be counted later with less memory or not at all.
    pub is_dropped: bool,
    /// True if a key was repeated before the keys were dropped.
    pub was_repeated: bool,
    /// The distinct keys that were no integers when the keys were dropped, in the form that had the fewest.
    pub dropped_hashes: u64,
}

impl ColumnKeys {
    pub fn new(plan: &FormPlan) -> ColumnKeys {
        ColumnKeys {
            own: KeyCounts::default(),
            others: vec![None; plan.others.len()],
            uncertain: vec![0; plan.others.len() + 1],
            stats: Stats::default(),
            is_dropped: false,
            was_repeated: false,
            dropped_hashes: 0,
        }
    }

    /// Adds a batch and empties it.
    pub fn add(&mut self, batch: &mut ColumnBatch) {
        self.stats.add(&batch.stats);
        self.uncertain.iter_mut().zip(&batch.uncertain).for_each(|(all, part)| *all += part);
        if !self.is_dropped {
            for (index, keys) in batch.others.iter().enumerate() {
                match (&mut self.others[index], keys) {
                    (None, None) => {}
                    (None, Some(keys)) => {
                        let mut own = self.own.clone();
                        own.add(keys);
                        self.others[index] = Some(own);
                    }
                    (Some(counts), keys) => {
                        counts.add(keys.as_ref().unwrap_or(&batch.own));
                    }
                }
            }
            self.own.add(&batch.own);
        }
        batch.clear();
    }

    /// Drops the keys, and remembers if one of them was repeated, and how many were no integers.
    pub fn drop_keys(&mut self) {
        self.was_repeated = self.own.has_repetition();
        let hashes = self.others.iter().flatten().map(KeyCounts::distinct_hashes);
        self.dropped_hashes = hashes.fold(self.own.distinct_hashes(), u64::min);
        self.is_dropped = true;
        self.own = KeyCounts::default();
        self.others.iter_mut().for_each(|keys| *keys = None);
    }

    pub fn own(&self) -> &KeyCounts {
        &self.own
    }

    /// Returns the number of distinct keys in the form that has the fewest.
    pub fn least_distinct(&self) -> u64 {
        self.others.iter().flatten().map(KeyCounts::distinct).fold(self.own.distinct(), u64::min)
    }

    /// Returns the keys in a form.
    pub fn in_form(&self, form: Form, plan: &FormPlan) -> &KeyCounts {
        let other = plan.others.iter().position(|other| *other == form);
        other.and_then(|index| self.others[index].as_ref()).unwrap_or(&self.own)
    }

    /// True if the engine alone can compare the column under a form.
    pub fn is_uncertain(&self, form: Form, plan: &FormPlan) -> bool {
        self.uncertain_rows(form, plan) > 0
    }

    /// Returns the rows with a value that the engine alone can compare under a form.
    pub fn uncertain_rows(&self, form: Form, plan: &FormPlan) -> u64 {
        let other = plan.others.iter().position(|other| *other == form);
        self.uncertain[other.map_or(0, |index| index + 1)]
    }

    pub fn bytes(&self) -> u64 {
        self.own.bytes() + self.others.iter().flatten().map(KeyCounts::bytes).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::form::Conversion;
    use crate::discover::form::Fold;
    use crate::discover::value_key::KeyHasher;
    use crate::model::value::ValueRef;

    fn plan(own: Conversion, others: &[Conversion]) -> FormPlan {
        let form = |conversion: &Conversion| Form { conversion: *conversion, fold: Fold::Bytes };
        FormPlan {
            own: form(&own),
            others: others.iter().map(form).collect(),
            is_real: false,
            collated: 0,
            part: Part::WHOLE,
        }
    }

    fn keys(plan: &FormPlan, values: &[ValueRef<'_>], batch_size: usize) -> ColumnKeys {
        let (mut keys, hasher) = (ColumnKeys::new(plan), KeyHasher::new((1, 2)));
        let mut batch = ColumnBatch::new(plan, true);
        for values in values.chunks(batch_size) {
            values.iter().for_each(|value| batch.push(*value, &[], plan, &hasher, &mut Vec::new()));
            keys.add(&mut batch);
        }
        batch.finish(plan, &hasher, &mut Vec::new());
        keys.add(&mut batch);
        keys
    }

    #[test]
    fn forms_share_their_keys_until_one_differs() {
        let plan = plan(Conversion::Text, &[Conversion::Numeric, Conversion::None]);
        let plain = keys(&plan, &[ValueRef::Text(b"a"), ValueRef::Text(b"b")], 1);
        assert!(plain.others.iter().all(Option::is_none));
        let values = [&b"a"[..], b"7", b"07", b"7.0", b"a"].map(ValueRef::Text);
        for batch_size in 1..=5 {
            let keys = keys(&plan, &values, batch_size);
            let distinct = |form| keys.in_form(form, &plan).distinct();
            assert_eq!(keys.own().distinct(), 4);
            assert_eq!(distinct(plan.others[0]), 2, "7, 07 and 7.0 are one number");
            assert_eq!(distinct(plan.others[1]), 4);
            assert_eq!(keys.in_form(plan.others[0], &plan).rows(), 5);
            assert!(!keys.in_form(plan.others[1], &plan).has(ValueKey::Integer(7)));
            assert!(keys.own().has(ValueKey::Integer(7)));
        }
    }

    #[test]
    fn parts_of_the_keys_make_the_whole() {
        let mut plan = plan(Conversion::Numeric, &[Conversion::Text]);
        let numbers: Vec<ValueRef<'_>> = (0..500).map(ValueRef::Integer).collect();
        let mut sum = 0;
        for number in 0..3 {
            plan.part = Part::nth(number, 3);
            let part = keys(&plan, &numbers, 100).own().distinct();
            assert!((100..250).contains(&part), "{part}");
            sum += part;
        }
        assert_eq!(sum, 500);
    }

    #[test]
    fn parts_after_another_cover_the_rest_once() {
        let mut parts = vec![Part::nth(0, 7)];
        parts.extend(std::iter::successors(parts[0].next(5), |part| part.next(3)));
        assert_eq!((parts.len(), parts[0].is_first(), parts[1].is_first()), (4, true, false));
        let keys = (0..2000).map(ValueKey::Integer).chain((0..2000).map(|hash| ValueKey::Hash(hash << 53)));
        for key in keys {
            assert_eq!(parts.iter().filter(|part| part.has(key)).count(), 1, "{key:?}");
        }
        assert!(Part::nth(0, 1).is_whole() && Part::WHOLE.next(1).is_none());
        let known = parts.iter().map(|part| part.extrapolated(1000)).collect::<Vec<u64>>();
        assert!((6990..=7010).contains(&known[0]) && known[3] == 1000, "{known:?}");
    }
}
