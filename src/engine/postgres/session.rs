//! A worker: a connection whose transaction sees the moment that all of them see.

use super::connection::Connection;
use super::failure::Failure;
use super::transaction;
use super::transaction::Snapshot;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::sql::Sql;
use crate::model::value::Value;
use crate::source::Address;

pub(super) struct PostgresSession {
    address: Address,
    patience: Patience,
    connection: Connection,
    /// `None` where the server exports no snapshots: this worker is then the only one, and must not begin anew.
    snapshot: Option<Snapshot>,
}

impl PostgresSession {
    pub(super) fn open(
        address: &Address,
        patience: &Patience,
        snapshot: Option<&Snapshot>,
    ) -> Result<PostgresSession, Failure> {
        let mut connection = Connection::open(address, &patience.deadline)?;
        connection.run(transaction::begin(snapshot, patience), &patience.deadline)?;
        Ok(PostgresSession {
            address: address.clone(),
            patience: patience.clone(),
            connection,
            snapshot: snapshot.cloned(),
        })
    }

    fn ask(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), Failure> {
        let deadline = &self.patience.deadline;
        if deadline.has_passed() {
            return Err(Failure::TimeLimit);
        }
        if let Some(hurry) = transaction::hurry(&self.patience) {
            self.connection.run(hurry, deadline)?;
        }
        self.connection.ask(sql.text(), sql.parameters(), deadline, each)
    }

    /// An error ends a transaction; the next one sees the same moment. A connection that is gone is made anew.
    fn recover(&mut self) {
        if self.patience.deadline.has_passed() {
            return;
        }
        let recovered = if self.connection.is_open() {
            let begin = transaction::begin(self.snapshot.as_ref(), &self.patience);
            self.connection.run(format!("ROLLBACK; {begin}"), &self.patience.deadline).is_ok()
        } else {
            false
        };
        if !recovered
            && self.snapshot.is_some()
            && let Ok(anew) = PostgresSession::open(&self.address, &self.patience, self.snapshot.as_ref())
        {
            *self = anew;
        }
    }
}

impl Session for PostgresSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.ask(sql, each);
        if answer.is_err() {
            self.recover();
        }
        answer.map_err(|failure| failure.of_a_question(&self.address))
    }

    /// The server finds damage when it reads, and says so.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}
