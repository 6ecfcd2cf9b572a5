//! The interface of engines. The table of engines is in [`crate::engines`].
//!
//! An engine opens a database, reads its definitions and runs queries of the model. Other modules resolve names, find
//! orphans and rate defects, once for all engines.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::discovery::PairCounts;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::examination::RepeatedKeys;
use crate::model::ids::TableId;
use crate::model::progress::Progress;
use crate::model::statement::Statement;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::Sql;
use crate::sql::discover::Cell;

mod catalog_row;
pub mod files;
pub mod gentle_writer;
mod keyset;
pub(crate) mod mysql;
mod orphan_list;
pub(crate) mod postgres;
mod read_at;
pub mod set_writer;
#[cfg(feature = "spark")]
pub(crate) mod spark;
pub mod sqlite;
pub mod trial;
mod wire;
pub mod write;

pub use keyset::text_hash::TextHasher;
pub use orphan_list::OrphanGroup;
pub use orphan_list::OrphanList;
pub use orphan_list::OrphanStream;
pub use trial::Trial;
pub use trial::TrialChoice;
pub use trial::TrialOptions;

/// An opened database.
pub trait Database {
    fn catalog(&mut self) -> Result<Catalog, EngineError>;

    /// Returns the server that was chosen, if the address names several.
    fn chosen_server(&self) -> Option<String> {
        None
    }

    /// Opens one session, as early as possible. It must be the only open session of this database.
    fn session(&mut self) -> Result<Box<dyn Session>, EngineError>;

    /// True if reading the whole database takes less time than opening a second session. False if unknown.
    fn is_small(&mut self) -> bool {
        false
    }

    /// Opens up to `wanted` read-only sessions that share one snapshot. Returns at least one session, and fewer than
    /// `wanted` if the engine cannot open more.
    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError>;

    /// Returns a text that identifies this database among all others.
    fn identity(&mut self) -> Result<String, EngineError> {
        Err(EngineError::cannot_write())
    }

    fn rehearsal(&mut self) -> Result<Box<dyn write::Rehearsal>, EngineError> {
        Err(EngineError::cannot_write())
    }

    fn writer(&mut self, _: write::WriteOptions) -> Result<Box<dyn write::Writer>, EngineError> {
        Err(EngineError::cannot_write())
    }

    /// Returns the setting that makes the database read-only for this role or for all; `None` if there is none.
    fn read_only(&mut self) -> Result<Option<ReadOnly>, EngineError> {
        Ok(None)
    }

    /// Returns why the database may have changed while it was read, which makes the report incomplete.
    fn change_while_reading(&self) -> Option<String>;

    /// Returns why the engine can never open more than one session; `None` if it can.
    fn single_session_reason(&mut self) -> Option<EngineError> {
        None
    }

    /// Returns the definitions that these statements create in an empty database.
    fn planned_catalog(&mut self, _: &[Statement]) -> Result<Catalog, EngineError> {
        Err(EngineError::Unreadable {
            what: "the planned schema".to_owned(),
            why: "fk-doctor would have to create the planned tables on the server".to_owned(),
            help: "write the planned foreign keys as [[relation]] in fk-doctor.toml, then run fk-doctor scan"
                .to_owned(),
        })
    }

    /// Opens a trial. If that makes a private copy, `progress` gets the number of copied pages and of all pages.
    fn trial(&mut self, _: &TrialOptions, _: &dyn Fn(usize, usize)) -> Result<Box<dyn Trial>, EngineError> {
        Err(trial::unsupported())
    }
}

/// A connection that measures how far replicas are behind; see [`crate::model::facts::ReplicaLag`].
pub trait LagMeter {
    /// Returns the replica that is furthest behind; `None` if there is no replica.
    fn lag(&mut self) -> Result<Option<Lag>, EngineError>;
}

/// The lag of one replica.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lag {
    pub behind: Duration,
    pub replica: String,
}

/// One read-only connection inside its snapshot.
pub trait Session: Send {
    /// Calls `each` with every row of the answer.
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError>;

