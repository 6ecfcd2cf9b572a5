//! The walk over a plan, transaction by transaction. Each transaction compares its rows with the plan before it changes them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::RunOptions;
use super::RunSummary;
use super::Step;
use super::batches::Batch;
use super::fit::Mismatches;
use super::gentle::Gentle;
use super::known_references::KnownReferences;
use super::locks;
use super::lookahead::Lookahead;
use super::portion::Fit;
use super::portion::Reading;
use super::portion::is_only_kept_out;
use super::record::Record;
use super::references::PendingOrphan;
use super::references::watched;
use super::sets::Sets;
use super::tables_by_name;
use crate::engine::write::Writer;
use crate::model::catalog::Table;
use crate::model::facts::Location;
use crate::model::ids::RelationId;
use crate::model::plan::ChangeRole;
use crate::model::plan::NewTable;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::schema_index::SchemaIndex;
use crate::model::state::Positions;
use crate::model::state::SkipReason;
use crate::plan_file::PlanFile;

/// The time of a verification, which decides the number of orphans that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VerifyAt {
    /// Before the first change, because batches cannot be rolled back together.
    BeforeBatches,
    BeforeCommit,
    /// After the last batch, in a transaction that holds no lock of a row.
    AfterBatches,
}

/// The time of a change of a definition: before or after the rows change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// The state of a walk over a plan.
pub(super) struct Walk<'w> {
    pub(super) options: &'w RunOptions<'w>,
    pub(super) reading: Reading<'w>,
    /// Tables by name, including those that the plan creates.
    pub(super) tables: BTreeMap<String, Table>,
    /// Tables of the plan that do not exist yet.
    pub(super) absent: BTreeSet<String>,
    /// Tables that this run created, and those of them that are committed.
    pub(super) made: Vec<NewTable>,
    pub(super) committed_tables: Vec<NewTable>,
    /// Changes that this attempt skips, because an earlier attempt found a conflict after it wrote other rows.
    pub(super) excluded: BTreeMap<usize, SkipReason>,
    /// True if this attempt excluded rows itself, because the database refused them.
    pub(super) has_left_rows: bool,
    /// True if the affected rows are counted after each change, to name a change that affects more rows than planned.
    pub(super) counts_each_change: bool,
    pub(super) record: Option<Record>,
    pub(super) schema_index: Arc<SchemaIndex<'w>>,
    /// The relations that were checked when the plan was made. The orphans of other relations are unknown.
    pub(super) watched: Arc<BTreeSet<RelationId>>,
    pub(super) lookahead: Lookahead,
    /// Fingerprints of the keys of the parents that the plan inserted.
    pub(super) made_keys: HashSet<u64>,
    /// The keys that the current portion added to them, if it can be changed again without some of its rows.
    pub(super) portion_keys: Option<Vec<u64>>,
    pub(super) pending_orphans: Vec<PendingOrphan>,
    /// The changes including those of the open transaction, and the changes that were committed.
    pub(super) done: RunSummary,
    pub(super) committed: RunSummary,
    /// The number of changes that were in effect before this run.
    pub(super) applied_before: u64,
    /// The changes of the current transaction.
    pub(super) batch: Option<Batch>,
    /// With `--skip-changed`, the number of orphans that each relation had before the first change.
    pub(super) orphans_before: BTreeMap<String, u64>,
    /// The number of orphans that were skipped, by relation.
    pub(super) left_orphans: BTreeMap<String, u64>,
    /// True if the first inspection found all rows ready, in the same transaction. The rows need no second comparison then.
    pub(super) all_ready: bool,
    /// The number of orphans before the first change, for relations whose orphans can only be counted.
    pub(super) counts_before: BTreeMap<RelationId, u64>,
    /// The changes in sets.
    pub(super) sets: Sets<'w>,
    pub(super) known: KnownReferences,
    /// The state of a run beside other sessions.
    pub(super) gentle: Gentle,
    /// True if all rows are changed one by one, because an earlier attempt found that sets do not come out as planned.
    pub(super) avoids_sets: bool,
    /// True if the lookahead is complete.
    pub(super) has_looked_ahead: bool,
    /// For undo, the changes that were in effect before this walk.
    pub(super) applied_at_start: Positions,
    /// The state at the start of the current transaction. `None` in the first transaction of the walk, which also creates tables.
    pub(super) transaction: Option<TransactionStart>,
}

