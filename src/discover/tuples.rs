//! Counts the keys of several columns: each complete key of a row becomes one number, or one hash of its parts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::column_keys::Part;
use super::form::Form;
use super::forms::Forms;
use super::key_counts::KeyBatch;
use super::key_counts::KeyCounts;
use super::packing::Packing;
use super::read;
use super::read::StopRule;
use super::tolerance::Tolerance;
use super::value_key::KeyHasher;
use super::value_key::ValueKey;
use crate::engine::EngineError;
use crate::engine::RowConsumer;
use crate::engine::RowReader;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::discover;
use crate::sql::discover::Cell;

/// The columns of a composite key, each with the form in which its values are compared.
#[derive(Debug, Clone)]
pub struct WantedTuples<'k> {
    pub table: TableId,
    pub parts: Vec<TuplePart>,
    /// Joins the parts. A key that it cannot join becomes a hash. Keys are compared only under equal packings.
    pub packing: Option<Packing>,
    pub end: TupleEnd<'k>,
}

/// The proof after which no more rows are needed.
#[derive(Debug, Clone)]
pub enum TupleEnd<'k> {
    Never,
    /// A key is repeated, so the columns are no key.
    Repetition,
    /// No parent can hold the keys within its tolerance.
    Outside(Parents<'k>),
}

/// The parents of a tuple.
#[derive(Debug, Clone)]
pub struct Parents<'k> {
    /// Excludes the tuple by its number of keys.
    pub by_number: Option<StopRule>,
    /// Excludes the tuple by its missing keys. `None` if they are not compared before the end.
    pub by_keys: Option<Vec<(Tolerance, &'k KeyCounts)>>,
    /// The rows of the child with a complete key, at most.
    pub rows: u64,
    /// The distinct keys of the child, at most.
    pub distinct: u64,
}

