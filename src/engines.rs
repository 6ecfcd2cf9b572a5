//! The table of engines: how a database of each engine is opened.
//!
//! [`row`] is exhaustive, so a new engine does not compile without its row. What is known about an engine is in
//! [`crate::model::facts`], and what its SQL can do is in [`crate::sql`].

use std::path::Path;

use crate::engine::Database;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::mysql;
use crate::engine::postgres;
use crate::engine::sqlite;
use crate::model::catalog::Engine;
use crate::source::Address;
use crate::source::Source;

type Opened = Result<Box<dyn Database>, EngineError>;

/// How a database of one engine is opened. The fact [`crate::model::facts::Location`] says which of the two an engine has.
enum Row {
    File {
        open: fn(&Path, &WaitLimits) -> Opened,
        /// Lets the engine finish what a killed writer began, because only another writer can.
        recover: fn(&Path, &WaitLimits) -> Result<(), EngineError>,
    },
    Server {
        connect: fn(&Address, &WaitLimits) -> Opened,
    },
}

fn row(engine: Engine) -> Row {
    match engine {
        Engine::Sqlite => Row::File { open: sqlite::open, recover: sqlite::recover },
        Engine::Postgres => Row::Server { connect: postgres::open },
        // The server says which of the two it is.
        Engine::Mysql | Engine::Mariadb => Row::Server { connect: mysql::open },
    }
}

/// Lets an engine finish what a killed writer began in a database file.
pub fn recover(source: &Source, patience: &WaitLimits) -> Result<(), EngineError> {
    match (source, row(source.engine())) {
        (Source::File { path, .. }, Row::File { recover, .. }) => recover(path, patience),
        _ => Ok(()),
    }
}

/// Opens a database with its engine.
pub fn open(source: &Source, patience: &WaitLimits) -> Opened {
    match (source, row(source.engine())) {
        (Source::File { path, .. }, Row::File { open, .. }) => open(path, patience),
        (Source::Server { address, .. }, Row::Server { connect }) => connect(address, patience),
        (Source::File { engine, .. }, _) => Err(unreachable(*engine, "a file")),
        (Source::Server { engine, .. }, _) => Err(unreachable(*engine, "on a server")),
    }
}

fn unreachable(engine: Engine, what: &str) -> EngineError {
    EngineError::Failed { why: format!("a database of {} is not {what}", engine.title()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Location;

    #[test]
    fn rows_open_databases_where_the_facts_say_they_are() {
        for engine in Engine::ALL {
            let location = match row(*engine) {
                Row::File { .. } => Location::File,
                Row::Server { .. } => Location::Server,
            };
            assert_eq!(engine.facts().location, location, "{}", engine.title());
        }
    }
}
