//! The orphans that an engine's storage proves. The engine does not judge them again, so each costs only its key and its
//! address.
//!
//! An [`OrphanCollector`] takes them from many threads in any order. It sorts them in runs of limited size, packs each
//! run, and writes runs to a temporary file beyond a limit of memory. An [`OrphanList`] merges the runs as often as it is
//! read. Its order is the engine's: integers before texts before blobs, texts and blobs by their bytes, and the rows of
//! one key by their addresses. It does not depend on how the orphans were divided into runs.

use std::fmt;
use std::sync::Arc;

use super::EngineError;
use crate::model::text::io_reason;
use crate::model::value::Key;

mod collect;
mod keys;
mod merge;
mod rows;
mod run;

pub(super) use collect::KeyKind;
pub(super) use collect::OrphanBuffer;
pub(super) use collect::OrphanCollector;
pub(super) use collect::RunStore;
pub(super) use keys::KeyBytes;
use keys::KeyRows;
use merge::Merge;
use rows::FixedRows;
use rows::OrphanRows;
use run::Run;

/// The proven orphans of one relation. Copies share them.
#[derive(Clone, Default)]
pub struct OrphanList {
    runs: Option<Arc<Runs>>,
}

enum Runs {
    /// Every key is one integer.
    Integers(Vec<Run>),
    /// Every key is two integers.
    Pairs(Vec<Run>),
    Keys(Vec<Run>),
}

impl OrphanList {
    fn new(runs: Runs) -> OrphanList {
        OrphanList { runs: Some(Arc::new(runs)) }
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_none()
    }

    /// Returns the number of orphans.
    pub fn len(&self) -> u64 {
        match self.runs.as_deref() {
            None => 0,
            Some(Runs::Integers(runs) | Runs::Pairs(runs) | Runs::Keys(runs)) => runs.iter().map(Run::entries).sum(),
        }
    }

    /// Reads the orphans from the first on.
    pub fn stream(&self) -> Result<OrphanStream<'_>, EngineError> {
        let merge = match self.runs.as_deref() {
            None => Source::Integers(Merge::new(&[])?),
            Some(Runs::Integers(runs)) => Source::Integers(Merge::new(runs)?),
            Some(Runs::Pairs(runs)) => Source::Pairs(Merge::new(runs)?),
            Some(Runs::Keys(runs)) => Source::Keys(Merge::new(runs)?),
        };
        Ok(OrphanStream { source: merge, key: Vec::new() })
    }
}

