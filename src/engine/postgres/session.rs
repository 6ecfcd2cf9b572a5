//! A worker: a connection whose transaction sees the moment that all of them see.

use super::connection::Connection;
use super::failure;
use super::transaction;
use super::transaction::Snapshot;
use crate::engine::Damage;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::engine::wire::Failure;
use crate::model::catalog::Table;
use crate::model::sql::Sql;
use crate::model::value::Value;
use crate::source::Address;

pub(super) struct PostgresSession {
    address: Address,
    patience: Patience,
    connection: Connection,
    /// `None` where the server exports none: this worker is then the only one.
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

    /// Each question has a savepoint to itself: an error goes no further, and no lock outlives its question.
    fn ask(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), Failure> {
        let deadline = &self.patience.deadline;
        if deadline.has_passed() {
            return Err(Failure::TimeLimit);
        }
        self.connection.run(transaction::begin_question(&self.patience), deadline)?;
        let answer = self.connection.ask(sql.text(), sql.parameters(), deadline, each);
        if self.connection.is_open() {
            self.connection.run(transaction::END_QUESTION.to_owned(), &Deadline::default())?;
        }
        answer
    }

    /// A connection that is gone is made anew; it sees the same moment, for as long as the keeper of that is there.
    fn reconnect(&mut self) {
        if let Some(snapshot) = &self.snapshot
            && !self.patience.deadline.has_passed()
            && let Ok(anew) = PostgresSession::open(&self.address, &self.patience, Some(snapshot))
        {
            *self = anew;
        }
    }
}

impl Session for PostgresSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.ask(sql, each);
        if !self.connection.is_open() {
            self.reconnect();
        }
        answer.map_err(|failure| failure::of_a_question(failure, &self.address))
    }

    /// The server finds damage when it reads, and says so.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}
