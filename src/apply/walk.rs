//! The walk over a plan: transaction by transaction, each of which looks at its rows before it changes them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::RunOptions;
use super::RunSummary;
use super::Step;
use super::batches::Batch;
use super::fit::Mismatches;
use super::locks;
use super::lookahead::Lookahead;
use super::portion::Fit;
use super::portion::Reading;
use super::portion::is_only_kept_out;
use super::record::Record;
use super::references::PendingOrphan;
use super::references::watched;
use super::tables_by_name;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::plan::ChangeRole;
use crate::model::plan::NewTable;
use crate::model::state::SkipReason;
use crate::plan_file::PlanFile;

/// Which count of the forecast the orphans are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VerifyAt {
    /// Nothing has changed yet, and batches cannot be rolled back together.
    BeforeBatches,
    BeforeCommit,
}

/// The side of the row changes on which a definition changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

pub(super) struct Walk<'w> {
    pub(super) options: &'w RunOptions<'w>,
    pub(super) reading: Reading<'w>,
    /// Tables by name, with those that the plan makes.
    pub(super) tables: BTreeMap<String, Table>,
    /// Tables of the plan that are not there yet.
    pub(super) absent: BTreeSet<String>,
    /// Tables that were made, and those whose making was committed.
    pub(super) made: Vec<NewTable>,
    pub(super) committed_tables: Vec<NewTable>,
    /// Changes that are not to be tried: they turned out not to fit after others were written.
    pub(super) excluded: BTreeMap<usize, SkipReason>,
    /// What every single change does is counted, so that one that does more than was planned is named.
    pub(super) counts_each_change: bool,
    pub(super) record: Option<Record>,
    /// Only of relations that were checked when the plan was made is it known which orphans there were: their positions.
    pub(super) watched: Vec<RelationId>,
    pub(super) lookahead: Lookahead,
    /// Keys of the parents that the plan made.
    pub(super) made_keys: HashSet<u64>,
    pub(super) pending_orphans: Vec<PendingOrphan>,
    /// Done in transactions that may still be rolled back, and in those that were committed.
    pub(super) done: RunSummary,
    pub(super) committed: RunSummary,
    /// How many changes were made before this run.
    pub(super) applied_before: u64,
    /// The changes of the transaction at hand: the first and the last position, how many were made, and which were left.
    pub(super) batch: Option<Batch>,
    /// How many orphans each relation had before the first change, where those do not refuse the plan.
    pub(super) orphans_before: BTreeMap<String, u64>,
    /// Orphans that were left as they are, by relation.
    pub(super) left_orphans: BTreeMap<String, u64>,
    /// The first look at all rows still holds: it was in the same transaction, and every row is to be changed.
    pub(super) all_ready: bool,
    /// Orphans of relations in which they can only be counted, before the first change.
    pub(super) counts_before: BTreeMap<RelationId, u64>,
}

/// Why a walk ends early.
pub(super) enum Halt {
    Error(ApplyError),
    /// Some changes were barred: everything that is not committed is tried again without them.
    Retry,
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
    mismatches: Mismatches,
}

