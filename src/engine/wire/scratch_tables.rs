//! The rehearsal on a server: a separate connection with temporary tables. Other sessions do not see them, and the
//! database's own tables are not written to.

use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::engine::wire::Failure;
use crate::engine::wire::writing::ServerErrorKind;
use crate::engine::wire::writing::WriterConnection;
use crate::engine::write::Attempt;
use crate::engine::write::Rehearsal;
use crate::engine::write::TableCreation;
use crate::model::catalog::Table;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

pub(in crate::engine) struct ScratchTables<C> {
    address: Address,
    limits: WaitLimits,
    connection: C,
    /// True if the savepoint for the next attempt exists already.
    is_ready: bool,
}

impl<C: WriterConnection> ScratchTables<C> {
    pub(in crate::engine) fn open(address: &Address, limits: &WaitLimits) -> Result<ScratchTables<C>, EngineError> {
        let restricted = C::open(address, limits).and_then(|mut connection| {
            connection.restrict_to_temporary_tables(limits)?;
            Ok(connection)
        });
        let connection = restricted.map_err(|failure| C::database_error(&failure, address))?;
        Ok(ScratchTables { address: address.clone(), limits: limits.clone(), connection, is_ready: false })
    }

    /// Runs a statement, and returns the server's refusal where it refuses this statement alone.
    fn try_statement(&mut self, statement: &Sql) -> Result<Option<Failure>, EngineError> {
        let deadline = &self.limits.deadline;
        let failed = |failure| C::query_error(failure, &self.address);
        if let Some(attempt) = C::ATTEMPT.filter(|_| !self.is_ready) {
            self.connection.run(attempt.before.to_owned(), deadline).map_err(failed)?;
        }
        let answer = self.connection.ask(statement.text(), statement.parameters(), deadline, &mut |_| {});
        if let Some(attempt) = C::ATTEMPT.filter(|_| self.connection.is_open()) {
            let end = if answer.is_ok() { attempt.done } else { attempt.failed };
            self.connection.run(end.to_owned(), deadline).map_err(failed)?;
            self.is_ready = true;
        }
        match answer {
            Ok(()) => Ok(None),
            Err(failure @ Failure::Refused { .. }) if self.connection.is_open() => Ok(Some(failure)),
            Err(other) => Err(failed(other)),
        }
    }

    fn refusal(&self, failure: Failure) -> EngineError {
        C::query_error(failure, &self.address)
    }
}

impl<C: WriterConnection + Send> Session for ScratchTables<C> {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.connection.ask(sql.text(), sql.parameters(), &self.limits.deadline, each);
        answer.map_err(|failure| C::query_error(failure, &self.address))
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl<C: WriterConnection + Send> Rehearsal for ScratchTables<C> {
    fn create_table(&mut self, statement: &Sql) -> Result<TableCreation, EngineError> {
        let run = |tables: &mut Self, statement: &str| {
            let run = tables.connection.run(statement.to_owned(), &tables.limits.deadline);
            run.map_err(|failure| C::query_error(failure, &tables.address))
        };
        if let Some([open, _]) = C::ALLOW_TABLES {
            run(self, open)?;
        }
        let refused = self.try_statement(statement)?;
        if let Some([_, close]) = C::ALLOW_TABLES {
            run(self, close)?;
        }
        match refused {
            None => Ok(TableCreation::Ready),
            Some(Failure::Refused { code, message, .. }) if C::kind(&code) == ServerErrorKind::Other => {
                Ok(TableCreation::Impossible(message))
            }
            Some(failure) => Err(self.refusal(failure)),
        }
    }

    fn attempt(&mut self, statement: &Sql) -> Result<Attempt, EngineError> {
        match self.try_statement(statement)? {
            None => Ok(Attempt::Accepted),
            Some(Failure::Refused { code, message, .. }) if C::kind(&code) == ServerErrorKind::Row => {
                Ok(Attempt::Refused(C::row_refusal(&code, &message)))
            }
            Some(failure) => Err(self.refusal(failure)),
        }
    }
}
