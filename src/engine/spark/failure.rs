//! The reasons why a cluster gives no answer, in words for the user.

use spark_connect_core::SparkError;

use crate::engine::EngineError;
use crate::engine::wire::without_values;
use crate::source::Address;

/// The codes of gRPC for calls that did not get through, and for a login that was refused.
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no connection, or it was lost.
    Unreachable(String),
    /// The cluster accepts neither the token nor a request without one.
    Unauthenticated,
    /// The cluster refuses the question, with this message.
    Refused(String),
    /// The answer is not what the protocol promises.
    Broken(String),
    TimeLimit,
}

impl Failure {
    pub(super) fn because(&self) -> String {
        match self {
            Failure::Unreachable(why) => why.clone(),
            Failure::Unauthenticated => "the cluster refuses the token".to_owned(),
            Failure::Refused(message) => message.clone(),
            Failure::Broken(why) => format!("the answer of the cluster is not whole: {why}"),
            Failure::TimeLimit => "the time limit was reached".to_owned(),
        }
    }

    /// Returns the failure of a question whose answer had begun.
    pub(super) fn in_mid_answer(self) -> Failure {
        match self {
            Failure::Unreachable(_) => {
                Failure::Unreachable("the connection was lost while the cluster worked".to_owned())
            }
            other => other,
        }
    }

    /// Returns the failure of a question that was asked again after its connection had failed for this reason.
    pub(super) fn after(self, first: String) -> Failure {
        match self {
            Failure::Unreachable(why) if why != first => Failure::Unreachable(format!("{first}, and then {why}")),
            other => other,
        }
    }
}

/// Returns the failure that a code of gRPC and its message stand for.
pub(super) fn of_status(code: i32, message: &str) -> Failure {
    match code {
        UNAUTHENTICATED => Failure::Unauthenticated,
        _ if message.contains("401") && message.contains("HTTP") => Failure::Unauthenticated,
        // A proxy before the cluster answers with a page.
        _ if ["401", "403"].iter().any(|status| status_of_a_page(message).is_some_and(|of| of.starts_with(status))) => {
            Failure::Unauthenticated
        }
        UNAVAILABLE => Failure::Unreachable(in_words(message)),
        // A connection that breaks off is reported under several codes.
        _ if message.contains("transport error") || message.contains("h2 protocol error") => {
            Failure::Unreachable(in_words(message))
        }
        _ => Failure::Refused(in_words(message)),
    }
}

impl From<SparkError> for Failure {
    fn from(error: SparkError) -> Failure {
        of_status(error.grpc_code().unwrap_or(0), &error.message())
    }
}

/// Returns the status of an answer that is not of gRPC, such as `502 Bad Gateway`.
fn status_of_a_page(message: &str) -> Option<&str> {
    Some(message.split_once("while receiving response with status: ")?.1.trim())
}

/// Returns the first line of a message, without the stack of the virtual machine and without the values that it quotes.
fn in_words(message: &str) -> String {
    let message = message.split("JVM stacktrace:").next().unwrap_or_default();
    let first = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let first = first.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(first, |(_, rest)| rest);
    let words = [
        (
            "UnknownIssuer",
            "the certificate of the cluster is not accepted: no authority that this computer trusts has signed it",
        ),
        ("NotValidForName", "the certificate of the cluster is for another host name"),
        ("not valid for name", "the certificate of the cluster is for another host name"),
        ("invalid peer certificate", "the certificate of the cluster is not accepted"),
        ("tcp connect error", "the connection was refused: no cluster listens there"),
        ("dns error", "no host with this name was found"),
        ("timed out", "there was no connection within 10 seconds"),
        ("h2 protocol error", "the connection was closed, or another program listens there"),
        ("transport error", "the connection was closed"),
        ("operation was canceled", "the connection was closed"),
    ];
    if let Some(status) = status_of_a_page(message) {
        return format!("the server answers with a page of the status {status}, not as a server of Spark Connect");
    }
    let known = words.into_iter().find(|(part, _)| message.contains(part));
    known.map_or_else(|| without_values(first), |(_, words)| words.to_owned())
}

/// Returns the error of a question that failed.
pub(super) fn query_error(failure: &Failure, address: &Address) -> EngineError {
    match failure {
        Failure::TimeLimit => EngineError::TimeLimit,
        other => EngineError::Failed { why: address.censored(&other.because()) },
    }
}

/// Returns the error of a cluster that cannot be used at all.
pub(super) fn connect_error(failure: &Failure, address: &Address) -> EngineError {
    if *failure == Failure::TimeLimit {
        return EngineError::TimeLimit;
    }
    let help = match failure {
        Failure::Unauthenticated => {
            "set SPARK_CONNECT_AUTHENTICATE_TOKEN to a token that is valid, or write it as ;token=TOKEN".to_owned()
        }
        Failure::Unreachable(why) if why.contains("certificate") => {
            "let this computer trust the authority, or name its certificate: SSL_CERT_FILE=authority.pem".to_owned()
        }
        _ => format!("check that a server of Spark Connect listens there: fk-doctor scan {address}"),
    };
    EngineError::Unconnected { server: format!("{address} (Spark)"), why: address.censored(&failure.because()), help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_keeps_neither_values_nor_the_stack() {
        let text = "[CAST_INVALID_INPUT] The value 'secret' of the type \"STRING\" cannot be cast. SQLSTATE: 22018\n\
                    == SQL ==\nSELECT 1\n\nJVM stacktrace:\norg.apache.spark.SparkNumberFormatException";
        let shown = of_status(13, text).because();
        assert_eq!(shown, "The value '…' of the type \"…\" cannot be cast. SQLSTATE: 22018");
    }

    #[test]
    fn both_failures_of_a_question_are_named_if_they_differ() {
        let refused = || of_status(UNAVAILABLE, "tcp connect error");
        let shown = refused().after("the connection was closed".to_owned()).because();
        let expected = "the connection was closed, and then the connection was refused: no cluster listens there";
        assert_eq!(shown, expected);
        assert_eq!(refused().after(refused().because()), refused());
        assert_eq!(Failure::TimeLimit.after("the connection was closed".to_owned()), Failure::TimeLimit);
    }

    #[test]
    fn failures_of_a_connection_are_in_plain_words() {
        for (code, text, part) in [
            (14, "tcp connect error", "no cluster listens there"),
            (14, "[The service is currently unavailable] tcp connect error", "no cluster listens there"),
            (14, "invalid peer certificate: UnknownIssuer", "no authority that this computer trusts"),
            (2, "grpc-status header missing, mapped from HTTP status code 401", "refuses the token"),
            (16, "missing token", "refuses the token"),
            (
                13,
                "invalid compression flag: 60 while receiving response with status: 401 Unauthorized",
                "refuses the token",
            ),
            (
                13,
                "invalid compression flag: 60 while receiving response with status: 502 Bad Gateway",
                "502 Bad Gateway",
            ),
            (2, "h2 protocol error: error reading a body from connection", "the connection was closed"),
        ] {
            let shown = of_status(code, text).because();
            assert!(shown.contains(part), "{shown}");
        }
    }
}
