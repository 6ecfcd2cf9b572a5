//! `status`: a plan, and a database if one is named → how far the plan is, and what others changed since.

use super::DEFAULT_WAIT;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::config_file;
use crate::apply;
use crate::apply::ApplyError;
use crate::apply::Observed;
use crate::apply::RunOptions;
use crate::apply::journal;
use crate::cli;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::engine::write::WriteOptions;
use crate::engines;
use crate::exit::Exit;
use crate::model::catalog::DatabaseName;
use crate::model::redaction;
use crate::model::state::Phase;
use crate::plan_file::PlanFile;
use crate::report;
use crate::report::AnswerFormat;
use crate::report::status::Said;
use crate::report::status::State;
use crate::scan::Progress;
use crate::source::Source;
use crate::sql;

pub fn status(
    typed: &cli::repair::StatusArgs,
    global: &cli::GlobalArgs,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let outputs = super::outputs(&typed.format, &None, AnswerFormat::Table)?;
    let source = typed.database.as_deref().map(Source::parse).transpose().map_err(RunError::Source)?;
    if let Some(source) = &source {
        super::refuse_to_overwrite(source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    }
    let mut plan = PlanFile::open(&typed.plan)?;
    let is_at_work = !plan.lock();
    let mark = journal::begun(&typed.plan);
    let known = match &source {
        Some(source) => Some(look(source, &mut plan, typed, global, surroundings, progress)?),
        None => None,
    };
    let address = source.as_ref().map(ToString::to_string).unwrap_or_default();
    let changed_rows = known.as_ref().map(|(_, observed)| redaction::skipped_rows(&observed.changed_rows));
    let changed_rows = changed_rows.unwrap_or_default();
    let state = known.as_ref().map(|(database, observed)| State {
        database,
        typed: &address,
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
    let said = Said {
        plan: &typed.plan,
        digest: plan.digest(),
        header: &plan.header,
        changes: plan.changes() as u64,
        begun: mark.as_ref().map(|mark| (mark.run.as_str(), mark.at.as_str())),
        is_at_work,
        state,
    };
    let documents = super::documents(outputs, surroundings, |format, paper| report::status(&said, format, paper));
    Ok(Outcome { documents, exit: Exit::Clean })
}

fn look(
    source: &Source,
    plan: &mut PlanFile,
    typed: &cli::repair::StatusArgs,
    global: &cli::GlobalArgs,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<(DatabaseName, Observed), RunError> {
    let patience = WaitLimits { lock_wait: typed.wait.unwrap_or(DEFAULT_WAIT), deadline: Deadline::default() };
    let mut database = engines::open(source, &patience)?;
    let schema = config_file::read(global, surroundings)?.resolve(database.as_mut(), surroundings)?;
    let surgery = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let order = RunOptions::read_only(&schema, surgery, progress);
    let observed = apply::observe(&order, plan, database.session()?.as_mut())?;
    if typed.forget {
        may_be_forgotten(&observed)?;
        if let Some(declared) = database.read_only()? {
            let help = "nothing was changed: connect as a role, or to a server, that may write".to_owned();
            return Err(RunError::Apply(ApplyError::Refused { doing: "forget", why: declared.why, help }));
        }
        let mut writer = database.writer(WriteOptions::default())?;
        apply::forget(&order, plan, writer.as_mut())?;
    }
    Ok((schema.database, observed))
}

/// The record of a plan that has changes in the database is the way back.
fn may_be_forgotten(observed: &Observed) -> Result<(), RunError> {
    let is_away = observed.ours == 0 && observed.defined == 0;
    let why = match observed.phase {
        None => {
            return Err(unforgettable(
                "the database has no record of it",
                "nothing was changed, and nothing is to be forgotten",
            ));
        }
        Some(Phase::Applied | Phase::Applying | Phase::TakingBack | Phase::TakenBack) if !is_away => {
            "changes of it are in the database, and without the record they cannot be taken back"
        }
        Some(_) => return Ok(()),
    };
    Err(unforgettable(why, "nothing was changed: take the plan back first, with `fk-doctor undo`"))
}

fn unforgettable(why: &str, help: &str) -> RunError {
    RunError::Apply(ApplyError::Refused { doing: "forget", why: why.to_owned(), help: help.to_owned() })
}
