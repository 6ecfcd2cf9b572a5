//! A plan → a changed database, or one that is exactly as it was.
//!
//! Inside the writing transaction every row is compared with its image first: it stands before its change, or after it, or
//! the plan is refused. What was written is scanned again before it is committed. Taking a plan back is the same walk,
//! backwards, with the images swapped.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Ending;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::plan::Part;
use crate::model::plan::Standing;
use crate::model::schema::Schema;
use crate::model::sql::Sql;
use crate::model::sql::repair::RepairDialect;
use crate::model::text;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;
use crate::quarantine_file::KeepError;
use crate::scan::Progress;

mod inspect;
mod redefine;
mod tables;
mod verify;

use inspect::Found;
use redefine::Side;
use verify::Moment;

/// Rows are read this many at a time.
const CHUNK: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Apply,
    Undo,
}

/// What is to be done, and how.
pub struct Order<'a> {
    pub schema: &'a Schema,
    pub surgery: &'static dyn RepairDialect,
    pub direction: Direction,
    /// Changes in one transaction; all of them if `None`.
    pub batch: Option<usize>,
    pub progress: Progress<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
    /// Definitions that changed.
    pub redefined: u64,
    /// Rows that already were as they should be.
    pub already: u64,
}

impl Done {
    /// What was done before counts, and not as what was done already.
    fn after(self, before: Done) -> Done {
        let earlier = before.made + before.changed + before.deleted + before.redefined;
        Done {
            made: before.made + self.made,
            changed: before.changed + self.changed,
            deleted: before.deleted + self.deleted,
            redefined: before.redefined + self.redefined,
            already: self.already.saturating_sub(earlier),
        }
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
    Keep(#[from] KeepError),
    #[error("{doing} the plan")]
    Refused { doing: &'static str, why: String, help: String },
}

/// Something to be done inside the writing transaction.
pub type Step<'a> = &'a mut dyn FnMut(&mut dyn Writer) -> Result<(), ApplyError>;

/// How often a transaction is begun that others bring to its end.
const ATTEMPTS: u32 = 5;

/// Goes through with a plan. `admit` looks at the database first; `secure` is called when everything fits, before the
/// first change. A transaction that others got in the way of is begun again, as after a crash: rows that are changed
/// already are left as they are.
pub fn run(
    order: &Order<'_>,
    plan: &mut PlanFile,
    writer: &mut dyn Writer,
    admit: Step<'_>,
    secure: Step<'_>,
) -> Result<Done, ApplyError> {
    let mut before = Done::default();
    let mut made = Vec::new();
    let mut attempts = 1;
    loop {
        let mut walk = Walk::new(order, plan, made)?;
        let error = match walk.go(writer, admit, secure) {
            Ok(done) => return Ok(done.after(before)),
            Err(error) => error,
        };
        writer.rollback();
        if !writer.was_overtaken() || attempts == ATTEMPTS {
            walk.clear_away(writer);
            return Err(error);
        }
        before = walk.committed.after(before);
        made = if order.surgery.defines_at_once() { walk.made } else { Vec::new() };
        attempts += 1;
    }
}

/// Whether a plan was applied already, whole or in part: what it does first is done.
pub fn has_begun(order: &Order<'_>, plan: &mut PlanFile, session: &mut dyn Session) -> Result<bool, ApplyError> {
    let mut walk = Walk::new(order, plan, Vec::new())?;
    let mut found = Found::default();
    if walk.inspect_definitions(session, &mut found).is_err() {
        return Ok(false);
    }
    let stretch = walk.stretch(0, CHUNK)?;
    // A table that is gone was not changed by it.
    let standings = walk.standings(session, &stretch).unwrap_or_default();
    let is_done =
        |(change, standing): (&Change, Standing)| standing == Standing::After && change.part() != Part::Counter;
    Ok(found.after > 0 || stretch.changes.iter().zip(standings).any(is_done))
}

/// Keeps writers from both sides of every relation that the plan has a part in: none may add the missing parent meanwhile,
/// or another orphan.
fn locks(order: &Order<'_>, header: &Header) -> Option<Sql> {
    let relations = order.schema.relations.iter();
    let touched = relations.filter(|relation| header.forecasts.iter().any(|forecast| forecast.relation == relation.id));
    let tables: Vec<&Table> = touched
        .flat_map(|relation| std::iter::once(order.schema.child(relation)).chain(order.schema.parent(relation)))
        .collect();
    order.surgery.lock(&tables)
}

struct Walk<'w> {
    order: &'w Order<'w>,
    plan: &'w mut PlanFile,
    /// Tables by name, with those that the plan makes.
    tables: BTreeMap<String, Table>,
    /// Tables of the plan that are not there yet.
    absent: Vec<String>,
    /// Tables that were made, whatever becomes of the transaction.
    made: Vec<NewTable>,
    done: Done,
    committed: Done,
    /// A change of the transaction at hand, by which can be told whether it was committed.
    witness: Option<Change>,
}

/// Consecutive changes of one table.
struct Stretch {
    table: String,
    changes: Vec<Change>,
}

impl<'w> Walk<'w> {
    /// `made` are tables of the plan that are there although the schema does not know them.
    fn new(order: &'w Order<'w>, plan: &'w mut PlanFile, made: Vec<NewTable>) -> Result<Walk<'w>, ApplyError> {
        let mut tables: BTreeMap<String, Table> =
            order.schema.tables.iter().map(|table| (table.name.to_string(), table.clone())).collect();
        let mut absent = Vec::new();
        for new in &plan.header.creates {
            let name = new.name.to_string();
            if order.schema.table(&name).is_none() {
                tables.insert(name.clone(), new.as_table());
                if !made.contains(new) {
                    absent.push(name);
                }
            }
        }
        let (done, committed) = (Done::default(), Done::default());
        Ok(Walk { order, plan, tables, absent, made, done, committed, witness: None })
    }

    fn go(&mut self, writer: &mut dyn Writer, admit: Step<'_>, secure: Step<'_>) -> Result<Done, ApplyError> {
        let found = loop {
            self.begin(writer)?;
            admit(writer)?;
            let found = self.inspect(writer)?;
            if found.before == 0 {
                // Nothing is left to do, and nothing is written.
                writer.rollback();
                if self.order.surgery.defines_at_once() {
                    self.leave_no_empty_tables(writer)?;
                }
                // What was defined at once a moment ago is not what was so already.
                let already = found.after.saturating_sub(self.done.redefined);
                return Ok(Done { already, ..self.done });
            }
            if self.order.batch.is_some() && found.after == 0 && self.order.direction == Direction::Apply {
                verify::verify(self.order.schema, &self.plan.header, writer, Moment::BeforeBatches, true)?;
            }
            secure(writer)?;
            // What is defined at once ends the transaction: what was looked at is looked at again.
            let is_defined = self.make_tables(writer)? | self.redefine(writer, Side::Before)?;
            if !is_defined || !self.order.surgery.defines_at_once() {
                break found;
            }
        };
        let is_sure = found.after == 0 && self.order.batch.is_none();
        let batch = self.order.batch.unwrap_or(usize::MAX);
        let mut in_batch = 0;
        let total = self.plan.changes();
        let mut position = 0;
        while position < total {
            // Every change is looked at before any is made.
            (self.order.progress)(total + position, 2 * total);
            let stretch = self.stretch(position, batch - in_batch)?;
            position += stretch.changes.len();
            in_batch += stretch.changes.len();
            self.write(writer, stretch, is_sure)?;
            if in_batch >= batch && position < total {
                self.commit(writer)?;
                self.begin(writer)?;
                in_batch = 0;
            }
        }
        let defines_at_once = self.order.surgery.defines_at_once();
        if !defines_at_once {
            self.redefine(writer, Side::After)?;
            self.leave_no_empty_tables(writer)?;
        }
        if self.order.direction == Direction::Apply {
            let in_batches = self.order.batch.is_some();
            verify::verify(self.order.schema, &self.plan.header, writer, Moment::BeforeCommit, in_batches)?;
        }
        self.commit(writer)?;
        if defines_at_once {
            self.redefine(writer, Side::After)?;
            self.leave_no_empty_tables(writer)?;
        }
        Ok(self.done)
    }

    fn begin(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        self.witness = None;
        Ok(writer.begin(locks(self.order, &self.plan.header).as_ref())?)
    }

    fn commit(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if let (Ending::Unknown(why), Some(change)) = (writer.commit()?, self.witness.take()) {
            self.find_out(writer, change, &why)?;
        }
        self.committed = self.done;
        Ok(())
    }

    /// The answer to a commit was lost: a row that was changed says what became of it. It is read as a writer reads, so that
    /// the server has to settle it first.
    fn find_out(&mut self, writer: &mut dyn Writer, change: Change, lost: &str) -> Result<(), ApplyError> {
        let stretch = Stretch { table: change.table.to_string(), changes: vec![change] };
        let read = self.begin(writer).and_then(|()| self.standings(writer, &stretch));
        writer.rollback();
        let (why, help) = match read.as_deref() {
            Ok([Standing::After]) => return Ok(()),
            Ok([Standing::Before]) => (
                "the connection was lost before the commit",
                "what was not committed was rolled back: run the same command again",
            ),
            _ => (
                "the connection was lost during the commit, and what became of it cannot be read",
                "run the same command again: rows that are changed already are left as they are",
            ),
        };
        let what = format!("to {}", self.plan.header.database);
        Err(EngineError::Unwritable { what, why: format!("{why}: {lost}"), help: help.to_owned() }.into())
    }

    /// Changes from a position on, as far as they concern one table.
    fn stretch(&mut self, from: usize, most: usize) -> Result<Stretch, ApplyError> {
        let total = self.plan.changes();
        let mut stretch = Stretch { table: String::new(), changes: Vec::new() };
        for position in from..total.min(from + most.min(CHUNK)) {
            let change = match self.order.direction {
                Direction::Apply => self.plan.change(position)?,
                Direction::Undo => self.plan.change(total - 1 - position)?.inverse(),
            };
            let table = change.table.to_string();
            if stretch.changes.is_empty() {
                stretch.table = table;
            } else if stretch.table != table {
                break;
            }
            stretch.changes.push(change);
        }
        Ok(stretch)
    }

    fn write(&mut self, writer: &mut dyn Writer, stretch: Stretch, is_sure: bool) -> Result<(), ApplyError> {
        let needs_look = !is_sure || stretch.changes.iter().any(|change| change.part() == Part::Counter);
        let standings =
            if needs_look { self.standings(writer, &stretch)? } else { vec![Standing::Before; stretch.changes.len()] };
        for (change, standing) in stretch.changes.iter().zip(standings) {
            match standing {
                // A counter has moved by itself.
                Standing::After if change.part() == Part::Counter => {}
                Standing::After => self.done.already += 1,
                Standing::Before => self.write_one(writer, change)?,
                Standing::Other => {
                    let why = format!("{} was changed while the plan was {}", row_of(change), self.participle());
                    return Err(self.refused(why, "what was committed before can be taken back with `fk-doctor undo`"));
                }
            }
        }
        if self.order.surgery.stores_what_is_written() {
            return Ok(());
        }
        let now = self.standings(writer, &stretch)?;
        match stretch.changes.iter().zip(now).find(|(_, now)| *now != Standing::After) {
            Some((change, _)) => {
                let why = format!("{} was stored otherwise than was planned, by a trigger", row_of(change));
                Err(self.refused(why, self.without_triggers()))
            }
            None => Ok(()),
        }
    }

    fn without_triggers(&self) -> &'static str {
        if self.order.surgery.can_silence_triggers() {
            "nothing was changed: --no-triggers keeps triggers silent"
        } else {
            "nothing was changed: drop the trigger for the time of the repair"
        }
    }

    fn write_one(&mut self, writer: &mut dyn Writer, change: &Change) -> Result<(), ApplyError> {
        let table = self.table(&change.table.to_string())?;
        let surgery = self.order.surgery;
        let row = if change.before.is_none() { &with_address(table, change) } else { &change.row };
        let statement = surgery.statement(table, row, change);
        let mut changed = writer.change(&statement);
        if let (Err(EngineError::Failed { .. }), Part::Parent) = (&changed, change.part())
            && let Some(unenforced) = surgery.unenforced(&statement).filter(|_| !writer.was_overtaken())
        {
            // Of parents that need each other, one has to be there first.
            changed = writer.change(&unenforced);
        }
        let rows = match changed {
            Ok(rows) => rows,
            Err(EngineError::Failed { why }) => {
                let why = format!("{} cannot be changed: {why}", row_of(change));
                return Err(self.refused(why, "nothing was changed: make a new plan with `fk-doctor repair`"));
            }
            Err(other) => return Err(other.into()),
        };
        match rows {
            1 => {}
            0 => {
                let why = format!("{} did not change: a trigger kept it as it was", row_of(change));
                return Err(self.refused(why, self.without_triggers()));
            }
            more => {
                let why = format!(
                    "changing {} changed {} beyond the plan, by a trigger",
                    row_of(change),
                    text::plural(more - 1, "row")
                );
                return Err(self.refused(why, self.without_triggers()));
            }
        }
        if let (Part::Parent, None, Some(after)) = (change.part(), &change.before, &change.after) {
            for advance in surgery.advance(table, after) {
                writer.each_row(&advance, &mut |_| {})?;
            }
        }
        self.witness = Some(change.clone());
        match (&change.before, &change.after) {
            (None, _) => self.done.made += 1,
            (_, None) => self.done.deleted += 1,
            _ => self.done.changed += 1,
        }
        Ok(())
    }

    fn table(&self, name: &str) -> Result<&Table, ApplyError> {
        self.tables
            .get(name)
            .ok_or_else(|| self.refused(format!("there is no table {name}"), "nothing was changed: make a new plan"))
    }

    fn participle(&self) -> &'static str {
        match self.order.direction {
            Direction::Apply => "applied",
            Direction::Undo => "taken back",
        }
    }

    fn refused(&self, why: String, help: &str) -> ApplyError {
        let doing = match self.order.direction {
            Direction::Apply => "apply",
            Direction::Undo => "take back",
        };
        ApplyError::Refused { doing, why, help: help.to_owned() }
    }
}

/// A row that comes back comes back to its own address.
fn with_address(table: &Table, change: &Change) -> RowName {
    match (&table.row_address, change.address) {
        (Some(name), Some(address)) => vec![(name.clone(), Value::Integer(address))],
        _ => change.row.clone(),
    }
}

fn row_of(change: &Change) -> String {
    format!("{} ({})", change.table, text::row(&change.row))
}

impl ApplyError {
    pub fn because(&self) -> String {
        match self {
            ApplyError::Engine(error) => error.because(),
            ApplyError::Plan(error) => error.because(),
            ApplyError::Keep(error) => error.because(),
            ApplyError::Refused { why, .. } => why.clone(),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            ApplyError::Engine(error) => error.help(),
            ApplyError::Plan(error) => Some(error.help().to_owned()),
            ApplyError::Keep(error) => Some(error.help().to_owned()),
            ApplyError::Refused { help, .. } => Some(help.clone()),
        }
    }
}
