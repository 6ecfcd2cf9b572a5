//! The interface with which repairs are rehearsed, applied and undone.
//!
//! The stages of a repair decide which rows change, and compare the result with the plan. An engine only runs
//! statements.

use std::path::Path;

use super::Damage;
use super::EngineError;
use super::Inclusion;
use super::RowsAnswer;
use super::RowsQuestion;
use super::Session;
use super::StorageAnswer;
use super::StorageReadOptions;
use super::gentle_writer::GentleWriter;
use super::set_writer::SetWriter;
use crate::model::backup::BackupOrigin;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::Sql;

/// Private scratch tables with the definitions of the real tables, but without rows, triggers and foreign keys. They
/// show how a row would be stored, and if the table would accept it.
pub trait Rehearsal: Session {
    /// Creates a scratch table.
    fn create_table(&mut self, statement: &Sql) -> Result<TableCreation, EngineError>;

    /// Tries a statement that changes rows. A refusal contains no values of the row.
    fn attempt(&mut self, statement: &Sql) -> Result<Attempt, EngineError>;
}

/// The outcome of creating a scratch table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum TableCreation {
    Ready,
    /// The table cannot be created, for this reason.
    Impossible(String),
}

/// The outcome of a rehearsed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Attempt {
    Accepted,
    /// The engine refuses this statement. Others are not affected.
    Refused(Refusal),
}

/// The only connection that writes. If possible, it does not enforce foreign keys, so that the changes of a plan can be
/// made in any order. The result is checked before the commit.
pub trait Writer: Session {
    /// Takes an advisory lock with this name until the writer is dropped. If another session holds it, returns a
    /// description of that session.
    fn exclude(&mut self, _name: &str) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    /// Begins a transaction that excludes other writers until its end, with this lock statement if the engine needs
    /// one.
    fn begin(&mut self, lock: Option<&Sql>) -> Result<(), EngineError>;

    /// Runs a statement that changes rows. Returns at least the number of rows that the statement itself changed.
    fn change(&mut self, statement: &Sql) -> Result<u64, EngineError>;

    /// Returns a counter of the rows that this session has changed, triggers and cascades included. Only differences
    /// between two calls are meaningful.
    fn changed_so_far(&mut self) -> Result<u64, EngineError>;

    /// Returns the interface that changes rows in sets; `None` if the engine changes rows only one by one.
    fn sets(&mut self) -> Option<&mut dyn SetWriter> {
        None
    }

    /// Returns the interface for batches beside other sessions; `None` if a writer keeps all other sessions out.
    fn gentle(&mut self) -> Option<&mut dyn GentleWriter> {
        None
    }

    /// Runs a statement that creates or drops a definition, and changes no row.
    fn define(&mut self, statement: &Sql) -> Result<(), EngineError> {
        self.each_row(statement, &mut |_| {})
    }

    /// Replaces the text of a table's definition without touching its rows.
    fn redefine(&mut self, _: &Sql) -> Result<(), EngineError> {
        Err(EngineError::Failed { why: "only SQLite can replace the text of a definition".to_owned() })
    }

    /// Commits the transaction. After an error nothing is committed.
    fn commit(&mut self) -> Result<CommitOutcome, EngineError>;

    /// Rolls the transaction back. Does nothing if the engine has already ended it.
    fn rollback(&mut self);

    /// True if the transaction was rolled back because of a deadlock or a serialization failure, so that a retry may
    /// succeed.
    fn lost_conflict(&self) -> bool {
        false
    }

    /// Begins to look for damage of the database's storage, if the engine can do that beside the reads of this transaction. It ends
    /// with [`Writer::database_damage`], which must be called before the first change, or with a rollback.
    fn begin_examination(&mut self) {}

    /// Returns the damage of the database's storage, if there is any.
    fn database_damage(&mut self) -> Result<Option<String>, EngineError>;

    /// Returns the size of a backup.
    fn backup_bytes(&mut self) -> u64 {
        0
    }

    /// Makes a complete and verified backup of the database.
    fn back_up(&mut self, file: &Path) -> Result<BackupOrigin, EngineError>;
}

/// The outcome of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    Committed,
    /// The connection was lost before the answer arrived, for this reason. The next `begin` opens a new connection.
    Unknown(String),
}

/// The options of a writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// True if triggers are disabled.
    pub no_triggers: bool,
    /// True for `undo`, which restores orphans.
    pub undo: bool,
}

/// A borrowed session.
impl<S: Session + ?Sized> Session for &mut S {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        (**self).each_row(sql, each)
    }

    fn damage(&mut self, table: &Table) -> Result<Option<Damage>, EngineError> {
        (**self).damage(table)
    }

    fn each_first_row(
        &mut self,
        table: &Table,
        columns: &[usize],
        most: u64,
        visit: &mut dyn FnMut(&[Value]),
    ) -> Result<Option<Option<i64>>, EngineError> {
        (**self).each_first_row(table, columns, most, visit)
    }

    fn each_stored_value(
        &mut self,
        table: &Table,
        column: usize,
        threads: usize,
        visit: &(dyn Fn(ValueRef<'_>) + Sync),
    ) -> Result<bool, EngineError> {
        (**self).each_stored_value(table, column, threads, visit)
    }

    fn look_up_rows(&mut self, questions: &[RowsQuestion<'_>]) -> Vec<Option<RowsAnswer>> {
        (**self).look_up_rows(questions)
    }

    fn read_storage(
        &mut self,
        tables: &Tables,
        inclusions: &[Inclusion],
        options: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        (**self).read_storage(tables, inclusions, options)
    }
}
