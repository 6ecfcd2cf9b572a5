//! The record of a plan's state, written in the very transaction that it tells of: a table of the database, or, where
//! the role may not make tables, the journal beside the plan.

use std::path::Path;

use super::ApplyError;
use super::journal::Journal;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::plan::NewTable;
use crate::model::sql::repair::RepairDialect;
use crate::model::state;
use crate::model::state::Deed;
use crate::model::state::Entry;
use crate::model::state::LeftRun;
use crate::model::state::Phase;
use crate::model::state::State;
use crate::model::value::RowName;
use crate::model::value::Value;

/// Entries are read this many at a time.
const CHUNK: i64 = 400;

pub(super) struct Record {
    surgery: &'static dyn RepairDialect,
    /// The digest of the plan.
    plan: String,
    /// This run, and when it began.
    run: String,
    at: String,
    home: Home,
    pub(super) state: State,
    /// An entry of the journal that was about to be committed when a run ended.
    pub(super) in_doubt: Option<Entry>,
    /// The header is there.
    has_header: bool,
}

enum Home {
    /// The table is not there yet, and nothing is recorded.
    Nowhere,
    Table,
    Journal(Journal),
}

impl Record {
    /// What is recorded of a plan by now.
    pub(super) fn load(
        session: &mut dyn Session,
        surgery: &'static dyn RepairDialect,
        plan: (&Path, &str),
        run: (&str, &str),
    ) -> Result<Record, ApplyError> {
        let mut record = Record {
            surgery,
            plan: plan.1.to_owned(),
            run: run.0.to_owned(),
            at: run.1.to_owned(),
            home: Home::Nowhere,
            state: State::default(),
            in_doubt: None,
            has_header: false,
        };
        if is_there(session, surgery)? {
            record.home = Home::Table;
            let entries = record.entries(session)?;
            record.has_header = !entries.is_empty();
            record.state = State::of(&entries);
        }
        if !record.has_header {
            let journal = Journal::of(plan.0);
            let known = journal.read()?;
            if !known.entries.is_empty() || known.in_doubt.is_some() {
                record.state = State::of(&known.entries);
                record.in_doubt = known.in_doubt;
                record.home = Home::Journal(journal);
            }
        }
        Ok(record)
    }

