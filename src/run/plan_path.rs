//! Where a plan is written: whole or not at all, and never over one that somebody may still need. A plan that was applied
//! is the only way back.

use std::path::Path;
use std::path::PathBuf;

use crate::apply;
use crate::apply::ApplyError;
use crate::apply::RunOptions;
use crate::apply::execute::free_path;
use crate::apply::journal;
use crate::engine::Database;
use crate::model::plan::Header;
use crate::plan_file;
use crate::plan_file::PlanFile;
use crate::plan_file::PlanWriter;
use crate::quarantine_file;
use crate::quarantine_file::QuarantineError;
use crate::run::RunError;
use crate::run::Surroundings;
use crate::run::config_file::ConfigFile;
use crate::source::Source;
use crate::sql;
use crate::treat::Draft;
use crate::whole_file::WholeFile;

/// The plan that would be lost in a new one, if there is one and it may be.
pub(super) fn examine(path: &Path, overwrite: bool) -> Result<Option<PlanFile>, RunError> {
    if !path.exists() {
        return Ok(None);
    }
    let there = PlanFile::open(path);
    let (why, help) = match &there {
        Ok(_) if overwrite => return Ok(there.ok()),
        Ok(_) => (
            "there is a plan already",
            "name another file, or say --overwrite: a plan that was applied is kept even so",
        ),
        Err(_) => ("there is another file already, and it is no plan", "name another file, or remove that one"),
    };
    Err(RunError::PlanThere { path: path.to_owned(), why, help })
}

/// A plan that was begun anywhere is the way back: the mark beside it says so, and the record in the database.
pub(super) fn refuse_if_begun(
    there: &mut PlanFile,
    database: &mut dyn Database,
    config: &ConfigFile,
    surroundings: &Surroundings,
) -> Result<(), RunError> {
    let path = there.path().to_owned();
    let refused = || RunError::PlanThere {
        path: path.clone(),
        why: "the plan that is there was applied, whole or in part, and is the way to take it back",
        help: "name another file with --output, and keep that one",
    };
    if journal::begun(&path).is_some() || !there.lock() {
        return Err(refused());
    }
    if plan_file::digest([database.identity()?.as_bytes()]) != there.header.identity {
        return Ok(());
    }
    let schema = config.resolve(database, surroundings)?;
    let surgery = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let order = RunOptions::read_only(&schema, surgery, &|_, _| {});
    let observed = apply::observe(&order, there, database.session()?.as_mut())?;
    if observed.was_begun() { Err(refused()) } else { Ok(()) }
}

/// Rows that go are never kept in the place of something else.
pub(super) fn refuse_kept_files(plan: &Path, header: &Header, source: &Source) -> Result<(), RunError> {
    let places = quarantine_file::paths(plan, header);
    crate::run::refuse_to_overwrite(source, places.iter().map(PathBuf::as_path))?;
    match places.into_iter().find(|place| place.exists() || place == plan) {
        Some(path) => Err(RunError::Apply(ApplyError::Quarantine(QuarantineError::Taken { path }))),
        None => Ok(()),
    }
}

/// Where a plan goes that nobody named a place for: it has to be kept, because it is also the way back.
pub(super) fn beside(source: &Source, header: &Header) -> PathBuf {
    let database = source.file().unwrap_or(Path::new("fk-doctor"));
    let all: Vec<u8> = header.forecasts.iter().flat_map(|forecast| forecast.relation.bytes()).collect();
    free_path(database, &format!("plan-{}", &plan_file::digest([header.schema.as_bytes(), &all])[..8]), ".ndjson")
}

pub(super) fn write(path: &Path, header: &Header, draft: &Draft, over: bool) -> Result<(), RunError> {
    let unwritten = |error: std::io::Error| RunError::unwritten(Some(path), &error);
    let file = WholeFile::private(path).map_err(unwritten)?;
    let mut writer = PlanWriter::new(file, header).map_err(unwritten)?;
    draft.changes.each_line(|line| writer.change(line).map_err(Kept::File)).map_err(|kept| match kept {
        Kept::File(error) => unwritten(error),
        Kept::Bench(error) => RunError::Treat(error.into()),
    })?;
    let file = writer.finish().and_then(WholeFile::sync).map_err(unwritten)?;
    if over { file.replace() } else { file.create_new() }.map_err(unwritten)
}

/// Why a plan could not be written down.
enum Kept {
    File(std::io::Error),
    Bench(rusqlite::Error),
}

impl From<rusqlite::Error> for Kept {
    fn from(error: rusqlite::Error) -> Kept {
        Kept::Bench(error)
    }
}
