//! `restore`: plans the return of quarantined rows, and reports it. With `--apply` it also applies the plan.

use std::path::PathBuf;

use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::config_file::ConfigFile;
use super::database;
use super::plan_path;
use super::printed_command;
use super::repair;
use super::repair::Planned;
use super::rule_files::RuleFiles;
use super::scan_run;
use crate::cli;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::exit::Exit;
use crate::model::schema::Schema;
use crate::model::text::nearest;
use crate::model::text::shell;
use crate::plan_file::PlanFile;
use crate::quarantine_file::QuarantineError;
use crate::quarantine_file::QuarantinedRows;
use crate::report;
use crate::report::RepairFormat;
use crate::report::TerminalStyle;
use crate::report::restore::RestoreReport;
use crate::scan::Progress;
use crate::source::Source;
use crate::treat::restore as treat_restore;
use crate::treat::restore::RestoreSelection;

pub fn restore(
    typed: &cli::repair::RestoreArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = database::source(typed.database.as_deref(), global, environment)?;
    let outputs = repair::outputs(&typed.planning.format, typed.planning.output.as_deref(), &source)?;
    let existing = plan_path::existing_plan(&typed.planning)?;
    let config = config_file::read(&source, global, environment)?;
    let redaction = super::redaction(typed.planning.privacy.redact, &config, environment)?;
    let planned = planned(typed, &source, &config, existing, (global, environment), progress)?;
    let plan = repair::plan_path(&typed.planning, &source, &planned);
    if let Some(path) = &plan {
        plan_path::write(path, &planned.header, &planned.draft, typed.planning.overwrite)?;
    }
    let forecast = redaction.forecast(&planned.schema, &planned.draft.forecast);
    let Some(restored) = &forecast.restore else { return Err(RunError::unresolved()) };
    let report = RestoreReport {
        schema: &planned.schema,
        forecast: &forecast,
        restored,
        plan: plan.as_deref(),
        database: &source.to_string(),
        apply_options: &printed_command::options_of_apply(global, &typed.planning),
        with_apply: &with_apply(typed, &source, environment),
        is_applied: typed.planning.apply,
        follows_result: false,
    };
    let has_result = typed.planning.apply && plan.is_some();
    let render = |format: RepairFormat, follows_result: bool, terminal: &TerminalStyle| {
        report::restore(&RestoreReport { follows_result, ..report }, format, terminal)
    };
    let documents = repair::documents(outputs, &planned, environment, has_result, &render)?;
    let staying = restored.staying();
    let left = if typed.planning.apply && staying > 0 { Exit::NotClean } else { Exit::Clean };
    let Some(plan) = plan.filter(|_| typed.planning.apply) else {
        return Ok(Outcome { documents, notes: Vec::new(), exit: left });
    };
    let plan_and_source = (&source, plan.as_path());
    let mut applied =
        repair::apply_now(&typed.planning, plan_and_source, staying, documents, global, environment, progress)?;
    applied.exit = applied.exit.or_graver(left);
    Ok(applied)
}

/// Makes the plan. `existing` is the plan that it replaces.
fn planned(
    typed: &cli::repair::RestoreArgs,
    source: &Source,
    config: &ConfigFile,
    existing: Option<PlanFile>,
    (global, environment): (&cli::GlobalArgs, &Environment),
    progress: Progress<'_>,
) -> Result<Planned, RunError> {
    let lock_wait = typed.planning.writing.wait.unwrap_or(DEFAULT_WAIT);
    let wait_limits = WaitLimits { lock_wait, deadline: Deadline::after(typed.planning.timeout) };
    let files = files(typed)?;
    let mut database = database::open(source, &wait_limits, environment)?;
    if let Some(mut existing) = existing {
        plan_path::refuse_if_begun(&mut existing, database.as_mut(), config, environment)?;
    }
    let schema = config.resolve(database.as_mut(), environment)?;
    config.check_conditions(&schema, database.session()?.as_mut(), environment)?;
    refuse_unknown_table(typed, &schema, source, global)?;
    let selection = RestoreSelection { table: typed.table.as_deref(), condition: typed.condition.as_deref(), files };
    let no_rules = RuleFiles::default();
    repair::plan_by(schema, database.as_mut(), &no_rules, environment, lock_wait, progress, |request, sessions| {
        treat_restore::plan(request, selection, sessions, progress)
    })
}

/// Opens the files of quarantined rows.
fn files(typed: &cli::repair::RestoreArgs) -> Result<Vec<QuarantinedRows>, RunError> {
    let open = |path: &PathBuf| {
        QuarantinedRows::open(path).map_err(|error: QuarantineError| RunError::Input {
            what: path.display().to_string(),
            why: error.because(),
            help: error.help().to_owned(),
        })
    };
    typed.file.iter().map(open).collect()
}

/// Returns an error if a name is neither a table nor in the quarantine of a table that no longer exists. The rows of a
/// dropped table are listed without `--table`.
fn refuse_unknown_table(
    typed: &cli::repair::RestoreArgs,
    schema: &Schema,
    source: &Source,
    global: &cli::GlobalArgs,
) -> Result<(), RunError> {
    let Some(name) = typed.table.as_deref().filter(|name| schema.table(name).is_none()) else { return Ok(()) };
    let names: Vec<String> = schema.tables.iter().map(|table| table.name.to_string()).collect();
    let options = printed_command::ending(global.words());
    let command =
        |table: &str| format!("fk-doctor restore {} --table {}{options}", shell(&source.to_string()), shell(table));
    let near = nearest(name, names.iter().map(String::as_str)).map(command);
    Err(RunError::Input {
        what: format!("--table {name}"),
        why: format!("{} has no table {name}", schema.database.name),
        help: near.unwrap_or_else(|| format!("fk-doctor restore {}{options}", shell(&source.to_string()))),
    })
}

/// Returns the command as typed, with `--apply`.
fn with_apply(typed: &cli::repair::RestoreArgs, source: &Source, environment: &Environment) -> String {
    let command = match environment.arguments.is_empty() {
        true => format!("fk-doctor restore {}", shell(&source.to_string())),
        false => scan_run::command(source, typed.database.as_deref(), environment),
    };
    format!("{command} --apply")
}
