//! What can go wrong between us and a PostgreSQL server, as sentences with a next step.

use crate::engine::EngineError;
use crate::source::Address;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refused, with its code and its words.
    Refused {
        code: String,
        message: String,
    },
    /// There is no server to be heard any more, or never was.
    Unreached {
        why: String,
    },
    TimeLimit,
}

/// The server cancelled a statement, as we had asked it to at the end of the time.
const QUERY_CANCELED: &str = "57014";

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(error) => Failure::Refused {
                code: error.code().unwrap_or_default().into_owned(),
                message: error.message().to_owned(),
            },
            sqlx::Error::Io(error) => Failure::Unreached { why: error.to_string() },
            sqlx::Error::Tls(error) => Failure::Unreached { why: format!("no encrypted connection: {error}") },
            sqlx::Error::Configuration(error) => Failure::Unreached { why: error.to_string() },
            other => Failure::Unreached { why: other.to_string() },
        }
    }
}

impl Failure {
    fn why(self) -> String {
        match self {
            Failure::Refused { message, .. } => message,
            Failure::Unreached { why } => why,
            Failure::TimeLimit => "the time limit was reached".to_owned(),
        }
    }

    /// The connection is of no use any more.
    pub(super) fn is_final(&self) -> bool {
        match self {
            // Class 57P: an administrator ended the connection, or the server went down.
            Failure::Refused { code, .. } => code.starts_with("57P") || code.starts_with("08"),
            Failure::Unreached { .. } | Failure::TimeLimit => true,
        }
    }

    /// One question failed; others may not.
    pub(super) fn of_a_question(self, address: &Address) -> EngineError {
        match self {
            Failure::TimeLimit => EngineError::TimeLimit,
            Failure::Refused { code, .. } if code == QUERY_CANCELED => EngineError::TimeLimit,
            Failure::Refused { code, message } => {
                let why = match code.as_str() {
                    "55P03" => format!("{message}: another session holds a lock, wait longer with --wait"),
                    _ => message,
                };
                EngineError::Failed { why: address.censored(&why) }
            }
            Failure::Unreached { why } => {
                EngineError::Failed { why: address.censored(&format!("the connection was lost: {why}")) }
            }
        }
    }

    /// The database as a whole cannot be read.
    pub(super) fn of_the_database(self, address: &Address) -> EngineError {
        let help = match &self {
            Failure::TimeLimit => return EngineError::TimeLimit,
            Failure::Refused { code, .. } => match code.as_str() {
                "28P01" | "28000" => {
                    "check the user, and give the password in PGPASSWORD, ~/.pgpass or the URL; the server's pg_hba.conf has the last word"
                }
                "3D000" => "name a database that is there: postgres://USER@HOST/DATABASE",
                "53300" => "the server has no connection left: try again later, or with fewer --jobs",
                "57P03" => "wait until the server has started, then try again",
                _ => "check that this user may connect and read: psql with the same URL",
            },
            Failure::Unreached { why } if why.contains("certificate") => {
                "name the certificate authority with ?sslrootcert=FILE, or accept any server with ?sslmode=require"
            }
            Failure::Unreached { .. } => "check host, port and sslmode: psql with the same URL",
        };
        EngineError::Unreadable { what: address.to_string(), why: address.censored(&self.why()), help: help.to_owned() }
    }
}
