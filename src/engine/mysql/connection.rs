//! One connection to a MySQL or MariaDB server.

use std::path::Path;
use std::path::PathBuf;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::Column as _;
use sqlx::ConnectOptions;
use sqlx::MySqlConnection;
use sqlx::Row as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlSslMode;

use super::value;
use crate::engine::Deadline;
use crate::engine::wire::BlockingConnection;
use crate::engine::wire::Failure;
use crate::engine::wire::relay::Route;
use crate::model::value::Value;
use crate::source::Address;
use crate::source::TlsMode;

/// The error codes after which the server closes the connection: shutdown, killed.
const CLOSING_CODES: [&str; 3] = ["1053", "1927", "4031"];

/// The number of prepared statements that stay open for reuse.
const STATEMENTS_KEPT: usize = 400;

pub(super) struct Connection {
    inner: BlockingConnection<MySqlConnection>,
}

impl Connection {
    pub(super) fn open(address: &Address, deadline: &Deadline) -> Result<Connection, Failure> {
        let inner = BlockingConnection::open(options(address), ends_connection, address.connect_timeout, deadline)?;
        Ok(Connection { inner })
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
    pub(super) fn change<'v>(
        &mut self,
        statement: &str,
        parameters: impl IntoIterator<Item = &'v Value>,
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

    /// Returns, for each row of the answer, the number in the first column that has one of these names.
    pub(super) fn numbers_named(
        &mut self,
        question: &str,
        names: &[&str],
        deadline: &Deadline,
    ) -> Result<Vec<Option<i64>>, Failure> {
        let question = AssertSqlSafe(question.to_owned());
        let mut numbers = Vec::new();
        self.inner.ask(deadline, async |connection| {
            for row in sqlx::raw_sql(question).fetch_all(connection).await? {
                let column = row.columns().iter().position(|column| names.contains(&column.name()));
                let number = column.map(|column| row.try_get_unchecked::<Option<i64>, _>(column)).transpose()?;
                numbers.push(number.flatten());
            }
            Ok(())
        })?;
        Ok(numbers)
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

/// Returns the driver's options.
pub(super) fn options(address: &Address) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new();
    if let Some(host) = &address.host {
        options = options.host(host);
    }
    if let Some(port) = address.port {
        options = options.port(port);
    }
    if let Some(socket) = &address.socket {
        options = options.socket(socket);
    }
    if let Some(user) = &address.user {
        options = options.username(user);
    }
    if let Some(password) = address.password() {
        options = options.password(password);
    }
    if let Some(database) = &address.database {
        options = options.database(database);
    }
    if let Some(mode) = address.tls.mode {
        options = options.ssl_mode(match mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    }
    if let Some(authority) = &address.tls.authority {
        options = options.ssl_ca(authority);
    }
    if let Some(certificate) = &address.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &address.tls.key {
        options = options.ssl_client_key(key);
    }
    // The SQL of this program converts to text explicitly, to a type that is not binary.
    options
        .charset("utf8mb4")
        .collation("utf8mb4_general_ci")
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging()
}

fn ends_connection(code: &str) -> bool {
    CLOSING_CODES.contains(&code)
}
