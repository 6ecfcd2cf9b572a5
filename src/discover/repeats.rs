//! Counts short values that are repeated soon after each other, so that each is converted to a key once and not for each row.

use crate::model::value::ValueRef;

/// The values that a reader saw last, each with its number of rows. A value that needs the slot of another replaces it.
#[derive(Debug, Clone)]
pub struct Repeats {
    /// Empty as long as there is no short value.
    slots: Vec<Slot>,
    values: u32,
    repeated: u32,
    /// The values that were replaced since the slots became more numerous.
    replaced: usize,
    pub is_useful: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    value: Short,
    rows: u32,
}

/// A text of at most 24 bytes, or a real number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Short {
    words: [u64; 3],
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Real,
    Text(u8),
}

/// The bytes of a word.
const WORD: usize = 8;

impl Short {
    /// Returns the value if it is short.
    #[inline]
    fn of(value: ValueRef<'_>) -> Option<Short> {
        match value {
            ValueRef::Real(number) => Some(Short { words: [number.to_bits(), 0, 0], kind: Kind::Real }),
            ValueRef::Text(text) if text.len() <= 3 * WORD => {
                // Words that overlap at the end are read faster than a number of bytes that varies.
                let word = |bytes: &[u8; WORD]| u64::from_le_bytes(*bytes);
                let words = match (text.as_chunks().0, text.last_chunk()) {
                    ([first, second, ..], Some(last)) if text.len() > 2 * WORD => {
                        [word(first), word(second), word(last)]
                    }
                    ([first, ..], Some(last)) => [word(first), word(last), 0],
                    _ => [text.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0, 0],
                };
                Some(Short { words, kind: Kind::Text(text.len() as u8) })
            }
            _ => None,
        }
    }

    /// Calls `take` with the value.
    pub fn with<T>(&self, take: impl FnOnce(ValueRef<'_>) -> T) -> T {
        let length = match self.kind {
            Kind::Real => return take(ValueRef::Real(f64::from_bits(self.words[0]))),
            Kind::Text(length) => usize::from(length),
        };
        let mut text = [0; 3 * WORD];
        for (bytes, word) in text.as_chunks_mut().0.iter_mut().zip(self.words) {
            *bytes = word.to_le_bytes();
        }
        if let Some(start) = length.checked_sub(WORD) {
            let last = self.words[length.div_ceil(WORD).clamp(2, 3) - 1];
            text[start..length].copy_from_slice(&last.to_le_bytes());
        }
        take(ValueRef::Text(&text[..length]))
    }

    /// Returns the position among so many slots, which are a power of two.
    #[inline]
    fn slot(&self, slots: usize) -> usize {
        // Both halves of the product depend on all bytes, also where texts differ only at their end.
        let [first, second, third] = self.words;
        let factors = (first ^ third ^ 0x9e37_79b9_7f4a_7c15, second ^ third.rotate_left(32) ^ 0xd6e8_feb8_6659_fd93);
        let product = u128::from(factors.0) * u128::from(factors.1);
        ((product >> 64) as u64 ^ product as u64) as usize & (slots - 1)
    }
}

/// The result of [`Repeats::take`].
pub enum Taken {
    /// The value was not taken: the caller counts it.
    Not,
    Whole,
    /// The value was taken, and the caller counts the value that was in its slot, with its rows.
    InsteadOf(Short, u32),
}

/// The slots at first, and after they have grown. Each number is a power of two.
const FIRST_SLOTS: usize = 256;
const MOST_SLOTS: usize = 8192;

/// A value is given back after so many rows, because the caller may need memory for each of them.
const MOST_ROWS: u32 = 256;

/// After so many values, a column without enough repetitions does without. The days of several years are repeated by then.
const TRIAL: u32 = 16_384;

impl Repeats {
    pub fn new(is_useful: bool) -> Repeats {
        Repeats { slots: Vec::new(), values: 0, repeated: 0, replaced: 0, is_useful }
    }

