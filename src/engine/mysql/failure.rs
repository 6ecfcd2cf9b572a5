//! Converts the errors of a MySQL or MariaDB server into messages with a next step.

use super::connection;
use crate::engine::EngineError;
use crate::engine::wire::Failure;
use crate::engine::wire::connect_failure::ConnectFailure;
use crate::engine::wire::without_values;
use crate::engine::wire::writing::ServerErrorKind;
use crate::model::catalog::Engine;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::text::shell;
use crate::source::Address;

/// The statement ran into the time limit that this program had set: MariaDB, MySQL.
const TIMED_OUT: [&str; 2] = ["1969", "3024"];
/// Invalid value, truncated value, out of range, invalid JSON.
const ABOUT_VALUES: [&str; 7] = ["1264", "1265", "1292", "1366", "1411", "1690", "3140"];
const LOCK_WAIT_TIMEOUT: &str = "1205";
/// Deadlock, or a row changed since it was read.
const CONFLICT: [&str; 2] = ["1213", "1020"];
const DUPLICATE_KEY: &str = "1062";
/// MariaDB, MySQL.
const CHECK_FAILED: [&str; 2] = ["4025", "3819"];
/// NULL, no value without a DEFAULT, too long, not a number, not a geometry. These messages contain no values of the
/// row.
const ABOUT_A_ROW: [&str; 5] = ["1048", "1364", "1406", "1367", "1416"];
const NOT_IN_DATABASE: &str = "1044";
const DENIED: [&str; 5] = [NOT_IN_DATABASE, "1142", "1143", "1227", "1370"];

pub(super) fn kind(code: &str) -> ServerErrorKind {
    let about_a_row = [&ABOUT_VALUES[..], &ABOUT_A_ROW, &CHECK_FAILED, &[DUPLICATE_KEY]].concat();
    match code {
        LOCK_WAIT_TIMEOUT => ServerErrorKind::Lock,
        code if CONFLICT.contains(&code) => ServerErrorKind::Conflict,
        code if DENIED.contains(&code) => ServerErrorKind::Privilege,
        code if about_a_row.contains(&code) => ServerErrorKind::Row,
        _ => ServerErrorKind::Other,
    }
}

/// Returns the refusal without the row's values and without the name of the scratch table, which the server's message
/// contains.
pub(super) fn row_refusal(code: &str, message: &str) -> Refusal {
    // MariaDB uses other quotes.
    let named = || message.rsplit('\'').nth(1).or_else(|| message.split('`').nth(1)).unwrap_or_default();
    let words = match code {
        DUPLICATE_KEY => format!("UNIQUE constraint failed: another row has the same key {}", of_its_table(named())),
        code if CHECK_FAILED.contains(&code) => format!("CHECK constraint failed: {}", of_its_table(named())),
        code if ABOUT_VALUES.contains(&code) => without_values(message),
        _ => message.to_owned(),
    };
    Refusal::new(refusal_kind(code), words)
}

/// Returns `PRIMARY` of `fk-doctor room 0123456789abcdef.PRIMARY`, the form of MySQL.
fn of_its_table(name: &str) -> &str {
    let inner = name.strip_prefix("fk-doctor room ").and_then(|rest| rest.get(17..));
    inner.unwrap_or(name)
}

/// Returns why the server refuses a statement. An error if the statement is not to blame.
pub(super) fn refusal(failure: Failure, address: &Address) -> Result<Refusal, EngineError> {
    let Failure::Refused { code, message, .. } = &failure else { return Err(query_error(failure, address)) };
    let kind = match code.as_str() {
        code if CONFLICT.contains(&code) => {
            let why = format!("{message}: other sessions changed the same rows at the same time; try again");
            return Err(EngineError::Failed { why });
        }
        code if code == LOCK_WAIT_TIMEOUT || TIMED_OUT.contains(&code) => return Err(query_error(failure, address)),
        _ => refusal_kind(code),
    };
    // Column 'a' cannot be null; Field 'a' doesn't have a default value
    let named = (kind == RefusalKind::NotNull).then(|| message.split('\'').nth(1)).flatten();
    let columns = named.map(str::to_owned).into_iter().collect();
    let key = (kind == RefusalKind::Unique).then(|| key_of(message)).flatten();
    Ok(Refusal { columns, key, ..Refusal::new(kind, message) })
}

/// Returns the name of the key in `Duplicate entry '1' for key 'table.key'`.
fn key_of(message: &str) -> Option<String> {
    let (_, key) = message.rsplit_once("for key '")?;
    let key = key.trim_end_matches('\'');
    Some(key.rsplit_once('.').map_or(key, |(_, key)| key).to_owned())
}

