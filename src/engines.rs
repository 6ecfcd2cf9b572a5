//! The table of engines: how a database of each engine is opened.
//!
//! [`row`] is exhaustive, so a new engine does not compile without its row. What is known about an engine is in
//! [`crate::model::facts`], and what its SQL can do is in [`crate::sql`].

use std::path::Path;

use crate::engine::Database;
use crate::engine::EngineError;
use crate::engine::LagMeter;
use crate::engine::WaitLimits;
use crate::engine::files;
use crate::engine::mysql;
use crate::engine::postgres;
use crate::engine::sqlite;
use crate::model::catalog::Engine;
use crate::model::lake::TableFiles;
use crate::source::Address;
use crate::source::Source;

type Opened = Result<Box<dyn Database>, EngineError>;

/// A meter of replicas, or the error that opening it met.
type OpenedMeter = Result<Box<dyn LagMeter>, EngineError>;

/// How a database of one engine is opened. [`crate::model::facts::Location`] says if an engine has a file, a folder or a server.
enum Row {
    File {
        open: fn(&Path, &WaitLimits) -> Opened,
        /// Lets the engine roll back the transaction of a killed writer, which only another writer can do.
        recover: fn(&Path, &WaitLimits) -> Result<(), EngineError>,
    },
    Folder {
        /// The tables are those of the configuration; without any, the engine finds them.
        open: fn(&Path, &[TableFiles], &WaitLimits) -> Opened,
    },
    /// The tables are those of the configuration.
    Cluster {
        connect: fn(&Address, &[TableFiles], &WaitLimits) -> Opened,
    },
    Server {
        connect: fn(&Address, &WaitLimits) -> Opened,
        lag_meter: fn(&Address, &WaitLimits) -> OpenedMeter,
    },
}

/// The reason why a build without the feature `spark` opens no cluster.
const WITHOUT_SPARK: &str = "this fk-doctor was built without the client for clusters";

/// Returns the reason and the next command, if this build cannot open databases of the engine.
pub fn absent(engine: Engine) -> Option<(&'static str, &'static str)> {
    let is_absent = engine == Engine::Spark && !cfg!(feature = "spark");
    is_absent.then_some((WITHOUT_SPARK, "cargo install fk-doctor --features spark"))
}

fn row(engine: Engine) -> Row {
    match engine {
        Engine::Sqlite => Row::File { open: sqlite::open, recover: sqlite::recover },
        Engine::Files => Row::Folder { open: files::open },
        #[cfg(feature = "spark")]
        Engine::Spark => Row::Cluster { connect: crate::engine::spark::open },
        #[cfg(not(feature = "spark"))]
        Engine::Spark => Row::Cluster { connect: |_, _, _| Err(EngineError::Failed { why: WITHOUT_SPARK.to_owned() }) },
        Engine::Postgres => Row::Server { connect: postgres::open, lag_meter: postgres::lag_meter },
        // The server reports which of the two engines it is.
        Engine::Mysql | Engine::Mariadb => Row::Server { connect: mysql::open, lag_meter: mysql::lag_meter },
    }
}

/// Returns the version of the bundled SQLite, such as `3.50.4`.
pub fn bundled_sqlite() -> &'static str {
    sqlite::version()
}

/// Lets an engine roll back the transaction of a killed writer in a database file.
pub fn recover(source: &Source, limits: &WaitLimits) -> Result<(), EngineError> {
    match (source, row(source.engine())) {
        (Source::File { path, .. }, Row::File { recover, .. }) => recover(path, limits),
        _ => Ok(()),
    }
}

/// Opens a database with its engine.
pub fn open(source: &Source, limits: &WaitLimits) -> Opened {
    match (source, row(source.engine())) {
        (Source::File { path, .. }, Row::File { open, .. }) => open(path, limits),
        (Source::Folder { path, tables, .. }, Row::Folder { open }) => open(path, tables, limits),
        (Source::Server { address, .. }, Row::Server { connect, .. }) => connect(address, limits),
        (Source::Cluster { address, tables, .. }, Row::Cluster { connect }) => connect(address, tables, limits),
        (Source::File { engine, .. }, _) => Err(mismatched(*engine, "a file")),
        (Source::Folder { engine, .. }, _) => Err(mismatched(*engine, "a folder")),
        (Source::Server { engine, .. }, _) => Err(mismatched(*engine, "on a server")),
        (Source::Cluster { engine, .. }, _) => Err(mismatched(*engine, "on a cluster")),
    }
}

/// Opens a connection to a server that measures how far replicas are behind.
pub fn lag_meter(source: &Source, limits: &WaitLimits) -> Result<Box<dyn LagMeter>, EngineError> {
    match (source, row(source.engine())) {
        (Source::Server { address, .. }, Row::Server { lag_meter, .. }) => lag_meter(address, limits),
        _ => Err(mismatched(source.engine(), "on a server")),
    }
}

fn mismatched(engine: Engine, location: &str) -> EngineError {
    EngineError::Failed { why: format!("a database of {} is not {location}", engine.title()) }
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
                Row::Folder { .. } => Location::Folder,
                Row::Server { .. } => Location::Server,
                Row::Cluster { .. } => Location::Cluster,
            };
            assert_eq!(engine.facts().location, location, "{}", engine.title());
        }
    }
}
