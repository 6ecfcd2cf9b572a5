//! How far a replica is behind. On these servers only the replica itself knows.

use std::time::Duration;

use super::connection::Connection;
use super::failure;
use crate::engine::EngineError;
use crate::engine::Lag;
use crate::engine::LagMeter;
use crate::engine::WaitLimits;
use crate::engine::wire::Failure;
use crate::source::Address;

/// The statements of MariaDB since 10.5, MySQL since 8.0.22, and older servers. Each server refuses what it does not know.
const STATUS: [&str; 3] = ["SHOW ALL REPLICAS STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];

/// The column with the lag in seconds. It is NULL if replication is stopped.
const SECONDS: [&str; 2] = ["Seconds_Behind_Source", "Seconds_Behind_Master"];

/// The server does not know the statement.
const UNKNOWN_STATEMENT: &str = "1064";

struct ReplicaLag {
    address: Address,
    limits: WaitLimits,
    connection: Connection,
}

pub(crate) fn lag_meter(address: &Address, limits: &WaitLimits) -> Result<Box<dyn LagMeter>, EngineError> {
    let connection =
        Connection::open(address, &limits.deadline).map_err(|failure| failure::connect_error(&failure, address))?;
    Ok(Box::new(ReplicaLag { address: address.clone(), limits: limits.clone(), connection }))
}

impl LagMeter for ReplicaLag {
    fn lag(&mut self) -> Result<Option<Lag>, EngineError> {
        let seconds = self.seconds().map_err(|failure| self.unreadable(failure.why(), PRIVILEGE))?;
        if seconds.is_empty() {
            return Err(self.unreadable("this server is not a replica".to_owned(), NAME_A_REPLICA));
        }
        let Some(seconds) = seconds.into_iter().collect::<Option<Vec<i64>>>() else {
            return Err(self.unreadable("its replication is stopped".to_owned(), START));
        };
        let behind = seconds.into_iter().max().and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        Ok(Some(Lag { behind: Duration::from_secs(behind), replica: self.address.to_string() }))
    }
}

const PRIVILEGE: &str = "as an administrator of the replica, run: GRANT REPLICATION CLIENT ON *.* TO this user \
     (on MariaDB: REPLICA MONITOR)";
const NAME_A_REPLICA: &str = "name replicas with --replica, or leave --max-lag out";
const START: &str = "start it on the replica (START REPLICA), or leave this --replica out";

impl ReplicaLag {
    /// Returns the lag of each of the replica's sources.
    fn seconds(&mut self) -> Result<Vec<Option<i64>>, Failure> {
        let mut refused = None;
        for question in STATUS {
            match self.connection.numbers_named(question, &SECONDS, &self.limits.deadline) {
                Err(failure @ Failure::Refused { .. }) if is_unknown(&failure) => refused = Some(failure),
                answer => return answer,
            }
        }
        refused.map_or(Ok(Vec::new()), Err)
    }

    fn unreadable(&self, why: String, help: &str) -> EngineError {
        EngineError::Unreadable {
            what: format!("the lag of the replica {}", self.address),
            why: self.address.censored(&why),
            help: help.to_owned(),
        }
    }
}

fn is_unknown(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { code, .. } if code == UNKNOWN_STATEMENT)
}
