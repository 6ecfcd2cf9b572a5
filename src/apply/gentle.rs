//! Batches beside other sessions. A transaction waits for no row: rows that other sessions hold are left for a later attempt. While it
//! holds rows, it waits for a table only for a moment. So no transaction of another session becomes a deadlock victim.
//!
//! The tables of parents are locked late: the rows change, the record is written, and then the parents are locked for one more look and
//! the commit. If another session holds such a table, the transaction starts again and locks them first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use super::ApplyError;
use super::groups;
use super::locks;
use super::set_portion::SetLine;
use super::set_portion::SetPortion;
use super::sets::Route;
use super::sets::batch_lines;
use super::walk::Halt;
use super::walk::TransactionStart;
use super::walk::Walk;
use crate::engine::EngineError;
use crate::engine::gentle_writer::BatchLocks;
use crate::engine::gentle_writer::GentleLocks;
use crate::engine::write::CommitOutcome;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::finding::Code;
use crate::model::ids::RelationId;
use crate::model::relation::Defect;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowGroup;
use crate::model::state::RowNow;
use crate::model::state::SkipReason;
use crate::sql::Sql;

/// The pause before a transaction is tried again that met a lock.
const PAUSE: Duration = Duration::from_millis(20);

/// The pause before rows are tried again that other sessions hold.
const ROW_PAUSE: Duration = Duration::from_millis(50);

/// The wait for rows that other sessions hold.
#[derive(Debug, Default)]
pub(super) struct RowWait {
    since: Option<Instant>,
    /// True if an earlier attempt met a row of another session.
    has_met_row: bool,
}

impl RowWait {
    /// Returns the state at the start of the next attempt. It is the last one if the wait is over.
    pub(super) fn next_attempt(&self, limit: Duration) -> Gentle {
        let is_last_attempt = self.since.is_some_and(|since| since.elapsed() > limit);
        Gentle { is_last_attempt, locks_rows: self.has_met_row, ..Gentle::default() }
    }

    /// Remembers whether an attempt met a row of another session.
    pub(super) fn note(&mut self, attempt: &Gentle) {
        self.has_met_row |= attempt.locks_rows;
    }

    pub(super) fn pause(&mut self) {
        self.since.get_or_insert_with(Instant::now);
        std::thread::sleep(ROW_PAUSE);
    }
}

/// The locks of the current transaction.
#[derive(Debug, Default, PartialEq, Eq)]
enum Locked {
    /// No other session can write to the tables of the plan.
    #[default]
    Tables,
    /// The transaction has no lock yet.
    Nothing,
    /// No other session can write to these tables. Rows are locked one by one.
    Rows(BTreeSet<String>),
}

/// The state of a run beside other sessions.
#[derive(Default)]
pub(super) struct Gentle {
    /// True if the run changes its rows beside other sessions.
    is_on: bool,
    locked: Locked,
    /// True if rows are locked before they change. Otherwise a change that meets a row of another session is taken back, and all rows
    /// after it are locked first.
    locks_rows: bool,
    /// True if the current transaction locks the tables of parents first, because an earlier attempt did not get them late.
    locks_first: bool,
    /// The lines whose rows other sessions hold.
    pub(super) busy: BTreeSet<usize>,
    /// True if rows that are busy now are skipped.
    is_last_attempt: bool,
    /// The lines that the current transaction changed, and that need another look before its commit.
    unconfirmed: Option<Unconfirmed>,
    /// The time at which the current transaction got its locks.
    locked_since: Option<Instant>,
    /// The time at which the current transaction met its first lock.
    waits_since: Option<Instant>,
}

/// The changed lines of the portion at a step, the group of each, and the number of all lines of the portion.
struct Unconfirmed {
    /// The statement that locks the tables of the parents.
    lock: Sql,
    step: usize,
    size: usize,
    portion: SetPortion,
    groups: Vec<usize>,
}

