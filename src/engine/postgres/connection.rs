//! One connection to a PostgreSQL server.

use std::str::FromStr;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::value;
use crate::engine::Deadline;
use crate::engine::wire::Failure;
use crate::engine::wire::Line;
use crate::model::value::Value;
use crate::source::Address;

pub(super) struct Connection {
    line: Line<PgConnection>,
}

impl Connection {
    pub(super) fn open(address: &Address, deadline: &Deadline) -> Result<Connection, Failure> {
        let options = PgConnectOptions::from_str(address.secret())?;
        let options = options.application_name("fk-doctor").disable_statement_logging();
        Ok(Connection { line: Line::open(options.connect(), deadline)? })
    }

    pub(super) fn is_open(&self) -> bool {
        self.line.is_open()
    }

    /// Runs statements whose answers nobody wants.
    pub(super) fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure> {
        self.ask_line(deadline, async |connection| {
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
        self.ask_line(deadline, async |connection| {
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

    fn ask_line(
        &mut self,
        deadline: &Deadline,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<(), sqlx::Error>,
    ) -> Result<(), Failure> {
        let answer = self.line.ask(deadline, question);
        // Class 57P: an administrator ended the connection, or the server goes down.
        if matches!(&answer, Err(Failure::Refused { code, .. }) if code.starts_with("57P") || code.starts_with("08")) {
            self.line.hang_up();
        }
        answer
    }
}
