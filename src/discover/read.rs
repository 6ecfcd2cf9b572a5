//! Reads columns of tables and counts their keys: from the storage where that is possible, else with one query a table.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::column_batch::ColumnBatch;
use super::column_keys::ColumnKeys;
use super::column_keys::FormPlan;
use super::forms::Forms;
use super::tolerance::Tolerance;
use super::value_key::KeyHasher;
use crate::engine::EngineError;
use crate::engine::RowConsumer;
use crate::engine::RowReader;
use crate::engine::RowsOutcome;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::model::ids::TableId;
use crate::model::progress::Progress;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::discover;

/// Columns of a table that are read together.
pub struct TableReading {
    pub table: TableId,
    pub columns: Vec<WantedColumn>,
}

pub struct WantedColumn {
    pub column: usize,
    pub plan: FormPlan,
    /// The proof after which the column needs no more values.
    pub stop: Option<StopRule>,
}

/// A column needs no more values once the tolerance excludes it as a child of every parent.
#[derive(Debug, Clone)]
pub struct StopRule {
    /// The number of keys of the largest parent for each tolerance.
    pub parents: Vec<(Tolerance, u64)>,
    /// The column's rows with a value.
    pub rows: u64,
    /// Distinct keys of other parts that were counted before, at least.
    pub counted: u64,
}

impl StopRule {
    /// True if a column with so many distinct keys in this part needs no more values.
    pub fn is_met(&self, distinct: u64) -> bool {
        self.parents.iter().all(|(tolerance, keys)| self.excludes(*tolerance, self.counted + distinct, *keys))
    }

    /// True if so many distinct keys, as a parent compares them, are too many for a parent with `parent_keys`. The child itself
    /// may have more distinct keys, up to its number of rows, and so a higher limit.
    fn excludes(&self, tolerance: Tolerance, distinct: u64, parent_keys: u64) -> bool {
        let missing = distinct.saturating_sub(parent_keys);
        missing > tolerance.most_keys(self.rows) && missing > tolerance.most_rows(self.rows)
    }

    /// Returns the number of distinct keys at which the rule certainly ends the column.
    pub fn most_distinct(&self) -> u64 {
        let most = |&(tolerance, keys): &(Tolerance, u64)| {
            let (mut low, mut high) = (0, self.rows + 1);
            while low < high {
                let middle = low + (high - low) / 2;
                if self.excludes(tolerance, middle, keys) { high = middle } else { low = middle + 1 }
            }
            low
        };
        self.parents.iter().map(most).max().unwrap_or(0).min(self.rows)
    }
}

/// The keys of a table's columns, in the order of the reading.
pub struct TableKeys {
    pub rows: u64,
    pub columns: Vec<ColumnKeys>,
    /// True for each column that a stop rule ended.
    pub stopped: Vec<bool>,
}

/// The limits of one pass.
pub struct PassLimits<'a> {
    /// The memory for all keys, in bytes. Beyond it, keys of large columns are dropped.
    pub memory: u64,
    /// A column with repeated keys and so many distinct ones that are no integers is dropped.
    pub repeated_hashes: u64,
    pub threads: usize,
    pub progress: Progress<'a>,
}

/// Rows that a reader collects before it takes the locks of the columns.
const BATCH_ROWS: usize = 4096;

/// A column is only dropped for lack of memory if it takes this part of the memory.
const LARGE_PART: u64 = 16;

struct Pass<'a> {
    schema: &'a Schema,
    readings: &'a [TableReading],
    tables: Vec<TableState>,
    hasher: &'a KeyHasher,
    limits: &'a PassLimits<'a>,
    bytes: AtomicU64,
    /// The rows of all tables that were read.
    rows: AtomicU64,
}

struct TableState {
    rows: AtomicU64,
    columns: Vec<ColumnState>,
}

struct ColumnState {
    keys: Mutex<ColumnKeys>,
    /// True if the column needs no more values.
    is_done: AtomicBool,
    /// False once a reader has found that short values are repeated rarely.
    may_repeat: AtomicBool,
    is_stopped: AtomicBool,
}

