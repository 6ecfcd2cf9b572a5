//! The key of a value in a form.
//!
//! Two values have the same key in a form exactly if the engine finds them equal under it. A value for which that is not
//! certain is marked, and the engine itself then counts the pair.

use siphasher::sip128::SipHasher13;

use super::form::Conversion;
use super::form::Fold;
use super::form::Form;
use super::text_number::Number;
use super::text_number::number;
use super::text_number::plain_integer;
use super::text_number::significant;
use crate::engine::TextHasher;
use crate::model::value::ValueRef;

/// The key of a value. A text under an affinity that converts it to an integer, or that converts integers to text, has
/// the key of the integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueKey {
    Integer(i64),
    Hash(u128),
}

/// A key, and true if only the engine can compare the value for certain.
pub type CertainKey = (ValueKey, bool);

/// Hashes texts under secrets that are drawn anew for each run.
#[derive(Debug, Clone)]
pub struct KeyHasher {
    hasher: TextHasher,
    /// The secret of each class.
    secrets: [u128; Class::ALL.len()],
}

/// A class of values that no text equals.
#[derive(Debug, Clone, Copy)]
enum Class {
    Real,
    Blob,
    Collated,
    Exact,
}

impl Class {
    const ALL: [Class; 4] = [Class::Real, Class::Blob, Class::Collated, Class::Exact];
}

/// The integers that a real number holds exactly.
const EXACT_IN_REAL: u64 = 1 << 53;

impl KeyHasher {
    pub fn new(seed: (u64, u64)) -> KeyHasher {
        let source = SipHasher13::new_with_keys(!seed.0, !seed.1);
        let secrets = Class::ALL.map(|class| source.hash(&[class as u8]).as_u128());
        KeyHasher { hasher: TextHasher::new(seed), secrets }
    }

    fn text(&self, text: &[u8]) -> ValueKey {
        ValueKey::Hash(self.bytes(text))
    }

    /// Returns the hash that the key of a text has where nothing converts or folds it.
    pub fn bytes(&self, text: &[u8]) -> u128 {
        self.hasher.hash(text)
    }

    /// A secret of the class is part of the hash, so that a number never has the hash of a text.
    fn tagged(&self, class: Class, bytes: &[u8]) -> ValueKey {
        ValueKey::Hash(self.hasher.hash(bytes) ^ self.secrets[class as usize])
    }

    /// Returns the hash of several keys in their order.
    pub fn joined(&self, keys: &[ValueKey], scratch: &mut Vec<u8>) -> u128 {
        scratch.clear();
        for key in keys {
            match key {
                ValueKey::Integer(number) => {
                    scratch.push(b'i');
                    scratch.extend_from_slice(&number.to_le_bytes());
                }
                ValueKey::Hash(hash) => {
                    scratch.push(b'h');
                    scratch.extend_from_slice(&hash.to_le_bytes());
                }
            }
        }
        self.hasher.hash(scratch)
    }
}

impl Form {
    /// Returns the key of a value that is not NULL. `collated` is its comparison key, if the engine gives one.
    pub fn key(
        self,
        value: ValueRef<'_>,
        collated: Option<ValueRef<'_>>,
        hasher: &KeyHasher,
        scratch: &mut Vec<u8>,
    ) -> CertainKey {
        match (self.conversion, collated) {
            (Conversion::Spelling(_), Some(ValueRef::Text(key) | ValueRef::Blob(key))) if self.is_collated() => {
                return (hasher.tagged(Class::Collated, key), false);
            }
            (Conversion::Spelling(_) | Conversion::TextOfType(_), _) => {
                return self.spelled_key(value, hasher, scratch);
            }
            (Conversion::File(_), collated) => return (file_key(collated.unwrap_or(value), hasher), false),
            (Conversion::Exact, _) => return exact_key(value, hasher),
            (Conversion::FloatingPoint, _) => return floating_key(value, hasher),
            _ => {}
        }
        match value {
            ValueRef::Null => (ValueKey::Hash(0), true),
            ValueRef::Integer(number) => self.integer_key(number, hasher),
            ValueRef::Real(number) => (self.real_key(number, hasher), false),
            ValueRef::Text(text) => self.text_key(text, hasher, scratch),
            ValueRef::Blob(bytes) => (hasher.tagged(Class::Blob, bytes), false),
        }
    }

