//! Transactions of a server's writer beside other sessions.

use std::collections::BTreeSet;

use super::Failure;
use super::sets::unsigned;
use super::writer::ServerWriter;
use super::writing::ServerErrorKind;
use super::writing::WriterConnection;
use crate::engine::EngineError;
use crate::engine::gentle_writer::BatchLocks;
use crate::engine::gentle_writer::GentleLocks;
use crate::engine::gentle_writer::GentleWriter;
use crate::model::plan::ChangeRole;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowChangeKind;
use crate::sql::Sql;

impl<C: WriterConnection + Send> GentleWriter for ServerWriter<C> {
    fn begin_gently(&mut self, locks: GentleLocks<'_>) -> Result<bool, EngineError> {
        self.forget_transaction();
        let Err(failure) =
            self.try_to_begin(|connection, limits, options| connection.begin_gently(limits, options, locks))
        else {
            return Ok(true);
        };
        let failure = self.record(failure);
        self.rollback_transaction();
        if self.met_lock { Ok(false) } else { Err(self.unwritable(&failure)) }
    }

    fn can_change_unlocked_rows(&self) -> bool {
        C::CHANGES_UNLOCKED_ROWS
    }

    fn lock_batch(
        &mut self,
        batch: &RowBatch<'_, '_>,
        tables: Option<&Sql>,
        wants_rows: bool,
    ) -> Result<BatchLocks, EngineError> {
        self.load_all(batch).map_err(|failure| self.failed(failure))?;
        if let Some(Err(failure)) = tables.map(|tables| self.connection.lock_tables(tables, &self.limits)) {
            let error = self.failed(failure);
            return if self.met_lock { Ok(BatchLocks::TableHeld) } else { Err(error) };
        }
        let busy = if wants_rows { self.lock_rows(batch).map_err(|failure| self.failed(failure))? } else { Vec::new() };
        Ok(BatchLocks::Locked { busy })
    }

    fn confirm_batch(&mut self, batch: &RowBatch<'_, '_>, tables: &Sql) -> Result<Option<u64>, EngineError> {
        self.run_deferred()?;
        // The tables are held from here to the commit, so nothing else is asked meanwhile.
        let plans = C::PLANS_OF_SETS.map(|[small, _]| small);
        let statements: Vec<&str> = plans.into_iter().chain([C::BEFORE_LATE_LOCK, tables.text()]).collect();
        if let Err(failure) = self.run(statements.join("; ")) {
            let error = self.failed(failure);
            return if self.met_lock { Ok(None) } else { Err(error) };
        }
        self.count_unconfirmed(batch).map(Some).map_err(|failure| self.failed(failure))
    }

    fn met_lock(&self) -> bool {
        self.met_lock
    }
}

impl<C: WriterConnection + Send> ServerWriter<C> {
    /// Loads all lines, except those of rows that are inserted directly. Queries find the children of new parents by their lines.
    fn load_all(&mut self, batch: &RowBatch<'_, '_>) -> Result<(), Failure> {
        for (&group, lines) in &batch.by_group {
            if batch.groups[group].role == ChangeRole::Parent || !self.can_insert_directly(batch, group)? {
                self.load(batch, group, lines)?;
            }
        }
        Ok(())
    }

    /// Locks the stored rows of a batch. Returns the indexes of the lines whose row another session holds.
    fn lock_rows(&mut self, batch: &RowBatch<'_, '_>) -> Result<Vec<usize>, Failure> {
        self.with_plans(|writer| {
            let mut busy = Vec::new();
            for (&group, lines) in &batch.by_group {
                let about = &batch.groups[group];
                if about.kind == RowChangeKind::Insert {
                    continue;
                }
                let sql = writer.load(batch, group, lines)?;
                let query = sql.lock_rows(about);
                let locked = match C::AROUND_SKIPPING {
                    None => writer.numbers(&query)?,
                    Some([before, after]) => {
                        writer.run(before.to_owned())?;
                        let locked = writer.numbers(&query)?;
                        writer.run(after.to_owned())?;
                        locked
                    }
                };
                if locked.len() < lines.len() {
                    // A row that does not exist is not busy.
                    busy.extend(writer.numbers(&sql.existing_rows(about))?.difference(&locked).copied());
                }
            }
            Ok(busy)
        })
    }

    /// Returns the number of lines whose keys have other parents than when their rows changed.
    fn count_unconfirmed(&mut self, batch: &RowBatch<'_, '_>) -> Result<u64, Failure> {
        let mut unconfirmed = 0;
        for (&group, lines) in &batch.by_group {
            let about = &batch.groups[group];
            if !about.orphan_of.is_empty() || !about.needs_parent_in.is_empty() {
                let sql = self.load(batch, group, lines)?;
                unconfirmed += self.number(&sql.unconfirmed(about))?;
            }
        }
        Ok(unconfirmed)
    }

    /// Returns the numbers in the first column of an answer.
    fn numbers(&mut self, query: &Sql) -> Result<BTreeSet<usize>, Failure> {
        let mut numbers = BTreeSet::new();
        self.each(query, &mut |row| {
            let number = row.first().and_then(unsigned);
            numbers.extend(number.and_then(|number| usize::try_from(number).ok()));
        })?;
        Ok(numbers)
    }
}

/// True if a refusal comes from the locks of other sessions.
pub(super) fn is_of_locks(kind: ServerErrorKind) -> bool {
    matches!(kind, ServerErrorKind::Lock | ServerErrorKind::Conflict)
}
