//! Counts the keys of several columns: each complete key of a row becomes one hash of its parts.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::column_keys::Part;
use super::form::Form;
use super::form::KeyHasher;
use super::form::ValueKey;
use super::forms::Forms;
use super::key_counts::KeyCounts;
use super::read::StopRule;
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
pub struct WantedTuples {
    pub table: TableId,
    pub parts: Vec<TuplePart>,
    /// The proof after which no more rows are needed.
    pub stop: Option<StopRule>,
    /// True if no more rows are needed once a key is repeated.
    pub ends_at_repetition: bool,
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
}

/// Rows that a reader collects before it takes the locks.
const BATCH_ROWS: usize = 4096;

/// The parts of all tuples of a table.
struct PlannedTable<'f> {
    table: TableId,
    cells: Vec<Cell<'f>>,
    /// Each different part, with the position of its cell.
    parts: Vec<(usize, TuplePart)>,
    /// The tuples, as positions in `wanted`, with the positions of their parts.
    tuples: Vec<(usize, Vec<usize>)>,
}

/// Counts all wanted tuples. Only keys of one part of all hashes are counted.
pub fn count(
    schema: &Schema,
    session: &mut dyn Session,
    wanted: &[WantedTuples],
    forms: &Forms,
    hasher: &KeyHasher,
    part: Part,
    threads: usize,
) -> Result<Vec<Tuples>, EngineError> {
    let tables = plan(wanted, forms);
    let readings: Vec<RowsReading<'_>> = tables
        .iter()
        .map(|table| RowsReading {
            table: &schema.tables[table.table],
            columns: table.cells.iter().map(|cell| cell.column).collect(),
        })
        .collect();
    let mut pass = Pass { wanted, tables: &tables, found: empty(wanted.len()), hasher, part };
    let was_read = session.read_stored_rows(&readings, threads, &pass)?;
    for (index, reading) in readings.iter().enumerate().filter(|(index, _)| !was_read[*index]) {
        for (tuple, _) in &tables[index].tuples {
            pass.found[*tuple] = State::default();
        }
        let mut reader = pass.reader(index);
        session.each_row(&discover::rows(schema, reading.table, &tables[index].cells), &mut |row: &[Value]| {
            let values: Vec<ValueRef<'_>> = row.iter().map(Value::borrowed).collect();
            reader.row(&values);
        })?;
        reader.finish();
    }
    let tuples = pass.found.into_iter().map(|state| Tuples {
        keys: state.keys.into_inner().unwrap_or_else(PoisonError::into_inner),
        is_stopped: state.is_stopped.into_inner(),
    });
    Ok(tuples.collect())
}

fn empty(number: usize) -> Vec<State> {
    (0..number).map(|_| State::default()).collect()
}

fn plan<'f>(wanted: &[WantedTuples], forms: &'f Forms) -> Vec<PlannedTable<'f>> {
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
            let value = Cell { column: part.column, collation: None };
            let wanted = forms.key_cell(part.column, part.form).unwrap_or(value);
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
    keys: Mutex<KeyCounts>,
    is_stopped: AtomicBool,
}

struct Pass<'a> {
    wanted: &'a [WantedTuples],
    tables: &'a [PlannedTable<'a>],
    found: Vec<State>,
    hasher: &'a KeyHasher,
    part: Part,
}

impl RowConsumer for Pass<'_> {
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_> {
        let table = &self.tables[reading];
        Box::new(TupleReader {
            pass: self,
            table,
            keys: vec![None; table.parts.len()],
            batches: vec![Vec::new(); table.tuples.len()],
            is_stopped: vec![false; table.tuples.len()],
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
    batches: Vec<Vec<u128>>,
    is_stopped: Vec<bool>,
    tuple: Vec<ValueKey>,
    rows: usize,
    scratch: Vec<u8>,
}

impl TupleReader<'_> {
    fn flush(&mut self) {
        let tuples = self.table.tuples.iter().zip(&mut self.batches).zip(&mut self.is_stopped);
        for (((index, _), batch), is_stopped) in tuples {
            let state = &self.pass.found[*index];
            let mut keys = state.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.is_stopped.load(Ordering::Relaxed) {
                keys.add_hashes(batch);
                let wanted = &self.pass.wanted[*index];
                let is_met = wanted.stop.as_ref().is_some_and(|stop| stop.is_met(keys.distinct()));
                if is_met || (wanted.ends_at_repetition && keys.has_repetition()) {
                    state.is_stopped.store(true, Ordering::Relaxed);
                    *keys = KeyCounts::default();
                }
            }
            *is_stopped = state.is_stopped.load(Ordering::Relaxed);
            batch.clear();
        }
        self.rows = 0;
    }
}

impl RowReader for TupleReader<'_> {
    fn row(&mut self, values: &[ValueRef<'_>]) {
        for (key, (cell, part)) in self.keys.iter_mut().zip(&self.table.parts) {
            *key = match values[*cell] {
                ValueRef::Null => None,
                ValueRef::Integer(number) if part.is_real => {
                    Some(part.form.key(ValueRef::Real(number as f64), None, self.pass.hasher, &mut self.scratch).0)
                }
                value => Some(part.form.key(value, Some(value), self.pass.hasher, &mut self.scratch).0),
            };
        }
        for (((_, parts), batch), is_stopped) in self.table.tuples.iter().zip(&mut self.batches).zip(&self.is_stopped) {
            if *is_stopped {
                continue;
            }
            self.tuple.clear();
            self.tuple.extend(parts.iter().map_while(|&part| self.keys[part]));
            if self.tuple.len() == parts.len() {
                let hash = self.pass.hasher.joined(&self.tuple, &mut self.scratch);
                if self.pass.part.has(ValueKey::Hash(hash)) {
                    batch.push(hash);
                }
            }
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.flush();
        }
    }

    fn is_done(&self) -> bool {
        self.table.tuples.iter().all(|(index, _)| self.pass.found[*index].is_stopped.load(Ordering::Relaxed))
    }

    fn finish(mut self: Box<Self>) {
        self.flush();
    }
}