    fn spelled_key(self, value: ValueRef<'_>, hasher: &KeyHasher, scratch: &mut Vec<u8>) -> CertainKey {
        let is_certain = !matches!(self.fold, Fold::Collation(_) | Fold::Engine);
        match value {
            ValueRef::Integer(number) => (ValueKey::Integer(number), !is_certain),
            ValueRef::Text(text) => {
                let (folded, is_certain) = self.fold.folded(text, scratch);
                (hasher.text(folded), !is_certain)
            }
            ValueRef::Real(number) => (real(number, hasher), true),
            ValueRef::Blob(bytes) => (hasher.tagged(Class::Blob, bytes), !is_certain),
            ValueRef::Null => (ValueKey::Hash(0), true),
        }
    }

    fn integer_key(self, number: i64, hasher: &KeyHasher) -> CertainKey {
        if self.conversion == Conversion::Real && number.unsigned_abs() > EXACT_IN_REAL {
            // SQLite rounds the integer only if it looks the parent up in an index.
            return (real(number as f64, hasher), true);
        }
        (ValueKey::Integer(number), false)
    }

    fn real_key(self, number: f64, hasher: &KeyHasher) -> ValueKey {
        if self.conversion == Conversion::Text {
            // SQLite compares the text of the number, such as `1.0` or `0.5`. Without such texts no parent is equal, and
            // with them the engine counts the pair.
            return hasher.tagged(Class::Real, &number.to_bits().to_le_bytes());
        }
        real(number, hasher)
    }

    fn text_key(self, text: &[u8], hasher: &KeyHasher, scratch: &mut Vec<u8>) -> CertainKey {
        let (folded, is_certain) = self.fold.folded(text, scratch);
        match self.conversion {
            Conversion::None => (hasher.text(folded), !is_certain),
            Conversion::Text => match plain_integer(folded) {
                Some(number) => (ValueKey::Integer(number), !is_certain),
                None => (hasher.text(folded), !is_certain),
            },
            _ => match number(text) {
                Number::None => (hasher.text(folded), !is_certain),
                Number::Integer(number) => self.integer_key(number, hasher),
                Number::Real(number, is_exact) => (real(number, hasher), !is_exact),
            },
        }
    }
}

/// Returns the key of a value of a file. Only a number that is no 64-bit integer has binary data as its key.
fn file_key(value: ValueRef<'_>, hasher: &KeyHasher) -> ValueKey {
    match value {
        ValueRef::Integer(number) => ValueKey::Integer(number),
        ValueRef::Text(text) => hasher.text(text),
        ValueRef::Blob(bytes) => hasher.tagged(Class::Collated, bytes),
        ValueRef::Real(number) => real(number, hasher),
        ValueRef::Null => ValueKey::Hash(0),
    }
}

/// Returns the key of an exact number of a server. One that is no 64-bit integer arrives as text.
fn exact_key(value: ValueRef<'_>, hasher: &KeyHasher) -> CertainKey {
    match value {
        ValueRef::Integer(number) => (ValueKey::Integer(number), false),
        ValueRef::Text(text) => {
            let digits = significant(text);
            let integer = plain_integer(digits).map(ValueKey::Integer);
            (integer.unwrap_or_else(|| hasher.tagged(Class::Exact, digits)), false)
        }
        // The server compares a fraction with an exact number in a way of its own.
        ValueRef::Real(number) => (real(number, hasher), number.fract() != 0.0 || number.abs() > EXACT_IN_REAL as f64),
        ValueRef::Blob(_) | ValueRef::Null => (ValueKey::Hash(0), true),
    }
}

/// Returns the key of a floating-point number of a server, or of an exact number that is compared with one.
fn floating_key(value: ValueRef<'_>, hasher: &KeyHasher) -> CertainKey {
    match value {
        ValueRef::Integer(number) if number.unsigned_abs() <= EXACT_IN_REAL => (ValueKey::Integer(number), false),
        ValueRef::Integer(number) => (real(number as f64, hasher), true),
        ValueRef::Real(number) if number.is_nan() => (real(f64::NAN, hasher), false),
        ValueRef::Real(number) => (real(number, hasher), false),
        ValueRef::Text(text) => match plain_integer(significant(text)) {
            Some(number) => floating_key(ValueRef::Integer(number), hasher),
            None => (hasher.tagged(Class::Exact, text), true),
        },
        ValueRef::Blob(_) | ValueRef::Null => (ValueKey::Hash(0), true),
    }
}

