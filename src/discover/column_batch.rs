//! The values of one column in a few thousand rows: facts about them, and their keys in every form.

use super::column_keys::FormPlan;
use super::form::Fold;
use super::form::Form;
use super::key_counts::KeyBatch;
use super::repeats::Repeats;
use super::repeats::Taken;
use super::text_number::Number;
use super::text_number::number;
use super::text_number::plain_integer;
use super::text_number::significant;
use super::value_key::KeyHasher;
use crate::model::discovery::ClassCounts;
use crate::model::value::ValueRef;

/// The values of a column in a few thousand rows.
#[derive(Debug, Clone)]
pub struct ColumnBatch {
    pub own: KeyBatch,
    pub others: Vec<Option<KeyBatch>>,
    /// The rows with a value that the engine alone can compare: for the own form, and then for the others.
    pub uncertain: Vec<u64>,
    pub stats: Stats,
    /// False if the keys are not needed any more.
    pub has_keys: bool,
    repeats: Repeats,
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
    pub marks: Marks,
}

/// What the texts of a column have that another spelling can change. Only texts of at most [`LONGEST_MARKED`] bytes are examined.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// A first or last character that may be a blank.
    pub blank_end: bool,
    /// A character that may be a capital.
    pub capital: bool,
    /// A first character that is zero.
    pub first_zero: bool,
}

/// In bytes.
pub const LONGEST_MARKED: usize = 80;

impl Marks {
    fn note(&mut self, text: &[u8]) {
        if text.len() > LONGEST_MARKED {
            return;
        }
        let may_be_blank = |byte: Option<&u8>| byte.is_some_and(|&byte| byte <= b' ' || byte >= 0x80);
        self.blank_end |= may_be_blank(text.first()) || may_be_blank(text.last());
        self.first_zero |= text.first() == Some(&b'0');
        self.capital =
            self.capital || text.iter().fold(false, |found, byte| found | byte.is_ascii_uppercase() | (*byte >= 0x80));
    }

    fn add(&mut self, more: Marks) {
        self.blank_end |= more.blank_end;
        self.capital |= more.capital;
        self.first_zero |= more.first_zero;
    }
}

impl Stats {
    pub fn add(&mut self, more: &Stats) {
        self.nulls += more.nulls;
        self.reals += more.reals;
        self.text_bytes += more.text_bytes;
        self.longest_text = self.longest_text.max(more.longest_text);
        self.marks.add(more.marks);
        let (all, part) = (&mut self.classes, &more.classes);
        all.integers += part.integers;
        all.fractions += part.fractions;
        all.texts += part.texts;
        all.integer_texts += part.integer_texts;
        all.decimal_texts += part.decimal_texts;
        all.padded_texts += part.padded_texts;
        all.date_texts += part.date_texts;
        all.blobs += part.blobs;
    }
}

impl ColumnBatch {
    /// `repeats` is true if short values may be repeated often.
    pub fn new(plan: &FormPlan, repeats: bool) -> ColumnBatch {
        let others = plan.others.len();
        let uncertain = vec![0; others + 1];
        ColumnBatch {
            own: KeyBatch::default(),
            others: vec![None; others],
            uncertain,
            stats: Stats::default(),
            has_keys: true,
            // The server gives the key of each value of a row.
            repeats: Repeats::new(repeats && plan.collated == 0),
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
            ValueRef::Integer(number) if !plan.is_real && plan.part.is_whole() && is_exact_in_real(number) => {
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
                self.push_any((ValueRef::Real(number as f64), 1), collated, plan, hasher, scratch);
            }
            _ => match self.repeats.take(value) {
                Taken::Not => self.push_any((value, 1), collated, plan, hasher, scratch),
                Taken::Whole => {}
                Taken::InsteadOf(before, rows) => {
                    before.with(|value| self.push_any((value, rows), &[], plan, hasher, scratch));
                }
            },
        }
    }

    /// Adds the values that were held back because they are repeated often.
    pub fn finish(&mut self, plan: &FormPlan, hasher: &KeyHasher, scratch: &mut Vec<u8>) {
        for (value, rows) in self.repeats.give_back() {
            value.with(|value| self.push_any((value, rows), &[], plan, hasher, scratch));
        }
    }

