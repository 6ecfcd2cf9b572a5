//! Counts short values that are repeated soon after each other, so that each is converted to a key once and not for each row.

use crate::model::value::ValueRef;

/// The values that a reader saw last, each with its number of rows. A value that needs the slot of another replaces it.
#[derive(Debug, Clone)]
pub struct Repeats {
    /// Empty as long as there is no short value, and once repetitions are rare.
    slots: Vec<Slot>,
    values: u32,
    repeated: u32,
    pub is_useful: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    value: Short,
    rows: u32,
}

/// A text of at most 16 bytes, or a real number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Short {
    bytes: u128,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Real,
    Text(u8),
}

impl Short {
    /// Returns the value if it is short.
    #[inline]
    fn of(value: ValueRef<'_>) -> Option<Short> {
        match value {
            ValueRef::Real(number) => Some(Short { bytes: number.to_bits().into(), kind: Kind::Real }),
            ValueRef::Text(text) if text.len() <= 16 => {
                let mut bytes = [0; 16];
                bytes[..text.len()].copy_from_slice(text);
                Some(Short { bytes: u128::from_le_bytes(bytes), kind: Kind::Text(text.len() as u8) })
            }
            _ => None,
        }
    }

    /// Calls `take` with the value.
    pub fn with<T>(&self, take: impl FnOnce(ValueRef<'_>) -> T) -> T {
        match self.kind {
            Kind::Real => take(ValueRef::Real(f64::from_bits(self.bytes as u64))),
            Kind::Text(length) => take(ValueRef::Text(&self.bytes.to_le_bytes()[..usize::from(length)])),
        }
    }

    #[inline]
    fn slot(&self) -> usize {
        let mixed = (self.bytes as u64 ^ (self.bytes >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - SLOTS.trailing_zeros())) as usize
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

/// A power of two.
const SLOTS: usize = 1024;

/// A value is given back after so many rows, because the caller may need memory for each of them.
const MOST_ROWS: u32 = 256;

/// After so many values, a column without enough repetitions does without.
const TRIAL: u32 = 4096;

impl Repeats {
    pub fn new(is_useful: bool) -> Repeats {
        Repeats { slots: Vec::new(), values: 0, repeated: 0, is_useful }
    }

    /// Takes a value, if it is short and repetitions are frequent.
    #[inline]
    pub fn take(&mut self, value: ValueRef<'_>) -> Taken {
        if !self.is_useful {
            return Taken::Not;
        }
        let Some(short) = Short::of(value) else { return Taken::Not };
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); SLOTS];
        }
        self.values = self.values.saturating_add(1);
        if self.values == TRIAL {
            self.is_useful = self.repeated >= TRIAL / 2;
        }
        let slot = &mut self.slots[short.slot()];
        if slot.rows > 0 && slot.value == short {
            self.repeated = self.repeated.saturating_add(1);
            if slot.rows < MOST_ROWS {
                slot.rows += 1;
                return Taken::Whole;
            }
        }
        let before = std::mem::replace(slot, Slot { value: short, rows: 1 });
        if before.rows > 0 { Taken::InsteadOf(before.value, before.rows) } else { Taken::Whole }
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
        for distinct in [1, 7, 500, 5_000, 100_000] {
            let numbers: Vec<u32> = (0..20_000).map(|_| rng.u32(0..distinct)).collect();
            let texts: Vec<String> =
                numbers.iter().map(|number| "x".repeat((*number % 20) as usize) + &number.to_string()).collect();
            let values = numbers.iter().zip(&texts).map(|(number, text)| match number % 3 {
                0 => ValueRef::Real(f64::from(*number) / 4.0),
                _ => ValueRef::Text(text.as_bytes()),
            });
            let values: Vec<ValueRef<'_>> = values.collect();
            let mut expected: BTreeMap<String, u32> = BTreeMap::new();
            values.iter().for_each(|value| *expected.entry(format!("{value:?}")).or_default() += 1);
            let (counts, is_useful) = counted(&values);
            assert_eq!(counts, expected);
            assert_eq!(is_useful, distinct <= 500, "{distinct}");
        }
    }

    #[test]
    fn equal_bytes_of_another_length_or_kind_are_another_value() {
        let zero = f64::from_bits(u64::from_le_bytes(*b"abcdefgh"));
        let values = [ValueRef::Text(b"a"), ValueRef::Text(b"a\0"), ValueRef::Text(b"abcdefgh"), ValueRef::Real(zero)];
        assert_eq!(counted(&values).0.len(), 4);
    }
}
