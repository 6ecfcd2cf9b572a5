//! The record of a plan's state, written in the very transaction that it tells of: a table of the database, or, where
//! the role may not make tables, the journal beside the plan.

use std::path::Path;

use super::ApplyError;
use super::journal::Journal;
use crate::apply::Order;
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

/// Entries are read this many at a time.
const CHUNK: i64 = 400;

pub(super) struct Record {
    surgery: &'static dyn Repair,
    facts: &'static Facts,
    /// The digest of the plan.
    plan: String,
    /// This run, and when it began.
    run: String,
    at: String,
    home: Home,
    pub(super) state: PlanState,
    /// An entry of the journal that was about to be committed when a run ended.
    pub(super) in_doubt: Option<StateEntry>,
    /// The header is there.
    has_header: bool,
    /// A table of states is there that this session may not read.
    is_hidden: bool,
    /// The header that the journal gets with the next commit.
    pending: Option<StateEntry>,
}

/// How this session stands to the table of states.
#[derive(Debug, Clone, Copy)]
struct Access {
    may_read: bool,
    may_write: bool,
}

enum Home {
    /// Nothing is recorded, and there is no table that could be written to.
    Nowhere,
    /// The table, and whether this session may write to it.
    Table {
        may_write: bool,
    },
    Journal(Journal),
}

impl Record {
    /// What is recorded of a plan by now.
    pub(super) fn load(
        session: &mut dyn Session,
        order: &Order<'_>,
        plan: (&Path, &str),
        run: (&str, &str),
    ) -> Result<Record, ApplyError> {
        let surgery = order.surgery;
        let mut record = Record {
            surgery,
            facts: order.facts(),
            plan: plan.1.to_owned(),
            run: run.0.to_owned(),
            at: run.1.to_owned(),
            home: Home::Nowhere,
            state: PlanState::default(),
            in_doubt: None,
            has_header: false,
            is_hidden: false,
            pending: None,
        };
        let access = access(session, surgery)?;
        if let Some(Access { may_read: true, may_write }) = access {
            let entries = record.entries(session)?;
            record.has_header = !entries.is_empty();
            record.state = PlanState::of(&entries);
            if record.has_header || may_write {
                record.home = Home::Table { may_write };
            }
        }
        if !record.has_header {
            record.is_hidden = access.is_some_and(|access| !access.may_read);
        }
        // Another role may have gone on beside the plan after all was taken back that the table tells of.
        if record.state.ours.is_empty() && record.state.defined.is_empty() {
            record.read_journal(Journal::of(plan.0))?;
        }
        Ok(record)
    }

    fn read_journal(&mut self, journal: Journal) -> Result<(), ApplyError> {
        let known = journal.read()?;
        let state = PlanState::of(&known.entries);
        let has_more = !state.ours.is_empty() || !state.defined.is_empty() || known.in_doubt.is_some();
        if known.is_home && (!self.has_header || has_more) {
            self.has_header = false;
            self.state = state;
            known.header.iter().for_each(|header| self.state.add(header));
            self.in_doubt = known.in_doubt;
            self.home = Home::Journal(journal);
            self.is_hidden = false;
        }
        Ok(())
    }

    /// A table that this session may not read may hold the record.
    pub(super) fn refuse_if_hidden(&self) -> Result<(), ApplyError> {
        if !self.is_hidden {
            return Ok(());
        }
        Err(ApplyError::Record {
            what: format!("read {}", state::TABLE),
            why: "this role may not, and the record of the plan may be in it".to_owned(),
            help: self.grant(),
        })
    }

    fn grant(&self) -> String {
        let statement = self.surgery.grant_state_table();
        format!("nothing was changed: the owner of {} can allow it: {statement}", state::TABLE)
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
        let asked = session.each_row(&self.surgery.rows_by_name(&state::table(), &names), &mut |row| {
            entries.push(StateEntry::read(row.get(2..).unwrap_or_default()));
        });
        asked.map_err(|error| match error {
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
            help: format!(
                "nothing was changed: {} is the record of what plans did; bring it back as it was",
                state::TABLE
            ),
        })
    }

    fn name(&self, number: i64) -> RowName {
        RowName::from(vec![("plan", Value::text(&self.plan)), ("number", Value::Integer(number))])
    }

    /// True if another run wrote since this one did.
    pub(super) fn is_overtaken(&self, session: &mut dyn Session) -> Result<Option<String>, ApplyError> {
        if !matches!(self.home, Home::Table { .. }) {
            return Ok(None);
        }
        let header = self.read(session, 0..1)?.pop();
        Ok(header.map(|header| header.run).filter(|run| *run != self.run && *run != self.state.run))
    }

