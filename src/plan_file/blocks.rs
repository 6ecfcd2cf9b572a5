//! The bytes of a plan in blocks. A block that is read again must still have the digest that it had when the whole plan
//! was verified. Therefore bytes that changed in between are never executed.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

const BLOCK: usize = 64 * 1024;

type BlockDigest = [u8; 32];

/// Reads a file from its beginning, and records the digest of every block.
pub(super) struct DigestingReader {
    file: File,
    digests: Vec<BlockDigest>,
    block: Vec<u8>,
    used: usize,
}

impl DigestingReader {
    pub(super) fn new(file: File) -> DigestingReader {
        DigestingReader { file, digests: Vec::new(), block: Vec::new(), used: 0 }
    }

    pub(super) fn finish(self) -> Blocks {
        Blocks { file: self.file, digests: self.digests.into(), cached: None }
    }
}

impl Read for DigestingReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.used == self.block.len() {
            self.block = read_block(&mut self.file)?;
            self.used = 0;
            if !self.block.is_empty() {
                self.digests.push(Sha256::digest(&self.block).into());
            }
        }
        let count = into.len().min(self.block.len() - self.used);
        into[..count].copy_from_slice(&self.block[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

/// A file that was read once, with the digests of its blocks.
pub(super) struct Blocks {
    file: File,
    digests: Arc<[BlockDigest]>,
    /// The block that was read last.
    cached: Option<(usize, Vec<u8>)>,
}

impl Blocks {
    /// Returns the blocks of the same file, which was opened again.
    pub(super) fn with(&self, file: File) -> Blocks {
        Blocks { file, digests: Arc::clone(&self.digests), cached: None }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Returns the bytes from `start` to `end`; `None` if they changed since the first reading.
    pub(super) fn bytes(&mut self, start: u64, end: u64) -> io::Result<Option<Vec<u8>>> {
        let (start, end) = (to_usize(start), to_usize(end));
        let mut bytes = Vec::with_capacity(end - start);
        for number in start / BLOCK..=end.saturating_sub(1).max(start) / BLOCK {
            let Some(block) = self.block(number)? else { return Ok(None) };
            let from = start.saturating_sub(number * BLOCK).min(block.len());
            let to = (end - number * BLOCK).min(block.len());
            bytes.extend_from_slice(&block[from..to]);
        }
        Ok((bytes.len() == end - start).then_some(bytes))
    }

    fn block(&mut self, number: usize) -> io::Result<Option<&[u8]>> {
        if self.cached.as_ref().is_none_or(|(cached, _)| *cached != number) {
            self.file.seek(SeekFrom::Start((number * BLOCK) as u64))?;
            let block = read_block(&mut self.file)?;
            let digest: BlockDigest = Sha256::digest(&block).into();
            if self.digests.get(number) != Some(&digest) {
                return Ok(None);
            }
            self.cached = Some((number, block));
        }
        Ok(self.cached.as_ref().map(|(_, block)| block.as_slice()))
    }
}

/// Reads a whole block, or less at the end of the file.
fn read_block(file: &mut File) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK);
    file.take(BLOCK as u64).read_to_end(&mut block)?;
    Ok(block)
}

fn to_usize(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
