//! The record of a plan's state, written in the transaction that it describes. It is a table of the database or, if the role may
//! not create tables, the journal beside the plan.

use std::path::Path;

use super::ApplyError;
use super::journal::Journal;
use crate::apply::RunOptions;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::facts::Facts;
use crate::model::plan::NewTable;
use crate::model::row::RowName;
use crate::model::state;
use crate::model::state::Operation;
use crate::model::state::Phase;
use crate::model::state::PlanState;
use crate::model::state::SkippedRange;
use crate::model::state::StateEntry;
use crate::model::value::Value;
use crate::sql::repair::Repair;

/// The number of entries that are read at a time.
const CHUNK: i64 = 400;

pub(super) struct Record {
    sql: &'static dyn Repair,
    facts: &'static Facts,
    /// The digest of the plan.
    plan: String,
    /// The name of this run, and the time at which it began.
    run: String,
    at: String,
    storage: Storage,
    pub(super) state: PlanState,
    /// An entry of the journal that was about to be committed when a run was interrupted.
    pub(super) in_doubt: Option<StateEntry>,
    /// True if the header exists.
    has_header: bool,
    /// True if a state table exists that this session may not read.
    is_hidden: bool,
    /// The header that is written to the journal after the next commit.
    pending: Option<StateEntry>,
}

/// The privileges of this session on the state table.
#[derive(Debug, Clone, Copy)]
struct Access {
    may_read: bool,
    may_write: bool,
}

/// The storage of the record.
enum Storage {
    /// Nothing is recorded, and no table is writable.
    None,
    /// The state table.
    Table {
        may_write: bool,
    },
    Journal(Journal),
}

impl Record {
    /// Reads the record of a plan.
    pub(super) fn load(
        session: &mut dyn Session,
        options: &RunOptions<'_>,
        plan: (&Path, &str),
        run: (&str, &str),
    ) -> Result<Record, ApplyError> {
        let sql = options.sql;
        let mut record = Record {
            sql,
            facts: options.facts(),
            plan: plan.1.to_owned(),
            run: run.0.to_owned(),
            at: run.1.to_owned(),
            storage: Storage::None,
            state: PlanState::default(),
            in_doubt: None,
            has_header: false,
            is_hidden: false,
            pending: None,
        };
        let access = access(session, sql)?;
        if let Some(Access { may_read: true, may_write }) = access {
            let entries = record.entries(session)?;
            record.has_header = !entries.is_empty();
            record.state = PlanState::of(&entries);
            if record.has_header || may_write {
                record.storage = Storage::Table { may_write };
            }
        }
        if !record.has_header {
            record.is_hidden = access.is_some_and(|access| !access.may_read);
        }
        // If the table says that everything was taken back, another role may have continued in the journal.
        if record.state.ours.is_empty() && record.state.defined.is_empty() {
            record.read_journal(Journal::of(plan.0))?;
        }
        Ok(record)
    }

    fn read_journal(&mut self, journal: Journal) -> Result<(), ApplyError> {
        let known = journal.read()?;
        let state = PlanState::of(&known.entries);
        let has_more = !state.ours.is_empty() || !state.defined.is_empty() || known.in_doubt.is_some();
        if known.holds_record && (!self.has_header || has_more) {
            self.has_header = false;
            self.state = state;
            known.header.iter().for_each(|header| self.state.add(header));
            self.in_doubt = known.in_doubt;
            self.storage = Storage::Journal(journal);
            self.is_hidden = false;
        }
        Ok(())
    }

    /// Refuses if the record may be in a table that this session may not read.
    pub(super) fn refuse_if_hidden(&self) -> Result<(), ApplyError> {
        if !self.is_hidden {
            return Ok(());
        }
        Err(ApplyError::Record {
            what: format!("read {}", state::TABLE),
            why: "this role lacks the privilege, and the record of the plan may be in this table".to_owned(),
            help: self.grant(),
        })
    }

    fn grant(&self) -> String {
        let statement = self.sql.grant_state_table();
        format!("nothing was changed: the owner of {} can grant it: {statement}", state::TABLE)
    }

    fn entries(&self, session: &mut dyn Session) -> Result<Vec<StateEntry>, ApplyError> {
        let Some(header) = self.read(session, 0..1)?.pop() else { return Ok(Vec::new()) };
        let last = i64::try_from(header.last).unwrap_or(i64::MAX - CHUNK);
        let mut entries = Vec::new();
        let mut first = 1;
        while first <= last {
            entries.extend(self.read(session, first..(first + CHUNK).min(last + 1))?);
            first += CHUNK;
        }
        entries.push(header);
        Ok(entries)
    }

