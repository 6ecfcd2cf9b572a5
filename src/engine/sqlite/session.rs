//! The session of a worker: a connection inside its snapshot that runs queries, checks storage and reads pages.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::failure;
use super::pages::column::ColumnReader;
use super::pages::fault::Fault;
use super::pages::judge;
use super::pages::layout::Layouts;
use super::pages::rowids::RowidReader;
use super::pages::rows::RowsReader;
use super::pages::source::PageSource;
use super::snapshot::Handles;
use super::snapshot::Snapshot;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::RowConsumer;
use crate::engine::RowsAnswer;
use crate::engine::RowsOutcome;
use crate::engine::RowsQuestion;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::WaitLimits;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::Tables;
use crate::model::value::Value;
use crate::model::value::ValueRef as StoredValue;
use crate::sql::Sql;
use crate::sql::quoted;

pub(super) struct SqliteSession {
    // The connection comes first, because it must be closed before the file handles.
    connection: Connection,
    /// The size of the page cache, until it is set.
    cache_kib: Option<usize>,
    limits: WaitLimits,
    storage: Storage,
}

/// Opens the pages of the session's snapshot.
pub(super) struct Storage {
    handles: Arc<Handles>,
    snapshot: Snapshot,
    schema_version: Option<i64>,
    /// Where the file stores the tables, as the definitions of `schema_version` say.
    layouts: Arc<Layouts>,
}

impl Storage {
    pub(super) fn new(
        handles: &Arc<Handles>,
        snapshot: Snapshot,
        schema_version: Option<i64>,
        layouts: &Arc<Layouts>,
    ) -> Storage {
        Storage { handles: Arc::clone(handles), snapshot, schema_version, layouts: Arc::clone(layouts) }
    }

    fn source(&self, connection: &Connection) -> Result<PageSource, Fault> {
        let version = schema_version(connection).map_err(|error| Fault::unsupported(error.to_string()))?;
        if Some(version) != self.schema_version {
            return Err(Fault::unsupported("the definitions were changed while they were read"));
        }
        self.handles.source(&self.snapshot)
    }
}

/// Returns a number that changes with every change of the definitions.
pub(super) fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA main.schema_version", [], |row| row.get(0))
}

