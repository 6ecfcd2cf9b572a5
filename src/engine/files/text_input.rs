//! The bytes of a text file, which may be compressed, with a buffer from which records are parsed.

use std::fs::File;
use std::io::Read;

use super::fault::Fault;
use super::lake::DataFile;
use crate::model::text::io_reason;

const BLOCK: usize = 256 << 10;

pub(super) struct TextInput<'a> {
    pub(super) file: &'a DataFile,
    source: Box<dyn Read>,
    /// The bytes that were read and not parsed yet begin at `at`.
    pub(super) buffer: Vec<u8>,
    pub(super) at: usize,
    pub(super) is_at_end: bool,
    /// The largest size of a record, in bytes.
    limit: usize,
}

impl<'a> TextInput<'a> {
    pub(super) fn open(file: &'a DataFile, limit: u64) -> Result<TextInput<'a>, Fault> {
        let opened = File::open(&file.path).map_err(|error| Fault::of(file, io_reason(&error)))?;
        let source: Box<dyn Read> = if file.name.to_ascii_lowercase().ends_with(".gz") {
            Box::new(flate2::read::MultiGzDecoder::new(opened))
        } else {
            Box::new(opened)
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(TextInput { file, source, buffer: Vec::new(), at: 0, is_at_end: false, limit })
    }

    /// Reads the first block, without the byte order mark that some programs write.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        self.fill()?;
        if self.buffer.starts_with("\u{feff}".as_bytes()) {
            self.at = 3;
        }
        Ok(())
    }

    /// Moves what is not parsed yet to the begin of the buffer, and reads more. Returns false if there was no more.
    pub(super) fn fill(&mut self) -> Result<bool, Fault> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let before = self.buffer.len();
        // A long record doubles the buffer, so that it is not parsed again for each block.
        let wanted = BLOCK.max(before.min(self.limit.saturating_sub(before)));
        let read = self.source.by_ref().take(wanted as u64).read_to_end(&mut self.buffer);
        read.map_err(|error| Fault::of(self.file, io_reason(&error)))?;
        self.is_at_end = self.buffer.len() < before + wanted;
        Ok(self.buffer.len() > before)
    }

    /// Returns a fault if the record that begins at `line` is too long.
    pub(super) fn check_size(&self, line: u64) -> Result<(), Fault> {
        if self.buffer.len() - self.at <= self.limit {
            return Ok(());
        }
        let why = format!("line {line} begins a record of more than {} bytes: allow more with --memory", self.limit);
        Err(Fault::of(self.file, why))
    }
}
