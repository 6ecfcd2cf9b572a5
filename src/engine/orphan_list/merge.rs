//! Merges sorted runs, many orphans at a time.
//!
//! A block of each run is in memory. All orphans up to the least last one of these blocks come before all that are not in
//! memory yet, so they are taken together and sorted. That takes less time than to choose between the runs for each orphan.

use std::cmp::Ordering;

use super::rows::OrphanRows;
use super::run::Run;
use super::run::RunReader;
use super::unreadable;
use crate::engine::EngineError;

/// Memory for the windows of all runs together, in bytes, and the largest and smallest window.
const WINDOWS: usize = 4 << 20;
const LARGEST_WINDOW: usize = 32 << 10;
const SMALLEST_WINDOW: usize = 512;
/// The same for the blocks.
const BLOCKS: usize = 1 << 20;
const LARGEST_BLOCK: usize = 64 << 10;
const SMALLEST_BLOCK: usize = 512;

pub(super) struct Merge<'a, R: OrphanRows> {
    blocks: Vec<Block<'a, R>>,
    block_size: usize,
    /// The orphans that come next, sorted.
    batch: R,
    /// The position of the next one.
    at: usize,
}

/// The next orphans of a run.
struct Block<'a, R: OrphanRows> {
    reader: RunReader<'a>,
    orphans: R,
    /// The number of orphans after the last reading.
    read: usize,
    /// The position of the first that was not taken.
    at: usize,
    last: R::Last,
}

impl<'a, R: OrphanRows> Merge<'a, R> {
    pub(super) fn new(runs: &'a [Run]) -> Result<Merge<'a, R>, EngineError> {
        let count = runs.len().max(1);
        let window = (WINDOWS / count).clamp(SMALLEST_WINDOW, LARGEST_WINDOW);
        let block_size = (BLOCKS / count).clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        let block = |run| Block {
            reader: RunReader::new(run, window),
            orphans: R::default(),
            read: 0,
            at: 0,
            last: R::Last::default(),
        };
        let mut merge = Merge { blocks: runs.iter().map(block).collect(), block_size, batch: R::default(), at: 0 };
        merge.next_batch()?;
        Ok(merge)
    }

    /// Returns the orphans that are in memory, and the position of the next one; `None` at the end.
    #[inline]
    pub(super) fn next(&self) -> Option<(&R, usize)> {
        (self.at < self.batch.len()).then_some((&self.batch, self.at))
    }

    /// Goes past some orphans, at most to the end of those that are in memory.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) -> Result<(), EngineError> {
        self.at += count;
        if self.at < self.batch.len() { Ok(()) } else { self.next_batch() }
    }

    fn next_batch(&mut self) -> Result<(), EngineError> {
        self.batch.clear();
        self.at = 0;
        for block in &mut self.blocks {
            block.fill(self.block_size).map_err(|error| unreadable(&error))?;
        }
        self.blocks.retain(|block| block.at < block.orphans.len());
        let least = self.blocks.iter().filter(|block| block.reader.has_more()).min_by(|left, right| left.order(right));
        let counts: Vec<usize> =
            self.blocks.iter().map(|block| least.map_or(usize::MAX, |least| block.count_upto(least))).collect();
        let mut sources = 0;
        for (block, count) in self.blocks.iter_mut().zip(counts) {
            let end = block.orphans.len().min(block.at.saturating_add(count));
            if end > block.at {
                sources += 1;
                self.batch.extend(&block.orphans, block.at..end);
                block.at = end;
            }
        }
        if sources > 1 {
            self.batch.merge(sources);
        }
        Ok(())
    }
}

impl<R: OrphanRows> Block<'_, R> {
    /// Reads more, if less than half of the block is left.
    fn fill(&mut self, size: usize) -> std::io::Result<()> {
        let left = self.orphans.len() - self.at;
        if left * 2 > self.read || !self.reader.has_more() {
            return Ok(());
        }
        self.orphans.remove_first(self.at);
        self.at = 0;
        self.orphans.unpack(&mut self.reader, size, &mut self.last)?;
        self.read = self.orphans.len();
        Ok(())
    }

    /// Compares the last orphan with that of another block.
    fn order(&self, other: &Self) -> Ordering {
        self.orphans.order(self.orphans.len() - 1, &other.orphans, other.orphans.len() - 1)
    }

    /// Returns how many orphans come before the last one of another block, or are equal to it.
    fn count_upto(&self, other: &Self) -> usize {
        let (mut from, mut to) = (self.at, self.orphans.len());
        while from < to {
            let middle = from.midpoint(to);
            if self.orphans.order(middle, &other.orphans, other.orphans.len() - 1).is_le() {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from - self.at
    }
}
