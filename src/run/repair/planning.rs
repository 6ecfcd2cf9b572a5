//! Makes a plan: assigns and checks the rules, scans the database, and lets the stage `treat` decide.

use std::time::Duration;
use std::time::Instant;

use crate::apply::definitions::definitions;
use crate::apply::definitions::leave_out_triggers;
use crate::apply::fingerprint;
use crate::engine::Database;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::progress::RunPhase;
use crate::model::progress::numbered;
use crate::model::redefinition::Definition;
use crate::model::schema::Schema;
use crate::plan_file;
use crate::run::DEFAULT_MEMORY;
use crate::run::Environment;
use crate::run::RunError;
use crate::run::config_file::ConfigFile;
use crate::run::orphan_rows::OrphanRows;
use crate::run::rule_files::RuleFiles;
use crate::scan;
use crate::scan::Progress;
use crate::scan::ScanOptions;
use crate::sql;
use crate::sql::repair::Repair;
use crate::treat;
use crate::treat::Draft;
use crate::treat::PlanSessions;
use crate::treat::definitions::KnownDefinitions;
use crate::treat::definitions::add_definitions;
use crate::treat::definitions::defaults;
use crate::treat::header::Digests;
use crate::treat::header::forecasts;
use crate::treat::header::header;

/// Delay before the sessions are opened again, so that a waiting writer can commit.
const DELAY: Duration = Duration::from_millis(5);

/// The phases of planning, in order.
const PHASES: [RunPhase; 3] = [RunPhase::Scan, RunPhase::DecideKeys, RunPhase::TryRows];

/// A plan that is not written to a file yet.
pub(in crate::run) struct Planned {
    pub(in crate::run) schema: Schema,
    pub(super) definitions: Vec<Definition>,
    pub(in crate::run) sql: &'static dyn Repair,
    pub(in crate::run) header: Header,
    pub(in crate::run) draft: Draft,
}

impl Planned {
    /// Calls `each` for every change with its table, which is one of the database or one that the plan makes.
    pub(in crate::run) fn each_change<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&Table, &Change) -> Result<(), E>,
    ) -> Result<(), E> {
        let made: Vec<Table> = self.draft.forecast.creates.iter().map(NewTable::as_table).collect();
        self.draft.changes.each(|change| {
            let known = self.schema.table(&change.table.to_string()).map(|table| &self.schema.tables[table]);
            match known.or_else(|| made.iter().find(|table| table.name == change.table)) {
                Some(table) => each(table, change),
                None => Ok(()),
            }
        })
    }
}

/// Makes a plan for the orphans of the configured and declared relations.
pub(super) fn plan(
    database: &mut dyn Database,
    files: &RuleFiles,
    config: &ConfigFile,
    environment: &Environment,
    wait: Duration,
    progress: Progress<'_>,
) -> Result<Planned, RunError> {
    let schema = config.resolve(database, environment)?;
    config.check_conditions(&schema, database.session()?.as_mut(), environment)?;
    plan_for_schema(schema, database, files, environment, wait, progress)
}

/// Makes a plan for the orphans of the schema's relations.
pub(in crate::run) fn plan_for_schema(
    schema: Schema,
    database: &mut dyn Database,
    files: &RuleFiles,
    environment: &Environment,
    wait: Duration,
    progress: Progress<'_>,
) -> Result<Planned, RunError> {
    let progress = &numbered("repair", &PHASES, progress);
    plan_by(schema, database, files, environment, wait, progress, |request, sessions| {
        treat::plan(request, sessions, progress)
    })
}

/// Makes a plan whose changes `treat` decides, from the facts of a scan.
pub(in crate::run) fn plan_by(
    schema: Schema,
    database: &mut dyn Database,
    files: &RuleFiles,
    environment: &Environment,
    wait: Duration,
    progress: Progress<'_>,
    treat: impl FnOnce(treat::Request<'_>, PlanSessions) -> Result<Draft, treat::TreatError>,
) -> Result<Planned, RunError> {
    let repair_sql = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let (assigned, faults) = treat::assign::assign(&schema, &files.rules);
    if !faults.is_empty() {
        return Err(files.faulty(&faults, environment));
    }
    // The rehearsal comes before the sessions, because a writer waits for them to end.
    let rehearsal = database.rehearsal()?;
    let mut sessions = two_sessions(database, environment.cores, wait)?;
    let faults = treat::check::check(&schema, &files.rules, &assigned, repair_sql, sessions[0].as_mut())?;
    if !faults.is_empty() {
        return Err(files.faulty(&faults, environment));
    }
    let options =
        ScanOptions { samples: 1, memory: DEFAULT_MEMORY, threads: environment.cores, progress, is_known: None };
    let facts = scan::scan(&schema, &mut sessions, &options);
    let orphan_rows = OrphanRows::count(&schema, &facts, sessions[0].as_mut());
    let earlier_plans = fingerprint::of_record(&schema, repair_sql, sessions[0].as_mut());
    let (definitions, are_some_hidden) = definitions(&schema, sessions[0].as_mut(), repair_sql)?;
    let defaults = defaults(&schema, &files.rules, &assigned, repair_sql, sessions[0].as_mut())?;
    let are_some_hidden = are_some_hidden || leave_out_triggers(sessions[0].as_mut(), repair_sql)?;
    let known = KnownDefinitions { definitions, are_some_hidden, defaults };
    let (Some(reader), Some(lookups)) = (sessions.pop(), sessions.pop()) else { return Err(too_busy()) };
    drop(sessions);
    let sessions = PlanSessions { reader, lookups, rehearsal };
    let request =
        treat::Request { schema: &schema, facts: &facts, rules: &files.rules, assigned: &assigned, sql: repair_sql };
    let mut draft = treat(request, sessions)?;
    draft.forecast.orphan_rows = orphan_rows.total();
    add_definitions(&mut draft, &schema, &files.rules, &assigned, repair_sql, &known);
    draft.forecast.rows_left = orphan_rows.left(&schema, &draft.forecast.relations);
    let forecasts = forecasts(&schema, &facts, &draft.forecast);
    let tables = fingerprint::of_plan(&schema, &known.definitions, &draft.forecast, &forecasts);
    let digests = Digests {
        identity: plan_file::digest([database.identity()?.as_bytes()]),
        schema: fingerprint::of_all(&tables),
        record: earlier_plans,
        tables,
        rules: files.digests(),
    };
    let header = header(&schema, &draft.forecast, forecasts, digests);
    Ok(Planned { schema, definitions: known.definitions, sql: repair_sql, header, draft })
}

/// Returns at least two sessions that share one snapshot. If another program commits between them, all are opened again.
fn two_sessions(database: &mut dyn Database, cores: usize, wait: Duration) -> Result<Vec<Box<dyn Session>>, RunError> {
    let start = Instant::now();
    loop {
        let sessions = database.sessions(cores.max(2))?;
        if sessions.len() > 1 {
            return Ok(sessions);
        }
        if let Some(error) = database.single_session_reason() {
            return Err(error.into());
        }
        if start.elapsed() >= wait {
            return Err(too_busy());
        }
        // Close the sessions, so that the waiting writer can commit.
        drop(sessions);
        std::thread::sleep(DELAY);
    }
}

fn too_busy() -> RunError {
    let why = "other programs write to it too often for two sessions to share one snapshot".to_owned();
    RunError::Engine(EngineError::Failed { why })
}