impl<'w> Walk<'w> {
    /// `made` are tables of the plan that are there although the schema does not know them.
    pub(super) fn new(
        options: &'w RunOptions<'w>,
        plan: &'w mut PlanFile,
        made: Vec<NewTable>,
        excluded: BTreeMap<usize, SkipReason>,
        counts_each_change: bool,
    ) -> Walk<'w> {
        let tables = tables_by_name(options.schema, &plan.header.creates);
        let is_absent = |new: &&NewTable| options.schema.table(&new.name.to_string()).is_none() && !made.contains(new);
        let absent = plan.header.creates.iter().filter(is_absent).map(|new| new.name.to_string()).collect();
        let watched = watched(options.schema, &plan.header);
        Walk {
            options,
            watched,
            reading: Reading::new(plan, options.direction),
            tables,
            absent,
            committed_tables: made.clone(),
            made,
            excluded,
            counts_each_change,
            record: None,
            lookahead: Lookahead::default(),
            made_keys: HashSet::new(),
            pending_orphans: Vec::new(),
            done: RunSummary::default(),
            committed: RunSummary::default(),
            applied_before: 0,
            batch: None,
            orphans_before: BTreeMap::new(),
            left_orphans: BTreeMap::new(),
            all_ready: false,
            counts_before: BTreeMap::new(),
        }
    }

    pub(super) fn run(
        &mut self,
        writer: &mut dyn Writer,
        admit: Step<'_>,
        secure: Step<'_>,
    ) -> Result<RunSummary, Halt> {
        let is_undo = self.options.direction == Direction::Undo;
        loop {
            self.begin(writer)?;
            admit(writer)?;
            self.load(writer)?;
            let is_fresh = self.record()?.state.entries == 0;
            if is_undo && is_fresh {
                writer.rollback();
                return Ok(RunSummary { never_applied: true, ..RunSummary::default() });
            }
            let found = self.inspect_all(writer)?;
            if !found.mismatches.is_empty() && !self.options.skip_changed {
                return Err(self.mismatch_error(&found.mismatches, true).into());
            }
            if found.ready == 0 {
                self.finish_without_changes(writer, &found)?;
                return Ok(std::mem::take(&mut self.done));
            }
            let verifies_first = (self.options.batch.is_some() && is_fresh) || self.options.skip_changed;
            if verifies_first && !is_undo {
                self.verify(writer, VerifyAt::BeforeBatches)?;
            }
            secure(writer)?;
            self.mark()?;
            // What is defined at once ends the transaction: what was looked at is looked at again.
            let is_defined =
                self.prepare_record(writer)? | self.create_tables(writer)? | self.redefine(writer, Side::Before)?;
            if !is_defined || !self.options.facts().defines_at_once() {
                break;
            }
        }
        if is_undo {
            self.count_before(writer)?;
        }
        self.change_all(writer)?;
        if self.options.facts().defines_at_once() {
            self.redefine(writer, Side::After)?;
            self.drop_empty_tables(writer)?;
            self.close(writer)?;
        }
        self.done.journal = self.record()?.journal().map(std::path::Path::to_owned);
        Ok(std::mem::take(&mut self.done))
    }

    pub(super) fn begin(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        Ok(writer.begin(locks(self.options, &self.reading.plan.header).as_ref())?)
    }

    /// Looks at every definition and row before anything is written.
    fn inspect_all(&mut self, writer: &mut dyn Writer) -> Result<Found, ApplyError> {
        let mut found = Found::default();
        self.inspect_definitions(writer, &mut found.ready, &mut found.already)?;
        self.lookahead = Lookahead::default();
        let total = self.reading.plan.changes();
        let mut step = 0;
        while step < total {
            (self.options.progress)(step, 2 * total);
            let mut portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            self.fit(writer, &mut portion)?;
            self.look_ahead(&portion);
            let is_fresh = self.options.direction == Direction::Apply && self.record()?.state.ours.is_empty();
            for line in &portion.lines {
                match line.fit {
                    Fit::Ready => found.ready += 1,
                    // Others have moved the counter before we did: it is not ours to move back.
                    Fit::Already | Fit::Moved if is_fresh && line.change.role() == ChangeRole::Counter => {
                        self.excluded.insert(line.position, SkipReason::Already);
                    }
                    Fit::Already => found.already += 1,
                    Fit::Done | Fit::Moved | Fit::Left(_) => {}
                }
            }
            found.mismatches.collect(&portion, self.options.direction);
        }
        if !found.mismatches.is_empty() && self.options.direction == Direction::Apply {
            let needless = self.lookahead.needless_parents();
            self.excluded.extend(needless.into_iter().map(|position| (position, SkipReason::Needless)));
        }
        let is_one = self.options.batch.is_none() && found.mismatches.is_empty();
        self.all_ready = is_one && found.ready >= total as u64 && found.already == 0;
        Ok(found)
    }

    /// Nothing is left to do, and nothing is written but that it was all done.
    fn finish_without_changes(&mut self, writer: &mut dyn Writer, found: &Found) -> Result<(), Halt> {
        let total = self.reading.plan.changes();
        let mut step = 0;
        while !found.mismatches.is_empty() && step < total {
            let mut portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            self.fit(writer, &mut portion)?;
            for line in &portion.lines {
                if let Fit::Left(why) = line.fit
                    && !is_only_kept_out(&line.change, why)
                {
                    self.done.leave(&line.change, why);
                }
            }
        }
        writer.rollback();
        if self.options.facts().defines_at_once() {
            self.drop_empty_tables(writer)?;
        }
        // What was defined at once a moment ago is not what was so already.
        self.done.already += found.already.saturating_sub(self.done.redefined);
        let phase = self.record()?.state.phase;
        if phase.is_some_and(|phase| phase != self.last_phase()) {
            self.close(writer)?;
        }
        Ok(())
    }

    pub(super) fn mismatch_error(&self, mismatches: &Mismatches, is_before: bool) -> ApplyError {
        let help = match (self.options.direction, is_before) {
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
        self.refused(mismatches.sentence(), help)
    }

    pub(super) fn refused(&self, why: String, help: &str) -> ApplyError {
        ApplyError::Refused { doing: self.options.direction.doing(), why, help: help.to_owned() }
    }
}
