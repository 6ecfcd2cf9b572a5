//! The changes of a plan while it is being thought of: one per row, found by the row, and in the order in which they are
//! to be made. They may be many, so they lie in a private temporary store that goes to disk as it grows.

use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use rusqlite::Connection;
use rusqlite::Result;

use crate::model::catalog::TableName;
use crate::model::forecast::TableChanges;
use crate::model::plan::Change;
use crate::model::plan::Part;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::plan_file;

pub struct PlanDraft {
    store: Connection,
    next: i64,
    tables: BTreeMap<String, TableChanges>,
    /// Which names have been put in; most rows are looked for once and were not.
    seen: Seen,
}

impl PlanDraft {
    pub fn new() -> Result<PlanDraft> {
        let store = Connection::open("")?;
        store.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384; BEGIN; \
             CREATE TABLE change(step INTEGER, unit INTEGER, number INTEGER, name INTEGER, line TEXT, \
                 PRIMARY KEY (step, unit, number)) WITHOUT ROWID; \
             CREATE INDEX by_name ON change(name)",
        )?;
        Ok(PlanDraft { store, next: 0, tables: BTreeMap::new(), seen: Seen::new() })
    }

    pub fn get(&self, table: &TableName, row: &RowName) -> Result<Option<Change>> {
        Ok(self.find(table, row)?.map(|(_, change)| change))
    }

    /// A unit of changes that are made together or not at all; each is put in by [`Self::put_in`].
    pub fn unit(&mut self, step: Step) -> Unit {
        self.next += 1;
        // Of the units that go first, the last comes before all others.
        let number = if step == Step::DeleteFirst { FIRST - self.next } else { self.next };
        Unit { step: step as i64, number }
    }

    /// The unit that a change is in; a new one for a change that stood alone.
    pub fn unit_of(&mut self, change: &Change, step: Step) -> Result<Unit> {
        match (change.unit, self.find(&change.table, &change.row)?) {
            (Some(_), Some(((step, number, _), _))) => Ok(Unit { step, number }),
            _ => Ok(self.unit(step)),
        }
    }

    /// The changes of the unit that a change is in.
    pub fn members_with(&self, change: &Change) -> Result<Vec<Change>> {
        let Some((step, number, _)) = self.find(&change.table, &change.row)?.map(|(place, _)| place) else {
            return Ok(Vec::new());
        };
        let mut question =
            self.store.prepare_cached("SELECT line FROM change WHERE step = ?1 AND unit = ?2 ORDER BY number")?;
        let mut rows = question.query((step, number))?;
        let mut members = Vec::new();
        while let Some(row) = rows.next()? {
            members.push(read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
        }
        Ok(members)
    }

    /// In place of an earlier change of the same row. One that belongs to a unit stays in it.
    pub fn put(&mut self, change: &Change) -> Result<()> {
        let planned = self.find(&change.table, &change.row)?.map(|((step, unit, _), _)| (step, unit));
        let unit = match (change.unit.map(u64::cast_signed), planned) {
            (Some(number), Some((step, unit))) if unit == number => Unit { step, number },
            (Some(number), _) => Unit { step: step(change) as i64, number },
            (None, _) => Unit { step: step(change) as i64, number: self.next + 1 },
        };
        self.next += 1;
        self.insert(change, unit)
    }

    /// The same, as a part of a unit.
    pub fn put_in(&mut self, unit: Unit, change: &Change) -> Result<()> {
        let change = Change { unit: Some(unit.number.cast_unsigned()), ..change.clone() };
        self.next += 1;
        self.insert(&change, unit)
    }

    /// In place of the same change with less said about it: it keeps its place.
    pub fn amend(&mut self, change: &Change) -> Result<()> {
        let Some((place, _)) = self.find(&change.table, &change.row)? else { return self.put(change) };
        let line = plan_file::change_line(change);
        self.store
            .prepare_cached("UPDATE change SET line = ?4 WHERE step = ?1 AND unit = ?2 AND number = ?3")?
            .execute((place.0, place.1, place.2, line))?;
        Ok(())
    }

    /// A change that changes nothing does not come into a plan.
    fn insert(&mut self, change: &Change, unit: Unit) -> Result<()> {
        self.take_away(&change.table, &change.row)?;
        if change.changes_nothing() {
            return Ok(());
        }
        let name = name(&change.table, &change.row);
        self.seen.add(name);
        let line = plan_file::change_line(change);
        self.store.prepare_cached("INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5)")?.execute((
            unit.step,
            unit.number,
            self.next,
            name.cast_signed(),
            line,
        ))?;
        *self.counter(change) += 1;
        Ok(())
    }

    /// The change of a row that is not to be made after all, if there was one.
    pub fn take_away(&mut self, table: &TableName, row: &RowName) -> Result<Option<Change>> {
        let Some((place, change)) = self.find(table, row)? else { return Ok(None) };
        self.store
            .prepare_cached("DELETE FROM change WHERE step = ?1 AND unit = ?2 AND number = ?3")?
            .execute(place)?;
        *self.counter(&change) -= 1;
        Ok(Some(change))
    }

    /// As lines of a plan, in the order in which they are to be made: new rows, changed rows, rows that go.
    pub fn each_line<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&str) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut question = self.store.prepare("SELECT line FROM change ORDER BY step, unit, number")?;
        let mut rows = question.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        }
        Ok(())
    }

    pub fn each<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.each_line(|line| each(&read(line)?))
    }

    /// How many rows of each table are made, changed and deleted.
    pub fn tables(&self) -> Vec<TableChanges> {
        let changed = self.tables.values().filter(|table| table.made + table.changed + table.deleted > 0);
        changed.cloned().collect()
    }

    fn find(&self, table: &TableName, row: &RowName) -> Result<Option<(Position, Change)>> {
        let name = name(table, row);
        if !self.seen.may_have(name) {
            return Ok(None);
        }
        let mut question = self.store.prepare_cached("SELECT step, unit, number, line FROM change WHERE name = ?1")?;
        let mut rows = question.query([name.cast_signed()])?;
        while let Some(found) = rows.next()? {
            let change = read(found.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?;
            let is_same =
                |(own, other): (&(String, Value), &(String, Value))| own.0 == other.0 && own.1.is_same(&other.1);
            if change.table == *table && change.row.len() == row.len() && change.row.iter().zip(row).all(is_same) {
                return Ok(Some(((found.get(0)?, found.get(1)?, found.get(2)?), change)));
            }
        }
        Ok(None)
    }

    fn counter(&mut self, change: &Change) -> &mut u64 {
        let new = |table: &String| TableChanges { table: table.clone(), ..TableChanges::default() };
        let counts = self.tables.entry(change.table.to_string()).or_insert_with_key(new);
        match (&change.before, &change.after) {
            (None, _) => &mut counts.made,
            (_, None) => &mut counts.deleted,
            _ => &mut counts.changed,
        }
    }
}

