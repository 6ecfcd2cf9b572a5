//! Converts the errors of a PostgreSQL server into messages with a next step.

use super::connection;
use crate::engine::EngineError;
use crate::engine::wire::Failure;
use crate::engine::wire::connect_failure::ConnectFailure;
use crate::engine::wire::without_values;
use crate::engine::wire::writing::ServerErrorKind;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::text::shell;
use crate::source::Address;

/// The statement ran into the time limit that this program had set.
const QUERY_CANCELED: &str = "57014";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const INSUFFICIENT_PRIVILEGE: &str = "42501";
pub(super) const UNIQUE_VIOLATION: &str = "23505";
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK_DETECTED: &str = "40P01";
const CANNOT_COERCE: &str = "42846";

pub(super) fn kind(code: &str) -> ServerErrorKind {
    match code {
        SERIALIZATION_FAILURE | DEADLOCK_DETECTED => ServerErrorKind::Conflict,
        LOCK_NOT_AVAILABLE => ServerErrorKind::Lock,
        INSUFFICIENT_PRIVILEGE => ServerErrorKind::Privilege,
        CANNOT_COERCE => ServerErrorKind::Row,
        code if ["22", "23", "44"].iter().any(|class| code.starts_with(class)) => ServerErrorKind::Row,
        _ => ServerErrorKind::Other,
    }
}

/// Class 08 and 57P: an administrator ended the connection, or the server shuts down.
pub(super) fn ends_connection(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P")
}

/// Returns why the server refuses a statement. An error if the statement is not to blame.
pub(super) fn refusal(failure: Failure, address: &Address) -> Result<Refusal, EngineError> {
    let Failure::Refused { code, message, about } = failure else { return Err(query_error(failure, address)) };
    if kind(&code) == ServerErrorKind::Conflict {
        let why = format!("{message}: other sessions changed the same rows at the same time; try again");
        return Err(EngineError::Failed { why });
    }
    if [QUERY_CANCELED, LOCK_NOT_AVAILABLE].contains(&code.as_str()) || ends_connection(&code) {
        return Err(query_error(Failure::Refused { code, message, about }, address));
    }
    let kind = refusal_kind(&code);
    // Key (a, b)=(1, 2) already exists.
    let listed = about.detail.as_deref().and_then(|detail| detail.strip_prefix("Key (")?.split_once(")=("));
    let listed =
        listed.map(|(columns, _)| columns.split(", ").map(|column| column.trim_matches('"').to_owned()).collect());
    let columns = match kind {
        RefusalKind::Unique => listed.unwrap_or_default(),
        _ => about.column.into_iter().collect(),
    };
    Ok(Refusal { table: about.table, columns, detail: about.detail, ..Refusal::new(kind, message) })
}

/// Returns the kind of refusal that an error code stands for.
pub(super) fn refusal_kind(code: &str) -> RefusalKind {
    match code {
        "23503" | "23001" => RefusalKind::ForeignKey,
        "23502" => RefusalKind::NotNull,
        UNIQUE_VIOLATION | "23P01" => RefusalKind::Unique,
        "23514" | "44000" => RefusalKind::Check,
        "P0001" => RefusalKind::Raised,
        "54001" => RefusalKind::TooDeep,
        "08P01" => RefusalKind::Parameters,
        "42804" | CANNOT_COERCE => RefusalKind::Value,
        code if code.starts_with("22") => RefusalKind::Value,
        code if code.starts_with("42") && code != INSUFFICIENT_PRIVILEGE => RefusalKind::Invalid,
        _ => RefusalKind::Other,
    }
}

/// Converts the failure of a single query. Other queries may still succeed.
pub(super) fn query_error(failure: Failure, address: &Address) -> EngineError {
    let why = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::Refused { code, .. } if code == QUERY_CANCELED => return EngineError::TimeLimit,
        Failure::Refused { code, message, .. } if code == LOCK_NOT_AVAILABLE => {
            format!("{message}: another session holds a lock, wait longer with --wait")
        }
        Failure::Refused { code, message, .. } if ends_connection(&code) => {
            format!("the connection was lost: {message}")
        }
        // Class 22 is about values.
        Failure::Refused { code, message, .. } if code.starts_with("22") => without_values(&message),
        Failure::Refused { message, .. } => message,
        Failure::NotConnected(failure) => failure.because(),
        Failure::Unreachable { why } => format!("the connection was lost: {why}"),
    };
    EngineError::Failed { why: address.censored(&why) }
}

/// Converts a failure because of which the whole database cannot be read.
pub(super) fn database_error(failure: &Failure, address: &Address) -> EngineError {
    let server = ServerCommands::of(address);
    let help = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::NotConnected(_) => return connect_error(failure, address),
        _ => format!("check that this user may read: {}", server.psql),
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
            "28P01" | "28000" => {
                if address.password().is_none() {
                    why.push_str("; no password was given in the URL, in PGPASSWORD or in ~/.pgpass");
                }
                format!("give the password in PGPASSWORD or in ~/.pgpass, and try it: {}", server.psql)
            }
            "3D000" => format!("{} -l", server.psql_without_database),
            "53300" => "the server has no free connection: try again later, or with --jobs 1".to_owned(),
            "57P03" => format!("wait until the server has started: {}", server.is_ready),
            _ => format!("check that this user may connect: {}", server.psql),
        },
        Failure::NotConnected(ConnectFailure::OtherName) => {
            "name the host as in the certificate, or check only the authority with ?sslmode=verify-ca".to_owned()
        }
        Failure::NotConnected(ConnectFailure::Untrusted(_)) => {
            "name the certificate authority with ?sslrootcert=FILE, or accept any server with ?sslmode=require"
                .to_owned()
        }
        Failure::NotConnected(ConnectFailure::NoTls) => "allow it with ?sslmode=prefer".to_owned(),
        Failure::NotConnected(ConnectFailure::UnknownHost(_)) => "correct the host in the address".to_owned(),
        Failure::NotConnected(_) | Failure::Unreachable { .. } => server.is_ready,
    };
    EngineError::Unconnected { server: server.name, why: address.censored(&why), help }
}

/// Returns the host and the port of a server, and the folder of a Unix socket.
pub(super) fn server_name(address: &Address) -> String {
    ServerCommands::of(address).host_and_port
}

/// Returns the command that tells if a server answers.
pub(super) fn readiness_command(address: &Address) -> String {
    ServerCommands::of(address).is_ready
}

/// A server for messages, and commands that try to reach it.
struct ServerCommands {
    host_and_port: String,
    name: String,
    is_ready: String,
    psql: String,
    psql_without_database: String,
}

impl ServerCommands {
    fn of(address: &Address) -> ServerCommands {
        let options = connection::options(address);
        let (port, user) = (options.get_port(), options.get_username());
        let folder = options.get_socket().map(|folder| folder.display().to_string());
        let host = folder.unwrap_or_else(|| options.get_host().to_owned());
        let server = if host.starts_with('/') {
            format!("{host}/.s.PGSQL.{port}")
        } else if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let database = options.get_database().unwrap_or(user);
        let at = format!("-h {} -p {port}", shell(&host));
        let psql_without_database = format!("psql {at} -U {}", shell(user));
        ServerCommands {
            name: format!("{server} ({}, database {database}, user {user})", address.engine.title()),
            is_ready: format!("pg_isready {at}"),
            psql: format!("{psql_without_database} -d {}", shell(database)),
            psql_without_database,
            host_and_port: server,
        }
    }
}
