//! Connects to the first server of an address that answers and is the wanted one, in the way of libpq.

use super::READ_ONLY;
use super::connection::Connection;
use super::failure;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::wire::Failure;
use crate::model::value::Value;
use crate::source::Address;
use crate::source::WantedServer;

/// The server has just started, or is stopping.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// Returns a connection, and the address of its server.
pub(super) fn first(
    address: &Address,
    limits: &WaitLimits,
    open: impl Fn(&Address) -> Result<Connection, Failure>,
) -> Result<(Address, Connection), EngineError> {
    if address.others.is_empty() && address.wanted == WantedServer::Any {
        let opened = open(address).map_err(|failure| failure::connect_error(&failure, address))?;
        return Ok((address.clone(), opened));
    }
    let (mut second_choice, mut refused) = (None, Vec::new());
    for server in std::iter::once(address).chain(&address.others).cloned() {
        let opened = open(&server).and_then(|mut connection| {
            let state = State::of(&mut connection, limits)?;
            Ok((connection, state))
        });
        match opened {
            Ok((connection, state)) => match state.refusal(address.wanted) {
                None => return Ok((server, connection)),
                Some(_) if is_preference(address.wanted) => {
                    second_choice = second_choice.or(Some((server, connection)))
                }
                Some(why) => {
                    let wanted = address.wanted.name();
                    refused.push((server, format!("{why}, and target_session_attrs is {wanted}")));
                }
            },
            Err(failure) if tries_next(&failure) => refused.push((server, failure.why())),
            Err(failure) => return Err(failure::connect_error(&failure, &server)),
        }
    }
    second_choice.ok_or_else(|| no_server(&refused))
}

/// True if another server may answer. A refused login is an error, because the next server would refuse it too.
fn tries_next(failure: &Failure) -> bool {
    match failure {
        Failure::NotConnected(_) | Failure::Unreachable { .. } => true,
        Failure::Refused { code, .. } => code == CANNOT_CONNECT_NOW,
        Failure::TimeLimit => false,
    }
}

fn is_preference(wanted: WantedServer) -> bool {
    matches!(wanted, WantedServer::PreferPrimary | WantedServer::PreferStandby)
}

fn no_server(refused: &[(Address, String)]) -> EngineError {
    let each = refused.iter().map(|(server, why)| {
        let why = server.censored(why);
        if refused.len() == 1 { why } else { format!("{}: {why}", failure::server_name(server)) }
    });
    let why = each.collect::<Vec<_>>().join("; ");
    let (server, help) = match refused {
        [] => return EngineError::Failed { why: "the address names no server".to_owned() },
        [(server, _)] => (failure::server_name(server), failure::readiness_command(server)),
        [(server, _), ..] => {
            (format!("any of the {} servers in the address", refused.len()), failure::readiness_command(server))
        }
    };
    EngineError::Unconnected { server, why, help }
}

/// The part of a server's state by which one is chosen.
struct State {
    is_standby: bool,
    is_read_only: bool,
}

impl State {
    fn of(connection: &mut Connection, limits: &WaitLimits) -> Result<State, Failure> {
        let mut state = State { is_standby: false, is_read_only: false };
        connection.ask(READ_ONLY, &[], &limits.deadline, &mut |row| {
            let is_on = |column: usize| row.get(column).and_then(Value::as_integer) == Some(1);
            state = State { is_standby: is_on(0), is_read_only: is_on(0) || is_on(1) };
        })?;
        Ok(state)
    }

    /// Returns why the server is not the wanted one.
    fn refusal(&self, wanted: WantedServer) -> Option<&'static str> {
        match wanted {
            WantedServer::Any => None,
            WantedServer::Primary | WantedServer::PreferPrimary => self.is_standby.then_some("it is a standby"),
            WantedServer::Standby | WantedServer::PreferStandby => (!self.is_standby).then_some("it is a primary"),
            WantedServer::ReadWrite if self.is_standby => Some("it is a standby"),
            WantedServer::ReadWrite => self.is_read_only.then_some("its transactions are read-only"),
            WantedServer::ReadOnly => (!self.is_read_only).then_some("its transactions can write"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_chosen_by_its_state() {
        let of = |is_standby: bool, is_read_only: bool, wanted: WantedServer| {
            State { is_standby, is_read_only: is_standby || is_read_only }.refusal(wanted)
        };
        for (wanted, primary, read_only_primary, standby) in [
            (WantedServer::Any, true, true, true),
            (WantedServer::Primary, true, true, false),
            (WantedServer::PreferPrimary, true, true, false),
            (WantedServer::Standby, false, false, true),
            (WantedServer::PreferStandby, false, false, true),
            (WantedServer::ReadWrite, true, false, false),
            (WantedServer::ReadOnly, false, true, true),
        ] {
            let fits =
                [of(false, false, wanted), of(false, true, wanted), of(true, false, wanted)].map(|why| why.is_none());
            assert_eq!(fits, [primary, read_only_primary, standby], "{wanted:?}");
        }
    }
}
