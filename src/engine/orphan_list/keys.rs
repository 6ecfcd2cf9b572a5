//! Orphans in memory whose keys have several values or are no integers. Their bytes lie one after the other, and are ordered
//! like the engine's values.

use std::cmp::Ordering;
use std::io;
use std::ops::Range;

use super::rows::OrphanRows;
use super::run::RunReader;
use super::run::push_step;
use super::run::push_varint;
use crate::model::value::Value;

const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// The values of a key as bytes that have the order of the values.
///
/// A value begins with its class. An integer has its sign turned and its highest byte first. So has a real number, and a
/// negative one has all its bits turned. A text or blob ends with two
/// zero bytes, and a zero byte in it is followed by 255, so that the shorter one comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct KeyBytes(Vec<u8>);

impl KeyBytes {
    pub(in crate::engine) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::engine) fn add_integer(&mut self, number: i64) {
        self.0.push(INTEGER);
        self.0.extend_from_slice(&(number.cast_unsigned() ^ 1 << 63).to_be_bytes());
    }

    /// Adds a number that is not NaN.
    pub(in crate::engine) fn add_real(&mut self, number: f64) {
        let bits = number.to_bits();
        self.0.push(REAL);
        self.0.extend_from_slice(&(if bits >> 63 == 1 { !bits } else { bits ^ 1 << 63 }).to_be_bytes());
    }

    pub(in crate::engine) fn add_text(&mut self, text: &[u8]) {
        add_escaped(TEXT, text, &mut self.0);
    }

    pub(in crate::engine) fn add_blob(&mut self, blob: &[u8]) {
        add_escaped(BLOB, blob, &mut self.0);
    }
}

fn add_escaped(class: u8, bytes: &[u8], into: &mut Vec<u8>) {
    into.push(class);
    if has_zero(bytes) {
        for (position, part) in bytes.split(|&byte| byte == 0).enumerate() {
            if position > 0 {
                into.extend_from_slice(&[0, 255]);
            }
            into.extend_from_slice(part);
        }
    } else {
        into.extend_from_slice(bytes);
    }
    into.extend_from_slice(&[0, 0]);
}

/// Orphans with such keys.
#[derive(Default)]
pub(super) struct KeyRows {
    orphans: Vec<Orphan>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Orphan {
    /// The first bytes of the key that differ, which decide nearly every comparison. Only a sort needs them.
    first: u64,
    /// The offset of the key's bytes, and their number.
    start: u32,
    length: u32,
    row: i64,
}

impl KeyRows {
    pub(super) fn add(&mut self, key: &KeyBytes, row: i64) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&key.0);
        self.end_key(start, row);
    }

    /// Adds an orphan whose key is a single text.
    pub(super) fn add_text(&mut self, text: &[u8], row: i64) {
        let start = self.bytes.len();
        add_escaped(TEXT, text, &mut self.bytes);
        self.end_key(start, row);
    }

    fn end_key(&mut self, start: usize, row: i64) {
        let length = (self.bytes.len() - start) as u32;
        self.orphans.push(Orphan { first: 0, start: start as u32, length, row });
    }

    fn key(&self, at: usize) -> &[u8] {
        bytes_of(&self.bytes, &self.orphans[at])
    }

    /// Sorts by the first bytes that differ, then by the others.
    fn sort_by_first(&mut self, sort: impl FnOnce(&mut [Orphan])) {
        let shared = self.shared_by_all();
        let bytes = &self.bytes;
        for orphan in &mut self.orphans {
            orphan.first = first_bytes(&bytes_of(bytes, orphan)[shared..]);
        }
        sort(&mut self.orphans);
        let key = |orphan: &Orphan| &bytes_of(bytes, orphan)[shared..];
        for orphans in self.orphans.chunk_by_mut(|left, right| left.first == right.first) {
            if orphans.len() > 1 {
                orphans.sort_unstable_by(|left, right| key(left).cmp(key(right)).then(left.row.cmp(&right.row)));
            }
        }
    }

    /// Returns how many of their first bytes all keys share.
    fn shared_by_all(&self) -> usize {
        let Some(first) = self.orphans.first() else { return 0 };
        let mut shared = bytes_of(&self.bytes, first);
        for orphan in &self.orphans {
            let key = bytes_of(&self.bytes, orphan);
            if !key.starts_with(shared) {
                shared = &shared[..shared_bytes(shared, key)];
            }
        }
        shared.len()
    }
}

fn bytes_of<'a>(bytes: &'a [u8], orphan: &Orphan) -> &'a [u8] {
    &bytes[orphan.start as usize..][..orphan.length as usize]
}

/// True if one of the bytes is zero.
fn has_zero(bytes: &[u8]) -> bool {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = bytes.as_chunks();
    let found = words.iter().fold(0, |found, word| {
        let word = u64::from_ne_bytes(*word);
        found | (word.wrapping_sub(LOW) & !word & HIGH)
    });
    found != 0 || rest.contains(&0)
}

/// Returns how many of their first bytes two keys share.
fn shared_bytes(left: &[u8], right: &[u8]) -> usize {
    let (mut lefts, mut rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let words = lefts.by_ref().zip(rights.by_ref()).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[8 * words..], &right[8 * words..]);
    8 * words + left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// Returns the first eight bytes as a number.
fn first_bytes(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(first)
        }
    }
}

impl OrphanRows for KeyRows {
    type Last = (Vec<u8>, i64);

    fn len(&self) -> usize {
        self.orphans.len()
    }

    fn bytes(&self) -> usize {
        self.orphans.len() * size_of::<Orphan>() + self.bytes.len()
    }

