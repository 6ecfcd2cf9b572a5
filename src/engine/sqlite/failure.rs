//! SQLite's result codes as sentences with a next step.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use rusqlite::ErrorCode;

use crate::engine::EngineError;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;

/// Delay between two attempts while another program holds a lock. Busy writers release it for moments only.
const RETRY_DELAY: Duration = Duration::from_millis(1);

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(code(error), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(code(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

pub(super) fn is_cannot_open(error: &rusqlite::Error) -> bool {
    matches!(code(error), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

pub(super) fn is_interrupted(error: &rusqlite::Error) -> bool {
    code(error) == Some(ErrorCode::OperationInterrupted)
}

/// Why SQLite refused a statement, in its own words.
pub(super) fn refusal(error: &rusqlite::Error) -> Refusal {
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(code, message) => (Some(code), message.clone()),
        rusqlite::Error::SqlInputError { error, msg, .. } => (Some(error), Some(msg.clone())),
        _ => (None, None),
    };
    let message = message.unwrap_or_else(|| error.to_string());
    let kind = match code.map(|code| code.extended_code) {
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => RefusalKind::ForeignKey,
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER) if message == "FOREIGN KEY constraint failed" => {
            RefusalKind::ForeignKey
        }
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER) => RefusalKind::Raised,
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL) => RefusalKind::NotNull,
        Some(
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID,
        ) => RefusalKind::Unique,
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_CHECK) => RefusalKind::Check,
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_DATATYPE | rusqlite::ffi::SQLITE_MISMATCH) => RefusalKind::Value,
        _ if message.starts_with("foreign key mismatch") => RefusalKind::Mismatch,
        _ if message.starts_with("too many levels of trigger recursion") => RefusalKind::TooDeep,
        Some(rusqlite::ffi::SQLITE_ERROR) => RefusalKind::Invalid,
        _ => RefusalKind::Other,
    };
    Refusal::new(kind, message)
}

/// The database as a whole cannot be read.
pub(super) fn unreadable(path: &Path, error: &rusqlite::Error) -> EngineError {
    let (why, help) = match code(error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another program holds a lock on it".to_owned(),
            "try again when that program is done, or wait longer: --wait 60s",
        ),
        Some(ErrorCode::NotADatabase) => (
            "it is not a SQLite database, or an encrypted one".to_owned(),
            "if it is encrypted, decrypt a copy with the program that made it and scan that",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            format!("the file is damaged or cut off ({error})"),
            "restore a backup, or save what can be read: sqlite3 damaged.db .recover | sqlite3 saved.db",
        ),
        Some(ErrorCode::PermissionDenied) => (error.to_string(), "check the permissions of the file and its directory"),
        Some(ErrorCode::ReadOnly) => (
            "its last writer died and left a journal that only a writer can play back".to_owned(),
            "open it once with a program that may write, or copy the file with its -journal and open the copy",
        ),
        Some(ErrorCode::CannotOpen) => (
            format!("the file, or the -wal and -shm files beside it, cannot be opened ({error})"),
            "copy the database with its -wal file to a directory that can be written, and scan the copy",
        ),
        _ => (error.to_string(), "check that the file is whole: sqlite3 FILE 'PRAGMA integrity_check'"),
    };
    EngineError::Unreadable { what: path.display().to_string(), why, help: help.to_owned() }
}

/// The database can be read, but not written.
pub(super) fn unwritable(path: &Path, error: &rusqlite::Error) -> EngineError {
    let (why, help) = match code(error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another program holds a lock on it".to_owned(),
            "nothing was changed: try again when that program is done, or wait longer: --wait 60s",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            (plain(error), "nothing was changed: check the permissions of the file and its directory")
        }
        Some(ErrorCode::DiskFull) => (plain(error), "nothing was changed: make room on the disk and run it again"),
        _ => (plain(error), "nothing was changed: check that the file is whole: sqlite3 FILE 'PRAGMA integrity_check'"),
    };
    EngineError::Unwritable { what: path.display().to_string(), why, help: help.to_owned() }
}

/// SQLite's own words, without our statement.
pub(super) fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    }
}

/// One question failed; others may not.
pub(super) fn failed(error: &rusqlite::Error) -> EngineError {
    match code(error) {
        Some(ErrorCode::OperationInterrupted) => EngineError::TimeLimit,
        // The statement is ours and says nothing to the reader.
        _ => match error {
            rusqlite::Error::SqlInputError { msg, .. } => EngineError::Failed { why: msg.clone() },
            other => EngineError::Failed { why: other.to_string() },
        },
    }
}

/// Repeats `attempt` while another program holds a lock, until `wait` is over.
pub(super) fn retry_while_busy<T>(
    wait: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && start.elapsed() < wait => std::thread::sleep(RETRY_DELAY),
            done => return done,
        }
    }
}