/// Returns an error if neither the storage nor SQL can answer one of several readings; else true for each that was read.
pub(super) fn was_read(outcomes: Vec<RowsOutcome>) -> Result<Vec<bool>, EngineError> {
    let was_read = |outcome| match outcome {
        RowsOutcome::Read => Ok(true),
        RowsOutcome::AskSql => Ok(false),
        RowsOutcome::Failed(error) => Err(error),
    };
    outcomes.into_iter().map(was_read).collect()
}

/// Reads all tables. Returns an error for each table that the engine refuses to read.
pub fn read(
    schema: &Schema,
    session: &mut dyn Session,
    readings: &[TableReading],
    forms: &Forms,
    hasher: &KeyHasher,
    limits: &PassLimits<'_>,
) -> Result<Vec<Result<TableKeys, EngineError>>, EngineError> {
    let mut pass = Pass::new(schema, readings, hasher, limits);
    let stored: Vec<RowsReading<'_>> = readings
        .iter()
        .map(|reading| RowsReading {
            table: &schema.tables[reading.table],
            cells: reading.columns.iter().flat_map(|wanted| forms.cells(wanted.column, &wanted.plan)).collect(),
        })
        .collect();
    let outcomes = session.read_stored_rows(&stored, limits.threads, &pass)?;
    let mut failures: Vec<Option<EngineError>> = Vec::new();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            RowsOutcome::Read => {
                failures.push(None);
                continue;
            }
            RowsOutcome::Failed(error) => {
                failures.push(Some(error));
                continue;
            }
            RowsOutcome::AskSql => {}
        }
        pass.tables[index] = TableState::new(&readings[index]);
        let question = discover::rows(schema, stored[index].table, &stored[index].cells);
        let mut reader = pass.reader(index);
        let outcome = session.each_row(&question, &mut |row: &[Value]| {
            let values: Vec<ValueRef<'_>> = row.iter().map(Value::borrowed).collect();
            reader.row(&values);
        });
        reader.finish();
        match outcome {
            Err(EngineError::TimeLimit) => return Err(EngineError::TimeLimit),
            outcome => failures.push(outcome.err()),
        }
    }
    Ok(pass.finish(failures))
}

impl<'a> Pass<'a> {
    fn new(
        schema: &'a Schema,
        readings: &'a [TableReading],
        hasher: &'a KeyHasher,
        limits: &'a PassLimits<'a>,
    ) -> Pass<'a> {
        Pass {
            schema,
            readings,
            tables: readings.iter().map(TableState::new).collect(),
            hasher,
            limits,
            bytes: AtomicU64::new(0),
            rows: AtomicU64::new(0),
        }
    }

    fn finish(self, failures: Vec<Option<EngineError>>) -> Vec<Result<TableKeys, EngineError>> {
        let keys = |table: TableState| TableKeys {
            rows: table.rows.into_inner(),
            stopped: table.columns.iter().map(|column| column.is_stopped.load(Ordering::Relaxed)).collect(),
            columns: table
                .columns
                .into_iter()
                .map(|column| column.keys.into_inner().unwrap_or_else(PoisonError::into_inner))
                .collect(),
        };
        let tables = self.tables.into_iter().zip(failures);
        tables.map(|(table, failure)| failure.map_or_else(|| Ok(keys(table)), Err)).collect()
    }

    /// Shows the table that is read, and the rows of all tables so far.
    fn show(&self, reading: usize, more: u64) {
        let rows = self.rows.fetch_add(more, Ordering::Relaxed) + more;
        let table = &self.schema.tables[self.readings[reading].table].name.table;
        let tables = Some((reading + 1, self.readings.len()));
        let step = ProgressStep::of(RunPhase::ReadColumns, 0, 0);
        (self.limits.progress)(&ProgressStep { table: Some(table), tables, rows: Some(rows), ..step });
    }

    /// Drops the keys of a column if they need too much memory, or if nothing needs them.
    fn limit(&self, column: &ColumnState, keys: &mut ColumnKeys, stop: Option<&StopRule>, before: u64) {
        let now = keys.bytes();
        let all = self.bytes.fetch_add(now, Ordering::Relaxed).wrapping_add(now).wrapping_sub(before);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        let own = keys.own();
        let is_excluded = stop.is_some_and(|stop| stop.is_met(keys.least_distinct()));
        let is_large_child = own.has_repetition() && own.distinct_hashes() >= self.limits.repeated_hashes;
        let is_too_large = all > self.limits.memory && now > self.limits.memory / LARGE_PART;
        if is_excluded || (stop.is_none() && (is_large_child || is_too_large)) {
            keys.drop_keys();
            column.is_stopped.store(is_excluded, Ordering::Relaxed);
            column.is_done.store(is_excluded, Ordering::Relaxed);
            self.bytes.fetch_sub(now, Ordering::Relaxed);
        }
    }
}