    fn read(&self, session: &mut dyn Session, numbers: std::ops::Range<i64>) -> Result<Vec<StateEntry>, ApplyError> {
        let names: Vec<RowName> = numbers.map(|number| self.name(number)).collect();
        let names: Vec<&RowName> = names.iter().collect();
        let mut entries = Vec::new();
        let outcome = session.each_row(&self.sql.rows_by_name(&state::table(), &names), &mut |row| {
            entries.push(StateEntry::read(row.get(2..).unwrap_or_default()));
        });
        outcome.map_err(|error| match error {
            EngineError::Failed { why } => ApplyError::Record {
                what: format!("read {}", state::TABLE),
                why,
                help: format!(
                    "nothing was changed: fk-doctor keeps its records in the table {}; if that table is your own, rename it",
                    state::TABLE
                ),
            },
            other => other.into(),
        })?;
        entries.into_iter().collect::<Result<_, String>>().map_err(|why| ApplyError::Record {
            what: format!("read {}", state::TABLE),
            why,
            help: format!("nothing was changed: {} is the record of all plans; restore it from a backup", state::TABLE),
        })
    }

    fn name(&self, number: i64) -> RowName {
        RowName::from(vec![("plan", Value::text(&self.plan)), ("number", Value::Integer(number))])
    }

    /// Returns the name of another run that wrote after this run, if there is one.
    pub(super) fn overtaking_run(&self, session: &mut dyn Session) -> Result<Option<String>, ApplyError> {
        if !matches!(self.storage, Storage::Table { .. }) {
            return Ok(None);
        }
        let header = self.read(session, 0..1)?.pop();
        Ok(header.map(|header| header.run).filter(|run| *run != self.run && *run != self.state.run))
    }

