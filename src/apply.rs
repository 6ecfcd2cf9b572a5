//! Applies a plan to a database, or leaves the database exactly as it was.
//!
//! A row is changed only if it equals its image and its key still has no parent. Both are checked in the transaction that
//! changes the row. Before the commit, the relations of the plan are scanned again. The same transaction records the changes.
//! Undo runs over the plan backwards with the images swapped. It takes back only changes that the record lists, and creates no
//! orphan that the plan had not found.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::EngineError;
use crate::engine::write::Writer;
use crate::model::batch_size::BatchSize;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::facts::Facts;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::plan::shown_name;
use crate::model::row::RowName;
use crate::model::row_group::RowChangeKind;
use crate::model::schema::Schema;
use crate::model::state::RowNow;
use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::model::text;
use crate::model::text::plural;
use crate::model::value::Value;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;
use crate::quarantine_file::QuarantineError;
use crate::scan::Progress;
use crate::scan::ScanResults;
use crate::sql::Sql;
use crate::sql::repair::Repair;

pub mod admission;
mod batches;
pub mod definitions;
pub mod exclusive;
pub mod execute;
pub mod fingerprint;
mod fit;
mod gentle;
mod groups;
pub mod journal;
mod known_references;
mod lines_ahead;
mod lookahead;
mod new_addresses;
mod observe;
mod portion;
mod record;
mod recording;
mod redefine;
mod references;
mod refused_rows;
mod row_now;
mod set_portion;
mod set_references;
mod sets;
mod tables;
mod verify;
mod walk;
mod write;

pub use observe::Observed;
pub use observe::forget;
pub use observe::observe;

use walk::Halt;
use walk::Walk;

/// The number of rows that are read at a time.
const CHUNK: usize = 400;

/// The number of skipped rows that a report names.
const NAMED: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Apply,
    Undo,
}

impl Direction {
    /// Returns the position in the plan of a step of the run.
    fn position(self, step: usize, changes: usize) -> usize {
        match self {
            Direction::Apply => step,
            Direction::Undo => changes - 1 - step,
        }
    }

    pub fn doing(self) -> &'static str {
        match self {
            Direction::Apply => "apply",
            Direction::Undo => "take back",
        }
    }

    /// Returns the name of the command.
    pub fn command(self) -> &'static str {
        match self {
            Direction::Apply => "apply",
            Direction::Undo => "undo",
        }
    }
}

/// The largest number of orphans that each relation of a schema may have.
pub type Most = IdVec<RelationId, u64>;

/// Scans a schema as it is committed for orphans beyond the expected ones; `None` if that fails.
pub type CommittedScan<'a> = &'a dyn Fn(&Schema, &Most, Progress<'_>) -> Option<ScanResults>;

/// The plan run that is requested: its database, direction and options.
pub struct RunOptions<'a> {
    pub schema: &'a Schema,
    pub sql: &'static dyn Repair,
    pub direction: Direction,
    /// The size of one transaction, or `None` for one transaction with all changes.
    pub batch: Option<BatchSize>,
    /// The longest wait for a lock of another session.
    pub lock_wait: Duration,
    /// Is called between two transactions, when this run holds no lock.
    pub between: &'a dyn Fn() -> Result<(), EngineError>,
    /// True if rows that differ from the plan are skipped. Otherwise such a row refuses the plan.
    pub skip_changed: bool,
    /// True if rows are changed one by one, never in sets.
    pub row_by_row: bool,
    /// Scans a schema as it is committed, if other sessions can read the database while the writer keeps its transaction open. This
    /// is faster than a scan by the writer.
    pub committed_scan: Option<CommittedScan<'a>>,
    /// The unique name of this run.
    pub run: &'a str,
    /// The time at which the run began.
    pub at: &'a str,
    pub progress: Progress<'a>,
    /// True if the run should end: before its next batch, or with a rollback if it has one transaction.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl RunOptions<'_> {
    fn facts(&self) -> &'static Facts {
        self.schema.database.engine.facts()
    }
}