    fn clear(&mut self) {
        self.orphans.clear();
        self.bytes.clear();
    }

    fn append(&mut self, other: &mut KeyRows) {
        let before = self.bytes.len() as u32;
        self.bytes.append(&mut other.bytes);
        self.orphans.extend(other.orphans.drain(..).map(|orphan| Orphan { start: orphan.start + before, ..orphan }));
    }

    fn extend(&mut self, others: &KeyRows, range: Range<usize>) {
        let others_range = &others.orphans[range];
        let (Some(first), Some(last)) = (others_range.first(), others_range.last()) else { return };
        let (start, end) = (first.start as usize, (last.start + last.length) as usize);
        let before = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&others.bytes[start..end]);
        let moved = |orphan: &Orphan| Orphan { start: orphan.start - start as u32 + before, ..*orphan };
        self.orphans.extend(others_range.iter().map(moved));
    }

    fn remove_first(&mut self, count: usize) {
        self.orphans.drain(..count);
        let start = self.orphans.first().map_or(self.bytes.len(), |orphan| orphan.start as usize);
        self.bytes.drain(..start);
        self.orphans.iter_mut().for_each(|orphan| orphan.start -= start as u32);
    }

    fn sort(&mut self) {
        self.sort_by_first(|orphans| orphans.sort_unstable_by_key(|orphan| orphan.first));
    }

    fn merge(&mut self, _: usize) {
        // A stable sort finds what is sorted already.
        self.sort_by_first(|orphans| orphans.sort_by_key(|orphan| orphan.first));
    }

    fn pack(&self, into: &mut Vec<u8>) {
        into.reserve(self.bytes.len() + self.orphans.len() * 4);
        let (mut before, mut row_before): (&[u8], i64) = (&[], 0);
        for orphan in &self.orphans {
            let key = bytes_of(&self.bytes, orphan);
            let shared = shared_bytes(key, before);
            push_varint(shared as u64, into);
            push_varint((key.len() - shared) as u64, into);
            into.extend_from_slice(&key[shared..]);
            push_step(orphan.row.wrapping_sub(row_before), into);
            (before, row_before) = (key, orphan.row);
        }
    }

    fn unpack(&mut self, from: &mut RunReader<'_>, most: usize, (last, row): &mut (Vec<u8>, i64)) -> io::Result<()> {
        let mut before: Option<usize> = None;
        while self.bytes() < most && from.next_entry() {
            let (shared, length) = (from.varint()? as usize, from.varint()? as usize);
            let start = self.bytes.len();
            match before {
                None => self.bytes.extend_from_slice(last.get(..shared).ok_or(io::ErrorKind::UnexpectedEof)?),
                Some(before) if before + shared <= start => self.bytes.extend_from_within(before..before + shared),
                Some(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            from.bytes(length, &mut self.bytes)?;
            *row = row.wrapping_add(from.step()?);
            self.end_key(start, *row);
            before = Some(start);
        }
        if let Some(before) = before {
            last.clear();
            last.extend_from_slice(&self.bytes[before..]);
        }
        Ok(())
    }

    fn row(&self, at: usize) -> i64 {
        self.orphans[at].row
    }

    fn show(&self, at: usize, into: &mut Vec<Value>) {
        let mut rest = self.key(at);
        let mut position = 0;
        while let Some((&class, after)) = rest.split_first() {
            let value = if class == INTEGER {
                let (number, after) = after.split_first_chunk().unwrap_or((&[0; 8], &[]));
                rest = after;
                Value::Integer((u64::from_be_bytes(*number) ^ 1 << 63).cast_signed())
            } else if class == REAL {
                let (number, after) = after.split_first_chunk().unwrap_or((&[0; 8], &[]));
                rest = after;
                let bits = u64::from_be_bytes(*number);
                Value::Real(f64::from_bits(if bits >> 63 == 1 { bits ^ 1 << 63 } else { !bits }))
            } else {
                let held = match into.get_mut(position) {
                    Some(Value::Text(bytes) | Value::Blob(bytes)) => std::mem::take(bytes),
                    _ => Vec::new(),
                };
                let (bytes, after) = unescaped(after, held);
                rest = after;
                if class == TEXT { Value::Text(bytes) } else { Value::Blob(bytes) }
            };
            match into.get_mut(position) {
                Some(held) => *held = value,
                None => into.push(value),
            }
            position += 1;
        }
        into.truncate(position);
    }

    fn is_same_key(&self, left: usize, right: usize) -> bool {
        self.key(left) == self.key(right)
    }

    fn order(&self, at: usize, others: &KeyRows, other: usize) -> Ordering {
        self.key(at).cmp(others.key(other)).then(self.row(at).cmp(&others.row(other)))
    }
}

/// Returns the bytes of a text or blob, in the memory of `into`, and all after its end.
fn unescaped(mut from: &[u8], mut into: Vec<u8>) -> (Vec<u8>, &[u8]) {
    into.clear();
    // Nearly every key is a single value without a zero byte.
    if let Some(bytes) = from.strip_suffix(&[0, 0]).filter(|bytes| !has_zero(bytes)) {
        into.extend_from_slice(bytes);
        return (into, &[]);
    }
    loop {
        let zero = from.iter().position(|&byte| byte == 0).unwrap_or(from.len());
        into.extend_from_slice(&from[..zero]);
        let is_end = from.get(zero + 1) != Some(&255);
        from = from.get(zero + 2..).unwrap_or_default();
        if is_end {
            return (into, from);
        }
        into.push(0);
    }
}
