//! The trial in SQLite: a private copy or a clone of the database, or a transaction of the database itself that is never
//! committed.
//!
//! Every statement runs inside a savepoint, and an authorizer refuses access to anything outside the database.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;

use super::clone::TemporaryClone;
use super::failure;
use super::introspect;
use super::session;
use super::snapshot::Handles;
use super::space;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::engine::trial::ForeignKeyMode;
use crate::engine::trial::InsertOutcome;
use crate::engine::trial::StatementExecution;
use crate::engine::trial::TableWrite;
use crate::engine::trial::Trial;
use crate::engine::trial::TrialChoice;
use crate::engine::trial::TrialOptions;
use crate::engine::trial::unsupported;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::model::trial_method::TrialMethod;
use crate::model::value::Value;
use crate::sql::Sql;

mod confinement;
mod in_place;
mod private_copy;
mod transactions;

use confinement::Watch;
use confinement::held;
use in_place::InPlace;
use in_place::Opening;
use in_place::Step;

pub(super) struct SqliteTrial {
    // The connection comes first, because it must be closed before the rest.
    connection: Connection,
    name: PathBuf,
    limits: WaitLimits,
    watch: Arc<Mutex<Watch>>,
    origin: Origin,
}

/// The database to which the connection belongs.
enum Origin {
    Copy { bytes: u64, why: Option<String> },
    Clone { _file: TemporaryClone },
    InPlace(Box<InPlace>),
}

/// Opens a trial. `source` is inside a read transaction; it is `None` if the file is read without locks.
pub(super) fn open(
    source: Connection,
    path: &Path,
    handles: &Arc<Handles>,
    has_locks: bool,
    limits: &WaitLimits,
    options: &TrialOptions,
    progress: &dyn Fn(usize, usize),
) -> Result<SqliteTrial, EngineError> {
    let size = space::bytes(&source);
    let without_locks = || format!("{} cannot be written", path.display());
    if options.choice == TrialChoice::InPlace {
        let open = if options.is_saved {
            let why = "the rules need a copy of the database, to which they add the load".to_owned();
            Opening::NotWritable(why, source)
        } else if has_locks {
            in_place::begin_trial(source, path, handles, limits, options)?
        } else {
            Opening::NotWritable(without_locks(), source)
        };
        return match open {
            Opening::Open(trial) => Ok(*trial),
            Opening::NotWritable(why, _) => Err(EngineError::Untried {
                what: format!("{} in {}", options.subject, path.display()),
                why,
                help: format!("use a copy of the database: {}", options.copy_command),
            }),
        };
    }
    if size > space::IN_MEMORY
        && has_locks
        && let Some(file) = handles.file()
        && let Some(trial) = private_copy::cloned(file, path, limits)
    {
        return Ok(trial);
    }
    let is_cheap = size <= space::SMALL || options.is_saved;
    if options.choice == TrialChoice::Copy || is_cheap {
        return private_copy::copy(&source, path, None, limits, progress);
    }
    let open = if has_locks {
        in_place::begin_trial(source, path, handles, limits, options)?
    } else {
        Opening::NotWritable(without_locks(), source)
    };
    match open {
        Opening::Open(trial) => Ok(*trial),
        Opening::NotWritable(why, source) => private_copy::copy(&source, path, Some(why), limits, progress),
    }
}

impl SqliteTrial {
    fn in_place(&self) -> Option<&InPlace> {
        match &self.origin {
            Origin::InPlace(in_place) => Some(in_place),
            Origin::Copy { .. } | Origin::Clone { .. } => None,
        }
    }

    /// Runs one statement of the user to its end, and records its effects.
    fn run(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        let (result, watch) = self.watched(|connection| step_through(connection, statement));
        let refusal = match result {
            Ok(None) => None,
            Ok(Some(refusal)) => Some(refusal),
            Err(error) => {
                self.refuse_exhaustion(&error)?;
                Some(match watch.denied {
                    Some(why) => Refusal::new(RefusalKind::Forbidden, why),
                    None => failure::refusal(&error),
                })
            }
        };
        Ok(StatementExecution { refusal, writes: watch.writes })
    }

    /// Lets the authorizer observe the user's statement.
    fn watched<T>(&self, run: impl FnOnce(&Connection) -> T) -> (T, Watch) {
        let is_inside_transaction = self.in_place().is_some();
        *held(&self.watch) = Watch { is_on: true, is_inside_transaction, ..Watch::default() };
        let result = run(&self.connection);
        (result, std::mem::take(&mut *held(&self.watch)))
    }

