//! The only connection that writes to a server, one transaction at a time.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::Failure;
use super::gentle::is_of_locks;
use super::sets::LoadedBatch;
use super::writing::ServerErrorKind;
use super::writing::WriterConnection;
use crate::engine::Damage;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::engine::gentle_writer::GentleWriter;
use crate::engine::set_writer::SetWriter;
use crate::engine::write::CommitOutcome;
use crate::engine::write::WriteOptions;
use crate::engine::write::Writer;
use crate::model::backup::BackupOrigin;
use crate::model::catalog::Table;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

/// Delay between two attempts to take an advisory lock.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// The longest time for which a killed run may still hold its advisory lock. Its server first completes the current
/// statement.
const KILLED_RUN_TIMEOUT: Duration = Duration::from_secs(3);

pub(in crate::engine) struct ServerWriter<C> {
    address: Address,
    pub(super) limits: WaitLimits,
    options: WriteOptions,
    pub(super) connection: C,
    /// The server's number for the connection, by which a lost connection is ended.
    number: i64,
    /// The name of the advisory lock that keeps other writers out.
    name: Option<String>,
    /// True if the server ended the transaction, for example as a deadlock victim.
    lost_conflict: bool,
    /// True if a statement of the transaction failed because of a lock of another session.
    pub(super) met_lock: bool,
    /// True if the triggers that the transaction deferred have run.
    pub(super) deferred_has_run: bool,
    /// The number of the transaction, if it locked its tables at its beginning.
    pub(super) locked_transaction: Option<i64>,
    transactions: i64,
    pub(super) loaded: LoadedBatch,
}

impl<C: WriterConnection> ServerWriter<C> {
    pub(in crate::engine) fn open(
        address: &Address,
        limits: &WaitLimits,
        options: WriteOptions,
    ) -> Result<ServerWriter<C>, EngineError> {
        let connection = C::open(address, limits).map_err(|failure| C::database_error(&failure, address))?;
        let (address, limits) = (address.clone(), limits.clone());
        Ok(ServerWriter {
            address,
            limits,
            options,
            connection,
            number: 0,
            name: None,
            lost_conflict: false,
            met_lock: false,
            deferred_has_run: false,
            locked_transaction: None,
            transactions: 0,
            loaded: LoadedBatch::default(),
        })
    }

    /// Begins a transaction, on a new connection if the last one was lost.
    pub(super) fn try_to_begin(
        &mut self,
        begin: impl FnOnce(&mut C, &WaitLimits, WriteOptions) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.connection.is_open() {
            self.connection = C::open(&self.address, &self.limits)?;
            // The lost connection may still hold its locks. This fails if it has ended already, or belongs to another
            // user now.
            let _ = self.connection.run(C::end_other(self.number), &self.limits.deadline);
            self.retake_lock()?;
        }
        self.number = self.sum(C::NUMBER)?;
        begin(&mut self.connection, &self.limits, self.options)
    }

    /// Forgets the state of the last transaction.
    pub(super) fn forget_transaction(&mut self) {
        (self.lost_conflict, self.met_lock, self.deferred_has_run) = (false, false, false);
        self.locked_transaction = None;
        self.loaded = LoadedBatch::default();
    }

    pub(super) fn rollback_transaction(&mut self) {
        if self.connection.is_open() {
            // The server itself rolls back a transaction that stays open.
            let _ = self.connection.run("ROLLBACK".to_owned(), &Deadline::default());
        }
    }

    /// Takes the advisory lock again. The lost connection may hold it for a moment longer.
    fn retake_lock(&mut self) -> Result<(), Failure> {
        let Some(name) = self.name.clone() else { return Ok(()) };
        let start = Instant::now();
        while self.sum(&C::take_lock(&name))? != 1 {
            if start.elapsed() > self.limits.lock_wait {
                return Err(Failure::Unreachable {
                    why: "the connection was lost, and another run has begun".to_owned(),
                });
            }
            std::thread::sleep(RETRY_DELAY);
        }
        Ok(())
    }