/// Returns the key of a real number. A whole number has the key of the integer, because SQLite finds them equal.
fn real(number: f64, hasher: &KeyHasher) -> ValueKey {
    const LEAST: f64 = -9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && (LEAST..-LEAST).contains(&number) {
        return ValueKey::Integer(number as i64);
    }
    hasher.tagged(Class::Real, &number.to_bits().to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(conversion: Conversion, fold: Fold, value: ValueRef<'_>) -> CertainKey {
        Form { conversion, fold }.key(value, None, &KeyHasher::new((1, 2)), &mut Vec::new())
    }

    fn same(conversion: Conversion, left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
        key(conversion, Fold::Bytes, left).0 == key(conversion, Fold::Bytes, right).0
    }

    #[test]
    fn text_of_an_integer_equals_the_integer_if_the_affinity_says_so() {
        let (one, text) = (ValueRef::Integer(1), ValueRef::Text(b"1"));
        assert!(same(Conversion::Numeric, one, text) && same(Conversion::Text, one, text));
        assert!(!same(Conversion::None, one, text));
        for odd in [&b"01"[..], b" 1", b"1.0", b"+1", b"1e0", b"1 "] {
            assert!(same(Conversion::Numeric, one, ValueRef::Text(odd)), "{odd:?}");
            assert!(!same(Conversion::Text, one, ValueRef::Text(odd)), "{odd:?}");
        }
    }

    #[test]
    fn real_numbers_equal_integers_exactly() {
        assert!(same(Conversion::None, ValueRef::Real(1.0), ValueRef::Integer(1)));
        assert!(same(Conversion::Numeric, ValueRef::Real(-0.0), ValueRef::Integer(0)));
        let large = (1 << 53) + 1;
        assert!(!same(Conversion::Numeric, ValueRef::Real(large as f64), ValueRef::Integer(large)));
        assert!(key(Conversion::Real, Fold::Bytes, ValueRef::Integer(large)).1);
        assert!(!same(Conversion::None, ValueRef::Real(9_223_372_036_854_775_808.0), ValueRef::Integer(i64::MAX)));
        assert!(!same(Conversion::Text, ValueRef::Real(1.0), ValueRef::Integer(1)));
    }

    #[test]
    fn exact_number_has_one_key_whatever_its_scale() {
        let same = |left: ValueRef<'_>, right: ValueRef<'_>| same(Conversion::Exact, left, right);
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        assert!(same(text("1.50"), text("1.5")) && same(text("2.00"), ValueRef::Integer(2)));
        assert!(same(text("-0.00"), ValueRef::Integer(0)) && !same(text("100"), ValueRef::Integer(1)));
        assert!(!same(text("18446744073709551615"), ValueRef::Integer(-1)));
        assert!(key(Conversion::Exact, Fold::Bytes, ValueRef::Real(0.5)).1);
        assert!(key(Conversion::FloatingPoint, Fold::Bytes, text("0.5")).1);
        assert!(!key(Conversion::FloatingPoint, Fold::Bytes, text("5.0")).1);
    }

    #[test]
    fn collation_folds_the_text() {
        let text = |fold, text: &'static [u8]| key(Conversion::Text, fold, ValueRef::Text(text));
        assert_eq!(text(Fold::NoCase, b"Ab"), text(Fold::NoCase, b"aB"));
        assert_ne!(text(Fold::NoCase, "É".as_bytes()).0, text(Fold::NoCase, "é".as_bytes()).0);
        assert_eq!(text(Fold::RightTrim, b"12  "), (ValueKey::Integer(12), false));
        assert_ne!(text(Fold::Bytes, b"a "), text(Fold::Bytes, b"a"));
        assert!(text(Fold::NoCase, b"a\0b").1);
    }
}
