//! Blocking connections to servers on top of an asynchronous driver.
//!
//! Each connection has its own runtime, so that any thread can use it. No code outside this module is asynchronous.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::Either;
use futures_util::future::select;
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use self::connect_failure::ConnectFailure;
use self::pages::Answer;
use self::pages::Page;
use self::relay::Relay;
use self::relay::Route;
use super::Deadline;
use crate::model::text::io_reason;

pub(super) mod connect_failure;
mod gentle;
pub(super) mod pages;
pub(super) mod relay;
pub(super) mod scratch_tables;
mod sets;
pub(super) mod trial;
pub(super) mod writer;
pub(super) mod writing;

/// The longest wait for a connection, unless the URL sets another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The size in bytes up to which one session scans a database before a second connection would be open.
const SMALL_DATABASE: i64 = 32 << 20;

/// True if a database of this size is small. False if the size is unknown.
pub(super) fn is_small(bytes: Option<i64>) -> bool {
    bytes.is_some_and(|bytes| bytes <= SMALL_DATABASE)
}

/// The time after the server's own time limit at which the client gives up.
const GRACE: Duration = Duration::from_secs(5);

/// The longest wait for a connection to close.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The parts of a refusal that the server sends separately from its message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RefusalDetails {
    pub(super) table: Option<String>,
    pub(super) column: Option<String>,
    pub(super) detail: Option<String>,
}

/// The reason why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refused the statement, with this code and message.
    Refused {
        code: String,
        message: String,
        about: RefusalDetails,
    },
    /// There was no connection.
    NotConnected(ConnectFailure),
    /// The connection was lost.
    Unreachable {
        why: String,
    },
    TimeLimit,
}

impl Failure {
    pub(super) fn why(&self) -> String {
        match self {
            Failure::Refused { message, .. } => message.clone(),
            Failure::Unreachable { why } => why.clone(),
            Failure::NotConnected(failure) => failure.because(),
            Failure::TimeLimit => "the time limit was reached".to_owned(),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(error) => Failure::Refused {
                code: match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                    // Most MySQL errors share one SQLSTATE.
                    Some(error) => error.number().to_string(),
                    None => error.code().unwrap_or_default().into_owned(),
                },
                about: details_of(error.as_ref()),
                message: error.message().to_owned(),
            },
            sqlx::Error::Io(error) => Failure::Unreachable { why: io_reason(&error) },
            sqlx::Error::Protocol(why) => Failure::Unreachable { why },
            // The driver's own text names types of Rust.
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                Failure::Unreachable { why: "an answer of the server cannot be decoded".to_owned() }
            }
            other => Failure::Unreachable { why: other.to_string() },
        }
    }
}

fn details_of(error: &dyn DatabaseError) -> RefusalDetails {
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else { return RefusalDetails::default() };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    RefusalDetails { table: owned(error.table()), column: owned(error.column()), detail: owned(error.detail()) }
}

/// A connection that the catalog and a worker share.
pub(super) struct Shared<C>(Arc<Mutex<C>>);

impl<C> Shared<C> {
    pub(super) fn new(connection: C) -> Shared<C> {
        Shared(Arc::new(Mutex::new(connection)))
    }

    /// Locks the connection. It is intact even if the last holder panicked.
    pub(super) fn lock(&self) -> MutexGuard<'_, C> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for Shared<C> {
    fn clone(&self) -> Shared<C> {
        Shared(Arc::clone(&self.0))
    }
}

/// Opens `wanted` sessions in parallel, because encryption takes several round trips for each. Returns fewer if some
/// fail, and the first failure if all fail.
pub(super) fn opened<S: Send>(wanted: usize, open: impl Fn() -> Result<S, Failure> + Sync) -> Result<Vec<S>, Failure> {
    let answers: Vec<Result<S, Failure>> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..wanted).map(|_| scope.spawn(&open)).collect();
        let ended = || Err(Failure::Unreachable { why: "the thread that opened it ended".to_owned() });
        opening.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended())).collect()
    });
    let (mut open, mut failed) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(session) => open.push(session),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    match failed {
        Some(failure) if open.is_empty() => Err(failure),
        _ => Ok(open),
    }
}

/// The checks that a server still exists while it does not answer.
#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    interval: Duration,
    connect_timeout: Duration,
    /// The number of consecutive failures after which the server counts as lost.
    max_failures: usize,
}

const HEARTBEAT: Heartbeat =
    Heartbeat { interval: Duration::from_secs(60), connect_timeout: CONNECT_TIMEOUT, max_failures: 3 };

/// A connection that blocks until the server answers.
pub(super) struct BlockingConnection<C: Connection> {
    // Both are `None` after the connection is lost. They come first, because they must be dropped before the runtime.
    open: Option<C>,
    relay: Option<Relay>,
    options: C::Options,
    ends_connection: EndsConnection,
    runtime: Runtime,
}

/// True if a server that refuses with this code closes the connection.
pub(super) type EndsConnection = fn(&str) -> bool;

