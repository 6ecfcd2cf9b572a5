//! Converts SQLite's result codes into messages with a next step.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;

use super::lock_holder;
use crate::engine::EngineError;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::refusal::UnknownName;
use crate::model::text::shell;

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

/// True if the file or its directory may not be written.
pub(super) fn is_not_permitted(error: &rusqlite::Error) -> bool {
    matches!(code(error), Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen))
}

pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    code(error) == Some(ErrorCode::DiskFull)
}

pub(super) fn is_interrupted(error: &rusqlite::Error) -> bool {
    code(error) == Some(ErrorCode::OperationInterrupted)
}

/// Returns why SQLite refused a statement, with SQLite's own message.
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
    let (table, columns) = match kind {
        RefusalKind::NotNull | RefusalKind::Unique => constrained(&message),
        _ => (None, Vec::new()),
    };
    let refusal = Refusal { table, columns, ..Refusal::new(kind, message) };
    match kind {
        RefusalKind::Mismatch => with_tables(refusal),
        RefusalKind::Invalid => with_unknown_name(refusal),
        _ => refusal,
    }
}

/// Reads `NOT NULL constraint failed: t.a`, `UNIQUE constraint failed: t.a, t.b`.
fn constrained(message: &str) -> (Option<String>, Vec<String>) {
    let Some((_, list)) = message.split_once("constraint failed: ") else { return (None, Vec::new()) };
    let pairs: Vec<(&str, &str)> = list.split(", ").filter_map(|column| column.split_once('.')).collect();
    let table = pairs.first().map(|(table, _)| (*table).to_owned());
    (table, pairs.into_iter().map(|(_, column)| column.to_owned()).collect())
}

/// Reads `foreign key mismatch - "child" referencing "parent"`.
fn with_tables(refusal: Refusal) -> Refusal {
    let mut names = refusal.message.split('"').skip(1).step_by(2).map(str::to_owned);
    let (table, parent) = (names.next(), names.next());
    Refusal { table, parent, ..refusal }
}

/// Reads `no such table: t`, `no such column: t.a`, `table t has no column named a`. SQLite puts the schema before a
/// table that a foreign key refers to: `no such table: main.t`.
fn with_unknown_name(refusal: Refusal) -> Refusal {
    let message = &refusal.message;
    let named = |text: &str| text.rsplit('.').next().unwrap_or(text).trim_matches('"').to_owned();
    let parent = message.strip_prefix("no such table: main.").map(str::to_owned);
    let unknown = if let Some(table) = message.strip_prefix("no such table: ") {
        Some(UnknownName::Table(named(table)))
    } else if let Some((_, column)) = message.split_once("no such column: ") {
        Some(UnknownName::Column(named(column.split(" - ").next().unwrap_or(column))))
    } else {
        message.split_once("has no column named ").map(|(_, column)| UnknownName::Column(named(column)))
    };
    Refusal { parent, unknown, ..refusal }
}

/// Reads `malformed database schema (v) - near "SELEC": syntax error`, the error for a definition that this SQLite
/// cannot parse. Another version may have made it, or somebody edited it. A broken view or trigger does not affect the
/// rows.
fn unparsed_definition(path: &Path, error: &rusqlite::Error) -> Option<(String, String)> {
    let message = plain(error);
    let (name, why) = message.strip_prefix("malformed database schema (")?.split_once(") - ")?;
    let is_parse_error =
        ["syntax error", "incomplete input", "unrecognized token"].iter().any(|words| why.contains(words));
    let kind = kind_of_definition(path, name).ok().filter(|_| is_parse_error)?;
    let (version, file) = (rusqlite::version(), shell(&path.display().to_string()));
    let why = format!("SQLite {version} cannot parse the definition of the {kind} {name} ({why})");
    let help = if matches!(kind.as_str(), "view" | "trigger") {
        let literal = name.replace('\'', "''");
        let drop = format!(
            "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = '{kind}' AND name = '{literal}'"
        );
        format!(
            "the rows are intact: use the SQLite that made it, or drop the {kind} in a copy: \
             cp {file} copy.db && sqlite3 copy.db {}",
            shell(&drop)
        )
    } else {
        "open it with the SQLite that made it, or a newer one".to_owned()
    };
    Some((why, help))
}

fn kind_of_definition(path: &Path, name: &str) -> rusqlite::Result<String> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // With this setting SQLite skips a definition that it cannot parse.
    database.execute_batch("PRAGMA writable_schema = ON; PRAGMA query_only = ON")?;
    database.query_row("SELECT type FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0))
}

