//! The trial in the database file itself: one transaction that is never committed, for files that are too large to copy.
//!
//! SQLite writes nothing to the file, because changed pages stay in memory: they are not spilled, and the rollback
//! journal is in memory. A second connection holds a read transaction meanwhile. With a rollback journal, its lock
//! prevents every write to the file. With a write-ahead log, only a commit writes to the log, and a hook refuses each
//! commit. Other programs can read, and wait to write.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::MAIN_DB;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use super::Origin;
use super::SqliteTrial;
use super::confinement;
use super::confinement::Watch;
use super::transactions::Transaction;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::sqlite::failure;
use crate::engine::sqlite::lock_holder;
use crate::engine::sqlite::open;
use crate::engine::sqlite::snapshot;
use crate::engine::sqlite::snapshot::Handles;
use crate::engine::sqlite::space;
use crate::engine::trial::TrialOptions;
use crate::model::statement::Statement;
use crate::model::text::bytes;
use crate::sql::Sql;

/// Virtual machine instructions between two checks of the clock and the memory.
const INSTRUCTIONS: i32 = 1_000;
/// Delay between two attempts to begin while another program writes.
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// Tables that show if SQLite counts violations of deferred foreign keys. SQLite deletes the rows of a table before it
/// drops it, but for a table with a deferred foreign key only if this count is not zero.
const CREATE_PROBE: &str = "CREATE TEMP TABLE \"fk_doctor$probe\"(r INT REFERENCES \"fk_doctor$probe_parent\" \
     DEFERRABLE INITIALLY DEFERRED); INSERT INTO temp.\"fk_doctor$probe\" VALUES (NULL)";
const CREATE_PROBE_PARENT: &str = "CREATE TEMP TABLE \"fk_doctor$probe_parent\"(id INTEGER PRIMARY KEY)";
const DROP_PROBE: &str = "DROP TABLE temp.\"fk_doctor$probe\"";

/// The parts of a trial that exist only in the database itself.
pub(super) struct InPlace {
    /// Holds a read transaction, and closes after the connection that writes.
    snapshot: Connection,
    began: Instant,
    memory: Arc<MemoryLimit>,
    /// A number that changes when another program commits.
    version: i64,
    options: TrialOptions,
    /// The open transaction of the user's statements.
    pub(super) transaction: Option<Transaction>,
    /// The steps since the beginning that were not taken back. They are repeated after a trigger's ROLLBACK.
    pub(super) steps: Vec<Step>,
    /// True if a statement of the user has set PRAGMA defer_foreign_keys.
    pub(super) has_set_deferral: bool,
    /// Closing a file handle drops the locks, so the handles are closed last.
    _handles: Arc<Handles>,
}

/// A change of the trial.
#[derive(Clone)]
pub(super) enum Step {
    Prepared(Vec<Sql>),
    Executed(Statement),
}

/// The result of opening the database itself.
pub(super) enum Opening {
    Open(Box<SqliteTrial>),
    /// The file cannot be written, for this reason. The snapshot is still open.
    NotWritable(String, Connection),
}

/// Begins a trial in the database itself. `snapshot` is inside a read transaction.
pub(super) fn begin_trial(
    snapshot: Connection,
    path: &Path,
    handles: &Arc<Handles>,
    limits: &WaitLimits,
    options: &TrialOptions,
) -> Result<Opening, EngineError> {
    let unreadable = |error: rusqlite::Error| failure::unreadable(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = match Connection::open_with_flags(open::plain(path), flags) {
        Ok(connection) if connection.is_readonly(MAIN_DB).map_err(unreadable)? => {
            return Ok(Opening::NotWritable(not_writable(path), snapshot));
        }
        Ok(connection) => connection,
        Err(error) if failure::is_not_permitted(&error) => {
            return Ok(Opening::NotWritable(not_writable(path), snapshot));
        }
        Err(error) => return Err(unreadable(error)),
    };
    let watch = Arc::new(Mutex::new(Watch::default()));
    let memory = Arc::new(MemoryLimit::new(options.memory));
    let prepared = prepare(&mut connection, &watch, limits, &memory);
    prepared.map_err(unreadable)?;
    if let Err(error) = begin_in_time(&connection, &snapshot, limits) {
        return match error {
            error if failure::is_not_permitted(&error) => {
                drop(connection);
                Ok(Opening::NotWritable(not_writable(path), snapshot))
            }
            error if failure::is_busy(&error) => Err(busy(path, options)),
            error => Err(unreadable(error)),
        };
    }
    let version = data_version(&connection).map_err(unreadable)?;
    let most_pages = space::bytes(&connection).saturating_add(options.memory) / space::page_size(&connection).max(1);
    let grow = format!("PRAGMA main.max_page_count = {most_pages}");
    connection.query_row(&grow, [], |_| Ok(())).map_err(unreadable)?;
    let in_place = InPlace {
        snapshot,
        began: Instant::now(),
        memory,
        version,
        options: options.clone(),
        transaction: None,
        steps: Vec::new(),
        has_set_deferral: false,
        _handles: Arc::clone(handles),
    };
    let origin = Origin::InPlace(Box::new(in_place));
    let trial = SqliteTrial { connection, name: path.to_owned(), limits: limits.clone(), watch, origin };
    Ok(Opening::Open(Box::new(trial)))
}

fn not_writable(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

fn busy(path: &Path, options: &TrialOptions) -> EngineError {
    EngineError::Untried {
        what: format!("{} in {}", options.subject, path.display()),
        why: lock_holder::with_holder("another program is writing to it", path),
        help: format!("wait longer with --wait 60s, or use a copy of the database: {}", options.copy_command),
    }
}

/// Configures the connection. Nothing here writes to the database.
fn prepare(
    connection: &mut Connection,
    watch: &Arc<Mutex<Watch>>,
    limits: &WaitLimits,
    memory: &Arc<MemoryLimit>,
) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    // The last connection to a write-ahead log would otherwise move its content into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY")?;
    confinement::confine(connection, watch)?;
    confinement::held(watch).is_inside_transaction = true;
    connection.execute_batch(CREATE_PROBE_PARENT)?;
    connection.execute_batch(CREATE_PROBE)?;
    // A hook that returns true turns a commit into a rollback.
    connection.commit_hook(Some(|| true))?;
    let (deadline, memory) = (limits.deadline.clone(), Arc::clone(memory));
    connection.progress_handler(INSTRUCTIONS, Some(move || deadline.has_passed() || memory.is_exceeded()))
}

/// Waits for the write lock. The snapshot ends while it waits, because the other program may wait for its lock.
fn begin_in_time(connection: &Connection, snapshot: &Connection, limits: &WaitLimits) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match begin(connection) {
            Err(error) if failure::is_busy(&error) => {
                snapshot.execute_batch("ROLLBACK")?;
                if start.elapsed() >= limits.lock_wait {
                    return Err(error);
                }
                std::thread::sleep(RETRY_DELAY);
                failure::retry_while_busy(limits.lock_wait, || snapshot::begin(snapshot))?;
            }
            done => return done,
        }
    }
}