impl Parents<'_> {
    /// Compares the keys of a tuple with those of its parents, and returns how far they are from being excluded.
    fn compare(&self, keys: &KeyCounts) -> Exclusion {
        let Some(parents) = &self.by_keys else { return Exclusion::Never };
        let mut farthest: Option<u64> = None;
        for (tolerance, parent) in parents {
            let (most_keys, most_rows) = (tolerance.most_keys(self.distinct), tolerance.most_rows(self.rows));
            let (mut missing_keys, mut orphan_rows) = (0, 0);
            let ended = keys.each_missing(parent, |_, rows| {
                missing_keys += 1;
                orphan_rows += rows;
                let is_beyond = missing_keys > most_keys && orphan_rows > most_rows;
                if is_beyond { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if ended.is_continue() {
                let share = |most: u64, found: u64| (most + 1).saturating_mul(keys.rows()) / found.max(1);
                let rows = share(most_keys, missing_keys).max(share(most_rows, orphan_rows));
                farthest = farthest.max(Some(rows));
            }
        }
        farthest.map_or(Exclusion::Proven, Exclusion::After)
    }

    /// Returns the number of rows before which no comparison can exclude all parents.
    fn first_comparison(&self) -> u64 {
        let least = |(tolerance, _): &(Tolerance, &KeyCounts)| {
            tolerance.most_keys(self.distinct).max(tolerance.most_rows(self.rows)) + 1
        };
        self.by_keys.iter().flatten().map(least).fold(LEAST_COMPARED, u64::max)
    }
}

/// The result of comparing the keys of a tuple with those of its parents.
enum Exclusion {
    /// Each parent lacks so many of the keys that other keys cannot make up for them.
    Proven,
    /// If the next rows are like the ones before, the parents are excluded after so many rows.
    After(u64),
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TuplePart {
    pub column: usize,
    pub form: Form,
    pub is_real: bool,
}

/// The complete keys of one entry of `wanted`.
#[derive(Debug, Default)]
pub struct Tuples {
    pub keys: KeyCounts,
    pub is_stopped: bool,
    /// True if the keys were dropped for lack of memory.
    pub is_dropped: bool,
}

/// How tuples are counted.
pub struct Counting<'a> {
    pub forms: &'a Forms,
    pub hasher: &'a KeyHasher,
    /// Only keys of this part of all hashes are counted.
    pub part: Part,
    /// The memory for all keys, in bytes. Beyond it, the keys of large tuples are dropped.
    pub memory: u64,
    pub threads: usize,
}

/// Rows that a reader collects before it takes the locks.
const BATCH_ROWS: usize = 4096;

/// The keys of fewer rows are not compared with those of the parents before the end.
const LEAST_COMPARED: u64 = 16_384;

/// The parts of all tuples of a table.
struct PlannedTable<'f> {
    table: TableId,
    cells: Vec<Cell<'f>>,
    /// Each different part, with the position of its cell.
    parts: Vec<(usize, TuplePart)>,
    /// The tuples, as positions in `wanted`, with the positions of their parts.
    tuples: Vec<(usize, Vec<usize>)>,
}

/// Counts all wanted tuples.
pub fn count(
    schema: &Schema,
    session: &mut dyn Session,
    wanted: &[WantedTuples<'_>],
    counting: &Counting<'_>,
) -> Result<Vec<Tuples>, EngineError> {
    let tables = plan(wanted, counting.forms);
    let readings: Vec<RowsReading<'_>> = tables
        .iter()
        .map(|table| RowsReading { table: &schema.tables[table.table], cells: table.cells.clone() })
        .collect();
    let found = (0..wanted.len()).map(|_| State::default()).collect();
    let mut pass = Pass { wanted, tables: &tables, found, counting, bytes: AtomicU64::new(0) };
    let was_read = read::was_read(session.read_stored_rows(&readings, counting.threads, &pass)?)?;
    for (index, reading) in readings.iter().enumerate().filter(|(index, _)| !was_read[*index]) {
        for (tuple, _) in &tables[index].tuples {
            pass.forget(*tuple);
        }
        let mut reader = pass.reader(index);
        session.each_row(&discover::rows(schema, reading.table, &tables[index].cells), &mut |row: &[Value]| {
            let values: Vec<ValueRef<'_>> = row.iter().map(Value::borrowed).collect();
            reader.row(&values);
        })?;
        reader.finish();
    }
    let tuples = pass.found.into_iter().map(|state| {
        let Counted { keys, end, .. } = state.counted.into_inner().unwrap_or_else(PoisonError::into_inner);
        Tuples { keys, is_stopped: end == Some(Ended::Stopped), is_dropped: end == Some(Ended::Dropped) }
    });
    Ok(tuples.collect())
}

fn plan<'f>(wanted: &[WantedTuples<'_>], forms: &'f Forms) -> Vec<PlannedTable<'f>> {
    let mut tables: BTreeMap<TableId, PlannedTable<'f>> = BTreeMap::new();
    for (index, tuple) in wanted.iter().enumerate() {
        let table = tables.entry(tuple.table).or_insert_with(|| PlannedTable {
            table: tuple.table,
            cells: Vec::new(),
            parts: Vec::new(),
            tuples: Vec::new(),
        });
        let parts = tuple.parts.iter().map(|part| {
            if let Some(known) = table.parts.iter().position(|(_, known)| known == part) {
                return known;
            }
            let own = forms.form(tuple.table, part.column).unwrap_or(part.form);
            let wanted = forms.key_cell(part.column, own, part.form).unwrap_or(Cell::value(part.column));
            let cell = table.cells.iter().position(|cell| *cell == wanted).unwrap_or_else(|| {
                table.cells.push(wanted);
                table.cells.len() - 1
            });
            table.parts.push((cell, *part));
            table.parts.len() - 1
        });
        let parts = parts.collect();
        table.tuples.push((index, parts));
    }
    tables.into_values().collect()
}

#[derive(Debug, Default)]
struct State {
    counted: Mutex<Counted>,
    /// True once the tuple has ended, so that no more rows are needed.
    has_ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Counted {
    keys: KeyCounts,
    /// The keys are compared with those of the parents after so many rows; `None` before the first rows.
    next_comparison: Option<u64>,
    end: Option<Ended>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The proof is found.
    Stopped,
    /// The keys take too much memory.
    Dropped,
}

impl Counted {
    /// True if no more rows are needed.
    fn is_proven(&mut self, end: &TupleEnd<'_>) -> bool {
        let parents = match end {
            TupleEnd::Never => return false,
            TupleEnd::Repetition => return self.keys.has_repetition(),
            TupleEnd::Outside(parents) => parents,
        };
        if parents.by_number.as_ref().is_some_and(|rule| rule.is_met(self.keys.distinct())) {
            return true;
        }
        let rows = self.keys.rows();
        if rows < *self.next_comparison.get_or_insert_with(|| parents.first_comparison()) {
            return false;
        }
        self.next_comparison = Some(match parents.compare(&self.keys) {
            Exclusion::Proven => return true,
            Exclusion::After(more) => more.clamp(rows + rows / 8, rows * 2),
            Exclusion::Never => u64::MAX,
        });
        false
    }
}

struct Pass<'a> {
    wanted: &'a [WantedTuples<'a>],
    tables: &'a [PlannedTable<'a>],
    found: Vec<State>,
    counting: &'a Counting<'a>,
    /// The memory of all keys.
    bytes: AtomicU64,
}

