//! The only connection that writes.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::backup;
use super::examination::Examination;
use super::failure;
use super::integer_keys;
use super::open;
use super::session;
use super::set_writer;
use super::snapshot::Handles;
use super::space;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::Session;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::WaitLimits;
use crate::engine::set_writer::SetWriter;
use crate::engine::write::CommitOutcome;
use crate::engine::write::WriteOptions;
use crate::engine::write::Writer;
use crate::model::backup::BackupOrigin;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::value::Value;
use crate::sql::Sql;

/// The size of the page cache. With SQLite's default, most changed pages are written and read again within a transaction.
const CACHE_KIB: usize = 32 * 1024;

pub(super) struct SqliteWriter {
    connection: Connection,
    examination: Option<Examination>,
    path: std::path::PathBuf,
    limits: WaitLimits,
    /// Closing a file handle drops the locks of the connection, so the handles are closed last.
    handles: Option<Arc<Handles>>,
}

/// Opens an existing file. A missing file is never created.
pub(super) fn connect(path: &Path, limits: &WaitLimits, options: WriteOptions) -> Result<SqliteWriter, EngineError> {
    let prepared = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(open::plain(path), flags)?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        open::distrust(&connection)?;
        connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1_000)?;
        connection.set_prepared_statement_cache_capacity(set_writer::STATEMENTS);
        set_writer::register(&connection)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, !options.no_triggers)?;
        // These pragmas read the definitions, so another program's lock can block them.
        failure::retry_while_busy(limits.lock_wait, || {
            connection.execute_batch(&format!(
                "PRAGMA synchronous = FULL; PRAGMA recursive_triggers = OFF; PRAGMA main.cache_size = -{CACHE_KIB}"
            ))
        })?;
        Ok(connection)
    };
    let connection = prepared().map_err(|error| failure::unwritable(path, &error))?;
    let writer =
        SqliteWriter { connection, examination: None, path: path.to_owned(), limits: limits.clone(), handles: None };
    writer.switch_enforcement_off()?;
    Ok(writer)
}

impl SqliteWriter {
    /// Returns a writer that can clone the database file.
    pub(super) fn with_handles(self, handles: &Arc<Handles>) -> SqliteWriter {
        SqliteWriter { handles: Some(Arc::clone(handles)), ..self }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Rolls back the hot journal of a writer that died. SQLite does this at the first read.
    pub(super) fn roll_back_hot_journal(&self) -> Result<(), EngineError> {
        let read = || self.connection.query_row("SELECT count(*) FROM main.sqlite_schema", [], |_| Ok(()));
        failure::retry_while_busy(self.limits.lock_wait, read).map_err(|error| failure::unwritable(&self.path, &error))
    }

    /// Runs `write` while the schema table is writable, which is SQLite's way to change a definition without its rows.
    /// A new schema version makes every connection read the definitions again.
    fn with_writable_schema<T>(&self, write: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
        let failed = |error: rusqlite::Error| failure::failed(&error);
        let version = session::schema_version(&self.connection).map_err(failed)?;
        let open = || -> rusqlite::Result<()> {
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
            self.connection.execute_batch("PRAGMA writable_schema = ON")
        };
        let close = || -> rusqlite::Result<()> {
            self.connection.execute_batch("PRAGMA writable_schema = RESET")?;
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map(|_| ())
        };
        let done = open().map_err(failed).and_then(|()| {
            let done = write()?;
            let next = if version == i64::from(i32::MAX) { 1 } else { version + 1 };
            self.connection.execute_batch(&format!("PRAGMA main.schema_version = {next}")).map_err(failed)?;
            Ok(done)
        });
        close().map_err(failed)?;
        done
    }

    fn changed(&self, statement: &Sql) -> Result<u64, EngineError> {
        let before = self.connection.total_changes();
        let done = session::run(&self.connection, statement, &mut |_| {});
        if self.connection.is_autocommit() {
            // A trigger, or SQLite on a full disk, ended the transaction. Later changes would commit one by one.
            let why = match done {
                Ok(()) => "the transaction was ended by a trigger".to_owned(),
                Err(error) => failure::plain(&error),
            };
            return Err(EngineError::Failed { why });
        }
        done.map_err(|error| failure::failed(&error))?;
        Ok(self.connection.total_changes() - before)
    }

    /// Must be called outside a transaction, inside which the pragma has no effect. Therefore it is read back.
    fn switch_enforcement_off(&self) -> Result<(), EngineError> {
        let switched = || -> rusqlite::Result<bool> {
            self.connection.execute_batch("PRAGMA foreign_keys = OFF")?;
            self.connection.query_row("PRAGMA foreign_keys", [], |row| row.get(0))
        };
        match switched() {
            Ok(false) => Ok(()),
            Ok(true) => Err(EngineError::Failed {
                why: "foreign keys could not be switched off for this connection".to_owned(),
            }),
            Err(error) => Err(failure::failed(&error)),
        }
    }
}

impl Session for SqliteWriter {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        session::run(&self.connection, sql, each).map_err(|error| failure::failed(&error))
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        // The whole file was examined before the first change.
        Ok(None)
    }

    fn read_storage(
        &mut self,
        tables: &Tables,
        inclusions: &[Inclusion],
        _: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        integer_keys::judge(&self.connection, tables, inclusions)
    }
}

impl Writer for SqliteWriter {
    fn begin(&mut self, _: Option<&Sql>) -> Result<(), EngineError> {
        failure::retry_while_busy(self.limits.lock_wait, || self.connection.execute_batch("BEGIN IMMEDIATE"))
            .map_err(|error| failure::unwritable(&self.path, &error))
    }

    fn change(&mut self, statement: &Sql) -> Result<u64, EngineError> {
        self.changed(statement)
    }

    fn sets(&mut self) -> Option<&mut dyn SetWriter> {
        Some(self)
    }

    fn changed_so_far(&mut self) -> Result<u64, EngineError> {
        Ok(self.connection.total_changes())
    }

    fn define(&mut self, statement: &Sql) -> Result<(), EngineError> {
        self.changed(statement).map(|_| ())
    }

    fn redefine(&mut self, statement: &Sql) -> Result<(), EngineError> {
        self.with_writable_schema(|| self.changed(statement).map(|_| ()))
    }

    fn commit(&mut self) -> Result<CommitOutcome, EngineError> {
        let committed = failure::retry_while_busy(self.limits.lock_wait, || self.connection.execute_batch("COMMIT"));
        committed.map(|()| CommitOutcome::Committed).map_err(|error| {
            self.rollback();
            failure::unwritable(&self.path, &error)
        })
    }

    fn rollback(&mut self) {
        self.examination = None;
        if !self.connection.is_autocommit() {
            // SQLite itself rolls back a transaction that stays open.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    fn begin_examination(&mut self) {
        // Without it the file is examined when the result is needed.
        self.examination = Examination::begin(&self.path).ok();
    }

    fn database_damage(&mut self) -> Result<Option<String>, EngineError> {
        if let Some(damage) = self.examination.take().and_then(Examination::damage) {
            return Ok(damage);
        }
        session::integrity(&self.connection).map_err(|error| failure::failed(&error))
    }

    fn backup_bytes(&mut self) -> u64 {
        space::bytes(&self.connection)
    }

    fn back_up(&mut self, file: &Path) -> Result<BackupOrigin, EngineError> {
        let handle = self.handles.as_ref().and_then(|handles| handles.file());
        backup::make(&backup::Original { path: &self.path, file: handle, bytes: space::bytes(&self.connection) }, file)
    }
}
