//! The one connection that writes, in one transaction.
//!
//! Foreign keys stay enforced while a plan is applied: it brings parents before their children. Only where orphans come
//! back, or triggers are to be silent, the session plays a replica, which the server lets few roles do.

use std::path::Path;
use std::time::Duration;

use super::connection::Connection;
use super::failure;
use super::transaction;
use crate::engine::Damage;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::engine::wire::Failure;
use crate::engine::write::WriteOptions;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::sql::Sql;
use crate::model::value::Value;
use crate::source::Address;

/// How often a transaction is begun that the server ends because of others.
const ATTEMPTS: u32 = 5;

/// How often the server is asked what became of a commit whose answer was lost.
const QUESTIONS: u32 = 20;

/// Rows that this transaction has changed so far, anywhere.
const CHANGED: &str = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int8 FROM pg_stat_xact_user_tables";

pub(super) struct PostgresWriter {
    address: Address,
    patience: Patience,
    options: WriteOptions,
    connection: Connection,
    /// The transaction's number, under which the server remembers its end.
    number: i64,
    changed: u64,
}

impl PostgresWriter {
    pub(super) fn open(
        address: &Address,
        patience: &Patience,
        options: WriteOptions,
    ) -> Result<PostgresWriter, EngineError> {
        let connection = Connection::open(address, &patience.deadline)
            .map_err(|failure| failure::of_the_database(&failure, address))?;
        Ok(PostgresWriter {
            address: address.clone(),
            patience: patience.clone(),
            options,
            connection,
            number: 0,
            changed: 0,
        })
    }

    fn try_to_begin(&mut self, lock: Option<&Sql>) -> Result<(), Failure> {
        let deadline = &self.patience.deadline;
        self.connection.run(transaction::begin_writing(&self.patience), deadline)?;
        if self.options.no_triggers || self.options.takes_back {
            self.connection.run(transaction::AS_REPLICA.to_owned(), deadline)?;
        }
        if let Some(lock) = lock {
            self.connection.ask(lock.text(), lock.parameters(), deadline, &mut |_| {})?;
        }
        self.number = self.one_number("SELECT txid_current()")?;
        self.changed = self.count()?;
        Ok(())
    }

    fn one_number(&mut self, question: &str) -> Result<i64, Failure> {
        let mut number = 0;
        self.connection.ask(question, &[], &self.patience.deadline, &mut |row| {
            number = row.first().and_then(Value::as_integer).unwrap_or(0);
        })?;
        Ok(number)
    }

    fn count(&mut self) -> Result<u64, Failure> {
        Ok(u64::try_from(self.one_number(CHANGED)?).unwrap_or(0))
    }

    fn failed(&self, failure: Failure) -> EngineError {
        failure::of_a_question(failure, &self.address)
    }

    fn unwritable(&self, failure: &Failure) -> EngineError {
        let help = match failure {
            Failure::Refused { code, .. } if code == failure::LOCK_NOT_AVAILABLE => {
                "nothing was changed: another session holds a lock; wait longer with --wait"
            }
            Failure::Refused { code, .. } if code == failure::INSUFFICIENT_PRIVILEGE && self.options.takes_back => {
                "nothing was changed: orphans come back only through a superuser, or a role that may SET session_replication_role"
            }
            Failure::Refused { code, .. } if code == failure::INSUFFICIENT_PRIVILEGE => {
                "nothing was changed: both tables of a relation must be writable, and --no-triggers needs a role that may SET session_replication_role"
            }
            _ => "nothing was changed: try again",
        };
        EngineError::Unwritable {
            what: format!("to {}", self.address),
            why: self.address.censored(&failure.why()),
            help: help.to_owned(),
        }
    }

