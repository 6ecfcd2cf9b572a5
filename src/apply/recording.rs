//! Reads the record of a plan at the start of a transaction, and writes it before the commit. If the response to a commit is
//! lost, the record shows whether the commit succeeded.

use super::ApplyError;
use super::Direction;
use super::journal;
use super::record::Record;
use super::walk::Walk;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::CommitOutcome;
use crate::engine::write::Writer;
use crate::model::image_match::ImageMatch;
use crate::model::plan::ChangeRole;
use crate::model::state::Operation;
use crate::model::state::Phase;
use crate::model::state::PlanState;
use crate::model::state::StateEntry;

/// The number of rows that are compared to find out whether a transaction was committed.
const SAMPLED_ROWS: usize = 100;

impl Walk<'_> {
    pub(super) fn record(&self) -> Result<&Record, ApplyError> {
        self.record.as_ref().ok_or_else(|| self.refused("its state was not read".to_owned(), "repeat the command"))
    }

    pub(super) fn record_mut(&mut self) -> Result<&mut Record, ApplyError> {
        let missing = self.refused("its state was not read".to_owned(), "repeat the command");
        self.record.as_mut().ok_or(missing)
    }

    /// Reads the record in the current transaction.
    pub(super) fn load(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        let is_first = self.record.is_none();
        let plan = (self.reading.plan.path(), self.reading.plan.digest());
        let run = (self.options.run, self.options.at);
        let mut record = Record::load(writer, self.options, plan, run)?;
        if self.options.direction == Direction::Undo || journal::begun(plan.0).is_some() {
            record.refuse_if_hidden()?;
        }
        if let Some(entry) = record.in_doubt.take() {
            let is_committed = self.is_committed(writer, &entry, &record.state)?;
            record.finish_entry(entry.number, is_committed)?;
            if is_committed {
                record.state.add(&entry);
            }
        }
        if is_first {
            self.applied_before = match self.options.direction {
                Direction::Apply => record.state.ours.len(),
                Direction::Undo => record.state.taken_back.len(),
            };
        }
        self.record = Some(record);
        Ok(())
    }

    /// Returns the state in the record, for a session that only reads.
    pub(super) fn read_record(&mut self, session: &mut dyn Session) -> Result<PlanState, ApplyError> {
        let plan = (self.reading.plan.path(), self.reading.plan.digest());
        let mut record = Record::load(session, self.options, plan, ("", ""))?;
        record.refuse_if_hidden()?;
        if let Some(entry) = record.in_doubt.take()
            && self.is_committed(session, &entry, &record.state)?
        {
            record.state.add(&entry);
        }
        self.done.journal = record.journal().map(std::path::Path::to_owned);
        Ok(record.state)
    }

    /// True if an entry was committed of which the journal has only the intent. Its rows show this, because one transaction changed
    /// them all. Other sessions may have changed some of them since, so the majority decides.
    fn is_committed(
        &mut self,
        session: &mut dyn Session,
        entry: &StateEntry,
        before: &PlanState,
    ) -> Result<bool, ApplyError> {
        let is_left = |position: u64| entry.left.iter().any(|run| (run.first..=run.last).contains(&position));
        let (mut after, mut before_it) = (0, 0);
        for position in (entry.first..=entry.last).filter(|position| !is_left(*position)) {
            let position = usize::try_from(position).unwrap_or(usize::MAX);
            // A row that had these values before the entry is no evidence.
            if before.ours.contains(position) == (entry.operation == Operation::Apply) {
                continue;
            }
            let change = self.reading.plan.change(position)?;
            if change.role() == ChangeRole::Counter {
                continue;
            }
            let change = if entry.operation == Operation::Undo { change.inverse() } else { change };
            match self.compare_rows(session, &change.table.to_string(), &[&change])?[..] {
                [ImageMatch::After] => after += 1,
                [ImageMatch::Before] => before_it += 1,
                _ => {}
            }
            if after + before_it >= SAMPLED_ROWS {
                break;
            }
        }
        Ok(after > before_it)
    }

    /// Records that the run is complete.
    pub(super) fn close(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        let phase = self.last_phase();
        // The write is idempotent, so a commit whose response was lost is repeated once.
        for _ in 0..2 {
            writer.begin(None)?;
            if !self.options.facts().defines_at_once() {
                self.drop_empty_tables(writer)?;
            }
            self.record_mut()?.write_phase(writer, phase)?;
            if writer.commit()? == CommitOutcome::Committed {
                break;
            }
        }
        self.record_mut()?.commit_phase()
    }

    pub(super) fn last_phase(&self) -> Phase {
        match self.options.direction {
            Direction::Apply => Phase::Applied,
            Direction::Undo => Phase::TakenBack,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.options.direction {
            Direction::Apply => Phase::Applying,
            Direction::Undo => Phase::TakingBack,
        }
    }

    pub(super) fn mark(&self) -> Result<(), ApplyError> {
        let plan = &self.reading.plan;
        journal::mark(plan.path(), plan.digest(), &plan.header.database, self.options.run, self.options.at)
    }

    pub(super) fn prepare_record(&mut self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        let path = self.reading.plan.path().to_owned();
        self.record_mut()?.prepare(writer, &path)
    }

    /// Records an operation on a table or definition. If the engine commits such an operation at once, the entry has a transaction
    /// of its own.
    pub(super) fn note(&mut self, writer: &mut dyn Writer, operation: Operation) -> Result<(), ApplyError> {
        if !self.options.facts().defines_at_once() {
            return self.note_in_transaction(writer, operation).map(|_| ());
        }
        writer.rollback();
        writer.begin(None)?;
        let number = self.note_in_transaction(writer, operation)?;
        match writer.commit()? {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::Unknown(why) => self.resolve_lost_commit(writer, number, &why),
        }
    }

    /// Records an operation in the current transaction, and returns the number of the entry.
    pub(super) fn note_in_transaction(
        &mut self,
        writer: &mut dyn Writer,
        operation: Operation,
    ) -> Result<i64, ApplyError> {
        let phase = self.phase();
        let record = self.record_mut()?;
        let entry = record.entry(operation, (0, 0), 0, Vec::new());
        let number = entry.number;
        record.write(writer, entry, phase)?;
        // The journal counts such an operation as done. The changes of rows have entries of their own.
        record.finish_entry(number, true)?;
        Ok(number)
    }

    /// Refuses to continue if another run of the plan wrote to the record, in case the locks failed.
    pub(super) fn refuse_if_overtaken(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        match self.record()?.overtaking_run(writer)? {
            None => Ok(()),
            Some(other) => Err(self.refused(
                format!("another run continues this plan ({other})"),
                "wait until that run ends; `fk-doctor status` shows its progress",
            )),
        }
    }

    /// Finds out from the record whether a commit succeeded whose response was lost. The record is read with the writer's locks, so
    /// that the server must first finish the lost transaction.
    pub(super) fn resolve_lost_commit(
        &mut self,
        writer: &mut dyn Writer,
        number: i64,
        lost: &str,
    ) -> Result<(), ApplyError> {
        let read = self.begin(writer).and_then(|()| self.load(writer));
        writer.rollback();
        let (why, help) = match read {
            Ok(()) if self.record()?.state.entries >= number => return Ok(()),
            Ok(()) => ("the connection was lost before the commit", "nothing was changed: repeat the command"),
            Err(_) => (
                "the connection was lost during the commit, and the outcome cannot be read",
                "repeat the command: it continues from the last commit",
            ),
        };
        let what = format!("to {}", self.reading.plan.header.database);
        Err(EngineError::Unwritable { what, why: format!("{why}: {lost}"), help: help.to_owned() }.into())
    }
}