/// Begins the transaction. A rollback journal in memory leaves no file beside the database. In WAL mode the journal mode
/// stays, because changing it would write to the database.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let mode = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0));
    if mode("PRAGMA main.journal_mode")? != "wal" {
        mode("PRAGMA main.journal_mode = MEMORY")?;
    }
    connection.execute_batch("PRAGMA main.cache_spill = OFF; BEGIN IMMEDIATE")?;
    let (mode, spills) = (
        mode("PRAGMA main.journal_mode")?,
        connection.query_row("PRAGMA main.cache_spill", [], |row| row.get::<_, i64>(0))?,
    );
    if matches!(mode.as_str(), "wal" | "memory") && spills == 0 {
        return Ok(());
    }
    connection.execute_batch("ROLLBACK")?;
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
        Some(format!("the journal of a trial cannot be kept in memory (it is {mode})")),
    ))
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA main.data_version", [], |row| row.get(0))
}

impl InPlace {
    pub(super) fn locked(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns an error if an interrupted statement needed too much memory.
    pub(super) fn refuse_if_too_large(&self, path: &Path) -> Result<(), EngineError> {
        if self.memory.was_exceeded() { Err(self.too_large(path)) } else { Ok(()) }
    }

    pub(super) fn too_large(&self, path: &Path) -> EngineError {
        EngineError::Untried {
            what: format!("{} in {}", self.options.subject, path.display()),
            why: format!(
                "their changes stay in memory until they are taken back, and need more than {}",
                bytes(self.options.memory)
            ),
            help: format!("use a copy of the database: {}", self.options.copy_command),
        }
    }

    /// Begins again after a statement has ended the transaction.
    pub(super) fn begin_again(
        &self,
        connection: &Connection,
        path: &Path,
        limits: &WaitLimits,
    ) -> Result<(), EngineError> {
        let begun = begin_in_time(connection, &self.snapshot, limits);
        begun.map_err(|error| match error {
            error if failure::is_busy(&error) => busy(path, &self.options),
            error => failure::failed(&error),
        })?;
        let version = data_version(connection).map_err(|error| failure::failed(&error))?;
        if version == self.version {
            return Ok(());
        }
        Err(EngineError::Untried {
            what: format!("{} in {}", self.options.subject, path.display()),
            why: "a statement ended the transaction, and another program wrote to the database before it began again"
                .to_owned(),
            help: format!("use a copy of the database: {}", self.options.copy_command),
        })
    }
}

/// True if a violation of a deferred foreign key is open, because of which COMMIT would fail. The count is SQLite's own.
pub(super) fn violates_deferred_key(connection: &Connection) -> rusqlite::Result<bool> {
    let before = connection.total_changes();
    connection.execute_batch(DROP_PROBE)?;
    let violates = connection.total_changes() != before;
    connection.execute_batch(CREATE_PROBE)?;
    Ok(violates)
}

/// Bounds the memory of the whole program. SQLite cannot bound the pages that it must not write to the file.
struct MemoryLimit {
    most: u64,
    was_exceeded: AtomicBool,
}

impl MemoryLimit {
    fn new(allowed: u64) -> MemoryLimit {
        MemoryLimit { most: used().unwrap_or(0).saturating_add(allowed), was_exceeded: AtomicBool::new(false) }
    }

    /// False if the system does not report the memory.
    fn is_exceeded(&self) -> bool {
        if used().is_some_and(|used| used > self.most) {
            self.was_exceeded.store(true, Ordering::Relaxed);
        }
        self.was_exceeded()
    }

    fn was_exceeded(&self) -> bool {
        self.was_exceeded.load(Ordering::Relaxed)
    }
}

fn used() -> Option<u64> {
    memory_stats::memory_stats().and_then(|memory| u64::try_from(memory.physical_mem).ok())
}
