//! The changes of a plan while it is being thought of: one per row, found by the row, and in the order in which they are
//! to be made. They may be many, so they lie in a private temporary store that goes to disk as it grows.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Result;

use crate::model::plan::Change;
use crate::model::plan::Part;
use crate::model::prospect::TableChanges;
use crate::model::value::RowName;
use crate::plan_file;

pub struct Workbench {
    store: Connection,
    next: i64,
}

impl Workbench {
    pub fn new() -> Result<Workbench> {
        let store = Connection::open("")?;
        store.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384; BEGIN; \
             CREATE TABLE change(name TEXT, row TEXT, step INTEGER, place INTEGER, kind INTEGER, line TEXT, PRIMARY KEY(name, row)) WITHOUT ROWID; \
             CREATE INDEX by_order ON change(step, place)",
        )?;
        Ok(Workbench { store, next: 0 })
    }

    pub fn get(&self, table: &str, row: &RowName) -> Result<Option<Change>> {
        let mut question = self.store.prepare_cached("SELECT line FROM change WHERE name = ?1 AND row = ?2")?;
        let line: Option<String> =
            question.query_row((table, plan_file::row_text(row)), |row| row.get(0)).optional()?;
        line.map(|line| read(&line)).transpose()
    }

    /// In place of an earlier change of the same row.
    pub fn put(&mut self, change: &Change) -> Result<()> {
        let mut statement =
            self.store.prepare_cached("INSERT OR REPLACE INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        self.next += 1;
        let step = step(change);
        // Of rows that go, those that others refer to go last.
        let place = if step == Step::Delete { -self.next } else { self.next };
        let name = change.table.to_string();
        let kind = match (&change.before, &change.after) {
            (None, _) => MADE,
            (_, None) => DELETED,
            _ => CHANGED,
        };
        let row = plan_file::row_text(&change.row);
        statement.execute((name, row, step as i64, place, kind, plan_file::change_line(change)))?;
        Ok(())
    }

    pub fn take_away(&mut self, table: &str, row: &RowName) -> Result<()> {
        let mut statement = self.store.prepare_cached("DELETE FROM change WHERE name = ?1 AND row = ?2")?;
        statement.execute((table, plan_file::row_text(row)))?;
        Ok(())
    }

    /// In the order in which they are to be made: new rows, changed rows, rows that go.
    pub fn each<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut question = self.store.prepare("SELECT line FROM change ORDER BY step, place")?;
        let mut rows = question.query([])?;
        while let Some(row) = rows.next()? {
            let line: String = row.get(0)?;
            each(&read(&line)?)?;
        }
        Ok(())
    }

    /// How many rows of each table are made, changed and deleted.
    pub fn tables(&self) -> Result<Vec<TableChanges>> {
        let mut question = self.store.prepare(
            "SELECT name, sum(kind = ?1), sum(kind = ?2), sum(kind = ?3) FROM change GROUP BY name ORDER BY name",
        )?;
        let tables = question.query_map([MADE, CHANGED, DELETED], |row| {
            let number = |place: usize| row.get::<_, i64>(place).map(|n| u64::try_from(n).unwrap_or(0));
            Ok(TableChanges { table: row.get(0)?, made: number(1)?, changed: number(2)?, deleted: number(3)? })
        })?;
        tables.collect()
    }
}

/// What becomes of a row.
const MADE: i64 = 0;
const CHANGED: i64 = 1;
const DELETED: i64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Parent,
    Record,
    Counter,
    Update,
    Delete,
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
