//! A trial runs statements without a lasting effect. For a file it is a private copy, or, if the file is large, a
//! transaction of the database itself, which is always rolled back. On a server it is always such a transaction.

use std::path::Path;

use super::EngineError;
use super::Session;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::refusal::Refusal;
use crate::model::statement::Statement;
use crate::model::trial_method::TrialMethod;
use crate::sql::Sql;

/// The memory that a trial inside the database may take, in bytes.
pub const TRIAL_MEMORY: u64 = 512_000_000;

/// The wishes for a trial.
#[derive(Debug, Clone)]
pub struct TrialOptions {
    pub choice: TrialChoice,
    /// True if the trial will be saved as a database of its own, which only a copy can be.
    pub is_saved: bool,
    /// The memory that the changes may take if they are made in the database itself, in bytes.
    pub memory: u64,
    /// The subject of an error that continues "could not try": `the statements`.
    pub subject: String,
    /// The command that tries the same in a copy.
    pub copy_command: String,
}

/// The database in which statements of a file are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrialChoice {
    /// A clone or a copy if that is cheap, else the database itself.
    #[default]
    Cheapest,
    /// A clone or a copy.
    Copy,
    /// The database itself.
    InPlace,
}

impl Default for TrialOptions {
    fn default() -> TrialOptions {
        TrialOptions {
            choice: TrialChoice::default(),
            is_saved: false,
            memory: TRIAL_MEMORY,
            subject: "the statements".to_owned(),
            copy_command: "repeat the command with --copy".to_owned(),
        }
    }
}

/// A session that sees the present state of the trial, and changes it.
pub trait Trial: Session {
    /// Returns the way in which statements are tried.
    fn method(&self) -> TrialMethod;

    /// Returns the present definitions, which statements may have changed.
    fn catalog(&mut self) -> Result<Catalog, EngineError>;

    /// Runs preparatory statements of fk-doctor.
    fn prepare(&mut self, preparations: &[Sql]) -> Result<(), EngineError>;

    /// Runs one statement like an application. The effects of an accepted statement stay; a refused one has none.
    fn execute(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError>;

    /// Returns the writes of a statement as it is compiled, triggers and foreign-key actions included, without running it. Only
    /// the trial of a file supports this.
    fn writes_of(&mut self, _: &Statement) -> Result<Vec<TableWrite>, EngineError> {
        Err(unsupported())
    }

    /// Runs one statement while foreign keys refuse nothing, calls the closure, and rolls the statement back. Only the
    /// trial of a file supports this.
    fn simulate(
        &mut self,
        _: &Statement,
        _: ForeignKeyMode,
        _: &mut dyn FnMut(&mut dyn Trial, &StatementExecution) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        Err(unsupported())
    }

    /// Runs preparatory statements that contain parts of the user's statement, with the user's settings for names.
    fn prepare_as_user(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.prepare(preparations)
    }

    /// Returns the table that a name of the user's statement refers to. The name is given as text and in its parts.
    fn table_named(&mut self, _: &str, parts: &[&str]) -> Result<Option<TableName>, EngineError> {
        let table = parts.last().map(|table| (*table).to_owned());
        Ok(table.map(|table| TableName { schema: None, table }))
    }

    /// Returns the user-defined triggers and rules of a table.
    fn triggers_of(&mut self, _: &Table) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// Returns the other databases of the server, which a statement could also write to.
    fn other_databases(&mut self) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// Returns the counters that a rollback does not reset, with their values: `("orders_id_seq", 17)`.
    fn counters(&mut self) -> Result<Vec<(String, i64)>, EngineError> {
        Ok(Vec::new())
    }

    /// Returns the numbers of rows written so far, if the engine counts them.
    fn write_counts(&mut self) -> Result<Option<Vec<WriteCounts>>, EngineError> {
        Ok(None)
    }

    /// Begins to load rows. Foreign keys are not enforced meanwhile, and nothing is committed.
    fn begin_load(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Inserts rows, all or none of them. They are also refused if the query `collisions` returns a row.
    fn insert_rows(&mut self, insert: &[Sql], collisions: Option<&Sql>) -> Result<InsertOutcome, EngineError>;

    /// Writes the trial to a file, as a separate database. Loaded rows become a permanent part of the trial.
    fn save(&mut self, _: &Path) -> Result<(), EngineError> {
        Err(unsupported())
    }

    /// True if the loaded rows are still present. A trigger may have rolled them back.
    fn holds_load(&self) -> bool {
        true
    }

    /// True if a statement has begun a transaction that is still open.
    fn is_in_transaction(&self) -> bool;
}

/// The numbers of rows written to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteCounts {
    pub table: TableName,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

/// The outcome of inserting rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsertOutcome {
    Taken,
    /// The engine refuses a row.
    Refused(Refusal),
    /// The real table already has the key of a row in the unique index with this number.
    Collides(usize),
}

/// How foreign keys work while a statement is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKeyMode {
    /// They run their actions on deletes and key changes, but refuse nothing.
    ActOnly,
    /// They have no effect.
    Ignore,
}

/// The outcome of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementExecution {
    pub refusal: Option<Refusal>,
    /// The tables that it was about to write.
    pub writes: Vec<TableWrite>,
}

/// A write to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableWrite {
    pub table: String,
    /// The trigger that writes; `None` if the statement or a foreign-key action writes.
    pub trigger: Option<String>,
}

/// Returns the error of an engine that has no trials.
pub fn unsupported() -> EngineError {
    EngineError::Unreadable {
        what: "a private copy of the database".to_owned(),
        why: "fk-doctor cannot try statements on this engine".to_owned(),
        help: "fk-doctor scan finds the rows that are already broken".to_owned(),
    }
}
