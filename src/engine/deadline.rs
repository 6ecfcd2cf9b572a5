//! The time limits of a run.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// The time limits of a run.
#[derive(Debug, Clone)]
pub struct WaitLimits {
    /// The longest wait for a lock of another program.
    pub lock_wait: Duration,
    pub deadline: Deadline,
}

/// The time at which a run must end. Sessions check it while they work.
#[derive(Debug, Clone, Default)]
pub struct Deadline {
    at: Option<Instant>,
    passed: Arc<AtomicBool>,
}

impl Deadline {
    pub fn after(limit: Option<Duration>) -> Deadline {
        Deadline { at: limit.and_then(|limit| Instant::now().checked_add(limit)), passed: Arc::default() }
    }

    /// Returns the remaining time; `None` if there is no limit.
    pub fn remaining(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub fn has_passed(&self) -> bool {
        let Some(at) = self.at else { return false };
        if !self.passed.load(Ordering::Relaxed) && Instant::now() >= at {
            self.passed.store(true, Ordering::Relaxed);
        }
        self.passed.load(Ordering::Relaxed)
    }
}
