//! One value of a file: its canonical form, in which equal values have equal bytes, and the form in which it is shown.

use crate::model::value::Value;

use super::civil;
use super::number;
use super::number::Number;
use super::types::Class;
use super::types::FileType;

/// A value as the file stores it. The type of its column says what it means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) enum Cell<'a> {
    Null,
    Integer(i64),
    Unsigned(u64),
    /// The digits of a decimal without its point, or a number of units of time.
    Wide(i128),
    Real(f64),
    Bytes(&'a [u8]),
}

/// The part of a key that a cell gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<T> {
    Value(T),
    Null,
    /// The cell has no value of the class, so it is equal to nothing.
    Unequal,
}

/// A cell with the type of its column and the class in which it is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparand<'a> {
    pub(super) cell: Cell<'a>,
    pub(super) of: &'a FileType,
    pub(super) class: Class,
}

impl Comparand<'_> {
    /// Returns the value, if every value of the class that can have an equal is an integer.
    #[inline(always)]
    pub(super) fn integer(&self) -> Part<i64> {
        match (self.cell, self.of) {
            (Cell::Null, _) => Part::Null,
            (Cell::Integer(number), kind) if kind.is_integer() => Part::Value(number),
            (Cell::Bytes(text), _) if matches!(self.class, Class::Number { .. }) => match number::plain_integer(text) {
                Some(number) => Part::Value(number),
                None => self.other_integer(),
            },
            _ => self.other_integer(),
        }
    }

    fn other_integer(&self) -> Part<i64> {
        let found = match (self.class, self.cell) {
            (Class::Number { .. }, _) => self.number().and_then(Number::as_integer),
            (Class::Boolean, Cell::Bytes(text)) => boolean(text).map(i64::from),
            (Class::Date, Cell::Bytes(text)) => civil::date(text),
            _ => None,
        };
        found.map_or(Part::Unequal, Part::Value)
    }

    /// Appends the canonical form: equal bytes mean equal values, and no form begins another.
    pub(super) fn feed(&self, into: &mut Vec<u8>) -> Part<()> {
        if self.cell == Cell::Null {
            return Part::Null;
        }
        let is_known = match self.class {
            Class::Number { .. } => self.number().map(|number| number.feed(into)),
            Class::Boolean | Class::Date => match self.integer() {
                Part::Value(number) => {
                    Number::of_integer(number).feed(into);
                    Some(())
                }
                _ => None,
            },
            Class::Time | Class::Timestamp { .. } => self.time().map(|number| number.feed(into)),
            Class::Uuid => self.uuid().map(|bytes| into.extend_from_slice(&bytes)),
            Class::Bytes => self.bytes().map(|bytes| {
                into.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                into.extend_from_slice(bytes);
            }),
        };
        is_known.map_or(Part::Unequal, Part::Value)
    }

    /// Returns the bytes of a text or of binary data.
    #[inline(always)]
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self.cell {
            Cell::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn number(&self) -> Option<Number> {
        match (self.cell, self.of) {
            (Cell::Integer(number), FileType::Decimal { scale }) => {
                Some(Number::of_decimal(i128::from(number), -i64::from(*scale)))
            }
            (Cell::Wide(number), FileType::Decimal { scale }) => Some(Number::of_decimal(number, -i64::from(*scale))),
            (Cell::Integer(number), _) => Some(Number::of_integer(number)),
            (Cell::Unsigned(number), _) => Some(Number::of_decimal(i128::from(number), 0)),
            (Cell::Real(number), _) => Some(Number::of_real(number)),
            (Cell::Bytes(text), _) => number::of_text(text, self.class == Class::Number { is_real: true }),
            (Cell::Null | Cell::Wide(_), _) => None,
        }
    }

    fn time(&self) -> Option<Number> {
        match (self.cell, self.of) {
            (Cell::Integer(number), FileType::Time { digits } | FileType::Timestamp { digits, .. }) => {
                Some(Number::of_decimal(i128::from(number), -i64::from(*digits)))
            }
            (Cell::Wide(number), FileType::Timestamp { digits, .. }) => {
                Some(Number::of_decimal(number, -i64::from(*digits)))
            }
            (Cell::Bytes(_), _) => Some(Number::of_decimal(self.nanoseconds()?, -i64::from(NANOSECONDS))),
            _ => None,
        }
    }

    /// Returns the nanoseconds of a time that is written as text.
    fn nanoseconds(&self) -> Option<i128> {
        match self.class {
            Class::Time => civil::time(self.bytes()?).map(i128::from),
            Class::Timestamp { is_utc } => civil::timestamp(self.bytes()?, is_utc),
            _ => None,
        }
    }

    fn uuid(&self) -> Option<[u8; 16]> {
        let Cell::Bytes(bytes) = self.cell else { return None };
        if *self.of == FileType::Uuid { bytes.try_into().ok() } else { uuid_of_text(bytes) }
    }

    /// Returns the value as a missing key shows it: untyped text as a value of the class, if it is one. Equal values are shown
    /// alike.
    pub(super) fn shown_key(&self) -> Value {
        self.shown_in_class().unwrap_or_else(|| shown(self.cell, self.of))
    }

    /// Returns the value as one of the class; `None` if the cell is shown as it is.
    fn shown_in_class(&self) -> Option<Value> {
        if let Class::Number { .. } = self.class {
            let number = self.number()?;
            return number.as_integer().map(Value::Integer).or_else(|| self.shown_number(number));
        }
        let FileType::Untyped = self.of else { return None };
        match self.class {
            Class::Number { .. } | Class::Bytes => None,
            Class::Boolean | Class::Date => match self.integer() {
                Part::Value(number) if self.class == Class::Date => Some(shown(Cell::Integer(number), &FileType::Date)),
                Part::Value(number) => Some(Value::Integer(number)),
                Part::Null | Part::Unequal => None,
            },
            Class::Time => Some(Value::text(civil::shown_time(self.nanoseconds()?, NANOSECONDS))),
            Class::Timestamp { is_utc } => {
                Some(Value::text(civil::shown_timestamp(self.nanoseconds()?, NANOSECONDS, is_utc)))
            }
            Class::Uuid => Some(shown(Cell::Bytes(&self.uuid()?), &FileType::Uuid)),
        }
    }

    /// Returns a number that is written as text and is no integer of 64 bits.
    fn shown_number(&self, number: Number) -> Option<Value> {
        let Cell::Bytes(text) = self.cell else { return None };
        let real = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        match real.filter(|&real| self.class == Class::Number { is_real: true } && Number::of_real(real) == number) {
            Some(real) => Some(shown(Cell::Real(real), &FileType::Real)),
            None => number.text().map(Value::text),
        }
    }

    /// Returns the key of the value in its class: an integer, the text by which equal values are shown, or the canonical form of
    /// a number that is no integer. A value that is none of the class has its bytes as its key, and no equal.
    pub(super) fn key(&self, scratch: &mut Vec<u8>) -> Value {
        if self.cell == Cell::Null {
            return Value::Null;
        }
        let unequal = || {
            let bytes = self.bytes().unwrap_or_default();
            // A date or a time out of range is shown like this text. Nothing is equal to the text.
            let is_like_time = bytes.iter().skip(1).any(|byte| matches!(byte, b'-' | b':'));
            let has_equal_text = matches!(self.class, Class::Date | Class::Time | Class::Timestamp { .. });
            if is_like_time && has_equal_text { Value::Blob(bytes.to_vec()) } else { Value::Text(bytes.to_vec()) }
        };
        match self.class {
            Class::Number { .. } => match self.number() {
                Some(number) => number.as_integer().map_or_else(
                    || {
                        scratch.clear();
                        number.feed(scratch);
                        Value::Blob(scratch.clone())
                    },
                    Value::Integer,
                ),
                None => unequal(),
            },
            Class::Bytes => Value::Text(self.bytes().unwrap_or_default().to_vec()),
            _ => self.shown_in_class().unwrap_or_else(unequal),
        }
    }
}

