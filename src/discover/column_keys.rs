//! The keys of one column in every form that some parent of the database compares with.
//!
//! In most columns all forms give the same keys, so that one set of counts serves all. The first value whose key differs in a
//! form gives that form a set of its own.

use super::form::Conversion;
use super::form::Fold;
use super::form::Form;
use super::form::KeyHasher;
use super::form::Number;
use super::form::ValueKey;
use super::form::number;
use super::form::plain_integer;
use super::form::significant;
use super::key_counts::KeyCounts;
use crate::model::discovery::ClassCounts;
use crate::model::value::ValueRef;

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

/// A part of all keys, by their hash: the first of two halves is `(0, 2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub number: u64,
    pub of: u64,
}

impl Part {
    pub const WHOLE: Part = Part { number: 0, of: 1 };

    #[inline]
    pub fn has(self, key: ValueKey) -> bool {
        self.of == 1 || {
            let bits = match key {
                ValueKey::Integer(number) => {
                    let bits = number.cast_unsigned();
                    (bits ^ (bits >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
                }
                ValueKey::Hash(hash) => (hash >> 32) as u64 & u64::from(u32::MAX),
            };
            bits % self.of == self.number
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Keys {
    integers: Vec<i64>,
    hashes: Vec<u128>,
}

impl Keys {
    #[inline]
    fn push(&mut self, key: ValueKey) {
        match key {
            ValueKey::Integer(number) => self.integers.push(number),
            ValueKey::Hash(hash) => self.hashes.push(hash),
        }
    }

    fn clear(&mut self) {
        self.integers.clear();
        self.hashes.clear();
    }
}

/// The values of a column in a few thousand rows.
#[derive(Debug, Clone)]
pub struct ColumnBatch {
    own: Keys,
    others: Vec<Option<Keys>>,
    /// As in [`ColumnKeys`].
    uncertain: Vec<bool>,
    pub stats: Stats,
    /// False if the keys are not needed any more.
    pub has_keys: bool,
}

/// Facts about the values of a column that need no set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    pub nulls: u64,
    pub classes: ClassCounts,
    /// Real numbers with or without a fraction.
    pub reals: u64,
    pub text_bytes: u64,
    pub longest_text: u64,
}

impl Stats {
    pub fn add(&mut self, more: &Stats) {
        self.nulls += more.nulls;
        self.reals += more.reals;
        self.text_bytes += more.text_bytes;
        self.longest_text = self.longest_text.max(more.longest_text);
        let (all, part) = (&mut self.classes, &more.classes);
        all.integers += part.integers;
        all.fractions += part.fractions;
        all.texts += part.texts;
        all.integer_texts += part.integer_texts;
        all.decimal_texts += part.decimal_texts;
        all.date_texts += part.date_texts;
        all.blobs += part.blobs;
    }
}

impl ColumnBatch {
    pub fn new(plan: &FormPlan) -> ColumnBatch {
        let others = plan.others.len();
        let uncertain = vec![false; others + 1];
        ColumnBatch {
            own: Keys::default(),
            others: vec![None; others],
            uncertain,
            stats: Stats::default(),
            has_keys: true,
        }
    }

    #[inline]
    pub fn push(
        &mut self,
        value: ValueRef<'_>,
        collated: &[ValueRef<'_>],
        plan: &FormPlan,
        hasher: &KeyHasher,
        scratch: &mut Vec<u8>,
    ) {
        match value {
            ValueRef::Null => self.stats.nulls += 1,
            ValueRef::Integer(number) if !plan.is_real && plan.part.of == 1 && is_exact_in_real(number) => {
                self.stats.classes.integers += 1;
                if !self.has_keys {
                    return;
                }
                self.own.integers.push(number);
                for keys in self.others.iter_mut().flatten() {
                    keys.integers.push(number);
                }
            }
            ValueRef::Integer(number) if plan.is_real => {
                self.push_any(ValueRef::Real(number as f64), collated, plan, hasher, scratch);
            }
            _ => self.push_any(value, collated, plan, hasher, scratch),
        }
    }

    fn push_any(
        &mut self,
        value: ValueRef<'_>,
        collated: &[ValueRef<'_>],
        plan: &FormPlan,
        hasher: &KeyHasher,
        scratch: &mut Vec<u8>,
    ) {
        let mut collated = collated.iter().copied();
        let may_differ = self.observe(value, plan);
        if !self.has_keys {
            return;
        }
        let mut key_in = |form: &Form| {
            let collated = if form.is_collated() { collated.next() } else { None };
            form.key(value, collated, hasher, scratch)
        };
        let (own, is_uncertain) = key_in(&plan.own);
        if plan.part.has(own) {
            self.own.push(own);
        }
        self.uncertain[0] |= is_uncertain;
        if !may_differ {
            let others = self.others.iter_mut().flatten();
            others.filter(|_| plan.part.has(own)).for_each(|keys| keys.push(own));
            return;
        }
        for (index, (form, keys)) in plan.others.iter().zip(&mut self.others).enumerate() {
            let (key, is_uncertain) = key_in(form);
            self.uncertain[index + 1] |= is_uncertain;
            if keys.is_none() && key != own {
                let mut before = self.own.clone();
                // The own key of this value was added already.
                if plan.part.has(own) {
                    match own {
                        ValueKey::Integer(_) => _ = before.integers.pop(),
                        ValueKey::Hash(_) => _ = before.hashes.pop(),
                    }
                }
                *keys = Some(before);
            }
            if let Some(keys) = keys
                && plan.part.has(key)
            {
                keys.push(key);
            }
        }
    }

    /// Counts a value in its class. Returns true if its key may differ between forms.
    fn observe(&mut self, value: ValueRef<'_>, plan: &FormPlan) -> bool {
        let classes = &mut self.stats.classes;
        match value {
            ValueRef::Null => false,
            ValueRef::Integer(_) => {
                classes.integers += 1;
                true
            }
            ValueRef::Real(number) => {
                self.stats.reals += 1;
                if number.fract() == 0.0 {
                    classes.integers += 1;
                } else {
                    classes.fractions += 1;
                }
                true
            }
            ValueRef::Blob(_) => {
                classes.blobs += 1;
                false
            }
            ValueRef::Text(text) if plan.own.conversion == Conversion::Exact => {
                if significant(text).contains(&b'.') {
                    classes.fractions += 1;
                } else {
                    classes.integers += 1;
                }
                true
            }
            ValueRef::Text(text) => {
                classes.texts += 1;
                self.stats.text_bytes += text.len() as u64;
                self.stats.longest_text = self.stats.longest_text.max(text.len() as u64);
                let is_like_number = matches!(text.first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b' ' | 9..=13));
                if is_like_number {
                    if plain_integer(text).is_some() {
                        classes.integer_texts += 1;
                    } else if number(text) != Number::None {
                        classes.decimal_texts += 1;
                    } else if is_like_date(text) {
                        classes.date_texts += 1;
                    }
                }
                let folds = plan.own.fold != Fold::Bytes || plan.others.iter().any(|form| form.fold != Fold::Bytes);
                is_like_number || folds
            }
        }
    }

    fn clear(&mut self) {
        self.own.clear();
        self.others.iter_mut().for_each(|keys| *keys = None);
        self.uncertain.fill(false);
        self.stats = Stats::default();
    }
}

fn is_exact_in_real(number: i64) -> bool {
    number.unsigned_abs() <= 1 << 53
}

/// True for texts such as `2024-05-01`, `2024-05-01 10:00` and `5/1/2024`.
fn is_like_date(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let first = digits(text);
    match text.get(first) {
        Some(b'-') if first == 4 => {
            let rest = &text[first + 1..];
            digits(rest) == 2 && rest.get(2) == Some(&b'-') && digits(&rest[3..]) == 2
        }
        Some(b'/') if first == 1 || first == 2 => {
            let rest = &text[first + 1..];
            let second = digits(rest);
            (1..=2).contains(&second) && rest.get(second) == Some(&b'/') && digits(&rest[second + 1..]) >= 2
        }
        _ => false,
    }
}

/// The keys of a column in all rows that were read so far.
#[derive(Debug, Clone)]
pub struct ColumnKeys {
    own: KeyCounts,
    others: Vec<Option<KeyCounts>>,
    /// True if the engine alone can compare a value: for the own form, and then for the others.
    uncertain: Vec<bool>,
    pub stats: Stats,
    /// True if the keys were dropped, to be counted later with less memory or not at all.
    pub is_dropped: bool,
    /// True if a key was repeated before the keys were dropped.
    pub was_repeated: bool,
}

impl ColumnKeys {
    pub fn new(plan: &FormPlan) -> ColumnKeys {
        ColumnKeys {
            own: KeyCounts::default(),
            others: vec![None; plan.others.len()],
            uncertain: vec![false; plan.others.len() + 1],
            stats: Stats::default(),
            is_dropped: false,
            was_repeated: false,
        }
    }

    /// Adds a batch and empties it.
    pub fn add(&mut self, batch: &mut ColumnBatch) {
        self.stats.add(&batch.stats);
        self.uncertain.iter_mut().zip(&batch.uncertain).for_each(|(all, part)| *all |= part);
        if !self.is_dropped {
            for (index, keys) in batch.others.iter().enumerate() {
                match (&mut self.others[index], keys) {
                    (None, None) => {}
                    (None, Some(keys)) => {
                        let mut own = self.own.clone();
                        own.add_integers(&keys.integers);
                        own.add_hashes(&keys.hashes);
                        self.others[index] = Some(own);
                    }
                    (Some(counts), keys) => {
                        let added = keys.as_ref().unwrap_or(&batch.own);
                        counts.add_integers(&added.integers);
                        counts.add_hashes(&added.hashes);
                    }
                }
            }
            self.own.add_integers(&batch.own.integers);
            self.own.add_hashes(&batch.own.hashes);
        }
        batch.clear();
    }

    /// Drops the keys, and remembers only if one of them was repeated.
    pub fn drop_keys(&mut self) {
        self.was_repeated = self.own.has_repetition();
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
        let mut batch = ColumnBatch::new(plan);
        for values in values.chunks(batch_size) {
            values.iter().for_each(|value| batch.push(*value, &[], plan, &hasher, &mut Vec::new()));
            keys.add(&mut batch);
        }
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
            plan.part = Part { number, of: 3 };
            let part = keys(&plan, &numbers, 100).own().distinct();
            assert!((100..250).contains(&part), "{part}");
            sum += part;
        }
        assert_eq!(sum, 500);
    }
}
