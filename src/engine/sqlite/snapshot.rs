//! Opens several connections on one snapshot, with the file handles that read its pages.
//!
//! With a rollback journal the first transaction's lock keeps every writer out, so all later transactions share its
//! snapshot. With a write-ahead log writers continue; if the log's index is equal before and after, no writer committed
//! in between.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::Result;

use super::failure;
use super::open;
use super::open::Access;
use super::pages::fault::Fault;
use super::pages::source::PageSource;
use super::pages::wal;
use super::session::schema_version;
use crate::engine::WaitLimits;

/// The page cache of all sessions together. Their sorting takes up to four times as much.
const CACHE_KIB: usize = 32 * 1024;

/// Attempts to begin all sessions on one snapshot before a writer commits; then as many attempts with one session.
const MAX_ATTEMPTS: usize = 10;

/// File handles on the database, and on its log if it has one. Closing one drops SQLite's locks in this process, so the
/// owner must close its connections first.
pub(super) struct Handles {
    file: std::io::Result<Arc<File>>,
    log: Option<wal::WriteAheadLog>,
}

/// The snapshot that the transactions share.
#[derive(Debug, Clone, Copy)]
pub(super) enum Snapshot {
    /// The file alone. It cannot change.
    File,
    /// The file and the frames of the log at that time.
    Log(wal::LogSnapshot),
    /// Writers committed too often, or the log cannot be read. Only SQLite can read this snapshot.
    Unknown,
}

impl Handles {
    pub(super) fn open(path: &Path) -> Handles {
        Handles { file: File::open(path).map(Arc::new), log: wal::WriteAheadLog::open(path).ok() }
    }

    /// Returns the file handle on the database.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref().ok().map(Arc::as_ref)
    }

    /// Returns the pages of the snapshot of an open transaction.
    pub(super) fn source(&self, snapshot: &Snapshot) -> std::result::Result<PageSource, Fault> {
        let unsupported = |error: &std::io::Error| Fault::unsupported(error.to_string());
        let file = self.file.as_ref().map_err(unsupported)?;
        let overlay = match (snapshot, &self.log) {
            (Snapshot::File, _) => None,
            (Snapshot::Log(snapshot), Some(log)) => log.overlay(snapshot).map_err(|error| unsupported(&error))?,
            _ => return Err(Fault::unsupported("other programs write too often to the write-ahead log")),
        };
        PageSource::new(Arc::clone(file), overlay)
    }

    fn snapshot(&self) -> Option<wal::LogSnapshot> {
        self.log.as_ref().and_then(|log| log.snapshot().ok().flatten())
    }
}

/// Returns between one and `wanted` connections, each inside a transaction, all on one snapshot.
pub(super) fn connect(
    path: &Path,
    access: Access,
    wanted: usize,
    limits: &WaitLimits,
    handles: &Handles,
    first: &Connection,
) -> Result<(Vec<Connection>, Snapshot)> {
    let mut connections = Vec::new();
    for _ in 0..wanted.max(1) {
        let mut connection = open::again(path, access)?;
        let deadline = limits.deadline.clone();
        connection.progress_handler(10_000, Some(move || deadline.has_passed()))?;
        connections.push(connection);
    }
    failure::retry_while_busy(limits.lock_wait, || begin(&connections[0]))?;
    if access == Access::Immutable || !is_write_ahead(first, limits)? {
        // The file cannot change any more. A connection that fails now waits for a writer that waits for this process.
        let in_time = connections.iter().skip(1).take_while(|connection| begin(connection).is_ok()).count();
        connections.truncate(1 + in_time);
        return Ok((connections, Snapshot::File));
    }
    for attempt in 0..2 * MAX_ATTEMPTS {
        connections.truncate(if attempt < MAX_ATTEMPTS { connections.len() } else { 1 });
        for connection in connections.iter().filter(|connection| !connection.is_autocommit()) {
            connection.execute_batch("ROLLBACK")?;
        }
        let before = handles.snapshot();
        for connection in &connections {
            failure::retry_while_busy(limits.lock_wait, || begin(connection))?;
        }
        if let Some(snapshot) = before.filter(|_| before == handles.snapshot()) {
            return Ok((connections, Snapshot::Log(snapshot)));
        }
    }
    Ok((connections, Snapshot::Unknown))
}

/// Returns the size of a connection's page cache if there are so many connections.
pub(super) fn cache_kib(connections: usize) -> usize {
    CACHE_KIB / connections.max(1)
}

/// True if the database has a write-ahead log. The connection must have read the definitions, because this pragma does.
fn is_write_ahead(connection: &Connection, limits: &WaitLimits) -> Result<bool> {
    // A read, so that the connection sees a change of the mode.
    failure::retry_while_busy(limits.lock_wait, || schema_version(connection))?;
    let mode: String = connection.query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
    Ok(mode == "wal")
}

/// Begins a transaction and reads once, because only then does the transaction have a snapshot.
///
/// This read does not need the definitions. SQLite parses them when a connection needs them for the first time, and a
/// connection that only holds a snapshot never does.
pub(super) fn begin(connection: &Connection) -> Result<()> {
    if connection.is_autocommit() {
        connection.execute_batch("BEGIN")?;
    }
    let read = schema_version(connection).map(|_| ());
    if read.is_err() {
        connection.execute_batch("ROLLBACK")?;
    }
    read
}
