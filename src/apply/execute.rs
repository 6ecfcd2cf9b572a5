//! One run of a plan on a database. It excludes other runs, backs up the database, writes deleted rows to files, and then
//! applies the plan or takes it back.

use std::cell::RefCell;
use std::path::PathBuf;

use super::ApplyError;
use super::CommittedScan;
use super::Direction;
use super::Most;
use super::RunOptions;
use super::RunSummary;
use super::admission;
use super::exclusive;
use super::exclusive::PlanLock;
use crate::engine::Database;
use crate::engine::write::WriteOptions;
use crate::engine::write::Writer;
use crate::model::backup::Backup;
use crate::model::facts::Location;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::schema::Schema;
use crate::plan_file::PlanFile;
use crate::quarantine_file::QuarantineFiles;
use crate::scan;
use crate::scan::Progress;
use crate::scan::ScanOptions;
use crate::scan::ScanResults;

/// The memory for keys of a scan, in bytes.
const SCAN_MEMORY: u64 = 64_000_000;

/// Options of a run beyond [`RunOptions`].
pub struct ExecuteOptions<'a> {
    pub lock: PlanLock,
    /// The identity of the database.
    pub identity: &'a str,
    pub no_triggers: bool,
    /// The backup, if one is requested.
    pub backup: Option<BackupRequest<'a>>,
}

/// The wanted backup of a database.
pub struct BackupRequest<'a> {
    pub path: PathBuf,
    /// The backup that an earlier run of the plan made.
    pub existing: Option<Backup>,
    /// Called with the size in bytes before the backup is made.
    pub announce: &'a dyn Fn(u64),
}

/// The outcome of a run.
pub struct Execution {
    pub done: RunSummary,
    /// The backup, if one was made or found.
    pub backup: Option<Backup>,
}

/// Applies a plan or takes it back. After a refusal the database is as it was.
pub fn execute(
    options: &RunOptions<'_>,
    plan: &mut PlanFile,
    database: &mut dyn Database,
    settings: ExecuteOptions<'_>,
) -> Result<Execution, ApplyError> {
    let mut kept = match options.direction {
        Direction::Apply => Some(QuarantineFiles::write(plan)?),
        // The rows come back from the plan.
        Direction::Undo => None,
    };
    let undo = options.direction == Direction::Undo && plan.changes() > 0;
    let mut writer = database.writer(WriteOptions { no_triggers: settings.no_triggers, undo })?;
    exclusive::exclude_other_runs(options.direction, plan, settings.lock, settings.identity, writer.as_mut())?;
    let header = plan.header.clone();
    let database = RefCell::new(database);
    let of_file = |schema: &Schema, _: &Most, progress: Progress<'_>| scan_committed(&database, schema, progress);
    let committed_scan: Option<CommittedScan<'_>> = match options.facts().location {
        Location::File => Some(&of_file),
        _ => options.committed_scan,
    };
    let options = &RunOptions { committed_scan, ..*options };
    let mut is_examined = false;
    let mut admit = |writer: &mut dyn Writer| {
        admission::refuse_other_definitions(options, &header, writer)?;
        if !std::mem::replace(&mut is_examined, true) {
            writer.begin_examination();
        }
        Ok(())
    };
    let mut backup = None;
    let mut secure = |writer: &mut dyn Writer| {
        refuse_damage(options.direction, writer)?;
        if let Some(request) = &settings.backup {
            (options.progress)(&ProgressStep::of(RunPhase::BackUp, 0, 0));
            backup = Some(back_up(request, writer)?);
        }
        Ok(kept.as_mut().map_or(Ok(()), QuarantineFiles::publish)?)
    };
    let done = super::run(options, plan, writer.as_mut(), &mut admit, &mut secure);
    let is_unchanged = match &done {
        Err(ApplyError::Refused { .. } | ApplyError::OutOfDate { .. }) => options.batch.is_none(),
        Err(ApplyError::Stopped { committed, .. }) => options.batch.is_none() && *committed == 0,
        _ => false,
    };
    if let (true, Some(kept)) = (is_unchanged, kept) {
        // Everything was rolled back, so no row was deleted.
        kept.remove();
    }
    Ok(Execution { done: done?, backup })
}

/// Makes the backup, unless an earlier run of the plan made it.
fn back_up(request: &BackupRequest<'_>, writer: &mut dyn Writer) -> Result<Backup, ApplyError> {
    if let Some(existing) = &request.existing {
        return Ok(existing.clone());
    }
    let bytes = writer.backup_bytes();
    (request.announce)(bytes);
    let origin = writer.back_up(&request.path)?;
    Ok(Backup { path: request.path.clone(), bytes, origin })
}

/// Scans a schema in a session of its own, which does not see the open transaction of the writer.
fn scan_committed(
    database: &RefCell<&mut dyn Database>,
    schema: &Schema,
    progress: Progress<'_>,
) -> Option<ScanResults> {
    let session = database.borrow_mut().session().ok()?;
    let options = ScanOptions { samples: 1, memory: SCAN_MEMORY, threads: 1, progress, is_known: None };
    Some(scan::scan(schema, &mut [session], &options))
}

fn refuse_damage(direction: Direction, writer: &mut dyn Writer) -> Result<(), ApplyError> {
    let Some(damage) = writer.database_damage()? else { return Ok(()) };
    let why = format!("the database is damaged ({damage})");
    let help = "nothing was changed: restore the database, or save its readable rows: sqlite3 damaged.db .recover";
    Err(ApplyError::refused(direction, why, help))
}
