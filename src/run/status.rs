//! `status`: the state of a plan. With a database it also reports which rows other programs changed afterwards.

use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::database;
use super::printed_command;
use crate::apply;
use crate::apply::ApplyError;
use crate::apply::Observed;
use crate::apply::RunOptions;
use crate::apply::journal;
use crate::cli;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::engine::write::WriteOptions;
use crate::exit::Exit;
use crate::model::catalog::DatabaseName;
use crate::model::redaction;
use crate::model::state::Phase;
use crate::model::text::option_duration;
use crate::model::text::shell;
use crate::plan_file::PlanFile;
use crate::report;
use crate::report::AnswerFormat;
use crate::report::status::RecordedState;
use crate::report::status::StatusReport;
use crate::scan::Progress;
use crate::source::Source;
use crate::sql;

pub fn status(
    typed: &cli::repair::StatusArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let outputs = super::outputs(&typed.format, &None, AnswerFormat::Table)?;
    let source = typed.database.as_deref();
    let source = source.map(|typed| database::source(Some(typed), global, environment)).transpose()?;
    if let Some(source) = &source {
        super::refuse_to_overwrite(source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    }
    let mut plan = PlanFile::open(&typed.plan)?;
    let is_running = !plan.lock();
    let mark = journal::begun(&typed.plan);
    let known = match &source {
        Some(source) => Some(observe(source, &mut plan, typed, global, environment, progress)?),
        None => None,
    };
    let address = source.as_ref().map(ToString::to_string).unwrap_or_default();
    let options = options(typed, global);
    let changed_rows = known.as_ref().map(|(_, observed)| redaction::skipped_rows(&observed.changed_rows));
    let changed_rows = changed_rows.unwrap_or_default();
    let state = known.as_ref().map(|(database, observed)| RecordedState {
        database,
        address: &address,
        options: &options,
        phase: observed.phase,
        run: &observed.run,
        at: &observed.at,
        made: observed.ours,
        defined: observed.defined,
        left: &observed.left,
        changed_since: observed.changed_since,
        changed_rows: &changed_rows,
        journal: observed.journal.as_deref(),
        is_forgotten: typed.forget,
    });
    let report = StatusReport {
        plan: &typed.plan,
        digest: plan.digest(),
        header: &plan.header,
        changes: plan.changes() as u64,
        begun: mark.as_ref().map(|mark| (mark.run.as_str(), mark.at.as_str())),
        is_running,
        state,
    };
    let documents =
        super::documents(outputs, environment, |format, terminal| report::status(&report, format, terminal));
    Ok(Outcome { documents, notes: Vec::new(), exit: Exit::Clean })
}

/// Returns the typed options that the next command repeats.
fn options(typed: &cli::repair::StatusArgs, global: &cli::GlobalArgs) -> String {
    let wait = typed.wait.map(|wait| ["--wait".to_owned(), option_duration(wait)]);
    printed_command::ending(global.words().into_iter().chain(wait.into_iter().flatten()))
}

fn observe(
    source: &Source,
    plan: &mut PlanFile,
    typed: &cli::repair::StatusArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<(DatabaseName, Observed), RunError> {
    let wait_limits = WaitLimits { lock_wait: typed.wait.unwrap_or(DEFAULT_WAIT), deadline: Deadline::default() };
    let mut database = database::open(source, &wait_limits, environment)?;
    let schema = config_file::read(source, global, environment)?.resolve(database.as_mut(), environment)?;
    let repair_sql = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let order = RunOptions::read_only(&schema, repair_sql, progress);
    let observed = apply::observe(&order, plan, database.session()?.as_mut())?;
    if typed.forget {
        let words = [&source.to_string(), &typed.plan.display().to_string()].map(|word| shell(word));
        let undo = format!("fk-doctor undo {}{}", words.join(" "), options(typed, global));
        check_forgettable(&observed, &undo)?;
        if let Some(declared) = database.read_only()? {
            let help =
                "nothing was changed: connect as a role that may write, to a server that accepts writes".to_owned();
            return Err(RunError::Apply(ApplyError::Refused { doing: "forget", why: declared.why, help }));
        }
        let mut writer = database.writer(WriteOptions::default())?;
        apply::forget(&order, plan, writer.as_mut())?;
    }
    Ok((schema.database, observed))
}

/// Returns an error if `undo` needs the record of the plan. `undo` is the command that takes the plan back.
fn check_forgettable(observed: &Observed, undo: &str) -> Result<(), RunError> {
    let is_undone = observed.ours == 0 && observed.defined == 0;
    let why = match observed.phase {
        None => {
            return Err(unforgettable(
                "the database has no record of it",
                "nothing was changed: there is no record to remove",
            ));
        }
        Some(Phase::Applied | Phase::Applying | Phase::TakingBack | Phase::TakenBack) if !is_undone => {
            "its changes are in the database, and `fk-doctor undo` needs the record"
        }
        Some(_) => return Ok(()),
    };
    Err(unforgettable(why, &format!("nothing was changed: first take the plan back: {undo}")))
}

fn unforgettable(why: &str, help: &str) -> RunError {
    RunError::Apply(ApplyError::Refused { doing: "forget", why: why.to_owned(), help: help.to_owned() })
}