impl TableState {
    fn new(reading: &TableReading) -> TableState {
        let column = |wanted: &WantedColumn| ColumnState {
            keys: Mutex::new(ColumnKeys::new(&wanted.plan)),
            is_done: AtomicBool::new(false),
            may_repeat: AtomicBool::new(true),
            is_stopped: AtomicBool::new(false),
        };
        TableState { rows: AtomicU64::new(0), columns: reading.columns.iter().map(column).collect() }
    }
}

impl RowConsumer for Pass<'_> {
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_> {
        let wanted = &self.readings[reading].columns;
        let batch = |(wanted, column): (&WantedColumn, &ColumnState)| {
            ColumnBatch::new(&wanted.plan, column.may_repeat.load(Ordering::Relaxed))
        };
        Box::new(BatchReader {
            pass: self,
            reading,
            wanted,
            table: &self.tables[reading],
            batches: wanted.iter().zip(&self.tables[reading].columns).map(batch).collect(),
            rows: 0,
            scratch: Vec::new(),
        })
    }
}

/// Collects rows, and adds them to the columns' keys in batches.
struct BatchReader<'a> {
    pass: &'a Pass<'a>,
    reading: usize,
    wanted: &'a [WantedColumn],
    table: &'a TableState,
    batches: Vec<ColumnBatch>,
    rows: usize,
    scratch: Vec<u8>,
}

impl BatchReader<'_> {
    fn flush(&mut self) {
        for ((column, batch), wanted) in self.table.columns.iter().zip(&mut self.batches).zip(self.wanted) {
            let mut keys = column.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let before = keys.bytes();
            keys.add(batch);
            if !keys.is_dropped {
                self.pass.limit(column, &mut keys, wanted.stop.as_ref(), before);
            }
            batch.has_keys = !keys.is_dropped;
        }
        self.table.rows.fetch_add(self.rows as u64, Ordering::Relaxed);
        self.pass.show(self.reading, self.rows as u64);
        self.rows = 0;
    }
}

impl RowReader for BatchReader<'_> {
    fn row(&mut self, values: &[ValueRef<'_>]) {
        let mut rest = values;
        for (batch, wanted) in self.batches.iter_mut().zip(self.wanted) {
            let Some((value, after)) = rest.split_first() else { break };
            let (collated, after) = after.split_at(wanted.plan.collated.min(after.len()));
            batch.push(*value, collated, &wanted.plan, self.pass.hasher, &mut self.scratch);
            rest = after;
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.flush();
        }
    }

    fn is_done(&self) -> bool {
        !self.table.columns.is_empty() && self.table.columns.iter().all(|column| column.is_done.load(Ordering::Relaxed))
    }

    fn finish(mut self: Box<Self>) {
        for ((batch, wanted), column) in self.batches.iter_mut().zip(self.wanted).zip(&self.table.columns) {
            batch.finish(&wanted.plan, self.pass.hasher, &mut self.scratch);
            column.may_repeat.fetch_and(batch.may_repeat(), Ordering::Relaxed);
        }
        self.flush();
    }
}
