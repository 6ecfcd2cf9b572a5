//! How far the replicas of a server are behind, as the primary sees them.

use std::time::Duration;

use super::connection::Connection;
use super::failure;
use super::several_servers;
use crate::engine::EngineError;
use crate::engine::Lag;
use crate::engine::LagMeter;
use crate::engine::WaitLimits;
use crate::model::value::Value;
use crate::source::Address;

/// One row for each replica, such as ('walreceiver of 10.0.0.7', 1500, true): its name, its lag in milliseconds, and if
/// this role may see the lag. A replica that has replayed everything has no lag.
const REPLICAS: &str = "SELECT pg_catalog.concat(application_name, ' of ', coalesce(client_addr::text, 'this host')), \
     coalesce((extract(epoch FROM replay_lag) * 1000)::int8, 0), state IS NOT NULL \
     FROM pg_catalog.pg_stat_replication";

struct PrimaryLag {
    address: Address,
    limits: WaitLimits,
    connection: Connection,
}

pub(crate) fn lag_meter(address: &Address, limits: &WaitLimits) -> Result<Box<dyn LagMeter>, EngineError> {
    let open = |address: &Address| Connection::open(address, &limits.deadline);
    let (address, connection) = several_servers::first(address, limits, open)?;
    Ok(Box::new(PrimaryLag { address, limits: limits.clone(), connection }))
}

impl LagMeter for PrimaryLag {
    fn lag(&mut self) -> Result<Option<Lag>, EngineError> {
        let (mut lags, mut is_hidden) = (Vec::new(), false);
        let asked = self.connection.ask(REPLICAS, &[], &self.limits.deadline, &mut |row| {
            let integer = |column: usize| row.get(column).and_then(Value::as_integer).unwrap_or(0);
            let replica = row.first().and_then(Value::as_text).unwrap_or_default().to_owned();
            is_hidden |= integer(2) == 0;
            lags.push(Lag { behind: Duration::from_millis(u64::try_from(integer(1)).unwrap_or(0)), replica });
        });
        asked.map_err(|failure| failure::database_error(&failure, &self.address))?;
        if is_hidden {
            return Err(EngineError::Unreadable {
                what: format!("the lag of the replicas of {}", self.address),
                why: "this role may not see pg_stat_replication".to_owned(),
                help: "as a superuser, run: GRANT pg_read_all_stats TO this role; or leave --max-lag out".to_owned(),
            });
        }
        Ok(lags.into_iter().max())
    }
}