impl<C: Connection<Options: Route>> BlockingConnection<C> {
    pub(super) fn open(
        options: C::Options,
        ends_connection: EndsConnection,
        connect_timeout: Option<Duration>,
        deadline: &Deadline,
    ) -> Result<BlockingConnection<C>, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Unreachable { why: error.to_string() })?;
        let limit = connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let limit = deadline.remaining().map_or(limit, |left| left.min(limit));
        let silent = || Failure::NotConnected(ConnectFailure::Silent { limit });
        let open = within(&runtime, Some(limit), async {
            let (connection, relay) = match Relay::open(&options).await? {
                Some((through, relay)) => (through.connect().await?, Some(relay)),
                None => (options.connect().await?, None),
            };
            Ok::<_, sqlx::Error>((connection, relay))
        });
        let (open, relay) = open.ok_or_else(silent)?.map_err(connect_failure::classified)?;
        Ok(BlockingConnection { open: Some(open), relay, options, ends_connection, runtime })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Runs a query and ignores its answer.
    pub(super) fn ask(
        &mut self,
        deadline: &Deadline,
        question: impl AsyncFnOnce(&mut C) -> Result<(), sqlx::Error>,
    ) -> Result<(), Failure> {
        let Some(connection) = &mut self.open else { return Err(closed()) };
        let answer = wait_for::<C, ()>(&self.runtime, &self.options, deadline, question(connection));
        self.after(answer)
    }

    /// Runs a query, and calls `each` with every page of the answer. The runtime rests meanwhile, so `each` may query
    /// other connections.
    pub(super) fn read<P, G: Page<P>>(
        &mut self,
        deadline: &Deadline,
        question: impl for<'c> FnOnce(&'c mut C) -> Answer<'c, P>,
        mut page: G,
        mut each: impl FnMut(&G),
    ) -> Result<(), Failure> {
        let Some(connection) = &mut self.open else { return Err(closed()) };
        let mut answer = question(connection);
        let read = loop {
            page.clear();
            let filled =
                wait_for::<C, bool>(&self.runtime, &self.options, deadline, pages::fill(&mut answer, &mut page));
            // Rows before a failure are passed on as well.
            each(&page);
            match filled {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        drop(answer);
        self.after(read)
    }

    /// Drops the connection after a failure that makes it unusable.
    fn after(&mut self, answer: Result<(), Failure>) -> Result<(), Failure> {
        let is_lost = match &answer {
            Err(Failure::Unreachable { .. } | Failure::TimeLimit) => true,
            Err(Failure::Refused { code, .. }) => (self.ends_connection)(code),
            Ok(()) | Err(Failure::NotConnected(_)) => false,
        };
        if is_lost {
            self.open = None;
            if let Some(relay) = self.relay.take() {
                within(&self.runtime, Some(CLOSE_TIMEOUT), relay.cut());
            }
        }
        answer
    }
}

impl<C: Connection> Drop for BlockingConnection<C> {
    /// Closes the connection properly, because otherwise the server logs a lost client.
    fn drop(&mut self) {
        if let Some(connection) = self.open.take() {
            let relay = self.relay.take();
            within(&self.runtime, Some(CLOSE_TIMEOUT), async {
                let _ = connection.close().await;
                if let Some(relay) = relay {
                    relay.finish().await;
                }
            });
        }
    }
}

/// Ends when the server cannot be reached any more. A client that waits for an answer does not notice a failed network,
/// so this function opens a new connection from time to time. A server that refuses it still exists.
async fn unreachable<C: Connection>(options: &C::Options, heartbeat: Heartbeat) {
    let mut failures = 0;
    while failures < heartbeat.max_failures {
        tokio::time::sleep(heartbeat.interval / if failures == 0 { 1 } else { 10 }).await;
        match tokio::time::timeout(heartbeat.connect_timeout, options.connect()).await {
            Ok(Ok(connection)) => {
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await;
                failures = 0;
            }
            Ok(Err(sqlx::Error::Database(_))) => failures = 0,
            Ok(Err(_)) | Err(_) => failures += 1,
        }
    }
}

/// Returns a server's message without its quoted parts, which may be values of a row.
pub(super) fn without_values(message: &str) -> String {
    let mut shown = String::new();
    let mut quote = None;
    for character in message.chars() {
        match (quote, character) {
            (None, '"' | '\'') => {
                quote = Some(character);
                shown.extend([character, '…']);
            }
            (None, _) => shown.push(character),
            (Some(open), _) if open == character => {
                quote = None;
                shown.push(character);
            }
            (Some(_), _) => {}
        }
    }
    shown
}

fn closed() -> Failure {
    Failure::Unreachable { why: "the connection was closed".to_owned() }
}

/// Waits for an answer until the deadline, or until the server cannot be reached.
fn wait_for<C: Connection, T>(
    runtime: &Runtime,
    options: &C::Options,
    deadline: &Deadline,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    let limit = deadline.remaining().map(|left| left + GRACE);
    let answer = within(runtime, limit, async {
        let silence = pin!(unreachable::<C>(options, HEARTBEAT));
        match select(pin!(answer), silence).await {
            Either::Left((answer, _)) => answer.map_err(Failure::from),
            Either::Right(_) => Err(Failure::Unreachable { why: "the server does not answer any more".to_owned() }),
        }
    });
    answer.unwrap_or(Err(Failure::TimeLimit))
}

/// Waits for an answer. Returns `None` if it did not arrive within the limit.
fn within<T>(runtime: &Runtime, limit: Option<Duration>, answer: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
            None => Some(answer.await),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_parts_of_a_message_are_removed() {
        let message = "invalid input syntax for type integer: \"4111 1111\"";
        assert_eq!(without_values(message), "invalid input syntax for type integer: \"…\"");
        assert_eq!(without_values("Incorrect value: 'it\"s"), "Incorrect value: '…");
    }

    #[test]
    fn silent_server_counts_as_lost() {
        // This server accepts connections and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let brief = Duration::from_millis(5);
        let heartbeat = Heartbeat { interval: brief, connect_timeout: brief, max_failures: 3 };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(within(&runtime, None, unreachable::<sqlx::PgConnection>(&options, heartbeat)), Some(()));
    }
}
