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
use crate::model::text::nearest;
use crate::source::Address;

/// How long to wait for a server that does not answer at all, unless the URL says otherwise.
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
    /// The address, or what the environment adds to it, makes no sense.
    Misspelt {
        why: String,
        help: String,
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
            Failure::Unreached { why } | Failure::Misspelt { why, .. } => why.clone(),
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
        patience: Option<Duration>,
        deadline: &Deadline,
    ) -> Result<Line<C>, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Unreached { why: error.to_string() })?;
        let limit = patience.unwrap_or(CONNECT);
        let limit = deadline.remaining().map_or(limit, |left| left.min(limit));
        let silent =
            || Failure::Unreached { why: format!("no answer within {:.0} seconds", limit.as_secs_f64().ceil()) };
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

/// Refuses what a driver would pass over in silence: a slip in `sslmode` must not cost the encryption.
pub(super) fn refuse_unknown(address: &Address, known: &[&str]) -> Result<(), Failure> {
    let unknown = address.parameters().map(|(name, _)| name).find(|name| !known.contains(&name.as_str()));
    let Some(unknown) = unknown else { return Ok(()) };
    Err(Failure::Misspelt {
        why: format!("the URL's parameter {unknown} is not known"),
        help: match nearest(&unknown, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", known.join(", ")),
        },
    })
}

/// `connect_timeout=SECONDS`, as PostgreSQL's own clients have it.
pub(super) fn connect_timeout(text: &str) -> Result<Duration, Failure> {
    text.parse().map(Duration::from_secs).map_err(|_| Failure::Misspelt {
        why: format!("connect_timeout is {text}"),
        help: "give whole seconds: connect_timeout=5".to_owned(),
    })
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
