//! Takes orphans from many threads, and makes sorted runs of them.

use std::fs::File;
use std::io;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::OrphanList;
use super::Runs;
use super::keys::KeyBytes;
use super::keys::KeyRows;
use super::rows::FixedRows;
use super::rows::OrphanRows;
use super::run::Run;

/// Where the runs of all relations are kept: in memory up to a limit, and after that in one temporary file, which has no
/// name and is gone with the last list.
pub(in crate::engine) struct RunStore {
    state: Mutex<StoreState>,
    /// The size of the orphans that are sorted together, in bytes.
    run_size: usize,
}

struct StoreState {
    memory_left: u64,
    /// The size of the orphans that collectors hold back, because they are too few for a run.
    held_back: usize,
    file: Option<Arc<File>>,
    end: u64,
}

const LARGEST_RUN: u64 = 1 << 20;
const SMALLEST_RUN: u64 = 16 << 10;

impl RunStore {
    /// `memory` limits the runs that are kept in memory, in bytes.
    pub(in crate::engine) fn new(memory: u64) -> RunStore {
        let run_size = (memory / 16).clamp(SMALLEST_RUN, LARGEST_RUN) as usize;
        let state = StoreState { memory_left: memory, held_back: 0, file: None, end: 0 };
        RunStore { state: Mutex::new(state), run_size }
    }

    fn state(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a run in memory if there is room, otherwise in the file.
    fn keep(&self, entries: u64, bytes: Vec<u8>) -> io::Result<Run> {
        let length = bytes.len() as u64;
        let mut state = self.state();
        if let Some(left) = state.memory_left.checked_sub(length) {
            state.memory_left = left;
            return Ok(Run::in_memory(entries, bytes));
        }
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(state.file.insert(Arc::new(tempfile::tempfile()?))),
        };
        let offset = state.end;
        let mut writer = &*file;
        writer.seek(SeekFrom::Start(offset))?;
        writer.write_all(&bytes)?;
        state.end += length;
        Ok(Run::in_file(entries, length, Arc::clone(&file), offset))
    }

    /// Notes that a collector holds back so many bytes more than before. Returns true if all collectors together hold
    /// back too much.
    fn hold_back(&self, more: usize) -> bool {
        let mut state = self.state();
        state.held_back += more;
        state.held_back > 4 * self.run_size
    }

    fn give_back(&self, bytes: usize) {
        let mut state = self.state();
        state.held_back = state.held_back.saturating_sub(bytes);
    }

    #[cfg(test)]
    pub(super) fn is_spilled(&self) -> bool {
        self.state().file.is_some()
    }
}

/// Orphans that one thread has found and a collector does not have yet.
pub(in crate::engine) struct OrphanBuffer {
    found: Found,
    /// The size that makes the buffer full, in bytes.
    limit: usize,
}

enum Found {
    Integers(FixedRows<i64>),
    Pairs(FixedRows<(i64, i64)>),
    Keys(KeyRows),
}

impl OrphanBuffer {
    /// Adds an orphan with a key of one integer. Only the buffer of a collector for such keys takes it.
    #[inline]
    pub(in crate::engine) fn add_integer(&mut self, key: i64, row: i64) {
        if let Found::Integers(orphans) = &mut self.found {
            orphans.add(key, row);
        }
    }

    /// Adds an orphan with a key of two integers. Only the buffer of a collector for such keys takes it.
    #[inline]
    pub(in crate::engine) fn add_pair(&mut self, key: (i64, i64), row: i64) {
        if let Found::Pairs(orphans) = &mut self.found {
            orphans.add(key, row);
        }
    }

    /// Adds an orphan with another key. Only the buffer of a collector for such keys takes it.
    pub(in crate::engine) fn add_key(&mut self, key: &KeyBytes, row: i64) {
        if let Found::Keys(orphans) = &mut self.found {
            orphans.add(key, row);
        }
    }

    /// Adds an orphan with a key of one text. Only the buffer of a collector for such keys takes it.
    #[inline]
    pub(in crate::engine) fn add_text(&mut self, text: &[u8], row: i64) {
        if let Found::Keys(orphans) = &mut self.found {
            orphans.add_text(text, row);
        }
    }

    pub(in crate::engine) fn is_full(&self) -> bool {
        self.bytes() >= self.limit
    }

    fn bytes(&self) -> usize {
        self.found.bytes()
    }
}

/// The keys of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum KeyKind {
    Integer,
    TwoIntegers,
    Other,
}