    /// Sees to it that there is a place for the record. True if something was tried for it that may have ended the transaction.
    pub(super) fn prepare(&mut self, writer: &mut dyn Writer, plan: &Path) -> Result<bool, ApplyError> {
        match self.home {
            Home::Nowhere => {}
            Home::Journal(_) => return Ok(false),
            Home::Table { may_write } if may_write && self.may_write(writer)? => return Ok(false),
            Home::Table { .. } if self.has_header => {
                return Err(ApplyError::Record {
                    what: format!("write to {}", state::TABLE),
                    why: "this role may not, and the record of the plan is in it".to_owned(),
                    help: self.grant(),
                });
            }
            Home::Table { .. } => return self.move_to(Journal::of(plan)).map(|()| false),
        }
        let may_create = match self.surgery.may_create_state_table() {
            Some(question) => {
                let mut may = false;
                writer.each_row(&question, &mut |_| may = true)?;
                may
            }
            None => true,
        };
        let made = if may_create { writer.change(&self.surgery.create_state_table()).map(|_| true) } else { Ok(false) };
        match made {
            Ok(true) => self.home = Home::Table { may_write: true },
            Ok(false) => self.move_to(Journal::of(plan))?,
            // Where a table is made at once, the attempt has left nothing behind.
            Err(EngineError::Unwritable { .. } | EngineError::Failed { .. }) if self.facts.defines_at_once() => {
                // Somebody else may have made it in the same moment. A lost connection is told by the question.
                match access(writer, self.surgery)? {
                    Some(access) => self.home = Home::Table { may_write: access.may_write },
                    None => self.move_to(Journal::of(plan))?,
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn move_to(&mut self, journal: Journal) -> Result<(), ApplyError> {
        journal.settle_in()?;
        self.home = Home::Journal(journal);
        Ok(())
    }

    /// Tries statements that would write nothing, where the server tells a role's privileges in no other way.
    fn may_write(&self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        for attempt in self.surgery.try_state_writes() {
            match writer.change(&attempt) {
                Ok(_) => {}
                // A lost connection is told by the next question.
                Err(EngineError::Failed { .. }) => {
                    access(writer, self.surgery)?;
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The journal, if the database holds no record.
    pub(super) fn journal(&self) -> Option<&Path> {
        match &self.home {
            Home::Journal(journal) => Some(journal.path()),
            _ => None,
        }
    }

    /// The next entry, by this run.
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

    /// Writes an entry into the transaction at hand, with the phase that the plan is in then.
    pub(super) fn write(&mut self, writer: &mut dyn Writer, entry: StateEntry, phase: Phase) -> Result<(), ApplyError> {
        self.state.add(&entry);
        match &self.home {
            Home::Nowhere => {}
            Home::Table { .. } => {
                let table = state::table();
                let row = entry.row(&self.plan);
                writer.change(&self.surgery.insert(&table, &self.name(entry.number), &row))?;
            }
            Home::Journal(journal) => journal.intend(&entry, &self.plan)?,
        }
        self.write_phase(writer, phase)
    }

    pub(super) fn write_phase(&mut self, writer: &mut dyn Writer, phase: Phase) -> Result<(), ApplyError> {
        let header = self.header(phase);
        self.state.add(&header);
        if let Home::Journal(_) = self.home {
            self.pending = Some(header);
        } else if let Home::Table { .. } = self.home {
            let (table, name, row) = (state::table(), self.name(0), header.row(&self.plan));
            let statement = if self.has_header {
                self.surgery.update(&table, &name, &row.without("plan").without("number"))
            } else {
                self.surgery.insert(&table, &name, &row)
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

    /// Takes all entries of the plan out of the table, in the transaction at hand, and drops the table with the last.
    pub(super) fn forget(&self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        if let Home::Journal(journal) = &self.home {
            return journal.forget();
        }
        let Home::Table { .. } = self.home else { return Ok(()) };
        let table = state::table();
        for number in 0..=self.state.entries {
            writer.change(&self.surgery.delete(&table, &self.name(number)))?;
        }
        let mut is_empty = true;
        writer.each_row(&self.surgery.largest_value(&table, "number"), &mut |row| {
            is_empty = row.first().is_none_or(|largest| *largest == Value::Null);
        })?;
        // Where a table is dropped at once, another run may be about to write to it: it stays, empty.
        if is_empty && !self.facts.defines_at_once() {
            writer.define(&self.surgery.drop_table(&NewTable { name: table.name, columns: Vec::new() }))?;
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

    /// The phase was committed with a transaction whose answer was lost: the table has it, the journal does not.
    pub(super) fn repeat_phase(&mut self, phase: Phase) {
        if let Home::Journal(_) = self.home {
            let header = self.header(phase);
            self.state.add(&header);
            self.pending = Some(header);
        }
    }

    /// The phase that was written last was committed: the journal, which no transaction takes back, learns it now.
    pub(super) fn settle_phase(&mut self) -> Result<(), ApplyError> {
        match (&self.home, self.pending.take()) {
            (Home::Journal(journal), Some(header)) => journal.head(&header, &self.plan),
            _ => Ok(()),
        }
    }
}

/// `None` if the table is not there.
fn access(session: &mut dyn Session, surgery: &'static dyn Repair) -> Result<Option<Access>, EngineError> {
    let mut access = None;
    session.each_row(&surgery.state_table_privileges(), &mut |row| {
        let is = |place: usize| row.get(place).and_then(Value::as_integer) == Some(1);
        access = Some(Access { may_read: is(0), may_write: is(1) });
    })?;
    Ok(access)
}
