//! Why a table, or a piece of it, could not be read.

use super::lake::DataFile;
use crate::engine::EngineError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The reason, which names the file.
    Unreadable(String),
    TimeLimit,
}

impl Fault {
    pub(super) fn of(file: &DataFile, why: impl std::fmt::Display) -> Fault {
        Fault::Unreadable(format!("{}: {why}", file.name))
    }
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> EngineError {
        match fault {
            Fault::TimeLimit => EngineError::TimeLimit,
            Fault::Unreadable(why) => EngineError::Failed { why },
        }
    }
}

/// Runs code that may panic on a damaged file. A panic becomes a reason.
pub(super) fn caught<T>(file: &DataFile, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // Nothing that the closure leaves behind is used after a panic.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    outcome.unwrap_or_else(|_| Err(Fault::of(file, "the file is damaged: its reader failed")))
}
