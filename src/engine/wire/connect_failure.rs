//! The reasons why there is no connection to a server, in words for the user.

use std::io::ErrorKind;
use std::time::Duration;

use super::Failure;
use crate::model::text::io_reason;
use crate::model::text::plural;

/// The reason why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum ConnectFailure {
    Refused,
    UnknownHost(String),
    /// No file of a Unix socket exists.
    NoSocket,
    NoRoute,
    Silent {
        limit: Duration,
    },
    /// The server closed the connection during the login.
    Closed,
    NoTls,
    /// The certificate of the server is not accepted. The text says why.
    Untrusted(String),
    /// The certificate of the server is for another host name.
    OtherName,
    Tls(String),
    /// The answer is not in the protocol that was expected.
    WrongProtocol,
    Other(String),
}

impl ConnectFailure {
    pub(in crate::engine) fn because(&self) -> String {
        match self {
            ConnectFailure::Refused => "the connection was refused: no server listens there".to_owned(),
            ConnectFailure::UnknownHost(host) => format!("no host with the name {host} was found"),
            ConnectFailure::NoSocket => "there is no such socket: no server listens there".to_owned(),
            ConnectFailure::NoRoute => "this network has no way to the host".to_owned(),
            ConnectFailure::Silent { limit } => {
                let seconds = limit.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
                let seconds = plural(seconds, "second");
                format!("there was no answer within {seconds}: a firewall may block the port, or the server hangs")
            }
            ConnectFailure::Closed => "the server closed the connection during the login".to_owned(),
            ConnectFailure::NoTls => "the server offers no encryption, and the address demands it".to_owned(),
            ConnectFailure::Untrusted(why) => format!("the certificate of the server is not accepted: {why}"),
            ConnectFailure::OtherName => "the certificate of the server is for another host name".to_owned(),
            ConnectFailure::Tls(why) => format!("the encryption failed: {why}"),
            ConnectFailure::WrongProtocol => {
                "the answer is not in the protocol of such a server: another program may listen there".to_owned()
            }
            ConnectFailure::Other(why) => why.clone(),
        }
    }
}

/// The error for a host whose name cannot be resolved. The operating system's own error has no kind.
#[derive(Debug, thiserror::Error)]
#[error("no host with the name {0} was found")]
pub(super) struct UnknownHost(String);

impl UnknownHost {
    pub(super) fn error(host: String) -> std::io::Error {
        std::io::Error::other(UnknownHost(host))
    }
}

/// Converts the driver's error while a connection is opened.
pub(super) fn classified(error: sqlx::Error) -> Failure {
    let failure = match error {
        sqlx::Error::Io(error) => of_io(&error),
        sqlx::Error::Tls(error) => of_tls(&error.to_string()),
        sqlx::Error::Protocol(_) | sqlx::Error::Decode(_) => ConnectFailure::WrongProtocol,
        sqlx::Error::Configuration(error) => ConnectFailure::Other(error.to_string()),
        other => return Failure::from(other),
    };
    Failure::NotConnected(failure)
}

fn of_io(error: &std::io::Error) -> ConnectFailure {
    if let Some(UnknownHost(host)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return ConnectFailure::UnknownHost(host.clone());
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectFailure::Refused,
        ErrorKind::NotFound => ConnectFailure::NoSocket,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => ConnectFailure::NoRoute,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::UnexpectedEof
        | ErrorKind::BrokenPipe => ConnectFailure::Closed,
        ErrorKind::InvalidData => of_tls(&io_reason(error)),
        _ => ConnectFailure::Other(io_reason(error)),
    }
}

/// Reads the text of the library for encryption, which has no kinds of errors.
fn of_tls(text: &str) -> ConnectFailure {
    let untrusted = |why: &str| ConnectFailure::Untrusted(why.to_owned());
    if text.contains("does not support TLS") {
        ConnectFailure::NoTls
    } else if text.contains("UnknownIssuer") {
        untrusted("no authority that this computer trusts has signed it")
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        ConnectFailure::OtherName
    } else if text.contains("expired") || text.contains("Expired") {
        untrusted("it has expired")
    } else if text.contains("certificate") {
        untrusted(text.strip_prefix("invalid peer certificate: ").unwrap_or(text))
    } else {
        ConnectFailure::Tls(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_says_what_went_wrong_in_plain_words() {
        let of = |kind: ErrorKind| of_io(&std::io::Error::from(kind)).because();
        assert_eq!(of(ErrorKind::ConnectionRefused), "the connection was refused: no server listens there");
        assert!(of(ErrorKind::NotFound).contains("socket"));
        assert!(of(ErrorKind::ConnectionReset).contains("closed the connection"));
        assert!(of_io(&UnknownHost::error("db1".to_owned())).because().contains("db1"));
        let raw = std::io::Error::from_raw_os_error(24);
        assert!(!of_io(&raw).because().contains("os error"), "{}", of_io(&raw).because());
        let second = ConnectFailure::Silent { limit: Duration::from_secs(1) }.because();
        assert!(second.starts_with("there was no answer within 1 second:"), "{second}");
        for (text, part) in [
            ("server does not support TLS", "offers no encryption"),
            ("invalid peer certificate: UnknownIssuer", "no authority"),
            ("invalid peer certificate: certificate not valid for name \"a\"; ...", "another host name"),
            ("invalid peer certificate: Expired", "expired"),
            ("invalid peer certificate: BadSignature", "not accepted: BadSignature"),
            ("handshake failure", "the encryption failed: handshake failure"),
        ] {
            assert!(of_tls(text).because().contains(part), "{text}");
        }
    }
}
