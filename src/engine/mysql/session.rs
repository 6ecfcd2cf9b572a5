//! The session of a worker: a connection inside a read-only transaction.

use super::connection::Connection;
use super::failure;
use super::introspect::Server;
use super::transaction;
use crate::engine::Damage;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::engine::wire::Failure;
use crate::engine::wire::Shared;
use crate::model::catalog::Table;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

pub(super) struct MysqlSession {
    address: Address,
    limits: WaitLimits,
    server: Server,
    connection: Shared<Connection>,
}

impl MysqlSession {
    pub(super) fn open(address: &Address, limits: &WaitLimits, server: &Server) -> Result<MysqlSession, Failure> {
        let mut connection = Connection::open(address, &limits.deadline)?;
        connection.run(transaction::settings(limits), &limits.deadline)?;
        Ok(MysqlSession::over(Shared::new(connection), address, limits, server))
    }

    /// Returns a session on a connection that already has the settings.
    pub(super) fn over(
        connection: Shared<Connection>,
        address: &Address,
        limits: &WaitLimits,
        server: &Server,
    ) -> MysqlSession {
        MysqlSession { address: address.clone(), limits: limits.clone(), server: server.clone(), connection }
    }

    /// Begins a transaction, whose snapshot is the present state of the database.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.connection.lock().run(transaction::BEGIN.to_owned(), &self.limits.deadline)
    }

    fn ask(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), Failure> {
        let deadline = &self.limits.deadline;
        if deadline.has_passed() {
            return Err(Failure::TimeLimit);
        }
        let mut connection = self.connection.lock();
        connection.run(transaction::begin_question(&self.server, &self.limits), deadline)?;
        let answer = connection.ask(sql.text(), sql.parameters(), deadline, each);
        if connection.is_open() {
            connection.run(transaction::END_QUESTION.to_owned(), &Deadline::default())?;
        }
        answer
    }
}

impl Session for MysqlSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        self.ask(sql, each).map_err(|failure| failure::query_error(failure, &self.address))
    }

    /// The server itself reports damage when it reads.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}
