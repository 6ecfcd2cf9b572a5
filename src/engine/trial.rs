//! A trial: a private copy of a database in which statements really run, and from which nothing returns.

use super::EngineError;
use super::Session;
use crate::model::catalog::Catalog;
use crate::model::refusal::Refusal;
use crate::model::sql::Sql;
use crate::model::statement::Statement;

/// Answers questions about the copy as it is now, like any session, and changes it.
pub trait Trial: Session {
    /// The definitions as they are now: statements may have changed them.
    fn catalog(&mut self) -> Result<Catalog, EngineError>;

    /// Runs our own preparations.
    fn arrange(&mut self, preparations: &[Sql]) -> Result<(), EngineError>;

    /// Runs one statement as the engine would: what is accepted stays, what is refused leaves no trace.
    fn perform(&mut self, statement: &Statement) -> Result<Performance, EngineError>;

    /// Runs one statement with its references judged by nobody, and calls `look` while its effects are there.
    /// Nothing of it stays.
    fn pretend(
        &mut self,
        statement: &Statement,
        leniency: Leniency,
        look: &mut dyn FnMut(&mut dyn Trial, &Performance) -> Result<(), EngineError>,
    ) -> Result<(), EngineError>;

    /// From now on rows are only put in: their references are judged by nobody, and nothing is ever committed.
    fn begin_load(&mut self) -> Result<(), EngineError>;

    /// Puts one row in; `Some` is the engine's reason for refusing it, and leaves no trace.
    fn put(&mut self, insert: &Sql) -> Result<Option<Refusal>, EngineError>;

    /// Whether a statement has begun a transaction that is still open.
    fn is_in_transaction(&self) -> bool;
}

/// How foreign keys are looked at while a statement is only pretended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leniency {
    /// They act on deletes and key changes, but refuse nothing.
    ActOnly,
    /// As if there were none.
    Ignore,
}

/// How a statement went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Performance {
    pub refusal: Option<Refusal>,
    /// Which tables it was going to write, and by which trigger (`None`: itself, or a foreign key's action).
    pub writes: Vec<Write>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub table: String,
    pub trigger: Option<String>,
}

/// What an engine says that has no trials.
pub fn unsupported() -> EngineError {
    EngineError::Unreadable {
        what: "a private copy of the database".to_owned(),
        why: "statements are only tried on SQLite so far".to_owned(),
        help: "find what is broken already: fk-doctor scan DB".to_owned(),
    }
}
