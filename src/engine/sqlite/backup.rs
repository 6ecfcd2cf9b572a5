//! A copy of the database before it is changed: made by SQLite's online backup, readable by whom the database is
//! readable by, and believed only once it was checked. It has its name from then on, and not before.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::open;
use super::open::Access;
use super::session;
use crate::engine::EngineError;
use crate::whole_file::WholeFile;

/// The caller keeps writers out. An existing file is never replaced; one that came out wrong is removed.
pub(super) fn make(database: &Path, file: &Path) -> Result<(), EngineError> {
    copied(database, file).map_err(|why| EngineError::Unwritable {
        what: format!("a backup to {}", file.display()),
        why,
        help: "name another file with --backup, make room for it, or go without one: --no-backup".to_owned(),
    })
}

fn copied(database: &Path, file: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    for companion in ["", "-journal", "-wal"] {
        let mut there = file.as_os_str().to_owned();
        there.push(companion);
        if Path::new(&there).exists() {
            // SQLite would take such a file beside the copy for a part of it.
            return Err(format!("there is a file {} already", Path::new(&there).display()));
        }
    }
    // Until it is whole it is its owner's alone.
    let draft = WholeFile::private(file).map_err(told)?;
    copy(database, draft.draft()).map_err(|error| error.to_string())?;
    let copy = draft.sync().map_err(told)?;
    compare(database, copy.draft())?;
    copy.set_permissions(std::fs::metadata(database).map_err(told)?.permissions()).map_err(told)?;
    copy.create_new().map_err(told)
}

fn copy(database: &Path, file: &Path) -> rusqlite::Result<()> {
    let source = open::again(database, Access::Locked)?;
    let mut target = Connection::open(open::plain(file))?;
    // The file is synced once at the end instead.
    target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")?;
    let backup = Backup::new(&source, &mut target)?;
    backup.run_to_completion(1_000, std::time::Duration::ZERO, None)
}

/// The copy is sound, and every table has as many rows in it.
fn compare(database: &Path, file: &Path) -> Result<(), String> {
    let told = |error: rusqlite::Error| error.to_string();
    // Nobody else writes to it, and with locks SQLite would put files beside it where it has a write-ahead log.
    let copy = open::again(file, Access::Immutable).map_err(told)?;
    let source = open::again(database, Access::Locked).map_err(told)?;
    if let Some(damage) = session::integrity(&copy).map_err(told)? {
        return Err(format!("the copy is damaged ({damage})"));
    }
    let counts = |connection: &Connection| session::row_counts(connection).map_err(told);
    if counts(&copy)? != counts(&source)? {
        return Err("the copy does not hold the same rows".to_owned());
    }
    Ok(())
}
