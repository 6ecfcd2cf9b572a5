//! The values of a small file of JSON lines, kept from the pass that finds the types of its columns.
//!
//! JSON has no types of columns, so a file is read whole before the first relation is judged: the last line may show that a column
//! is of no type that a key can have. The values of a small file are kept from this pass, so that the file is read once. A
//! larger file is read again, piece by piece, because its values would take as much memory as the file.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::json_line::JsonValue;

/// The memory for the values of all files of a lake, in bytes.
const MEMORY: u64 = 32 << 20;

/// The memory for kept values that is left.
pub(super) struct KeptMemory(AtomicU64);

impl KeptMemory {
    pub(super) fn new() -> KeptMemory {
        KeptMemory(AtomicU64::new(MEMORY))
    }

    /// No value is kept.
    #[cfg(test)]
    pub(super) fn none() -> KeptMemory {
        KeptMemory(AtomicU64::new(0))
    }

    /// Takes some of the memory. Returns false if so much is not left.
    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The values of all lines of a file.
#[derive(Debug, Default)]
pub(super) struct KeptLines {
    /// The number of each line.
    pub(super) lines: Vec<u64>,
    columns: Vec<KeptColumn>,
    /// The length of the longest line, in bytes.
    pub(super) longest: u64,
}

/// The values of a column up to its last one.
#[derive(Debug, Default)]
struct KeptColumn {
    kinds: Vec<Kind>,
    /// The texts of all values one after the other, each with its end.
    texts: Vec<u8>,
    ends: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// NULL, or an absent member.
    Null,
    False,
    True,
    Number,
    Text,
    Nested,
}

/// Keeps the values of a file while its types are found, as long as there is memory.
pub(super) struct Keeper<'m> {
    memory: &'m KeptMemory,
    taken: u64,
    kept: Option<KeptLines>,
}

impl<'m> Keeper<'m> {
    pub(super) fn new(memory: &'m KeptMemory) -> Keeper<'m> {
        Keeper { memory, taken: 0, kept: Some(KeptLines::default()) }
    }

    /// Begins a line.
    pub(super) fn begin(&mut self, line: u64, length: usize) {
        // A value takes its text, its kind and its end; the gaps of growing lists take as much again.
        let bytes = 2 * length as u64 + 8;
        if self.kept.is_some() && self.memory.take(bytes) {
            self.taken += bytes;
        } else {
            self.give_up();
        }
        if let Some(kept) = &mut self.kept {
            kept.lines.push(line);
            kept.longest = kept.longest.max(length as u64);
        }
    }

    /// Adds a value of the line that was begun last. The columns are numbered in the order in which they come first.
    pub(super) fn add(&mut self, column: usize, value: &JsonValue<'_>) {
        let Some(kept) = &mut self.kept else { return };
        if kept.columns.len() <= column {
            kept.columns.resize_with(column + 1, KeptColumn::default);
        }
        let of = &mut kept.columns[column];
        let gap = kept.lines.len() - 1 - of.kinds.len();
        // A column that is absent in most lines takes memory for these too.
        if gap > 0 {
            let bytes = 5 * gap as u64;
            if !self.memory.take(bytes) {
                self.give_up();
                return;
            }
            self.taken += bytes;
        }
        of.pad(gap);
        of.push(value);
    }

    fn give_up(&mut self) {
        self.kept = None;
        self.memory.give_back(std::mem::take(&mut self.taken));
    }

    /// Returns the values, if all of them were kept.
    pub(super) fn finish(self) -> Option<KeptLines> {
        self.kept
    }
}

impl KeptColumn {
    fn pad(&mut self, rows: usize) {
        let end = self.texts.len() as u32;
        self.kinds.extend(std::iter::repeat_n(Kind::Null, rows));
        self.ends.extend(std::iter::repeat_n(end, rows));
    }

