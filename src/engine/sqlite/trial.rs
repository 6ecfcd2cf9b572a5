//! The trial in SQLite: a copy of the database, in memory while it is small, else in an unnamed file. Its connection
//! can write only to the copy.
//!
//! SQLite's online backup makes the copy inside a read transaction, so the file itself is only read. Every statement
//! runs inside a savepoint, and an authorizer refuses access to anything outside the copy.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::hooks::AuthAction;
use rusqlite::hooks::AuthContext;
use rusqlite::hooks::Authorization;
use rusqlite::limits::Limit;

use super::failure;
use super::introspect;
use super::session;
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
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::model::value::Value;
use crate::sql::Sql;

/// The number of pages copied between two reports of progress.
const STRIDE: i32 = 4096;

/// Read-only pragmas, which a view or a trigger may use as functions.
const READ_ONLY_PRAGMAS: [&str; 8] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
];

pub(super) struct SqliteTrial {
    connection: Connection,
    name: std::path::PathBuf,
    limits: WaitLimits,
    watch: Arc<Mutex<Watch>>,
}

/// The authorizer's observations of the current statement.
#[derive(Default)]
struct Watch {
    /// False for the program's own statements, which are not recorded.
    is_on: bool,
    writes: Vec<TableWrite>,
    denied: Option<String>,
}

/// Copies the snapshot of `source`, which must be inside a transaction.
pub(super) fn copy(
    source: &Connection,
    path: &Path,
    limits: &WaitLimits,
    progress: &dyn Fn(usize, usize),
) -> Result<SqliteTrial, EngineError> {
    space::refuse_without_space(source, path)?;
    let no_space = |why: String| EngineError::Unreadable {
        what: format!("{} into a private copy", path.display()),
        why,
        help: "set TMPDIR to a folder with enough free space for a copy of the database".to_owned(),
    };
    let broken = |error: rusqlite::Error| no_space(error.to_string());
    // A database without a name moves to a temporary file as it grows. SQLite deletes that file with the connection.
    let mut connection = Connection::open("").map_err(broken)?;
    {
        let backup = Backup::new(source, &mut connection).map_err(broken)?;
        loop {
            if limits.deadline.has_passed() {
                return Err(EngineError::TimeLimit);
            }
            let more = backup.step(STRIDE).map_err(broken)? != rusqlite::backup::StepResult::Done;
            let state = backup.progress();
            let pages = |number: i32| usize::try_from(number).unwrap_or(0);
            progress(pages(state.pagecount - state.remaining), pages(state.pagecount));
            if !more {
                break;
            }
        }
    }
    let watch = Arc::new(Mutex::new(Watch::default()));
    confine(&mut connection, limits, &watch).map_err(broken)?;
    Ok(SqliteTrial { connection, name: path.to_owned(), limits: limits.clone(), watch })
}

