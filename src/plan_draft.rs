//! The plan draft: the changes of a plan during planning, at most one per row, in the order of application. A private
//! temporary database stores them, which moves to disk as it grows.

use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use rusqlite::Connection;
use rusqlite::Result;

use crate::model::catalog::TableName;
use crate::model::forecast::TableChanges;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::plan_file::ChangeLine;
use crate::plan_file::ChangeLines;

/// A plan draft.
pub struct PlanDraft {
    store: Connection,
    lines: ChangeLines,
    next: i64,
    tables: BTreeMap<String, TableChanges>,
    /// The row names that were inserted. Most lookups are for rows without a change.
    seen: BloomFilter,
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
        Ok(PlanDraft {
            store,
            lines: ChangeLines::default(),
            next: 0,
            tables: BTreeMap::new(),
            seen: BloomFilter::new(),
        })
    }

    /// Returns the change of a row, if there is one.
    pub fn get(&self, table: &TableName, row: &RowName) -> Result<Option<Change>> {
        Ok(self.find(table, row)?.map(|(_, change)| change))
    }

    /// Begins a unit of changes that are applied together or not at all. [`Self::put_in`] adds changes to it.
    pub fn unit(&mut self, step: Step) -> Unit {
        self.next += 1;
        // The last unit of `DeleteFirst` is applied before all earlier ones.
        let number = if step == Step::DeleteFirst { FIRST - self.next } else { self.next };
        Unit { step: step as i64, number }
    }

    /// Returns the unit of a change, or a new unit if the change has none.
    pub fn unit_of(&mut self, change: &Change, step: Step) -> Result<Unit> {
        match (change.unit, self.find(&change.table, &change.row)?) {
            (Some(_), Some(((step, number, _), _))) => Ok(Unit { step, number }),
            _ => Ok(self.unit(step)),
        }
    }

    /// Returns all changes of the unit that contains a change.
    pub fn members_with(&self, change: &Change) -> Result<Vec<Change>> {
        let Some((step, number, _)) = self.find(&change.table, &change.row)?.map(|(position, _)| position) else {
            return Ok(Vec::new());
        };
        let mut statement =
            self.store.prepare_cached("SELECT line FROM change WHERE step = ?1 AND unit = ?2 ORDER BY number")?;
        let mut rows = statement.query((step, number))?;
        let mut members = Vec::new();
        while let Some(row) = rows.next()? {
            members.push(self.read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
        }
        Ok(members)
    }

    /// Adds a change, replacing an earlier change of the row. A change that belongs to a unit stays in it.
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

    /// Adds a change to a unit, replacing an earlier change of the row.
    pub fn put_in(&mut self, unit: Unit, change: &Change) -> Result<()> {
        let change = Change { unit: Some(unit.number.cast_unsigned()), ..change.clone() };
        self.next += 1;
        self.insert(&change, unit)
    }

    /// Replaces the line of a change with more details. The change keeps its position.
    pub fn amend(&mut self, change: &Change) -> Result<()> {
        let Some((position, _)) = self.find(&change.table, &change.row)? else { return self.put(change) };
        let mut line = String::with_capacity(128);
        self.lines.push(&mut line, change);
        self.store
            .prepare_cached("UPDATE change SET line = ?4 WHERE step = ?1 AND unit = ?2 AND number = ?3")?
            .execute((position.0, position.1, position.2, line))?;
        Ok(())
    }

    /// Stores a change, unless it changes nothing.
    fn insert(&mut self, change: &Change, unit: Unit) -> Result<()> {
        self.take_away(&change.table, &change.row)?;
        if change.changes_nothing() {
            return Ok(());
        }
        let name = name(&change.table, &change.row);
        self.seen.add(name);
        let mut line = String::with_capacity(128);
        self.lines.push(&mut line, change);
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

    /// Removes the change of a row. Returns the change, if there was one.
    pub fn take_away(&mut self, table: &TableName, row: &RowName) -> Result<Option<Change>> {
        let Some((position, change)) = self.find(table, row)? else { return Ok(None) };
        self.store
            .prepare_cached("DELETE FROM change WHERE step = ?1 AND unit = ?2 AND number = ?3")?
            .execute(position)?;
        *self.counter(&change) -= 1;
        Ok(Some(change))
    }

    /// Visits the changes as lines of a plan, in the order of application: inserts, updates, deletes.
    pub fn each_line<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&ChangeLine<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut statement = self.store.prepare("SELECT line FROM change ORDER BY step, unit, number")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            each(&self.lines.line(line).map_err(unreadable)?)?;
        }
        Ok(())
    }

    /// Visits the changes in the order of application.
    pub fn each<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.each_line(|line| each(&self.read(line.text)?))
    }

    /// Returns the number of inserted, changed and deleted rows of each table.
    pub fn tables(&self) -> Vec<TableChanges> {
        let changed = self.tables.values().filter(|table| table.made + table.changed + table.deleted > 0);
        changed.cloned().collect()
    }

    fn find(&self, table: &TableName, row: &RowName) -> Result<Option<(Position, Change)>> {
        let name = name(table, row);
        if !self.seen.may_contain(name) {
            return Ok(None);
        }
        let mut statement = self.store.prepare_cached("SELECT step, unit, number, line FROM change WHERE name = ?1")?;
        let mut rows = statement.query([name.cast_signed()])?;
        while let Some(found) = rows.next()? {
            let change = self.read(found.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?;
            if change.table == *table && change.row.columns().eq(row.columns()) && change.row.is_same(row) {
                return Ok(Some(((found.get(0)?, found.get(1)?, found.get(2)?), change)));
            }
        }
        Ok(None)
    }

    /// Parses a stored line.
    fn read(&self, line: &str) -> Result<Change> {
        self.lines.read(line).map_err(unreadable)
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

/// Returns the hash of a row's name, by which rows are found. It is equal in every run.
fn name(table: &TableName, row: &RowName) -> u64 {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    for (column, value) in row.iter() {
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

/// A Bloom filter of row names, of eight megabytes.
struct BloomFilter {
    bits: Vec<u64>,
}

impl BloomFilter {
    const BITS: u64 = 1 << 26;

    fn new() -> BloomFilter {
        BloomFilter { bits: vec![0; (BloomFilter::BITS / 64) as usize] }
    }

    /// Returns the two bits of a name: each as the index of its word and a mask.
    fn bits_of(name: u64) -> [(usize, u64); 2] {
        [name, name >> 32].map(|part| {
            let bit = part % BloomFilter::BITS;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn add(&mut self, name: u64) {
        for (word, bit) in BloomFilter::bits_of(name) {
            self.bits[word] |= bit;
        }
    }

    fn may_contain(&self, name: u64) -> bool {
        BloomFilter::bits_of(name).iter().all(|(word, bit)| self.bits[*word] & bit != 0)
    }
}

/// The sort key of a change: its step, its unit and its number, for example `(3, 17, 42)`.
type Position = (i64, i64, i64);

/// The steps of a plan, in order: first the inserts of missing rows, last the deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Parent,
    Record,
    Counter,
    Update,
    /// Deletes that must be applied before the deletes planned so far.
    DeleteFirst,
    Delete,
}

/// Unit numbers of `DeleteFirst` count down from here. All other unit numbers are far below.
const FIRST: i64 = 1 << 52;

/// A group of changes that are applied together or not at all, in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    step: i64,
    number: i64,
}

fn step(change: &Change) -> Step {
    match (change.role(), &change.before, &change.after) {
        (ChangeRole::Counter, ..) => Step::Counter,
        (ChangeRole::Record, ..) => Step::Record,
        (_, None, _) => Step::Parent,
        (_, _, None) => Step::Delete,
        _ => Step::Update,
    }
}

fn unreadable(why: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(why.into())
}
