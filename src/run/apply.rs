//! `apply` and `undo`: apply a plan to a database, or take it back.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::DEFAULT_MEMORY;
use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::database;
use super::orphan_rows::OrphanRows;
use super::plan_backup;
use super::printed_command;
use super::replicas::BatchInterval;
use super::stopped::StoppedRun;
use crate::apply::ApplyError;
use crate::apply::Direction;
use crate::apply::Most;
use crate::apply::RowChanges;
use crate::apply::RunOptions;
use crate::apply::RunSummary;
use crate::apply::admission;
use crate::apply::admission::Overrides;
use crate::apply::exclusive;
use crate::apply::execute::ExecuteOptions;
use crate::apply::execute::Execution;
use crate::apply::execute::execute;
use crate::apply::journal;
use crate::cli;
use crate::cli::repair::AdmissionArgs;
use crate::cli::repair::WriteArgs;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::exit::Exit;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::TableName;
use crate::model::date;
use crate::model::finding_group::Distinct;
use crate::model::forecast::TableChanges;
use crate::model::plan::OrphanForecast;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::progress::numbered;
use crate::model::redaction;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::plan_file::PlanFile;
use crate::quarantine_file;
use crate::report;
use crate::report::AnswerFormat;
use crate::scan;
use crate::scan::Progress;
use crate::scan::ScanOptions;
use crate::scan::ScanResult;
use crate::scan::ScanResults;
use crate::scan::Tally;
use crate::source::Source;
use crate::sql;
use crate::sql::repair::Repair;

pub fn apply(
    direction: Direction,
    typed: &cli::repair::UndoArgs,
    admission: AdmissionArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = database::source(Some(&typed.database), global, environment)?;
    let outputs = super::outputs(&typed.format, &None, AnswerFormat::Table)?;
    let files = outputs.iter().filter_map(|(_, file)| file.as_deref());
    super::refuse_to_overwrite(&source, files.clone())?;
    // A file that does not exist yet cannot be the plan.
    let is_the_plan = |file: &Path| file.canonicalize().is_ok_and(|file| typed.plan.canonicalize().ok() == Some(file));
    if files.into_iter().any(is_the_plan) {
        return Err(RunError::WouldOverwrite { path: typed.plan.clone(), why: "this file is the plan" });
    }
    let (plan, writing) = (&typed.plan, &typed.writing);
    let plan_run = PlanRun { direction, source: &source, plan, writing, admission, outputs, staying: 0 };
    run_plan(plan_run, global, environment, progress)
}

/// The phases of a run, in order.
const PHASES: [RunPhase; 5] =
    [RunPhase::CompareRows, RunPhase::BackUp, RunPhase::ChangeRows, RunPhase::VerifyRelations, RunPhase::Commit];

fn phases(has_backup: bool) -> Vec<RunPhase> {
    PHASES.into_iter().filter(|&phase| phase != RunPhase::BackUp || has_backup).collect()
}

/// A run of a plan: the direction, the database, the options, and the requested reports.
pub(super) struct PlanRun<'g> {
    pub(super) direction: Direction,
    pub(super) source: &'g Source,
    pub(super) plan: &'g Path,
    pub(super) writing: &'g WriteArgs,
    pub(super) admission: AdmissionArgs,
    pub(super) outputs: Vec<(AnswerFormat, Option<PathBuf>)>,
    /// The quarantined rows that the plan leaves where they are, if it restores rows.
    pub(super) staying: u64,
}