    fn push(&mut self, value: &JsonValue<'_>) {
        let (kind, text): (Kind, &str) = match value {
            JsonValue::Null => (Kind::Null, ""),
            JsonValue::Boolean(false) => (Kind::False, ""),
            JsonValue::Boolean(true) => (Kind::True, ""),
            JsonValue::Number(text) => (Kind::Number, text),
            JsonValue::Text(text) => (Kind::Text, text),
            JsonValue::Nested(text) => (Kind::Nested, text),
        };
        self.texts.extend_from_slice(text.as_bytes());
        self.kinds.push(kind);
        // The memory for all files is less than an end can tell.
        self.ends.push(self.texts.len() as u32);
    }
}

impl KeptLines {
    /// Returns the value of a column in a row, by its position.
    pub(super) fn value(&self, column: usize, row: usize) -> JsonValue<'_> {
        let Some((of, kind)) = self.columns.get(column).and_then(|of| Some((of, *of.kinds.get(row)?))) else {
            return JsonValue::Null;
        };
        let start = if row == 0 { 0 } else { of.ends[row - 1] as usize };
        // All texts were valid before they were kept, and are cut where they were joined.
        let text = std::str::from_utf8(&of.texts[start..of.ends[row] as usize]).unwrap_or_default();
        match kind {
            Kind::Null => JsonValue::Null,
            Kind::False => JsonValue::Boolean(false),
            Kind::True => JsonValue::Boolean(true),
            Kind::Number => JsonValue::Number(text),
            Kind::Text => JsonValue::Text(Cow::Borrowed(text)),
            Kind::Nested => JsonValue::Nested(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fastrand::Rng;

    use super::super::cell::shown;
    use super::super::fault::Fault;
    use super::super::lake::Lake;
    use super::super::rows;
    use super::super::rows::Limits;
    use super::super::tables::read_with;
    use super::*;
    use crate::engine::Deadline;
    use crate::model::value::Value;

    /// Returns lines with members of all kinds, of which some are absent.
    fn lines(rng: &mut Rng, number: usize) -> String {
        let mut text = String::new();
        for _ in 0..number {
            if rng.usize(0..20) == 0 {
                text.push_str("\n \n");
            }
            let mut members: Vec<String> = Vec::new();
            for (name, values) in [
                ("id", vec!["1", "2.0", "-7", "null"]),
                ("price", vec!["0.5", "1e3", "12345678901234567890", "null"]),
                ("name", vec!["\"a\"", "\"\"", "\"\\u00e4 \\\"x\\\"\"", "null"]),
                ("is_new", vec!["true", "false"]),
                ("nested", vec!["[1, 2]", "{\"a\": null}", "3"]),
                ("nothing", vec!["null"]),
            ] {
                if rng.usize(0..4) > 0 {
                    members.push(format!("\"{name}\": {}", values[rng.usize(0..values.len())]));
                }
            }
            text.push_str(&format!("{{{}}}\n", members.join(", ")));
        }
        text
    }

    /// Returns the address and the values of every row.
    fn rows_of(lake: &Lake, memory: u64) -> Result<Vec<(i64, Vec<Value>)>, Fault> {
        let table = &lake.tables[0];
        let columns: Vec<usize> = (0..table.columns.len()).rev().collect();
        let mut found = Vec::new();
        let deadline = Deadline::default();
        for piece in rows::pieces(table) {
            rows::read(table, piece, &columns, Limits { memory, deadline: &deadline }, &mut |batch| {
                for row in 0..batch.rows {
                    let values = batch.columns.iter().zip(&columns);
                    let values = values.map(|(cells, &column)| shown(cells.cell(row), &table.columns[column].of));
                    found.push((batch.addresses.of(row), values.collect()));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn read(folder: &Path, memory: &KeptMemory) -> Lake {
        read_with(folder, &[], memory).unwrap()
    }

    #[test]
    fn kept_values_are_those_of_the_file_and_are_read_once() {
        let mut rng = Rng::with_seed(11);
        for number in [0, 1, 7, 500, 20_000] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("t")).unwrap();
            for file in ["t/a.ndjson", "t/b.jsonl"] {
                std::fs::write(folder.path().join(file), lines(&mut rng, number) + "{\"id\": 3, \"last\": 1}").unwrap();
            }
            let (kept, streamed) = (read(folder.path(), &KeptMemory::new()), read(folder.path(), &KeptMemory::none()));
            assert!(kept.tables[0].files.iter().all(|file| file.kept.is_some()), "{number}");
            assert!(streamed.tables[0].files.iter().all(|file| file.kept.is_none()), "{number}");
            let expected = rows_of(&streamed, 1 << 20).unwrap();
            assert_eq!(expected.len(), 2 * number + 2);
            assert!(rows_of(&kept, 1 << 20).unwrap() == expected, "{number}");
            std::fs::remove_dir_all(folder.path().join("t")).unwrap();
            assert!(rows_of(&kept, 1 << 20).unwrap() == expected, "{number}: the file is not read again");
            assert!(rows_of(&streamed, 1 << 20).is_err(), "{number}");
        }
    }

    #[test]
    fn file_without_room_in_the_memory_leaves_all_of_it_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let text = lines(&mut Rng::with_seed(3), 100);
        std::fs::write(folder.path().join("a.ndjson"), &text).unwrap();
        let memory = KeptMemory(AtomicU64::new(text.len() as u64));
        assert!(read(folder.path(), &memory).tables[0].files[0].kept.is_none());
        assert_eq!(memory.0.into_inner(), text.len() as u64);
        // A column that comes first in the last line is absent in all others.
        let wide: String = (0..2_000).map(|number| format!("{{\"c{number}\": 1}}\n")).collect();
        std::fs::write(folder.path().join("a.ndjson"), &wide).unwrap();
        let memory = KeptMemory(AtomicU64::new(1 << 20));
        assert!(read(folder.path(), &memory).tables[0].files[0].kept.is_none());
        assert_eq!(memory.0.into_inner(), 1 << 20);
    }
}
