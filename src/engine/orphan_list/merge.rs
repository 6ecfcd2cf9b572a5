//! Merges sorted runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::keys::RunKey;
use super::run::Run;
use super::run::RunReader;
use super::unreadable;
use crate::engine::EngineError;

/// Memory for the windows of all runs together, in bytes, and the largest and smallest window.
const WINDOWS: usize = 8 << 20;
const LARGEST_WINDOW: usize = 32 << 10;
const SMALLEST_WINDOW: usize = 512;

/// The first entry of every run that is not at its end.
pub(super) struct Merge<'a, K> {
    readers: Vec<RunReader<'a>>,
    /// An entry, its address, and the position of its reader.
    first: BinaryHeap<Reverse<(K, i64, usize)>>,
}

impl<'a, K: RunKey> Merge<'a, K> {
    pub(super) fn new(runs: &'a [Run]) -> Result<Merge<'a, K>, EngineError> {
        let window = (WINDOWS / runs.len().max(1)).clamp(SMALLEST_WINDOW, LARGEST_WINDOW);
        let mut readers: Vec<RunReader<'a>> = runs.iter().map(|run| RunReader::new(run, window)).collect();
        let mut first = BinaryHeap::with_capacity(readers.len());
        for (position, reader) in readers.iter_mut().enumerate() {
            let (mut key, mut row) = (K::default(), 0);
            if reader.advance(&mut key, &mut row).map_err(|error| unreadable(&error))? {
                first.push(Reverse((key, row, position)));
            }
        }
        Ok(Merge { readers, first })
    }

    /// Returns the first entry of all that are left.
    #[inline]
    pub(super) fn first(&self) -> Option<(&K, i64)> {
        self.first.peek().map(|Reverse((key, row, _))| (key, *row))
    }

    /// Goes past the first entry.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<(), EngineError> {
        let Some(mut top) = self.first.peek_mut() else { return Ok(()) };
        let Reverse((key, row, position)) = &mut *top;
        if !self.readers[*position].advance(key, row).map_err(|error| unreadable(&error))? {
            PeekMut::pop(top);
        }
        Ok(())
    }
}
