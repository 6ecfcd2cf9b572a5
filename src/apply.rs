//! A plan → a changed database, or one that is exactly as it was.
//!
//! Inside the writing transaction every row is compared with its image first: it stands before its change, or after it, or
//! the plan is refused. What was written is scanned again before it is committed. Taking a plan back is the same walk,
//! backwards, with the images swapped.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::plan::Change;
use crate::model::plan::Header;
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

mod redefine;
mod verify;

use redefine::Side;
use verify::Moment;

/// Rows are read this many at a time.
const CHUNK: usize = 400;

/// How many rows that do not fit are told.
const TOLD: usize = 3;

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

/// Goes through with a plan. `admit` looks at the database first; `secure` is called when everything fits, before the
/// first change.
pub fn run(
    order: &Order<'_>,
    plan: &mut PlanFile,
    writer: &mut dyn Writer,
    admit: Step<'_>,
    secure: Step<'_>,
) -> Result<Done, ApplyError> {
    let locks = locks(order, &plan.header);
    writer.begin(locks.as_ref())?;
    let done = admit(writer).and_then(|()| Walk::new(order, plan)?.go(writer, secure));
    if done.is_err() {
        writer.rollback();
    }
    done
}

/// Whether a plan was applied already, whole or in part: what it does first is done.
pub fn has_begun(order: &Order<'_>, plan: &mut PlanFile, session: &mut dyn Session) -> Result<bool, ApplyError> {
    let mut walk = Walk::new(order, plan)?;
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
    done: Done,
}

/// Consecutive changes of one table.
struct Stretch {
    table: String,
    changes: Vec<Change>,
}

impl<'w> Walk<'w> {
    fn new(order: &'w Order<'w>, plan: &'w mut PlanFile) -> Result<Walk<'w>, ApplyError> {
        let mut tables: BTreeMap<String, Table> =
            order.schema.tables.iter().map(|table| (table.name.to_string(), table.clone())).collect();
        let mut absent = Vec::new();
        for new in &plan.header.creates {
            let name = new.name.to_string();
            if order.schema.table(&name).is_none() {
                absent.push(name.clone());
                tables.insert(name, new.as_table());
            }
        }
        plan.rewind()?;
        Ok(Walk { order, plan, tables, absent, done: Done::default() })
    }

    fn go(&mut self, writer: &mut dyn Writer, secure: Step<'_>) -> Result<Done, ApplyError> {
        let found = self.inspect(writer)?;
        if found.before == 0 {
            // Nothing is left to do, and nothing is written.
            writer.rollback();
            return Ok(Done { already: found.after, ..Done::default() });
        }
        if self.order.batch.is_some() && found.after == 0 && self.order.direction == Direction::Apply {
            verify::verify(self.order.schema, &self.plan.header, writer, Moment::BeforeBatches, true)?;
        }
        secure(writer)?;
        self.make_tables(writer)?;
        self.redefine(writer, Side::Before)?;
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
                writer.commit()?;
                writer.begin(locks(self.order, &self.plan.header).as_ref())?;
                in_batch = 0;
            }
        }
        self.redefine(writer, Side::After)?;
        self.leave_no_empty_tables(writer)?;
        if self.order.direction == Direction::Apply {
            let in_batches = self.order.batch.is_some();
            verify::verify(self.order.schema, &self.plan.header, writer, Moment::BeforeCommit, in_batches)?;
        }
        writer.commit()?;
        Ok(self.done)
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

    /// How every row stands to its change. One that stands elsewhere, or is no orphan any more, refuses the plan.
    fn inspect(&mut self, writer: &mut dyn Writer) -> Result<Found, ApplyError> {
        let mut found = Found::default();
        self.inspect_definitions(writer, &mut found)?;
        let total = self.plan.changes();
        let mut position = 0;
        while position < total {
            (self.order.progress)(position, 2 * total);
            let stretch = self.stretch(position, CHUNK)?;
            position += stretch.changes.len();
            let standings = self.standings(writer, &stretch)?;
            for (change, standing) in stretch.changes.iter().zip(&standings) {
                match standing {
                    Standing::Before => found.before += 1,
                    Standing::After => found.after += 1,
                    Standing::Other => found.tell(change, "is not as it was when the plan was made"),
                }
            }
            if self.order.direction == Direction::Apply && !found.partly {
                self.still_orphans(writer, &stretch, &standings, &mut found)?;
            }
            found.partly |= found.after > 0;
        }
        if found.stale == 0 {
            return Ok(found);
        }
        let more = found.stale.saturating_sub(found.told.len() as u64);
        let more = if more > 0 { format!("; and {}", text::plural(more, "more row")) } else { String::new() };
        let help = match self.order.direction {
            Direction::Apply => "nothing was changed: make a new plan with `fk-doctor repair`",
            Direction::Undo => {
                "nothing was changed: what was changed since can only be taken back by hand, or from the backup"
            }
        };
        Err(self.refused(format!("{}{more}", found.told.join("; ")), help))
    }

    fn standings(&self, session: &mut dyn Session, stretch: &Stretch) -> Result<Vec<Standing>, ApplyError> {
        let rows: Vec<&RowName> = stretch.changes.iter().map(|change| &change.row).collect();
        let now = if self.absent.contains(&stretch.table) {
            vec![None; rows.len()]
        } else {
            self.rows(session, &stretch.table, &rows)?
        };
        let standing = |(change, now): (&Change, Option<RowName>)| match change.part() {
            Part::Counter => self.counter_standing(change, now.as_ref()),
            _ => change.standing(now.as_ref()),
        };
        Ok(stretch.changes.iter().zip(now).map(standing).collect())
    }