    /// Returns the sum of the last column of an answer.
    fn sum(&mut self, question: &str) -> Result<i64, Failure> {
        let mut sum: i64 = 0;
        self.connection.ask(question, &[], &self.limits.deadline, &mut |row| {
            let number = row.last().and_then(|last| last.as_integer().or_else(|| last.as_text()?.parse().ok()));
            sum = sum.saturating_add(number.unwrap_or(0));
        })?;
        Ok(sum)
    }

    pub(super) fn count(&mut self) -> Result<u64, Failure> {
        Ok(u64::try_from(self.sum(C::CHANGED)?).unwrap_or(0))
    }

    /// Records whether the server ended the transaction because of other sessions.
    pub(super) fn record(&mut self, failure: Failure) -> Failure {
        if let Failure::Refused { code, .. } = &failure {
            self.lost_conflict |= C::kind(code) == ServerErrorKind::Conflict;
            self.met_lock |= is_of_locks(C::kind(code));
        }
        failure
    }

    /// Converts the failure of a statement. If the connection was lost too, the statement is not to blame.
    pub(super) fn failed(&mut self, failure: Failure) -> EngineError {
        let failure = self.record(failure);
        if self.connection.is_open() {
            return C::query_error(failure, &self.address);
        }
        EngineError::Unwritable {
            what: format!("to {}", self.address),
            why: self.address.censored(&format!("the connection was lost: {}", failure.why())),
            help: "nothing was changed: repeat the command".to_owned(),
        }
    }

    pub(super) fn unwritable(&self, failure: &Failure) -> EngineError {
        let kind = match failure {
            Failure::Refused { code, .. } => C::kind(code),
            _ => ServerErrorKind::Other,
        };
        let help = match kind {
            ServerErrorKind::Lock => "nothing was changed: another session holds a lock; wait longer with --wait",
            ServerErrorKind::Privilege => C::privileges(self.options),
            _ => "nothing was changed: try again",
        };
        EngineError::Unwritable {
            what: format!("to {}", self.address),
            why: self.address.censored(&failure.why()),
            help: help.to_owned(),
        }
    }

    /// Runs deferred triggers before the commit. After an error the transaction is rolled back.
    pub(super) fn run_deferred(&mut self) -> Result<(), EngineError> {
        if std::mem::replace(&mut self.deferred_has_run, true) {
            return Ok(());
        }
        let refused = match self.count_deferred() {
            Ok(0) => return Ok(()),
            Ok(rows) => EngineError::Failed { why: format!("a deferred trigger changed {rows} rows beyond the plan") },
            Err(failure) => self.unwritable(&failure),
        };
        self.rollback_transaction();
        Err(refused)
    }

    /// Runs deferred triggers now. Returns how many rows they changed, because they may change more than was planned.
    fn count_deferred(&mut self) -> Result<u64, Failure> {
        let Some(run_deferred) = C::RUN_DEFERRED else { return Ok(0) };
        let before = self.count()?;
        self.connection.run(run_deferred.to_owned(), &self.limits.deadline)?;
        Ok(self.count()?.saturating_sub(before))
    }
}

impl<C: WriterConnection + Send> Session for ServerWriter<C> {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let answer = self.connection.ask(sql.text(), sql.parameters(), &self.limits.deadline, each);
        answer.map_err(|failure| self.failed(failure))
    }

    /// The server itself reports damage when it reads.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

impl<C: WriterConnection + Send> Writer for ServerWriter<C> {
    fn exclude(&mut self, name: &str) -> Result<Option<String>, EngineError> {
        let failed = |failure: Failure, address: &Address| C::query_error(failure, address);
        let start = Instant::now();
        let longest = self.limits.lock_wait.min(KILLED_RUN_TIMEOUT);
        loop {
            if self.sum(&C::take_lock(name)).map_err(|failure| failed(failure, &self.address))? == 1 {
                self.name = Some(name.to_owned());
                return Ok(None);
            }
            if start.elapsed() > longest {
                break;
            }
            std::thread::sleep(RETRY_DELAY);
        }
        let mut who = String::new();
        let asked = self.connection.ask(&C::lock_holder(name), &[], &self.limits.deadline, &mut |row| {
            who = row.first().and_then(Value::as_text).unwrap_or_default().to_owned();
        });
        asked.map_err(|failure| failed(failure, &self.address))?;
        Ok(Some(who))
    }

