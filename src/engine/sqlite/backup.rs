//! Makes a backup of the database before it is changed, with SQLite's online backup. The copy has the permissions of
//! the database, and gets its name only after it was verified.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::open;
use super::open::Access;
use super::session;
use crate::engine::EngineError;
use crate::whole_file::WholeFile;

/// The caller keeps writers out. An existing file is never replaced. A copy that fails verification is removed.
pub(super) fn make(database: &Path, file: &Path) -> Result<(), EngineError> {
    copied(database, file).map_err(|why| EngineError::Unwritable {
        what: format!("a backup to {}", file.display()),
        why,
        help: "name another file with --backup, free disk space, or go without a backup: --no-backup".to_owned(),
    })
}

fn copied(database: &Path, file: &Path) -> Result<(), String> {
    let message = |error: std::io::Error| error.to_string();
    for companion in ["", "-journal", "-wal"] {
        let mut path = file.as_os_str().to_owned();
        path.push(companion);
        if Path::new(&path).exists() {
            // SQLite would treat such a file as a part of the copy.
            return Err(format!("there is a file {} already", Path::new(&path).display()));
        }
    }
    // Until it is complete, only its owner can read it.
    let draft = WholeFile::private(file).map_err(message)?;
    copy(database, draft.draft()).map_err(|error| error.to_string())?;
    let copy = draft.sync().map_err(message)?;
    compare(database, copy.draft())?;
    copy.set_permissions(std::fs::metadata(database).map_err(message)?.permissions()).map_err(message)?;
    copy.create_new().map_err(message)
}

fn copy(database: &Path, file: &Path) -> rusqlite::Result<()> {
    let source = open::again(database, Access::Locked)?;
    let mut target = Connection::open(open::plain(file))?;
    // The file is synced once at the end instead.
    target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")?;
    let backup = Backup::new(&source, &mut target)?;
    backup.run_to_completion(1_000, std::time::Duration::ZERO, None)
}

/// Verifies that the copy is intact and that every table has the same number of rows.
fn compare(database: &Path, file: &Path) -> Result<(), String> {
    let message = |error: rusqlite::Error| error.to_string();
    // No other process writes to the copy. With locks SQLite would create files beside a copy in WAL mode.
    let copy = open::again(file, Access::Immutable).map_err(message)?;
    let source = open::again(database, Access::Locked).map_err(message)?;
    if let Some(damage) = session::integrity(&copy).map_err(message)? {
        return Err(format!("the copy is damaged ({damage})"));
    }
    let counts = |connection: &Connection| session::row_counts(connection).map_err(message);
    if counts(&copy)? != counts(&source)? {
        return Err("the copy does not hold the same rows".to_owned());
    }
    Ok(())
}