/// Configures the connection like an application's, except that it cannot reach anything outside the copy.
fn confine(connection: &mut Connection, limits: &WaitLimits, watch: &Arc<Mutex<Watch>>) -> rusqlite::Result<()> {
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    ] {
        connection.set_db_config(setting, value)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA recursive_triggers = OFF; PRAGMA mmap_size = 0; PRAGMA cache_size = -32000",
    )?;
    let deadline = limits.deadline.clone();
    connection.progress_handler(10_000, Some(move || deadline.has_passed()))?;
    let watch = Arc::clone(watch);
    connection.authorizer(Some(move |context: AuthContext<'_>| guard(&mut held(&watch), &context)))
}

fn held(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

fn guard(watch: &mut Watch, context: &AuthContext<'_>) -> Authorization {
    if !watch.is_on {
        return Authorization::Allow;
    }
    let denied = match &context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Some("it uses another database file".to_owned()),
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let reads = READ_ONLY_PRAGMAS.iter().any(|name| name.eq_ignore_ascii_case(pragma_name));
            let defers = pragma_name.eq_ignore_ascii_case("defer_foreign_keys");
            (pragma_value.is_some() && !reads && !defers).then(|| format!("it sets PRAGMA {pragma_name}"))
        }
        AuthAction::Function { function_name } => ["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(function_name))
            .then(|| format!("it calls {function_name}()")),
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => {
            if context.database_name == Some("main") {
                let write =
                    TableWrite { table: (*table_name).to_owned(), trigger: context.accessor.map(str::to_owned) };
                if !watch.writes.contains(&write) {
                    watch.writes.push(write);
                }
            }
            None
        }
        _ => None,
    };
    if denied.is_some() {
        watch.denied = denied;
        return Authorization::Deny;
    }
    Authorization::Allow
}

impl SqliteTrial {
    /// Runs one statement of the user to its end, and records its effects.
    fn run(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        *held(&self.watch) = Watch { is_on: true, ..Watch::default() };
        let result = step_through(&self.connection, statement);
        let watch = std::mem::take(&mut *held(&self.watch));
        let refusal = match result {
            Ok(None) => None,
            Ok(Some(refusal)) => Some(refusal),
            Err(error) if failure::is_interrupted(&error) => return Err(EngineError::TimeLimit),
            Err(error) => Some(match watch.denied {
                Some(why) => Refusal::new(RefusalKind::Forbidden, why),
                None => failure::refusal(&error),
            }),
        };
        Ok(StatementExecution { refusal, writes: watch.writes })
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

    fn enforce(&self, on: bool) -> Result<(), EngineError> {
        let set = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, on);
        set.map(|_| ()).map_err(|error| failure::failed(&error))
    }

    fn is_deferring(&self) -> Result<bool, EngineError> {
        let answer = self.connection.query_row("PRAGMA defer_foreign_keys", [], |row| row.get(0));
        answer.map_err(|error| failure::failed(&error))
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
        session::run(&self.connection, sql, each).map_err(|error| failure::failed(&error))
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Trial for SqliteTrial {
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
        preparations.iter().try_for_each(|sql| self.each_row(sql, &mut |_| {}))
    }

    fn execute(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        if matches!(statement.kind, StatementKind::Transaction | StatementKind::Enforcement) {
            return self.run(statement);
        }
        self.batch("SAVEPOINT fk_doctor_try")?;
        let mut execution = self.run(statement)?;
        if execution.refusal.is_some() {
            self.roll_back_statement()?;
        } else if let Err(error) = self.connection.execute_batch("RELEASE fk_doctor_try") {
            // The statement is its own transaction, so the release checks deferred foreign keys.
            execution.refusal = Some(failure::refusal(&error));
            self.roll_back_statement()?;
        }
        Ok(execution)
    }

    fn simulate(
        &mut self,
        statement: &Statement,
        mode: ForeignKeyMode,
        observe: &mut dyn FnMut(&mut dyn Trial, &StatementExecution) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let is_deferring = self.is_deferring()?;
        self.batch("SAVEPOINT fk_doctor_try")?;
        match mode {
            ForeignKeyMode::Ignore => self.enforce(false)?,
            ForeignKeyMode::ActOnly => self.batch("PRAGMA defer_foreign_keys = ON")?,
        }
        let execution = self.run(statement);
        let observed = execution.and_then(|execution| observe(self, &execution));
        // OFF forgets the violations that earlier statements deferred; the rollback to the savepoint restores them.
        let reset = if is_deferring { Ok(()) } else { self.batch("PRAGMA defer_foreign_keys = OFF") };
        let rolled_back = self.roll_back_statement();
        self.enforce(true)?;
        observed.and(reset).and(rolled_back)
    }

    fn begin_load(&mut self) -> Result<(), EngineError> {
        self.enforce(false)?;
        self.batch("BEGIN")
    }

    /// SQLite itself detects every collision.
    fn insert_rows(&mut self, insert: &[Sql], _: Option<&Sql>) -> Result<InsertOutcome, EngineError> {
        match insert.iter().try_for_each(|sql| session::run(&self.connection, sql, &mut |_| {})) {
            Ok(()) => Ok(InsertOutcome::Taken),
            Err(error) if failure::is_interrupted(&error) => Err(EngineError::TimeLimit),
            Err(error) => Ok(InsertOutcome::Refused(failure::refusal(&error))),
        }
    }

    fn save(&mut self, file: &Path) -> Result<(), EngineError> {
        self.batch("COMMIT")?;
        let saved = Connection::open(file).and_then(|mut copy| {
            Backup::new(&self.connection, &mut copy)?.run_to_completion(STRIDE, std::time::Duration::ZERO, None)
        });
        saved.map_err(|error| failure::failed(&error))?;
        self.batch("BEGIN")
    }

    fn holds_load(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }
}
