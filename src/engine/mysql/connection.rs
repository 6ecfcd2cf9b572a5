//! One connection to a MySQL or MariaDB server.

use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlConnectOptions;

use super::value;
use crate::engine::Deadline;
use crate::engine::wire;
use crate::engine::wire::BlockingConnection;
use crate::engine::wire::Failure;
use crate::engine::wire::relay::Route;
use crate::model::value::Value;
use crate::source::Address;

/// The error codes after which the server closes the connection: shutdown, killed.
const CLOSING_CODES: [&str; 3] = ["1053", "1927", "4031"];

/// The number of prepared statements that stay open for reuse.
const STATEMENTS_KEPT: usize = 400;

const PARAMETERS: [&str; 9] =
    ["connect_timeout", "socket", "ssl-ca", "ssl-cert", "ssl-key", "ssl-mode", "sslca", "sslcert", "sslkey"];

pub(super) struct Connection {
    inner: BlockingConnection<MySqlConnection>,
}

impl Connection {
    pub(super) fn open(address: &Address, deadline: &Deadline) -> Result<Connection, Failure> {
        wire::refuse_unknown(address, &PARAMETERS)?;
        let connect_timeout = address.parameters().find(|(name, _)| name == "connect_timeout");
        let connect_timeout = connect_timeout.map(|(_, seconds)| wire::connect_timeout(&seconds)).transpose()?;
        let mut options = MySqlConnectOptions::from_str(address.secret())?;
        // MySQL's own clients read this variable too.
        if let (false, Ok(password)) = (address.has_password(), std::env::var("MYSQL_PWD")) {
            options = options.password(&password);
        }
        // The SQL of this program converts to text explicitly, to a type that is not binary.
        let options = options
            .charset("utf8mb4")
            .collation("utf8mb4_general_ci")
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .statement_cache_capacity(STATEMENTS_KEPT)
            .disable_statement_logging();
        Ok(Connection { inner: BlockingConnection::open(options, ends_connection, connect_timeout, deadline)? })
    }

    pub(super) fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    /// Runs statements and ignores their answers.
    pub(super) fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure> {
        self.inner.ask(deadline, async |connection| {
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
            Ok(())
        })
    }

    /// Runs one statement of the user and ignores its rows. It is prepared, because a prepared text is a single
    /// statement.
    pub(super) fn execute(&mut self, text: &str, given: &[Value], deadline: &Deadline) -> Result<(), Failure> {
        let arguments = value::arguments(given)?;
        let text = AssertSqlSafe(text.to_owned());
        self.inner.ask(deadline, async |connection| {
            let mut rows = sqlx::query_with(text, arguments).persistent(false).fetch(connection);
            while rows.try_next().await?.is_some() {}
            Ok(())
        })
    }

    /// Runs a statement that changes rows. Returns how many rows the server reports as changed.
    pub(super) fn change(
        &mut self,
        statement: &str,
        parameters: &[Value],
        deadline: &Deadline,
    ) -> Result<u64, Failure> {
        let arguments = value::arguments(parameters)?;
        let statement = AssertSqlSafe(statement.to_owned());
        let mut rows = 0;
        self.inner.ask(deadline, async |connection| {
            rows = sqlx::query_with(statement, arguments).execute(connection).await?.rows_affected();
            Ok(())
        })?;
        Ok(rows)
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
        // Closing a prepared statement has no answer, after which a network may delay by 40 milliseconds. The text
        // protocol would run several statements at once, which is impossible for a text without a semicolon.
        let as_text = parameters.is_empty() && !question.contains(';');
        let question = AssertSqlSafe(question.to_owned());
        self.inner.read(
            deadline,
            |connection| {
                if as_text {
                    sqlx::raw_sql(question).fetch(connection)
                } else {
                    sqlx::query_with(question, arguments).fetch(connection)
                }
            },
            value::RowPage::default(),
            |page| page.each(each),
        )
    }
}

impl Route for MySqlConnectOptions {
    fn tcp(&self) -> Option<(String, u16)> {
        self.get_socket().is_none().then(|| (self.get_host().to_owned(), self.get_port()))
    }

    fn through(self, folder: &Path) -> (MySqlConnectOptions, PathBuf) {
        let path = folder.join("server");
        (self.socket(&path), path)
    }
}

fn ends_connection(code: &str) -> bool {
    CLOSING_CODES.contains(&code)
}