    /// Calls `each` with every row of an answer whose first column is an index below `asked`: with the index, and with
    /// the other columns. A row with another index is an error.
    fn numbered(&mut self, sql: &Sql, asked: usize, each: &mut dyn FnMut(usize, &[Value])) -> Result<(), EngineError> {
        let mut wrong = None;
        self.each_row(sql, &mut |row| {
            let [first, rest @ ..] = row else {
                wrong.get_or_insert(EngineError::wrong_index("nothing", asked));
                return;
            };
            match first.as_integer().and_then(|number| usize::try_from(number).ok()).filter(|&index| index < asked) {
                Some(index) => each(index, rest),
                None => {
                    wrong.get_or_insert(EngineError::wrong_index(&crate::model::text::value(first), asked));
                }
            }
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// Returns the damage of a table's storage, if there is any.
    fn damage(&mut self, table: &Table) -> Result<Option<Damage>, EngineError>;

    /// Calls `visit` with every value of a column, from several threads and in no order, by reading the storage itself.
    /// Returns false if the storage cannot be read, or only in part.
    fn each_stored_value(
        &mut self,
        _: &Table,
        _column: usize,
        _threads: usize,
        _visit: &(dyn Fn(ValueRef<'_>) + Sync),
    ) -> Result<bool, EngineError> {
        Ok(false)
    }

    /// Calls `visit` with some columns of the first rows of a table, at most `most`, by reading the storage itself. Returns
    /// the largest value of all rows, if the only column is an integer. `None` means that only a query can answer.
    fn each_first_row(
        &mut self,
        _: &Table,
        _columns: &[usize],
        _most: u64,
        _visit: &mut dyn FnMut(&[Value]),
    ) -> Result<Option<Option<i64>>, EngineError> {
        Ok(None)
    }

    /// Gives columns of all rows of several tables to readers, from several threads and in no order, by reading the storage
    /// itself. Returns an outcome for each reading.
    fn read_stored_rows(
        &mut self,
        readings: &[RowsReading<'_>],
        _threads: usize,
        _: &dyn RowConsumer,
    ) -> Result<Vec<RowsOutcome>, EngineError> {
        Ok(vec![RowsOutcome::AskSql; readings.len()])
    }

    /// Counts the rows and keys of a pair of columns by reading the storage itself. Only the child's rows with these values
    /// count. `None` means that only a query can answer.
    fn stored_pair_counts(
        &mut self,
        _child: (&Table, &[usize]),
        _parent: (&Table, &[usize]),
        _condition: &[(usize, Value)],
    ) -> Result<Option<PairCounts>, EngineError> {
        Ok(None)
    }

    /// Looks up rows of tables by reading the storage itself. Returns one answer for each question; `None` if only a query
    /// can answer it.
    fn look_up_rows(&mut self, questions: &[RowsQuestion<'_>]) -> Vec<Option<RowsAnswer>> {
        vec![None; questions.len()]
    }

    /// Judges inclusions by reading the storage itself, if that provably gives the same verdict as the engine.
    fn read_storage(&mut self, _: &Tables, inclusions: &[Inclusion], _: &StorageReadOptions<'_>) -> Vec<StorageAnswer> {
        vec![StorageAnswer::AskSql { why: None }; inclusions.len()]
    }

    /// Returns the names under which reports show rows of a table, which are given by their addresses; `None` if reports show
    /// the addresses themselves.
    fn row_names(&mut self, _: &Table, _rows: &[i64]) -> Result<Option<Vec<ShownName>>, EngineError> {
        Ok(None)
    }
}

/// The name of a row in reports: `[("file", 'orders/part-3.parquet'), ("row", 17)]`.
pub type ShownName = Vec<(String, Value)>;

/// Columns of a table that are read in all rows.
#[derive(Debug, Clone)]
pub struct RowsReading<'a> {
    pub table: &'a Table,
    pub cells: Vec<Cell<'a>>,
}

/// The outcome of reading the rows of a table from the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsOutcome {
    Read,
    /// The storage cannot answer. The readers may have got some of the rows.
    AskSql,
    /// Neither the storage nor SQL can answer.
    Failed(EngineError),
}

/// Makes the readers of rows.
pub trait RowConsumer: Sync {
    /// Returns a reader for some rows of a reading, which is given by its position.
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_>;
}

/// Receives rows on one thread.
pub trait RowReader {
    fn row(&mut self, values: &[ValueRef<'_>]);

    /// True if the reader needs no more rows.
    fn is_done(&self) -> bool {
        false
    }

    /// Ends the reader, after its last row.
    fn finish(self: Box<Self>);
}

/// A question about the rows of a table, whose addresses a column stores.
#[derive(Debug, Clone)]
pub struct RowsQuestion<'a> {
    pub table: &'a Table,
    /// The column with the address of each row.
    pub column: usize,
    /// The addresses to look up.
    pub wanted: Vec<i64>,
    /// The number of addresses to return from the beginning of the table.
    pub first: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsAnswer {
    /// One flag for each wanted address: true if there is such a row.
    pub is_present: Vec<bool>,
    /// The first addresses, in ascending order.
    pub first: Vec<i64>,
    /// The last address, if the first ones were asked for.
    pub last: Option<i64>,
}

/// A query if every complete key of one table is among the keys of another. Tables, columns and the index for lookups
/// are given by their positions in the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Inclusion {
    pub child: TableId,
    pub child_columns: Vec<usize>,
    pub parent: TableId,
    pub parent_columns: Vec<usize>,
    pub key: Option<usize>,
    /// The query for the addresses of the child's rows that are in scope; `None` if all are.
    pub rows_in_scope: Option<Sql>,
    /// The query for the addresses of parents that are soft-deleted.
    pub deleted_parents: Option<Sql>,
    /// Keys that refer to no parent.
    pub ignored: Vec<Key>,
}

/// The answer of the storage to one inclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageAnswer {
    Judged(StorageReading),
    /// The storage gives no certain answer. `why` is `None` if the engine never reads storage.
    AskSql {
        why: Option<String>,
    },
    /// Neither the storage nor SQL can judge the inclusion.
    Unjudged {
        why: String,
    },
    TimeLimit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageReading {
    pub method: Method,
    pub counts: Counts,
    /// Orphans that need no second opinion. They are no suspects.
    pub orphans: OrphanList,
    pub suspects: Suspects,
    /// True if the index for parent lookups contains exactly the parent's keys.
    pub index_is_proven: bool,
    /// The parent's keys that come more than once, if nothing else keeps them unique.
    pub repeated_keys: Option<Box<RepeatedKeys>>,
    /// A note for the report about the rows that were read: `child.r is absent in 1 of 3 files, and NULL in their rows`.
    pub note: Option<Box<str>>,
}

/// Rows whose parent was not found and that are not proven to be orphans. The engine must judge them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspects {
    /// The addresses of these rows, in ascending order.
    Rows(Vec<i64>),
    /// There are too many rows to list, or the rows have no address.
    Many,
}

/// The resource limits of reading the storage, and its progress callback.
pub struct StorageReadOptions<'a> {
    /// The memory for the keys of parents, in bytes.
    pub memory: u64,
    pub threads: usize,
    /// Called with the pages read and the pages to read.
    pub progress: Progress<'a>,
}

/// Damage of a table's storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Rows may be missing, duplicated or changed.
    Storage(String),
    /// The rows are intact, but an index does not match them.
    Index(String),
}

impl dyn Session + '_ {
    /// Returns the numbers of a one-row answer.
    pub fn numbers(&mut self, sql: &Sql) -> Result<Vec<u64>, EngineError> {
        let mut numbers = Vec::new();
        self.each_row(sql, &mut |row| {
            numbers = row.iter().map(|value| value.as_integer().map_or(0, |n| u64::try_from(n).unwrap_or(0))).collect();
        })?;
        Ok(numbers)
    }
}

/// A setting that makes a database read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnly {
    /// The setting and its source.
    pub why: String,
    /// True if a session can override the setting.
    pub can_be_overridden: bool,
}

/// The time limits of a run.
#[derive(Debug, Clone)]
pub struct WaitLimits {
    /// The longest wait for a lock of another program.
    pub lock_wait: Duration,
    pub deadline: Deadline,
}

/// The time at which a run must end. Sessions check it while they work.
#[derive(Debug, Clone, Default)]
pub struct Deadline {
    at: Option<Instant>,
    passed: Arc<AtomicBool>,
}

impl Deadline {
    pub fn after(limit: Option<Duration>) -> Deadline {
        Deadline { at: limit.and_then(|limit| Instant::now().checked_add(limit)), passed: Arc::default() }
    }

