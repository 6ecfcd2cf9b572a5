//! The time between two batches: a pause for other programs, and a wait for replicas.

use std::cell::RefCell;
use std::time::Duration;
use std::time::Instant;

use super::Environment;
use super::RunError;
use super::database;
use crate::apply::ApplyError;
use crate::apply::Direction;
use crate::cli::GlobalArgs;
use crate::cli::repair::WriteArgs;
use crate::engine::EngineError;
use crate::engine::LagMeter;
use crate::engine::WaitLimits;
use crate::engines;
use crate::model::facts::ReplicaLag;
use crate::source::Source;

/// Delay between two measurements of a replica that is behind.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Waits between two batches.
pub(super) struct BatchInterval {
    pause: Duration,
    max_lag: Duration,
    meters: RefCell<Vec<Box<dyn LagMeter>>>,
}

impl BatchInterval {
    /// Opens the connections that measure replicas, and measures each once, so that a replica that cannot be asked is
    /// an error before anything changes.
    pub(super) fn open(
        direction: Direction,
        writing: &WriteArgs,
        source: &Source,
        limits: &WaitLimits,
        (global, environment): (&GlobalArgs, &Environment),
    ) -> Result<BatchInterval, RunError> {
        let pause = writing.pause.unwrap_or_default();
        let Some(max_lag) = writing.max_lag else {
            return Ok(BatchInterval { pause, max_lag: Duration::MAX, meters: RefCell::default() });
        };
        let refused = |why: &str, help: &str| ApplyError::refused(direction, why.to_owned(), help);
        let title = source.engine().title();
        let mut meters = Vec::new();
        match source.engine().facts().replica_lag {
            ReplicaLag::Nowhere => {
                let why = format!("--max-lag waits for replicas, and {title} has none");
                return Err(refused(&why, "nothing was changed: leave --max-lag out").into());
            }
            ReplicaLag::OnPrimary if !writing.replica.is_empty() => {
                let why = format!("{title} itself knows its replicas, so --replica is not needed");
                return Err(refused(&why, "nothing was changed: leave --replica out").into());
            }
            ReplicaLag::OnPrimary => meters.push(engines::lag_meter(source, limits).map_err(RunError::Engine)?),
            ReplicaLag::OnReplica if writing.replica.is_empty() => {
                let why = format!("{title} does not know how far its replicas are behind");
                let help = "nothing was changed: name each replica that matters with --replica URL";
                return Err(refused(&why, help).into());
            }
            ReplicaLag::OnReplica => {
                for replica in &writing.replica {
                    let replica = database::source(Some(replica), global, environment)?;
                    meters.push(engines::lag_meter(&replica, limits).map_err(RunError::Engine)?);
                }
            }
        }
        for meter in &mut meters {
            meter.lag().map_err(RunError::Engine)?;
        }
        Ok(BatchInterval { pause, max_lag, meters: RefCell::new(meters) })
    }

    /// Waits out the pause, and until no replica is further behind than allowed, or until the run is asked to stop.
    /// `waiting` gets a text about the replica that is waited for.
    pub(super) fn wait(&self, is_stopped: &dyn Fn() -> bool, waiting: &dyn Fn(&str)) -> Result<(), EngineError> {
        let begun = Instant::now();
        while let Some(rest) = self.pause.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero() && !is_stopped()) {
            std::thread::sleep(rest.min(RETRY_DELAY));
        }
        for meter in self.meters.borrow_mut().iter_mut() {
            while let Some(lag) = meter.lag()?.filter(|lag| lag.behind > self.max_lag) {
                if is_stopped() {
                    return Ok(());
                }
                waiting(&format!("waiting for {}, {} s behind", lag.replica, lag.behind.as_secs()));
                std::thread::sleep(RETRY_DELAY);
            }
        }
        Ok(())
    }
}