/// Two lists are equal if they share their runs.
impl PartialEq for OrphanList {
    fn eq(&self, other: &OrphanList) -> bool {
        match (&self.runs, &other.runs) {
            (None, None) => true,
            (Some(left), Some(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }
}

impl Eq for OrphanList {}

impl fmt::Debug for OrphanList {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(into, "OrphanList of {}", self.len())
    }
}

/// A pass over an [`OrphanList`] in its order.
pub struct OrphanStream<'a> {
    source: Source<'a>,
    key: Key,
}

enum Source<'a> {
    Integers(Merge<'a, FixedRows<i64>>),
    Pairs(Merge<'a, FixedRows<(i64, i64)>>),
    Keys(Merge<'a, KeyRows>),
}

/// The orphans of one missing key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrphanGroup<'a> {
    /// The key, which parent and child store alike.
    pub key: &'a Key,
    pub rows: u64,
}

impl OrphanStream<'_> {
    /// Returns the key of the next orphan.
    pub fn next_key(&mut self) -> Option<&Key> {
        self.peek().map(|_| &self.key)
    }

    /// Shows the key of the next orphan. Returns its address.
    fn peek(&mut self) -> Option<i64> {
        match &self.source {
            Source::Integers(merge) => peek(merge, &mut self.key),
            Source::Pairs(merge) => peek(merge, &mut self.key),
            Source::Keys(merge) => peek(merge, &mut self.key),
        }
    }

    /// Returns the next orphan: its key, and its address.
    pub fn next_row(&mut self) -> Result<Option<(&Key, i64)>, EngineError> {
        let row = match &mut self.source {
            Source::Integers(merge) => next_row(merge, &mut self.key)?,
            Source::Pairs(merge) => next_row(merge, &mut self.key)?,
            Source::Keys(merge) => next_row(merge, &mut self.key)?,
        };
        Ok(row.map(|row| (&self.key, row)))
    }

    /// Returns the next orphan if it meets a condition.
    pub fn next_row_if(
        &mut self,
        is_wanted: impl FnOnce(&Key, i64) -> bool,
    ) -> Result<Option<(&Key, i64)>, EngineError> {
        let Some(row) = self.peek() else { return Ok(None) };
        if is_wanted(&self.key, row) { self.next_row() } else { Ok(None) }
    }

    /// Passes over all orphans of the next key, and gives the first `kept` of their addresses to `rows`.
    pub fn next_group(&mut self, kept: usize, rows: &mut Vec<i64>) -> Result<Option<OrphanGroup<'_>>, EngineError> {
        rows.clear();
        let count = match &mut self.source {
            Source::Integers(merge) => next_group(merge, &mut self.key, kept, rows)?,
            Source::Pairs(merge) => next_group(merge, &mut self.key, kept, rows)?,
            Source::Keys(merge) => next_group(merge, &mut self.key, kept, rows)?,
        };
        Ok((count > 0).then_some(OrphanGroup { key: &self.key, rows: count }))
    }
}

fn peek<R: OrphanRows>(merge: &Merge<'_, R>, key: &mut Key) -> Option<i64> {
    let (orphans, at) = merge.next()?;
    orphans.show(at, key);
    Some(orphans.row(at))
}

fn next_row<R: OrphanRows>(merge: &mut Merge<'_, R>, key: &mut Key) -> Result<Option<i64>, EngineError> {
    let row = peek(merge, key);
    if row.is_some() {
        merge.advance(1)?;
    }
    Ok(row)
}

fn next_group<R: OrphanRows>(
    merge: &mut Merge<'_, R>,
    key: &mut Key,
    kept: usize,
    rows: &mut Vec<i64>,
) -> Result<u64, EngineError> {
    let Some((orphans, at)) = merge.next() else { return Ok(0) };
    orphans.show(at, key);
    let mut count = 0;
    let mut other = Vec::new();
    while let Some((orphans, at)) = merge.next() {
        // The group may go on with the first orphan that was not in memory before.
        if count > 0 {
            orphans.show(at, &mut other);
            if other != *key {
                break;
            }
        }
        let mut end = at + 1;
        while end < orphans.len() && orphans.is_same_key(at, end) {
            end += 1;
        }
        rows.extend((at..end.min(at.saturating_add(kept.saturating_sub(rows.len())))).map(|at| orphans.row(at)));
        let (found, is_in_memory) = (end - at, end < orphans.len());
        count += found as u64;
        merge.advance(found)?;
        if is_in_memory {
            break;
        }
    }
    Ok(count)
}

