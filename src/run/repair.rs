//! `repair`: makes a plan from rules and a database, and reports it. With `--apply` it also applies the plan.

use std::path::Path;
use std::path::PathBuf;

use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::apply::PlanRun;
use super::apply::run_plan;
use super::config_file;
use super::database;
use super::plan_path;
use super::printed_command;
use super::rule_files;
use super::scan_run;
use crate::apply::Direction;
use crate::cli;
use crate::cli::repair::PlanningArgs;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::exit::Exit;
use crate::model::forecast::RepairForecast;
use crate::report;
use crate::report::AnswerFormat;
use crate::report::RepairFormat;
use crate::report::TerminalStyle;
use crate::scan::Progress;
use crate::source::Source;
use crate::whole_file;

mod planning;
mod script;
mod spelling;
mod typed_rules;

pub(super) use planning::Planned;
pub(super) use planning::plan_by;
pub(super) use planning::plan_for_schema;
use spelling::NamedDatabase;

/// The requested reports, each with its file.
pub(super) type Outputs = Vec<(RepairFormat, Option<PathBuf>)>;

pub fn repair(
    typed: &cli::repair::RepairArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    repair_with(typed, global, environment, progress, false)
}

/// Makes a plan before a person is asked if it is to be applied. `is_asked` is true then.
pub(super) fn repair_with(
    typed: &cli::repair::RepairArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
    is_asked: bool,
) -> Result<Outcome, RunError> {
    let source = database::source(typed.database.as_deref(), global, environment)?;
    let outputs = outputs(&typed.planning.format, typed.planning.output.as_deref(), &source)?;
    let existing = plan_path::existing_plan(&typed.planning)?;
    let mut files = rule_files::read_with(&typed.rules, typed_rules::rules(typed)?, environment)?;
    let lock_wait = typed.planning.writing.wait.unwrap_or(DEFAULT_WAIT);
    let wait_limits = WaitLimits { lock_wait, deadline: Deadline::after(typed.planning.timeout) };
    if typed.prevent {
        typed_rules::prevent(&mut files.rules)?;
    }
    let mut config = config_file::read(&source, global, environment)?;
    config.typed = typed_rules::relations(typed)?;
    let redaction = super::redaction(typed.planning.privacy.redact, &config, environment)?;
    let mut database = database::open(&source, &wait_limits, environment)?;
    if let Some(mut existing) = existing {
        plan_path::refuse_if_begun(&mut existing, database.as_mut(), &config, environment)?;
    }
    let mut planned = planning::plan(database.as_mut(), &files, &config, environment, wait_limits.lock_wait, progress)?;
    let named = NamedDatabase { source: &source, typed: typed.database.as_deref(), timeout: typed.planning.timeout };
    spelling::explain(&mut planned.draft.forecast, named, global, environment, progress)?;
    let plan = plan_path(&typed.planning, &source, &planned);
    if let Some(path) = &plan {
        plan_path::refuse_kept_files(path, &planned.header, &source)?;
        plan_path::write(path, &planned.header, &planned.draft, typed.planning.overwrite)?;
    }
    let with_plan = with_plan(typed, &source, environment);
    let report = report::repair::RepairReport {
        schema: &planned.schema,
        forecast: &redaction.forecast(&planned.schema, &planned.draft.forecast),
        rules: &files.rules,
        locations: &files.locations(),
        plan: plan.as_deref(),
        database: &source.to_string(),
        options: &printed_command::ending(global.words()),
        apply_options: &printed_command::options_of_apply(global, &typed.planning),
        with_plan: with_plan.as_deref(),
        is_applied: typed.planning.apply,
        is_asked,
        follows_result: false,
    };
    let has_result = typed.planning.apply && plan.is_some();
    let render = |format: RepairFormat, follows_result: bool, terminal: &TerminalStyle| {
        report::repair(&report::repair::RepairReport { follows_result, ..report }, format, terminal)
    };
    let documents = documents(outputs, &planned, environment, has_result, &render)?;
    drop(database);
    let Some(plan) = plan.filter(|_| typed.planning.apply) else {
        return Ok(Outcome { documents, notes: Vec::new(), exit: exit(&planned.draft.forecast, typed.planning.apply) });
    };
    apply_now(&typed.planning, (&source, &plan), 0, documents, global, environment, progress)
}

