//! What an engine must be able to do so that a repair can be rehearsed, applied and taken back.
//!
//! Like the rest of an engine it decides nothing: which rows change, and whether what came of it is what was planned,
//! is settled by the stages.

use std::path::Path;

use super::Damage;
use super::EngineError;
use super::Session;
use crate::model::catalog::Table;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::Sql;

/// A private room with the same tables, none of their rows, and no triggers or foreign keys: what a row would be once it is
/// stored, and whether the table would take it, is tried here.
pub trait Rehearsal: Session {
    /// Makes a table of the room.
    fn create_table(&mut self, statement: &Sql) -> Result<TableCreation, EngineError>;

    /// Tries a change of rows. The inner error says why the engine refuses the row, in words without the row's values.
    fn attempt(&mut self, statement: &Sql) -> Result<Attempt, EngineError>;
}

/// What came of making a table for a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum TableCreation {
    Ready,
    /// There can be no such table; this is why.
    Impossible(String),
}

/// What came of a statement that was rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Attempt {
    Accepted,
    /// The engine refuses this statement alone.
    Refused(Refusal),
}

/// The one connection that may write. Where it can do without, foreign keys are not enforced by it, so that what is planned
/// can be written in any order; what comes of it is checked before it is committed.
pub trait Writer: Session {
    /// Keeps out every other writer that asks for the same name, for as long as this one lives. The answer says who has the
    /// name already, if anybody has.
    fn exclude(&mut self, _name: &str) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    /// Keeps every other writer out until the end of the transaction: by this lock, where one is needed for that.
    fn begin(&mut self, lock: Option<&Sql>) -> Result<(), EngineError>;

    /// Runs one change. The answer is how many rows the statement changed by itself, at least.
    fn change(&mut self, statement: &Sql) -> Result<u64, EngineError>;

    /// How many rows this session has changed so far, through triggers and cascades too: only differences mean something.
    fn changed_so_far(&mut self) -> Result<u64, EngineError>;

    /// Runs a statement that makes or drops a definition, and changes no row.
    fn define(&mut self, statement: &Sql) -> Result<(), EngineError> {
        self.each_row(statement, &mut |_| {})
    }

    /// Puts another text in the place of a table's definition; the rows stay where they are.
    fn redefine(&mut self, _: &Sql) -> Result<(), EngineError> {
        Err(EngineError::Failed { why: "the texts of definitions are SQLite's alone to replace".to_owned() })
    }

    /// An error means that nothing was committed.
    fn commit(&mut self) -> Result<CommitOutcome, EngineError>;

    /// Also ends a transaction that the engine has already ended by itself.
    fn rollback(&mut self);

    /// Whether the transaction failed only because of what others did meanwhile: nothing of it is left, and it may succeed the
    /// next time.
    fn lost_conflict(&self) -> bool {
        false
    }

    /// What is wrong with the storage of the database as a whole, if anything is.
    fn database_damage(&mut self) -> Result<Option<String>, EngineError>;

    /// A whole copy of the database as it is now, checked to be one.
    fn back_up(&mut self, file: &Path) -> Result<(), EngineError>;
}

/// What is known of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    Committed,
    /// The connection was lost before the answer came; this is why. A new one is made where the writer begins again.
    Unknown(String),
}

/// How a writer goes about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Triggers stay silent.
    pub no_triggers: bool,
    /// Rows become orphans again.
    pub takes_back: bool,
}

/// A session that its owner lends.
impl<S: Session + ?Sized> Session for &mut S {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        (**self).each_row(sql, each)
    }

    fn damage(&mut self, table: &Table) -> Result<Option<Damage>, EngineError> {
        (**self).damage(table)
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
}
