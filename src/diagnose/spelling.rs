//! Keys that do have a parent, but for white space, case, leading zeros, text or number, or the format of a UUID.
//!
//! Each value has a normal form, which all its spellings share. The missing keys of all relations to one parent column are
//! put into a table by their normal forms, and the column is read once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use self::beginnings::Beginnings;
use super::Case;
use super::Explanation;
use super::Show;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Family;
use crate::model::diagnosis::Evidence;
use crate::model::finding::Cause;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql;

mod beginnings;

/// The most rows of a parent that are read, where its storage cannot be read itself.
const MOST_PARENTS: u64 = 1_000_000;

/// A column of a parent, and the missing keys that could be other spellings of its values.
pub(super) struct Column {
    table: TableId,
    position: usize,
    sought: Sought,
}

#[derive(Default)]
struct Sought {
    /// The missing keys that have a normal form: each the position of its case, and the key.
    forms: HashMap<Vec<u8>, Vec<(usize, Value)>>,
    beginnings: Beginnings,
}

/// A missing key that has a parent in another spelling.
pub(super) struct NearMiss {
    pub(super) case: usize,
    missing: Value,
    parent: Value,
    pub(super) cause: Cause,
    /// True if several parents have this key in another spelling.
    is_ambiguous: bool,
}

/// The result of reading one column.
pub(super) struct Found {
    pub(super) near_misses: Vec<NearMiss>,
    /// True if some rows of the parent were not read.
    pub(super) is_partial: bool,
}

impl NearMiss {
    pub(super) fn key(&self) -> Key {
        vec![self.missing.clone()]
    }
}

/// Returns the explanation for the near misses of one cause. The first of them is the example.
pub(super) fn explanation(relation: &Relation, near_misses: &[NearMiss], show: Show<'_>) -> Option<Explanation> {
    let parent_key = text::key(&show(relation, &vec![near_misses.first()?.parent.clone()]));
    // Text and numbers have no normal form in common.
    let can_remap =
        near_misses.iter().all(|near_miss| !near_miss.is_ambiguous && near_miss.cause != Cause::TextVsNumber);
    let keys = near_misses.iter().map(NearMiss::key).collect();
    Some(Explanation { keys, evidence: Evidence::Spelling { parent_key }, can_remap })
}

/// Returns the columns to read for these cases, each once.
pub(super) fn columns(schema: &Schema, cases: &[Case<'_>]) -> Vec<Column> {
    let mut columns: BTreeMap<(TableId, usize), Sought> = BTreeMap::new();
    for (position, case) in cases.iter().enumerate() {
        let (Some(table), [column]) = (case.relation.parent.table, &case.relation.parent.columns[..]) else { continue };
        let keys = case.open.iter().filter_map(|missing| missing.key.first());
        let keys: Vec<&Value> = keys.filter(|value| can_be_spelled(schema, table, *column, value)).collect();
        if !keys.is_empty() {
            let sought = columns.entry((table, *column)).or_default();
            keys.into_iter().for_each(|value| sought.add(position, value));
        }
    }
    columns.into_iter().map(|((table, position), sought)| Column { table, position, sought }).collect()
}

/// True if the column can hold the value in another spelling. A whole number among whole numbers has none.
fn can_be_spelled(schema: &Schema, table: TableId, column: usize, value: &Value) -> bool {
    let table = &schema.tables[table];
    let holds_integers = match value {
        Value::Integer(_) => table.columns[column].family == Family::Integer,
        Value::Real(_) => true,
        _ => table.address_column == Some(column),
    };
    !holds_integers
}

/// Says which part of a large parent was searched.
pub(super) fn partly_read() -> String {
    format!("the first {} rows of the parent were searched", text::count(MOST_PARENTS))
}

impl Column {
    /// The positions of the cases whose keys are sought here.
    pub(super) fn cases(&self) -> impl Iterator<Item = usize> {
        self.sought.forms.values().flatten().map(|(case, _)| *case).collect::<BTreeSet<usize>>().into_iter()
    }

    /// Reads the column, and compares all its values with the missing keys.
    pub(super) fn read(
        &self,
        schema: &Schema,
        session: &mut dyn Session,
        threads: usize,
    ) -> Result<Found, EngineError> {
        let table = &schema.tables[self.table];
        let nearest: Mutex<BTreeMap<(usize, Vec<u8>), NearMiss>> = Mutex::default();
        let visit = |value: ValueRef<'_>| {
            for mut near_miss in self.sought.near_misses(value) {
                // Of several parents the first in the order of their bytes is shown, whatever the order of reading.
                let mut nearest = nearest.lock().unwrap_or_else(PoisonError::into_inner);
                let name = (near_miss.case, order(&near_miss.missing));
                match nearest.get_mut(&name) {
                    None => drop(nearest.insert(name, near_miss)),
                    Some(known) => {
                        let found = order(&near_miss.parent);
                        let is_other = found != order(&known.parent);
                        near_miss.is_ambiguous = known.is_ambiguous || is_other;
                        if found < order(&known.parent) {
                            *known = near_miss;
                        } else {
                            known.is_ambiguous |= is_other;
                        }
                    }
                }
            }
        };
        let mut read = 0;
        if !session.each_stored_value(table, self.position, threads, &visit)? {
            let question = sql::of(schema).column_values(schema, table, self.position, MOST_PARENTS);
            session.each_row(&question, &mut |row| {
                read += 1;
                row.iter().for_each(|value| visit(value.borrowed()));
            })?;
        }
        let nearest = nearest.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Found { near_misses: nearest.into_values().collect(), is_partial: read == MOST_PARENTS })
    }
}