    /// Returns an error if a statement failed because time or memory is used up, and not because of itself.
    fn refuse_exhaustion(&self, error: &rusqlite::Error) -> Result<(), EngineError> {
        match self.in_place() {
            Some(in_place) if failure::is_full(error) => Err(in_place.too_large(&self.name)),
            _ if !failure::is_interrupted(error) => Ok(()),
            Some(in_place) => in_place.refuse_if_too_large(&self.name).and(Err(EngineError::TimeLimit)),
            None => Err(EngineError::TimeLimit),
        }
    }

    fn batch(&self, text: &str) -> Result<(), EngineError> {
        self.connection.execute_batch(text).map_err(|error| failure::failed(&error))
    }

    /// Rolls the statement back, unless a trigger's ROLLBACK has already ended the transaction.
    fn roll_back_statement(&self) -> Result<(), EngineError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.batch("ROLLBACK TO fk_doctor_try; RELEASE fk_doctor_try")
    }

    /// Keeps the changes of a statement. Returns the refusal of a statement that is its own transaction, at whose end
    /// deferred foreign keys are checked.
    fn keep_statement(&mut self, statement: &Statement) -> Result<Option<Refusal>, EngineError> {
        if self.in_place().is_none() {
            let released = self.connection.execute_batch("RELEASE fk_doctor_try");
            return Ok(released.err().map(|error| failure::refusal(&error)));
        }
        if !self.is_in_transaction()
            && let Some(refusal) = self.deferred_refusal()?
        {
            return Ok(Some(refusal));
        }
        self.batch("RELEASE fk_doctor_try")?;
        self.note_step(|| Step::Executed(statement.clone()));
        Ok(None)
    }

    fn note_step(&mut self, step: impl FnOnce() -> Step) {
        if let Origin::InPlace(in_place) = &mut self.origin {
            in_place.steps.push(step());
        }
    }

    /// True if a statement has ended the transaction that the whole trial is.
    fn is_lost(&self) -> bool {
        self.in_place().is_some() && self.connection.is_autocommit()
    }

    fn enforce(&self, on: bool) -> Result<(), EngineError> {
        let set = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, on);
        set.map(|_| ()).map_err(|error| failure::failed(&error))
    }

    fn is_deferring(&self) -> Result<bool, EngineError> {
        let answer = self.connection.query_row("PRAGMA defer_foreign_keys", [], |row| row.get(0));
        answer.map_err(|error| failure::failed(&error))
    }
}

impl Drop for SqliteTrial {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // SQLite itself rolls back a transaction that stays open.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Returns a refusal if the statement must not be started.
fn step_through(connection: &Connection, statement: &Statement) -> rusqlite::Result<Option<Refusal>> {
    let mut prepared = connection.prepare(&statement.text)?;
    let wanted = prepared.parameter_count();
    if wanted > statement.parameters.len() {
        let message = format!("it has {wanted} placeholders, but {} values were given", statement.parameters.len());
        return Ok(Some(Refusal::new(RefusalKind::Parameters, message)));
    }
    for (position, value) in statement.parameters.iter().take(wanted).enumerate() {
        prepared.raw_bind_parameter(position + 1, session::to_sqlite(value))?;
    }
    let mut rows = prepared.raw_query();
    while rows.next()?.is_some() {}
    Ok(None)
}

impl Session for SqliteTrial {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        if self.limits.deadline.has_passed() {
            return Err(EngineError::TimeLimit);
        }
        session::run(&self.connection, sql, each).map_err(|error| match self.refuse_exhaustion(&error) {
            Err(exhausted) => exhausted,
            Ok(()) => failure::failed(&error),
        })
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Trial for SqliteTrial {
    fn method(&self) -> TrialMethod {
        match &self.origin {
            Origin::Copy { bytes, why } => TrialMethod::Copy { bytes: *bytes, why: why.clone() },
            Origin::Clone { .. } => TrialMethod::Clone,
            Origin::InPlace(in_place) => TrialMethod::InPlace { locked: in_place.locked() },
        }
    }

    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        introspect::catalog(&self.connection, &self.name).map_err(|error| failure::unreadable(&self.name, &error))
    }

    fn triggers_of(&mut self, table: &Table) -> Result<Vec<String>, EngineError> {
        let failed = |error: rusqlite::Error| failure::failed(&error);
        let question = "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE";
        let mut statement = self.connection.prepare(question).map_err(failed)?;
        let names = statement.query_map([&table.name.table], |row| row.get(0)).map_err(failed)?;
        names.collect::<Result<_, _>>().map_err(failed)
    }

