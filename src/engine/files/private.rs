//! A private SQLite database with columns of the lake, for what is asked in SQL: conditions of the configuration, and the
//! questions of a diagnosis. It never decides what is equal.
//!
//! A table is poured when a statement first reads it, and only with the columns that statements read. A statement that reads
//! several large tables is refused, unless a condition of the configuration needs it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use rusqlite::Connection;
use rusqlite::hooks::AuthAction;
use rusqlite::hooks::AuthContext;
use rusqlite::hooks::Authorization;

use super::cell::shown;
use super::fault::Fault;
use super::lake::Lake;
use super::lake::LakeTable;
use super::rows;
use super::rows::Limits;
use crate::engine::EngineError;
use crate::engine::sqlite;
use crate::model::value::Value;
use crate::sql::Sql;
use crate::sql::quoted;

pub(super) struct PrivateDatabase {
    connection: Connection,
    /// The tables and columns that a statement reads, as the authorizer saw them.
    reads: Arc<Mutex<BTreeSet<(String, String)>>>,
    /// The columns of each table that it has; `None` before the first row.
    poured: Vec<Option<BTreeSet<usize>>>,
    /// The columns of each table for which it has an index.
    indexed: Vec<BTreeSet<Vec<usize>>>,
}

/// Why a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find the rows that count, as the configuration wants it.
    Condition,
    /// To find the likely cause of missing keys.
    Evidence,
}

/// Most rows of all tables that a statement reads as evidence, if it reads several.
const MOST_JOINED: u64 = 2_000_000;

