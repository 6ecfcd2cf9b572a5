//! The public entry point of the library: scans a database and returns its findings.

use std::time::Duration;

use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engines;
use crate::examine;
use crate::model::examination::Examination;
use crate::model::remote;
use crate::model::resolve;
use crate::scan::ScanOptions;
use crate::source;
use crate::source::Source;
use crate::source::SourceError;
use crate::source::Surroundings;

const LOCK_WAIT: Duration = Duration::from_secs(5);
const MEMORY: u64 = 256_000_000;
const SAMPLES: usize = 5;

/// The reason why a database could not be scanned.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
    because: String,
    help: Option<String>,
}

impl Error {
    /// Returns the reason.
    pub fn because(&self) -> &str {
        &self.because
    }

    /// Returns the next step, if there is one.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Error {
        Error { message: error.to_string(), because: error.because(), help: Some(error.help()) }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Error {
        Error { message: format!("could not {error}"), because: error.because(), help: error.help() }
    }
}

/// Scans a database without a configuration.
pub(crate) fn scan_database(database: &str) -> Result<Examination, Error> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    let variables = variables.collect();
    let login = whoami::username().ok();
    let surroundings =
        Surroundings { variables: &variables, login: login.as_deref(), defaults_file: None, read: &source::read_file };
    let source = Source::resolve(database, &surroundings)?.source;
    let wait_limits = WaitLimits { lock_wait: LOCK_WAIT, deadline: Deadline::default() };
    let mut database = engines::open(&source, &wait_limits)?;
    let schema = resolve::resolve(database.catalog()?, &[]).map_err(|_| unresolved())?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers =
        if remote::is_read(&schema) || database.is_small() { 1 } else { threads.min(schema.relations.len()).max(1) };
    let mut sessions = database.sessions(workers)?;
    let options = ScanOptions { samples: SAMPLES, memory: MEMORY, threads, progress: &|_| {}, is_known: None };
    let excluded = examine::excluded_tables(&schema);
    let mut examination = Examination { excluded, ..examine::examine(schema, &mut sessions, &options) };
    drop(sessions);
    if let Some(why) = database.change_while_reading() {
        examine::mark_unchecked(&mut examination, &why);
    }
    Ok(examination)
}

/// The error for faults of configured relations. It cannot occur, because there are no configured relations.
fn unresolved() -> Error {
    Error {
        message: "could not resolve the definitions".to_owned(),
        because: "a relation is faulty".to_owned(),
        help: None,
    }
}
