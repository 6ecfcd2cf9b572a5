//! A plan → a changed database, or one that is exactly as it was.
//!
//! Whatever happened before, a row is changed only if, in the very transaction that changes it, it equals its image and its
//! key still has no parent. What was written is scanned again before it is committed, and what was committed is recorded
//! in the same transaction. Taking a plan back is the same walk, backwards, with the images swapped: only what the record
//! knows to be ours, and so that nothing becomes an orphan that the plan had not found.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::model::text;
use crate::model::text::plural;
use crate::model::value::Value;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;
use crate::quarantine_file::QuarantineError;
use crate::scan::Progress;
use crate::sql::Sql;
use crate::sql::repair::Repair;

pub mod admission;
mod batches;
pub mod definitions;
pub mod exclusive;
pub mod execute;
pub mod fingerprint;
mod fit;
mod foreseen;
pub mod journal;
mod observe;
mod portion;
mod record;
mod recording;
mod redefine;
mod references;
mod tables;
mod verify;
mod walk;
mod write;

pub use observe::Observed;
pub use observe::forget;
pub use observe::observe;

use walk::Halt;
use walk::Walk;

/// Rows are read this many at a time.
const CHUNK: usize = 400;

/// How many rows that were left are named in a report.
const NAMED: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Apply,
    Undo,
}

impl Direction {
    pub fn doing(self) -> &'static str {
        match self {
            Direction::Apply => "apply",
            Direction::Undo => "take back",
        }
    }
}

/// What is to be done, and how.
pub struct Order<'a> {
    pub schema: &'a Schema,
    pub surgery: &'static dyn Repair,
    pub direction: Direction,
    /// Changes in one transaction; all of them if `None`.
    pub batch: Option<usize>,
    /// Rows that do not fit are left as they are, instead of refusing the plan.
    pub skip_changed: bool,
    /// Names this run: no other has the same text.
    pub run: &'a str,
    /// When it began.
    pub at: &'a str,
    pub progress: Progress<'a>,
}

impl Order<'_> {
    fn facts(&self) -> &'static Facts {
        self.schema.database.engine.facts()
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
    /// Definitions that changed.
    pub redefined: u64,
    /// Rows that already were as they should be.
    pub already: u64,
    /// Rows that were left as they are, by reason.
    pub left: BTreeMap<SkipReason, u64>,
    /// The first of them.
    pub left_rows: Vec<SkippedRow<Value>>,
    /// The plan was never applied here, so there is nothing to take back.
    pub never_applied: bool,
    /// The journal that holds the record, where no table could be made for it.
    pub journal: Option<std::path::PathBuf>,
}

impl Done {
    /// How many changes were made.
    pub fn total(&self) -> u64 {
        self.made + self.changed + self.deleted + self.redefined
    }

    pub fn rows_left(&self) -> u64 {
        self.left.values().sum()
    }

    fn leave(&mut self, change: &Change, why: SkipReason) {
        *self.left.entry(why).or_default() += 1;
        if self.left_rows.len() < NAMED {
            self.left_rows.push(SkippedRow { table: change.table.to_string(), row: change.row.pairs(), why });
        }
    }

