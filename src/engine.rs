//! The interface of engines. The table of engines is in [`crate::engines`].
//!
//! An engine opens a database, reads its definitions and runs queries of the model. Other modules resolve names, find
//! orphans and rate defects, once for all engines.

use std::time::Duration;

use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::discovery::PairCounts;
use crate::model::statement::Statement;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::Sql;

mod catalog_row;
mod deadline;
mod engine_error;
pub mod files;
pub mod gentle_writer;
mod keyset;
pub(crate) mod mysql;
mod orphan_list;
pub(crate) mod postgres;
mod read_at;
mod row_reading;
pub mod set_writer;
#[cfg(feature = "spark")]
pub(crate) mod spark;
pub mod sqlite;
mod storage;
pub mod trial;
mod wire;
pub mod write;

pub use deadline::Deadline;
pub use deadline::WaitLimits;
pub use engine_error::EngineError;
pub use keyset::text_hash::TextHasher;
pub use orphan_list::OrphanGroup;
pub use orphan_list::OrphanList;
pub use orphan_list::OrphanStream;
pub use row_reading::RowConsumer;
pub use row_reading::RowReader;
pub use row_reading::RowsAnswer;
pub use row_reading::RowsOutcome;
pub use row_reading::RowsQuestion;
pub use row_reading::RowsReading;
pub use storage::Inclusion;
pub use storage::StorageAnswer;
pub use storage::StorageReadOptions;
pub use storage::StorageReading;
pub use storage::Suspects;
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