impl PrivateDatabase {
    pub(super) fn open(lake: &Lake) -> rusqlite::Result<PrivateDatabase> {
        // A database without a name is a temporary file, which SQLite removes.
        let mut connection = Connection::open("")?;
        connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536")?;
        for table in lake.tables.iter().filter(|table| !table.columns.is_empty()) {
            let column =
                |column: &super::lake::LakeColumn| format!("{} {}", quoted(&column.name), column.of.sql_type());
            let columns: Vec<String> = table.columns.iter().map(column).collect();
            // SQLite refuses names that differ in case only. Statements that read such a table then fail.
            let _ =
                connection.execute_batch(&format!("CREATE TABLE main.{}({})", quoted(&table.name), columns.join(", ")));
        }
        let reads: Arc<Mutex<BTreeSet<(String, String)>>> = Arc::default();
        let seen = Arc::clone(&reads);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if let AuthAction::Read { table_name, column_name } = context.action {
                let read = (table_name.to_owned(), column_name.to_owned());
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(read);
            }
            Authorization::Allow
        }))?;
        let (poured, indexed) = (vec![None; lake.tables.len()], vec![BTreeSet::new(); lake.tables.len()]);
        Ok(PrivateDatabase { connection, reads, poured, indexed })
    }

    /// Runs a statement, after it has poured the columns that the statement reads.
    pub(super) fn each_row(
        &mut self,
        lake: &Lake,
        (sql, purpose): (&Sql, Purpose),
        limits: Limits<'_>,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), EngineError> {
        let deadline = limits.deadline.clone();
        let watched = self.connection.progress_handler(10_000, Some(move || deadline.has_passed()));
        watched.map_err(|error| sqlite::failed(&error))?;
        self.seen().clear();
        self.connection.prepare(sql.text()).map(|_| ()).map_err(|error| sqlite::failed(&error))?;
        let reads = std::mem::take(&mut *self.seen());
        if sql.reads_no_row() {
            return Ok(());
        }
        let mut tables: Vec<(usize, BTreeSet<usize>)> = Vec::new();
        for (number, table) in lake.tables.iter().enumerate() {
            let mut of_table = reads.iter().filter(|(name, _)| *name == table.name).peekable();
            if of_table.peek().is_none() {
                continue;
            }
            let column = |(_, name): &(String, String)| table.columns.iter().position(|column| column.name == *name);
            tables.push((number, of_table.filter_map(column).collect()));
        }
        let is_joined = tables.len() > 1;
        let rows: u64 = tables.iter().map(|(number, _)| rows::estimate(&lake.tables[*number])).sum();
        if is_joined && purpose == Purpose::Evidence && rows > MOST_JOINED {
            return Err(EngineError::Failed { why: "its tables have too many rows for this question".to_owned() });
        }
        for (number, wanted) in &tables {
            self.pour(lake, *number, wanted, limits)?;
            if is_joined {
                self.index(&lake.tables[*number], *number, wanted).map_err(|error| sqlite::failed(&error))?;
            }
        }
        sqlite::run(&self.connection, sql, each).map_err(|error| sqlite::failed(&error))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeSet<(String, String)>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an index on some columns, so that a join does not read the whole table for each row of the other.
    fn index(&mut self, table: &LakeTable, number: usize, columns: &BTreeSet<usize>) -> rusqlite::Result<()> {
        let columns: Vec<usize> = columns.iter().copied().collect();
        if columns.is_empty() || self.indexed[number].contains(&columns) {
            return Ok(());
        }
        let names: Vec<String> = columns.iter().map(|&column| quoted(&table.columns[column].name)).collect();
        let name = quoted(&format!("{} {}", table.name, self.indexed[number].len()));
        let on = quoted(&table.name);
        self.connection.execute_batch(&format!("CREATE INDEX main.{name} ON {on}({})", names.join(", ")))?;
        self.indexed[number].insert(columns);
        Ok(())
    }

    /// Pours these columns of a table, unless it has them.
    fn pour(
        &mut self,
        lake: &Lake,
        number: usize,
        wanted: &BTreeSet<usize>,
        limits: Limits<'_>,
    ) -> Result<(), EngineError> {
        let known = self.poured[number].as_ref();
        if known.is_some_and(|known| known.is_superset(wanted)) {
            return Ok(());
        }
        let columns: BTreeSet<usize> = known.into_iter().flatten().chain(wanted).copied().collect();
        let table = &lake.tables[number];
        if let Some(why) = &table.unreadable {
            return Err(EngineError::Failed { why: why.clone() });
        }
        let listed: Vec<usize> = columns.iter().copied().collect();
        let failed = |error: rusqlite::Error| sqlite::failed(&error);
        self.poured[number] = None;
        let name = quoted(&table.name);
        self.connection.execute_batch(&format!("DELETE FROM main.{name}; BEGIN")).map_err(failed)?;
        let names: Vec<String> =
            listed.iter().map(|&column| format!(", {}", quoted(&table.columns[column].name))).collect();
        let marks = ", ?".repeat(listed.len());
        let address = table.address_name().unwrap_or_default();
        let insert = format!("INSERT INTO main.{name}({address}{}) VALUES (?{marks})", names.concat());
        let mut outcome = Ok(());
        {
            let mut statement = self.connection.prepare(&insert).map_err(failed)?;
            for piece in rows::pieces(table) {
                let mut fault = None;
                let read = rows::read(table, piece, &listed, limits, &mut |batch| {
                    for row in 0..batch.rows {
                        let values = batch.columns.iter().zip(&listed);
                        let values = values.map(|(cells, &column)| shown(cells.cell(row), &table.columns[column].of));
                        let address = Value::Integer(batch.addresses.of(row));
                        for (at, value) in std::iter::once(address).chain(values).enumerate() {
                            if let Err(error) = statement.raw_bind_parameter(at + 1, sqlite::to_sqlite(&value)) {
                                fault.get_or_insert(error);
                            }
                        }
                        if let Err(error) = statement.raw_execute() {
                            fault.get_or_insert(error);
                            return Err(Fault::Unreadable(String::new()));
                        }
                    }
                    Ok(())
                });
                outcome = match (fault, read) {
                    (Some(error), _) => Err(sqlite::failed(&error)),
                    (None, Err(Fault::Unreadable(why))) => Err(EngineError::Failed { why }),
                    (None, Err(Fault::TimeLimit)) => Err(EngineError::TimeLimit),
                    (None, Ok(())) => Ok(()),
                };
                if outcome.is_err() {
                    break;
                }
            }
        }
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        outcome?;
        self.poured[number] = Some(columns);
        Ok(())
    }

    /// Returns the values of some columns of rows: `None` if two rows of the table share them.
    pub(super) fn key_values(
        &mut self,
        lake: &Lake,
        number: usize,
        rows: &[i64],
        limits: Limits<'_>,
    ) -> Result<Option<Vec<Vec<Value>>>, EngineError> {
        let table = &lake.tables[number];
        self.pour(lake, number, &table.key.iter().copied().collect(), limits)?;
        let names: Vec<String> = table.key.iter().map(|&column| quoted(&table.columns[column].name)).collect();
        let (names, name) = (names.join(", "), quoted(&table.name));
        let read = || -> rusqlite::Result<Option<Vec<Vec<Value>>>> {
            let twice = format!("SELECT 1 FROM main.{name} GROUP BY {names} HAVING count(*) > 1 LIMIT 1");
            if self.connection.prepare(&twice)?.exists([])? {
                return Ok(None);
            }
            let address = table.address_name().unwrap_or_default();
            let question = format!("SELECT {names} FROM main.{name} WHERE {address} = ?");
            let mut statement = self.connection.prepare(&question)?;
            let value = |row: &rusqlite::Row<'_>| {
                (0..table.key.len()).map(|at| Ok(sqlite::from_sqlite(row.get_ref(at)?))).collect()
            };
            rows.iter().map(|row| statement.query_row([row], value)).collect::<rusqlite::Result<_>>().map(Some)
        };
        read().map_err(|error| sqlite::failed(&error))
    }
}