/// Returns the kind of refusal that an error code stands for.
fn refusal_kind(code: &str) -> RefusalKind {
    match code {
        "1216" | "1217" | "1451" | "1452" => RefusalKind::ForeignKey,
        "1048" | "1364" => RefusalKind::NotNull,
        "1062" | "1586" => RefusalKind::Unique,
        "4025" | "3819" => RefusalKind::Check,
        "1406" | "1265" => RefusalKind::Value,
        code if ABOUT_VALUES.contains(&code) => RefusalKind::Value,
        "1644" => RefusalKind::Raised,
        "1136" | "1064" | "1054" | "1146" | "1109" | "1305" | "1049" => RefusalKind::Invalid,
        "1210" | "1835" => RefusalKind::Parameters,
        _ => RefusalKind::Other,
    }
}

/// Converts the failure of a single query. Other queries may still succeed.
pub(super) fn query_error(failure: Failure, address: &Address) -> EngineError {
    let why = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::Refused { code, .. } if TIMED_OUT.contains(&code.as_str()) => return EngineError::TimeLimit,
        Failure::Refused { code, .. } if code == LOCK_WAIT_TIMEOUT => {
            "another session holds a lock, wait longer with --wait".to_owned()
        }
        Failure::Refused { code, message, .. } if ABOUT_VALUES.contains(&code.as_str()) => without_values(&message),
        // The only operation on the database as a whole is creating temporary tables.
        Failure::Refused { code, message, .. } if code == NOT_IN_DATABASE => {
            format!("{message}: it takes the privilege CREATE TEMPORARY TABLES")
        }
        Failure::Refused { message, .. } => message,
        Failure::NotConnected(failure) => failure.because(),
        Failure::Unreachable { why } => format!("the connection was lost: {why}"),
    };
    EngineError::Failed { why: address.censored(&why) }
}

/// Converts a failure because of which the whole database cannot be read.
pub(super) fn database_error(failure: &Failure, address: &Address) -> EngineError {
    let help = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::NotConnected(_) => return connect_error(failure, address),
        _ => format!("check that this user may read: {}", ServerCommands::of(address).client),
    };
    EngineError::Unreadable { what: address.to_string(), why: address.censored(&failure.why()), help }
}

/// Converts a failure because of which there is no connection.
pub(super) fn connect_error(failure: &Failure, address: &Address) -> EngineError {
    let server = ServerCommands::of(address);
    let mut why = failure.why();
    let help = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::Refused { code, .. } => match code.as_str() {
            "1045" | "1698" => {
                if address.password().is_none() {
                    why.push_str("; no password was given in the URL, in MYSQL_PWD or in ~/.my.cnf");
                }
                format!("give the password in MYSQL_PWD or in ~/.my.cnf, and try it: {}", server.client)
            }
            "1044" | "1049" => format!("{} -e 'SHOW DATABASES'", server.client_without_database),
            "1040" | "1203" | "1226" => {
                "the server has no free connection: try again later, or with --jobs 1".to_owned()
            }
            _ => format!("check that this user may connect: {}", server.client),
        },
        Failure::NotConnected(ConnectFailure::OtherName) => {
            "name the host as in the certificate, or check only the authority with ?ssl-mode=VERIFY_CA".to_owned()
        }
        Failure::NotConnected(ConnectFailure::Untrusted(_)) => {
            "name the certificate authority with ?ssl-ca=FILE, or accept any server with ?ssl-mode=REQUIRED".to_owned()
        }
        Failure::NotConnected(ConnectFailure::NoTls) => "allow it with ?ssl-mode=PREFERRED".to_owned(),
        Failure::NotConnected(ConnectFailure::UnknownHost(_)) => "correct the host in the address".to_owned(),
        Failure::NotConnected(_) | Failure::Unreachable { .. } => server.ping,
    };
    EngineError::Unconnected { server: server.name, why: address.censored(&why), help }
}

/// A server for messages, and commands that try to reach it.
struct ServerCommands {
    name: String,
    ping: String,
    client: String,
    client_without_database: String,
}

impl ServerCommands {
    fn of(address: &Address) -> ServerCommands {
        let options = connection::options(address);
        let (host, port, user) = (options.get_host(), options.get_port(), options.get_username());
        let (server, at) = match options.get_socket() {
            Some(socket) => {
                let socket = socket.display().to_string();
                let at = format!("-S {}", shell(&socket));
                (socket, at)
            }
            None if host.contains(':') => (format!("[{host}]:{port}"), format!("-h {host} -P {port}")),
            None => (format!("{host}:{port}"), format!("-h {} -P {port}", shell(host))),
        };
        let database = options.get_database().unwrap_or_default();
        let title = address.engine.title();
        let (client, admin) = match address.engine {
            Engine::Mariadb => ("mariadb", "mariadb-admin"),
            _ => ("mysql", "mysqladmin"),
        };
        let client_without_database = format!("{client} {at} -u {} -p", shell(user));
        ServerCommands {
            name: format!("{server} ({title}, database {database}, user {user})"),
            ping: format!("{admin} {at} ping"),
            client: format!("{client_without_database} {}", shell(database)),
            client_without_database,
        }
    }
}

/// Returns the error for a server that answers but cannot be scanned.
pub(super) fn unsuitable(address: &Address, why: String, help: &str) -> EngineError {
    EngineError::Unreadable { what: address.to_string(), why, help: help.to_owned() }
}
