//! A line to a server: the one place where answers that come some day become answers that are there.
//!
//! A line keeps its runtime to itself, so that it can be used by whichever thread holds it, and nothing outside of the
//! servers' engines knows that there is such a thing.

use std::future::Future;
use std::time::Duration;

use sqlx::Connection;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use super::Deadline;

/// How long to wait for a server that does not answer at all.
const CONNECT: Duration = Duration::from_secs(10);

/// How much later than the server we give up on an answer ourselves, should it not keep the time.
const GRACE: Duration = Duration::from_secs(5);

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

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

impl Failure {
    pub(super) fn why(&self) -> String {
        match self {
            Failure::Refused { message, .. } => message.clone(),
            Failure::Unreached { why } => why.clone(),
            Failure::TimeLimit => "the time limit was reached".to_owned(),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(error) => Failure::Refused {
                code: match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                    // MySQL gives most of its errors one and the same SQLSTATE.
                    Some(error) => error.number().to_string(),
                    None => error.code().unwrap_or_default().into_owned(),
                },
                message: error.message().to_owned(),
            },
            sqlx::Error::Io(error) => Failure::Unreached { why: error.to_string() },
            sqlx::Error::Tls(error) => Failure::Unreached { why: format!("no encrypted connection: {error}") },
            sqlx::Error::Configuration(error) => Failure::Unreached { why: error.to_string() },
            other => Failure::Unreached { why: other.to_string() },
        }
    }
}

pub(super) struct Line<C: Connection> {
    // `None` once it is of no use. Before the runtime, because it must be dropped before it.
    open: Option<C>,
    runtime: Runtime,
}

impl<C: Connection> Line<C> {
    pub(super) fn open(
        connect: impl Future<Output = Result<C, sqlx::Error>>,
        deadline: &Deadline,
    ) -> Result<Line<C>, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Unreached { why: error.to_string() })?;
        let limit = deadline.remaining().map_or(CONNECT, |left| left.min(CONNECT));
        let silent = || Failure::Unreached { why: format!("no answer within {} seconds", limit.as_secs()) };
        let open = within(&runtime, Some(limit), connect).ok_or_else(silent)??;
        Ok(Line { open: Some(open), runtime })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Asks something of the connection. One that is broken off, or that fails in a way after which there is nothing
    /// more to be heard, is given up.
    pub(super) fn ask(
        &mut self,
        deadline: &Deadline,
        question: impl AsyncFnOnce(&mut C) -> Result<(), sqlx::Error>,
    ) -> Result<(), Failure> {
        let Some(connection) = &mut self.open else {
            return Err(Failure::Unreached { why: "it was closed".to_owned() });
        };
        let limit = deadline.remaining().map(|left| left + GRACE);
        let answer = within(&self.runtime, limit, question(connection));
        let answer = answer.map_or(Err(Failure::TimeLimit), |answer| answer.map_err(Failure::from));
        if matches!(answer, Err(Failure::Unreached { .. } | Failure::TimeLimit)) {
            self.hang_up();
        }
        answer
    }

    /// Gives the connection up without a word.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
    }
}

impl<C: Connection> Drop for Line<C> {
    /// Without a goodbye the server would log that a client vanished.
    fn drop(&mut self) {
        if let Some(connection) = self.open.take() {
            let _ = within(&self.runtime, Some(GOODBYE), connection.close());
        }
    }
}

/// Waits for an answer; `None` if it did not come within the limit, where there is one.
fn within<T>(runtime: &Runtime, limit: Option<Duration>, answer: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
            None => Some(answer.await),
        }
    })
}
