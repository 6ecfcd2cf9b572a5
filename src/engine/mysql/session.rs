//! A worker: a connection inside a transaction that cannot write.

use super::connection::Connection;
use super::failure;
use super::introspect::Server;
use super::transaction;
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

pub(super) struct MysqlSession {
    address: Address,
    patience: Patience,
    server: Server,
    connection: Connection,
}

impl MysqlSession {
    pub(super) fn open(address: &Address, patience: &Patience, server: &Server) -> Result<MysqlSession, Failure> {
        let mut connection = Connection::open(address, &patience.deadline)?;
        connection.run(transaction::settings(patience), &patience.deadline)?;
        let (address, patience, server) = (address.clone(), patience.clone(), server.clone());
        Ok(MysqlSession { address, patience, server, connection })
    }

    /// From here on the database is seen as it is now.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.connection.run(transaction::BEGIN.to_owned(), &self.patience.deadline)
    }

    fn ask(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), Failure> {
        let deadline = &self.patience.deadline;
        if deadline.has_passed() {
            return Err(Failure::TimeLimit);
        }
        self.connection.run(transaction::begin_question(&self.server, &self.patience), deadline)?;
        let answer = self.connection.ask(sql.text(), sql.parameters(), deadline, each);
        if self.connection.is_open() {
            self.connection.run(transaction::END_QUESTION.to_owned(), &Deadline::default())?;
        }
        answer
    }
}

impl Session for MysqlSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        self.ask(sql, each).map_err(|failure| failure::of_a_question(failure, &self.address))
    }

    /// The server finds damage when it reads, and says so.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}
