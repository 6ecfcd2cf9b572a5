//! PostgreSQL: reads the definitions by their oids, and opens sessions on one exported snapshot.

use super::Database;
use super::EngineError;
use super::ReadOnly;
use super::Session;
use super::Trial;
use super::TrialOptions;
use super::WaitLimits;
use super::wire;
use super::wire::Shared;
use super::wire::scratch_tables::ScratchTables;
use super::wire::writer::ServerWriter;
use super::write::Rehearsal;
use super::write::WriteOptions;
use super::write::Writer;
use crate::model::catalog::Catalog;
use crate::model::value::Value;
use crate::source::Address;

mod connection;
mod failure;
mod introspect;
mod key_bitmap;
mod lag;
mod session;
mod several_servers;
mod transaction;
mod trial;
mod value;
mod writing;

pub(crate) use lag::lag_meter;

use connection::Connection;
use session::PostgresSession;
use transaction::Snapshot;
use trial::PostgresTrial;

/// One row, such as (0, 1, 'role'): if the server is a standby, if transactions are read-only by default, and the
/// source of that default.
const READ_ONLY: &str = "SELECT pg_catalog.pg_is_in_recovery(), setting = 'on', CASE source WHEN 'user' THEN 'role' \
     WHEN 'database user' THEN 'role in this database' WHEN 'client' THEN 'URL or PGOPTIONS' ELSE source END \
     FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'";

pub(super) struct PostgresDatabase {
    address: Address,
    /// True if the server was chosen from several.
    is_choice: bool,
    limits: WaitLimits,
    /// Reads the definitions, and exports the snapshot of all sessions, which lasts while this connection is open.
    exporter: Shared<Connection>,
}

pub(crate) fn open(address: &Address, limits: &WaitLimits) -> Result<Box<dyn Database>, EngineError> {
    let begun = |address: &Address| {
        let mut exporter = Connection::open(address, &limits.deadline)?;
        exporter.run(transaction::begin(None, limits), &limits.deadline)?;
        Ok(exporter)
    };
    let is_choice = !address.others.is_empty();
    let (address, exporter) = several_servers::first(address, limits, begun)?;
    Ok(Box::new(PostgresDatabase { address, is_choice, limits: limits.clone(), exporter: Shared::new(exporter) }))
}

impl Database for PostgresDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        introspect::catalog(&mut self.exporter.lock(), &self.limits.deadline)
            .map_err(|failure| failure::database_error(&failure, &self.address))
    }

    fn chosen_server(&self) -> Option<String> {
        self.is_choice.then(|| failure::server_name(&self.address))
    }

    fn session(&mut self) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(PostgresSession::over(self.exporter.clone(), &self.address, &self.limits)))
    }

    fn is_small(&mut self) -> bool {
        let mut size = None;
        let take = &mut |row: &[Value]| size = row.first().and_then(Value::as_integer);
        let question = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())";
        let asked = self.exporter.lock().ask(question, &[], &self.limits.deadline, take);
        asked.is_ok() && wire::is_small(size)
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        if self.address.connections == Some(1) {
            return Ok(vec![self.session()?]);
        }
        let snapshot = self.export();
        let wanted = if snapshot.is_some() { wanted.max(1) } else { 1 };
        // The connection that exports the snapshot stays open.
        let wanted = self.address.connections.map_or(wanted, |most| wanted.min(most - 1));
        // If the server has few free connections, the scan uses fewer sessions.
        let sessions = wire::opened(wanted, || PostgresSession::open(&self.address, &self.limits, snapshot.as_ref()))
            .map_err(|failure| failure::connect_error(&failure, &self.address))?;
        Ok(sessions.into_iter().map(|session| Box::new(session) as Box<dyn Session>).collect())
    }

    /// Returns the database's oid and name, and the server's id if the role may read it.
    fn identity(&mut self) -> Result<String, EngineError> {
        let mut asked = Connection::open(&self.address, &self.limits.deadline)
            .map_err(|failure| failure::database_error(&failure, &self.address))?;
        let deadline = &self.limits.deadline;
        let mut parts = Vec::new();
        let database = "SELECT oid::text || ' ' || datname FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";
        let take = |parts: &mut Vec<String>, row: &[Value]| {
            parts.extend(row.first().and_then(Value::as_text).map(str::to_owned));
        };
        asked
            .ask(database, &[], deadline, &mut |row| take(&mut parts, row))
            .map_err(|failure| failure::database_error(&failure, &self.address))?;
        let server = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
        // This fails without the privilege to read it.
        let _ = asked.ask(server, &[], deadline, &mut |row| take(&mut parts, row));
        Ok(parts.join(" of "))
    }

    fn read_only(&mut self) -> Result<Option<ReadOnly>, EngineError> {
        let mut declared = None;
        let take = &mut |row: &[Value]| {
            let is_on = |column: usize| row.get(column).and_then(Value::as_integer) == Some(1);
            let source = row.get(2).and_then(Value::as_text).unwrap_or_default();
            declared = if is_on(0) {
                let why = "the server is a standby, which takes its rows from a primary".to_owned();
                Some(ReadOnly { why, can_be_overridden: false })
            } else if is_on(1) {
                let why = format!("default_transaction_read_only is on, set by the {source}");
                Some(ReadOnly { why, can_be_overridden: true })
            } else {
                None
            };
        };
        let asked = self.exporter.lock().ask(READ_ONLY, &[], &self.limits.deadline, take);
        asked.map_err(|failure| failure::database_error(&failure, &self.address))?;
        Ok(declared)
    }

    fn rehearsal(&mut self) -> Result<Box<dyn Rehearsal>, EngineError> {
        Ok(Box::new(ScratchTables::<Connection>::open(&self.address, &self.limits)?))
    }

    fn trial(&mut self, _: &TrialOptions, _: &dyn Fn(usize, usize)) -> Result<Box<dyn Trial>, EngineError> {
        Ok(Box::new(PostgresTrial::open(&self.address, &self.limits)?))
    }

    fn writer(&mut self, options: WriteOptions) -> Result<Box<dyn Writer>, EngineError> {
        // The transaction that read the definitions must not block the writer.
        let _ = self.exporter.lock().run("COMMIT".to_owned(), &self.limits.deadline);
        Ok(Box::new(ServerWriter::<Connection>::open(&self.address, &self.limits, options)?))
    }

    fn change_while_reading(&self) -> Option<String> {
        None
    }
}

impl PostgresDatabase {
    /// Exports the snapshot; `None` if the server cannot, as some that only resemble PostgreSQL.
    fn export(&mut self) -> Option<Snapshot> {
        let mut name = None;
        let take = &mut |row: &[Value]| name = row.first().and_then(Value::as_text).and_then(Snapshot::named);
        self.exporter.lock().ask(Snapshot::EXPORT, &[], &self.limits.deadline, take).ok()?;
        name
    }
}
