//! One connection to a server: opened, asked, and told goodbye.

use std::str::FromStr;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Runtime;

use super::failure::Failure;
use super::value;
use crate::engine::Deadline;
use crate::engine::wire;
use crate::model::value::Value;
use crate::source::Address;

/// How long to wait for a server that does not answer at all.
const CONNECT: Duration = Duration::from_secs(10);

/// How much later than the server we give up on an answer ourselves, should it not keep the time.
const GRACE: Duration = Duration::from_secs(5);

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

pub(super) struct Connection {
    // `None` once it is of no use. Before the runtime, because it must be dropped before it.
    open: Option<PgConnection>,
    runtime: Runtime,
}

impl Connection {
    pub(super) fn open(address: &Address, deadline: &Deadline) -> Result<Connection, Failure> {
        let options =
            PgConnectOptions::from_str(address.secret())?.application_name("fk-doctor").disable_statement_logging();
        let runtime = wire::runtime().map_err(|error| Failure::Unreached { why: error.to_string() })?;
        let limit = deadline.remaining().map_or(CONNECT, |left| left.min(CONNECT));
        let silent = || Failure::Unreached { why: format!("no answer within {} seconds", limit.as_secs()) };
        let open = wire::within(&runtime, Some(limit), options.connect()).ok_or_else(silent)??;
        Ok(Connection { open: Some(open), runtime })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Runs statements that answer nothing.
    pub(super) fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure> {
        self.with(deadline, async |connection| {
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
            Ok(())
        })
    }

    /// Calls `each` with every row of the answer.
    pub(super) fn ask(
        &mut self,
        question: &str,
        parameters: &[Value],
        deadline: &Deadline,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), Failure> {
        let arguments = value::arguments(parameters)?;
        self.with(deadline, async |connection| {
            let query = sqlx::query_with(AssertSqlSafe(question.to_owned()), arguments).persistent(false);
            let mut rows = query.fetch(connection);
            let mut readings = None;
            let mut values = Vec::new();
            while let Some(row) = rows.try_next().await? {
                if readings.is_none() {
                    readings = Some(value::readings(&row).map_err(sqlx::Error::Protocol)?);
                }
                value::read(&row, readings.as_deref().unwrap_or_default(), &mut values)?;
                each(&values);
            }
            Ok(())
        })
    }

    fn with(
        &mut self,
        deadline: &Deadline,
        use_it: impl AsyncFnOnce(&mut PgConnection) -> Result<(), sqlx::Error>,
    ) -> Result<(), Failure> {
        let Some(connection) = &mut self.open else {
            return Err(Failure::Unreached { why: "it was closed".to_owned() });
        };
        let limit = deadline.remaining().map(|left| left + GRACE);
        let answer = wire::within(&self.runtime, limit, use_it(connection));
        let answer = answer.map_or(Err(Failure::TimeLimit), |answer| answer.map_err(Failure::from));
        if answer.as_ref().is_err_and(Failure::is_final) {
            self.open = None;
        }
        answer
    }
}

impl Drop for Connection {
    /// Without a goodbye the server would log that a client vanished.
    fn drop(&mut self) {
        if let Some(connection) = self.open.take() {
            let _ = wire::within(&self.runtime, Some(GOODBYE), connection.close());
        }
    }
}