/// Applies a plan that was just written. `staying` is the number of quarantined rows that it leaves where they are.
pub(super) fn apply_now(
    typed: &PlanningArgs,
    (source, plan): (&Source, &Path),
    staying: u64,
    documents: Vec<(Option<PathBuf>, String)>,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let outputs = is_table_printed(&typed.format).then_some((AnswerFormat::Table, None)).into_iter().collect();
    let (writing, admission) = (&typed.writing, typed.admission);
    let plan_run = PlanRun { direction: Direction::Apply, source, plan, writing, admission, outputs, staying };
    // The first line is the outcome, so the result comes before the plan.
    let mut applied = run_plan(plan_run, global, environment, progress)?;
    applied.documents.extend(documents);
    Ok(applied)
}

/// Returns an error if an output would overwrite the database or the plan. [`plan_path`] checks the plan's own file.
pub(super) fn outputs(
    format: &[cli::FormatArg<RepairFormat>],
    plan: Option<&Path>,
    source: &Source,
) -> Result<Outputs, RunError> {
    let outputs = super::outputs(format, &None, RepairFormat::Table)?;
    let mut files = outputs.iter().filter_map(|(_, file)| file.as_deref());
    super::refuse_to_overwrite(source, files.clone())?;
    if let Some(plan) = plan
        && files.any(|report| super::absolute_path(report) == super::absolute_path(plan))
    {
        return Err(RunError::WouldOverwrite { path: plan.to_owned(), why: "the plan is written to this file" });
    }
    super::refuse_the_database(source, plan.into_iter())?;
    Ok(outputs)
}

/// Returns the path for the plan, if it is to be written.
pub(super) fn plan_path(typed: &PlanningArgs, source: &Source, planned: &Planned) -> Option<PathBuf> {
    let forecast = &planned.draft.forecast;
    match (&typed.output, typed.apply) {
        _ if !forecast.refusals.is_empty() => None,
        (Some(path), _) => Some(path.clone()),
        // There is nothing to apply, and no file was requested.
        (None, true) if forecast.changes() == 0 => None,
        (None, true) => Some(plan_path::beside(source, &planned.header)),
        (None, false) => None,
    }
}

/// True if standard output gets the report for people.
fn is_table_printed(format: &[cli::FormatArg<RepairFormat>]) -> bool {
    let is_table =
        |format: &cli::FormatArg<RepairFormat>| format.format == RepairFormat::Table && format.file.is_none();
    format.is_empty() || format.iter().any(is_table)
}

/// Returns the command as typed, with a file for its plan.
fn with_plan(typed: &cli::repair::RepairArgs, source: &Source, environment: &Environment) -> Option<String> {
    if typed.planning.output.is_some() || environment.arguments.is_empty() {
        return None;
    }
    let command = scan_run::command(source, typed.database.as_deref(), environment);
    let free = whole_file::first_free("plan", ".ndjson", |file| !environment.directory.join(file).exists());
    Some(format!("{command} -o {}", free.display()))
}

/// Returns the requested reports of a plan. `render` also gets true if the report follows the result of applying the plan.
pub(super) fn documents(
    outputs: Outputs,
    planned: &Planned,
    environment: &Environment,
    has_result: bool,
    render: &dyn Fn(RepairFormat, bool, &TerminalStyle) -> String,
) -> Result<Vec<(Option<PathBuf>, String)>, RunError> {
    let document = |(format, file): (RepairFormat, Option<PathBuf>)| {
        let terminal = if file.is_some() { TerminalStyle::default() } else { environment.terminal };
        let text = match format {
            RepairFormat::Sql => script::script(planned)?,
            format => render(format, has_result && file.is_none(), &terminal),
        };
        Ok((file, text))
    };
    outputs.into_iter().map(document).collect()
}

/// Returns the exit code of a repair that applies nothing: `--apply` was not given, or the plan has no changes.
fn exit<V>(forecast: &RepairForecast<V>, is_apply: bool) -> Exit {
    let leaves_orphans = forecast.relations.iter().any(|relation| relation.rows_after > 0);
    if !forecast.refusals.is_empty() {
        Exit::Refused
    } else if is_apply && leaves_orphans {
        Exit::NotClean
    } else if forecast.unchecked() > 0 {
        Exit::Incomplete
    } else if forecast.undecided_keys() > 0 {
        Exit::Findings
    } else {
        Exit::Clean
    }
}