/// Takes the orphans of one relation.
pub(in crate::engine) struct OrphanCollector<'a> {
    store: &'a RunStore,
    keys: KeyKind,
    held: Mutex<Held>,
}

/// The orphans that a collector has.
struct Held {
    /// Too few for a run.
    rest: Found,
    runs: Vec<Run>,
    /// The first fault, after which nothing more is taken.
    fault: Option<io::Error>,
}

impl<'a> OrphanCollector<'a> {
    pub(in crate::engine) fn new(store: &'a RunStore, keys: KeyKind) -> OrphanCollector<'a> {
        let held = Held { rest: Found::empty(keys), runs: Vec::new(), fault: None };
        OrphanCollector { store, keys, held: Mutex::new(held) }
    }

    /// Returns an empty buffer, which is one of `count` that a thread fills at once.
    pub(in crate::engine) fn buffer(&self, count: usize) -> OrphanBuffer {
        let limit = (self.store.run_size / count.max(1)).max(1_024);
        OrphanBuffer { found: Found::empty(self.keys), limit }
    }

    /// Takes what a thread has found, and leaves its buffer empty.
    pub(in crate::engine) fn take(&self, buffer: &mut OrphanBuffer) {
        let bytes = buffer.bytes();
        if bytes == 0 {
            return;
        }
        if bytes >= self.store.run_size / 2 {
            return self.make_run(&mut buffer.found);
        }
        let found = std::mem::replace(&mut buffer.found, Found::empty(self.keys));
        let is_too_much = self.store.hold_back(bytes);
        let full = {
            let mut held = self.held();
            held.rest.append(found);
            let is_full = held.rest.bytes() >= self.store.run_size || is_too_much;
            is_full.then(|| std::mem::replace(&mut held.rest, Found::empty(self.keys)))
        };
        if let Some(mut full) = full {
            self.store.give_back(full.bytes());
            self.make_run(&mut full);
        }
    }

    /// Returns the list of all orphans; the fault if the temporary file failed.
    pub(in crate::engine) fn finish(self) -> io::Result<OrphanList> {
        let mut rest = std::mem::replace(&mut self.held().rest, Found::empty(self.keys));
        if rest.bytes() > 0 {
            self.store.give_back(rest.bytes());
            self.make_run(&mut rest);
        }
        let held = self.held.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = held.fault {
            return Err(fault);
        }
        Ok(match self.keys {
            _ if held.runs.is_empty() => OrphanList::default(),
            KeyKind::Integer => OrphanList::new(Runs::Integers(held.runs)),
            KeyKind::TwoIntegers => OrphanList::new(Runs::Pairs(held.runs)),
            KeyKind::Other => OrphanList::new(Runs::Keys(held.runs)),
        })
    }

    /// Makes a run of these orphans, and leaves their memory for others.
    fn make_run(&self, found: &mut Found) {
        let (entries, bytes) = match found {
            Found::Integers(orphans) => sorted(orphans),
            Found::Pairs(orphans) => sorted(orphans),
            Found::Keys(orphans) => sorted(orphans),
        };
        let kept = self.store.keep(entries, bytes);
        let mut held = self.held();
        match kept {
            Ok(run) => held.runs.push(run),
            Err(fault) => held.fault = held.fault.take().or(Some(fault)),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn empty(keys: KeyKind) -> Found {
        match keys {
            KeyKind::Integer => Found::Integers(FixedRows::default()),
            KeyKind::TwoIntegers => Found::Pairs(FixedRows::default()),
            KeyKind::Other => Found::Keys(KeyRows::default()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Found::Integers(orphans) => orphans.bytes(),
            Found::Pairs(orphans) => orphans.bytes(),
            Found::Keys(orphans) => orphans.bytes(),
        }
    }

    fn append(&mut self, mut other: Found) {
        match (self, &mut other) {
            (Found::Integers(orphans), Found::Integers(more)) => orphans.append(more),
            (Found::Pairs(orphans), Found::Pairs(more)) => orphans.append(more),
            (Found::Keys(orphans), Found::Keys(more)) => orphans.append(more),
            // All buffers of a collector hold the same kind of key.
            (Found::Integers(_) | Found::Pairs(_) | Found::Keys(_), _) => {}
        }
    }
}

/// Returns the number of orphans, and the orphans sorted and packed.
fn sorted(orphans: &mut impl OrphanRows) -> (u64, Vec<u8>) {
    let (mut packed, count) = (Vec::new(), orphans.len() as u64);
    orphans.sort();
    orphans.pack(&mut packed);
    orphans.clear();
    (count, packed)
}
