//! The MySQL and MariaDB part of rehearsing and applying a repair.
//!
//! The writing transaction is serializable: until its end no other session can change what it has read, the absence of
//! a parent included. Therefore it needs no further lock. After a deadlock the server rolls one transaction back, and
//! the whole transaction is retried. After a lock wait timeout the server rolls back only the last statement, so this
//! program rolls back the rest.

use super::connection::Connection;
use super::failure;
use super::transaction;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::gentle_writer::GentleLocks;
use crate::engine::wire::Failure;
use crate::engine::wire::writing::AttemptSavepoint;
use crate::engine::wire::writing::ServerErrorKind;
use crate::engine::wire::writing::WriterConnection;
use crate::engine::write::WriteOptions;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;
use crate::sql::batch::BatchLoad;
use crate::sql::batch::LoadedRows;

impl WriterConnection for Connection {
    const CHANGED: &'static str =
        "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')";

    const COUNTS_TEMPORARY_TABLES: bool = true;

    const PLANS_OF_SETS: Option<[&'static str; 2]> = None;

    const BEFORE_LATE_LOCK: &'static str = transaction::NO_WAIT;

    /// MySQL waits for a second, in which it may end the other transaction.
    const CHANGES_UNLOCKED_ROWS: bool = false;

    /// If it may not wait at all, MariaDB fails at a row that it should skip. It does not wait for such a row.
    const AROUND_SKIPPING: Option<[&'static str; 2]> =
        Some(["SET SESSION innodb_lock_wait_timeout = 1", transaction::NO_WAIT]);

    const RUN_DEFERRED: Option<&'static str> = None;

    const NUMBER: &'static str = "SELECT connection_id()";

    const ATTEMPT: Option<AttemptSavepoint> = None;

    const ALLOW_TABLES: Option<[&'static str; 2]> =
        Some(["SET SESSION TRANSACTION READ WRITE", "SET SESSION TRANSACTION READ ONLY"]);

    const BACKUP_TOOL: &'static str = "mariadb-dump or mysqldump";

    fn open(address: &Address, limits: &WaitLimits) -> Result<Connection, Failure> {
        let mut connection = Connection::open(address, &limits.deadline)?;
        connection.run(transaction::settings(limits), &limits.deadline)?;
        Ok(connection)
    }

    fn is_open(&self) -> bool {
        self.is_open()
    }

    fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure> {
        self.run(statements, deadline)
    }

    fn ask(
        &mut self,
        question: &str,
        parameters: &[Value],
        deadline: &Deadline,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), Failure> {
        self.ask(question, parameters, deadline, each)
    }

    fn change(&mut self, statement: &str, parameters: &[Value], deadline: &Deadline) -> Result<u64, Failure> {
        self.change(statement, parameters, deadline)
    }

    fn load(
        &mut self,
        statement: &dyn Fn(usize) -> BatchLoad,
        rows: &LoadedRows<'_>,
        deadline: &Deadline,
    ) -> Result<(), Failure> {
        let mut rest = rows.values.as_slice();
        while !rest.is_empty()
            && let BatchLoad::Rows(statement, rows_at_once @ 1..) = statement(rest.len() / rows.width)
        {
            let (values, others) = rest.split_at(rest.len().min(rows_at_once * rows.width));
            Connection::change(self, &statement, values.iter().copied(), deadline)?;
            rest = others;
        }
        Ok(())
    }

    fn begin(&mut self, limits: &WaitLimits, options: WriteOptions) -> Result<(), Failure> {
        self.run(transaction::writing_settings(options), &limits.deadline)?;
        self.run(transaction::lock_wait(limits), &limits.deadline)?;
        self.run(transaction::BEGIN_WRITING.to_owned(), &limits.deadline)
    }

    /// InnoDB ends the lighter one of two transactions that wait for each other. Therefore this one does not wait.
    fn begin_gently(
        &mut self,
        limits: &WaitLimits,
        options: WriteOptions,
        locks: GentleLocks<'_>,
    ) -> Result<(), Failure> {
        self.run(transaction::writing_settings(options), &limits.deadline)?;
        self.run(transaction::NO_WAIT.to_owned(), &limits.deadline)?;
        let begin = match locks {
            GentleLocks::Tables(_) => transaction::BEGIN_WRITING,
            GentleLocks::Rows => transaction::BEGIN_GENTLY,
        };
        self.run(begin.to_owned(), &limits.deadline)
    }

    fn lock_tables(&mut self, statement: &Sql, limits: &WaitLimits) -> Result<(), Failure> {
        self.run(statement.text().to_owned(), &limits.deadline)
    }

    /// A read-only transaction can write to temporary tables, but cannot create them.
    fn restrict_to_temporary_tables(&mut self, limits: &WaitLimits) -> Result<(), Failure> {
        self.run("SET SESSION TRANSACTION READ ONLY".to_owned(), &limits.deadline)
    }

    fn take_lock(name: &str) -> String {
        format!("SELECT GET_LOCK('{}', 0)", lock_name(name))
    }

    fn lock_holder(name: &str) -> String {
        // A user who may not see other connections gets the number alone.
        format!(
            "SELECT concat('connection ', h.n, coalesce((SELECT concat(' of ', p.user, '@', p.host) \
             FROM information_schema.processlist AS p WHERE p.id = h.n), '')) FROM (SELECT IS_USED_LOCK('{}') AS n) AS h",
            lock_name(name)
        )
    }

    fn end_other(number: i64) -> String {
        format!("KILL {number}")
    }

    fn kind(code: &str) -> ServerErrorKind {
        failure::kind(code)
    }

    fn row_refusal(code: &str, message: &str) -> Refusal {
        failure::row_refusal(code, message)
    }

    fn query_error(failure: Failure, address: &Address) -> EngineError {
        failure::query_error(failure, address)
    }

    fn database_error(failure: &Failure, address: &Address) -> EngineError {
        failure::database_error(failure, address)
    }

    fn privileges(_: WriteOptions) -> &'static str {
        "nothing was changed: this user needs SELECT, INSERT, UPDATE and DELETE on the tables, and CREATE and DROP for quarantine tables"
    }
}

/// Returns the name of the advisory lock, which has at most 64 characters.
fn lock_name(name: &str) -> String {
    let digits: String = name.chars().filter(char::is_ascii_hexdigit).take(40).collect();
    format!("fk-doctor {digits}")
}