    /// Returns the remaining time; `None` if there is no limit.
    pub fn remaining(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub fn has_passed(&self) -> bool {
        let Some(at) = self.at else { return false };
        if !self.passed.load(Ordering::Relaxed) && Instant::now() >= at {
            self.passed.store(true, Ordering::Relaxed);
        }
        self.passed.load(Ordering::Relaxed)
    }
}

/// The message of an error continues the words "could not …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("read {what}")]
    Unreadable { what: String, why: String, help: String },
    /// `server` is the server with the database and the user: `127.0.0.1:5432 (PostgreSQL, database shop, user app)`.
    #[error("connect to {server}")]
    Unconnected { server: String, why: String, help: String },
    /// A trial of statements, which leaves the database as it is.
    #[error("try {what}")]
    Untried { what: String, why: String, help: String },
    #[error("write {what}")]
    Unwritable { what: String, why: String, help: String },
    #[error("finish within the time limit")]
    TimeLimit,
    #[error("get an answer from the database")]
    Failed { why: String },
}

impl EngineError {
    fn wrong_index(found: &str, asked: usize) -> EngineError {
        EngineError::Unreadable {
            what: "an answer of the database".to_owned(),
            why: format!("a row begins with {found} instead of an index below {asked}"),
            help: "nothing was changed: please report this defect of fk-doctor".to_owned(),
        }
    }

