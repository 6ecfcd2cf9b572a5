//! Several connections that see one and the same moment, and the handles to read that moment's pages with.
//!
//! With a rollback journal the first transaction's lock keeps every writer out, so all that follow see what it sees.
//! With a write-ahead log writers go on; the log's index, equal before and after, shows that none committed between.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::Result;

use super::failure;
use super::open;
use super::open::Access;
use super::pages::fault::Fault;
use super::pages::source::PageSource;
use super::pages::wal;
use crate::engine::Patience;

/// All sessions together may cache this much of the file; their sorting takes up to four times as much.
const CACHE_KIB: usize = 32 * 1024;

/// How often all sessions are begun anew because a writer committed in between; then as often with one alone.
const TRIES: usize = 10;

/// How long to sleep while another program holds a lock: busy writers leave it for moments only.
const NAP: Duration = Duration::from_millis(1);

/// Our own handles on the file, and on its log where it has one. Closing one drops SQLite's locks in this process, so
/// whoever holds a connection drops that before these.
pub(super) struct Handles {
    file: std::io::Result<Arc<File>>,
    log: Option<wal::Log>,
}

/// What the transactions see.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// The file, which cannot change.
    File,
    /// The file and the log as they were then.
    Log(wal::Moment),
    /// Writers were too busy, or the log cannot be read: SQLite alone knows.
    Unknown,
}

impl Handles {
    pub(super) fn open(path: &Path) -> Handles {
        Handles { file: File::open(path).map(Arc::new), log: wal::Log::open(path).ok() }
    }

    /// The pages of a moment that an open transaction sees.
    pub(super) fn source(&self, moment: &Moment) -> std::result::Result<PageSource, Fault> {
        let unsupported = |error: &std::io::Error| Fault::unsupported(error.to_string());
        let file = self.file.as_ref().map_err(unsupported)?;
        let overlay = match (moment, &self.log) {
            (Moment::File, _) => None,
            (Moment::Log(moment), Some(log)) => log.overlay(moment).map_err(|error| unsupported(&error))?,
            _ => return Err(Fault::unsupported("other programs write too often to the write-ahead log")),
        };
        PageSource::new(Arc::clone(file), overlay)
    }

    fn moment(&self) -> Option<wal::Moment> {
        self.log.as_ref().and_then(|log| log.moment().ok().flatten())
    }
}

/// Up to `wanted` connections, each inside a transaction, all at the same moment; at least one.
pub(super) fn connect(
    path: &Path,
    access: Access,
    wanted: usize,
    patience: &Patience,
    handles: &Handles,
) -> Result<(Vec<Connection>, Moment)> {
    let mut connections = Vec::new();
    for _ in 0..wanted.max(1) {
        let mut connection = open::again(path, access)?;
        let kib = CACHE_KIB / wanted.max(1);
        // It reads the schema, and so needs a lock.
        patiently(patience.lock_wait, || connection.execute_batch(&format!("PRAGMA main.cache_size = -{kib}")))?;
        let deadline = patience.deadline.clone();
        connection.progress_handler(10_000, Some(move || deadline.has_passed()))?;
        connections.push(connection);
    }
    patiently(patience.lock_wait, || begin(&connections[0]))?;
    let mode: String = connections[0].query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
    if access == Access::Immutable || mode != "wal" {
        // The file cannot change any more. Who does not get in at once would wait for a writer that waits for us.
        let in_time = connections.iter().skip(1).take_while(|connection| begin(connection).is_ok()).count();
        connections.truncate(1 + in_time);
        return Ok((connections, Moment::File));
    }
    for attempt in 0..2 * TRIES {
        connections.truncate(if attempt < TRIES { connections.len() } else { 1 });
        for connection in connections.iter().filter(|connection| !connection.is_autocommit()) {
            connection.execute_batch("ROLLBACK")?;
        }
        let before = handles.moment();
        for connection in &connections {
            patiently(patience.lock_wait, || begin(connection))?;
        }
        if let Some(moment) = before.filter(|_| before == handles.moment()) {
            return Ok((connections, Moment::Log(moment)));
        }
    }
    Ok((connections, Moment::Unknown))
}

/// A transaction only sees a moment once it has read.
pub(super) fn begin(connection: &Connection) -> Result<()> {
    if connection.is_autocommit() {
        connection.execute_batch("BEGIN")?;
    }
    let read = connection.query_row("SELECT count(*) FROM main.sqlite_schema", [], |_| Ok(()));
    if read.is_err() {
        connection.execute_batch("ROLLBACK")?;
    }
    read
}

/// Tries until no other program's lock is in the way, or the time is over.
pub(super) fn patiently<T>(wait: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if failure::is_busy(&error) && start.elapsed() < wait => std::thread::sleep(NAP),
            done => return done,
        }
    }
}
