//! A trial: a place in which statements really run, and from which nothing returns. Of a file it is a private copy; on a
//! server it is a transaction of the database itself, which is always rolled back.

use std::path::Path;

use super::EngineError;
use super::Session;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::refusal::Refusal;
use crate::model::statement::Statement;
use crate::sql::Sql;

/// Answers questions about the copy as it is now, like any session, and changes it.
pub trait Trial: Session {
    /// The definitions as they are now: statements may have changed them.
    fn catalog(&mut self) -> Result<Catalog, EngineError>;

    /// Runs our own preparations.
    fn prepare(&mut self, preparations: &[Sql]) -> Result<(), EngineError>;

    /// Runs one statement as the engine would: what is accepted stays, what is refused leaves no trace.
    fn execute(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError>;

    /// Runs one statement with its references judged by nobody, and calls `look` while its effects are there.
    /// Nothing of it stays. Only a copy can do that.
    fn simulate(
        &mut self,
        _: &Statement,
        _: ForeignKeyMode,
        _: &mut dyn FnMut(&mut dyn Trial, &StatementExecution) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        Err(unsupported())
    }

    /// Runs preparations that hold pieces of a typed statement: names mean what they mean to its author.
    fn prepare_as_user(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.prepare(preparations)
    }

    /// The table that a typed name means, as text and in its parts.
    fn table_named(&mut self, _: &str, parts: &[&str]) -> Result<Option<TableName>, EngineError> {
        let table = parts.last().map(|table| (*table).to_owned());
        Ok(table.map(|table| TableName { schema: None, table }))
    }

    /// Triggers and rules that the database's owners put on a table.
    fn triggers_of(&mut self, _: &Table) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// Other databases that a statement can write to in passing, and that are not read here.
    fn other_databases(&mut self) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// What no rollback takes back: everything that counts up, and where it stands.
    fn counters(&mut self) -> Result<Vec<(String, i64)>, EngineError> {
        Ok(Vec::new())
    }

    /// What was written so far, where the engine counts that.
    fn written(&mut self) -> Result<Option<Vec<WriteCounts>>, EngineError> {
        Ok(None)
    }

    /// From now on rows are only put in: their references are judged by nobody, and nothing is ever committed.
    fn begin_load(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Puts rows in, all or none of them; what `collisions` answers is one reason against them.
    fn insert_rows(&mut self, insert: &[Sql], collisions: Option<&Sql>) -> Result<InsertOutcome, EngineError>;

    /// Writes all of it to a file, as a database of its own; what was put in is then part of the trial for good.
    fn save(&mut self, _: &Path) -> Result<(), EngineError> {
        Err(unsupported())
    }

    /// Whether what was put in is still there: a trigger may take all of it back.
    fn holds_load(&self) -> bool {
        true
    }

    /// Whether a statement has begun a transaction that is still open.
    fn is_in_transaction(&self) -> bool;
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteCounts {
    pub table: TableName,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

/// How putting rows in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsertOutcome {
    Taken,
    /// The engine refuses a row.
    Refused(Refusal),
    /// The real table has the key of a row already; the number is that of a unique index.
    Collides(usize),
}

/// How foreign keys are looked at while a statement is only pretended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKeyMode {
    /// They act on deletes and key changes, but refuse nothing.
    ActOnly,
    /// As if there were none.
    Ignore,
}

/// How a statement went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementExecution {
    pub refusal: Option<Refusal>,
    /// Which tables it was going to write, and by which trigger (`None`: itself, or a foreign key's action).
    pub writes: Vec<TableWrite>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableWrite {
    pub table: String,
    pub trigger: Option<String>,
}

/// What an engine says that has no trials.
pub fn unsupported() -> EngineError {
    EngineError::Unreadable {
        what: "a private copy of the database".to_owned(),
        why: "statements are not tried on this engine".to_owned(),
        help: "find what is broken already: fk-doctor scan DB".to_owned(),
    }
}
