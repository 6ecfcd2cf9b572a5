//! The trial in a private copy: in memory while it is small, else in an unnamed file; or in a clone of the database file.
//!
//! SQLite's online backup makes the copy inside a read transaction, so the file itself is only read.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::backup::Backup;

use super::Origin;
use super::SqliteTrial;
use super::confinement;
use super::confinement::Watch;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::sqlite::clone;
use crate::engine::sqlite::open;
use crate::engine::sqlite::space;

/// The number of pages copied between two reports of progress.
pub(super) const STRIDE: i32 = 4096;
/// Virtual machine instructions between two checks of the clock.
const INSTRUCTIONS: i32 = 10_000;

/// Copies the snapshot of `source`, which must be inside a transaction.
pub(super) fn copy(
    source: &Connection,
    path: &Path,
    why: Option<String>,
    limits: &WaitLimits,
    progress: &dyn Fn(usize, usize),
) -> Result<SqliteTrial, EngineError> {
    space::refuse_copy_without_space(source, path)?;
    let broken = |error: rusqlite::Error| space::no_private_copy(path, error.to_string());
    // A database without a name moves to a temporary file as it grows. SQLite deletes that file with the connection.
    let mut connection = Connection::open("").map_err(broken)?;
    {
        let backup = Backup::new(source, &mut connection).map_err(broken)?;
        loop {
            if limits.deadline.has_passed() {
                return Err(EngineError::TimeLimit);
            }
            let more = backup.step(STRIDE).map_err(broken)? != rusqlite::backup::StepResult::Done;
            let state = backup.progress();
            let pages = |number: i32| usize::try_from(number).unwrap_or(0);
            progress(pages(state.pagecount - state.remaining), pages(state.pagecount));
            if !more {
                break;
            }
        }
    }
    let bytes = space::bytes(source);
    finished(connection, path, limits, Origin::Copy { bytes, why }).map_err(broken)
}

/// Clones the file. `None` if the file system cannot.
pub(super) fn cloned(file: &File, path: &Path, limits: &WaitLimits) -> Option<SqliteTrial> {
    let clone = clone::temporary(file, path).ok()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(open::plain(clone.path()), flags).ok()?;
    // This also moves the content of a write-ahead log into the clone.
    let mode = connection.query_row("PRAGMA main.journal_mode = MEMORY", [], |row| row.get::<_, String>(0));
    if !mode.is_ok_and(|mode| mode == "memory") {
        return None;
    }
    finished(connection, path, limits, Origin::Clone { _file: clone }).ok()
}

fn finished(
    mut connection: Connection,
    path: &Path,
    limits: &WaitLimits,
    origin: Origin,
) -> rusqlite::Result<SqliteTrial> {
    let watch = Arc::new(Mutex::new(Watch::default()));
    confinement::confine(&mut connection, &watch)?;
    let deadline = limits.deadline.clone();
    connection.progress_handler(INSTRUCTIONS, Some(move || deadline.has_passed()))?;
    Ok(SqliteTrial { connection, name: path.to_owned(), limits: limits.clone(), watch, origin })
}
