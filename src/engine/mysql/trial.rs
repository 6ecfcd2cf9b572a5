//! The trial in MySQL and MariaDB: one transaction of the database itself, which is never committed.
//!
//! The caller ensures that no statement commits implicitly or writes data that cannot be rolled back. Rows that are
//! only read stay unlocked (READ COMMITTED). Rows that a statement writes stay locked until the end of the trial.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::failure;
use super::introspect;
use super::introspect::Server;
use super::transaction;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::engine::trial::InsertOutcome;
use crate::engine::trial::StatementExecution;
use crate::engine::trial::Trial;
use crate::engine::wire::Failure;
use crate::engine::wire::trial::TrialConnection;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::refusal::Refusal;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::model::trial_method::TrialMethod;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

const COUNTERS: &str = "SELECT concat(table_name, '.AUTO_INCREMENT'), CAST(auto_increment AS SIGNED) FROM information_schema.tables \
     WHERE table_schema = database() AND auto_increment IS NOT NULL ORDER BY 1";

const TRIGGERS: &str = "SELECT trigger_name FROM information_schema.triggers \
     WHERE event_object_schema = coalesce(?, database()) AND event_object_table = ? ORDER BY 1";

const OTHER_DATABASES: &str = "SELECT schema_name FROM information_schema.schemata \
     WHERE schema_name NOT IN (coalesce(database(), ''), 'information_schema') ORDER BY 1";

pub(super) struct MysqlTrial {
    address: Address,
    limits: WaitLimits,
    server: Server,
    connection: Connection,
    as_user: bool,
    in_transaction: bool,
    /// The current copies of scratch tables: the name of the copy, and of its table.
    copies: BTreeMap<String, String>,
}

impl MysqlTrial {
    pub(super) fn open(address: &Address, limits: &WaitLimits, server: &Server) -> Result<MysqlTrial, EngineError> {
        let begun = || {
            let mut connection = Connection::open(address, &limits.deadline)?;
            connection.run(transaction::settings(limits), &limits.deadline)?;
            connection.run(transaction::BEGIN_TRIAL.to_owned(), &limits.deadline)?;
            Ok(connection)
        };
        let connection = begun().map_err(|failure: Failure| failure::database_error(&failure, address))?;
        let (address, limits, server) = (address.clone(), limits.clone(), server.clone());
        Ok(MysqlTrial {
            address,
            limits,
            server,
            connection,
            as_user: false,
            in_transaction: false,
            copies: BTreeMap::new(),
        })
    }

    fn use_settings_of_user(&mut self, as_user: bool) -> Result<(), EngineError> {
        if self.as_user == as_user {
            return Ok(());
        }
        self.as_user = as_user;
        self.run(&transaction::select_sql_mode(as_user))
    }

    /// Runs a query of this program, after renewing the copies of scratch tables that it needs.
    fn ask(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        for copy in sql.copies() {
            if !self.copies.contains_key(&copy.name) {
                copy.renewal.iter().try_for_each(|statement| self.each(statement, &[], &mut |_| {}))?;
                self.copies.insert(copy.name.clone(), copy.of.clone());
            }
        }
        self.each(sql.text(), sql.parameters(), each)
    }

    /// Changes scratch tables, after which their copies are stale.
    fn change(&mut self, changes: &[Sql]) -> Result<(), EngineError> {
        changes.iter().try_for_each(|sql| {
            let done = self.ask(sql, &mut |_| {});
            self.forget_copies(sql);
            done
        })
    }

    fn forget_copies(&mut self, sql: &Sql) {
        self.copies.retain(|_, of| !sql.text().contains(of.as_str()));
    }

    fn limit(&mut self) -> Result<(), EngineError> {
        match transaction::statement_limit(&self.server, &self.limits) {
            Some(limit) => self.run(&limit),
            None => Ok(()),
        }
    }

