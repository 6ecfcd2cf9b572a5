//! The trial in PostgreSQL: one transaction of the database itself, which is never committed.
//!
//! A statement of the user runs with the settings of the role; queries of fk-doctor run with their own settings. Rows
//! that a statement writes stay locked until the end of the trial, and every wait has a limit.

use super::connection::Connection;
use super::failure;
use super::introspect;
use super::transaction;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::engine::trial::InsertOutcome;
use crate::engine::trial::StatementExecution;
use crate::engine::trial::Trial;
use crate::engine::trial::WriteCounts;
use crate::engine::wire::Failure;
use crate::engine::wire::trial::TrialConnection;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::refusal::Refusal;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::model::trial_method::TrialMethod;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

/// The settings that affect the meaning of a statement.
const SETTINGS: [&str; 9] = [
    "search_path",
    "row_security",
    "standard_conforming_strings",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "lc_monetary",
    "extra_float_digits",
    "bytea_output",
];

/// Rows written so far by this transaction, by table.
const WRITTEN: &str = "SELECT schemaname::text, relname::text, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_user_tables \
     WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname !~ '^pg_temp' ORDER BY 1, 2";

/// Rows such as ('orders_id_seq', 17). Sequences that this role may not see are missing.
const COUNTERS: &str = "SELECT CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END || sequencename::text, \
     coalesce(last_value, 0)::int8 FROM pg_catalog.pg_sequences ORDER BY 1";

const TRIGGERS: &str = "SELECT t.tgname::text FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' \
     AND n.nspname = $1::text AND c.relname = $2::text ORDER BY 1";

const NAMED: &str = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class AS c \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1::text)";

pub(super) struct PostgresTrial {
    address: Address,
    limits: WaitLimits,
    connection: Connection,
    /// The role's values of [`SETTINGS`].
    user_settings: Vec<Value>,
    /// True if the role's settings are active.
    as_user: bool,
    in_transaction: bool,
}

impl PostgresTrial {
    pub(super) fn open(address: &Address, limits: &WaitLimits) -> Result<PostgresTrial, EngineError> {
        let begun = || {
            let mut connection = Connection::open(address, &limits.deadline)?;
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ".to_owned(), &limits.deadline)?;
            let settings: Vec<String> =
                SETTINGS.iter().map(|name| format!("pg_catalog.current_setting('{name}')")).collect();
            let mut user_settings = Vec::new();
            let question = format!("SELECT {}", settings.join(", "));
            connection.ask(&question, &[], &limits.deadline, &mut |row| user_settings = row.to_vec())?;
            connection.run(transaction::settings(limits), &limits.deadline)?;
            Ok((connection, user_settings))
        };
        let (connection, user_settings) =
            begun().map_err(|failure: Failure| failure::database_error(&failure, address))?;
        let (address, limits) = (address.clone(), limits.clone());
        Ok(PostgresTrial { address, limits, connection, user_settings, as_user: false, in_transaction: false })
    }

    /// Activates the settings of the role, or those of fk-doctor.
    fn use_settings_of_user(&mut self, as_user: bool) -> Result<(), EngineError> {
        if self.as_user == as_user {
            return Ok(());
        }
        self.as_user = as_user;
        if !as_user {
            return self.run(&transaction::settings(&self.limits));
        }
        let set = SETTINGS.iter().enumerate();
        let set: Vec<String> =
            set.map(|(i, name)| format!("pg_catalog.set_config('{name}', ${}::text, true)", i + 1)).collect();
        let question = format!("SELECT {}", set.join(", "));
        let done = self.connection.ask(&question, &self.user_settings, &self.limits.deadline, &mut |_| {});
        done.map_err(|failure| failure::query_error(failure, &self.address))
    }

    fn limit(&mut self) -> Result<(), EngineError> {
        self.run(&transaction::statement_limit(&self.limits))
    }

    /// Runs all statements, or rolls them back.
    fn all_or_nothing(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.limit()?;
        self.run("SAVEPOINT fk_doctor_arrange")?;
        let done = preparations.iter().try_for_each(|sql| self.each(sql.text(), sql.parameters(), &mut |_| {}));
        let end = match done {
            Ok(()) => "RELEASE SAVEPOINT fk_doctor_arrange",
            Err(_) => "ROLLBACK TO SAVEPOINT fk_doctor_arrange; RELEASE SAVEPOINT fk_doctor_arrange",
        };
        if self.connection.is_open() {
            self.run(end)?;
        }
        done
    }

    /// Checks the deferred constraints now. They stay deferred.
    fn check_deferred(&mut self) -> Result<Option<Refusal>, EngineError> {
        self.run("SAVEPOINT fk_doctor_end")?;
        let refusal = self.attempt("SET CONSTRAINTS ALL IMMEDIATE", &[])?;
        self.run("ROLLBACK TO SAVEPOINT fk_doctor_end; RELEASE SAVEPOINT fk_doctor_end")?;
        Ok(refusal)
    }

