//! The transactions of the user's statements in a trial that is itself one transaction: each is a savepoint.

use super::Origin;
use super::SqliteTrial;
use super::confinement::Control;
use super::confinement::Watch;
use super::confinement::held;
use super::in_place;
use super::in_place::Step;
use crate::engine::EngineError;
use crate::engine::sqlite::failure;
use crate::engine::sqlite::session;
use crate::engine::trial::StatementExecution;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::statement::Statement;
use crate::sql::quoted;

const SAVEPOINT: &str = "fk_doctor_transaction";

/// An open transaction.
#[derive(Default)]
pub(super) struct Transaction {
    /// False if a savepoint began the transaction, so that its release commits.
    is_begun: bool,
    /// The savepoints with the number of steps before each.
    savepoints: Vec<(String, usize)>,
    /// The number of steps before the transaction.
    steps: usize,
}

impl SqliteTrial {
    /// Begins the savepoint of a transaction.
    pub(super) fn begin_transaction(&mut self, is_begun: bool) -> Result<(), EngineError> {
        self.batch(&format!("SAVEPOINT {SAVEPOINT}"))?;
        if let Origin::InPlace(in_place) = &mut self.origin {
            let steps = in_place.steps.len();
            in_place.transaction = Some(Transaction { is_begun, savepoints: Vec::new(), steps });
        }
        Ok(())
    }

    /// Runs a statement that begins or ends a transaction.
    pub(super) fn run_control(&mut self, statement: &Statement) -> Result<StatementExecution, EngineError> {
        let refusal = match self.parsed(statement) {
            Ok(control) => self.follow(control)?,
            Err(refusal) => Some(*refusal),
        };
        Ok(StatementExecution { refusal, writes: Vec::new() })
    }

    /// Returns the statement as SQLite parses it. SQLite asks the authorizer before anything runs.
    fn parsed(&self, statement: &Statement) -> Result<Control, Box<Refusal>> {
        *held(&self.watch) = Watch { is_on: true, ..Watch::default() };
        let prepared = self.connection.prepare(&statement.text).map(|_| ());
        let watch = std::mem::take(&mut *held(&self.watch));
        prepared.map_err(|error| Box::new(failure::refusal(&error)))?;
        watch.control.ok_or_else(|| {
            let why = "fk-doctor cannot follow this statement about a transaction";
            Box::new(Refusal::new(RefusalKind::Forbidden, why))
        })
    }

    /// Returns SQLite's refusal of the statement, with SQLite's message.
    fn follow(&mut self, control: Control) -> Result<Option<Refusal>, EngineError> {
        let invalid = |message: &str| Ok(Some(Refusal::new(RefusalKind::Invalid, message)));
        let is_open = self.transaction().is_some();
        match control {
            Control::Begin if is_open => invalid("cannot start a transaction within a transaction"),
            Control::Begin => self.begin_transaction(true).map(|()| None),
            Control::Commit if !is_open => invalid("cannot commit - no transaction is active"),
            Control::Commit => self.commit(),
            Control::Rollback if !is_open => invalid("cannot rollback - no transaction is active"),
            Control::Rollback => {
                self.batch(&format!("ROLLBACK TO {SAVEPOINT}; RELEASE {SAVEPOINT}"))?;
                self.forget_transaction();
                self.forget_deferral().map(|()| None)
            }
            Control::Savepoint(name) => {
                if !is_open {
                    self.begin_transaction(false)?;
                }
                self.batch(&format!("SAVEPOINT {}", quoted(&name)))?;
                if let Some((transaction, steps)) = self.transaction() {
                    transaction.savepoints.push((name, steps.len()));
                }
                Ok(None)
            }
            Control::Release(name) => match self.savepoint(&name) {
                None => invalid(&format!("no such savepoint: {name}")),
                Some((0, false)) => self.commit(),
                Some((index, _)) => {
                    self.batch(&format!("RELEASE {}", quoted(&name)))?;
                    if let Some((transaction, _)) = self.transaction() {
                        transaction.savepoints.truncate(index);
                    }
                    Ok(None)
                }
            },
            Control::RollbackTo(name) => match self.savepoint(&name) {
                None => invalid(&format!("no such savepoint: {name}")),
                Some((index, _)) => {
                    self.batch(&format!("ROLLBACK TO {}", quoted(&name)))?;
                    if let Some((transaction, steps)) = self.transaction() {
                        transaction.savepoints.truncate(index + 1);
                        steps.truncate(transaction.savepoints[index].1);
                    }
                    Ok(None)
                }
            },
        }
    }

