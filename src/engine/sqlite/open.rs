//! Opens a file that may be hostile, without the ability to write to it.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::failure;
use super::file;
use crate::engine::EngineError;
use crate::engine::WaitLimits;

/// The way in which the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// With SQLite's locks, so that no writer can change what is read.
    Locked,
    /// Without locks, because the directory does not allow a WAL database's side files and there is no WAL to read.
    Immutable,
}

/// The largest value that can be read. A hostile generated column could produce larger ones.
const LONGEST_VALUE: i32 = 10_000_000;

/// Opens the first connection, and determines how the file can be read.
pub(super) fn first(path: &Path, limits: &WaitLimits) -> Result<(Connection, Access), EngineError> {
    let readable = |connection: Connection| {
        let answer = failure::retry_while_busy(limits.lock_wait, || {
            connection.query_row("SELECT count(*) FROM main.sqlite_schema", [], |_| Ok(()))
        });
        answer.map(|()| connection)
    };
    let locked = again(path, Access::Locked).and_then(readable);
    match locked {
        Ok(connection) => Ok((connection, Access::Locked)),
        Err(error) if failure::is_cannot_open(&error) && file::is_wal_at_rest(path) => {
            let immutable = again(path, Access::Immutable).and_then(readable);
            immutable
                .map(|connection| (connection, Access::Immutable))
                .map_err(|error| failure::unreadable(path, &error))
        }
        Err(error) => Err(failure::unreadable(path, &error)),
    }
}

/// Opens a further connection in the same way as the first.
pub(super) fn again(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    // A mutex inside SQLite is not needed: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match access {
        Access::Locked => Connection::open_with_flags(plain(path), flags)?,
        Access::Immutable => Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?,
    };
    // The caller waits for locks itself, so that it can report the reason.
    connection.busy_timeout(std::time::Duration::ZERO)?;
    distrust(&connection)?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA automatic_index = ON",
    )?;
    Ok(connection)
}

/// Restricts the connection, so that no definition in the file can run code or produce a value of unbounded size.
pub(super) fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        // A misspelt column is an error, not the text of its name.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(setting, value)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 1_000_000),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    ] {
        connection.set_limit(limit, value)?;
    }
    Ok(())
}

/// Returns a path that SQLite takes literally. It would take `file:…` for a URI, and `:…` for a name without a file.
pub(super) fn plain(path: &Path) -> std::path::PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

fn immutable_uri(path: &Path) -> String {
    let escaped: String = plain(path)
        .to_string_lossy()
        .chars()
        .map(|c| if matches!(c, '%' | '?' | '#') { format!("%{:02x}", u32::from(c)) } else { c.to_string() })
        .collect();
    format!("file:{escaped}?immutable=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.cargo/config.toml` sets the flag. With the count, every allocation of SQLite takes a lock.
    #[test]
    fn sqlite_does_not_count_its_memory() {
        let connection = Connection::open_in_memory().expect("a database in memory");
        let used: rusqlite::Result<bool> =
            connection.query_row("SELECT sqlite_compileoption_used('DEFAULT_MEMSTATUS=0')", [], |row| row.get(0));
        assert_eq!(used, Ok(true));
    }
}
