//! The rehearsal: a transaction of its own with temporary tables, which is never committed. Nobody else sees them, and
//! the database's own tables are not written to.

use super::connection::Connection;
use super::failure;
use super::transaction;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::engine::wire::Failure;
use crate::engine::write::Rehearsal;
use crate::model::catalog::Table;
use crate::model::sql::Sql;
use crate::model::value::Value;
use crate::source::Address;

pub(super) struct Room {
    address: Address,
    patience: Patience,
    connection: Connection,
}

impl Room {
    pub(super) fn open(address: &Address, patience: &Patience) -> Result<Room, Failure> {
        let mut connection = Connection::open(address, &patience.deadline)?;
        connection.run(transaction::begin_writing(patience), &patience.deadline)?;
        Ok(Room { address: address.clone(), patience: patience.clone(), connection })
    }
}

impl Session for Room {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.connection.ask(sql.text(), sql.parameters(), &self.patience.deadline, each);
        answer.map_err(|failure| failure::of_a_question(failure, &self.address))
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Rehearsal for Room {
    fn attempt(&mut self, statement: &Sql) -> Result<Result<(), String>, EngineError> {
        let deadline = &self.patience.deadline;
        let failed = |failure| failure::of_a_question(failure, &self.address);
        self.connection.run("SAVEPOINT attempt".to_owned(), deadline).map_err(failed)?;
        let tried = self.connection.ask(statement.text(), statement.parameters(), deadline, &mut |_| {});
        let end = if tried.is_ok() { "RELEASE SAVEPOINT attempt" } else { transaction::END_ATTEMPT };
        if self.connection.is_open() {
            self.connection.run(end.to_owned(), deadline).map_err(failed)?;
        }
        match tried {
            Ok(()) => Ok(Ok(())),
            Err(Failure::Refused { code, message, .. }) if failure::is_of_the_row(&code) => {
                // Every engine's refusal of a second row with the same key begins alike.
                Ok(Err(if code == failure::UNIQUE_VIOLATION { format!("UNIQUE: {message}") } else { message }))
            }
            Err(other) => Err(failed(other)),
        }
    }
}
