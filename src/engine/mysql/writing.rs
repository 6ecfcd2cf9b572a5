//! How a repair is tried on a MySQL or MariaDB server and made: what is particular to it.
//!
//! The transaction that writes is serializable: what it has read, the absence of a parent too, nobody else changes before
//! its end, so that no further lock is needed. Where two wait for each other, the server ends one of them, and the whole
//! transaction is begun again. Where a wait is too long it only takes the last statement back, so the rest is taken
//! back by us.

use super::connection::Connection;
use super::failure;
use super::transaction;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::wire::Failure;
use crate::engine::wire::writing::Attempt;
use crate::engine::wire::writing::Kind;
use crate::engine::wire::writing::Writing;
use crate::engine::write::WriteOptions;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::source::Address;

impl Writing for Connection {
    const CHANGED: &'static str =
        "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')";

    const SETTLE: Option<&'static str> = None;

    const NUMBER: &'static str = "SELECT connection_id()";

    const ATTEMPT: Option<Attempt> = None;

    const FURNISH: Option<[&'static str; 2]> =
        Some(["SET SESSION TRANSACTION READ WRITE", "SET SESSION TRANSACTION READ ONLY"]);

    const BACKUP_TOOL: &'static str = "mariadb-dump or mysqldump";

    fn open(address: &Address, patience: &Patience) -> Result<Connection, Failure> {
        let mut connection = Connection::open(address, &patience.deadline)?;
        connection.run(transaction::settings(patience), &patience.deadline)?;
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

    fn begin(&mut self, patience: &Patience, options: WriteOptions) -> Result<(), Failure> {
        self.run(transaction::writing_settings(options), &patience.deadline)?;
        self.run(transaction::BEGIN_WRITING.to_owned(), &patience.deadline)
    }

    /// Temporary tables can be written to in a transaction that cannot write, but not be made.
    fn enter_room(&mut self, patience: &Patience) -> Result<(), Failure> {
        self.run("SET SESSION TRANSACTION READ ONLY".to_owned(), &patience.deadline)
    }

    fn hold(name: &str) -> String {
        format!("SELECT GET_LOCK('{}', 0)", lock_name(name))
    }

    fn holder(name: &str) -> String {
        // Who may not see the connections of others learns the number.
        format!(
            "SELECT concat('connection ', h.n, coalesce((SELECT concat(' of ', p.user, '@', p.host) \
             FROM information_schema.processlist AS p WHERE p.id = h.n), '')) FROM (SELECT IS_USED_LOCK('{}') AS n) AS h",
            lock_name(name)
        )
    }

    fn end_other(number: i64) -> String {
        format!("KILL {number}")
    }

    fn kind(code: &str) -> Kind {
        failure::kind(code)
    }

    fn of_a_row(code: &str, message: &str) -> Refusal {
        failure::of_a_row(code, message)
    }

    fn of_a_question(failure: Failure, address: &Address) -> EngineError {
        failure::of_a_question(failure, address)
    }

    fn of_the_database(failure: &Failure, address: &Address) -> EngineError {
        failure::of_the_database(failure, address)
    }

    fn privileges(_: WriteOptions) -> &'static str {
        "nothing was changed: it takes SELECT, INSERT, UPDATE and DELETE on the tables, and CREATE and DROP where rows are kept"
    }
}

/// At most 64 characters.
fn lock_name(name: &str) -> String {
    let digits: String = name.chars().filter(char::is_ascii_hexdigit).take(40).collect();
    format!("fk-doctor {digits}")
}
