//! SQLite: opens a file without trusting it, reads the definitions, and opens sessions on one snapshot.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::Database;
use super::EngineError;
use super::Session;
use super::Trial;
use super::TrialOptions;
use super::WaitLimits;
use super::write::Rehearsal;
use super::write::WriteOptions;
use super::write::Writer;
use crate::model::catalog::Catalog;
use crate::model::statement::Statement;
use crate::whole_file;
use pages::layout::Layouts;

mod backup;
mod clone;
mod ddl;
mod examination;
mod failure;
mod file;
mod integer_keys;
mod introspect;
mod lock_holder;
mod open;
pub mod pages;
mod planned_schema;
mod rehearsal;
mod session;
mod set_writer;
mod snapshot;
mod space;
mod stored_schema;
mod trial;
mod writer;

pub(in crate::engine) use failure::failed;
pub(in crate::engine) use session::from_sqlite;
pub(in crate::engine) use session::run;
pub(in crate::engine) use session::to_sqlite;

pub struct SqliteDatabase {
    path: PathBuf,
    access: open::Access,
    limits: WaitLimits,
    /// Reads the definitions. While this connection is open, the index of a write-ahead log is not removed.
    first: Connection,
    before: file::Stamp,
    /// The schema's version when the definitions were read.
    schema_version: Option<i64>,
    layouts: Arc<Layouts>,
    handles: Arc<snapshot::Handles>,
}

/// Returns the version of the bundled SQLite.
pub fn version() -> &'static str {
    rusqlite::version()
}

pub fn open(path: &Path, limits: &WaitLimits) -> Result<Box<dyn Database>, EngineError> {
    let before = file::examine(path)?;
    let (first, access) = open::first(path, limits)?;
    let handles = Arc::new(snapshot::Handles::open(path));
    Ok(Box::new(SqliteDatabase {
        path: path.to_owned(),
        access,
        limits: limits.clone(),
        first,
        before,
        schema_version: None,
        layouts: Arc::default(),
        handles,
    }))
}

/// Rolls back the hot journal of a writer that died.
pub fn recover(path: &Path, limits: &WaitLimits) -> Result<(), EngineError> {
    file::examine(path)?;
    writer::connect(path, limits, WriteOptions::default())?.roll_back_hot_journal()
}

impl Database for SqliteDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        // One transaction: the wait for a busy writer happens once, and all definitions are of one snapshot.
        let read = || {
            failure::retry_while_busy(self.limits.lock_wait, || snapshot::begin(&self.first))?;
            let version = session::schema_version(&self.first)?;
            let (catalog, layouts) = introspect::read(&self.first, &self.path)?;
            self.first.execute_batch("COMMIT")?;
            Ok((version, catalog, layouts))
        };
        let (version, catalog, layouts) = read().map_err(|error| failure::unreadable(&self.path, &error))?;
        self.schema_version = Some(version);
        self.layouts = Arc::new(layouts);
        Ok(catalog)
    }

    fn session(&mut self) -> Result<Box<dyn Session>, EngineError> {
        let none = || EngineError::Failed { why: "no connection was opened".to_owned() };
        self.sessions(1)?.pop().ok_or_else(none)
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        let opened = snapshot::connect(&self.path, self.access, wanted, &self.limits, &self.handles, &self.first);
        let (connections, snapshot) = opened.map_err(|error| failure::unreadable(&self.path, &error))?;
        let cache_kib = snapshot::cache_kib(connections.len());
        let session = |connection| {
            let storage = session::Storage::new(&self.handles, snapshot, self.schema_version, &self.layouts);
            Box::new(session::SqliteSession::new(connection, cache_kib, self.limits.clone(), storage))
                as Box<dyn Session>
        };
        Ok(connections.into_iter().map(session).collect())
    }

    fn identity(&mut self) -> Result<String, EngineError> {
        let whole = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        Ok(whole.to_string_lossy().into_owned())
    }

    fn rehearsal(&mut self) -> Result<Box<dyn Rehearsal>, EngineError> {
        let built =
            failure::retry_while_busy(self.limits.lock_wait, || rehearsal::build(&self.first, &self.limits.deadline));
        let rehearsal = built.map_err(|error| failure::unreadable(&self.path, &error))?;
        Ok(Box::new(rehearsal))
    }

    fn writer(&mut self, options: WriteOptions) -> Result<Box<dyn Writer>, EngineError> {
        if self.access == open::Access::Immutable {
            let why = "its directory does not allow the files that a writer needs beside it".to_owned();
            let help = "nothing was changed: give the directory write permission".to_owned();
            return Err(EngineError::Unwritable { what: self.path.display().to_string(), why, help });
        }
        // Drafts of killed runs are useless, except those of backups, which this leaves alone.
        whole_file::remove_abandoned(&self.path);
        Ok(Box::new(writer::connect(&self.path, &self.limits, options)?.with_handles(&self.handles)))
    }

    fn change_while_reading(&self) -> Option<String> {
        if self.access != open::Access::Immutable {
            return None;
        }
        let now = file::Stamp::of(&self.path).ok()?;
        (now != self.before).then(|| {
            "the file changed while it was read, and its directory does not allow the lock that would prevent it"
                .to_owned()
        })
    }

    fn planned_catalog(&mut self, statements: &[Statement]) -> Result<Catalog, EngineError> {
        planned_schema::catalog(statements)
    }

    fn trial(
        &mut self,
        options: &TrialOptions,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Box<dyn Trial>, EngineError> {
        let unreadable = |error| failure::unreadable(&self.path, &error);
        let source = open::again(&self.path, self.access).map_err(unreadable)?;
        failure::retry_while_busy(self.limits.lock_wait, || snapshot::begin(&source)).map_err(unreadable)?;
        let has_locks = self.access == open::Access::Locked;
        let trial = trial::open(source, &self.path, &self.handles, has_locks, &self.limits, options, progress)?;
        Ok(Box::new(trial))
    }
}
