//! The session of a worker: a connection whose transaction shares the snapshot of all workers.

use super::connection::Connection;
use super::failure;
use super::introspect::DEFAULT_SCHEMA;
use super::key_bitmap;
use super::transaction;
use super::transaction::Plans;
use super::transaction::Snapshot;
use crate::engine::Damage;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::Session;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::WaitLimits;
use crate::engine::wire::Failure;
use crate::engine::wire::Shared;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;
use crate::sql::quoted;

pub(super) struct PostgresSession {
    address: Address,
    limits: WaitLimits,
    connection: Shared<Connection>,
    /// `None` if this session is the only one, because the server exports no snapshot or only one session was wanted.
    snapshot: Option<Snapshot>,
}

impl PostgresSession {
    pub(super) fn open(
        address: &Address,
        limits: &WaitLimits,
        snapshot: Option<&Snapshot>,
    ) -> Result<PostgresSession, Failure> {
        let mut connection = Connection::open(address, &limits.deadline)?;
        connection.run(transaction::begin(snapshot, limits), &limits.deadline)?;
        let session = PostgresSession::over(Shared::new(connection), address, limits);
        Ok(PostgresSession { snapshot: snapshot.cloned(), ..session })
    }

    /// Returns a session on a connection whose transaction has begun.
    pub(super) fn over(connection: Shared<Connection>, address: &Address, limits: &WaitLimits) -> PostgresSession {
        PostgresSession { address: address.clone(), limits: limits.clone(), connection, snapshot: None }
    }

    /// Runs a query inside its own savepoint, so that an error does not abort the transaction and locks are released
    /// after the query.
    pub(super) fn question(&mut self, sql: &Sql, plans: Plans, each: &mut dyn FnMut(&[Value])) -> Result<(), Failure> {
        self.within_savepoint(plans, |connection, deadline| {
            connection.ask(sql.text(), sql.parameters(), deadline, each)
        })
    }

    /// Calls `each` with every number of an answer that is one integer column, read without an index.
    pub(super) fn whole_numbers(&mut self, sql: &Sql, each: &mut dyn FnMut(i64)) -> Result<(), Failure> {
        self.within_savepoint(Plans::TablesOnly, |connection, deadline| connection.copy(sql.text(), deadline, each))
    }

    /// Returns the size of a table in bytes, without its indexes and its TOAST table.
    pub(super) fn size_of(&mut self, table: &Table) -> Result<u64, Failure> {
        let schema = table.name.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
        let name = format!("{}.{}", quoted(schema), quoted(&table.name.table));
        let mut size = 0;
        self.within_savepoint(Plans::Any, |connection, deadline| {
            connection.ask("SELECT pg_relation_size($1::text::regclass)", &[Value::text(name)], deadline, &mut |row| {
                size = row.first().and_then(Value::as_integer).and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            })
        })?;
        Ok(size)
    }

    fn within_savepoint(
        &mut self,
        plans: Plans,
        question: impl FnOnce(&mut Connection, &Deadline) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let deadline = &self.limits.deadline;
        if deadline.has_passed() {
            return Err(Failure::TimeLimit);
        }
        let mut connection = self.connection.lock();
        connection.run(transaction::begin_question(plans, &self.limits), deadline)?;
        let answer = question(&mut connection, deadline);
        if connection.is_open() {
            connection.run(transaction::END_QUESTION.to_owned(), &Deadline::default())?;
        }
        answer
    }

    /// Replaces a lost connection. The new one shares the same snapshot, as long as the connection that exported it is
    /// open.
    fn reconnect(&mut self) {
        if let Some(snapshot) = &self.snapshot
            && !self.limits.deadline.has_passed()
            && let Ok(anew) = PostgresSession::open(&self.address, &self.limits, Some(snapshot))
        {
            *self = anew;
        }
    }
}

impl Session for PostgresSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.question(sql, if sql.avoids_indexes() { Plans::TablesOnly } else { Plans::Any }, each);
        let is_open = self.connection.lock().is_open();
        if !is_open {
            self.reconnect();
        }
        answer.map_err(|failure| failure::query_error(failure, &self.address))
    }

    fn read_storage(
        &mut self,
        tables: &Tables,
        inclusions: &[Inclusion],
        options: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        key_bitmap::judge(self, tables, inclusions, options)
    }

    /// The server itself reports damage when it reads.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}
