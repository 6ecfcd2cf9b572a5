//! Changes the rows of a plan batch by batch. Each batch checks its rows, changes them, and commits them with an entry in the
//! record.

use std::collections::BTreeMap;
use std::time::Instant;

use super::ApplyError;
use super::Direction;
use super::fit::Mismatches;
use super::gentle::Confirmation;
use super::gentle::met_lock;
use super::known_references::KnownReferences;
use super::portion::Fit;
use super::portion::Portion;
use super::portion::is_only_kept_out;
use super::sets::LinesOutcome;
use super::walk::Halt;
use super::walk::Side;
use super::walk::TransactionStart;
use super::walk::VerifyAt;
use super::walk::Walk;
use crate::engine::write::CommitOutcome;
use crate::engine::write::Writer;
use crate::model::batch_size::BatchSize;
use crate::model::plan::ChangeRole;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::state;
use crate::model::state::Operation;
use crate::model::state::Phase;
use crate::model::state::SkipReason;

/// The changes of the current transaction: their first and last position, the number of changes made, and the skipped ones.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) changed: u64,
    pub(super) left: BTreeMap<u64, SkipReason>,
}

impl Walk<'_> {
    /// Changes all rows, batch by batch.
    pub(super) fn change_all(&mut self, writer: &mut dyn Writer) -> Result<(), Halt> {
        let mut batch = self.options.batch.map_or(usize::MAX, BatchSize::first);
        self.end_comparison(writer, batch)?;
        let total = self.reading.plan.changes();
        (self.options.progress)(&ProgressStep::of(RunPhase::ChangeRows, 0, total));
        let mut first = 0;
        loop {
            self.change_batches(writer, first, &mut batch)?;
            self.check_pending_orphans(writer, true)?;
            if self.has_left_rows && self.done.total() == 0 {
                // A run that can change no row leaves no trace.
                return Err(Halt::Retry);
            }
            if !self.is_gentle() {
                return self.finish(writer);
            }
            (self.options.progress)(&ProgressStep::of(RunPhase::Commit, 0, 0));
            if self.try_commit(writer)? {
                return self.finish_gently(writer);
            }
            first = self.restart_transaction(writer, batch)?;
        }
    }

    /// Changes all rows from a step on, and commits them batch by batch, except the last one.
    fn change_batches(&mut self, writer: &mut dyn Writer, first: usize, batch: &mut usize) -> Result<(), Halt> {
        let total = self.reading.plan.changes();
        let (mut step, mut in_batch, mut start) = (first, 0, Instant::now());
        while step < total {
            if in_batch == 0 || self.options.batch.is_none() {
                self.stop_if_asked(step)?;
            }
            let most = batch.saturating_sub(in_batch).clamp(1, self.portion_size());
            let (lines, needs_locks) = match self.try_lines(writer, step, most)? {
                LinesOutcome::Done(lines) => (lines, false),
                LinesOutcome::Divided => continue,
                LinesOutcome::NeedsLocks if in_batch > 0 => (0, true),
                LinesOutcome::NotExact | LinesOutcome::NeedsLocks | LinesOutcome::TableHeld => {
                    step = self.restart_transaction(writer, *batch)?;
                    (in_batch, start) = (0, Instant::now());
                    continue;
                }
            };
            step += lines;
            in_batch += lines;
            (self.options.progress)(&ProgressStep::of(RunPhase::ChangeRows, step, total));
            let is_full = step < total && (in_batch >= *batch || self.has_unconfirmed());
            let is_whole = is_full && self.check_pending_orphans(writer, in_batch >= batch.saturating_mul(10))?;
            if !is_whole && !needs_locks {
                continue;
            }
            if self.try_commit(writer)? {
                if let Some(size) = self.options.batch.filter(|_| in_batch >= self.portion_size().min(*batch)) {
                    *batch = size.next(*batch, in_batch, self.locked_since().unwrap_or(start).elapsed());
                }
                self.begin_next(writer, step, *batch)?;
            } else {
                step = self.restart_transaction(writer, *batch)?;
            }
            (in_batch, start) = (0, Instant::now());
        }
        Ok(())
    }

    /// Changes the rows of about `most` lines from a step on. If a row or a table is locked, the lines wait or are left.
    fn try_lines(&mut self, writer: &mut dyn Writer, step: usize, most: usize) -> Result<LinesOutcome, Halt> {
        match self.change_lines(writer, step, self.narrowed(step, most)) {
            Err(Halt::Error(error)) if self.is_gentle() && met_lock(writer) => {
                // The pause must hold no lock.
                writer.rollback();
                if self.give_way(step, most)? { Ok(LinesOutcome::NotExact) } else { Err(error.into()) }
            }
            Ok(LinesOutcome::TableHeld) => {
                writer.rollback();
                self.wait_for_table()?;
                Ok(LinesOutcome::NotExact)
            }
            outcome => outcome,
        }
    }

    /// Commits a batch. Returns false if it has to be rolled back and tried again.
    fn try_commit(&mut self, writer: &mut dyn Writer) -> Result<bool, Halt> {
        let confirmation = self.commit(writer, self.phase())?;
        if confirmation != Confirmation::Confirmed {
            // The pause must hold no lock.
            writer.rollback();
        }
        if confirmation == Confirmation::TableHeld {
            self.wait_for_table()?;
        }
        Ok(confirmation == Confirmation::Confirmed)
    }

    /// Changes the definitions that come last, verifies the changes, and commits the last transaction.
    fn finish(&mut self, writer: &mut dyn Writer) -> Result<(), Halt> {
        let defines_at_once = self.options.facts().defines_at_once();
        if !defines_at_once {
            self.redefine(writer, Side::After)?;
            self.drop_empty_tables(writer)?;
        }
        match self.options.direction {
            Direction::Apply => self.verify(writer, VerifyAt::BeforeCommit)?,
            Direction::Undo => self.count_after(writer)?,
        }
        (self.options.progress)(&ProgressStep::of(RunPhase::Commit, 0, 0));
        let phase = if defines_at_once { self.phase() } else { self.last_phase() };
        self.commit(writer, phase)?;
        Ok(())
    }

    /// Begins the transaction of the next batch, which starts at this step.
    fn begin_next(&mut self, writer: &mut dyn Writer, step: usize, most: usize) -> Result<(), Halt> {
        self.end_wait();
        (self.options.between)()?;
        self.transaction = Some(TransactionStart::new(step, self.left_orphans.clone()));
        self.begin_transaction(writer, step, most)
    }

    /// Ends a run beside other sessions. The changes are verified in a transaction that holds no lock of a row.
    fn finish_gently(&mut self, writer: &mut dyn Writer) -> Result<(), Halt> {
        if self.waits_for_rows() {
            return Ok(());
        }
        self.begin_comparison(writer)?;
        self.refuse_if_overtaken(writer)?;
        match self.options.direction {
            Direction::Apply => self.verify(writer, VerifyAt::AfterBatches)?,
            Direction::Undo => self.count_after(writer)?,
        }
        if !self.options.facts().defines_at_once() {
            self.drop_empty_tables(writer)?;
        }
        self.commit(writer, self.last_phase())?;
        Ok(())
    }

    /// Rolls the current transaction back and starts it again. Returns its first step. The first transaction of a walk also created
    /// tables, so the whole run starts again.
    fn restart_transaction(&mut self, writer: &mut dyn Writer, most: usize) -> Result<usize, Halt> {
        let Some(start) = &self.transaction else {
            self.avoids_sets = true;
            return Err(Halt::Retry);
        };
        let step = start.step;
        self.left_orphans.clone_from(&start.left_orphans);
        // The transaction's rows are gone, and with them all that was learned from them.
        start.made_keys.iter().for_each(|key| _ = self.made_keys.remove(key));
        self.known = KnownReferences::default();
        writer.rollback();
        self.done = self.committed.clone();
        self.batch = None;
        self.pending_orphans.clear();
        self.begin_transaction(writer, step, most)?;
        Ok(step)
    }

    pub(super) fn change(&mut self, writer: &mut dyn Writer, portion: &mut Portion) -> Result<(), Halt> {
        if !self.all_ready || portion.lines.iter().any(|line| line.change.role() == ChangeRole::Counter) {
            self.fit(writer, portion)?;
        }
        self.skip_needed_parents(writer, portion)?;
        if !self.options.skip_changed {
            let mut mismatches = Mismatches::default();
            self.collect_mismatches(writer, portion, &mut mismatches);
            if !mismatches.is_empty() {
                return Err(self.mismatch_error(&mismatches, false).into());
            }
        }
        let mut changed = 0;
        // Nothing is read meanwhile: a server may count the rows of its own temporary tables.
        let changed_before = writer.changed_so_far()?;
        for line in portion.lines.iter().filter(|line| line.fit == Fit::Ready) {
            self.write_one(writer, line)?;
            changed += 1;
        }
        self.check_count(portion, changed, writer.changed_so_far()?.saturating_sub(changed_before))?;
        for line in &portion.lines {
            match line.fit {
                // A counter does not count as a row.
                Fit::Already if line.change.role() == ChangeRole::Counter => {}
                Fit::Already => self.done.already += 1,
                Fit::Left(why) if is_only_kept_out(&line.change, why) => {}
                Fit::Left(why) => {
                    let now = self.row_of_skipped(writer, &line.change, why);
                    self.done.leave(self.tables.get(&line.change.table.to_string()), &line.change, why, now);
                    self.count_left_orphans(&line.change);
                }
                Fit::Ready | Fit::Done | Fit::Moved => {}
            }
        }
        self.check_stored(writer, portion)?;
        self.find_new_orphans(writer, portion)?;
        self.check_adopting_parents(writer, portion)?;
        self.extend_batch(portion, changed);
        Ok(())
    }

    /// Adds positions to the batch, and the number of changes that were made at them.
    pub(super) fn extend_batch_by(
        &mut self,
        positions: impl Iterator<Item = u64> + Clone,
        changed: u64,
    ) -> Option<&mut Batch> {
        let (first, last) = (positions.clone().min()?, positions.max()?);
        let batch = self.batch.get_or_insert(Batch { first, last, changed: 0, left: BTreeMap::new() });
        batch.first = batch.first.min(first);
        batch.last = batch.last.max(last);
        batch.changed += changed;
        Some(batch)
    }

    pub(super) fn extend_batch(&mut self, portion: &Portion, changed: u64) {
        let direction = self.options.direction;
        let Some(batch) = self.extend_batch_by(portion.lines.iter().map(|line| line.position as u64), changed) else {
            return;
        };
        for line in &portion.lines {
            match (line.fit, direction) {
                (Fit::Left(why), _) => {
                    batch.left.insert(line.position as u64, why);
                }
                // A row that already has its new values was not changed by this plan, so undo must not take it back.
                (Fit::Already, Direction::Apply) => {
                    batch.left.insert(line.position as u64, SkipReason::Already);
                }
                _ => {}
            }
        }
    }

    /// True if no row waits for a parent that a later change inserts. If the batch must end now, such a row is an error, or is
    /// skipped.
    pub(super) fn check_pending_orphans(&mut self, writer: &mut dyn Writer, is_last: bool) -> Result<bool, Halt> {
        self.clear_pending_orphans(writer)?;
        if self.pending_orphans.is_empty() {
            return Ok(true);
        }
        if !is_last {
            return Ok(false);
        }
        if self.options.skip_changed {
            self.exclude_pending_orphans();
            return Err(Halt::Retry);
        }
        let help = "the transaction was rolled back; to leave such rows as they are, add --skip-changed";
        Err(self.refused(self.describe_pending_orphans(), help).into())
    }

    /// Records the current batch, and commits it if the last look at its rows confirms it. Otherwise the caller rolls it back.
    pub(super) fn commit(&mut self, writer: &mut dyn Writer, phase: Phase) -> Result<Confirmation, ApplyError> {
        let state_before = if self.has_unconfirmed() { Some(self.record()?.state.clone()) } else { None };
        let number = self.record_batch(writer, phase)?;
        let committed = match self.confirm(writer) {
            Ok(Confirmation::Confirmed) => writer.commit().map_err(ApplyError::from),
            Ok(other) => {
                self.record_mut()?.take_back(number, state_before)?;
                return Ok(other);
            }
            Err(error) => Err(error),
        };
        match (committed, number) {
            (Ok(CommitOutcome::Committed), Some(number)) => self.record()?.finish_entry(number, true)?,
            (Ok(CommitOutcome::Unknown(why)), Some(number)) => {
                self.resolve_lost_commit(writer, number, &why)?;
                self.record_mut()?.repeat_phase(phase);
            }
            (Ok(_), None) => {}
            (Err(error), number) => {
                // The error of the commit is reported. If this entry cannot be written either, the next run examines the rows.
                let _ = number.map(|number| self.record()?.finish_entry(number, false));
                return Err(error);
            }
        }
        self.record_mut()?.commit_phase()?;
        self.committed = self.done.clone();
        self.committed_tables = self.made.clone();
        Ok(Confirmation::Confirmed)
    }

    /// Writes the current batch to the record. Returns the number of its entry, if it has changes.
    fn record_batch(&mut self, writer: &mut dyn Writer, phase: Phase) -> Result<Option<i64>, ApplyError> {
        let Some(batch) = self.batch.take() else {
            self.record_mut()?.write_phase(writer, phase)?;
            return Ok(None);
        };
        let mut left = Vec::new();
        for (position, why) in batch.left {
            state::skip(&mut left, position, why);
        }
        let operation = match self.options.direction {
            Direction::Apply => Operation::Apply,
            Direction::Undo => Operation::Undo,
        };
        let record = self.record_mut()?;
        let entry = record.entry(operation, (batch.first, batch.last), batch.changed, left);
        let number = entry.number;
        record.write(writer, entry, phase)?;
        Ok(Some(number))
    }

    /// Counts the orphans of relations whose orphans the plan does not know by name.
    pub(super) fn count_before(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        for relation in self.lookahead.counted.clone() {
            let orphans = self.count_orphans(writer, relation)?;
            self.counts_before.insert(relation, orphans);
        }
        Ok(())
    }

    /// Refuses if such a relation has more orphans than before and more than the plan had found.
    pub(super) fn count_after(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        for (relation, before) in self.counts_before.clone() {
            let id = &self.options.schema.relations[relation].id;
            let forecast = self.reading.plan.header.forecasts.iter().find(|forecast| forecast.relation == *id);
            let known = forecast.map_or(0, |forecast| forecast.rows_before);
            let after = self.count_orphans(writer, relation)?;
            if after > before.max(known) {
                let why = format!("{id} would have {after} orphan rows, and the plan had found {known}");
                return Err(
                    self.refused(why, "nothing was changed: other rows now refer to rows that the plan inserted")
                );
            }
        }
        Ok(())
    }
}
