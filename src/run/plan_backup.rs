//! The backup of a plan: one for all its runs. Its name contains the plan's digest, so a later run finds it.

use std::cell::Cell;
use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::near_files;
use crate::apply::ApplyError;
use crate::apply::Direction;
use crate::apply::execute::BackupRequest;
use crate::apply::execute::Execution;
use crate::cli::repair::WriteArgs;
use crate::model::backup::Backup;
use crate::model::backup::BackupOrigin;
use crate::model::date;
use crate::model::text::bytes;
use crate::model::text::shell;
use crate::plan_file::PlanFile;
use crate::source::Source;
use crate::whole_file;

/// The size of a backup that is announced, in bytes.
const MIN_ANNOUNCED: u64 = 10_000_000;

pub(super) struct PlanBackup {
    path: PathBuf,
    /// The backup that an earlier run of the plan made.
    existing: Option<Backup>,
    /// True once this run makes the backup.
    is_ours: Cell<bool>,
}

/// Refuses the options for backups on a server.
pub(super) fn refuse_on_server(direction: Direction, writing: &WriteArgs, source: &Source) -> Result<(), ApplyError> {
    let option = match (&writing.backup, &writing.backup_dir) {
        _ if source.file().is_some() => return Ok(()),
        (None, None) => return Ok(()),
        (Some(_), _) => "--backup",
        (None, Some(_)) => "--backup-dir",
    };
    let why = format!("{option} copies the database file, and this database is on a server");
    let help = "make the backup with the server's own tool, such as pg_dump";
    Err(ApplyError::refused(direction, why, help))
}

/// Returns the backup that is wanted; `None` without a backup or on a server.
pub(super) fn wanted(
    direction: Direction,
    writing: &WriteArgs,
    source: &Source,
    plan: &PlanFile,
    now: u64,
) -> Result<Option<PlanBackup>, ApplyError> {
    let Some(database) = source.file().filter(|_| !writing.no_backup) else { return Ok(None) };
    if let Some(path) = &writing.backup {
        return Ok(Some(PlanBackup { path: path.clone(), existing: None, is_ours: Cell::new(false) }));
    }
    if let Some(folder) = writing.backup_dir.as_ref().filter(|folder| !folder.is_dir()) {
        let why = format!("{} is not a folder", folder.display());
        let help = format!("create it: mkdir -p {}", shell(&folder.display().to_string()));
        return Err(ApplyError::refused(direction, why, &help));
    }
    Ok(Some(of_plan(database, writing.backup_dir.as_deref(), plan.digest(), now)))
}

/// Returns the backup with the name of the plan. A file of this name that is no database belongs to somebody else.
fn of_plan(database: &Path, folder: Option<&Path>, digest: &str, now: u64) -> PlanBackup {
    let mut start = match (folder, database.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => database.to_owned(),
    }
    .into_os_string();
    start.push(format!(".backup-{}", &digest[..8.min(digest.len())]));
    let path = whole_file::first_free(start, "", |path| !path.exists() || near_files::is_database(path));
    let existing = existing(&path, now);
    PlanBackup { path, existing, is_ours: Cell::new(false) }
}

fn existing(path: &Path, now: u64) -> Option<Backup> {
    let metadata = std::fs::metadata(path).ok()?;
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
    let origin = BackupOrigin::EarlierRun(date::timestamp(now.saturating_sub(age.as_secs())));
    Some(Backup { path: path.to_owned(), bytes: metadata.len(), origin })
}

impl PlanBackup {
    pub(super) fn request<'a>(&self, announce: &'a dyn Fn(u64)) -> BackupRequest<'a> {
        BackupRequest { path: self.path.clone(), existing: self.existing.clone(), announce }
    }

    /// Names the unfinished backups of killed runs in the folder of this one, with the command that removes them.
    pub(super) fn note_unfinished(&self, environment: &Environment) {
        for draft in whole_file::abandoned_backups(&self.path) {
            let size = std::fs::metadata(&draft).map_or(0, |metadata| metadata.len());
            let name = draft.display().to_string();
            environment.note(&format!(
                "a run that was killed left the unfinished backup {name} ({}); to remove it: rm {}",
                bytes(size),
                shell(&name)
            ));
        }
    }

    /// Removes the backup that this run made, because the run changed nothing. The next run makes a newer one.
    pub(super) fn remove_ours(&self, outcome: &Result<Execution, ApplyError>) {
        let is_unchanged = matches!(
            outcome,
            Err(ApplyError::Refused { .. } | ApplyError::OutOfDate { .. } | ApplyError::Stopped { committed: 0, .. })
        );
        if is_unchanged && self.is_ours.get() {
            // The database is as it was, so nothing depends on the removal.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Tells the name and the size of a backup before it is made, if that takes a while.
    pub(super) fn announce(&self, size: u64, environment: &Environment) {
        self.is_ours.set(true);
        if size >= MIN_ANNOUNCED {
            environment.note(&format!("the backup {} takes {}", self.path.display(), bytes(size)));
        }
    }
}