/// The outcome of the last look at a batch before its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmation {
    Confirmed,
    /// An orphan has a parent by now, or a changed row has lost its parent.
    Refuted,
    /// Another session holds the table of a parent.
    TableHeld,
}

impl Walk<'_> {
    /// Decides if the rows are changed beside other sessions.
    pub(super) fn choose_locks(&mut self, writer: &mut dyn Writer) {
        let uses_sets = !self.avoids_sets && self.reading.plan.header.redefinitions.is_empty();
        let gentle = writer.gentle().filter(|_| uses_sets && self.options.batch.is_some());
        self.gentle.is_on = gentle.is_some();
        self.gentle.locks_rows |= gentle.is_some_and(|gentle| !gentle.can_change_unlocked_rows());
    }

    pub(super) fn is_gentle(&self) -> bool {
        self.gentle.is_on
    }

    /// True if rows are left for another attempt.
    pub(super) fn waits_for_rows(&self) -> bool {
        !self.gentle.busy.is_empty() && !self.gentle.is_last_attempt
    }

    /// Begins the transaction that compares the rows with the plan before the first change.
    pub(super) fn begin_comparison(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if self.is_gentle() { self.begin_gently(writer, GentleLocks::Rows) } else { self.begin(writer) }
    }

    /// Ends that transaction, which holds no lock of a row. It may have created tables.
    pub(super) fn end_comparison(&mut self, writer: &mut dyn Writer, most: usize) -> Result<(), Halt> {
        if !self.is_gentle() {
            return Ok(());
        }
        let phase = self.phase();
        self.record_mut()?.write_phase(writer, phase)?;
        if let CommitOutcome::Unknown(lost) = writer.commit()? {
            return Err(self
                .unwritable(format!("the connection was lost before the first change: {lost}"), "repeat the command")
                .into());
        }
        self.record_mut()?.commit_phase()?;
        self.committed_tables = self.made.clone();
        self.transaction = Some(TransactionStart::new(0, self.left_orphans.clone()));
        self.begin_transaction(writer, 0, most)
    }

    /// Begins the transaction of a batch that starts at this step.
    pub(super) fn begin_transaction(&mut self, writer: &mut dyn Writer, step: usize, most: usize) -> Result<(), Halt> {
        if self.is_gentle() {
            self.begin_batch(writer, step, most)?;
        } else {
            self.begin(writer)?;
        }
        Ok(self.refuse_if_overtaken(writer)?)
    }

    fn begin_batch(&mut self, writer: &mut dyn Writer, step: usize, most: usize) -> Result<(), ApplyError> {
        let most = self.narrowed(step, most).clamp(1, self.portion_size());
        let portion = self.reading.set_portion(step, most)?;
        self.gentle.locked_since = None;
        self.gentle.unconfirmed = None;
        let route = self.route(writer, &portion)?;
        self.reading.put_back(portion.lines);
        match route {
            Route::OneByOne => {
                let lock = locks(self.options, &self.reading.plan.header);
                self.begin_gently(writer, GentleLocks::Tables(lock.as_ref()))?;
                self.gentle.locked = Locked::Tables;
            }
            Route::Set(_) | Route::Done => {
                self.begin_gently(writer, GentleLocks::Rows)?;
                self.gentle.locked = Locked::Nothing;
            }
        }
        Ok(())
    }

    /// Begins a transaction as soon as no other session holds its locks.
    fn begin_gently(&self, writer: &mut dyn Writer, locks: GentleLocks<'_>) -> Result<(), ApplyError> {
        let start = Instant::now();
        while let Some(gentle) = writer.gentle()
            && !gentle.begin_gently(locks)?
        {
            self.pause(start)?;
        }
        Ok(())
    }

    /// Pauses before a transaction is tried again, because another session holds one of its tables.
    pub(super) fn wait_for_table(&mut self) -> Result<(), ApplyError> {
        let since = *self.gentle.waits_since.get_or_insert_with(Instant::now);
        self.pause(since)
    }

    /// Pauses, unless the run has waited long enough since this time.
    fn pause(&self, since: Instant) -> Result<(), ApplyError> {
        if since.elapsed() > self.options.lock_wait {
            let why = "another session keeps writing to a table of the plan".to_owned();
            return Err(self.unwritable(why, "no batch is open: wait longer with --wait"));
        }
        self.stop_if_asked(0)?;
        std::thread::sleep(PAUSE);
        Ok(())
    }

    /// Returns the time at which the current transaction got its locks, if it took them after its start.
    pub(super) fn locked_since(&self) -> Option<Instant> {
        self.gentle.locked_since
    }

    fn unwritable(&self, why: String, help: &str) -> ApplyError {
        let what = format!("to {}", self.reading.plan.header.database);
        EngineError::Unwritable { what, why, help: help.to_owned() }.into()
    }

    /// Returns the tables in which no row may appear or disappear while rows of these groups change.
    fn tables_to_lock(&self, groups: &[usize]) -> TablesToLock<'_> {
        let schema = self.options.schema;
        let mut tables = TablesToLock::default();
        let Some(all) = self.sets.groups() else { return tables };
        let parents = |relations: &[RelationId]| {
            let parents = relations.iter().filter_map(|&id| schema.parent(&schema.relations[id]));
            parents.map(named).collect::<Vec<_>>()
        };
        for group in groups.iter().copied().collect::<BTreeSet<usize>>() {
            let about = &all.groups[group];
            let is_late = !self.gentle.locks_first && can_confirm(about);
            let of_keys = if is_late { &mut tables.late } else { &mut tables.first };
            of_keys.extend(parents(&about.orphan_of));
            of_keys.extend(parents(&about.needs_parent_in));
            // A unique key keeps out a second parent.
            let has_no_key = |id: &RelationId| schema.relations[*id].parent.key.is_none();
            tables.first.extend(parents(&about.missing_in.iter().copied().filter(has_no_key).collect::<Vec<_>>()));
            // A lock of the parent's row keeps out the new children of an enforced key only.
            let left = all.leaves[group].iter().map(|&id| &schema.relations[id]);
            let unenforced = left.filter(|relation| !is_enforced(relation));
            tables.first.extend(unenforced.map(|relation| named(schema.child(relation))));
        }
        let TablesToLock { first, late } = &mut tables;
        late.retain(|name, _| !first.contains_key(name));
        tables
    }

    /// True if the current transaction has the locks that these changes need.
    pub(super) fn has_locks_for(&self, route: &Route) -> bool {
        match (&self.gentle.locked, route) {
            _ if !self.is_gentle() => true,
            (Locked::Tables, _) | (_, Route::Done) => true,
            (_, Route::OneByOne) => false,
            (Locked::Nothing, Route::Set(_)) => true,
            (Locked::Rows(locked), Route::Set(groups)) => {
                let TablesToLock { first, late } = self.tables_to_lock(groups);
                first.keys().chain(late.keys()).all(|name| locked.contains(name))
            }
        }
    }

    /// Locks the rows of a portion, and first the tables that it needs. `None` if another session holds such a table.
    pub(super) fn lock_portion(
        &mut self,
        writer: &mut dyn Writer,
        portion: SetPortion,
        groups: Vec<usize>,
    ) -> Result<Option<LockedPortion>, Halt> {
        let state = self.record()?;
        let (portion, groups, _) = split(portion, groups, &|line| self.was_done(state, line));
        let known = &self.gentle.busy;
        let (portion, groups, mut busy) = split(portion, groups, &|line| known.contains(&line.position));
        let locks_rows = self.is_gentle() && self.gentle.locked != Locked::Tables && !portion.lines.is_empty();
        let (Some(all), Some(gentle)) = (self.sets.groups().filter(|_| locks_rows), writer.gentle()) else {
            return Ok(Some(LockedPortion { portion, groups, busy }));
        };
        let (lines, all) = (batch_lines(&portion, &groups), all.groups.clone());
        let batch = RowBatch::new(portion.batch, &all, &lines);
        let tables = match self.gentle.locked {
            Locked::Nothing => self.tables_to_lock(&groups).first,
            Locked::Tables | Locked::Rows(_) => BTreeMap::new(),
        };
        let lock = self.lock_statement(&tables);
        let held = match gentle.lock_batch(&batch, lock.as_ref(), self.gentle.locks_rows)? {
            BatchLocks::TableHeld => return Ok(None),
            BatchLocks::Locked { busy } => busy,
        };
        let names: BTreeSet<String> = tables.into_keys().collect();
        if self.gentle.locked == Locked::Nothing {
            self.gentle.locked = Locked::Rows(names);
            self.gentle.locked_since = Some(Instant::now());
        }
        // A unit changes as a whole.
        let positions: BTreeSet<usize> = held.iter().map(|&index| portion.lines[index].position).collect();
        let units: BTreeSet<u64> = held.iter().filter_map(|&index| portion.lines[index].unit).collect();
        let is_busy =
            |line: &SetLine| positions.contains(&line.position) || line.unit.is_some_and(|unit| units.contains(&unit));
        let (portion, groups, left) = split(portion, groups, &is_busy);
        self.gentle.busy.extend(left.iter().map(|line| line.position));
        busy.extend(left);
        Ok(Some(LockedPortion { portion, groups, busy }))
    }

    /// Returns the statement that locks tables; `None` if the engine needs none.
    fn lock_statement(&self, tables: &BTreeMap<String, &Table>) -> Option<Sql> {
        let tables: Vec<&Table> = tables.values().copied().collect();
        if tables.is_empty() { None } else { self.options.sql.lock_tables(&tables) }
    }

    /// Keeps the changed lines of a portion for another look before the commit, if their parents are locked late.
    pub(super) fn confirm_later(&mut self, step: usize, size: usize, portion: SetPortion, groups: Vec<usize>) {
        let lock = match &self.gentle.locked {
            Locked::Rows(locked) => {
                let mut late = self.tables_to_lock(&groups).late;
                late.retain(|name, _| !locked.contains(name));
                self.lock_statement(&late)
            }
            Locked::Nothing | Locked::Tables => None,
        };
        match lock {
            Some(lock) => self.gentle.unconfirmed = Some(Unconfirmed { lock, step, size, portion, groups }),
            None => portion.discard(),
        }
    }

    /// True if the current transaction has changed lines that need another look before its commit. It changes no more lines.
    pub(super) fn has_unconfirmed(&self) -> bool {
        self.gentle.unconfirmed.is_some()
    }

    /// Locks the tables that the changed lines need late, and looks again for parents of their orphans. The commit must follow.
    pub(super) fn confirm(&mut self, writer: &mut dyn Writer) -> Result<Confirmation, ApplyError> {
        let Some(Unconfirmed { lock, step, size, portion, groups }) = self.gentle.unconfirmed.take() else {
            return Ok(Confirmation::Confirmed);
        };
        let (Some(all), Some(gentle)) = (self.sets.groups(), writer.gentle()) else {
            return Ok(Confirmation::Confirmed);
        };
        let lines = batch_lines(&portion, &groups);
        let found = gentle.confirm_batch(&RowBatch::new(portion.batch, &all.groups, &lines), &lock)?;
        self.gentle.locks_first = found.is_none();
        let confirmation = match found {
            Some(0) => Confirmation::Confirmed,
            Some(_) => {
                self.divide(step, size, &portion);
                Confirmation::Refuted
            }
            None => Confirmation::TableHeld,
        };
        portion.discard();
        Ok(confirmation)
    }

    /// Records the lines that are left, because other sessions hold their rows.
    pub(super) fn leave_busy(&mut self, lines: &[SetLine]) {
        for line in lines {
            let Some(batch) = &mut self.batch else { continue };
            batch.left.insert(line.position as u64, SkipReason::Busy);
            let Some(change) = groups::change(line, self.options.direction) else { continue };
            self.count_left_orphans(&change);
            if self.gentle.is_last_attempt {
                let table = self.tables.get(&change.table.to_string());
                self.done.leave(table, &change, SkipReason::Busy, RowNow::Unknown);
            }
        }
    }

    /// Decides how to go on after a statement met a lock of another session: with locks of the rows, with smaller portions, or without
    /// the lines at this step. Returns false if the run has waited long enough.
    pub(super) fn give_way(&mut self, step: usize, most: usize) -> Result<bool, ApplyError> {
        if !std::mem::replace(&mut self.gentle.locks_rows, true) {
            return Ok(true);
        }
        let since = *self.gentle.waits_since.get_or_insert_with(Instant::now);
        if self.gentle.locked == Locked::Tables && since.elapsed() > self.options.lock_wait {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
        let portion = self.reading.set_portion(step, self.narrowed(step, most))?;
        if self.gentle.locked != Locked::Tables && !self.narrow(step, portion.lines.len(), 1) {
            self.gentle.busy.extend(portion.lines.iter().map(|line| line.position));
        }
        Ok(true)
    }

    /// Forgets how long the current transaction waited, and how it locked its tables.
    pub(super) fn end_wait(&mut self) {
        self.gentle.waits_since = None;
        self.gentle.locks_first = false;
    }
}

