//! Turns stored values into keys that can be compared without SQLite.
//!
//! The guarantee is one-sided: two keys that are equal here are equal to SQLite. A value for which that is not certain
//! (a real number, text that the parent's affinity would convert) becomes [`Key::Outside`], and SQLite judges it.
//! Therefore nothing here reimplements SQLite's conversions.

use std::cmp::Ordering;

use siphasher::sip128::SipHasher13;

use super::digest::DigestSecret;
use super::header::Encoding;
use super::record::Stored;
use crate::engine::keyset::Key;
use crate::engine::keyset::text_hash::TextHasher;
use crate::model::catalog::Family;

/// How the columns of a parent key compare, in the key's order.
#[derive(Debug, Clone)]
pub struct KeyComparison {
    columns: Vec<Column>,
    shape: Shape,
    hasher: SipHasher13,
    /// The hasher for a key that is a single text under BINARY.
    text_hasher: Option<TextHasher>,
    digest_secret: DigestSecret,
}

#[derive(Debug, Clone)]
struct Column {
    family: Family,
    fold: Fold,
    descending: bool,
}

/// A collation that is built into SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Bytes,
    NoCase(Encoding),
    RightTrim(Encoding),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Integer,
    TwoIntegers,
    Hashed,
}

impl KeyComparison {
    /// `columns` gives each parent column's affinity and collation, and true if the index holds it in descending order.
    /// Returns `None` if a collation is not built into SQLite.
    pub fn new<'a>(
        columns: impl IntoIterator<Item = (&'a Family, Option<&'a str>, bool)>,
        encoding: Encoding,
        seed: (u64, u64),
    ) -> Option<KeyComparison> {
        let mut rules = Vec::new();
        for (family, collation, descending) in columns {
            let fold = match collation.map(str::to_ascii_uppercase).as_deref() {
                None | Some("BINARY") => Fold::Bytes,
                Some("NOCASE") => Fold::NoCase(encoding),
                Some("RTRIM") => Fold::RightTrim(encoding),
                Some(_) => return None,
            };
            rules.push(Column { family: family.clone(), fold, descending });
        }
        let integers = rules.iter().all(|column| column.family == Family::Integer);
        let shape = match (integers, rules.len()) {
            (true, 1) => Shape::Integer,
            (true, 2) => Shape::TwoIntegers,
            _ => Shape::Hashed,
        };
        let is_single_text =
            matches!(&rules[..], [Column { family: Family::Text | Family::Untyped, fold: Fold::Bytes, .. }]);
        let text_hasher = is_single_text.then(|| TextHasher::new(seed));
        Some(KeyComparison {
            columns: rules,
            shape,
            hasher: SipHasher13::new_with_keys(seed.0, seed.1),
            text_hasher,
            digest_secret: DigestSecret::new(seed),
        })
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// True if a key that no parent has is certainly none for SQLite: if all values of both sides can be compared here,
    /// and their order is the order of their bytes.
    pub fn proves_absence(&self, encoding: Encoding) -> bool {
        let plain = |column: &Column| column.family != Family::Real && column.fold == Fold::Bytes;
        self.shape != Shape::Hashed || (encoding == Encoding::Utf8 && self.columns.iter().all(plain))
    }

    /// True if [`KeyComparison::text_key`] gives the key of every text.
    pub fn is_single_text(&self) -> bool {
        self.text_hasher.is_some()
    }

    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns the key of these values, which are in the key's order.
    #[inline(always)]
    pub(in crate::engine) fn key(&self, values: &[Stored<'_>], scratch: &mut Vec<u8>) -> Key {
        match (self.shape, values) {
            (Shape::Integer, [Stored::Integer(number)]) => Key::Integer(*number),
            (Shape::TwoIntegers, [Stored::Integer(first), Stored::Integer(second)]) => Key::pair(*first, *second),
            (Shape::Hashed, [Stored::Text(text)]) => {
                self.text_key(text).unwrap_or_else(|| self.other_key(values, scratch))
            }
            _ => self.other_key(values, scratch),
        }
    }

    /// Returns the key of a single text under BINARY; `None` if this key is of another shape.
    #[inline(always)]
    pub(in crate::engine) fn text_key(&self, text: &[u8]) -> Option<Key> {
        self.text_hasher.as_ref().map(|hasher| Key::Wide(hasher.hash(text)))
    }

    /// True if the second of two texts certainly belongs before the first, in an index of a single text under BINARY.
    pub fn is_text_descending(&self, first: &[u8], second: &[u8]) -> bool {
        match self.columns[..] {
            [Column { descending: true, .. }] => first < second,
            _ => first > second,
        }
    }

    pub(super) fn digest_secret(&self) -> &DigestSecret {
        &self.digest_secret
    }

    fn other_key(&self, values: &[Stored<'_>], scratch: &mut Vec<u8>) -> Key {
        if values.contains(&Stored::Null) {
            return Key::Null;
        }
        if self.shape != Shape::Hashed {
            return Key::Outside;
        }
        scratch.clear();
        for (column, value) in self.columns.iter().zip(values) {
            if !column.feed(value, scratch) {
                return Key::Outside;
            }
        }
        Key::Wide(self.hasher.hash(scratch).as_u128())
    }

    /// Compares two keys in the order of an index that stores the key's columns in the order of `positions`. Returns
    /// `None` if only SQLite can compare them.
    pub fn order(&self, positions: &[usize], left: &[Stored<'_>], right: &[Stored<'_>]) -> Option<Ordering> {
        for &position in positions {
            let column = &self.columns[position];
            let order = column.order(&left[position], &right[position])?;
            if order != Ordering::Equal {
                return Some(if column.descending { order.reverse() } else { order });
            }
        }
        Some(Ordering::Equal)
    }
}

impl Column {
    /// Appends a value so that equal bytes mean equal values. Returns false if that is not certain.
    fn feed(&self, value: &Stored<'_>, into: &mut Vec<u8>) -> bool {
        match value {
            // SQLite converts text to a number for a numeric parent column, and a number to text for a text column.
            Stored::Integer(number) if self.family != Family::Text => {
                into.push(b'i');
                into.extend_from_slice(&number.to_le_bytes());
            }
            Stored::Text(text) if matches!(self.family, Family::Text | Family::Untyped) => {
                into.push(b't');
                let start = into.len();
                into.extend_from_slice(&[0; 8]);
                self.fold.fold(text, into);
                let length = (into.len() - start - 8) as u64;
                into[start..start + 8].copy_from_slice(&length.to_le_bytes());
            }
            Stored::Blob(bytes) => {
                into.push(b'b');
                into.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                into.extend_from_slice(bytes);
            }
            _ => return false,
        }
        true
    }

    fn order(&self, left: &Stored<'_>, right: &Stored<'_>) -> Option<Ordering> {
        let class = |value: &Stored<'_>| match value {
            Stored::Null => 0,
            Stored::Integer(_) | Stored::Real(_) => 1,
            Stored::Text(_) => 2,
            Stored::Blob(_) => 3,
        };
        match (left, right) {
            (Stored::Integer(left), Stored::Integer(right)) => Some(left.cmp(right)),
            (Stored::Real(_), Stored::Integer(_) | Stored::Real(_)) | (Stored::Integer(_), Stored::Real(_)) => None,
            (Stored::Text(left), Stored::Text(right)) => match self.fold {
                Fold::Bytes => Some(left.cmp(right)),
                _ => None,
            },
            (Stored::Blob(left), Stored::Blob(right)) => Some(left.cmp(right)),
            _ => Some(class(left).cmp(&class(right))),
        }
    }
}

impl Fold {
    fn fold(self, text: &[u8], into: &mut Vec<u8>) {
        let start = into.len();
        match self {
            Fold::Bytes => into.extend_from_slice(text),
            Fold::NoCase(encoding) => {
                into.extend_from_slice(text);
                let (low, step) = encoding.units();
                for at in (start..into.len()).step_by(step) {
                    let high_is_zero = step == 1 || into.get(at + 1 - low) == Some(&0);
                    if let Some(byte) = into.get_mut(at + low).filter(|_| high_is_zero) {
                        byte.make_ascii_lowercase();
                    }
                }
            }
            Fold::RightTrim(encoding) => {
                let space: &[u8] = match encoding {
                    Encoding::Utf8 => b" ",
                    Encoding::Utf16Little => b" \0",
                    Encoding::Utf16Big => b"\0 ",
                };
                let mut trimmed = text;
                while let Some(shorter) =
                    trimmed.strip_suffix(space).filter(|_| trimmed.len().is_multiple_of(space.len()))
                {
                    trimmed = shorter;
                }
                into.extend_from_slice(trimmed);
            }
        }
    }
}

impl Encoding {
    /// Returns the offset of an ASCII character's byte in a code unit, and the width of a unit: `(1, 2)` for big-endian
    /// UTF-16.
    fn units(self) -> (usize, usize) {
        match self {
            Encoding::Utf8 => (0, 1),
            Encoding::Utf16Little => (0, 2),
            Encoding::Utf16Big => (1, 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(family: &Family, collation: &str, encoding: Encoding) -> KeyComparison {
        KeyComparison::new([(family, Some(collation), false)], encoding, (1, 2)).unwrap()
    }

    fn key(rule: &KeyComparison, value: Stored<'_>) -> Key {
        rule.key(&[value], &mut Vec::new())
    }

    #[test]
    fn values_that_the_parent_converts_are_outside() {
        let integer = rule(&Family::Integer, "BINARY", Encoding::Utf8);
        assert_eq!(key(&integer, Stored::Integer(5)), Key::Integer(5));
        assert_eq!(key(&integer, Stored::Text(b"5")), Key::Outside);
        assert_eq!(key(&integer, Stored::Real(5.0)), Key::Outside);
        assert_eq!(key(&integer, Stored::Null), Key::Null);
        let text = rule(&Family::Text, "BINARY", Encoding::Utf8);
        assert_eq!(key(&text, Stored::Integer(5)), Key::Outside);
        assert!(matches!(key(&text, Stored::Text(b"5")), Key::Wide(_)));
        let numeric = rule(&Family::Numeric, "BINARY", Encoding::Utf8);
        assert_eq!(key(&numeric, Stored::Text(b"x")), Key::Outside);
    }

    #[test]
    fn collation_folds_exactly_as_sqlite_does() {
        let same = |rule: &KeyComparison, left: &[u8], right: &[u8]| {
            key(rule, Stored::Text(left)) == key(rule, Stored::Text(right))
        };
        let nocase = rule(&Family::Text, "nocase", Encoding::Utf8);
        assert!(same(&nocase, b"Abc", b"aBC"));
        assert!(!same(&nocase, "É".as_bytes(), "é".as_bytes()));
        assert!(!same(&nocase, b"a ", b"a"));
        let rtrim = rule(&Family::Text, "RTRIM", Encoding::Utf8);
        assert!(same(&rtrim, b"a  ", b"a"));
        assert!(!same(&rtrim, b"a\t", b"a"));
        assert!(!same(&rtrim, b"A", b"a"));
        let wide = rule(&Family::Text, "NOCASE", Encoding::Utf16Little);
        assert!(same(&wide, b"A\0", b"a\0"));
        assert!(!same(&wide, b"A\x01", b"a\x01"));
        let wide = rule(&Family::Text, "RTRIM", Encoding::Utf16Big);
        assert!(same(&wide, b"\0a\0 ", b"\0a"));
        assert!(!same(&wide, b"\x20\x20", b""));
    }

    #[test]
    fn composite_key_keeps_its_columns_apart() {
        let pair =
            KeyComparison::new([(&Family::Text, None, false), (&Family::Text, None, false)], Encoding::Utf8, (1, 2));
        let comparison = pair.unwrap();
        let key = |left, right| comparison.key(&[Stored::Text(left), Stored::Text(right)], &mut Vec::new());
        assert_ne!(key(b"ab", b"c"), key(b"a", b"bc"));
        assert_eq!(comparison.key(&[Stored::Text(b"a"), Stored::Null], &mut Vec::new()), Key::Null);
    }
}
