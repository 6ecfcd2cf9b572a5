//! Creates a planned schema in an empty private database and reads it back, so that SQLite itself interprets it.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::limits::Limit;

use crate::engine::EngineError;
use crate::engine::sqlite::introspect;
use crate::engine::sqlite::open;
use crate::model::catalog::Catalog;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;

/// Runs only definitions. Other statements of a script (data, pragmas, transactions) do not affect the schema.
pub(super) fn catalog(statements: &[Statement]) -> Result<Catalog, EngineError> {
    let failed = |line: usize, error: &rusqlite::Error| EngineError::Unreadable {
        what: format!("the planned schema, line {line}"),
        why: error.to_string(),
        help: "give a script of CREATE statements that runs on an empty database".to_owned(),
    };
    let connection = Connection::open("").map_err(|error| failed(1, &error))?;
    open::distrust(&connection).map_err(|error| failed(1, &error))?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map_err(|error| failed(1, &error))?;
    for statement in statements.iter().filter(|statement| statement.kind == StatementKind::Definition) {
        connection.execute_batch(&statement.text).map_err(|error| failed(statement.line, &error))?;
    }
    introspect::catalog(&connection, Path::new("planned")).map_err(|error| failed(1, &error))
}
