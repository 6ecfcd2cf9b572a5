//! Parses the lines of most changes without a general parser of JSON: NULL, integers and text, and of the rare facts only units and
//! adopted rows.
//! Every other line is left to the general parser, also one with a fault, which that parser describes.

use std::sync::Arc;

use memchr::memchr;
use memchr::memchr2;

use super::wide::read_rows;
use crate::model::change_group::ChangeGroups;
use crate::model::change_group::GroupedChange;
use crate::model::plan::Adopted;
use crate::model::value::Value;

/// The most digits that fit into an integer of 64 bits, whatever they are.
const DIGITS: usize = 18;

/// Parses a line of a change; `None` if it needs the general parser.
pub(in crate::plan_file) fn read_change(line: &str, groups: &ChangeGroups) -> Option<GroupedChange> {
    let mut text = Cursor { rest: line.as_bytes() };
    text.skip(b"[")?;
    let number = usize::try_from(text.integer()?).ok()?.checked_sub(1)?;
    let group = groups.get(number)?;
    let (before, after) = group.images.widths();
    text.skip(b",")?;
    let before = text.image(before)?;
    text.skip(b",")?;
    let after = text.image(after)?;
    let (unit, adopts) = text.rare()?;
    text.skip(b"]")?;
    group.row_positions()?;
    let change = GroupedChange {
        number,
        group: Arc::clone(group),
        row: None,
        before,
        after,
        unit,
        address: None,
        adopts: Some(adopts),
    };
    text.rest.is_empty().then_some(change)
}

struct Cursor<'l> {
    rest: &'l [u8],
}

impl Cursor<'_> {
    /// Returns the unit of a change and the rows that it adopts, if it has any.
    fn rare(&mut self) -> Option<(Option<u64>, Vec<Adopted>)> {
        let (mut unit, mut adopts) = (None, Vec::new());
        if self.skip(b",{").is_none() {
            return Some((unit, adopts));
        }
        if self.skip(b"\"unit\":").is_some() {
            unit = Some(u64::try_from(self.integer()?).ok()?);
        }
        if unit.is_none() || self.skip(b",").is_some() {
            self.skip(b"\"adopts\":[")?;
            adopts.push(self.adopted()?);
            while self.skip(b",").is_some() {
                adopts.push(self.adopted()?);
            }
            self.skip(b"]")?;
        }
        self.skip(b"}")?;
        Some((unit, adopts))
    }

    fn adopted(&mut self) -> Option<Adopted> {
        self.skip(b"{\"relation\":")?;
        let relation = String::from_utf8(self.text()?).ok()?;
        self.skip(b",\"rows\":\"")?;
        let end = memchr(b'"', self.rest)?;
        let rows = read_rows(&self.rest[..end])?;
        self.rest = &self.rest[end..];
        self.skip(b"\"}")?;
        Some(Adopted { relation, rows })
    }

    /// Moves behind these bytes, if they come next.
    fn skip(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(bytes)?;
        Some(())
    }

    /// Returns this number of values, or no values for `null`.
    fn image(&mut self, count: Option<usize>) -> Option<Vec<Value>> {
        let Some(count) = count else {
            self.skip(b"null")?;
            return Some(Vec::new());
        };
        let mut values = Vec::with_capacity(count);
        self.skip(b"[")?;
        for index in 0..count {
            if index > 0 {
                self.skip(b",")?;
            }
            values.push(self.value()?);
        }
        self.skip(b"]")?;
        Some(values)
    }

    fn value(&mut self) -> Option<Value> {
        match self.rest.first()? {
            b'"' => self.text().map(Value::Text),
            b'n' => self.skip(b"null").map(|()| Value::Null),
            _ => self.integer().map(Value::Integer),
        }
    }

    fn integer(&mut self) -> Option<i64> {
        let is_negative = self.skip(b"-").is_some();
        let length = self.rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.rest.split_at(length);
        // A fraction or an exponent may follow, and JSON knows no leading zeros.
        let is_plain = matches!(rest.first(), Some(b',' | b']' | b'}')) && length <= DIGITS;
        let is_canonical = digits.first()? != &b'0' || (length == 1 && !is_negative);
        if !is_plain || !is_canonical {
            return None;
        }
        self.rest = rest;
        let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        Some(if is_negative { -number } else { number })
    }

    /// Returns a string. Its only escapes are those of quotes and backslashes.
    fn text(&mut self) -> Option<Vec<u8>> {
        self.skip(b"\"")?;
        let (mut end, mut escapes) = (0, 0);
        loop {
            end += memchr2(b'"', b'\\', &self.rest[end..])?;
            match self.rest[end..] {
                [b'"', ..] => break,
                [_, b'"' | b'\\', ..] => (end, escapes) = (end + 2, escapes + 1),
                _ => return None,
            }
        }
        let (text, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        if text.iter().any(|byte| *byte < b' ') {
            return None;
        }
        self.rest = rest;
        if escapes == 0 {
            return Some(text.to_vec());
        }
        let mut plain = Vec::with_capacity(text.len() - escapes);
        let mut open = text;
        while let Some(next) = memchr(b'\\', open) {
            plain.extend_from_slice(&open[..next]);
            plain.push(open[next + 1]);
            open = &open[next + 2..];
        }
        plain.extend_from_slice(open);
        Some(plain)
    }
}