/// Rows are found by a hash of their names, which is small and the same in every run.
fn name(table: &TableName, row: &RowName) -> u64 {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    for (column, value) in row {
        column.hash(&mut hasher);
        std::mem::discriminant(value).hash(&mut hasher);
        match value {
            Value::Null => {}
            Value::Integer(number) => number.hash(&mut hasher),
            Value::Real(number) => number.to_bits().hash(&mut hasher),
            Value::Text(bytes) | Value::Blob(bytes) => bytes.hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// Names that may have been put in, in eight megabytes however many they are.
struct Seen {
    bits: Vec<u64>,
}

impl Seen {
    const BITS: u64 = 1 << 26;

    fn new() -> Seen {
        Seen { bits: vec![0; (Seen::BITS / 64) as usize] }
    }

    /// Each name has two bits.
    fn places(name: u64) -> [(usize, u64); 2] {
        [name, name >> 32].map(|part| {
            let bit = part % Seen::BITS;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn add(&mut self, name: u64) {
        for (word, bit) in Seen::places(name) {
            self.bits[word] |= bit;
        }
    }

    fn may_have(&self, name: u64) -> bool {
        Seen::places(name).iter().all(|(word, bit)| self.bits[*word] & bit != 0)
    }
}

/// The step, the unit and the number of a change, by which the changes are sorted.
type Position = (i64, i64, i64);

/// Changes are made step by step: first the rows that are missing, last the rows that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Parent,
    Record,
    Counter,
    Update,
    /// Rows that go before rows which were planned to go earlier.
    DeleteFirst,
    Delete,
}

/// Where the numbers of units end that go first; all others are far below.
const FIRST: i64 = 1 << 52;

/// Changes that are made together or not at all, and the step that they are made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    step: i64,
    number: i64,
}

fn step(change: &Change) -> Step {
    match (change.part(), &change.before, &change.after) {
        (Part::Counter, ..) => Step::Counter,
        (Part::Record, ..) => Step::Record,
        (_, None, _) => Step::Parent,
        (_, _, None) => Step::Delete,
        _ => Step::Update,
    }
}

/// What was put in comes out.
fn read(line: &str) -> Result<Change> {
    plan_file::read_change(line).map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))
}