/// The number of rows of one table that a run inserted, changed and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowChanges {
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
}

/// The number of changes that a run made, and the rows that it skipped.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunSummary {
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
    /// The same numbers for each table.
    pub tables: BTreeMap<TableName, RowChanges>,
    /// Definitions that changed.
    pub redefined: u64,
    /// Rows that already had their new values.
    pub already: u64,
    /// The number of skipped rows, by reason.
    pub left: BTreeMap<SkipReason, u64>,
    /// The first skipped rows.
    pub left_rows: Vec<SkippedRow<Value>>,
    /// The relations that were found without orphans after the last batch, when all changes were committed.
    pub without_orphans: BTreeSet<String>,
    /// The time of the run that changed the rows before this one, if there is a record of it.
    pub earlier_run: Option<String>,
    /// True if the plan was never applied to this database, so that undo has nothing to do.
    pub never_applied: bool,
    /// The journal file that holds the record, if the database could not get a table for it.
    pub journal: Option<std::path::PathBuf>,
}

impl RunSummary {
    /// Returns the number of changes that were made.
    pub fn total(&self) -> u64 {
        self.made + self.changed + self.deleted + self.redefined
    }

    pub fn rows_left(&self) -> u64 {
        self.left.values().sum()
    }

    /// Counts a change that was made.
    fn count(&mut self, change: &Change) {
        self.count_rows(&change.table, change.kind(), 1);
    }

    /// Counts changes of one table and one kind that were made.
    fn count_rows(&mut self, table: &TableName, kind: RowChangeKind, count: u64) {
        if !self.tables.contains_key(table) {
            self.tables.insert(table.clone(), RowChanges::default());
        }
        let Some(rows) = self.tables.get_mut(table) else { return };
        let (sum, of_table) = match kind {
            RowChangeKind::Insert => (&mut self.made, &mut rows.made),
            RowChangeKind::Delete => (&mut self.deleted, &mut rows.deleted),
            RowChangeKind::Update => (&mut self.changed, &mut rows.changed),
        };
        *sum += count;
        *of_table += count;
    }

    /// Counts a change that was skipped. `table` is the table of the change, if it is known.
    fn leave(&mut self, table: Option<&Table>, change: &Change, why: SkipReason, now: RowNow<Value>) {
        *self.left.entry(why).or_default() += 1;
        if self.left_rows.len() < NAMED {
            let stored = change.before.as_ref().or(change.after.as_ref());
            let name = table.map(|table| shown_name(table, &change.row, stored));
            let row = name.as_ref().unwrap_or(&change.row).pairs();
            self.left_rows.push(SkippedRow { table: change.table.to_string(), row, why, now });
        }
    }

    /// Returns the sum of this summary and of the earlier transactions of the run.
    fn after(mut self, before: &RunSummary) -> RunSummary {
        self.made += before.made;
        self.changed += before.changed;
        self.deleted += before.deleted;
        for (table, rows) in &before.tables {
            let sum = self.tables.entry(table.clone()).or_default();
            sum.made += rows.made;
            sum.changed += rows.changed;
            sum.deleted += rows.deleted;
        }
        self.redefined += before.redefined;
        self.already += before.already;
        for (why, rows) in &before.left {
            *self.left.entry(*why).or_default() += rows;
        }
        let mut rows = before.left_rows.clone();
        rows.append(&mut self.left_rows);
        rows.truncate(NAMED);
        self.left_rows = rows;
        self
    }
}

