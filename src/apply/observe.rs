//! The state of a plan in a database: its record, and the rows that other sessions changed since. Observing changes nothing.

use std::collections::BTreeMap;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::RunOptions;
use super::RunSummary;
use super::record::Record;
use super::walk::Walk;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::image_match::ImageMatch;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::row::Row;
use crate::model::state::Phase;
use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::model::value::Value;
use crate::plan_file::PlanFile;

/// The state of a plan in a database.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// `None` if the database has no record of the plan.
    pub phase: Option<Phase>,
    /// The run that wrote last, and the time.
    pub run: String,
    pub at: String,
    pub total: u64,
    /// The number of changes of this plan that are in effect.
    pub ours: u64,
    /// The number of definitions that this plan has changed.
    pub defined: u64,
    /// The number of skipped changes, by reason.
    pub left: BTreeMap<SkipReason, u64>,
    /// The number of rows that this plan changed and that other sessions changed since, and the first of them.
    pub changed_since: u64,
    pub changed_rows: Vec<SkippedRow<Value>>,
    /// The file that holds the record, if the database does not.
    pub journal: Option<std::path::PathBuf>,
}

impl Observed {
    /// True if any change of the plan was ever made.
    pub fn was_begun(&self) -> bool {
        self.phase.is_some()
    }
}

/// Reads the record and the rows that the plan changed.
pub fn observe(
    options: &RunOptions<'_>,
    plan: &mut PlanFile,
    session: &mut dyn Session,
) -> Result<Observed, ApplyError> {
    let total = plan.changes();
    let mut walk = Walk::new(options, plan, Vec::new(), BTreeMap::new(), false);
    let state = walk.read_record(session)?;
    let mut observed = Observed {
        phase: state.phase.or((state.entries > 0).then_some(Phase::Applying)),
        run: state.run.clone(),
        at: state.at.clone(),
        total: total as u64,
        ours: state.ours.len(),
        defined: state.defined.len() as u64,
        journal: walk.done.journal.clone(),
        ..Observed::default()
    };
    for why in state.left.values() {
        *observed.left.entry(*why).or_default() += 1;
    }
    let ours: Vec<usize> = (0..total).filter(|&position| state.ours.contains(position)).collect();
    let mut since = RunSummary::default();
    for chunk in ours.chunks(CHUNK) {
        (options.progress)(&ProgressStep::of(RunPhase::CompareRows, chunk[0], total));
        let changes =
            chunk.iter().map(|&position| walk.reading.plan.change(position)).collect::<Result<Vec<Change>, _>>()?;
        let mut tables: Vec<String> = changes.iter().map(|change| change.table.to_string()).collect();
        tables.sort();
        tables.dedup();
        for table in tables {
            let here: Vec<&Change> = changes.iter().filter(|change| change.table.to_string() == table).collect();
            // A table that was dropped has no rows.
            let compare_rows = match walk.tables.contains_key(&table) {
                true => walk.compare_rows(session, &table, &here)?,
                false => vec![ImageMatch::Other; here.len()],
            };
            let changed: Vec<&Change> = here
                .into_iter()
                .zip(compare_rows)
                .filter(|(change, row_match)| *row_match != ImageMatch::After && change.role() != ChangeRole::Counter)
                .map(|(change, _)| change)
                .collect();
            let deleted: Vec<Option<&Row>> =
                changed.iter().map(|change| change.before.as_ref().filter(|_| change.after.is_none())).collect();
            let are_replaced = match walk.tables.get(&table) {
                Some(about) => walk.are_replaced(session, about, &deleted)?,
                None => vec![false; deleted.len()],
            };
            for (change, _) in changed.into_iter().zip(are_replaced).filter(|(_, is_replaced)| !is_replaced) {
                // The row should be as it was after the change, which is where an undo begins.
                let made = change.clone().inverse();
                let now = walk.row_of_skipped(session, &made, SkipReason::Changed);
                since.leave(walk.tables.get(&table), change, SkipReason::Changed, now);
            }
        }
    }
    observed.changed_since = since.rows_left();
    observed.changed_rows = since.left_rows;
    Ok(observed)
}

/// Removes the record of a plan. With the last record it drops the state table.
pub fn forget(options: &RunOptions<'_>, plan: &PlanFile, writer: &mut dyn Writer) -> Result<(), ApplyError> {
    writer.begin(None)?;
    let forgotten =
        Record::load(writer, options, (plan.path(), plan.digest()), ("", "")).and_then(|record| record.forget(writer));
    match forgotten {
        Ok(()) => {
            let _ = writer.commit()?;
            Ok(())
        }
        Err(error) => {
            writer.rollback();
            Err(error)
        }
    }
}

impl<'a> RunOptions<'a> {
    /// Returns options for a run that only reads.
    pub fn read_only(
        schema: &'a crate::model::schema::Schema,
        sql: &'static dyn crate::sql::repair::Repair,
        progress: crate::scan::Progress<'a>,
    ) -> RunOptions<'a> {
        let direction = Direction::Apply;
        RunOptions {
            schema,
            sql,
            direction,
            batch: None,
            lock_wait: std::time::Duration::ZERO,
            between: &|| Ok(()),
            skip_changed: false,
            row_by_row: false,
            committed_scan: None,
            run: "",
            at: "",
            progress,
            stop: &|| false,
        }
    }
}