    /// Makes sure that the record can be written. Returns true if a statement for this may have ended the transaction.
    pub(super) fn prepare(&mut self, writer: &mut dyn Writer, plan: &Path) -> Result<bool, ApplyError> {
        match self.storage {
            Storage::None => {}
            Storage::Journal(_) => return Ok(false),
            Storage::Table { may_write } if may_write && self.may_write(writer)? => return Ok(false),
            Storage::Table { .. } if self.has_header => {
                return Err(ApplyError::Record {
                    what: format!("write to {}", state::TABLE),
                    why: "this role lacks the privilege, and the record of the plan is in this table".to_owned(),
                    help: self.grant(),
                });
            }
            Storage::Table { .. } => return self.move_to(Journal::of(plan)).map(|()| false),
        }
        let may_create = match self.sql.may_create_state_table() {
            Some(query) => {
                let mut may = false;
                writer.each_row(&query, &mut |_| may = true)?;
                may
            }
            None => true,
        };
        let made = if may_create { writer.change(&self.sql.create_state_table()).map(|_| true) } else { Ok(false) };
        match made {
            Ok(true) => self.storage = Storage::Table { may_write: true },
            Ok(false) => self.move_to(Journal::of(plan))?,
            // If the engine commits CREATE TABLE at once, the failed attempt has left nothing behind.
            Err(EngineError::Unwritable { .. } | EngineError::Failed { .. }) if self.facts.defines_at_once() => {
                // Another session may have created it at the same time. If the connection is lost, this query fails.
                match access(writer, self.sql)? {
                    Some(access) => self.storage = Storage::Table { may_write: access.may_write },
                    None => self.move_to(Journal::of(plan))?,
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn move_to(&mut self, journal: Journal) -> Result<(), ApplyError> {
        journal.take_over()?;
        self.storage = Storage::Journal(journal);
        Ok(())
    }

    /// True if the role may write to the state table. On some servers this can only be found by statements that change no row.
    fn may_write(&self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        for attempt in self.sql.try_state_writes() {
            match writer.change(&attempt) {
                Ok(_) => {}
                // If the connection is lost, this query fails.
                Err(EngineError::Failed { .. }) => {
                    access(writer, self.sql)?;
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Returns the path of the journal, if the journal holds the record.
    pub(super) fn journal(&self) -> Option<&Path> {
        match &self.storage {
            Storage::Journal(journal) => Some(journal.path()),
            _ => None,
        }
    }

    /// Returns the next entry of this run.
    pub(super) fn entry(
        &self,
        operation: Operation,
        range: (u64, u64),
        changed: u64,
        left: Vec<SkippedRange>,
    ) -> StateEntry {
        let (first, last) = range;
        let (run, at) = (self.run.clone(), self.at.clone());
        StateEntry { number: self.state.entries + 1, operation, first, last, changed, left, run, at }
    }

    /// Writes an entry and the phase of the plan in the current transaction.
    pub(super) fn write(&mut self, writer: &mut dyn Writer, entry: StateEntry, phase: Phase) -> Result<(), ApplyError> {
        self.state.add(&entry);
        match &self.storage {
            Storage::None => {}
            Storage::Table { .. } => {
                let table = state::table();
                let row = entry.row(&self.plan);
                writer.change(&self.sql.insert(&table, &self.name(entry.number), &row))?;
            }
            Storage::Journal(journal) => journal.write_intent(&entry, &self.plan)?,
        }
        self.write_phase(writer, phase)
    }

    pub(super) fn write_phase(&mut self, writer: &mut dyn Writer, phase: Phase) -> Result<(), ApplyError> {
        let header = self.header(phase);
        self.state.add(&header);
        if let Storage::Journal(_) = self.storage {
            self.pending = Some(header);
        } else if let Storage::Table { .. } = self.storage {
            let (table, name, row) = (state::table(), self.name(0), header.row(&self.plan));
            let statement = if self.has_header {
                self.sql.update(&table, &name, &row.without("plan").without("number"))
            } else {
                self.sql.insert(&table, &name, &row)
            };
            writer.change(&statement)?;
            self.has_header = true;
        }
        Ok(())
    }

    fn header(&self, phase: Phase) -> StateEntry {
        let entries = u64::try_from(self.state.entries).unwrap_or(0);
        let (run, at) = (self.run.clone(), self.at.clone());
        let changed = self.state.ours.len();
        StateEntry {
            number: 0,
            operation: Operation::Header(phase),
            first: 0,
            last: entries,
            changed,
            left: Vec::new(),
            run,
            at,
        }
    }

    /// Deletes all entries of the plan in the current transaction. If the table is empty then, it is dropped.
    pub(super) fn forget(&self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if let Storage::Journal(journal) = &self.storage {
            return journal.forget();
        }
        let Storage::Table { .. } = self.storage else { return Ok(()) };
        let table = state::table();
        for number in 0..=self.state.entries {
            writer.change(&self.sql.delete(&table, &self.name(number)))?;
        }
        let mut is_empty = true;
        writer.each_row(&self.sql.largest_value(&table, "number"), &mut |row| {
            is_empty = row.first().is_none_or(|largest| *largest == Value::Null);
        })?;
        // If the engine commits DROP TABLE at once, another run may be about to write to the table. It stays, empty.
        if is_empty && !self.facts.defines_at_once() {
            writer.define(&self.sql.drop_table(&NewTable { name: table.name, columns: Vec::new() }))?;
        }
        Ok(())
    }

    /// Returns to the state before an entry that is rolled back.
    pub(super) fn take_back(&mut self, number: Option<i64>, before: Option<PlanState>) -> Result<(), ApplyError> {
        self.pending = None;
        if let Some(before) = before {
            self.state = before;
        }
        number.map_or(Ok(()), |number| self.finish_entry(number, false))
    }

    /// Writes to the journal whether the last entry was committed.
    pub(super) fn finish_entry(&self, number: i64, is_committed: bool) -> Result<(), ApplyError> {
        match &self.storage {
            Storage::Journal(journal) => journal.finish_entry(number, is_committed),
            _ => Ok(()),
        }
    }

    /// Schedules the phase for the journal again, after a commit whose response was lost. The table has the phase already.
    pub(super) fn repeat_phase(&mut self, phase: Phase) {
        if let Storage::Journal(_) = self.storage {
            let header = self.header(phase);
            self.state.add(&header);
            self.pending = Some(header);
        }
    }

    /// Writes the last phase to the journal after its commit, because no rollback undoes a line of the journal.
    pub(super) fn commit_phase(&mut self) -> Result<(), ApplyError> {
        match (&self.storage, self.pending.take()) {
            (Storage::Journal(journal), Some(header)) => journal.write_header(&header, &self.plan),
            _ => Ok(()),
        }
    }
}

/// Returns the privileges on the state table, or `None` if the table does not exist.
fn access(session: &mut dyn Session, sql: &'static dyn Repair) -> Result<Option<Access>, EngineError> {
    let mut access = None;
    session.each_row(&sql.state_table_privileges(), &mut |row| {
        let is = |index: usize| row.get(index).and_then(Value::as_integer) == Some(1);
        access = Some(Access { may_read: is(0), may_write: is(1) });
    })?;
    Ok(access)
}