    fn entries(&self, session: &mut dyn Session) -> Result<Vec<Entry>, ApplyError> {
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

    fn read(&self, session: &mut dyn Session, numbers: std::ops::Range<i64>) -> Result<Vec<Entry>, ApplyError> {
        let names: Vec<RowName> = numbers.map(|number| self.name(number)).collect();
        let names: Vec<&RowName> = names.iter().collect();
        let mut entries = Vec::new();
        session.each_row(&self.surgery.rows_at(&state::table(), &names), &mut |row| {
            entries.push(Entry::read(row.get(2..).unwrap_or_default()));
        })?;
        entries.into_iter().collect::<Result<_, String>>().map_err(|why| ApplyError::Record {
            what: format!("read {}", state::TABLE),
            why,
            help: format!(
                "nothing was changed: {} is the record of what plans did; bring it back as it was",
                state::TABLE
            ),
        })
    }

    fn name(&self, number: i64) -> RowName {
        vec![("plan".to_owned(), Value::text(&self.plan)), ("number".to_owned(), Value::Integer(number))]
    }

    /// True if another run wrote since this one did.
    pub(super) fn is_overtaken(&self, session: &mut dyn Session) -> Result<Option<String>, ApplyError> {
        if !matches!(self.home, Home::Table) {
            return Ok(None);
        }
        let header = self.read(session, 0..1)?.pop();
        Ok(header.map(|header| header.run).filter(|run| *run != self.run && *run != self.state.run))
    }

    /// Sees to it that there is a place for the record. True if a table was made for it.
    pub(super) fn prepare(&mut self, writer: &mut dyn Writer, plan: &Path) -> Result<bool, ApplyError> {
        if !matches!(self.home, Home::Nowhere) {
            return Ok(false);
        }
        let may_create = match self.surgery.may_create_state() {
            Some(question) => {
                let mut may = false;
                writer.each_row(&question, &mut |_| may = true)?;
                may
            }
            None => true,
        };
        let made = if may_create { writer.change(&self.surgery.create_state()).map(|_| true) } else { Ok(false) };
        match made {
            Ok(true) => self.home = Home::Table,
            Ok(false) => self.home = Home::Journal(Journal::of(plan)),
            // Where a table is made at once, the attempt has left nothing behind.
            Err(EngineError::Unwritable { .. } | EngineError::Failed { .. }) if self.surgery.defines_at_once() => {
                // Somebody else may have made it in the same moment.
                let is_there = is_there(writer, self.surgery)?;
                self.home = if is_there { Home::Table } else { Home::Journal(Journal::of(plan)) };
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Where no table could be made a moment ago, none is tried again.
    pub(super) fn keep_in_journal(&mut self, plan: &Path) {
        if matches!(self.home, Home::Nowhere) {
            self.home = Home::Journal(Journal::of(plan));
        }
    }

    /// The journal, if the database holds no record.
    pub(super) fn journal(&self) -> Option<&Path> {
        match &self.home {
            Home::Journal(journal) => Some(journal.path()),
            _ => None,
        }
    }

    /// The next entry, by this run.
    pub(super) fn entry(&self, deed: Deed, range: (u64, u64), changed: u64, left: Vec<LeftRun>) -> Entry {
        let (first, last) = range;
        let (run, at) = (self.run.clone(), self.at.clone());
        Entry { number: self.state.entries + 1, deed, first, last, changed, left, run, at }
    }

    /// Writes an entry into the transaction at hand, with the phase that the plan is in then.
    pub(super) fn write(&mut self, writer: &mut dyn Writer, entry: Entry, phase: Phase) -> Result<(), ApplyError> {
        self.state.add(&entry);
        match &self.home {
            Home::Nowhere => {}
            Home::Table => {
                let table = state::table();
                let row = entry.row(&self.plan);
                writer.change(&self.surgery.insert(&table, &self.name(entry.number), &row))?;
            }
            Home::Journal(journal) => journal.intend(&entry, &self.plan)?,
        }
        self.write_phase(writer, phase)
    }

    pub(super) fn write_phase(&mut self, writer: &mut dyn Writer, phase: Phase) -> Result<(), ApplyError> {
        let entries = u64::try_from(self.state.entries).unwrap_or(0);
        let (run, at) = (self.run.clone(), self.at.clone());
        let changed = self.state.ours.len();
        let header =
            Entry { number: 0, deed: Deed::Header(phase), first: 0, last: entries, changed, left: Vec::new(), run, at };
        self.state.add(&header);
        if let Home::Table = self.home {
            let (table, name, row) = (state::table(), self.name(0), header.row(&self.plan));
            let statement = if self.has_header {
                self.surgery.update(&table, &name, &row[2..].to_vec())
            } else {
                self.surgery.insert(&table, &name, &row)
            };
            writer.change(&statement)?;
            self.has_header = true;
        }
        Ok(())
    }

    /// Takes all entries of the plan out of the table, in the transaction at hand, and drops the table with the last.
    pub(super) fn forget(&self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        let Home::Table = self.home else { return Ok(()) };
        let table = state::table();
        for number in 0..=self.state.entries {
            writer.change(&self.surgery.delete(&table, &self.name(number)))?;
        }
        let mut is_empty = true;
        writer.each_row(&self.surgery.largest(&table, "number"), &mut |row| {
            is_empty = row.first().is_none_or(|largest| *largest == Value::Null);
        })?;
        // Where a table is dropped at once, another run may be about to write to it: it stays, empty.
        if is_empty && !self.surgery.defines_at_once() {
            writer.define(&self.surgery.drop(&NewTable { name: table.name, columns: Vec::new() }))?;
        }
        Ok(())
    }

    /// What was written last was committed, or was not.
    pub(super) fn settle(&self, number: i64, is_committed: bool) -> Result<(), ApplyError> {
        match &self.home {
            Home::Journal(journal) => journal.settle(number, is_committed),
            _ => Ok(()),
        }
    }
}

fn is_there(session: &mut dyn Session, surgery: &'static dyn RepairDialect) -> Result<bool, EngineError> {
    let mut found = false;
    session.each_row(&surgery.has_state(), &mut |_| found = true)?;
    Ok(found)
}