impl Pass<'_> {
    /// Adds a batch to a tuple, and ends it if nothing more is needed or if its keys take too much memory.
    fn add(&self, tuple: usize, batch: &KeyBatch) {
        let state = &self.found[tuple];
        let mut counted = state.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.end.is_some() {
            return;
        }
        let before = counted.keys.bytes();
        counted.keys.add(batch);
        let now = counted.keys.bytes();
        let all =
            self.bytes.fetch_add(now.wrapping_sub(before), Ordering::Relaxed).wrapping_add(now.wrapping_sub(before));
        // Some tuple is always at least as large as the mean.
        let is_too_large = || all > self.counting.memory && now >= all / self.wanted.len() as u64;
        let end = if counted.is_proven(&self.wanted[tuple].end) {
            Ended::Stopped
        } else if is_too_large() {
            Ended::Dropped
        } else {
            return;
        };
        *counted = Counted { end: Some(end), ..Counted::default() };
        self.bytes.fetch_sub(now, Ordering::Relaxed);
        state.has_ended.store(true, Ordering::Relaxed);
    }

    /// Forgets what was found for a tuple, because a reader failed.
    fn forget(&mut self, tuple: usize) {
        let state = std::mem::take(&mut self.found[tuple]);
        let counted = state.counted.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.bytes.fetch_sub(counted.keys.bytes(), Ordering::Relaxed);
    }
}

impl RowConsumer for Pass<'_> {
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_> {
        let table = &self.tables[reading];
        Box::new(TupleReader {
            pass: self,
            table,
            keys: vec![None; table.parts.len()],
            batches: vec![KeyBatch::default(); table.tuples.len()],
            active: Active::new(self, table),
            tuple: Vec::new(),
            rows: 0,
            scratch: Vec::new(),
        })
    }
}

struct TupleReader<'a> {
    pass: &'a Pass<'a>,
    table: &'a PlannedTable<'a>,
    /// The keys of the row at hand; `None` for NULL.
    keys: Vec<Option<ValueKey>>,
    batches: Vec<KeyBatch>,
    active: Active,
    tuple: Vec<ValueKey>,
    rows: usize,
    scratch: Vec<u8>,
}

/// What a reader still needs, by positions in the table.
struct Active {
    tuples: Vec<usize>,
    parts: Vec<usize>,
}

impl Active {
    fn new(pass: &Pass<'_>, table: &PlannedTable<'_>) -> Active {
        let is_active = |&tuple: &usize| !pass.found[table.tuples[tuple].0].has_ended.load(Ordering::Relaxed);
        let tuples: Vec<usize> = (0..table.tuples.len()).filter(is_active).collect();
        let parts: BTreeSet<usize> = tuples.iter().flat_map(|&tuple| table.tuples[tuple].1.iter().copied()).collect();
        Active { tuples, parts: parts.into_iter().collect() }
    }
}

impl TupleReader<'_> {
    fn flush(&mut self) {
        for &tuple in &self.active.tuples {
            let ((index, _), batch) = (&self.table.tuples[tuple], &mut self.batches[tuple]);
            self.pass.add(*index, batch);
            batch.clear();
        }
        self.active = Active::new(self.pass, self.table);
        self.rows = 0;
    }
}

impl RowReader for TupleReader<'_> {
    fn row(&mut self, values: &[ValueRef<'_>]) {
        for &part in &self.active.parts {
            let (cell, about) = &self.table.parts[part];
            self.keys[part] = match values[*cell] {
                ValueRef::Null => None,
                ValueRef::Integer(number) if about.is_real => Some(
                    about.form.key(ValueRef::Real(number as f64), None, self.pass.counting.hasher, &mut self.scratch).0,
                ),
                value => Some(about.form.key(value, Some(value), self.pass.counting.hasher, &mut self.scratch).0),
            };
        }
        for &tuple in &self.active.tuples {
            let (index, parts) = &self.table.tuples[tuple];
            self.tuple.clear();
            for &part in parts {
                if let Some(key) = self.keys[part] {
                    self.tuple.push(key);
                }
            }
            if self.tuple.len() < parts.len() {
                continue;
            }
            let packing = self.pass.wanted[*index].packing.as_ref();
            let key = match packing.and_then(|packing| packing.packed(&self.tuple)) {
                Some(number) => ValueKey::Integer(number),
                None => ValueKey::Hash(self.pass.counting.hasher.joined(&self.tuple, &mut self.scratch)),
            };
            if self.pass.counting.part.has(key) {
                self.batches[tuple].push(key, 1);
            }
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.flush();
        }
    }

    fn is_done(&self) -> bool {
        self.table.tuples.iter().all(|(index, _)| self.pass.found[*index].has_ended.load(Ordering::Relaxed))
    }

    fn finish(mut self: Box<Self>) {
        self.flush();
    }
}