pub(super) fn run_plan(
    plan_run: PlanRun<'_>,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let PlanRun { direction, source, plan: path, writing, admission, outputs, staying } = plan_run;
    plan_backup::refuse_on_server(direction, writing, source)?;
    let mut plan = PlanFile::open(path)?;
    let lock = exclusive::lock_plan(direction, &mut plan, source.file().is_none())?;
    let wait_limits = WaitLimits { lock_wait: writing.wait.unwrap_or(DEFAULT_WAIT), deadline: Deadline::default() };
    let Admitted { mut database, schema, sql, identity } =
        admitted((direction, source, overrides(writing, admission)), &plan, &wait_limits, global, environment)?;
    let kept_files = quarantine_file::paths(path, &plan.header);
    super::refuse_to_overwrite(source, kept_files.iter().map(PathBuf::as_path))?;
    let interval = BatchInterval::open(direction, writing, source, &wait_limits, (global, environment))?;
    let at = date::timestamp(environment.now);
    let backup = plan_backup::wanted(direction, writing, source, &plan, environment.now)?;
    backup.iter().for_each(|backup| backup.note_unfinished(environment));
    let announce = |size: u64| backup.iter().for_each(|backup| backup.announce(size, environment));
    let phases = phases(backup.is_some());
    let progress = numbered(direction.command(), &phases, progress);
    let is_stopped = environment.stop_requests.is_pending;
    let scan_committed = |schema: &Schema, most: &Most, progress: Progress<'_>| {
        committed_orphans(source, &wait_limits, environment, (schema, most), progress)
    };
    let order = RunOptions {
        schema: &schema,
        sql,
        direction,
        batch: writing.batch,
        lock_wait: wait_limits.lock_wait,
        between: &|| interval.wait(&is_stopped, &|why| progress(&ProgressStep::waiting(RunPhase::ChangeRows, why))),
        skip_changed: writing.skip_changed,
        row_by_row: writing.row_by_row,
        committed_scan: Some(&scan_committed),
        run: &exclusive::run_name(environment.process, &at),
        at: &at,
        progress: &progress,
        stop: &is_stopped,
    };
    let request = backup.as_ref().map(|backup| backup.request(&announce));
    let conduct = ExecuteOptions { lock, identity: &identity, no_triggers: writing.no_triggers, backup: request };
    let (execution, cause) = stoppable(environment, || execute(&order, &mut plan, database.as_mut(), conduct));
    backup.iter().filter(|_| writing.batch.is_none()).for_each(|backup| backup.remove_ours(&execution));
    let execution = execution.map_err(|error| {
        let ApplyError::Stopped { done, total, committed, .. } = error else { return error.into() };
        StoppedRun { direction, source, plan: path, writing, admission, global, done, total, committed, cause }.error()
    })?;
    drop(database);
    let conducted = (direction, &plan, &execution.done);
    let remaining = remaining(source, conducted, &wait_limits, (global, environment), &progress)?;
    let exit = exit(direction, &execution.done, &remaining);
    let report = Report {
        direction,
        database: &schema.database,
        source,
        options: printed_command::options_of_run(Direction::Undo, true, global, writing, admission),
        plan: &plan,
        kept_files,
        missing_mark: missing_mark(&execution.done, source, path),
        remaining,
        staying,
    };
    Ok(Outcome { documents: report.documents(&execution, outputs, environment), notes: Vec::new(), exit })
}

/// Does work that a request to stop can end early. Returns its result, and the cause of the last request.
fn stoppable<T>(environment: &Environment, work: impl FnOnce() -> T) -> (T, &'static str) {
    let requests = &environment.stop_requests;
    (requests.begin)();
    let result = work();
    let cause = (requests.cause)();
    (requests.end)();
    (result, cause)
}

/// A database that may get the changes of a plan.
struct Admitted {
    database: Box<dyn Database>,
    schema: Schema,
    sql: &'static dyn Repair,
    identity: String,
}