/// An error of apply or undo. Its text follows the words "could not".
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("{0}")]
    Quarantine(#[from] QuarantineError),
    #[error("{doing} the plan")]
    Refused { doing: &'static str, why: String, help: String },
    /// Rows differ from the plan.
    #[error("{doing} the plan")]
    OutOfDate { doing: &'static str, why: String, help: String },
    /// The record of plans cannot be read or written.
    #[error("{what}")]
    Record { what: String, why: String, help: String },
    /// A request ended the run. All runs together have `done` of `total` changes, and this one committed `committed`.
    #[error("{doing} the whole plan")]
    Stopped { doing: &'static str, done: u64, total: usize, committed: u64 },
    /// The run stopped after some of its changes were committed.
    #[error("{doing} the whole plan")]
    Partly { doing: &'static str, error: Box<ApplyError>, committed: u64 },
}

/// A callback that runs inside the writing transaction.
type Step<'a> = &'a mut dyn FnMut(&mut dyn Writer) -> Result<(), ApplyError>;

/// The number of attempts of a transaction that is chosen as deadlock victim or fails to serialize.
const MAX_ATTEMPTS: u32 = 5;

/// The number of restarts of a run because rows turned out to conflict after other rows were written.
const MAX_RESTARTS: u32 = 100;

/// Runs a plan. `admit` checks the database at the start of each attempt. `secure` is called once before the first change, when
/// all rows are as planned. After a deadlock or a serialization failure, the run starts again from the record.
fn run(
    options: &RunOptions<'_>,
    plan: &mut PlanFile,
    writer: &mut dyn Writer,
    admit: Step<'_>,
    secure: Step<'_>,
) -> Result<RunSummary, ApplyError> {
    let mut before = RunSummary::default();
    let (mut made, mut excluded, mut counts_each_change) = (Vec::new(), BTreeMap::new(), false);
    let mut avoids_sets = options.row_by_row;
    let mut is_secured = false;
    let mut secure = |writer: &mut dyn Writer| {
        if is_secured {
            return Ok(());
        }
        secure(writer)?;
        is_secured = true;
        Ok(())
    };
    let (mut attempts, mut restarts) = (1, 0);
    let mut applied_before = None;
    let mut wait = gentle::RowWait::default();
    loop {
        let mut walk = Walk::new(options, plan, made, excluded, counts_each_change);
        walk.avoids_sets = avoids_sets;
        walk.gentle = wait.next_attempt(options.lock_wait);
        let outcome = walk.run(writer, admit, &mut secure);
        wait.note(&walk.gentle);
        let halt = match outcome {
            Ok(done) if walk.waits_for_rows() => {
                // The next walk makes only the changes that are left.
                before = done.after(&before);
                applied_before = applied_before.or(Some(walk.applied_before));
                (excluded, counts_each_change, made) = (walk.excluded, walk.counts_each_change, walk.committed_tables);
                wait.pause();
                continue;
            }
            Ok(mut done) => {
                done.already += applied_before.unwrap_or(walk.applied_before);
                return Ok(done.after(&before));
            }
            Err(halt) => halt,
        };
        writer.rollback();
        applied_before = applied_before.or(Some(walk.applied_before));
        before = walk.committed.clone().after(&before);
        match halt {
            Halt::Error(error) => {
                if !writer.lost_conflict() || attempts == MAX_ATTEMPTS {
                    walk.drop_leftover_tables(writer);
                    return Err(partly(error, options.direction, &before, applied_before));
                }
                attempts += 1;
            }
            Halt::Retry if restarts == MAX_RESTARTS => {
                walk.drop_leftover_tables(writer);
                let why = "other sessions keep changing the rows of the plan while it runs".to_owned();
                let help = "repeat the command when fewer sessions write, with smaller batches: --batch 100";
                let refused = ApplyError::refused(options.direction, why, help);
                return Err(partly(refused, options.direction, &before, applied_before));
            }
            Halt::Retry => restarts += 1,
        }
        (excluded, counts_each_change) = (walk.excluded, walk.counts_each_change);
        avoids_sets = walk.avoids_sets;
        made = if options.facts().defines_at_once() { walk.made } else { walk.committed_tables };
    }
}

/// Returns the error as one of a partial run, if changes were committed before. Runs before this one made `earlier` changes.
fn partly(error: ApplyError, direction: Direction, before: &RunSummary, earlier: Option<u64>) -> ApplyError {
    let committed = before.total();
    match (committed, error) {
        (0, error) => error,
        (_, ApplyError::Stopped { doing, total, .. }) => {
            let done = earlier.unwrap_or_default() + committed - before.redefined;
            ApplyError::Stopped { doing, done, total, committed }
        }
        (_, error) => ApplyError::Partly { doing: direction.doing(), error: Box::new(error), committed },
    }
}

/// Returns the statement that locks both tables of every relation of the plan, so that no other session adds a missing parent
/// or another orphan. `None` if the engine needs no such lock.
fn locks(options: &RunOptions<'_>, header: &Header) -> Option<Sql> {
    let relations = options.schema.relations.iter();
    let touched = relations.filter(|relation| header.forecasts.iter().any(|forecast| forecast.relation == relation.id));
    let tables: Vec<&Table> = touched
        .flat_map(|relation| std::iter::once(options.schema.child(relation)).chain(options.schema.parent(relation)))
        .collect();
    options.sql.lock_tables(&tables)
}

/// Returns all tables by name, including those that the plan creates.
fn tables_by_name(schema: &Schema, creates: &[NewTable]) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> =
        schema.tables.iter().map(|table| (table.name.to_string(), table.clone())).collect();
    for new in creates {
        tables.entry(new.name.to_string()).or_insert_with(|| new.as_table());
    }
    tables
}

/// Returns the name under which a row is inserted. A deleted row is restored under its old row address, if the table has one.
fn with_address(table: &Table, change: &Change) -> RowName {
    match (&table.row_address, change.address) {
        (Some(name), Some(address)) => RowName::from(vec![(name.as_str(), Value::Integer(address))]),
        _ => change.row.clone(),
    }
}

fn row_of(change: &Change) -> String {
    format!("{} ({})", change.table, text::named(change.row.iter()))
}

impl ApplyError {
    pub(crate) fn refused(direction: Direction, why: String, help: &str) -> ApplyError {
        ApplyError::Refused { doing: direction.doing(), why, help: help.to_owned() }
    }

    /// True if the database could not be reached or read. False if the plan was refused.
    pub fn is_engine_error(&self) -> bool {
        match self {
            ApplyError::Engine(_) => true,
            ApplyError::Partly { error, .. } => error.is_engine_error(),
            _ => false,
        }
    }

    pub fn because(&self) -> String {
        match self {
            ApplyError::Engine(error) => error.because(),
            ApplyError::Plan(error) => error.because(),
            ApplyError::Quarantine(error) => error.because(),
            ApplyError::Refused { why, .. } | ApplyError::OutOfDate { why, .. } | ApplyError::Record { why, .. } => {
                why.clone()
            }
            ApplyError::Stopped { .. } => "it was asked to stop".to_owned(),
            ApplyError::Partly { error, .. } => error.because(),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            ApplyError::Engine(error) => error.help(),
            ApplyError::Plan(error) => Some(error.help().to_owned()),
            ApplyError::Quarantine(error) => Some(error.help().to_owned()),
            ApplyError::Refused { help, .. } | ApplyError::OutOfDate { help, .. } | ApplyError::Record { help, .. } => {
                Some(help.clone())
            }
            ApplyError::Stopped { .. } => Some("repeat the command".to_owned()),
            ApplyError::Partly { doing, error, committed } => Some(help_if_partly(doing, error, *committed)),
        }
    }
}

/// Returns the help for a partial run: the help of the error itself, without the words "nothing was changed".
fn help_if_partly(doing: &str, error: &ApplyError, committed: u64) -> String {
    let advice = error.help().unwrap_or_default();
    let advice =
        advice.strip_prefix(UNCHANGED).map_or(advice.clone(), |advice| advice.trim_start_matches(": ").to_owned());
    let other = if doing == Direction::Apply.doing() { "undo" } else { "apply" };
    let changes = plural(committed, "change");
    let stay = if committed == 1 { "stays" } else { "stay" };
    let so_far = format!(
        "{changes} committed before {stay}: repeat the command to continue from there, or run `fk-doctor {other}` to take them back"
    );
    if advice.is_empty() || advice == "repeat the command" { so_far } else { format!("{so_far}; {advice}") }
}

/// The start of the help of an error after which the database is as it was.
const UNCHANGED: &str = "nothing was changed";