    /// A counter moves by itself when rows are made, and further when others make rows: it is only brought to where the
    /// plan says if nobody else has moved it.
    fn counter_standing(&self, change: &Change, now: Option<&RowName>) -> Standing {
        match change.standing(now) {
            Standing::Other => Standing::After,
            standing => standing,
        }
    }

    fn rows(
        &self,
        session: &mut dyn Session,
        table: &str,
        rows: &[&RowName],
    ) -> Result<Vec<Option<RowName>>, ApplyError> {
        let table = self.table(table)?;
        let mut now = vec![None; rows.len()];
        let names: Vec<&str> =
            table.columns.iter().filter(|column| !column.generated).map(|column| column.name.as_str()).collect();
        session.each_row(&self.order.surgery.rows_at(table, rows), &mut |row| {
            let [number, _, values @ ..] = row else { return };
            let place = number.as_integer().and_then(|number| usize::try_from(number).ok());
            if let Some(place) = place.and_then(|place| now.get_mut(place)) {
                *place = Some(names.iter().map(|name| (*name).to_owned()).zip(values.iter().cloned()).collect());
            }
        })?;
        Ok(now)
    }

    /// An orphan may have found a parent since: then it is no longer ours to change.
    fn still_orphans(
        &self,
        writer: &mut dyn Writer,
        stretch: &Stretch,
        standings: &[Standing],
        found: &mut Found,
    ) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for (change, _) in stretch.changes.iter().zip(standings).filter(|(_, standing)| **standing == Standing::Before)
        {
            for reason in change.reasons.iter().filter(|reason| reason.part == Part::Orphan) {
                by_relation.entry(&reason.relation).or_default().push(change);
            }
        }
        for (id, changes) in by_relation {
            let Some(relation) = self.order.schema.relations.iter().find(|relation| relation.id == id) else {
                return Err(
                    self.refused(format!("there is no relation {id} any more"), "nothing was changed: make a new plan")
                );
            };
            let rows: Vec<&RowName> = changes.iter().map(|change| &change.row).collect();
            let mut orphans = vec![false; rows.len()];
            let question = self.order.surgery.orphans_at(self.order.schema, relation, &rows);
            writer.each_row(&question, &mut |row| {
                let place = row.first().and_then(Value::as_integer).and_then(|number| usize::try_from(number).ok());
                if let Some(place) = place.and_then(|place| orphans.get_mut(place)) {
                    *place = true;
                }
            })?;
            for (change, _) in changes
                .iter()
                .zip(orphans)
                .filter(|(change, is_orphan)| !is_orphan && is_child_of(self.order.schema, relation, change))
            {
                found.tell(change, "has its parent by now");
            }
        }
        Ok(())
    }

    fn make_tables(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if self.order.direction == Direction::Undo {
            return Ok(());
        }
        for new in self.plan.header.creates.clone() {
            if self.absent.contains(&new.name.to_string()) {
                writer.change(&self.order.surgery.create(&new))?;
            }
        }
        self.absent.clear();
        Ok(())
    }

    /// Tables that the plan made go with their last row.
    fn leave_no_empty_tables(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if self.order.direction == Direction::Apply {
            return Ok(());
        }
        for new in &self.plan.header.creates {
            let Some(table) = self.order.schema.table(&new.name.to_string()) else { continue };
            let mut last = Value::Null;
            let question = self.order.surgery.largest(&self.order.schema.tables[table], &new.columns[0]);
            writer.each_row(&question, &mut |row| last = row.first().cloned().unwrap_or(Value::Null))?;
            if last == Value::Null {
                writer.change(&self.order.surgery.drop(new))?;
            }
        }
        Ok(())
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
        Ok(())
    }

    fn write_one(&mut self, writer: &mut dyn Writer, change: &Change) -> Result<(), ApplyError> {
        let table = self.table(&change.table.to_string())?;
        let surgery = self.order.surgery;
        let statement = match (&change.before, &change.after) {
            (None, Some(after)) => surgery.insert(table, &with_address(table, change), after),
            (Some(_), None) => surgery.delete(table, &change.row),
            _ => surgery.update(table, &change.row, &change.set()),
        };
        let rows = match writer.change(&statement) {
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
                return Err(self.refused(why, "nothing was changed: --no-triggers keeps triggers silent"));
            }
            more => {
                let why = format!(
                    "changing {} changed {} beyond the plan, by a trigger",
                    row_of(change),
                    text::plural(more - 1, "row")
                );
                return Err(self.refused(why, "nothing was changed: --no-triggers keeps triggers silent"));
            }
        }
        if let (Part::Parent, None, Some(after)) = (change.part(), &change.before, &change.after) {
            for advance in surgery.advance(table, after) {
                writer.each_row(&advance, &mut |_| {})?;
            }
        }
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

/// A change may name relations of other rows that it was made for.
fn is_child_of(schema: &Schema, relation: &crate::model::relation::Relation, change: &Change) -> bool {
    schema.child(relation).name == change.table
}

fn row_of(change: &Change) -> String {
    format!("{} ({})", change.table, text::row(&change.row))
}

/// How the rows of a plan stand.
#[derive(Default)]
struct Found {
    before: u64,
    after: u64,
    /// Some of it was applied already: parents may be there because of the plan itself.
    partly: bool,
    stale: u64,
    told: Vec<String>,
}

impl Found {
    fn tell(&mut self, change: &Change, why: &str) {
        self.stale += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("{} {why}", row_of(change)));
        }
    }
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
