//! Clones a database file where the file system can: both files share their blocks until one of them changes, so a clone
//! of any size takes moments and no room.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use super::open;
use crate::whole_file::WholeFile;

/// The files that SQLite may leave beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A clone that is deleted with this value.
pub(super) struct TemporaryClone {
    draft: WholeFile,
}

impl TemporaryClone {
    pub(super) fn path(&self) -> &Path {
        self.draft.draft()
    }
}

impl Drop for TemporaryClone {
    fn drop(&mut self) {
        remove_companions(self.path());
    }
}

/// Clones a database, in the folder of temporary files if this is on the same file system, else beside the database. The
/// caller's open transaction keeps the file still; `file` is open on the database, and outlives that transaction,
/// because closing it drops SQLite's locks.
pub(super) fn temporary(file: &File, database: &Path) -> io::Result<TemporaryClone> {
    let in_folder = std::env::temp_dir().join("clone");
    let made = WholeFile::made_by(&in_folder, &mut |path| clone_file(file, path))
        .or_else(|_| WholeFile::made_by(database, &mut |path| clone_file(file, path)))?;
    let clone = TemporaryClone { draft: made };
    clone_log(database, clone.path())?;
    Ok(clone)
}

/// Clones a database into the draft of a backup, with the content of its write-ahead log. The conditions of
/// [`temporary`] apply.
pub(super) fn backup(file: &File, database: &Path, backup: &Path) -> io::Result<WholeFile> {
    let draft = WholeFile::backup(backup, &mut |path| clone_file(file, path))?;
    let complete = clone_log(database, draft.draft()).and_then(|has_log| match has_log {
        true => fold_log(draft.draft()).map_err(io::Error::other),
        false => Ok(()),
    });
    remove_companions(draft.draft());
    complete.map(|()| draft)
}

/// Clones the write-ahead log, if there is one. Returns true if the clone has a log.
///
/// The log is cloned after the file. A checkpoint may write to the file meanwhile, but only pages that the log contains
/// too, and SQLite prefers those. While a transaction reads from the log, no program starts the log anew; while it reads
/// from the file alone, no checkpoint writes to the file.
fn clone_log(database: &Path, clone: &Path) -> io::Result<bool> {
    let log = match File::open(companion(database, "-wal")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if log.metadata()?.len() == 0 {
        return Ok(false);
    }
    clone_file(&log, &companion(clone, "-wal")).map(|_| true)
}

/// Moves the content of the log into the file, and removes the log.
fn fold_log(clone: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(open::plain(clone), flags)?;
    open::distrust(&connection)?;
    connection.query_row("PRAGMA main.wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

fn remove_companions(clone: &Path) {
    for suffix in COMPANIONS {
        // A companion that does not exist is no fault, and nothing depends on the removal.
        let _ = std::fs::remove_file(companion(clone, suffix));
    }
}

pub(super) fn companion(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Creates a file that only its owner can read, with the blocks of another.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn clone_file(source: &File, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    match rustix::fs::ioctl_ficlone(&file, source) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = std::fs::remove_file(path);
            Err(error.into())
        }
    }
}

#[cfg(target_vendor = "apple")]
fn clone_file(source: &File, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::PermissionsExt;
    rustix::fs::fclonefileat(source, rustix::fs::CWD, path, rustix::fs::CloneFlags::empty())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    File::options().read(true).write(true).open(path)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn clone_file(_: &File, _: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