    /// Ends the transaction like COMMIT: a violated deferred foreign key refuses it, and the transaction stays open.
    fn commit(&mut self) -> Result<Option<Refusal>, EngineError> {
        if let Some(refusal) = self.deferred_refusal()? {
            return Ok(Some(refusal));
        }
        self.batch(&format!("RELEASE {SAVEPOINT}"))?;
        if let Origin::InPlace(in_place) = &mut self.origin {
            in_place.transaction = None;
        }
        self.forget_deferral().map(|()| None)
    }

    /// Returns SQLite's refusal of a COMMIT because of deferred foreign keys.
    pub(super) fn deferred_refusal(&self) -> Result<Option<Refusal>, EngineError> {
        let violates = in_place::violates_deferred_key(&self.connection).map_err(|error| failure::failed(&error))?;
        Ok(violates.then(|| Refusal::new(RefusalKind::ForeignKey, "FOREIGN KEY constraint failed")))
    }

    /// A commit or rollback resets PRAGMA defer_foreign_keys.
    pub(super) fn forget_deferral(&mut self) -> Result<(), EngineError> {
        match &mut self.origin {
            Origin::InPlace(in_place) if in_place.has_set_deferral && in_place.transaction.is_none() => {
                in_place.has_set_deferral = false;
                self.batch("PRAGMA defer_foreign_keys = OFF")
            }
            _ => Ok(()),
        }
    }

    /// Begins again after a statement has rolled back the whole trial, and repeats the steps that the user's database would
    /// have kept: those before the transaction of that statement.
    pub(super) fn restore(&mut self) -> Result<(), EngineError> {
        self.forget_transaction();
        let Origin::InPlace(in_place) = &mut self.origin else { return Ok(()) };
        in_place.begin_again(&self.connection, &self.name, &self.limits)?;
        in_place.has_set_deferral = false;
        let steps = std::mem::take(&mut in_place.steps);
        // The steps of a transaction may have violated foreign keys for a while.
        self.batch("PRAGMA defer_foreign_keys = ON")?;
        for step in &steps {
            match step {
                Step::Prepared(statements) => {
                    for sql in statements {
                        let done = session::run(&self.connection, sql, &mut |_| {});
                        done.map_err(|error| failure::failed(&error))?;
                    }
                }
                Step::Executed(statement) => {
                    if let Some(refusal) = self.run(statement)?.refusal {
                        return Err(EngineError::Failed { why: refusal.message });
                    }
                }
            }
        }
        self.batch("PRAGMA defer_foreign_keys = OFF")?;
        if let Origin::InPlace(in_place) = &mut self.origin {
            in_place.steps = steps;
        }
        Ok(())
    }

    /// Forgets the open transaction with its steps.
    fn forget_transaction(&mut self) {
        if let Origin::InPlace(in_place) = &mut self.origin
            && let Some(transaction) = in_place.transaction.take()
        {
            in_place.steps.truncate(transaction.steps);
        }
    }

    /// Returns the open transaction, with all steps of the trial.
    fn transaction(&mut self) -> Option<(&mut Transaction, &mut Vec<Step>)> {
        match &mut self.origin {
            Origin::InPlace(in_place) => Some((in_place.transaction.as_mut()?, &mut in_place.steps)),
            Origin::Copy { .. } | Origin::Clone { .. } => None,
        }
    }

    /// Returns the index of the latest savepoint with this name; true if BEGIN began the transaction.
    fn savepoint(&mut self, name: &str) -> Option<(usize, bool)> {
        let (transaction, _) = self.transaction()?;
        let index = transaction.savepoints.iter().rposition(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((index, transaction.is_begun))
    }
}