/// The tables that a transaction locks, by their names, which give one order to all runs.
#[derive(Default)]
struct TablesToLock<'s> {
    /// Locked before any row.
    first: BTreeMap<String, &'s Table>,
    /// Locked after the rows changed.
    late: BTreeMap<String, &'s Table>,
}

/// True if the lines of a group have the whole keys of its orphans before their change, and the whole keys that need a parent after it.
fn can_confirm(group: &RowGroup<'_>) -> bool {
    let schema = group.schema;
    let mut orphan_of = group.orphan_of.iter().map(|&id| &schema.relations[id]);
    let mut needs_parent_in = group.needs_parent_in.iter().map(|&id| &schema.relations[id]);
    let is_in_image = |name: &str| group.before.iter().any(|stored| stored == name);
    let is_set = |name: &str| group.set.iter().any(|(set, _)| set == name);
    orphan_of.all(|relation| relation.scope.is_everything() && schema.child_column_names(relation).all(is_in_image))
        && needs_parent_in.all(|relation| schema.child_column_names(relation).all(is_set))
}

/// Lines whose rows are locked, with the group of each.
pub(super) struct LockedPortion {
    pub(super) portion: SetPortion,
    pub(super) groups: Vec<usize>,
    /// The lines that are left for another attempt.
    pub(super) busy: Vec<SetLine>,
}