/// The digits of a fraction of a second in nanoseconds.
const NANOSECONDS: u32 = 9;

/// Returns the value as reports and the private database have it.
pub(in crate::engine) fn shown(cell: Cell<'_>, of: &FileType) -> Value {
    match (cell, of) {
        (Cell::Null, _) => Value::Null,
        (Cell::Integer(days), FileType::Date) => Value::text(civil::shown_date(days)),
        (Cell::Integer(number), FileType::Time { digits }) => {
            Value::text(civil::shown_time(i128::from(number), *digits))
        }
        (Cell::Integer(number), FileType::Timestamp { digits, is_utc }) => {
            Value::text(civil::shown_timestamp(i128::from(number), *digits, *is_utc))
        }
        (Cell::Wide(number), FileType::Timestamp { digits, is_utc }) => {
            Value::text(civil::shown_timestamp(number, *digits, *is_utc))
        }
        (Cell::Integer(number), FileType::Decimal { scale }) => decimal(i128::from(number), *scale),
        (Cell::Wide(number), FileType::Decimal { scale }) => decimal(number, *scale),
        (Cell::Integer(number), _) => Value::Integer(number),
        (Cell::Unsigned(number), _) => decimal(i128::from(number), 0),
        (Cell::Wide(number), _) => decimal(number, 0),
        (Cell::Real(number), _) if number.is_nan() => Value::text("NaN"),
        (Cell::Real(number), _) => Value::Real(number),
        (Cell::Bytes(bytes), FileType::Uuid) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            match [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range)) {
                [Some(a), Some(b), Some(c), Some(d), Some(e)] => Value::text(format!("{a}-{b}-{c}-{d}-{e}")),
                _ => Value::Blob(bytes.to_vec()),
            }
        }
        (Cell::Bytes(bytes), FileType::Binary) => Value::Blob(bytes.to_vec()),
        (Cell::Bytes(bytes), FileType::Number) => match number::of_text(bytes, false).and_then(Number::as_integer) {
            Some(number) => Value::Integer(number),
            None => Value::Text(bytes.to_vec()),
        },
        (Cell::Bytes(bytes), _) => Value::Text(bytes.to_vec()),
    }
}

