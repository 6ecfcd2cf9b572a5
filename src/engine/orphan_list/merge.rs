//! Merges sorted runs.
//!
//! Every run has a block of entries ahead. No entry that is still unread comes before the least of the blocks' last
//! entries, so all entries up to that one are next. They are sorted together, which for a few sorted sequences costs less
//! than to compare the runs for every entry.

use super::keys::RunKey;
use super::run::Run;
use super::run::RunReader;
use super::unreadable;
use crate::engine::EngineError;

/// The bytes in the windows of all runs together, and the largest and smallest window.
const WINDOWS: usize = 8 << 20;
const LARGEST_WINDOW: usize = 32 << 10;
const SMALLEST_WINDOW: usize = 512;
/// The entries in the blocks of all runs together, and the largest and smallest block.
const BLOCKS: usize = 64 << 10;
const LARGEST_BLOCK: usize = 4 << 10;
const SMALLEST_BLOCK: usize = 128;

/// Gives the entries of several runs in order.
pub(super) struct Merge<'a, K> {
    sources: Vec<Source<'a, K>>,
    block: usize,
    /// The entries that come next, and the position of the first one that is left.
    next: Vec<(K, i64)>,
    at: usize,
}

/// A run with the block of its entries that was read ahead.
struct Source<'a, K> {
    reader: RunReader<'a>,
    last: (K, i64),
    block: Vec<(K, i64)>,
    /// The position of the first entry of the block that is left.
    at: usize,
}

impl<'a, K: RunKey> Merge<'a, K> {
    pub(super) fn new(runs: &'a [Run]) -> Result<Merge<'a, K>, EngineError> {
        let share = |of: usize, least: usize, most: usize| (of / runs.len().max(1)).clamp(least, most);
        let window = share(WINDOWS, SMALLEST_WINDOW, LARGEST_WINDOW);
        let block = share(BLOCKS, SMALLEST_BLOCK, LARGEST_BLOCK);
        let source =
            |run| Source { reader: RunReader::new(run, window), last: (K::default(), 0), block: Vec::new(), at: 0 };
        let mut merge = Merge { sources: runs.iter().map(source).collect(), block, next: Vec::new(), at: 0 };
        merge.refill()?;
        Ok(merge)
    }

    /// Returns the first entry of all that are left.
    #[inline]
    pub(super) fn first(&self) -> Option<(&K, i64)> {
        self.next.get(self.at).map(|(key, row)| (key, *row))
    }

    /// Goes past the first entry.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<(), EngineError> {
        self.at += 1;
        if self.at < self.next.len() { Ok(()) } else { self.refill() }
    }

    #[inline(never)]
    fn refill(&mut self) -> Result<(), EngineError> {
        self.next.clear();
        self.at = 0;
        for source in &mut self.sources {
            source.read(self.block).map_err(|error| unreadable(&error))?;
        }
        self.sources.retain(|source| !source.block.is_empty());
        let Some(end) = self.sources.iter().filter_map(|source| source.block.last()).min().cloned() else {
            return Ok(());
        };
        for source in &mut self.sources {
            let count = source.block[source.at..].partition_point(|entry| *entry <= end);
            let taken = &mut source.block[source.at..source.at + count];
            self.next.extend(taken.iter_mut().map(|(key, row)| (std::mem::take(key), *row)));
            source.at += count;
        }
        self.next.sort();
        Ok(())
    }
}

impl<K: RunKey> Source<'_, K> {
    /// Reads the next block, if nothing is left of the one before. An empty block means the end of the run.
    fn read(&mut self, size: usize) -> std::io::Result<()> {
        if self.at < self.block.len() {
            return Ok(());
        }
        self.block.clear();
        self.at = 0;
        let (key, row) = &mut self.last;
        while self.block.len() < size && self.reader.advance(key, row)? {
            self.block.push((key.clone(), *row));
        }
        Ok(())
    }
}
