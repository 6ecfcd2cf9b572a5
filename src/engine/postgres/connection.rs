//! One connection to a PostgreSQL server.

use std::path::Path;
use std::path::PathBuf;

use futures_util::Stream;
use futures_util::TryFutureExt;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::Connection as _;
use sqlx::Either;
use sqlx::Executor as _;
use sqlx::PgConnection;
use sqlx::SqlSafeStr as _;
use sqlx::Statement as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::PgSslMode;

use super::failure::ends_connection;
use super::value;
use crate::engine::Deadline;
use crate::engine::wire::BlockingConnection;
use crate::engine::wire::Failure;
use crate::engine::wire::relay::Route;
use crate::model::value::Value;
use crate::source::Address;
use crate::source::TlsMode;

pub(super) struct Connection {
    inner: BlockingConnection<PgConnection>,
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
    ///
    /// The driver asks the server about a result type that it does not know, between the preparation and the execution.
    /// An unnamed statement would be lost by then, so this one has a name. Without parameters it runs by its text,
    /// because some types have no binary form, in which the driver would ask for the rows.
    pub(super) fn execute(&mut self, text: &str, given: &[Value], deadline: &Deadline) -> Result<(), Failure> {
        let arguments = value::arguments(given)?;
        let text = || AssertSqlSafe(text.to_owned());
        self.inner.ask(deadline, async |connection| {
            let is_unparameterized = given.is_empty() && {
                let prepared = (&mut *connection).prepare(text().into_sql_str()).await?;
                !matches!(prepared.parameters(), Some(Either::Left(types)) if !types.is_empty())
            };
            let done = if is_unparameterized {
                drained(sqlx::raw_sql(text()).fetch(&mut *connection)).await
            } else {
                drained(sqlx::query_with(text(), arguments).fetch(&mut *connection)).await
            };
            // A plan is not kept: the next statement may change its tables.
            let cleared = connection.clear_cached_statements().await;
            done.and(cleared)
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
            rows = sqlx::query_with(statement, arguments).persistent(false).execute(connection).await?.rows_affected();
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
        let question = AssertSqlSafe(question.to_owned());
        self.inner.read(
            deadline,
            |connection| sqlx::query_with(question, arguments).persistent(false).fetch(connection),
            value::RowPage::default(),
            |page| page.each(each),
        )
    }

    /// Loads pieces of rows in the text format of COPY.
    pub(super) fn copy_in(
        &mut self,
        statement: &str,
        pieces: impl Iterator<Item = Vec<u8>>,
        deadline: &Deadline,
    ) -> Result<(), Failure> {
        self.inner.ask(deadline, async |connection| {
            let mut copy = connection.copy_in_raw(statement).await?;
            for piece in pieces {
                copy.send(piece).await?;
            }
            copy.finish().await?;
            Ok(())
        })
    }

    /// Calls `each` with every number of an answer that is one column of eight-byte numbers, none of them NULL. This
    /// is the quickest way that the server has.
    pub(super) fn copy(
        &mut self,
        question: &str,
        deadline: &Deadline,
        each: &mut dyn FnMut(i64),
    ) -> Result<(), Failure> {
        let question = format!("COPY ({question}) TO STDOUT (FORMAT binary)");
        self.inner.read(
            deadline,
            |connection| Box::pin(async move { connection.copy_out_raw(&question).await }.try_flatten_stream()),
            value::CopiedNumbers::default(),
            |page| page.each(each),
        )
    }
}

async fn drained<R>(mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin) -> Result<(), sqlx::Error> {
    while rows.try_next().await?.is_some() {}
    Ok(())
}

impl Route for PgConnectOptions {
    fn tcp(&self) -> Option<(String, u16)> {
        let is_unix_socket = self.get_socket().is_some() || self.get_host().starts_with('/');
        (!is_unix_socket).then(|| (self.get_host().to_owned(), self.get_port()))
    }

    fn through(self, folder: &Path) -> (PgConnectOptions, PathBuf) {
        let name = format!(".s.PGSQL.{}", self.get_port());
        (self.socket(folder), folder.join(name))
    }
}

/// Returns the driver's options. It adds the environment variables that the address leaves open.
pub(super) fn options(address: &Address) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass();
    options = match (&address.host_address, &address.host) {
        (Some(host), _) => options.host(host),
        (None, Some(folder)) if folder.starts_with('/') => options.socket(folder),
        (None, Some(host)) => options.host(host),
        (None, None) => options,
    };
    if let Some(port) = address.port {
        options = options.port(port);
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
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    }
    if let Some(authority) = &address.tls.authority {
        options = options.ssl_root_cert(authority);
    }
    if let Some(certificate) = &address.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &address.tls.key {
        options = options.ssl_client_key(key);
    }
    if !address.options.is_empty() {
        options = options.options(address.options.iter().map(|(name, value)| (name, value)));
    }
    options
        // Poolers refuse settings that they do not know. Every transaction of ours sets this one itself.
        .extra_float_digits(None)
        .application_name(address.application_name.as_deref().unwrap_or("fk-doctor"))
        .disable_statement_logging()
}
