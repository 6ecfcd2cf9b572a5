//! The rehearsal: a private temporary database with the tables and unique indexes of the real one. It moves to disk as
//! it grows, and is deleted when it is closed.

use rusqlite::Connection;
use rusqlite::ErrorCode;

use super::failure;
use super::open;
use super::session;
use crate::engine::Damage;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Attempt;
use crate::engine::write::Rehearsal;
use crate::engine::write::TableCreation;
use crate::model::catalog::Table;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::sql::Sql;

/// A temporary database inside one transaction.
pub(super) struct RehearsalDatabase {
    connection: Connection,
}

/// Definitions that cannot be repeated, such as those of a module, are omitted. Their tables are not repaired.
pub(super) fn build(real: &Connection, deadline: &Deadline) -> rusqlite::Result<RehearsalDatabase> {
    let mut connection = Connection::open("")?;
    open::distrust(&connection)?;
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")?;
    let encoding: String = real.query_row("PRAGMA main.encoding", [], |row| row.get(0))?;
    connection.pragma_update(None, "encoding", encoding)?;
    let mut definitions = real.prepare(
        // The list of tables is read once. A join would read it for each definition.
        "SELECT sql FROM main.sqlite_schema \
         WHERE sql IS NOT NULL AND type IN ('table', 'index') \
         AND tbl_name IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table') \
         ORDER BY type DESC, rowid",
    )?;
    let mut rows = definitions.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        if let Ok(mut statement) = connection.prepare(&text) {
            // A missing table is an error when a statement uses it.
            let _ = statement.execute([]);
        }
    }
    drop(rows);
    drop(definitions);
    let deadline = deadline.clone();
    connection.progress_handler(10_000, Some(move || deadline.has_passed()))?;
    // A single transaction, which is never committed.
    connection.execute_batch("BEGIN")?;
    Ok(RehearsalDatabase { connection })
}

impl Session for RehearsalDatabase {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        session::run(&self.connection, sql, each).map_err(|error| failure::failed(&error))
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Rehearsal for RehearsalDatabase {
    fn create_table(&mut self, statement: &Sql) -> Result<TableCreation, EngineError> {
        self.each_row(statement, &mut |_| {}).map(|()| TableCreation::Ready)
    }

    fn attempt(&mut self, statement: &Sql) -> Result<Attempt, EngineError> {
        let Err(error) = session::run(&self.connection, statement, &mut |_| {}) else {
            return Ok(Attempt::Accepted);
        };
        let refusal = failure::refusal(&error);
        let message = match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => failure::plain(&error),
            Some(ErrorCode::TypeMismatch) => {
                "datatype mismatch: an INTEGER PRIMARY KEY accepts only integers".to_owned()
            }
            Some(ErrorCode::TooBig) => "a value would be longer than 10 MB".to_owned(),
            _ => return Err(failure::failed(&error)),
        };
        Ok(Attempt::Refused(Refusal { message, ..refusal }))
    }
}
