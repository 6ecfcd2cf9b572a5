//! Makes a backup of the database before it is changed: a clone of the file where the file system can, else a copy with
//! SQLite's online backup. It has the permissions of the database, and gets its name only after it was verified.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::clone;
use super::open;
use super::open::Access;
use super::session;
use super::space;
use crate::engine::EngineError;
use crate::model::backup::BackupOrigin;
use crate::model::text::bytes;
use crate::whole_file::WholeFile;

/// The database, a file handle that stays open longer than the caller's transaction, and the size in bytes.
pub(super) struct Original<'a> {
    pub(super) path: &'a Path,
    pub(super) file: Option<&'a File>,
    pub(super) bytes: u64,
}

/// The caller keeps writers out. An existing file is never replaced. A backup that fails verification is removed.
pub(super) fn make(original: &Original<'_>, file: &Path) -> Result<BackupOrigin, EngineError> {
    let failed = |why: String, help: &str| EngineError::Unwritable {
        what: format!("a backup to {} ({})", file.display(), bytes(original.bytes)),
        why,
        help: format!("nothing was changed: {help}"),
    };
    let help = "name another file with --backup, another folder with --backup-dir, or go without a backup: --no-backup";
    refuse_existing(file).map_err(|why| failed(why, help))?;
    if let Some(Ok(draft)) = original.file.map(|source| clone::backup(source, original.path, file)) {
        return finish(original.path, draft).map(|()| BackupOrigin::Clone).map_err(|why| failed(why, help));
    }
    if let Some(why) = space::lacking_space(original.bytes, folder(file)) {
        let help = "name a folder with enough room with --backup-dir, or go without a backup: --no-backup";
        return Err(failed(why, help));
    }
    let made = copied(original.path, file).and_then(|draft| finish(original.path, draft));
    made.map(|()| BackupOrigin::Copy).map_err(|why| failed(why, help))
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refuse_existing(file: &Path) -> Result<(), String> {
    for companion in ["", "-journal", "-wal"] {
        let path = clone::companion(file, companion);
        if path.exists() {
            // SQLite would treat such a file as a part of the copy.
            return Err(format!("there is a file {} already", path.display()));
        }
    }
    Ok(())
}

/// Copies into a draft. Until it is complete, only its owner can read it.
fn copied(database: &Path, file: &Path) -> Result<WholeFile, String> {
    let draft = WholeFile::backup(file, &mut new_private_file).map_err(|error| error.to_string())?;
    copy(database, draft.draft()).map_err(|error| error.to_string())?;
    Ok(draft)
}

fn new_private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn copy(database: &Path, file: &Path) -> rusqlite::Result<()> {
    let source = open::again(database, Access::Locked)?;
    let mut target = Connection::open(open::plain(file))?;
    // The file is synced once at the end instead.
    target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")?;
    let backup = Backup::new(&source, &mut target)?;
    backup.run_to_completion(1_000, std::time::Duration::ZERO, None)
}

/// Verifies a draft, and gives it its name.
fn finish(database: &Path, draft: WholeFile) -> Result<(), String> {
    let message = |error: std::io::Error| error.to_string();
    let draft = draft.sync().map_err(message)?;
    compare(database, draft.draft())?;
    draft.set_permissions(std::fs::metadata(database).map_err(message)?.permissions()).map_err(message)?;
    draft.create_new().map_err(message)
}

/// Verifies that the backup is intact and that every table has the same number of rows.
fn compare(database: &Path, file: &Path) -> Result<(), String> {
    let message = |error: rusqlite::Error| error.to_string();
    // No other process writes to the backup. With locks SQLite would create files beside a backup in WAL mode.
    let backup = open::again(file, Access::Immutable).map_err(message)?;
    let source = open::again(database, Access::Locked).map_err(message)?;
    if let Some(damage) = session::integrity(&backup).map_err(message)? {
        return Err(format!("the copy is damaged ({damage})"));
    }
    let counts = |connection: &Connection| session::row_counts(connection).map_err(message);
    if counts(&backup)? != counts(&source)? {
        return Err("the copy does not hold the same rows".to_owned());
    }
    Ok(())
}
