//! A copy of the database before it is changed: made by SQLite's online backup, readable by whom the database is
//! readable by, and believed only once it was checked.

use std::fs::File;
use std::fs::OpenOptions;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::open;
use super::open::Access;
use super::session;
use crate::engine::EngineError;

/// The caller keeps writers out. An existing file is never replaced; one that came out wrong is removed.
pub(super) fn make(database: &Path, file: &Path) -> Result<(), EngineError> {
    let failed = |why: String| EngineError::Unwritable {
        what: format!("a backup to {}", file.display()),
        why,
        help: "name another file with --backup, make room for it, or go without one: --no-backup".to_owned(),
    };
    create(database, file).map_err(|error| failed(error.to_string()))?;
    let checked = copy(database, file).map_err(|error| error.to_string()).and_then(|()| compare(database, file));
    checked.map_err(|why| {
        // What is left of it is worth nothing.
        let _ = std::fs::remove_file(file);
        failed(why)
    })
}

/// Nobody but those who may read the database may read the copy, not even for a moment.
fn create(database: &Path, file: &Path) -> std::io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(file)?;
    made.set_permissions(std::fs::metadata(database)?.permissions())
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
    File::open(file).and_then(|file| file.sync_all()).map_err(|error| error.to_string())?;
    let copy = open::again(file, Access::Locked).map_err(told)?;
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