/// Returns bytes whose order is an order of values.
fn order(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Integer(number) => [b"1", &(number ^ i64::MIN).to_be_bytes()[..]].concat(),
        Value::Real(number) => [b"2", number.to_string().as_bytes()].concat(),
        Value::Text(bytes) => [b"3", bytes.as_slice()].concat(),
        Value::Blob(bytes) => [b"4", bytes.as_slice()].concat(),
    }
}

impl Sought {
    fn add(&mut self, case: usize, value: &Value) {
        let mut form = Vec::new();
        if normal_form(value.borrowed(), &mut form) {
            self.beginnings.add(&form);
            self.forms.entry(form).or_default().push((case, value.clone()));
        }
    }

    fn near_misses(&self, parent: ValueRef<'_>) -> Vec<NearMiss> {
        if self.beginnings.exclude(parent) {
            return Vec::new();
        }
        let mut slow = Vec::new();
        let quick = QuickForm::of(parent);
        let form = match &quick {
            Some(form) => form.bytes(),
            None if normal_form(parent, &mut slow) => &slow,
            None => return Vec::new(),
        };
        if !self.beginnings.may_hold(form) {
            return Vec::new();
        }
        let near_miss = |(case, missing): &(usize, Value)| {
            let parent = parent.to_value();
            let cause = difference(missing, &parent)?;
            Some(NearMiss { case: *case, missing: missing.clone(), parent, cause, is_ambiguous: false })
        };
        self.forms.get(form).into_iter().flatten().filter_map(near_miss).collect()
    }
}

/// The normal form of a short ASCII text that is no number, which nearly all text keys are.
struct QuickForm {
    buffer: [u8; QuickForm::LONGEST],
    start: usize,
    end: usize,
}

impl QuickForm {
    const LONGEST: usize = 64;