/// Converts an error because of which the whole database cannot be read.
pub(super) fn unreadable(path: &Path, error: &rusqlite::Error) -> EngineError {
    if let Some((why, help)) = unparsed_definition(path, error) {
        return EngineError::Unreadable { what: path.display().to_string(), why, help };
    }
    let file = shell(&path.display().to_string());
    let (why, help) = match code(error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            lock_holder::with_holder("another program holds a lock on it", path),
            "try again when that program is done, or wait longer: --wait 60s".to_owned(),
        ),
        Some(ErrorCode::NotADatabase) => (
            "it is not a SQLite database, or an encrypted one".to_owned(),
            "if it is encrypted, decrypt a copy with the program that made it and scan that".to_owned(),
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            format!("the file is damaged or truncated ({error})"),
            format!("restore a backup, or save the readable rows: sqlite3 {file} .recover | sqlite3 saved.db"),
        ),
        Some(ErrorCode::PermissionDenied) => {
            (error.to_string(), "check the permissions of the file and its directory".to_owned())
        }
        Some(ErrorCode::ReadOnly) => (
            "its last writer died and left a journal that only a writer can play back".to_owned(),
            "open it once with a program that may write, or copy the file with its -journal and open the copy"
                .to_owned(),
        ),
        Some(ErrorCode::CannotOpen) => (
            format!("the file, or the -wal and -shm files beside it, cannot be opened ({error})"),
            "copy the database with its -wal file to a directory that can be written, and scan the copy".to_owned(),
        ),
        _ => (error.to_string(), format!("check that the file is whole: sqlite3 {file} 'PRAGMA integrity_check'")),
    };
    EngineError::Unreadable { what: path.display().to_string(), why, help }
}

/// Converts an error because of which the database cannot be written.
pub(super) fn unwritable(path: &Path, error: &rusqlite::Error) -> EngineError {
    let (why, help) = match code(error) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            lock_holder::with_holder("another program holds a lock on it", path),
            "nothing was changed: try again when that program is done, or wait longer: --wait 60s".to_owned(),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            (plain(error), "nothing was changed: check the permissions of the file and its directory".to_owned())
        }
        Some(ErrorCode::DiskFull) => {
            (plain(error), "nothing was changed: free disk space, then repeat the command".to_owned())
        }
        _ => {
            let file = shell(&path.display().to_string());
            let check = format!("sqlite3 {file} 'PRAGMA integrity_check'");
            (plain(error), format!("nothing was changed: check that the file is whole: {check}"))
        }
    };
    EngineError::Unwritable { what: path.display().to_string(), why, help }
}

/// Returns SQLite's own message, without the statement.
pub(super) fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    }
}

/// Converts the failure of a single query. Other queries may still succeed.
pub(in crate::engine) fn failed(error: &rusqlite::Error) -> EngineError {
    match code(error) {
        Some(ErrorCode::OperationInterrupted) => EngineError::TimeLimit,
        // The statement is the program's own, so it does not help the user.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(message: &str) -> Refusal {
        with_unknown_name(Refusal::new(RefusalKind::Invalid, message))
    }

    #[test]
    fn refusal_holds_the_names_of_the_message() {
        let constrained = constrained("UNIQUE constraint failed: t.a, t.b");
        assert_eq!(constrained, (Some("t".to_owned()), vec!["a".to_owned(), "b".to_owned()]));
        let mismatch = "foreign key mismatch - \"c\" referencing \"p\"";
        let mismatch = with_tables(Refusal::new(RefusalKind::Mismatch, mismatch));
        assert_eq!((mismatch.table.as_deref(), mismatch.parent.as_deref()), (Some("c"), Some("p")));
        assert_eq!(invalid("no such table: x").unknown, Some(UnknownName::Table("x".to_owned())));
        assert_eq!(invalid("no such table: x").parent, None);
        assert_eq!(invalid("no such table: main.x").parent.as_deref(), Some("x"));
        assert_eq!(invalid("no such column: t.a").unknown, Some(UnknownName::Column("a".to_owned())));
        let quoted = "no such column: \"a\" - should this be a string literal in single-quotes?";
        assert_eq!(invalid(quoted).unknown, Some(UnknownName::Column("a".to_owned())));
        assert_eq!(invalid("table t has no column named a").unknown, Some(UnknownName::Column("a".to_owned())));
        assert_eq!(invalid("near \"x\": syntax error").unknown, None);
    }
}
