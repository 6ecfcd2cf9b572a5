//! Keys as runs hold them: ordered like the engine's values, and packed beside the key before.

use std::io;

use super::run::RunReader;
use super::run::push_step;
use super::run::push_varint;
use crate::model::value::Value;

/// A key that can be sorted and packed.
pub(super) trait RunKey: Ord + Clone + Default + Send {
    /// Memory beyond the key itself, in bytes.
    fn heap_bytes(&self) -> usize;

    /// Appends the key, as far as it differs from the one before.
    fn pack(&self, before: &Self, into: &mut Vec<u8>);

    /// Replaces the key before by the next one of a run.
    fn unpack(&mut self, from: &mut RunReader<'_>) -> io::Result<()>;

    /// Puts the key's values into `into`.
    fn show(&self, into: &mut Vec<Value>);

    /// Sorts by key, then by address.
    fn sort(orphans: &mut Vec<(Self, i64)>) {
        orphans.sort_unstable();
    }
}

impl RunKey for i64 {
    fn heap_bytes(&self) -> usize {
        0
    }

    #[inline]
    fn pack(&self, before: &i64, into: &mut Vec<u8>) {
        push_varint(self.wrapping_sub(*before).cast_unsigned(), into);
    }

    #[inline]
    fn unpack(&mut self, from: &mut RunReader<'_>) -> io::Result<()> {
        *self = self.wrapping_add(from.varint()?.cast_signed());
        Ok(())
    }

    #[inline]
    fn show(&self, into: &mut Vec<Value>) {
        match into.as_mut_slice() {
            [Value::Integer(number)] => *number = *self,
            _ => *into = vec![Value::Integer(*self)],
        }
    }

    fn sort(orphans: &mut Vec<(i64, i64)>) {
        if orphans.len() < DIGITS || orphans.len() > u32::MAX as usize {
            orphans.sort_unstable();
        } else if !orphans.is_sorted() {
            if !orphans.is_sorted_by_key(|(_, row)| *row) {
                sort_by_digits(orphans, |(_, row)| *row);
            }
            sort_by_digits(orphans, |(key, _)| *key);
        }
    }
}

/// Two integers.
impl RunKey for (i64, i64) {
    fn heap_bytes(&self) -> usize {
        0
    }

    #[inline]
    fn pack(&self, before: &(i64, i64), into: &mut Vec<u8>) {
        self.0.pack(&before.0, into);
        push_step(self.1.wrapping_sub(before.1), into);
    }

    #[inline]
    fn unpack(&mut self, from: &mut RunReader<'_>) -> io::Result<()> {
        self.0.unpack(from)?;
        self.1 = self.1.wrapping_add(from.step()?);
        Ok(())
    }

    #[inline]
    fn show(&self, into: &mut Vec<Value>) {
        match into.as_mut_slice() {
            [Value::Integer(first), Value::Integer(second)] => (*first, *second) = *self,
            _ => *into = vec![Value::Integer(self.0), Value::Integer(self.1)],
        }
    }
}

/// A digit is one byte: the places to write to then fit into the processor's nearest cache.
const DIGITS: usize = 1 << 8;

/// Sorts by a number, one digit after the other from the lowest on. Orphans with equal numbers keep their order.
fn sort_by_digits(orphans: &mut Vec<(i64, i64)>, number: impl Fn(&(i64, i64)) -> i64) {
    let bits = |orphan: &(i64, i64)| number(orphan).cast_unsigned() ^ 1 << 63;
    let first = orphans.first().map_or(0, bits);
    let varying = orphans.iter().fold(0, |varying, orphan| varying | (bits(orphan) ^ first));
    let mut sorted = vec![(0, 0); orphans.len()];
    for shift in (0..u64::BITS).step_by(8) {
        let digit = |orphan: &(i64, i64)| (bits(orphan) >> shift) as usize % DIGITS;
        if ((varying >> shift) as usize).is_multiple_of(DIGITS) {
            continue;
        }
        let mut next = [0_u32; DIGITS];
        for orphan in orphans.iter() {
            next[digit(orphan)] += 1;
        }
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        for orphan in orphans.iter() {
            let position = &mut next[digit(orphan)];
            sorted[*position as usize] = *orphan;
            *position += 1;
        }
        std::mem::swap(orphans, &mut sorted);
    }
}

const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

/// The values of a key as bytes that have the order of the values.
///
/// A value begins with its class. An integer has its sign turned and its highest byte first. A text or blob ends with two
/// zero bytes, and a zero byte in it is followed by 255, so that the shorter one comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct KeyBytes {
    /// The first eight bytes, which decide nearly every comparison without a look at the others.
    first: u64,
    bytes: Vec<u8>,
}

impl KeyBytes {
    pub(in crate::engine) fn add_integer(&mut self, number: i64) {
        self.bytes.push(INTEGER);
        self.bytes.extend_from_slice(&(number.cast_unsigned() ^ 1 << 63).to_be_bytes());
        self.set_first();
    }

    pub(in crate::engine) fn add_text(&mut self, text: &[u8]) {
        self.add_escaped(TEXT, text);
    }

    pub(in crate::engine) fn add_blob(&mut self, blob: &[u8]) {
        self.add_escaped(BLOB, blob);
    }

    fn add_escaped(&mut self, class: u8, bytes: &[u8]) {
        self.bytes.reserve_exact(bytes.len() + 3);
        self.bytes.push(class);
        for (position, part) in bytes.split(|&byte| byte == 0).enumerate() {
            if position > 0 {
                self.bytes.extend_from_slice(&[0, 255]);
            }
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(&[0, 0]);
        self.set_first();
    }

    fn set_first(&mut self) {
        let mut first = [0; 8];
        let length = self.bytes.len().min(8);
        first[..length].copy_from_slice(&self.bytes[..length]);
        self.first = u64::from_be_bytes(first);
    }
}

impl RunKey for KeyBytes {
    fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + 16
    }

    fn pack(&self, before: &KeyBytes, into: &mut Vec<u8>) {
        let shared = self.bytes.iter().zip(&before.bytes).take_while(|(left, right)| left == right).count();
        push_varint(shared as u64, into);
        push_varint((self.bytes.len() - shared) as u64, into);
        into.extend_from_slice(&self.bytes[shared..]);
    }

    fn unpack(&mut self, from: &mut RunReader<'_>) -> io::Result<()> {
        let shared = from.varint()? as usize;
        let length = from.varint()? as usize;
        self.bytes.truncate(shared);
        from.bytes(length, &mut self.bytes)?;
        self.set_first();
        Ok(())
    }

    fn show(&self, into: &mut Vec<Value>) {
        let mut rest = self.bytes.as_slice();
        let mut position = 0;
        while let Some((&class, after)) = rest.split_first() {
            let value = if class == INTEGER {
                let (number, after) = after.split_first_chunk().unwrap_or((&[0; 8], &[]));
                rest = after;
                Value::Integer((u64::from_be_bytes(*number) ^ 1 << 63).cast_signed())
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
}

/// Returns the bytes of a text or blob, in the memory of `into`, and all after its end.
fn unescaped(mut from: &[u8], mut into: Vec<u8>) -> (Vec<u8>, &[u8]) {
    into.clear();
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