    /// With what earlier transactions of this run did.
    fn after(mut self, before: &Done) -> Done {
        self.made += before.made;
        self.changed += before.changed;
        self.deleted += before.deleted;
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

/// Reads after "could not".
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
    /// The record of what plans did cannot be read or written.
    #[error("{what}")]
    Record { what: String, why: String, help: String },
    /// Something stopped a run, some of which was committed before.
    #[error("{doing} the whole plan")]
    Partly { doing: &'static str, error: Box<ApplyError>, committed: u64 },
}

/// Something to be done inside the writing transaction.
type Step<'a> = &'a mut dyn FnMut(&mut dyn Writer) -> Result<(), ApplyError>;

/// How often a transaction is begun that is chosen as deadlock victim, or cannot be serialized.
const ATTEMPTS: u32 = 5;

/// How often a run begins again because rows turned out not to fit after others were written.
const DETOURS: u32 = 100;

/// Goes through with a plan. `admit` looks at the database first; `secure` is called once, when everything fits, before
/// the first change. A transaction that others got in the way of is begun again, as after a crash.
fn run(
    order: &Order<'_>,
    plan: &mut PlanFile,
    writer: &mut dyn Writer,
    admit: Step<'_>,
    secure: Step<'_>,
) -> Result<Done, ApplyError> {
    let mut before = Done::default();
    let (mut made, mut barred, mut is_careful) = (Vec::new(), BTreeMap::new(), false);
    let mut is_secured = false;
    let mut secure = |writer: &mut dyn Writer| {
        if is_secured {
            return Ok(());
        }
        secure(writer)?;
        is_secured = true;
        Ok(())
    };
    let (mut attempts, mut detours) = (1, 0);
    let mut ours_before = None;
    loop {
        let mut walk = Walk::new(order, plan, made, barred, is_careful);
        let halt = match walk.go(writer, admit, &mut secure) {
            Ok(mut done) => {
                done.already += ours_before.unwrap_or(walk.ours_before);
                return Ok(done.after(&before));
            }
            Err(halt) => halt,
        };
        writer.rollback();
        ours_before = ours_before.or(Some(walk.ours_before));
        before = walk.committed.clone().after(&before);
        match halt {
            Halt::Error(error) => {
                if !writer.lost_conflict() || attempts == ATTEMPTS {
                    walk.clear_away(writer);
                    return Err(in_part(error, order.direction, before.total()));
                }
                attempts += 1;
            }
            Halt::Again if detours == DETOURS => {
                walk.clear_away(writer);
                let why = "rows keep changing while the plan is at work".to_owned();
                let help = "try again when less is written, with smaller batches: --batch 100";
                let refused = ApplyError::refused(order.direction, why, help);
                return Err(in_part(refused, order.direction, before.total()));
            }
            Halt::Again => detours += 1,
        }
        (barred, is_careful) = (walk.barred, walk.is_careful);
        made = if order.facts().defines_at_once() { walk.made } else { walk.made_for_good };
    }
}

/// What was committed before stays, whatever stopped the rest.
fn in_part(error: ApplyError, direction: Direction, committed: u64) -> ApplyError {
    match committed {
        0 => error,
        _ => ApplyError::Partly { doing: direction.doing(), error: Box::new(error), committed },
    }
}

/// Keeps writers from both sides of every relation that the plan has a part in: none may add the missing parent meanwhile,
/// or another orphan.
fn locks(order: &Order<'_>, header: &Header) -> Option<Sql> {
    let relations = order.schema.relations.iter();
    let touched = relations.filter(|relation| header.forecasts.iter().any(|forecast| forecast.relation == relation.id));
    let tables: Vec<&Table> = touched
        .flat_map(|relation| std::iter::once(order.schema.child(relation)).chain(order.schema.parent(relation)))
        .collect();
    order.surgery.lock_tables(&tables)
}

/// The tables of a plan by name, with those that it makes.
fn tables_by_name(schema: &Schema, creates: &[NewTable]) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> =
        schema.tables.iter().map(|table| (table.name.to_string(), table.clone())).collect();
    for new in creates {
        tables.entry(new.name.to_string()).or_insert_with(|| new.as_table());
    }
    tables
}

/// A row that comes back comes back to its own address.
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

    /// True if the database could not be reached or read, rather than the plan refused.
    pub fn is_of_the_engine(&self) -> bool {
        match self {
            ApplyError::Engine(_) => true,
            ApplyError::Partly { error, .. } => error.is_of_the_engine(),
            _ => false,
        }
    }

    pub fn because(&self) -> String {
        match self {
            ApplyError::Engine(error) => error.because(),
            ApplyError::Plan(error) => error.because(),
            ApplyError::Quarantine(error) => error.because(),
            ApplyError::Refused { why, .. } | ApplyError::Record { why, .. } => why.clone(),
            ApplyError::Partly { error, .. } => error.because(),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            ApplyError::Engine(error) => error.help(),
            ApplyError::Plan(error) => Some(error.help().to_owned()),
            ApplyError::Quarantine(error) => Some(error.help().to_owned()),
            ApplyError::Refused { help, .. } | ApplyError::Record { help, .. } => Some(help.clone()),
            ApplyError::Partly { doing, error, committed } => Some(help_in_part(doing, error, *committed)),
        }
    }
}

/// What the error itself advises holds on; that nothing was changed does not.
fn help_in_part(doing: &str, error: &ApplyError, committed: u64) -> String {
    let advice = error.help().unwrap_or_default();
    let advice =
        advice.strip_prefix(UNCHANGED).map_or(advice.clone(), |advice| advice.trim_start_matches(": ").to_owned());
    let other = if doing == Direction::Apply.doing() { "undo" } else { "apply" };
    let changes = plural(committed, "change");
    let stay = if committed == 1 { "stays" } else { "stay" };
    let so_far = format!(
        "{changes} committed before {stay}: the same command goes on from there, `fk-doctor {other}` takes them back"
    );
    if advice.is_empty() || advice == "run the same command again" { so_far } else { format!("{so_far}; {advice}") }
}

/// How the help of an error begins after which the database is as it was.
const UNCHANGED: &str = "nothing was changed";