/// Opens the database of a plan, or refuses the run.
fn admitted(
    (direction, source, overrides): (Direction, &Source, Overrides),
    plan: &PlanFile,
    wait_limits: &WaitLimits,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<Admitted, RunError> {
    database::recover(source, wait_limits, environment)?;
    let mut database = database::open(source, wait_limits, environment)?;
    admission::refuse_read_only(direction, database.read_only()?, overrides)?;
    let schema = config_file::read(source, global, environment)?.resolve(database.as_mut(), environment)?;
    let sql = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let identity = database.identity()?;
    admission::refuse_unfit_plan(direction, &plan.header, &identity, overrides)?;
    Ok(Admitted { database, schema, sql, identity })
}

/// Returns the mark that a run would have left beside a plan that was never applied, if it is missing. On SQLite, whoever can
/// write can also create the table of states.
fn missing_mark(done: &RunSummary, source: &Source, path: &Path) -> Option<PathBuf> {
    let may_be_missing = done.never_applied && source.file().is_none() && journal::begun(path).is_none();
    may_be_missing.then(|| journal::mark_of(path))
}

fn overrides(writing: &WriteArgs, admission: AdmissionArgs) -> Overrides {
    Overrides {
        leave_undecided: admission.leave_undecided,
        moved: writing.moved,
        read_only: writing.override_read_only,
    }
}

fn exit(direction: Direction, done: &RunSummary, remaining: &Remaining) -> Exit {
    match (direction, remaining) {
        _ if done.rows_left() > 0 => Exit::NotClean,
        (Direction::Undo, Remaining { unchecked: 1.., .. }) => Exit::Incomplete,
        (Direction::Undo, _) => Exit::Clean,
        (_, Remaining { orphan_rows: 1.., .. }) => Exit::NotClean,
        (_, Remaining { unchecked: 1.., .. }) => Exit::Incomplete,
        _ => Exit::Clean,
    }
}

/// The parts of the report that the execution does not return.
struct Report<'a> {
    direction: Direction,
    database: &'a DatabaseName,
    source: &'a Source,
    /// The options of the next run.
    options: String,
    plan: &'a PlanFile,
    kept_files: Vec<PathBuf>,
    missing_mark: Option<PathBuf>,
    remaining: Remaining,
    staying: u64,
}

impl Report<'_> {
    fn documents(
        &self,
        execution: &Execution,
        outputs: Vec<(AnswerFormat, Option<PathBuf>)>,
        environment: &Environment,
    ) -> Vec<(Option<PathBuf>, String)> {
        let done = &execution.done;
        let left_rows = redaction::skipped_rows(&done.left_rows);
        let tables: Vec<TableChanges> = done.tables.iter().map(table_changes).collect();
        let report = report::applied::ApplyReport {
            is_undo: self.direction == Direction::Undo,
            database: self.database,
            address: &self.source.to_string(),
            options: &self.options,
            plan: self.plan.path(),
            backup: execution.backup.as_ref(),
            kept: if self.direction == Direction::Apply { &self.kept_files } else { &[] },
            made: done.made,
            changed: done.changed,
            deleted: done.deleted,
            tables: &tables,
            header: &self.plan.header,
            staying: self.staying,
            earlier_run: done.earlier_run.as_deref(),
            redefined: done.redefined,
            already: done.already,
            left: &done.left,
            left_rows: &left_rows,
            journal: done.journal.as_deref(),
            is_empty: self.plan.changes() == 0 && self.plan.header.redefinitions.is_empty(),
            never_applied: done.never_applied,
            missing_mark: self.missing_mark.as_deref(),
            relations: self.remaining.relations,
            unchecked: self.remaining.unchecked,
            orphan_rows: self.remaining.orphan_rows,
            rows_left: self.remaining.rows,
            relations_left: &self.remaining.relations_left,
        };
        super::documents(outputs, environment, |format, terminal| report::applied(&report, format, terminal))
    }
}

fn table_changes((table, rows): (&TableName, &RowChanges)) -> TableChanges {
    TableChanges { table: table.to_string(), made: rows.made, changed: rows.changed, deleted: rows.deleted }
}