    /// Runs a transaction statement of the script. Its transactions are savepoints within the trial's transaction.
    fn transaction(&mut self, statement: &Statement) -> Result<Option<Refusal>, EngineError> {
        let words = statement.text.to_ascii_uppercase();
        let to_savepoint = words.contains(" TO ");
        match words.split_whitespace().next() {
            Some("BEGIN" | "START") => {
                self.in_transaction = true;
                self.run("SAVEPOINT fk_doctor_transaction")?;
            }
            Some("COMMIT") => self.in_transaction = false,
            Some("ROLLBACK") if !to_savepoint => {
                if self.in_transaction {
                    self.run("ROLLBACK TO SAVEPOINT fk_doctor_transaction")?;
                }
                self.in_transaction = false;
            }
            _ => return self.attempt(&statement.text, &[]),
        }
        Ok(None)
    }
}

impl TrialConnection for MysqlTrial {
    fn run(&mut self, statements: &str) -> Result<(), EngineError> {
        let done = self.connection.run(statements.to_owned(), &self.limits.deadline);
        done.map_err(|failure| failure::query_error(failure, &self.address))
    }

    fn each(&mut self, question: &str, given: &[Value], each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.connection.ask(question, given, &self.limits.deadline, each);
        answer.map_err(|failure| failure::query_error(failure, &self.address))
    }

    fn attempt(&mut self, text: &str, given: &[Value]) -> Result<Option<Refusal>, EngineError> {
        match self.connection.execute(text, given, &self.limits.deadline) {
            Ok(()) => Ok(None),
            Err(failure) => failure::refusal(failure, &self.address).map(Some),
        }
    }
}

impl Session for MysqlTrial {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        self.use_settings_of_user(false)?;
        self.limit()?;
        self.ask(sql, each)
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Trial for MysqlTrial {
    fn method(&self) -> TrialMethod {
        TrialMethod::OnServer
    }

    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        self.use_settings_of_user(false)?;
        introspect::catalog(&mut self.connection, &self.server, &self.limits.deadline)
            .map_err(|failure| failure::database_error(&failure, &self.address))
    }

    fn prepare(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.use_settings_of_user(false)?;
        self.limit()?;
        self.change(preparations)
    }

    fn prepare_as_user(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.use_settings_of_user(true)?;
        self.limit()?;
        self.change(preparations)
    }

    fn execute(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        self.use_settings_of_user(true)?;
        self.limit()?;
        if statement.kind == StatementKind::Transaction {
            return Ok(StatementExecution { refusal: self.transaction(statement)?, writes: Vec::new() });
        }
        self.run(transaction::BEGIN_TRY)?;
        let refusal = self.attempt(&statement.text, &statement.parameters)?;
        // The savepoint is missing if the statement ended the transaction, which must be an error.
        self.run(if refusal.is_some() {
            "ROLLBACK TO SAVEPOINT fk_doctor_try"
        } else {
            "RELEASE SAVEPOINT fk_doctor_try"
        })?;
        Ok(StatementExecution { refusal, writes: Vec::new() })
    }

    fn insert_rows(&mut self, insert: &[Sql], collisions: Option<&Sql>) -> Result<InsertOutcome, EngineError> {
        self.use_settings_of_user(true)?;
        insert.iter().for_each(|sql| self.forget_copies(sql));
        self.put_rows(insert, collisions)
    }

    fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn triggers_of(&mut self, table: &Table) -> Result<Vec<String>, EngineError> {
        let schema = table.name.schema.as_deref().map_or(Value::Null, Value::text);
        self.names(TRIGGERS, &[schema, Value::text(&table.name.table)])
    }

    fn other_databases(&mut self) -> Result<Vec<String>, EngineError> {
        self.names(OTHER_DATABASES, &[])
    }

    fn counters(&mut self) -> Result<Vec<(String, i64)>, EngineError> {
        self.named_numbers(COUNTERS)
    }
}