/// Returns the lines of a portion that are not left, their groups, and the lines that are left.
fn split(
    portion: SetPortion,
    groups: Vec<usize>,
    is_left: &dyn Fn(&SetLine) -> bool,
) -> (SetPortion, Vec<usize>, Vec<SetLine>) {
    if !portion.lines.iter().any(is_left) {
        return (portion, groups, Vec::new());
    }
    let (mut kept, mut kept_groups, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for (line, group) in portion.lines.into_iter().zip(groups) {
        if is_left(&line) {
            left.push(line);
        } else {
            kept.push(line);
            kept_groups.push(group);
        }
    }
    (SetPortion { batch: RowBatch::new_id(), lines: kept }, kept_groups, left)
}

/// True if the last error of a transaction came from a lock of another session.
pub(super) fn met_lock(writer: &mut dyn Writer) -> bool {
    writer.gentle().is_some_and(|gentle| gentle.met_lock())
}

fn named(table: &Table) -> (String, &Table) {
    (table.name.to_string(), table)
}

/// True if the database itself checks new children against the rows of the parent.
fn is_enforced(relation: &Relation) -> bool {
    let is_unchecked = |defect: &Defect| matches!(defect.code, Code::NotEnforced | Code::TriggersDisabled);
    relation.judge == Judge::Engine && !relation.defects.iter().any(is_unchecked)
}
