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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::engine::Lag;

    /// A replica that catches up by a second with each measurement.
    struct CatchingUp {
        behind: Rc<Cell<u64>>,
    }

    impl LagMeter for CatchingUp {
        fn lag(&mut self) -> Result<Option<Lag>, EngineError> {
            let behind = self.behind.get();
            self.behind.set(behind.saturating_sub(1));
            Ok(Some(Lag { behind: Duration::from_secs(behind), replica: "db2".to_owned() }))
        }
    }

    fn interval(pause: Duration, behind: u64) -> (BatchInterval, Rc<Cell<u64>>) {
        let behind = Rc::new(Cell::new(behind));
        let meter: Box<dyn LagMeter> = Box::new(CatchingUp { behind: Rc::clone(&behind) });
        (BatchInterval { pause, max_lag: Duration::from_secs(5), meters: RefCell::new(vec![meter]) }, behind)
    }

    #[test]
    fn next_batch_waits_until_the_replica_is_close_enough() {
        let (interval, behind) = interval(Duration::ZERO, 7);
        let texts = RefCell::new(Vec::new());
        interval.wait(&|| false, &|text| texts.borrow_mut().push(text.to_owned())).unwrap();
        assert_eq!(texts.into_inner(), ["waiting for db2, 7 s behind", "waiting for db2, 6 s behind"]);
        assert_eq!(behind.get(), 4);
    }

    #[test]
    fn request_to_stop_ends_the_wait() {
        let (interval, behind) = interval(Duration::from_secs(60), 1_000);
        let start = Instant::now();
        interval.wait(&|| true, &|text| panic!("{text}")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(behind.get(), 999);
    }

    #[test]
    fn pause_lasts_as_long_as_it_says() {
        let (interval, _) = interval(Duration::from_millis(250), 0);
        let start = Instant::now();
        interval.wait(&|| false, &|text| panic!("{text}")).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(250));
    }
}