    fn of(value: ValueRef<'_>) -> Option<QuickForm> {
        let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = value else { return None };
        let is_uuid_in_bytes = matches!(value, ValueRef::Blob(_)) && bytes.len() == 16;
        if bytes.len() > QuickForm::LONGEST || is_uuid_in_bytes || !bytes.is_ascii() {
            return None;
        }
        let is_space = |byte: &&u8| matches!(byte, b'\t'..=b'\r' | b' ');
        let before = bytes.iter().take_while(is_space).count();
        let bare = &bytes[before..];
        let bare = &bare[..bare.len() - bare.iter().rev().take_while(is_space).count()];
        let (mut hex_digits, mut punctuation, mut letters) = (0, 0, 0);
        for byte in bare {
            let is_hex_digit = byte.is_ascii_hexdigit();
            hex_digits += usize::from(is_hex_digit);
            punctuation += usize::from(matches!(byte, b'-' | b'{' | b'}'));
            letters += usize::from(byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
        }
        let is_uuid = hex_digits == 32 && hex_digits + punctuation == bare.len();
        if letters == 0 && !is_uuid {
            return None;
        }
        let mut form = QuickForm { buffer: [0; QuickForm::LONGEST], start: 0, end: 0 };
        for byte in bare {
            form.buffer[form.end] = byte.to_ascii_lowercase();
            form.end += usize::from(!is_uuid || !matches!(byte, b'-' | b'{' | b'}'));
        }
        form.start = form.buffer[..form.end].iter().take_while(|&&byte| byte == b'0').count();
        Some(form)
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

/// Appends the form that all spellings of a value share. If [`difference`] finds a cause, both values have the same form.
/// Returns false if the value has none.
fn normal_form(value: ValueRef<'_>, into: &mut Vec<u8>) -> bool {
    match value {
        ValueRef::Null => return false,
        ValueRef::Integer(number) => into.extend_from_slice(number.to_string().as_bytes()),
        ValueRef::Real(number) => into.extend_from_slice(number.to_string().as_bytes()),
        ValueRef::Blob(bytes) if bytes.len() == 16 => {
            bytes.iter().for_each(|byte| into.extend_from_slice(format!("{byte:02x}").as_bytes()));
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let Ok(text) = std::str::from_utf8(bytes) else { return false };
            let bare = trimmed(text);
            match uuid_digits(bare).or_else(|| number(bare)) {
                Some(form) => into.extend_from_slice(form.as_bytes()),
                None if bare.is_ascii() => into.extend_from_slice(bare.as_bytes()),
                None => into.extend_from_slice(bare.to_lowercase().as_bytes()),
            }
        }
    }
    into.make_ascii_lowercase();
    let zeros = into.iter().take_while(|&&byte| byte == b'0').count();
    into.drain(..zeros);
    true
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'))
}

/// Returns a number in its shortest form; `None` if the text is no number. Digits stay as they are, so that two long ids never
/// become one number.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let begins_as_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if !begins_as_number || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant = digits.trim_start_matches('0');
        return Some(format!("{sign}{}", if significant.is_empty() { "0" } else { significant }));
    }
    text.parse::<f64>().ok().map(|number| number.to_string())
}

/// Returns the one respect in which two values differ, or the first of several; `None` if they do not mean the same.
fn difference(missing: &Value, parent: &Value) -> Option<Cause> {
    let (left, right) = (plain(missing)?, plain(parent)?);
    let same_class = std::mem::discriminant(missing) == std::mem::discriminant(parent);
    let (left_bare, right_bare) = (trimmed(&left), trimmed(&right));
    if left_bare == right_bare && left != right {
        return Some(Cause::Whitespace);
    }
    if let (Some(left), Some(right)) = (uuid_digits(left_bare), uuid_digits(right_bare)) {
        let is_formatted_alike = left_bare.eq_ignore_ascii_case(right_bare) && same_class;
        return (left == right).then_some(if is_formatted_alike { Cause::Case } else { Cause::UuidFormat });
    }
    if left == right {
        return (!same_class).then_some(Cause::TextVsNumber);
    }
    if left_bare.to_lowercase() == right_bare.to_lowercase() {
        return Some(Cause::Case);
    }
    let numbers = (number(left_bare), number(right_bare));
    let are_alike = numbers.0.is_some() == numbers.1.is_some()
        && uuid_digits(left_bare).is_some() == uuid_digits(right_bare).is_some();
    let without_zeros = |text: &str| text.trim_start_matches('0').to_lowercase();
    if are_alike && without_zeros(left_bare) == without_zeros(right_bare) {
        return Some(Cause::ZeroPadding);
    }
    (numbers.0.is_some() && numbers.0 == numbers.1).then_some(Cause::TextVsNumber)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Blob(bytes) if bytes.len() == 16 => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Value::Blob(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Null => None,
    }
}

/// Returns the 32 digits of a UUID in lower case.
fn uuid_digits(text: &str) -> Option<String> {
    let is_punctuation = |byte: &u8| matches!(byte, b'-' | b'{' | b'}');
    let bytes = text.as_bytes();
    if bytes.len() < 32 || !bytes.iter().all(|byte| byte.is_ascii_hexdigit() || is_punctuation(byte)) {
        return None;
    }
    let digits = bytes.iter().filter(|byte| !is_punctuation(byte)).map(|byte| char::from(byte.to_ascii_lowercase()));
    let digits: String = digits.collect();
    (digits.len() == 32).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const BARE: &str = "0F8FAD5BD9CB469FA16570867728950E";

    #[test]
    fn each_difference_has_its_name() {
        for (missing, parent, cause) in [
            (Value::text("abc "), Value::text("abc"), Some(Cause::Whitespace)),
            (Value::text("abc\u{200b}"), Value::text("abc"), Some(Cause::Whitespace)),
            (Value::text("ABC"), Value::text("abc"), Some(Cause::Case)),
            (Value::text("ÄB"), Value::text("äb"), Some(Cause::Case)),
            (Value::text(" ABC"), Value::text("abc"), Some(Cause::Case)),
            (Value::text("007"), Value::text("7"), Some(Cause::ZeroPadding)),
            (Value::text("0a1"), Value::text("A1"), Some(Cause::ZeroPadding)),
            (Value::text("5"), Value::Integer(5), Some(Cause::TextVsNumber)),
            (Value::text(" 5"), Value::Integer(5), Some(Cause::Whitespace)),
            (Value::Integer(5), Value::text("5.0"), Some(Cause::TextVsNumber)),
            (Value::Integer(1000), Value::text("1e3"), Some(Cause::TextVsNumber)),
            (Value::text("-5.0"), Value::Integer(-5), Some(Cause::TextVsNumber)),
            (Value::text(BARE), Value::text(UUID), Some(Cause::UuidFormat)),
            (Value::text(format!("{UUID} ")), Value::text(UUID), Some(Cause::Whitespace)),
            (Value::text(format!("{{{UUID}}}")), Value::text(UUID), Some(Cause::UuidFormat)),
            (Value::Blob(vec![0x11; 16]), Value::text("11".repeat(16)), Some(Cause::UuidFormat)),
            (Value::text(UUID.to_uppercase()), Value::text(UUID), Some(Cause::Case)),
            (Value::text("abc"), Value::text("abd"), None),
            (Value::text("inf"), Value::text("infinity"), None),
            (Value::text("12345678901234567890"), Value::text("12345678901234567891"), None),
            (Value::text("abc"), Value::text("abc"), None),
        ] {
            assert_eq!(difference(&missing, &parent), cause, "{missing:?} {parent:?}");
            let mut sought = Sought::default();
            sought.add(3, &missing);
            let found: Vec<(usize, Cause)> =
                sought.near_misses(parent.borrowed()).iter().map(|it| (it.case, it.cause)).collect();
            assert_eq!(found, cause.map(|cause| (3, cause)).into_iter().collect::<Vec<_>>(), "{missing:?} {parent:?}");
        }
    }

    /// The normal form is only a filter, so it must never separate what [`difference`] would unite.
    #[test]
    fn values_with_a_difference_share_their_normal_form() {
        let mut random = fastrand::Rng::with_seed(7);
        let pieces =
            ["0", "00", "5", "-", ".", "e", "E1", "a", "A", " ", "\u{200b}", "{", "}", "é", "É", "12", UUID, BARE];
        let value = |random: &mut fastrand::Rng| {
            let text: String = (0..random.usize(1..4)).map(|_| pieces[random.usize(..pieces.len())]).collect();
            match random.usize(..5) {
                0 => Value::Integer(random.i64(-9..1_000)),
                1 => Value::Real(random.i64(-9..9) as f64 / 2.0),
                2 => Value::Blob(text.into_bytes()),
                _ => Value::text(text),
            }
        };
        let form = |value: &Value| {
            let mut form = Vec::new();
            normal_form(value.borrowed(), &mut form).then_some(form)
        };
        let mut differences = 0;
        for _ in 0..200_000 {
            let (left, right) = (value(&mut random), value(&mut random));
            if difference(&left, &right).is_some() {
                assert_eq!(form(&left), form(&right), "{left:?} {right:?}");
                differences += 1;
            }
            let mut beginnings = Beginnings::default();
            if let Some(form) = form(&left) {
                beginnings.add(&form);
                assert!(!beginnings.exclude(left.borrowed()), "{left:?}");
            }
            if let Some(quick) = QuickForm::of(left.borrowed()) {
                assert_eq!(form(&left).as_deref(), Some(quick.bytes()), "{left:?}");
            }
        }
        assert!(differences > 1_000, "{differences}");
    }
}
