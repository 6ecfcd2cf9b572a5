//! What an engine must be able to do. The table of engines is in [`crate::engines`].
//!
//! An engine opens a database, reads its definitions and answers SQL that the model wrote. It decides nothing: which
//! names belong together, which rows are orphans and what is grave is settled elsewhere, once for all engines.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::ids::TableId;
use crate::model::statement::Statement;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::Sql;

mod catalog_row;
pub(crate) mod mysql;
pub(crate) mod postgres;
pub mod sqlite;
pub mod trial;
mod wire;
pub mod write;

pub use trial::Trial;

/// An opened database.
pub trait Database {
    fn catalog(&mut self) -> Result<Catalog, EngineError>;

    /// One session, as soon as there can be one. Of its database's sessions it is the only one.
    fn session(&mut self) -> Result<Box<dyn Session>, EngineError>;

    /// Whether all of it is read before a second session would be there; where that is not known, it is not.
    fn is_small(&mut self) -> bool {
        false
    }

    /// Up to `wanted` sessions that all see the database at one and the same moment, and cannot write to it.
    /// Fewer where more cannot be had; never none.
    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError>;

    /// What tells this database from every other one.
    fn identity(&mut self) -> Result<String, EngineError> {
        Err(EngineError::cannot_write())
    }

    fn rehearsal(&mut self) -> Result<Box<dyn write::Rehearsal>, EngineError> {
        Err(EngineError::cannot_write())
    }

    fn writer(&mut self, _: write::WriteOptions) -> Result<Box<dyn write::Writer>, EngineError> {
        Err(EngineError::cannot_write())
    }

    /// Says whether the database is declared read-only, for this role or for all.
    fn read_only(&mut self) -> Result<Option<ReadOnly>, EngineError> {
        Ok(None)
    }

    /// Whether what was read may have changed underneath: the report is then incomplete, and this says why.
    fn change_while_reading(&self) -> Option<String>;

    /// Why there is one session at most, whatever others do meanwhile; `None` where that is not so.
    fn single_session_reason(&mut self) -> Option<EngineError> {
        None
    }

    /// The definitions that these statements would make in an empty database.
    fn planned_catalog(&mut self, _: &[Statement]) -> Result<Catalog, EngineError> {
        Err(EngineError::Unreadable {
            what: "the planned schema".to_owned(),
            why: "nothing can be made on a server without making it there".to_owned(),
            help: "write the planned foreign keys as [[relation]] in fk-doctor.toml, and scan".to_owned(),
        })
    }

    /// A private copy of the database to try statements on; `progress` is told the pages copied, and of how many.
    fn trial(&mut self, _: &dyn Fn(usize, usize)) -> Result<Box<dyn Trial>, EngineError> {
        Err(trial::unsupported())
    }
}

/// One read-only connection inside its snapshot.
pub trait Session: Send {
    /// Calls `each` with every row of the answer.
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError>;

    /// Calls `each` with every row of an answer whose first column is a position among the `asked` things that the question
    /// names: with the position, and with the other columns. A row with another position is an error.
    fn numbered(&mut self, sql: &Sql, asked: usize, each: &mut dyn FnMut(usize, &[Value])) -> Result<(), EngineError> {
        let mut wrong = None;
        self.each_row(sql, &mut |row| {
            let [first, rest @ ..] = row else {
                wrong.get_or_insert(EngineError::wrong_position("nothing", asked));
                return;
            };
            match first.as_integer().and_then(|number| usize::try_from(number).ok()).filter(|&index| index < asked) {
                Some(index) => each(index, rest),
                None => {
                    wrong.get_or_insert(EngineError::wrong_position(&crate::model::text::value(first), asked));
                }
            }
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// What is wrong with a table's storage, if anything is.
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

    /// Answers by reading the storage itself, wherever that is proven to give the engine's own verdict.
    fn read_storage(&mut self, _: &Tables, inclusions: &[Inclusion], _: &StorageReadOptions<'_>) -> Vec<StorageAnswer> {
        vec![StorageAnswer::AskSql { why: None }; inclusions.len()]
    }
}

/// The question whether every complete key of one table is among the keys of another. Tables, columns and the index
/// that the engine looks keys up in are given by their positions in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    pub child: TableId,
    pub child_columns: Vec<usize>,
    pub parent: TableId,
    pub parent_columns: Vec<usize>,
    pub key: Option<usize>,
}

/// What the storage itself says of one inclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageAnswer {
    Judged(StorageReading),
    /// It says nothing certain; `None` where an engine's storage is never read.
    AskSql {
        why: Option<String>,
    },
    TimeLimit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageReading {
    pub method: Method,
    pub counts: Counts,
    pub suspects: Suspects,
    /// The index in which the engine looks the parent up holds exactly the parent's keys.
    pub index_is_proven: bool,
}

/// Rows whose parent was not found; the engine judges them. All others are certainly no orphans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspects {
    /// The addresses of these rows, in ascending order.
    Rows(Vec<i64>),
    /// There are some; too many to be listed, or rows without an address.
    Many,
}

/// How much reading the storage may use, and whom to tell how far it is.
pub struct StorageReadOptions<'a> {
    /// Bytes for the keys of parents.
    pub memory: u64,
    pub threads: usize,
    /// Called with the pages read and the pages to read.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What is wrong with a table as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Rows may be missing, doubled or changed.
    Storage(String),
    /// The rows are sound, but an index does not hold exactly them.
    Index(String),
}