/// The result of a scan of the whole database after the run.
#[derive(Debug, Clone)]
struct Remaining {
    relations: u64,
    unchecked: u64,
    /// The orphans of all relations.
    orphan_rows: u64,
    /// The orphan rows, each counted once.
    rows: Distinct,
    /// The relations that still have orphans, with their number; those with most first.
    relations_left: Vec<(String, u64)>,
}

/// Returns the number of orphans that each relation should have after a run.
fn expected(direction: Direction, plan: &PlanFile) -> BTreeMap<&str, u64> {
    let rows = |forecast: &OrphanForecast| match direction {
        Direction::Apply => forecast.rows_after,
        Direction::Undo => forecast.rows_before,
    };
    plan.header.forecasts.iter().map(|forecast| (forecast.relation.as_str(), rows(forecast))).collect()
}

/// Looks for orphans beyond the expected ones in the committed rows. A new connection has a new snapshot.
fn committed_orphans(
    source: &Source,
    wait_limits: &WaitLimits,
    environment: &Environment,
    (schema, most): (&Schema, &Most),
    progress: Progress<'_>,
) -> Option<ScanResults> {
    let mut database = database::open(source, wait_limits, environment).ok()?;
    let (facts, _) = scan_beyond(database.as_mut(), schema, (1, most), environment, progress).ok()?;
    Some(facts)
}

/// Looks for orphans beyond the expected ones, with some samples of each missing key. Returns also the sessions.
fn scan_beyond(
    database: &mut dyn Database,
    schema: &Schema,
    (samples, most): (usize, &Most),
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<(ScanResults, Vec<Box<dyn Session>>), EngineError> {
    let mut sessions = super::sessions(database, schema, None, environment)?;
    let options = ScanOptions { samples, memory: DEFAULT_MEMORY, threads: environment.cores, progress, is_known: None };
    let facts = scan::scan_beyond(schema, &mut sessions, &options, most);
    Ok((facts, sessions))
}

/// Returns the result of a scan after the run. What the run found after its last change is not scanned again.
fn remaining(
    source: &Source,
    (direction, plan, done): (Direction, &PlanFile, &RunSummary),
    wait_limits: &WaitLimits,
    (global, environment): (&cli::GlobalArgs, &Environment),
    progress: Progress<'_>,
) -> Result<Remaining, RunError> {
    let mut database = database::open(source, wait_limits, environment)?;
    let config = config_file::read(source, global, environment)?;
    let schema = config.resolve(database.as_mut(), environment)?;
    let is_known = |relation: &Relation| done.without_orphans.contains(&relation.id);
    let mut scanned = schema.clone();
    scanned.relations.retain(|relation| !is_known(relation));
    let expected = expected(direction, plan);
    let most = |relation: &Relation| expected.get(relation.id.as_str()).copied().unwrap_or_default();
    let most = scanned.relations.iter().map(most).collect();
    let (found, mut sessions) = scan_beyond(database.as_mut(), &scanned, (0, &most), environment, progress)?;
    let mut found = found.into_iter();
    let fact = |relation: &Relation| match is_known(relation) {
        true => Some(ScanResult::Checked(Tally::default())),
        false => found.next(),
    };
    let facts: ScanResults = schema.relations.iter().map_while(fact).collect();
    let rows = sessions.first_mut().map(|session| OrphanRows::count(&schema, &facts, session.as_mut()).total());
    let rows = rows.unwrap_or_default();
    let mut remaining = Remaining { relations: 0, unchecked: 0, orphan_rows: 0, rows, relations_left: Vec::new() };
    for (relation, fact) in schema.relations.iter().zip(&facts) {
        remaining.relations += 1;
        match fact {
            ScanResult::Checked(tally) if tally.orphan_rows > 0 => {
                remaining.orphan_rows += tally.orphan_rows;
                remaining.relations_left.push((relation.id.clone(), tally.orphan_rows));
            }
            ScanResult::Checked(_) => {}
            ScanResult::Unchecked(_) => remaining.unchecked += 1,
        }
    }
    remaining.relations_left.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    Ok(remaining)
}