    fn cannot_write() -> EngineError {
        EngineError::Unwritable {
            what: "to this database".to_owned(),
            why: "fk-doctor cannot repair databases of its engine yet".to_owned(),
            help: "nothing was changed: fk-doctor scan reports what is wrong".to_owned(),
        }
    }

    pub fn because(&self) -> String {
        match self {
            EngineError::Unreadable { why, .. }
            | EngineError::Unconnected { why, .. }
            | EngineError::Untried { why, .. }
            | EngineError::Unwritable { why, .. }
            | EngineError::Failed { why } => why.clone(),
            EngineError::TimeLimit => "the time limit was reached".to_owned(),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            EngineError::Unreadable { help, .. }
            | EngineError::Unconnected { help, .. }
            | EngineError::Untried { help, .. }
            | EngineError::Unwritable { help, .. } => Some(help.clone()),
            EngineError::TimeLimit => Some("allow more time with --timeout".to_owned()),
            EngineError::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::DatabaseName;
    use crate::model::catalog::Engine;
    use crate::model::catalog::NameRule;
    use crate::model::ids::IdVec;
    use crate::model::schema::Omitted;
    use crate::model::schema::Schema;

    /// Answers every question with these rows.
    struct Canned(Vec<Vec<Value>>);

    impl Session for Canned {
        fn each_row(&mut self, _: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
            self.0.iter().for_each(|row| each(row));
            Ok(())
        }

        fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
            Ok(None)
        }
    }

    #[test]
    fn answer_with_wrong_index_is_an_error() {
        let name = String::new();
        let database = DatabaseName { engine: Engine::Sqlite, name: name.clone(), version: name, default_schema: None };
        let schema = Schema {
            database,
            names: NameRule::Exact,
            tables: IdVec::new(),
            relations: IdVec::new(),
            omitted: Omitted::default(),
        };
        let question = crate::sql::repair::of(&schema).unwrap().definitions();
        let ask = |rows: Vec<Vec<Value>>| {
            let mut found = Vec::new();
            let outcome = Canned(rows).numbered(&question, 2, &mut |index, rest| found.push((index, rest.to_vec())));
            (outcome.map_err(|error| error.because()), found)
        };
        let sound = vec![Value::Integer(1), Value::text("a")];
        assert_eq!(ask(vec![sound.clone()]), (Ok(()), vec![(1, vec![Value::text("a")])]));
        for wrong in
            [vec![Value::Integer(2)], vec![Value::Integer(-1)], vec![Value::Null], vec![Value::text("0")], vec![]]
        {
            let (outcome, found) = ask(vec![wrong.clone(), sound.clone()]);
            assert!(outcome.is_err(), "{wrong:?}");
            assert_eq!(found.len(), 1, "{wrong:?}");
        }
    }
}
