//! The form in which a parent's column compares values, and the key of a value in this form.
//!
//! Two values have the same key in a form exactly if the engine finds them equal under it. A value for which that is not
//! certain is marked, and the engine itself then counts the pair.

use siphasher::sip128::SipHasher13;

use crate::engine::TextHasher;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::value::ValueRef;
use crate::sql::comparison::FileKind;

/// The comparison of a column with the values of its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Form {
    pub conversion: Conversion,
    pub fold: Fold,
}

/// The conversion that the parent's affinity applies to a child's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Conversion {
    Numeric,
    Real,
    Text,
    None,
    /// The exact numbers of a server.
    Exact,
    /// The floating-point numbers of a server.
    FloatingPoint,
    /// The values of a server that are of one kind, such as texts or dates. Their kinds are numbered.
    Spelling(u16),
    /// The values of files of one kind.
    File(FileKind),
}

/// The texts that are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fold {
    Bytes,
    /// A collation that is built into SQLite.
    NoCase,
    RightTrim,
    /// The padded texts of PostgreSQL. Another text that ends in a space equals them or not, as its type says.
    Padded,
    /// A collation of a server, by its number. The server gives the comparison key of each text.
    Collation(u16),
    /// Only the engine can tell.
    Engine,
}

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
    /// Returns the form of a column; `None` if its collation is not built into SQLite.
    pub fn of(column: &Column) -> Option<Form> {
        let fold = match column.collation.as_deref().map(str::to_ascii_uppercase).as_deref() {
            None | Some("BINARY") => Fold::Bytes,
            Some("NOCASE") => Fold::NoCase,
            Some("RTRIM") => Fold::RightTrim,
            Some(_) => return None,
        };
        let conversion = match column.family {
            Family::Integer | Family::Numeric => Conversion::Numeric,
            Family::Real => Conversion::Real,
            Family::Text => Conversion::Text,
            Family::Untyped => Conversion::None,
        };
        Some(Form { conversion, fold })
    }

    /// Returns the form in which a parent in this form compares with a child in the other; `None` if no value of the parent
    /// equals one of the child.
    pub fn against(self, child: Form) -> Option<Form> {
        match (self.conversion, child.conversion) {
            (Conversion::File(parent), Conversion::File(child)) => {
                parent.compared_with(child).map(|kind| Form { conversion: Conversion::File(kind), ..self })
            }
            _ => self.compares_with(child).then_some(self),
        }
    }

    /// True if a parent in this form can have a value that equals one of a child in the other.
    pub fn compares_with(self, child: Form) -> bool {
        use Conversion::Exact;
        use Conversion::File;
        use Conversion::FloatingPoint;
        use Conversion::Spelling;
        match (self.conversion, child.conversion) {
            (File(parent), File(child)) => parent.compared_with(child).is_some(),
            (File(_), _) | (_, File(_)) => false,
            (Spelling(kind), Spelling(other)) => kind == other,
            (Spelling(_), _) | (_, Spelling(_)) => false,
            (Exact | FloatingPoint, other) => matches!(other, Exact | FloatingPoint),
            (_, other) => !matches!(other, Exact | FloatingPoint),
        }
    }

    /// True for a form of a server or of files. Its counts are those of the child's keys as the parent compares them.
    pub fn counts_compared_keys(self) -> bool {
        matches!(
            self.conversion,
            Conversion::Exact | Conversion::FloatingPoint | Conversion::Spelling(_) | Conversion::File(_)
        )
    }

    /// True for a column whose values are all numbers, of which some arrive as text.
    pub fn has_only_numbers(self) -> bool {
        match self.conversion {
            Conversion::Exact => true,
            Conversion::File(kind) => kind.among_numbers().is_some(),
            _ => false,
        }
    }

    /// Returns the kind of values of a column of files.
    pub fn file_kind(self) -> Option<FileKind> {
        match self.conversion {
            Conversion::File(kind) => Some(kind),
            _ => None,
        }
    }

    /// True if the hash of each text that is its own key is the one of its bytes, and no number has a hash.
    pub fn has_hashes_of_texts_only(self, has_fractions: bool) -> bool {
        !has_fractions && self.has_one_value_for_each_hash(false)
    }

    /// True if two different values never have the same hash as their key. Folded texts have several spellings, and so have
    /// numbers that are stored as text.
    pub fn has_one_value_for_each_hash(self, has_decimal_texts: bool) -> bool {
        self.fold == Fold::Bytes
            && match self.conversion {
                Conversion::Text | Conversion::None | Conversion::Spelling(_) => true,
                Conversion::Numeric | Conversion::Real => !has_decimal_texts,
                Conversion::File(kind) => matches!(kind, FileKind::Untyped | FileKind::Text | FileKind::Binary),
                Conversion::Exact | Conversion::FloatingPoint => false,
            }
    }

    /// True if the server gives the key of each value.
    pub fn is_collated(self) -> bool {
        matches!(self.fold, Fold::Collation(_))
    }

    /// True if the engine gives the key of each value of a column of this form, as another form compares it.
    pub fn has_other_keys_in(self, compared: Form) -> bool {
        match (self.conversion, compared.conversion) {
            (Conversion::File(own), Conversion::File(compared)) => own.has_other_keys_as(compared),
            _ => compared.is_collated(),
        }
    }

    /// True if a value of a column whose own form is given may have another key in this form.
    pub fn may_differ_from(self, own: Form) -> bool {
        match (self.conversion, own.conversion) {
            (Conversion::File(compared), Conversion::File(own)) => {
                own.depends_on_other() && own.has_other_keys_as(compared) && own.among_numbers() != Some(compared)
            }
            _ => true,
        }
    }

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
            (Conversion::Spelling(_), _) => return self.spelled_key(value, hasher, scratch),
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