/// Why the list could not be read or written.
fn unreadable(error: &std::io::Error) -> EngineError {
    EngineError::Unreadable {
        what: "the temporary file of orphans".to_owned(),
        why: io_reason(error),
        help: "make room in the folder for temporary files, or name another one with TMPDIR, and scan again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;
    use crate::model::value::Value;

    /// Gives the orphans to a collector in pieces, and reads its list.
    fn collected(memory: u64, orphans: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let store = RunStore::new(memory);
        let collector = OrphanCollector::new(&store, KeyKind::Integer);
        for piece in orphans.chunks(700) {
            let mut buffer = collector.buffer(1);
            for &(key, row) in piece {
                buffer.add_integer(key, row);
            }
            collector.take(&mut buffer);
        }
        let list = collector.finish().unwrap();
        assert_eq!(list.len(), orphans.len() as u64);
        let mut stream = list.stream().unwrap();
        let mut found = Vec::new();
        while let Some((key, row)) = stream.next_row().unwrap() {
            found.push((key[0].as_integer().unwrap(), row));
        }
        assert_eq!(store.is_spilled(), memory < 1 << 20 && !orphans.is_empty());
        found
    }

    #[test]
    fn orphans_come_sorted_from_memory_and_from_the_file() {
        let edges = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
        let mut orphans: Vec<(i64, i64)> = edges.iter().flat_map(|&key| edges.map(|row| (key, row))).collect();
        orphans.extend(
            (0..20_000_i64).map(|i| (i * 7_919 % 1_009, i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()))),
        );
        let mut sorted = orphans.clone();
        sorted.sort_unstable();
        for memory in [0, 1 << 16, 1 << 30] {
            assert_eq!(collected(memory, &orphans), sorted, "{memory}");
        }
        assert_eq!(collected(0, &[]), []);
    }

    #[test]
    fn keys_come_in_the_order_of_the_engine() {
        let value = |number: usize| match number {
            0 => Value::Integer(i64::MIN),
            1 => Value::Integer(-1),
            2 => Value::Integer(256),
            3 => Value::text(""),
            4 => Value::text("\0"),
            5 => Value::text("a"),
            6 => Value::text("a\0"),
            7 => Value::text("a\0b"),
            8 => Value::text("ab"),
            9 => Value::Text(vec![b'x'; 5_000]),
            10 => Value::Text(vec![0xff, 0xfe]),
            11 => Value::Blob(Vec::new()),
            12 => Value::Blob(vec![0, 0]),
            _ => Value::Blob(vec![0xff; 3]),
        };
        let all: Vec<Vec<Value>> =
            (0..14).flat_map(|first| (0..14).map(move |second| vec![value(first), value(second)])).collect();
        let store = RunStore::new(0);
        let collector = OrphanCollector::new(&store, KeyKind::Other);
        for (row, key) in all.iter().enumerate().rev() {
            let mut bytes = KeyBytes::default();
            for value in key {
                match value {
                    Value::Integer(number) => bytes.add_integer(*number),
                    Value::Text(text) => bytes.add_text(text),
                    Value::Blob(blob) => bytes.add_blob(blob),
                    Value::Null | Value::Real(_) => unreachable!(),
                }
            }
            let mut buffer = collector.buffer(1);
            buffer.add_key(&bytes, row as i64);
            collector.take(&mut buffer);
        }
        let list = collector.finish().unwrap();
        let (mut stream, mut rows) = (list.stream().unwrap(), Vec::new());
        for (row, key) in all.iter().enumerate() {
            let group = stream.next_group(5, &mut rows).unwrap().unwrap();
            assert_eq!(group, OrphanGroup { key, rows: 1 });
            assert_eq!(rows, [row as i64]);
        }
        assert_eq!(stream.next_group(5, &mut rows).unwrap(), None);
    }

    #[test]
    fn real_keys_come_in_their_order() {
        let numbers = [f64::NEG_INFINITY, -1e300, -1.5, -0.0, 0.0, f64::MIN_POSITIVE, 0.1, 2.0, f64::INFINITY];
        let store = RunStore::new(0);
        let collector = OrphanCollector::new(&store, KeyKind::Other);
        for (row, number) in numbers.iter().enumerate().rev() {
            let mut bytes = KeyBytes::default();
            bytes.add_real(*number);
            let mut buffer = collector.buffer(1);
            buffer.add_key(&bytes, row as i64);
            collector.take(&mut buffer);
        }
        let list = collector.finish().unwrap();
        let mut stream = list.stream().unwrap();
        for (row, number) in numbers.into_iter().enumerate() {
            let (key, found) = stream.next_row().unwrap().unwrap();
            assert!(key[0].is_same(&Value::Real(number)), "{key:?}");
            assert_eq!(found, row as i64);
        }
    }
}
