//! A sorted run of orphans, packed in memory or in the temporary file.

use std::fs::File;
use std::io;
use std::sync::Arc;

/// A packed run. Each entry is a key and a row's address, as far as they differ from the entry before.
pub(super) struct Run {
    entries: u64,
    length: u64,
    bytes: RunBytes,
}

enum RunBytes {
    Memory(Box<[u8]>),
    /// In the file from this offset on.
    File(Arc<File>, u64),
}

impl Run {
    pub(super) fn in_memory(entries: u64, bytes: Vec<u8>) -> Run {
        let bytes = bytes.into_boxed_slice();
        Run { entries, length: bytes.len() as u64, bytes: RunBytes::Memory(bytes) }
    }

    pub(super) fn in_file(entries: u64, length: u64, file: Arc<File>, offset: u64) -> Run {
        Run { entries, length, bytes: RunBytes::File(file, offset) }
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Fills `into` with the bytes from `from` on.
    fn read(&self, from: u64, into: &mut [u8]) -> io::Result<()> {
        match &self.bytes {
            RunBytes::Memory(bytes) => {
                into.copy_from_slice(&bytes[from as usize..from as usize + into.len()]);
                Ok(())
            }
            RunBytes::File(file, offset) => crate::engine::read_at::read_at(file, into, offset + from),
        }
    }
}

/// Appends a difference, so that a small one is short in either direction.
#[inline]
pub(super) fn push_step(step: i64, into: &mut Vec<u8>) {
    push_varint((step << 1 ^ step >> 63).cast_unsigned(), into);
}

/// Appends a number, seven bits a byte, the lowest first.
#[inline]
pub(super) fn push_varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// The longest varint.
const VARINT: usize = 10;

/// Reads a run from its start to its end, a window at a time.
pub(super) struct RunReader<'a> {
    run: &'a Run,
    entries_left: u64,
    /// The offset of the first byte after the window.
    next: u64,
    window: Vec<u8>,
    at: usize,
    window_size: usize,
}

impl<'a> RunReader<'a> {
    pub(super) fn new(run: &'a Run, window_size: usize) -> RunReader<'a> {
        RunReader { run, entries_left: run.entries, next: 0, window: Vec::new(), at: 0, window_size }
    }

    /// True if entries are left.
    pub(super) fn has_more(&self) -> bool {
        self.entries_left > 0
    }

    /// Begins the next entry. Returns false at the end of the run.
    #[inline]
    pub(super) fn next_entry(&mut self) -> bool {
        let is_left = self.entries_left > 0;
        self.entries_left -= u64::from(is_left);
        is_left
    }

    /// Reads a difference.
    #[inline]
    pub(super) fn step(&mut self) -> io::Result<i64> {
        let step = self.varint()?;
        Ok((step >> 1).cast_signed() ^ -(step & 1).cast_signed())
    }

    #[inline]
    pub(super) fn varint(&mut self) -> io::Result<u64> {
        if self.window.len() - self.at < VARINT {
            self.refill()?;
        }
        let mut number = 0;
        for (position, &byte) in self.window[self.at..].iter().take(VARINT).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                self.at += position + 1;
                return Ok(number);
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Appends the next bytes.
    pub(super) fn bytes(&mut self, mut length: usize, into: &mut Vec<u8>) -> io::Result<()> {
        while length > 0 {
            if self.at == self.window.len() {
                self.refill()?;
            }
            let part = &self.window[self.at..];
            let part = &part[..part.len().min(length)];
            if part.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            into.extend_from_slice(part);
            self.at += part.len();
            length -= part.len();
        }
        Ok(())
    }

    /// Moves the window on. The bytes in it that were not read yet stay.
    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        self.window.drain(..self.at);
        self.at = 0;
        let left = self.window.len();
        let more = (self.run.length - self.next).min(self.window_size as u64);
        self.window.resize(left + more as usize, 0);
        self.run.read(self.next, &mut self.window[left..])?;
        self.next += more;
        Ok(())
    }
}