/// Returns a decimal number without the zeros at the end of its fraction.
pub fn significant(text: &[u8]) -> &[u8] {
    if !text.contains(&b'.') {
        return text;
    }
    let end = text.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
    let digits = text[..end].strip_suffix(b".").unwrap_or(&text[..end]);
    if digits == b"-0" { b"0" } else { digits }
}

/// Returns the key of a real number. A whole number has the key of the integer, because SQLite finds them equal.
fn real(number: f64, hasher: &KeyHasher) -> ValueKey {
    const LEAST: f64 = -9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && (LEAST..-LEAST).contains(&number) {
        return ValueKey::Integer(number as i64);
    }
    hasher.tagged(Class::Real, &number.to_bits().to_le_bytes())
}

impl Fold {
    /// Returns the text that represents all equal ones, and false if SQLite alone can tell which are equal.
    pub fn folded<'a>(self, text: &'a [u8], scratch: &'a mut Vec<u8>) -> (&'a [u8], bool) {
        match self {
            Fold::Bytes => (text, true),
            Fold::Collation(_) | Fold::Engine => (text, false),
            Fold::NoCase => {
                // SQLite stops comparing at a NUL.
                let has_nul = text.contains(&0);
                scratch.clear();
                scratch.extend(text.iter().map(u8::to_ascii_lowercase));
                (scratch, !has_nul)
            }
            Fold::RightTrim => (without_padding(text), true),
            Fold::Padded => {
                let folded = without_padding(text);
                (folded, folded.len() == text.len())
            }
        }
    }
}

fn without_padding(text: &[u8]) -> &[u8] {
    text.iter().rposition(|&byte| byte != b' ').map_or(&[], |last| &text[..=last])
}

/// Returns the integer whose text this is exactly, as SQLite writes it.
#[inline]
pub fn plain_integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!is_negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut number: i64 = 0;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(byte - b'0');
        number = number.checked_mul(10)?;
        number = if is_negative { number.checked_sub(digit)? } else { number.checked_add(digit)? };
    }
    Some(number)
}

/// The number that SQLite's numeric affinity makes of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    None,
    Integer(i64),
    /// False if SQLite may round the number in another way.
    Real(f64, bool),
}

/// More digits, or a larger exponent, may be rounded.
const EXACT_DIGITS: usize = 15;
const EXACT_EXPONENT: i32 = 22;

pub fn number(text: &[u8]) -> Number {
    if let Some(number) = plain_integer(text) {
        return Number::Integer(number);
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13);
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    let trimmed = &text[start..end];
    if !matches!(trimmed.first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.')) {
        return Number::None;
    }
    parsed(trimmed).unwrap_or(Number::None)
}

fn parsed(text: &[u8]) -> Option<Number> {
    let (sign, rest) = match text {
        [b'-', rest @ ..] => ("-", rest),
        [b'+', rest @ ..] => ("", rest),
        rest => ("", rest),
    };
    let digits = |text: &[u8]| text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    let (whole, rest) = rest.split_at(whole);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => rest.split_at(digits(rest)),
        rest => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let is_whole = rest.is_empty() && text.iter().all(|byte| *byte != b'.');
    let exponent = match rest {
        [] => &[][..],
        [b'e' | b'E', exponent @ ..] => exponent,
        _ => return None,
    };
    if !rest.is_empty() {
        let unsigned = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        if unsigned.is_empty() || digits(unsigned) != unsigned.len() {
            return None;
        }
    }
    let ascii = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if is_whole && let Ok(number) = format!("{sign}{}", ascii(whole)).parse() {
        return Some(Number::Integer(number));
    }
    let fraction_text = if fraction.is_empty() { "0".to_owned() } else { ascii(fraction) };
    let whole_text = if whole.is_empty() { "0".to_owned() } else { ascii(whole) };
    let exponent_text = if exponent.is_empty() { "0".to_owned() } else { ascii(exponent) };
    let number: f64 = format!("{sign}{whole_text}.{fraction_text}e{exponent_text}").parse().ok()?;
    let significant = whole.iter().chain(fraction).skip_while(|byte| **byte == b'0').count();
    let power: i32 = exponent_text.parse().unwrap_or(i32::MAX);
    let is_exact =
        significant <= EXACT_DIGITS && power.saturating_abs().saturating_add(fraction.len() as i32) <= EXACT_EXPONENT;
    Some(Number::Real(number, is_exact))
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
        for none in [&b""[..], b"-", b".", b"1e", b"1x", b"0x1", b"inf", b"nan", b"1_0", b"- 1"] {
            assert_eq!(number(none), Number::None, "{none:?}");
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
    fn plain_integer_is_the_canonical_text_only() {
        for (text, number) in
            [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(plain_integer(text.as_bytes()), Some(number));
        }
        for other in ["", "-", "-0", "01", "+1", "1 ", "9223372036854775808", "1.0", "99999999999999999999"] {
            assert_eq!(plain_integer(other.as_bytes()), None, "{other}");
        }
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
    fn kinds_of_a_server_compare_only_with_themselves() {
        let form = |conversion| Form { conversion, fold: Fold::Bytes };
        let (text, date) = (form(Conversion::Spelling(0)), form(Conversion::Spelling(1)));
        assert!(text.compares_with(text) && !text.compares_with(date) && !text.compares_with(form(Conversion::Exact)));
        assert!(form(Conversion::Exact).compares_with(form(Conversion::FloatingPoint)));
        assert!(form(Conversion::Text).compares_with(form(Conversion::Numeric)));
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