    fn begin(&mut self, lock: Option<&Sql>) -> Result<(), EngineError> {
        self.forget_transaction();
        let begun = self.try_to_begin(|connection, limits, options| {
            connection.begin(limits, options)?;
            lock.map_or(Ok(()), |lock| connection.ask(lock.text(), lock.parameters(), &limits.deadline, &mut |_| {}))
        });
        if let Err(failure) = begun {
            let failure = self.record(failure);
            self.rollback();
            return Err(self.unwritable(&failure));
        }
        self.transactions += 1;
        self.locked_transaction = Some(self.transactions);
        Ok(())
    }

    fn change(&mut self, statement: &Sql) -> Result<u64, EngineError> {
        self.deferred_has_run = false;
        let changed = self.connection.change(statement.text(), statement.parameters(), &self.limits.deadline);
        changed.map_err(|failure| match self.record(failure) {
            failure if is_of::<C>(&failure, ServerErrorKind::Lock) => self.unwritable(&failure),
            failure => self.failed(failure),
        })
    }

    fn changed_so_far(&mut self) -> Result<u64, EngineError> {
        self.count().map_err(|failure| self.failed(failure))
    }

    fn sets(&mut self) -> Option<&mut dyn SetWriter> {
        Some(self)
    }

    fn gentle(&mut self) -> Option<&mut dyn GentleWriter> {
        Some(self)
    }

    fn define(&mut self, statement: &Sql) -> Result<(), EngineError> {
        // A server refuses to redefine a table that has pending deferred events.
        let mut statements = C::RUN_DEFERRED.into_iter().chain([statement.text()]);
        let done = statements.try_for_each(|text| self.connection.run(text.to_owned(), &self.limits.deadline));
        done.map_err(|failure| match self.record(failure) {
            failure if is_of::<C>(&failure, ServerErrorKind::Lock) => self.unwritable(&failure),
            failure if is_of::<C>(&failure, ServerErrorKind::Privilege) => EngineError::Unwritable {
                what: format!("to {}", self.address),
                why: self.address.censored(&failure.why()),
                help: "nothing was changed: definitions are changed by the owner of the tables".to_owned(),
            },
            failure => self.failed(failure),
        })
    }

    fn commit(&mut self) -> Result<CommitOutcome, EngineError> {
        self.run_deferred()?;
        match self.connection.run("COMMIT".to_owned(), &Deadline::default()) {
            Ok(()) => Ok(CommitOutcome::Committed),
            Err(failure) if self.connection.is_open() => {
                let failure = self.record(failure);
                self.rollback();
                Err(self.unwritable(&failure))
            }
            Err(failure) => Ok(CommitOutcome::Unknown(self.address.censored(&failure.why()))),
        }
    }

    fn rollback(&mut self) {
        self.rollback_transaction();
    }

    fn lost_conflict(&self) -> bool {
        self.lost_conflict
    }

    /// The server itself reports damage when it reads.
    fn database_damage(&mut self) -> Result<Option<String>, EngineError> {
        Ok(None)
    }

    fn back_up(&mut self, file: &Path) -> Result<BackupOrigin, EngineError> {
        Err(EngineError::Unwritable {
            what: format!("a backup to {}", file.display()),
            why: "a server's database is not a file".to_owned(),
            help: format!("make the backup with {}", C::BACKUP_TOOL),
        })
    }
}

fn is_of<C: WriterConnection>(failure: &Failure, kind: ServerErrorKind) -> bool {
    matches!(failure, Failure::Refused { code, .. } if C::kind(code) == kind)
}
