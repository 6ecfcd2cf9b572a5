//! The early end of a step of a plan.

use super::TreatError;
use crate::engine::EngineError;

/// A step that ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The step is not possible. Its key or row stays undecided for this reason.
    Undecided(String),
    /// The plan cannot be made.
    Failed(TreatError),
}

impl Stop {
    pub(super) fn undecided<T>(why: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Undecided(why.into()))
    }

    /// Returns the reason why the key or the row stays undecided.
    pub(super) fn why(self) -> Result<String, TreatError> {
        match self {
            Stop::Undecided(why) => Ok(why),
            Stop::Failed(error) => Err(error),
        }
    }
}

impl From<TreatError> for Stop {
    fn from(error: TreatError) -> Stop {
        Stop::Failed(error)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Stop {
        Stop::Failed(error.into())
    }
}