/// Returns an integer, or the digits of a number with its point.
fn decimal(number: i128, scale: u32) -> Value {
    if let (0, Ok(number)) = (scale, i64::try_from(number)) {
        return Value::Integer(number);
    }
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let sign = if number < 0 { "-" } else { "" };
    Value::text(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

fn boolean(text: &[u8]) -> Option<bool> {
    [(&b"false"[..], false), (b"true", true)].iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|at| at.1)
}

/// Returns the bytes of a UUID in its usual spelling: `0b7c2f3e-9a1d-4c5b-8e6f-001122334455`.
fn uuid_of_text(text: &[u8]) -> Option<[u8; 16]> {
    let is_hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    if text.len() != 36 || (0..36).any(|at| (text[at] == b'-') != is_hyphen(at)) {
        return None;
    }
    let mut digits = text.iter().filter(|byte| **byte != b'-').map(|byte| char::from(*byte).to_digit(16));
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = (digits.next()?? * 16 + digits.next()??) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(cell: Cell<'_>, of: &FileType, class: Class) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match (Comparand { cell, of, class }).feed(&mut bytes) {
            Part::Value(()) => Some(bytes),
            Part::Null | Part::Unequal => None,
        }
    }

    #[test]
    fn equal_values_of_different_types_have_the_same_form() {
        let real = Class::Number { is_real: true };
        let exact = Class::Number { is_real: false };
        let text = |text: &'static str| (Cell::Bytes(text.as_bytes()), FileType::Untyped);
        let equal = [
            (exact, (Cell::Integer(100), FileType::Decimal { scale: 2 }), (Cell::Integer(1), FileType::Integer)),
            (real, (Cell::Real(7.0), FileType::Real), (Cell::Integer(7), FileType::Integer)),
            (real, (Cell::Real(-0.0), FileType::Real), (Cell::Real(0.0), FileType::Real)),
            (real, (Cell::Real(f64::NAN), FileType::Real), (Cell::Real(-f64::NAN), FileType::Real)),
            (real, (Cell::Real(0.5), FileType::Real), (Cell::Wide(50), FileType::Decimal { scale: 2 })),
            (real, (Cell::Real(0.1), FileType::Real), text("0.1")),
            (exact, (Cell::Unsigned(u64::MAX), FileType::Unsigned), text("18446744073709551615")),
            (exact, (Cell::Integer(7), FileType::Integer), text("007")),
            (exact, (Cell::Integer(7), FileType::Integer), text("7.0")),
            (Class::Date, (Cell::Integer(20_454), FileType::Date), text("2026-01-01")),
            (Class::Boolean, (Cell::Integer(1), FileType::Boolean), text("True")),
            (Class::Bytes, (Cell::Bytes(b"a"), FileType::Text), text("a")),
            (exact, (Cell::Bytes(b"1.50e1"), FileType::Number), (Cell::Integer(15), FileType::Integer)),
            (real, (Cell::Bytes(b"0.1"), FileType::Number), (Cell::Real(0.1), FileType::Real)),
        ];
        for (class, (left, of_left), (right, of_right)) in equal {
            let form = canonical(left, &of_left, class);
            assert!(form.is_some(), "{left:?}");
            assert_eq!(form, canonical(right, &of_right, class), "{left:?} and {right:?}");
        }
    }

    #[test]
    fn different_values_have_different_forms() {
        let class = Class::Number { is_real: true };
        let cells = [
            (Cell::Integer(9_007_199_254_740_993), FileType::Integer),
            (Cell::Real(9_007_199_254_740_992.0), FileType::Real),
            (Cell::Integer(-1), FileType::Integer),
            (Cell::Unsigned(u64::MAX), FileType::Unsigned),
            (Cell::Real(0.1), FileType::Real),
            (Cell::Integer(1), FileType::Decimal { scale: 1 }),
            (Cell::Real(f64::INFINITY), FileType::Real),
            (Cell::Real(f64::NEG_INFINITY), FileType::Real),
            (Cell::Real(f64::NAN), FileType::Real),
            (Cell::Real(f64::MIN_POSITIVE), FileType::Real),
            (Cell::Real(f64::MAX), FileType::Real),
        ];
        let mut forms: Vec<Vec<u8>> = cells.iter().map(|(cell, of)| canonical(*cell, of, class).unwrap()).collect();
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), cells.len());
        for text in ["", " 7", "7 ", "x", "1e", "--1", "0x10", "9007199254740993x"] {
            let untyped = canonical(Cell::Bytes(text.as_bytes()), &FileType::Untyped, class);
            assert_eq!(untyped, None, "{text:?}");
        }
    }

    #[test]
    fn uuid_is_read_in_its_usual_spelling_only() {
        let stored = [0x0b, 0x7c, 0x2f, 0x3e, 0x9a, 0x1d, 0x4c, 0x5b, 0x8e, 0x6f, 0, 0x11, 0x22, 0x33, 0x44, 0x55];
        let form = canonical(Cell::Bytes(&stored), &FileType::Uuid, Class::Uuid);
        assert_eq!(shown(Cell::Bytes(&stored), &FileType::Uuid), Value::text("0b7c2f3e-9a1d-4c5b-8e6f-001122334455"));
        let of_text = |text: &str| canonical(Cell::Bytes(text.as_bytes()), &FileType::Untyped, Class::Uuid);
        assert_eq!(of_text("0B7C2F3E-9A1D-4C5B-8E6F-001122334455"), form);
        assert_eq!(of_text("0b7c2f3e9a1d4c5b8e6f001122334455"), None);
        assert_eq!(of_text("0b7c2f3e-9a1d-4c5b-8e6f-00112233445g"), None);
    }

    #[test]
    fn decimal_is_shown_with_its_point() {
        assert_eq!(shown(Cell::Integer(-5), &FileType::Decimal { scale: 2 }), Value::text("-0.05"));
        assert_eq!(shown(Cell::Wide(12_345), &FileType::Decimal { scale: 2 }), Value::text("123.45"));
        assert_eq!(shown(Cell::Wide(7), &FileType::Decimal { scale: 0 }), Value::Integer(7));
        assert_eq!(shown(Cell::Unsigned(u64::MAX), &FileType::Unsigned), Value::text("18446744073709551615"));
    }
}
