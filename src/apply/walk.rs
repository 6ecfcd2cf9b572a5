//! The walk over a plan: transaction by transaction, each of which looks at its rows before it changes them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::Done;
use super::Order;
use super::Step;
use super::fit::Misfits;
use super::locks;
use super::portion::Fit;
use super::portion::Portion;
use super::portion::Reading;
use super::record::Record;
use super::redefine::Side;
use super::references::Foreseen;
use super::references::Suspect;
use super::tables_by_name;
use super::verify::Moment;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Ending;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::plan::Part;
use crate::model::plan::Standing;
use crate::model::state;
use crate::model::state::Deed;
use crate::model::state::Left;
use crate::model::state::Phase;
use crate::model::state::State;
use crate::plan_file::PlanFile;

pub(super) struct Walk<'w> {
    pub(super) order: &'w Order<'w>,
    pub(super) reading: Reading<'w>,
    /// Tables by name, with those that the plan makes.
    pub(super) tables: BTreeMap<String, Table>,
    /// Tables of the plan that are not there yet.
    pub(super) absent: BTreeSet<String>,
    /// Tables that were made, whatever becomes of the transaction.
    pub(super) made: Vec<NewTable>,
    /// Those among them that were committed.
    pub(super) made_for_good: Vec<NewTable>,
    /// Changes that are not to be tried: they turned out not to fit after others were written.
    pub(super) barred: BTreeMap<usize, Left>,
    /// What every single change does is counted, so that one that does more than was planned is named.
    pub(super) is_careful: bool,
    pub(super) record: Option<Record>,
    pub(super) foreseen: Foreseen,
    /// Keys of the parents that the plan made.
    pub(super) made_keys: HashSet<u64>,
    pub(super) suspects: Vec<Suspect>,
    /// Done in transactions that may still be rolled back, and in those that were committed.
    pub(super) done: Done,
    pub(super) committed: Done,
    /// How many changes were made before this run.
    pub(super) ours_before: u64,
    /// The changes of the transaction at hand: the first and the last position, how many were made, and which were left.
    batch: Option<Batch>,
    /// How many orphans each relation had before the first change, where those do not refuse the plan.
    pub(super) orphans_before: BTreeMap<String, u64>,
    /// Orphans that were left as they are, by relation.
    pub(super) left_orphans: BTreeMap<String, u64>,
    /// The first look at all rows still holds: it was in the same transaction, and every row is to be changed.
    is_sure: bool,
    /// Orphans of relations in which they can only be counted, before the first change.
    counts_before: BTreeMap<usize, u64>,
}

struct Batch {
    first: u64,
    last: u64,
    changed: u64,
    left: BTreeMap<u64, Left>,
}

/// Why a walk ends early.
pub(super) enum Halt {
    Error(ApplyError),
    /// Some changes were barred: everything that is not committed is tried again without them.
    Again,
}

impl<E: Into<ApplyError>> From<E> for Halt {
    fn from(error: E) -> Halt {
        Halt::Error(error.into())
    }
}

/// What the first look at all rows found.
#[derive(Default)]
struct Found {
    ready: u64,
    already: u64,
    misfits: Misfits,
}