    /// Takes a value, if it is short and repetitions are frequent.
    #[inline]
    pub fn take(&mut self, value: ValueRef<'_>) -> Taken {
        if !self.is_useful {
            return Taken::Not;
        }
        let Some(short) = Short::of(value) else { return Taken::Not };
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); FIRST_SLOTS];
        }
        self.values = self.values.saturating_add(1);
        if self.values == TRIAL {
            self.is_useful = self.repeated >= TRIAL / 2;
        }
        let position = short.slot(self.slots.len());
        let slot = &mut self.slots[position];
        if slot.rows > 0 && slot.value == short {
            self.repeated = self.repeated.saturating_add(1);
            if slot.rows < MOST_ROWS {
                slot.rows += 1;
                return Taken::Whole;
            }
        }
        let before = std::mem::replace(slot, Slot { value: short, rows: 1 });
        if before.rows == 0 {
            return Taken::Whole;
        }
        if before.value != short {
            self.note_replacement();
        }
        Taken::InsteadOf(before.value, before.rows)
    }

    /// Makes more slots if many values were replaced.
    fn note_replacement(&mut self) {
        self.replaced += 1;
        if self.replaced < self.slots.len() / 4 || self.slots.len() == MOST_SLOTS {
            return;
        }
        self.replaced = 0;
        let mut slots = vec![Slot::default(); (self.slots.len() * 4).min(MOST_SLOTS)];
        // Values of different slots stay apart, because more bits select the slot.
        for slot in self.slots.drain(..).filter(|slot| slot.rows > 0) {
            let position = slot.value.slot(slots.len());
            slots[position] = slot;
        }
        self.slots = slots;
    }

    /// Gives back all values that were taken, with their rows.
    pub fn give_back(&mut self) -> impl Iterator<Item = (Short, u32)> + use<> {
        let slots = std::mem::take(&mut self.slots).into_iter();
        slots.filter(|slot| slot.rows > 0).map(|slot| (slot.value, slot.rows))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Returns the rows of each value that came back or was not taken.
    fn counted(values: &[ValueRef<'_>]) -> (BTreeMap<String, u32>, bool) {
        let (mut repeats, mut counts) = (Repeats::new(true), BTreeMap::new());
        let mut add = |value: ValueRef<'_>, rows: u32| *counts.entry(format!("{value:?}")).or_default() += rows;
        for value in values {
            match repeats.take(*value) {
                Taken::Not => add(*value, 1),
                Taken::Whole => {}
                Taken::InsteadOf(short, rows) => {
                    assert!(rows <= MOST_ROWS);
                    short.with(|value| add(value, rows));
                }
            }
        }
        repeats.give_back().for_each(|(short, rows)| short.with(|value| add(value, rows)));
        (counts, repeats.is_useful)
    }

    #[test]
    fn every_row_is_counted_once() {
        let mut rng = fastrand::Rng::with_seed(5);
        for distinct in [1, 7, 500, 2_500, 50_000, 100_000] {
            let numbers: Vec<u32> = (0..40_000).map(|_| rng.u32(0..distinct)).collect();
            let texts: Vec<String> =
                numbers.iter().map(|number| "x".repeat((*number % 26) as usize) + &number.to_string()).collect();
            let values = numbers.iter().zip(&texts).map(|(number, text)| match number % 3 {
                0 => ValueRef::Real(f64::from(*number) / 4.0),
                _ => ValueRef::Text(text.as_bytes()),
            });
            let values: Vec<ValueRef<'_>> = values.collect();
            let mut expected: BTreeMap<String, u32> = BTreeMap::new();
            values.iter().for_each(|value| *expected.entry(format!("{value:?}")).or_default() += 1);
            let (counts, is_useful) = counted(&values);
            assert_eq!(counts, expected);
            assert_eq!(is_useful, distinct <= 2_500, "{distinct}");
        }
    }

    #[test]
    fn text_of_every_length_comes_back_as_it_was() {
        let text: Vec<u8> = (b'a'..=b'z').collect();
        assert!(Short::of(ValueRef::Text(&text)).is_none());
        for length in 0..=24 {
            let value = ValueRef::Text(&text[..length]);
            Short::of(value).unwrap().with(|back| assert_eq!(back, value));
        }
    }

    #[test]
    fn equal_bytes_of_another_length_or_kind_are_another_value() {
        let zero = f64::from_bits(u64::from_le_bytes(*b"abcdefgh"));
        let values = [ValueRef::Text(b"a"), ValueRef::Text(b"a\0"), ValueRef::Text(b"abcdefgh"), ValueRef::Real(zero)];
        assert_eq!(counted(&values).0.len(), 4);
    }
}