    /// What became of the transaction, as a new connection is told.
    fn outcome(&self) -> Option<bool> {
        for attempt in 0..QUESTIONS {
            std::thread::sleep(Duration::from_millis(u64::from(attempt.min(5)) * 100));
            let Ok(mut connection) = Connection::open(&self.address, &Deadline::default()) else { continue };
            let mut status = None;
            let question = "SELECT txid_status($1::int8)::text";
            let take = &mut |row: &[Value]| status = row.first().and_then(Value::as_text).map(str::to_owned);
            let number = [Value::Integer(self.number)];
            if connection.ask(question, &number, &Deadline::default(), take).is_err() {
                continue;
            }
            match status.as_deref() {
                Some("committed") => return Some(true),
                Some("aborted") => return Some(false),
                // It may still be at it.
                _ => {}
            }
        }
        None
    }
}

impl Session for PostgresWriter {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.connection.ask(sql.text(), sql.parameters(), &self.patience.deadline, each);
        answer.map_err(|failure| self.failed(failure))
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl Writer for PostgresWriter {
    fn begin(&mut self, lock: Option<&Sql>) -> Result<(), EngineError> {
        let mut attempt = 1;
        loop {
            match self.try_to_begin(lock) {
                Ok(()) => return Ok(()),
                Err(Failure::Refused { code, .. }) if failure::passes(&code) && attempt < ATTEMPTS => {
                    attempt += 1;
                    self.rollback();
                }
                Err(failure) => {
                    self.rollback();
                    return Err(self.unwritable(&failure));
                }
            }
        }
    }

    fn change(&mut self, statement: &Sql) -> Result<u64, EngineError> {
        let deadline = &self.patience.deadline;
        let done = self.connection.ask(statement.text(), statement.parameters(), deadline, &mut |_| {});
        let count = done.and_then(|()| self.count());
        let count = count.map_err(|failure| self.failed(failure))?;
        let before = std::mem::replace(&mut self.changed, count);
        Ok(count.saturating_sub(before))
    }

    fn define(&mut self, statement: &Sql) -> Result<(), EngineError> {
        // The server redefines no table for which something deferred is still to happen.
        let done = ["SET CONSTRAINTS ALL IMMEDIATE", statement.text()]
            .into_iter()
            .try_for_each(|text| self.connection.run(text.to_owned(), &self.patience.deadline));
        done.map_err(|failure| match failure {
            Failure::Refused { ref code, .. } if *code == failure::LOCK_NOT_AVAILABLE => self.unwritable(&failure),
            failure => self.failed(failure),
        })
    }

    fn commit(&mut self) -> Result<(), EngineError> {
        // What was deferred happens now, where it can still be looked at.
        let settled = self.connection.run("SET CONSTRAINTS ALL IMMEDIATE".to_owned(), &self.patience.deadline);
        match settled.and_then(|()| self.count()) {
            Ok(count) if count == self.changed => {}
            Ok(count) => {
                self.rollback();
                let why = format!("a deferred trigger changed {} rows beyond the plan", count - self.changed);
                return Err(EngineError::Failed { why });
            }
            Err(failure) => {
                self.rollback();
                return Err(self.unwritable(&failure));
            }
        }
        match self.connection.run("COMMIT".to_owned(), &Deadline::default()) {
            Ok(()) => Ok(()),
            Err(failure) if self.connection.is_open() => {
                self.rollback();
                Err(self.unwritable(&failure))
            }
            Err(failure) => match self.outcome() {
                Some(true) => Ok(()),
                Some(false) => Err(self.unwritable(&failure)),
                None => Err(EngineError::Unwritable {
                    what: format!("to {}", self.address),
                    why: "the connection was lost during the commit, and the server cannot be asked what became of it"
                        .to_owned(),
                    help: "run the same command again: rows that are changed already are left as they are".to_owned(),
                }),
            },
        }
    }

    fn rollback(&mut self) {
        if self.connection.is_open() {
            // The server rolls back by itself whatever is left open.
            let _ = self.connection.run("ROLLBACK".to_owned(), &Deadline::default());
        }
    }

    /// The server finds damage when it reads, and says so.
    fn damage_anywhere(&mut self) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    fn back_up(&mut self, file: &Path) -> Result<(), EngineError> {
        Err(EngineError::Unwritable {
            what: format!("a backup to {}", file.display()),
            why: "a server's database is not a file".to_owned(),
            help: "make the backup with pg_dump".to_owned(),
        })
    }
}