impl Session for SqliteSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        run(self.for_sql()?, sql, each).map_err(|error| failure::failed(&error))
    }

    fn damage(&mut self, table: &Table) -> Result<Option<Damage>, EngineError> {
        if table.kind == TableKind::View {
            return Ok(None);
        }
        let connection = self.for_sql()?;
        let check = format!("PRAGMA main.quick_check({})", quoted(&table.name.table));
        let found: rusqlite::Result<Vec<String>> = (|| {
            let mut statement = connection.prepare(&check)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        })();
        match found {
            Ok(messages) => Ok(most_severe(messages)),
            Err(error) if failure::is_corrupt(&error) => Ok(Some(Damage::Storage(error.to_string()))),
            Err(error) => Err(failure::failed(&error)),
        }
    }

    fn each_stored_value(
        &mut self,
        table: &Table,
        column: usize,
        threads: usize,
        visit: &(dyn Fn(StoredValue<'_>) + Sync),
    ) -> Result<bool, EngineError> {
        let Ok(source) = self.storage.source(&self.connection) else { return Ok(false) };
        let stored = ColumnReader { table, column, layouts: &self.storage.layouts, source: &source };
        match stored.each_value(threads, &self.limits.deadline, visit) {
            Ok(()) => Ok(true),
            Err(Fault::TimeLimit) => Err(EngineError::TimeLimit),
            Err(_) => Ok(false),
        }
    }

    fn read_stored_rows(
        &mut self,
        readings: &[RowsReading<'_>],
        threads: usize,
        consumer: &dyn RowConsumer,
    ) -> Result<Vec<RowsOutcome>, EngineError> {
        let Ok(source) = self.storage.source(&self.connection) else {
            return Ok(vec![RowsOutcome::AskSql; readings.len()]);
        };
        let rows = RowsReader { layouts: &self.storage.layouts, source: &source, deadline: &self.limits.deadline };
        let outcome = |result| match result {
            Ok(()) => Ok(RowsOutcome::Read),
            Err(Fault::TimeLimit) => Err(EngineError::TimeLimit),
            Err(_) => Ok(RowsOutcome::AskSql),
        };
        rows.read(readings, threads, consumer).into_iter().map(outcome).collect()
    }

    fn look_up_rows(&mut self, questions: &[RowsQuestion<'_>]) -> Vec<Option<RowsAnswer>> {
        let Ok(source) = self.storage.source(&self.connection) else { return vec![None; questions.len()] };
        let rowids = RowidReader { layouts: &self.storage.layouts, source: &source };
        questions.iter().map(|question| rowids.answer(question).ok()).collect()
    }

    fn read_storage(
        &mut self,
        tables: &Tables,
        inclusions: &[Inclusion],
        options: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        let answer = |fault: Fault| match fault {
            Fault::TimeLimit => StorageAnswer::TimeLimit,
            other => StorageAnswer::AskSql { why: Some(other.to_string()) },
        };
        match self.storage.source(&self.connection) {
            Err(fault) => vec![answer(fault); inclusions.len()],
            Ok(source) => {
                let layouts = &self.storage.layouts;
                judge::judge(tables, inclusions, layouts, &source, options, &self.limits.deadline)
                    .into_iter()
                    .map(|reading| reading.map_or_else(answer, StorageAnswer::Judged))
                    .collect()
            }
        }
    }
}

fn most_severe(messages: Vec<String>) -> Option<Damage> {
    let about_index =
        |message: &String| message.starts_with("wrong # of entries in index") || message.contains("missing from index");
    let (index, storage): (Vec<String>, Vec<String>) =
        messages.into_iter().filter(|message| is_damage(message)).partition(about_index);
    let storage = storage.into_iter().next().map(Damage::Storage);
    storage.or_else(|| index.into_iter().next().map(Damage::Index))
}

/// True if a message of `quick_check` reports damage. It also reports rows that violate NOT NULL, CHECK or a type,
/// whose storage is intact.
fn is_damage(message: &str) -> bool {
    let about_data = message.starts_with("NULL value in ")
        || message.starts_with("CHECK constraint failed in ")
        || (message.contains(" value in ") && !message.contains("index"));
    message != "ok" && !about_data
}

impl SqliteSession {
    pub(super) fn new(connection: Connection, cache_kib: usize, limits: WaitLimits, storage: Storage) -> SqliteSession {
        SqliteSession { connection, cache_kib: Some(cache_kib), limits, storage }
    }

    /// Returns the connection for a statement. At the first, SQLite parses the definitions, which only the size of the
    /// cache and statements need: a worker that reads pages is spared.
    fn for_sql(&mut self) -> Result<&Connection, EngineError> {
        if self.limits.deadline.has_passed() {
            return Err(EngineError::TimeLimit);
        }
        if let Some(kib) = self.cache_kib {
            let size = format!("PRAGMA main.cache_size = -{kib}");
            self.connection.execute_batch(&size).map_err(|error| failure::failed(&error))?;
            self.cache_kib = None;
        }
        Ok(&self.connection)
    }
}

/// Runs one statement, and calls `each` with every row of its answer.
pub(in crate::engine) fn run(
    connection: &Connection,
    sql: &Sql,
    each: &mut dyn FnMut(&[Value]),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql.text())?;
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

/// Returns the first message of a full check that reports damage. Rows that violate a constraint are not damage.
pub(super) fn integrity(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare("PRAGMA main.integrity_check")?;
    let found: rusqlite::Result<Vec<String>> = statement.query_map([], |row| row.get(0))?.collect();
    match found {
        Ok(messages) => Ok(messages.into_iter().find(|message| is_damage(message))),
        Err(error) if failure::is_corrupt(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Returns the number of rows of each table that stores rows: `("orders", 1200)`.
pub(super) fn row_counts(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name",
    )?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let count = |name: String| {
        let question = format!("SELECT count(*) FROM main.{}", quoted(&name));
        Ok((name, connection.query_row(&question, [], |row| row.get(0))?))
    };
    names.into_iter().map(count).collect()
}

pub(in crate::engine) fn from_sqlite(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Text that is not UTF-8 is written with its original bytes.
pub(in crate::engine) fn to_sqlite(value: &Value) -> rusqlite::types::ToSqlOutput<'_> {
    rusqlite::types::ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Integer(number) => ValueRef::Integer(*number),
        Value::Real(number) => ValueRef::Real(*number),
        Value::Text(bytes) => ValueRef::Text(bytes),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
    })
}
