//! SQLite: opening without trust, sessions on one snapshot, and running the model's SQL.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::Damage;
use super::Database;
use super::EngineError;
use super::Patience;
use super::Session;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::sql::Sql;
use crate::model::sql::quoted;
use crate::model::value::Value;

mod ddl;
mod failure;
mod file;
mod introspect;
mod open;

/// All sessions together may cache this much of the file; their sorting takes up to four times as much.
const CACHE_KIB: usize = 32 * 1024;

/// How often sessions are opened anew because a writer committed in between, before one session has to do.
const SNAPSHOT_TRIES: usize = 20;

/// Where waiting longer would not help.
const SHORT_WAIT: Duration = Duration::from_millis(50);

pub struct SqliteDatabase {
    path: PathBuf,
    access: open::Access,
    patience: Patience,
    /// Watches for commits while sessions are opened; holds no snapshot itself.
    watcher: Connection,
    before: file::Stamp,
}

pub fn open(path: &Path, patience: &Patience) -> Result<SqliteDatabase, EngineError> {
    let before = file::examine(path)?;
    let (watcher, access) = open::first(path, patience)?;
    Ok(SqliteDatabase { path: path.to_owned(), access, patience: patience.clone(), watcher, before })
}

impl Database for SqliteDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        introspect::catalog(&self.watcher, &self.path).map_err(|error| failure::unreadable(&self.path, &error))
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        for attempt in 0..SNAPSHOT_TRIES {
            let wanted = if attempt + 1 == SNAPSHOT_TRIES { 1 } else { wanted.max(1) };
            let before = self.commits_seen();
            let mut sessions = self.open_sessions(wanted)?;
            // A writer that waits for us lets nobody in any more; what is certain then is one session.
            let unchanged = match (before, self.commits_seen()) {
                (Ok(before), Ok(after)) => before == after,
                _ => {
                    sessions.truncate(1);
                    true
                }
            };
            if sessions.len() == 1 || unchanged {
                return Ok(sessions.into_iter().map(|session| Box::new(session) as Box<dyn Session>).collect());
            }
            drop(sessions);
            std::thread::sleep(Duration::from_millis(10));
        }
        unreachable!("the last try asks for one session, which is one snapshot")
    }

    fn disturbed(&self) -> Option<String> {
        if self.access != open::Access::Immutable {
            return None;
        }
        let now = file::Stamp::of(&self.path).ok()?;
        (now != self.before).then(|| {
            "the file changed while it was read, and its directory does not allow the lock that would prevent it"
                .to_owned()
        })
    }
}

impl SqliteDatabase {
    /// A number that changes whenever another connection commits.
    fn commits_seen(&self) -> rusqlite::Result<i64> {
        self.watcher.busy_timeout(SHORT_WAIT)?;
        self.watcher.query_row("PRAGMA main.data_version", [], |row| row.get(0))
    }

    fn open_sessions(&self, wanted: usize) -> Result<Vec<SqliteSession>, EngineError> {
        let mut sessions = Vec::new();
        for _ in 0..wanted {
            // Only the first waits for a writer to end; a later one would wait for a writer that waits for us.
            let lock_wait = if sessions.is_empty() { self.patience.lock_wait } else { SHORT_WAIT };
            let opened = open::again(&self.path, self.access, &Patience { lock_wait, ..self.patience.clone() })
                .and_then(|connection| begin(connection, wanted, &self.patience));
            match opened {
                Ok(connection) => sessions.push(SqliteSession { connection, patience: self.patience.clone() }),
                // A writer is waiting for us to end: what we have is one snapshot and will do.
                Err(_) if !sessions.is_empty() => break,
                Err(error) => return Err(failure::unreadable(&self.path, &error)),
            }
        }
        Ok(sessions)
    }
}

/// Opens the snapshot: a transaction only sees one once it has read.
fn begin(mut connection: Connection, sessions: usize, patience: &Patience) -> rusqlite::Result<Connection> {
    let kib = CACHE_KIB / sessions.max(1);
    connection.execute_batch(&format!("PRAGMA main.cache_size = -{kib}; BEGIN"))?;
    connection.query_row("SELECT count(*) FROM main.sqlite_schema", [], |_| Ok(()))?;
    let deadline = patience.deadline.clone();
    connection.progress_handler(10_000, Some(move || deadline.has_passed()))?;
    Ok(connection)
}

struct SqliteSession {
    connection: Connection,
    patience: Patience,
}

impl Session for SqliteSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        self.within_the_limit()?;
        self.run(sql, each).map_err(|error| failure::failed(&error))
    }

    fn damage(&mut self, table: &Table) -> Result<Option<Damage>, EngineError> {
        if table.kind == TableKind::View {
            return Ok(None);
        }
        self.within_the_limit()?;
        let check = format!("PRAGMA main.quick_check({})", quoted(&table.name.table));
        let found: rusqlite::Result<Vec<String>> = (|| {
            let mut statement = self.connection.prepare(&check)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        })();
        match found {
            Ok(messages) => Ok(gravest(messages)),
            Err(error) if failure::is_corrupt(&error) => Ok(Some(Damage::Storage(error.to_string()))),
            Err(error) => Err(failure::failed(&error)),
        }
    }
}

fn gravest(messages: Vec<String>) -> Option<Damage> {
    let about_index =
        |message: &String| message.starts_with("wrong # of entries in index") || message.contains("missing from index");
    let (index, storage): (Vec<String>, Vec<String>) =
        messages.into_iter().filter(|message| is_damage(message)).partition(about_index);
    let storage = storage.into_iter().next().map(Damage::Storage);
    storage.or_else(|| index.into_iter().next().map(Damage::Index))
}

/// `quick_check` also reports rows that break a NOT NULL, a CHECK or a type: bad data, in sound storage.
fn is_damage(message: &str) -> bool {
    let about_data = message.starts_with("NULL value in ")
        || message.starts_with("CHECK constraint failed in ")
        || (message.contains(" value in ") && !message.contains("index"));
    message != "ok" && !about_data
}

impl SqliteSession {
    fn within_the_limit(&self) -> Result<(), EngineError> {
        if self.patience.deadline.has_passed() { Err(EngineError::TimeLimit) } else { Ok(()) }
    }

    fn run(&self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(sql.text())?;
        for (position, value) in sql.parameters().iter().enumerate() {
            statement.raw_bind_parameter(position + 1, to_sqlite(value))?;
        }
        let width = statement.column_count();
        let mut row_values = Vec::with_capacity(width);
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            row_values.clear();
            for column in 0..width {
                row_values.push(from_sqlite(row.get_ref(column)?));
            }
            each(&row_values);
        }
        Ok(())
    }
}

fn from_sqlite(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Text that is not UTF-8 goes back as the bytes it is.
fn to_sqlite(value: &Value) -> rusqlite::types::ToSqlOutput<'_> {
    rusqlite::types::ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Integer(number) => ValueRef::Integer(*number),
        Value::Real(number) => ValueRef::Real(*number),
        Value::Text(bytes) => ValueRef::Text(bytes),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
    })
}