    /// Runs a transaction statement of the script. Its transactions are savepoints within the trial's transaction.
    fn transaction(&mut self, statement: &Statement) -> Result<Option<Refusal>, EngineError> {
        let words = statement.text.to_ascii_uppercase();
        let is = |word: &str| words.starts_with(word);
        if is("BEGIN") || is("START") {
            self.in_transaction = true;
            self.run("SAVEPOINT fk_doctor_transaction")?;
            return Ok(None);
        }
        let to_savepoint = words.contains(" TO ");
        if is("COMMIT") || (is("END") && !to_savepoint) {
            let refusal = if self.in_transaction { self.check_deferred()? } else { None };
            if refusal.is_some() {
                self.run("ROLLBACK TO SAVEPOINT fk_doctor_transaction")?;
            }
            self.in_transaction = false;
            return Ok(refusal);
        }
        if is("ROLLBACK") && !to_savepoint {
            if self.in_transaction {
                self.run("ROLLBACK TO SAVEPOINT fk_doctor_transaction")?;
            }
            self.in_transaction = false;
            return Ok(None);
        }
        self.run("SAVEPOINT fk_doctor_guard")?;
        let refusal = self.attempt(&statement.text, &[])?;
        if refusal.is_some() {
            self.run("ROLLBACK TO SAVEPOINT fk_doctor_guard")?;
        }
        Ok(refusal)
    }
}

impl TrialConnection for PostgresTrial {
    fn run(&mut self, statements: &str) -> Result<(), EngineError> {
        let done = self.connection.run(statements.to_owned(), &self.limits.deadline);
        done.map_err(|failure| failure::query_error(failure, &self.address))
    }

    fn each(&mut self, question: &str, given: &[Value], each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.connection.ask(question, given, &self.limits.deadline, each);
        answer.map_err(|failure| failure::query_error(failure, &self.address))
    }

    fn attempt(&mut self, text: &str, given: &[Value]) -> Result<Option<Refusal>, EngineError> {
        let done = self.connection.execute(text, given, &self.limits.deadline);
        match done {
            Ok(()) => Ok(None),
            Err(failure) => failure::refusal(failure, &self.address).map(Some),
        }
    }
}

impl Session for PostgresTrial {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        self.use_settings_of_user(false)?;
        self.limit()?;
        self.run("SAVEPOINT fk_doctor_question")?;
        let answer = self.each(sql.text(), sql.parameters(), each);
        if self.connection.is_open() {
            self.run("ROLLBACK TO SAVEPOINT fk_doctor_question; RELEASE SAVEPOINT fk_doctor_question")?;
        }
        answer
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Trial for PostgresTrial {
    fn method(&self) -> TrialMethod {
        TrialMethod::OnServer
    }

    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        self.use_settings_of_user(false)?;
        introspect::catalog(&mut self.connection, &self.limits.deadline)
            .map_err(|failure| failure::database_error(&failure, &self.address))
    }

    fn prepare(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.use_settings_of_user(false)?;
        self.all_or_nothing(preparations)
    }

    fn prepare_as_user(&mut self, preparations: &[Sql]) -> Result<(), EngineError> {
        self.use_settings_of_user(true)?;
        self.all_or_nothing(preparations)
    }

    fn execute(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        self.use_settings_of_user(true)?;
        self.limit()?;
        if statement.kind == StatementKind::Transaction {
            return Ok(StatementExecution { refusal: self.transaction(statement)?, writes: Vec::new() });
        }
        self.run("SAVEPOINT fk_doctor_try")?;
        let mut refusal = self.attempt(&statement.text, &statement.parameters)?;
        if refusal.is_none() && !self.in_transaction {
            refusal = self.check_deferred()?;
        }
        if refusal.is_some() {
            self.run("ROLLBACK TO SAVEPOINT fk_doctor_try")?;
        }
        self.run("RELEASE SAVEPOINT fk_doctor_try")?;
        Ok(StatementExecution { refusal, writes: Vec::new() })
    }

    fn insert_rows(&mut self, insert: &[Sql], collisions: Option<&Sql>) -> Result<InsertOutcome, EngineError> {
        self.use_settings_of_user(true)?;
        self.put_rows(insert, collisions)
    }

    fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn table_named(&mut self, typed: &str, _: &[&str]) -> Result<Option<TableName>, EngineError> {
        self.use_settings_of_user(true)?;
        let mut found = None;
        self.each(NAMED, &[Value::text(typed)], &mut |row| found = table_name(row))?;
        Ok(found)
    }

    fn triggers_of(&mut self, table: &Table) -> Result<Vec<String>, EngineError> {
        self.use_settings_of_user(false)?;
        let schema = table.name.schema.as_deref().unwrap_or(introspect::DEFAULT_SCHEMA);
        self.names(TRIGGERS, &[Value::text(schema), Value::text(&table.name.table)])
    }

    fn counters(&mut self) -> Result<Vec<(String, i64)>, EngineError> {
        self.use_settings_of_user(false)?;
        self.named_numbers(COUNTERS)
    }

    fn write_counts(&mut self) -> Result<Option<Vec<WriteCounts>>, EngineError> {
        self.use_settings_of_user(false)?;
        let mut found = Vec::new();
        self.each(WRITTEN, &[], &mut |row| {
            let number = |column: usize| row[column].as_integer().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            if let Some(table) = table_name(row) {
                found.push(WriteCounts { table, inserted: number(2), updated: number(3), deleted: number(4) });
            }
        })?;
        Ok(Some(found))
    }
}

/// Returns the table of a row that begins with a schema and a table.
fn table_name(row: &[Value]) -> Option<TableName> {
    let (schema, table) = (row.first()?.as_text()?, row.get(1)?.as_text()?);
    let schema = (schema != introspect::DEFAULT_SCHEMA).then(|| schema.to_owned());
    Some(TableName { schema, table: table.to_owned() })
}