    fn prepare(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.forget_deferral()?;
        preparations.iter().try_for_each(|sql| self.each_row(sql, &mut |_| {}))?;
        self.note_step(|| Step::Prepared(preparations.to_vec()));
        Ok(())
    }

    fn execute(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        match (statement.kind, &mut self.origin) {
            (StatementKind::Transaction, Origin::InPlace(_)) => return self.run_control(statement),
            (StatementKind::Enforcement, Origin::InPlace(in_place)) => {
                in_place.has_set_deferral = true;
                return self.run(statement);
            }
            (StatementKind::Transaction | StatementKind::Enforcement, _) => return self.run(statement),
            _ => {}
        }
        self.batch("SAVEPOINT fk_doctor_try")?;
        let mut execution = self.run(statement)?;
        if self.is_lost() {
            self.restore()?;
            return Ok(execution);
        }
        if execution.refusal.is_none() {
            execution.refusal = self.keep_statement(statement)?;
        }
        if execution.refusal.is_some() {
            self.roll_back_statement()?;
        }
        self.forget_deferral()?;
        Ok(execution)
    }

    fn writes_of(&mut self, statement: &Statement) -> Result<Vec<TableWrite>, EngineError> {
        // A statement that SQLite cannot compile is refused when it runs.
        let (_, watch) = self.watched(|connection| connection.prepare(&statement.text).map(|_| ()));
        Ok(watch.writes)
    }

    fn simulate(
        &mut self,
        statement: &Statement,
        mode: ForeignKeyMode,
        observe: &mut dyn FnMut(&mut dyn Trial, &StatementExecution) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let is_deferring = self.is_deferring()?;
        let steps = self.in_place().map_or(0, |in_place| in_place.steps.len());
        self.batch("SAVEPOINT fk_doctor_try")?;
        match mode {
            ForeignKeyMode::Ignore => self.enforce(false)?,
            ForeignKeyMode::ActOnly => self.batch("PRAGMA defer_foreign_keys = ON")?,
        }
        let execution = self.run(statement);
        let is_lost = execution.is_ok() && self.is_lost();
        if is_lost {
            self.enforce(true)?;
            self.restore()?;
        }
        let observed = execution.and_then(|execution| observe(self, &execution));
        // OFF forgets the violations that earlier statements deferred; the rollback to the savepoint restores them.
        let reset = if is_deferring { Ok(()) } else { self.batch("PRAGMA defer_foreign_keys = OFF") };
        let rolled_back = if is_lost { Ok(()) } else { self.roll_back_statement() };
        self.enforce(true)?;
        if let (false, Origin::InPlace(in_place)) = (is_lost, &mut self.origin) {
            // The preparations of the observation were rolled back too.
            in_place.steps.truncate(steps);
        }
        observed.and(reset).and(rolled_back)
    }

    fn begin_load(&mut self) -> Result<(), EngineError> {
        self.enforce(false)?;
        if self.in_place().is_some() { self.begin_transaction(true) } else { self.batch("BEGIN") }
    }

    /// SQLite itself detects every collision.
    fn insert_rows(&mut self, insert: &[Sql], _: Option<&Sql>) -> Result<InsertOutcome, EngineError> {
        match insert.iter().try_for_each(|sql| session::run(&self.connection, sql, &mut |_| {})) {
            Ok(()) => Ok(InsertOutcome::Taken),
            Err(error) => {
                self.refuse_exhaustion(&error)?;
                Ok(InsertOutcome::Refused(failure::refusal(&error)))
            }
        }
    }

    fn save(&mut self, file: &Path) -> Result<(), EngineError> {
        if self.in_place().is_some() {
            return Err(unsupported());
        }
        self.batch("COMMIT")?;
        let saved = Connection::open(file).and_then(|mut copy| {
            Backup::new(&self.connection, &mut copy)?.run_to_completion(
                private_copy::STRIDE,
                std::time::Duration::ZERO,
                None,
            )
        });
        saved.map_err(|error| failure::failed(&error))?;
        self.batch("BEGIN")
    }

    fn holds_load(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn is_in_transaction(&self) -> bool {
        match self.in_place() {
            Some(in_place) => in_place.transaction.is_some() && !self.connection.is_autocommit(),
            None => !self.connection.is_autocommit(),
        }
    }
}