impl<'w> Walk<'w> {
    /// `made` are tables of the plan that are there although the schema does not know them.
    pub(super) fn new(
        order: &'w Order<'w>,
        plan: &'w mut PlanFile,
        made: Vec<NewTable>,
        barred: BTreeMap<usize, Left>,
        is_careful: bool,
    ) -> Walk<'w> {
        let tables = tables_by_name(order.schema, &plan.header.creates);
        let is_absent = |new: &&NewTable| order.schema.table(&new.name.to_string()).is_none() && !made.contains(new);
        let absent = plan.header.creates.iter().filter(is_absent).map(|new| new.name.to_string()).collect();
        Walk {
            order,
            reading: Reading::new(plan, order.direction),
            tables,
            absent,
            made_for_good: made.clone(),
            made,
            barred,
            is_careful,
            record: None,
            foreseen: Foreseen::default(),
            made_keys: HashSet::new(),
            suspects: Vec::new(),
            done: Done::default(),
            committed: Done::default(),
            ours_before: 0,
            batch: None,
            orphans_before: BTreeMap::new(),
            left_orphans: BTreeMap::new(),
            is_sure: false,
            counts_before: BTreeMap::new(),
        }
    }

    pub(super) fn go(&mut self, writer: &mut dyn Writer, admit: Step<'_>, secure: Step<'_>) -> Result<Done, Halt> {
        let is_undo = self.order.direction == Direction::Undo;
        loop {
            self.begin(writer)?;
            admit(writer)?;
            self.load(writer)?;
            let is_fresh = self.record()?.state.entries == 0;
            if is_undo && is_fresh {
                writer.rollback();
                return Ok(Done { never_applied: true, ..Done::default() });
            }
            let found = self.look_at_all(writer)?;
            if !found.misfits.is_empty() && !self.order.skip_changed {
                return Err(self.misfit(&found.misfits, true).into());
            }
            if found.ready == 0 {
                self.finish_without_changes(writer, &found)?;
                return Ok(std::mem::take(&mut self.done));
            }
            let looks_before = (self.order.batch.is_some() && is_fresh) || self.order.skip_changed;
            if looks_before && !is_undo {
                self.verify(writer, Moment::BeforeBatches)?;
            }
            secure(writer)?;
            self.mark()?;
            // What is defined at once ends the transaction: what was looked at is looked at again.
            let is_defined =
                self.prepare_record(writer)? | self.make_tables(writer)? | self.redefine(writer, Side::Before)?;
            if !is_defined || !self.order.surgery.defines_at_once() {
                break;
            }
        }
        if is_undo {
            self.count_before(writer)?;
        }
        self.change_all(writer)?;
        if self.order.surgery.defines_at_once() {
            self.redefine(writer, Side::After)?;
            self.leave_no_empty_tables(writer)?;
            self.close(writer)?;
        }
        self.done.journal = self.record()?.journal().map(std::path::Path::to_owned);
        Ok(std::mem::take(&mut self.done))
    }

    pub(super) fn begin(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        Ok(writer.begin(locks(self.order, &self.reading.plan.header).as_ref())?)
    }

    pub(super) fn record(&self) -> Result<&Record, ApplyError> {
        self.record.as_ref().ok_or_else(|| self.refused("nothing is known of its state".to_owned(), "try again"))
    }

    fn record_mut(&mut self) -> Result<&mut Record, ApplyError> {
        let missing = self.refused("nothing is known of its state".to_owned(), "try again");
        self.record.as_mut().ok_or(missing)
    }

    /// What the record says now, in the transaction at hand.
    fn load(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        let is_first = self.record.is_none();
        let plan = (self.reading.plan.path(), self.reading.plan.digest());
        let run = (self.order.run, self.order.at);
        let mut record = Record::load(writer, self.order.surgery, plan, run)?;
        if self.record.as_ref().is_some_and(|known| known.journal().is_some()) {
            record.keep_in_journal(plan.0);
        }
        if let Some(entry) = record.in_doubt.take() {
            let is_committed = self.is_committed(writer, &entry)?;
            record.settle(entry.number, is_committed)?;
            if is_committed {
                record.state.add(&entry);
            }
        }
        if is_first {
            self.ours_before = match self.order.direction {
                Direction::Apply => record.state.ours.len(),
                Direction::Undo => record.state.taken_back.len(),
            };
        }
        self.record = Some(record);
        Ok(())
    }

    /// What the record says, for a session that only reads.
    pub(super) fn read_record(&mut self, session: &mut dyn Session) -> Result<State, ApplyError> {
        let plan = (self.reading.plan.path(), self.reading.plan.digest());
        let mut record = Record::load(session, self.order.surgery, plan, ("", ""))?;
        if let Some(entry) = record.in_doubt.take()
            && self.is_committed(session, &entry)?
        {
            record.state.add(&entry);
        }
        Ok(record.state)
    }

    /// Whether an entry was committed of which only the intent is known: a row that it changed says so.
    fn is_committed(&mut self, session: &mut dyn Session, entry: &state::Entry) -> Result<bool, ApplyError> {
        let is_left = |position: u64| entry.left.iter().any(|run| (run.first..=run.last).contains(&position));
        for position in (entry.first..=entry.last).filter(|position| !is_left(*position)) {
            let change = self.reading.plan.change(usize::try_from(position).unwrap_or(usize::MAX))?;
            if change.part() == Part::Counter {
                continue;
            }
            let change = if entry.deed == Deed::Undo { change.inverse() } else { change };
            let standings = self.standings(session, &change.table.to_string(), &[&change])?;
            return Ok(standings == [Standing::After]);
        }
        Ok(false)
    }

    /// Looks at every definition and row before anything is written.
    fn look_at_all(&mut self, writer: &mut dyn Writer) -> Result<Found, ApplyError> {
        let mut found = Found::default();
        self.inspect_definitions(writer, &mut found.ready, &mut found.already)?;
        self.foreseen = Foreseen::default();
        let total = self.reading.plan.changes();
        let mut step = 0;
        while step < total {
            (self.order.progress)(step, 2 * total);
            let mut portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            self.fit(writer, &mut portion)?;
            self.foresee(&portion);
            let is_fresh = self.order.direction == Direction::Apply && self.record()?.state.ours.is_empty();
            for line in &portion.lines {
                match line.fit {
                    Fit::Ready => found.ready += 1,
                    // Others have moved the counter before we did: it is not ours to move back.
                    Fit::Already | Fit::Moved if is_fresh && line.change.part() == Part::Counter => {
                        self.barred.insert(line.position, Left::Already);
                    }
                    Fit::Already => found.already += 1,
                    Fit::Done | Fit::Moved | Fit::Left(_) => {}
                }
            }
            found.misfits.gather(&portion);
        }
        if !found.misfits.is_empty() && self.order.direction == Direction::Apply {
            let needless = self.foreseen.needless_parents();
            self.barred.extend(needless.into_iter().map(|position| (position, Left::Needless)));
        }
        let is_one = self.order.batch.is_none() && found.misfits.is_empty();
        self.is_sure = is_one && found.ready >= total as u64 && found.already == 0;
        Ok(found)
    }

    /// Nothing is left to do, and nothing is written but that it was all done.
    fn finish_without_changes(&mut self, writer: &mut dyn Writer, found: &Found) -> Result<(), Halt> {
        let total = self.reading.plan.changes();
        let mut step = 0;
        while !found.misfits.is_empty() && step < total {
            let mut portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            self.fit(writer, &mut portion)?;
            for line in &portion.lines {
                if let Fit::Left(why) = line.fit {
                    self.done.leave(&line.change, why);
                }
            }
        }
        writer.rollback();
        if self.order.surgery.defines_at_once() {
            self.leave_no_empty_tables(writer)?;
        }
        // What was defined at once a moment ago is not what was so already.
        self.done.already += found.already.saturating_sub(self.done.redefined);
        let phase = self.record()?.state.phase;
        if phase.is_some_and(|phase| phase != self.last_phase()) && self.record()?.journal().is_none() {
            self.close(writer)?;
        }
        Ok(())
    }

    /// Records that the walk came to its end.
    fn close(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        let phase = self.last_phase();
        // To write it twice does no harm, so a commit whose answer was lost is tried once more.
        for _ in 0..2 {
            writer.begin(None)?;
            self.record_mut()?.write_phase(writer, phase)?;
            if writer.commit()? == Ending::Committed {
                break;
            }
        }
        Ok(())
    }

    fn last_phase(&self) -> Phase {
        match self.order.direction {
            Direction::Apply => Phase::Applied,
            Direction::Undo => Phase::TakenBack,
        }
    }

    fn phase(&self) -> Phase {
        match self.order.direction {
            Direction::Apply => Phase::Applying,
            Direction::Undo => Phase::TakingBack,
        }
    }

    fn mark(&self) -> Result<(), ApplyError> {
        let plan = &self.reading.plan;
        super::journal::mark(plan.path(), plan.digest(), &plan.header.database, self.order.run, self.order.at)
    }

    fn prepare_record(&mut self, writer: &mut dyn Writer) -> Result<bool, ApplyError> {
        let path = self.reading.plan.path().to_owned();
        self.record_mut()?.prepare(writer, &path)
    }

    /// Records something other than rows: a table that was made, a definition that is about to change. Where such a thing
    /// ends the transaction, the entry has one of its own.
    pub(super) fn note(&mut self, writer: &mut dyn Writer, deed: Deed) -> Result<(), ApplyError> {
        if !self.order.surgery.defines_at_once() {
            return self.note_here(writer, deed).map(|_| ());
        }
        writer.rollback();
        writer.begin(None)?;
        let number = self.note_here(writer, deed)?;
        match writer.commit()? {
            Ending::Committed => Ok(()),
            Ending::Unknown(why) => self.find_out(writer, number, &why),
        }
    }

    /// The answer is the number of the entry.
    fn note_here(&mut self, writer: &mut dyn Writer, deed: Deed) -> Result<i64, ApplyError> {
        let phase = self.phase();
        let record = self.record_mut()?;
        let entry = record.entry(deed, (0, 0), 0, Vec::new());
        let number = entry.number;
        record.write(writer, entry, phase)?;
        // The journal holds such a thing to be done: what becomes of the rows is told by their own entries.
        record.settle(number, true)?;
        Ok(number)
    }

    /// Changes all rows, batch by batch.
    fn change_all(&mut self, writer: &mut dyn Writer) -> Result<(), Halt> {
        let batch = self.order.batch.unwrap_or(usize::MAX);
        let total = self.reading.plan.changes();
        let (mut step, mut in_batch) = (0, 0);
        while step < total {
            (self.order.progress)(total + step, 2 * total);
            let mut portion = self.reading.portion(step, batch.saturating_sub(in_batch).clamp(1, CHUNK))?;
            step += portion.lines.len();
            in_batch += portion.lines.len();
            self.change(writer, &mut portion)?;
            let is_whole = in_batch >= batch && step < total;
            if is_whole && self.is_sound(writer, in_batch >= batch.saturating_mul(10))? {
                self.commit(writer, self.phase())?;
                self.begin(writer)?;
                self.stay_alone(writer)?;
                in_batch = 0;
            }
        }
        self.is_sound(writer, true)?;
        let defines_at_once = self.order.surgery.defines_at_once();
        if !defines_at_once {
            self.redefine(writer, Side::After)?;
            self.leave_no_empty_tables(writer)?;
        }
        match self.order.direction {
            Direction::Apply => self.verify(writer, Moment::BeforeCommit)?,
            Direction::Undo => self.count_after(writer)?,
        }
        let phase = if defines_at_once { self.phase() } else { self.last_phase() };
        self.commit(writer, phase)?;
        Ok(())
    }

    /// Two runs of one plan exclude each other. Should a lock have failed to tell, the record does.
    fn stay_alone(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        match self.record()?.is_overtaken(writer)? {
            None => Ok(()),
            Some(other) => Err(self.refused(
                format!("another run has taken it over ({other})"),
                "let that one end; `fk-doctor status` tells how far it is",
            )),
        }
    }

    fn change(&mut self, writer: &mut dyn Writer, portion: &mut Portion) -> Result<(), Halt> {
        if !self.is_sure || portion.lines.iter().any(|line| line.change.part() == Part::Counter) {
            self.fit(writer, portion)?;
        }
        self.keep_parents(writer, portion)?;
        let mut misfits = Misfits::default();
        misfits.gather(portion);
        if !misfits.is_empty() && !self.order.skip_changed {
            return Err(self.misfit(&misfits, false).into());
        }
        let mut changed = 0;
        let changed_before = writer.changed_so_far()?;
        for line in &portion.lines {
            match line.fit {
                Fit::Ready => {
                    self.write_one(writer, line)?;
                    changed += 1;
                }
                // A counter is no row that anybody made.
                Fit::Already if line.change.part() == Part::Counter => {}
                Fit::Already => self.done.already += 1,
                Fit::Left(why) => {
                    self.done.leave(&line.change, why);
                    self.leave_orphans(&line.change);
                }
                Fit::Done | Fit::Moved => {}
            }
        }
        self.check_count(portion, changed, writer.changed_so_far()?.saturating_sub(changed_before))?;
        self.check_stored(writer, portion)?;
        self.look_for_parents(writer, portion)?;
        self.look_for_children(writer, portion)?;
        self.extend_batch(portion, changed);
        Ok(())
    }

    fn extend_batch(&mut self, portion: &Portion, changed: u64) {
        let positions = portion.lines.iter().map(|line| line.position as u64);
        let (Some(first), Some(last)) = (positions.clone().min(), positions.max()) else { return };
        let batch = self.batch.get_or_insert(Batch { first, last, changed: 0, left: BTreeMap::new() });
        batch.first = batch.first.min(first);
        batch.last = batch.last.max(last);
        batch.changed += changed;
        for line in &portion.lines {
            match (line.fit, self.order.direction) {
                (Fit::Left(why), _) => {
                    batch.left.insert(line.position as u64, why);
                }
                // What was taken back by hand is no longer ours either.
                (Fit::Already, Direction::Apply) => {
                    batch.left.insert(line.position as u64, Left::Already);
                }
                _ => {}
            }
        }
    }

    /// True if no row is without its parent that a later change is to bring. At the end of a batch that cannot wait, such a
    /// row does not fit.
    fn is_sound(&mut self, writer: &mut dyn Writer, is_last: bool) -> Result<bool, Halt> {
        self.clear_suspects(writer)?;
        if self.suspects.is_empty() {
            return Ok(true);
        }
        if !is_last {
            return Ok(false);
        }
        if self.order.skip_changed {
            self.bar_suspects();
            return Err(Halt::Again);
        }
        let help = "the transaction was rolled back; --skip-changed leaves such rows as they are";
        Err(self.refused(self.told_suspects(), help).into())
    }

    fn commit(&mut self, writer: &mut dyn Writer, phase: Phase) -> Result<(), ApplyError> {
        let mut number = None;
        if let Some(batch) = self.batch.take() {
            let mut left = Vec::new();
            for (position, why) in batch.left {
                state::leave(&mut left, position, why);
            }
            let deed = match self.order.direction {
                Direction::Apply => Deed::Apply,
                Direction::Undo => Deed::Undo,
            };
            let record = self.record_mut()?;
            let entry = record.entry(deed, (batch.first, batch.last), batch.changed, left);
            number = Some(entry.number);
            record.write(writer, entry, phase)?;
        } else {
            self.record_mut()?.write_phase(writer, phase)?;
        }
        match (writer.commit()?, number) {
            (Ending::Committed, Some(number)) => self.record()?.settle(number, true)?,
            (Ending::Unknown(why), Some(number)) => self.find_out(writer, number, &why)?,
            _ => {}
        }
        self.committed = self.done.clone();
        self.made_for_good.clone_from(&self.made);
        Ok(())
    }

    /// The answer to a commit was lost: the record says what became of it. It is read as a writer reads, so that the server
    /// has to settle it first.
    fn find_out(&mut self, writer: &mut dyn Writer, number: i64, lost: &str) -> Result<(), ApplyError> {
        let read = self.begin(writer).and_then(|()| self.load(writer));
        writer.rollback();
        let (why, help) = match read {
            Ok(()) if self.record()?.state.entries >= number => return Ok(()),
            Ok(()) => ("the connection was lost before the commit", "nothing was changed: run the same command again"),
            Err(_) => (
                "the connection was lost during the commit, and what became of it cannot be read",
                "run the same command again: it goes on where it was",
            ),
        };
        let what = format!("to {}", self.reading.plan.header.database);
        Err(EngineError::Unwritable { what, why: format!("{why}: {lost}"), help: help.to_owned() }.into())
    }

    /// Relations in which the plan does not know its orphans by name may have as many more as it had found.
    fn count_before(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        for relation in self.foreseen.counted.clone() {
            let orphans = self.count_orphans(writer, relation)?;
            self.counts_before.insert(relation, orphans);
        }
        Ok(())
    }

    fn count_after(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        for (relation, before) in self.counts_before.clone() {
            let id = &self.order.schema.relations[relation].id;
            let forecast = self.reading.plan.header.forecasts.iter().find(|forecast| forecast.relation == *id);
            let known = forecast.map_or(0, |forecast| forecast.rows_before);
            let after = self.count_orphans(writer, relation)?;
            if after > before.max(known) {
                let why = format!("{id} would have {after} orphan rows, and the plan had found {known}");
                return Err(self.refused(why, "nothing was changed: rows refer by now to what the plan made"));
            }
        }
        Ok(())
    }

    pub(super) fn misfit(&self, misfits: &Misfits, is_before: bool) -> ApplyError {
        let help = match (self.order.direction, is_before) {
            (Direction::Apply, true) => {
                "nothing was changed: make a new plan with `fk-doctor repair`, or add --skip-changed to leave these rows as they are"
            }
            (Direction::Apply, false) => {
                "the transaction was rolled back: make a new plan, or add --skip-changed to leave these rows as they are"
            }
            (Direction::Undo, _) => {
                "nothing was changed: add --skip-changed to take back the rest and leave these rows as they are"
            }
        };
        self.refused(misfits.sentence(), help)
    }

    pub(super) fn refused(&self, why: String, help: &str) -> ApplyError {
        ApplyError::Refused { doing: self.order.direction.doing(), why, help: help.to_owned() }
    }
}