/// The state to which a rollback of the current transaction returns.
pub(super) struct TransactionStart {
    pub(super) step: usize,
    pub(super) left_orphans: BTreeMap<String, u64>,
    /// The keys that the transaction added to [`Walk::made_keys`].
    pub(super) made_keys: Vec<u64>,
}

impl TransactionStart {
    pub(super) fn new(step: usize, left_orphans: BTreeMap<String, u64>) -> TransactionStart {
        TransactionStart { step, left_orphans, made_keys: Vec::new() }
    }
}

/// The reason why a walk ends early.
pub(super) enum Halt {
    Error(ApplyError),
    /// Some changes were excluded. All changes that are not committed are tried again without them.
    Retry,
}

impl<E: Into<ApplyError>> From<E> for Halt {
    fn from(error: E) -> Halt {
        Halt::Error(error.into())
    }
}

/// The result of the first inspection of all rows.
#[derive(Default)]
struct Found {
    ready: u64,
    already: u64,
    mismatches: Mismatches,
}

impl<'w> Walk<'w> {
    /// Returns a walk before its first step. `made` are tables that an earlier attempt created after the schema was read.
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
            schema_index: Arc::new(SchemaIndex::of(options.schema)),
            watched: Arc::new(watched),
            reading: Reading::new(plan, options.direction),
            tables,
            absent,
            committed_tables: made.clone(),
            made,
            excluded,
            has_left_rows: false,
            counts_each_change,
            record: None,
            lookahead: Lookahead::default(),
            made_keys: HashSet::new(),
            portion_keys: None,
            pending_orphans: Vec::new(),
            done: RunSummary::default(),
            committed: RunSummary::default(),
            applied_before: 0,
            batch: None,
            orphans_before: BTreeMap::new(),
            left_orphans: BTreeMap::new(),
            all_ready: false,
            counts_before: BTreeMap::new(),
            sets: Sets::default(),
            known: KnownReferences::default(),
            gentle: Gentle::default(),
            avoids_sets: false,
            has_looked_ahead: false,
            applied_at_start: Positions::default(),
            transaction: None,
        }
    }

    pub(super) fn is_on_server(&self) -> bool {
        self.options.facts().location == Location::Server
    }

    pub(super) fn run(
        &mut self,
        writer: &mut dyn Writer,
        admit: Step<'_>,
        secure: Step<'_>,
    ) -> Result<RunSummary, Halt> {
        let is_undo = self.options.direction == Direction::Undo;
        self.choose_locks(writer);
        loop {
            self.begin_comparison(writer)?;
            admit(writer)?;
            self.load(writer)?;
            self.applied_at_start = self.record()?.state.ours.clone();
            self.open_sets(writer);
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
            // A definition that is committed at once ends the transaction, so the rows are inspected again.
            let is_defined =
                self.prepare_record(writer)? | self.create_tables(writer)? | self.redefine(writer, Side::Before)?;
            if !is_defined || !self.options.facts().defines_at_once() {
                break;
            }
            if self.is_gentle() {
                // The inspection held no lock of a row. Each batch compares its rows again.
                self.begin_comparison(writer)?;
                break;
            }
        }
        if is_undo {
            self.count_before(writer)?;
        }
        self.change_all(writer)?;
        if self.waits_for_rows() {
            return Ok(std::mem::take(&mut self.done));
        }
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

    /// Compares every definition and row with the plan before anything is written.
    fn inspect_all(&mut self, writer: &mut dyn Writer) -> Result<Found, ApplyError> {
        let mut found = Found::default();
        self.inspect_definitions(writer, &mut found.ready, &mut found.already)?;
        (self.lookahead, self.has_looked_ahead) = (Lookahead::default(), false);
        let total = self.reading.plan.changes();
        let (ready, fits) = self.inspect_sets(writer)?;
        if fits {
            found.ready += ready;
            self.all_ready = self.options.batch.is_none() && found.ready >= total as u64 && found.already == 0;
            return Ok(found);
        }
        self.has_looked_ahead = true;
        self.recall_made_parents()?;
        let (mut step, mut has_new_addresses) = (0, false);
        while step < total {
            (self.options.progress)(&ProgressStep::of(RunPhase::CompareRows, step, total));
            self.stop_if_asked(0)?;
            let mut portion = self.reading.portion(step, CHUNK)?;
            step += portion.lines.len();
            // The rows of a set were compared already, and are ready.
            if self.needs_comparison(&portion)? {
                self.fit(writer, &mut portion)?;
            }
            has_new_addresses |= portion.has_new_addresses;
            self.look_ahead(&portion);
            let is_fresh = self.options.direction == Direction::Apply && self.record()?.state.ours.is_empty();
            for line in &portion.lines {
                match line.fit {
                    Fit::Ready => found.ready += 1,
                    // Another session advanced the counter before this run, so undo must not reset it.
                    Fit::Already | Fit::Moved if is_fresh && line.change.role() == ChangeRole::Counter => {
                        self.excluded.insert(line.position, SkipReason::Already);
                    }
                    Fit::Already => found.already += 1,
                    Fit::Done | Fit::Moved | Fit::Left(_) => {}
                }
            }
            self.collect_mismatches(writer, &portion, &mut found.mismatches);
        }
        if !found.mismatches.is_empty() && self.options.direction == Direction::Apply {
            let needless = self.lookahead.needless_parents();
            self.excluded.extend(needless.into_iter().map(|position| (position, SkipReason::Needless)));
        }
        let is_single_batch = self.options.batch.is_none() && found.mismatches.is_empty() && !has_new_addresses;
        self.all_ready = is_single_batch && found.ready >= total as u64 && found.already == 0;
        Ok(found)
    }

    /// Ends a run that has nothing to change. It only records that the plan is complete.
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
                    let now = self.row_of_skipped(writer, &line.change, why);
                    self.done.leave(self.tables.get(&line.change.table.to_string()), &line.change, why, now);
                }
            }
        }
        writer.rollback();
        if self.options.facts().defines_at_once() {
            self.drop_empty_tables(writer)?;
        }
        // A definition that this run changed at once does not count as already changed.
        self.done.already += found.already.saturating_sub(self.done.redefined);
        let state = &self.record()?.state;
        let (phase, at) = (state.phase, state.at.clone());
        self.done.earlier_run = phase.map(|_| at);
        if phase.is_some_and(|phase| phase != self.last_phase()) {
            self.close(writer)?;
        }
        Ok(())
    }

    pub(super) fn mismatch_error(&self, mismatches: &Mismatches, is_before: bool) -> ApplyError {
        let help = match (self.options.direction, is_before) {
            (Direction::Apply, true) => {
                "make a new plan with `fk-doctor repair`, or add --skip-changed to leave these rows as they are"
            }
            (Direction::Apply, false) => {
                "the transaction was rolled back: make a new plan, or add --skip-changed to leave these rows as they are"
            }
            (Direction::Undo, _) => {
                "nothing was changed: add --skip-changed to take back the rest and leave these rows as they are"
            }
        };
        let why = mismatches.sentence(self.reading.plan.changes());
        match self.options.direction {
            Direction::Apply => {
                ApplyError::OutOfDate { doing: self.options.direction.doing(), why, help: help.to_owned() }
            }
            Direction::Undo => self.refused(why, help),
        }
    }

    /// Returns an error if the run should end before this step.
    pub(super) fn stop_if_asked(&self, step: usize) -> Result<(), ApplyError> {
        let (doing, total) = (self.options.direction.doing(), self.reading.plan.changes());
        let stopped = ApplyError::Stopped { doing, done: step as u64, total, committed: 0 };
        if (self.options.stop)() { Err(stopped) } else { Ok(()) }
    }

    pub(super) fn refused(&self, why: String, help: &str) -> ApplyError {
        ApplyError::Refused { doing: self.options.direction.doing(), why, help: help.to_owned() }
    }
}