impl dyn Session + '_ {
    /// The numbers of an answer that is one row.
    pub fn numbers(&mut self, sql: &Sql) -> Result<Vec<u64>, EngineError> {
        let mut numbers = Vec::new();
        self.each_row(sql, &mut |row| {
            numbers = row.iter().map(|value| value.as_integer().map_or(0, |n| u64::try_from(n).unwrap_or(0))).collect();
        })?;
        Ok(numbers)
    }
}

/// A declaration that a database is not to be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnly {
    /// The setting and where it comes from.
    pub why: String,
    /// The engine would write all the same, if it is told to.
    pub can_be_overridden: bool,
}

/// How patient an engine is, and how much it may use.
#[derive(Debug, Clone)]
pub struct WaitLimits {
    /// How long to wait for another program's lock.
    pub lock_wait: Duration,
    pub deadline: Deadline,
}

/// When a scan must have ended; sessions look at it while they work.
#[derive(Debug, Clone, Default)]
pub struct Deadline {
    at: Option<Instant>,
    passed: Arc<AtomicBool>,
}

impl Deadline {
    pub fn after(limit: Option<Duration>) -> Deadline {
        Deadline { at: limit.and_then(|limit| Instant::now().checked_add(limit)), passed: Arc::default() }
    }

    /// How much time is left; `None` where there is no end.
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

/// Reads after "could not …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("read {what}")]
    Unreadable { what: String, why: String, help: String },
    #[error("write {what}")]
    Unwritable { what: String, why: String, help: String },
    #[error("finish within the time limit")]
    TimeLimit,
    #[error("get an answer from the database")]
    Failed { why: String },
}

impl EngineError {
    fn wrong_position(found: &str, asked: usize) -> EngineError {
        EngineError::Unreadable {
            what: "an answer of the database".to_owned(),
            why: format!(
                "a row of it begins with {found}, and not with a position among the {asked} that were asked about"
            ),
            help: "this is a fault of fk-doctor, and nothing was changed: please report it".to_owned(),
        }
    }

    fn cannot_write() -> EngineError {
        EngineError::Unwritable {
            what: "to this database".to_owned(),
            why: "repairs are not built for its engine yet".to_owned(),
            help: "nothing was changed: `fk-doctor scan` says what is wrong".to_owned(),
        }
    }

    pub fn because(&self) -> String {
        match self {
            EngineError::Unreadable { why, .. } | EngineError::Unwritable { why, .. } | EngineError::Failed { why } => {
                why.clone()
            }
            EngineError::TimeLimit => "the time limit was reached".to_owned(),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            EngineError::Unreadable { help, .. } | EngineError::Unwritable { help, .. } => Some(help.clone()),
            EngineError::TimeLimit => Some("give it more time with --timeout".to_owned()),
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
    fn an_answer_with_a_wrong_position_is_an_error() {
        let name = String::new();
        let database = DatabaseName { engine: Engine::Sqlite, name: name.clone(), version: name, default_schema: None };
        let schema = Schema { database, names: NameRule::Exact, tables: IdVec::new(), relations: IdVec::new() };
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