    /// False once short values were found to be repeated rarely.
    pub fn may_repeat(&self) -> bool {
        self.repeats.is_useful
    }

    fn push_any(
        &mut self,
        (value, rows): (ValueRef<'_>, u32),
        collated: &[ValueRef<'_>],
        plan: &FormPlan,
        hasher: &KeyHasher,
        scratch: &mut Vec<u8>,
    ) {
        let mut collated = collated.iter().copied();
        let may_differ = self.observe(value, rows.into(), plan);
        if !self.has_keys {
            return;
        }
        let mut key_in = |form: &Form| {
            let collated = if plan.own.has_other_keys_in(*form) { collated.next() } else { None };
            form.key(value, collated, hasher, scratch)
        };
        let (own, is_uncertain) = key_in(&plan.own);
        if plan.part.has(own) {
            self.own.push(own, rows);
        }
        self.uncertain[0] += u64::from(is_uncertain) * u64::from(rows);
        if !may_differ {
            let others = self.others.iter_mut().flatten();
            others.filter(|_| plan.part.has(own)).for_each(|keys| keys.push(own, rows));
            return;
        }
        for (index, (form, keys)) in plan.others.iter().zip(&mut self.others).enumerate() {
            let (key, is_uncertain) = key_in(form);
            self.uncertain[index + 1] += u64::from(is_uncertain) * u64::from(rows);
            if keys.is_none() && key != own {
                let mut before = self.own.clone();
                // The own key of this value was added already.
                if plan.part.has(own) {
                    before.pop(own, rows);
                }
                *keys = Some(before);
            }
            if let Some(keys) = keys
                && plan.part.has(key)
            {
                keys.push(key, rows);
            }
        }
    }

    /// Counts the rows of a value in its class. Returns true if its key may differ between forms.
    fn observe(&mut self, value: ValueRef<'_>, rows: u64, plan: &FormPlan) -> bool {
        let classes = &mut self.stats.classes;
        match value {
            ValueRef::Null => false,
            ValueRef::Integer(_) => {
                classes.integers += rows;
                true
            }
            ValueRef::Real(number) => {
                self.stats.reals += rows;
                if number.fract() == 0.0 {
                    classes.integers += rows;
                } else {
                    classes.fractions += rows;
                }
                true
            }
            ValueRef::Blob(bytes) if plan.own.file_kind().is_some() => {
                classes.texts += rows;
                self.stats.text_bytes += bytes.len() as u64 * rows;
                self.stats.longest_text = self.stats.longest_text.max(bytes.len() as u64);
                false
            }
            ValueRef::Blob(_) => {
                classes.blobs += rows;
                false
            }
            ValueRef::Text(text) if plan.own.has_only_numbers() => {
                if significant(text).contains(&b'.') {
                    classes.fractions += rows;
                } else {
                    classes.integers += rows;
                }
                true
            }
            ValueRef::Text(text) => {
                classes.texts += rows;
                self.stats.text_bytes += text.len() as u64 * rows;
                self.stats.longest_text = self.stats.longest_text.max(text.len() as u64);
                self.stats.marks.note(text);
                let is_like_number = matches!(text.first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b' ' | 9..=13));
                if is_like_number {
                    if plain_integer(text).is_some() {
                        classes.integer_texts += rows;
                    } else if number(text) != Number::None {
                        classes.decimal_texts += rows;
                        if text.iter().all(u8::is_ascii_digit) {
                            classes.padded_texts += rows;
                        }
                    } else if is_like_date(text) {
                        classes.date_texts += rows;
                    }
                }
                let folds = plan.own.fold != Fold::Bytes || plan.others.iter().any(|form| form.fold != Fold::Bytes);
                is_like_number || folds || plan.own.file_kind().is_some()
            }
        }
    }

    pub fn clear(&mut self) {
        self.own.clear();
        self.others.iter_mut().for_each(|keys| *keys = None);
        self.uncertain.fill(0);
        // A mark that is set is not sought again.
        self.stats = Stats { marks: self.stats.marks, ..Stats::default() };
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
