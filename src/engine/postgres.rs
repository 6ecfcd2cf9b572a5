//! PostgreSQL: reading the definitions by their oids, and sessions on one exported snapshot.

use super::Database;
use super::EngineError;
use super::Patience;
use super::Session;
use super::wire::Failure;
use crate::model::catalog::Catalog;
use crate::model::value::Value;
use crate::source::Address;

mod connection;
mod failure;
mod introspect;
mod key_bitmap;
mod session;
mod transaction;
mod value;

use connection::Connection;
use session::PostgresSession;
use transaction::Snapshot;

pub(super) struct PostgresDatabase {
    address: Address,
    patience: Patience,
    /// Reads the definitions, and keeps the moment that all sessions see for as long as it is open.
    keeper: Connection,
}

pub(super) fn open(address: &Address, patience: &Patience) -> Result<PostgresDatabase, EngineError> {
    let begun = || {
        let mut keeper = Connection::open(address, &patience.deadline)?;
        keeper.run(transaction::begin(None, patience), &patience.deadline)?;
        Ok(keeper)
    };
    let keeper = begun().map_err(|failure: Failure| failure::of_the_database(&failure, address))?;
    Ok(PostgresDatabase { address: address.clone(), patience: patience.clone(), keeper })
}

impl Database for PostgresDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        introspect::catalog(&mut self.keeper, &self.patience.deadline)
            .map_err(|failure| failure::of_the_database(&failure, &self.address))
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        let snapshot = self.export();
        let wanted = if snapshot.is_some() { wanted.max(1) } else { 1 };
        let mut sessions: Vec<Box<dyn Session>> = Vec::new();
        while sessions.len() < wanted {
            match PostgresSession::open(&self.address, &self.patience, snapshot.as_ref()) {
                Ok(session) => sessions.push(Box::new(session)),
                // A server with few connections left is scanned with those that it gives.
                Err(_) if !sessions.is_empty() => break,
                Err(failure) => return Err(failure::of_the_database(&failure, &self.address)),
            }
        }
        Ok(sessions)
    }

    fn disturbed(&self) -> Option<String> {
        None
    }
}

impl PostgresDatabase {
    /// `None` where the server cannot, as some that only resemble PostgreSQL.
    fn export(&mut self) -> Option<Snapshot> {
        let mut name = None;
        let take = &mut |row: &[Value]| name = row.first().and_then(Value::as_text).and_then(Snapshot::named);
        self.keeper.ask(Snapshot::EXPORT, &[], &self.patience.deadline, take).ok()?;
        name
    }
}
