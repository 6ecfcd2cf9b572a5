//! Writes the file of a plan, completely or not at all. It never overwrites a plan that was started, because only that
//! file can take the changes back.

use std::path::Path;
use std::path::PathBuf;

use crate::apply;
use crate::apply::ApplyError;
use crate::apply::RunOptions;
use crate::apply::journal;
use crate::cli::repair::PlanningArgs;
use crate::engine::Database;
use crate::model::plan::Header;
use crate::plan_file;
use crate::plan_file::PlanFile;
use crate::plan_file::PlanWriter;
use crate::quarantine_file;
use crate::quarantine_file::QuarantineError;
use crate::run::Environment;
use crate::run::RunError;
use crate::run::config_file::ConfigFile;
use crate::source::Source;
use crate::sql;
use crate::treat::Draft;
use crate::whole_file;
use crate::whole_file::WholeFile;

/// Returns the plan that the new plan would overwrite, or `None` if no file is named or it does not exist. It is an error if
/// overwriting is not allowed.
pub(super) fn existing_plan(typed: &PlanningArgs) -> Result<Option<PlanFile>, RunError> {
    let Some(path) = typed.output.as_deref().filter(|path| path.exists()) else { return Ok(None) };
    let existing = PlanFile::open(path);
    let (why, help) = match &existing {
        Ok(_) if typed.overwrite => return Ok(existing.ok()),
        Ok(_) => (
            "a plan already exists in this file",
            "name another file with --output, or add --overwrite, which never replaces a plan that was applied",
        ),
        Err(_) => ("this file exists and is not a plan", "name another file with --output, or remove this one"),
    };
    Err(RunError::PlanExists { path: path.to_owned(), why, help })
}

/// Returns an error if the existing plan was started, because `undo` needs it. The file next to the plan or the record in
/// the database shows this.
pub(super) fn refuse_if_begun(
    existing: &mut PlanFile,
    database: &mut dyn Database,
    config: &ConfigFile,
    environment: &Environment,
) -> Result<(), RunError> {
    let path = existing.path().to_owned();
    let refused = || RunError::PlanExists {
        path: path.clone(),
        why: "the plan in this file was applied, completely or in part, and `fk-doctor undo` needs it",
        help: "name another file with --output, and keep this one",
    };
    if journal::begun(&path).is_some() || !existing.lock() {
        return Err(refused());
    }
    if plan_file::digest([database.identity()?.as_bytes()]) != existing.header.identity {
        return Ok(());
    }
    let schema = config.resolve(database, environment)?;
    let repair_sql = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let order = RunOptions::read_only(&schema, repair_sql, &|_| {});
    let observed = apply::observe(&order, existing, database.session()?.as_mut())?;
    if observed.was_begun() { Err(refused()) } else { Ok(()) }
}

/// Returns an error if a quarantine file of the plan would overwrite an existing file or the plan.
pub(super) fn refuse_kept_files(plan: &Path, header: &Header, source: &Source) -> Result<(), RunError> {
    let paths = quarantine_file::paths(plan, header);
    crate::run::refuse_to_overwrite(source, paths.iter().map(PathBuf::as_path))?;
    match paths.into_iter().find(|path| path.exists() || path == plan) {
        Some(path) => Err(RunError::Apply(ApplyError::Quarantine(QuarantineError::Taken { path }))),
        None => Ok(()),
    }
}

/// Returns a free path next to the database, for a plan without `--output`. The plan must be written, because `undo` needs
/// it.
pub(super) fn beside(source: &Source, header: &Header) -> PathBuf {
    let database = source.file().unwrap_or(Path::new("fk-doctor"));
    let all: Vec<u8> = header.forecasts.iter().flat_map(|forecast| forecast.relation.bytes()).collect();
    let mut start = database.as_os_str().to_owned();
    start.push(format!(".plan-{}", &plan_file::digest([header.schema.as_bytes(), &all])[..8]));
    whole_file::first_free(start, ".ndjson", |path| !path.exists())
}

pub(super) fn write(path: &Path, header: &Header, draft: &Draft, over: bool) -> Result<(), RunError> {
    let unwritten = |error: std::io::Error| RunError::unwritten(Some(path), &error);
    let file = WholeFile::private(path).map_err(unwritten)?;
    let mut writer = PlanWriter::new(file, header).map_err(unwritten)?;
    draft.changes.each_line(|line| writer.change(line).map_err(WriteFailure::File)).map_err(
        |failure| match failure {
            WriteFailure::File(error) => unwritten(error),
            WriteFailure::PlanDraft(error) => RunError::Treat(error.into()),
        },
    )?;
    let file = writer.finish().and_then(WholeFile::sync).map_err(unwritten)?;
    if over { file.replace() } else { file.create_new() }.map_err(unwritten)
}

/// The reason why a plan could not be written.
enum WriteFailure {
    File(std::io::Error),
    PlanDraft(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteFailure {
    fn from(error: rusqlite::Error) -> WriteFailure {
        WriteFailure::PlanDraft(error)
    }
}
