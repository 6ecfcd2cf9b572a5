//! Helpers of the server tests: a separate database on a throw-away server, in which the real binary runs.
//!
//! `tests/run` starts the servers. Without them these tests do nothing, and report that.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::MySqlConnection;
use sqlx::PgConnection;
use sqlx::Row;
use tokio::runtime::Runtime;

use super::common::Bench;
use super::common::Run;

pub(crate) struct Server {
    /// The URL of the server, without a database.
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) bench: Bench,
    client: Mutex<Client>,
    /// A second connection, opened when it is needed.
    other: Mutex<Option<Client>>,
    runtime: Runtime,
}

/// One connection, so that a session's settings last from one statement to the next.
enum Client {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

const MYSQL: &str = "FK_DOCTOR_TEST_MYSQL";
/// The addresses of a MariaDB server with Spider and of two servers that have its rows.
const SPIDER: &str = "FK_DOCTOR_TEST_SPIDER";
/// The addresses of a PostgreSQL server and of its standby.
const STANDBY: &str = "FK_DOCTOR_TEST_STANDBY";

/// Returns the address of a server, if there is one.
fn address(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        let is_required =
            std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_some() && ![MYSQL, SPIDER, STANDBY].contains(&variable);
        assert!(!is_required, "{variable} is not set");
        // The test runner hides the output of passed tests, so this goes directly to the terminal.
        let _ = writeln!(std::io::stderr(), "skipped: no server in {variable}; tests/run starts what is installed");
    }
    address
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Creates a PostgreSQL database with this SQL; `None` without a server.
    pub(crate) fn postgres(seed: &str) -> Option<Server> {
        Server::new("FK_DOCTOR_TEST_POSTGRES", "/postgres", seed)
    }

    /// Creates a PostgreSQL database if the server has at least this version; `None` on an older one.
    pub(crate) fn postgres_since(version: u32, seed: &str) -> Option<Server> {
        let server = Server::postgres("SELECT 1")?;
        if server.postgres_version() < version {
            return None;
        }
        server.execute(seed);
        Some(server)
    }

    pub(crate) fn postgres_version(&self) -> u32 {
        self.texts("SELECT current_setting('server_version_num')")[0].parse::<u32>().unwrap() / 10_000
    }

    /// Creates a MariaDB database with this SQL; `None` without a server.
    pub(crate) fn mariadb(seed: &str) -> Option<Server> {
        Server::new("FK_DOCTOR_TEST_MARIADB", "", seed)
    }

    /// Creates a MySQL database with this SQL; `None` without a server. Few systems have a package for MySQL.
    pub(crate) fn mysql(seed: &str) -> Option<Server> {
        Server::new(MYSQL, "", seed)
    }

    /// Creates a database on each available server of these two.
    pub(crate) fn mysql_family(seed: &str) -> Vec<Server> {
        [Server::mariadb(seed), Server::mysql(seed)].into_iter().flatten().collect()
    }

    /// Creates a MariaDB database with this SQL on a server with Spider, and an empty one on each of its two shards; `None`
    /// without these servers.
    pub(crate) fn spider(seed: impl FnOnce(&[Server]) -> String) -> Option<(Server, Vec<Server>)> {
        let addresses = address(SPIDER)?;
        let mut addresses = addresses.split_whitespace();
        let head = addresses.next()?;
        let shards: Vec<Server> = addresses.map(|address| Server::at(address, "", "SELECT 1")).collect();
        Some((Server::at(head, "", &seed(&shards)), shards))
    }

    /// Creates a database with this SQL on a PostgreSQL server that has a standby, and returns it with the address of the
    /// standby; `None` without these servers.
    pub(crate) fn with_standby(seed: &str) -> Option<(Server, String)> {
        let addresses = address(STANDBY)?;
        let (primary, standby) = addresses.split_once(' ')?;
        Some((Server::at(primary, "/postgres", seed), standby.to_owned()))
    }

    /// Runs a statement on a standby.
    pub(crate) fn execute_on(&self, standby: &str, sql: &str) {
        let mut client = connect(&self.runtime, &format!("{standby}/postgres"));
        attempt(&self.runtime, &mut client, sql).unwrap();
    }

    /// Waits until a standby has every change of this server. Another test may hold the standby up for some seconds.
    pub(crate) fn wait_for(&self, standby: &str) {
        let end = &self.texts("SELECT pg_current_wal_insert_lsn()::text")[0];
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
        let mut connection = self.runtime.block_on(PgConnection::connect(&format!("{standby}/postgres"))).unwrap();
        for _ in 0..3_000 {
            let row = self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql.clone())).fetch_one(&mut connection));
            if row.unwrap().get::<bool, _>(0) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{standby} did not reach {end}");
    }

    fn new(variable: &str, any_database: &str, seed: &str) -> Option<Server> {
        Some(Server::at(&address(variable)?, any_database, seed))
    }

    /// Creates a database on the server with this address.
    fn at(address: &str, any_database: &str, seed: &str) -> Server {
        // Every name has the same length, so that the layout of a report is the same in every run.
        let name = format!("fk_doctor_{:07}_{:04}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = connect(&runtime, &format!("{address}{any_database}"));
        let mut server = Server {
            address: address.to_owned(),
            name,
            bench: Bench::empty(),
            client: Mutex::new(client),
            other: Mutex::default(),
            runtime,
        };
        server.execute(&format!("CREATE DATABASE {}", server.name));
        server.client = Mutex::new(connect(&server.runtime, &server.url()));
        server.execute(seed);
        server
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.address.starts_with("postgres")
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.address, self.name)
    }

    /// Returns the same database, with another user.
    pub(crate) fn url_as(&self, user: &str) -> String {
        let (scheme, rest) = self.address.split_once("://").unwrap();
        let host = rest.split_once('@').unwrap().1;
        format!("{scheme}://{user}@{host}/{}", self.name)
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.attempt(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    pub(crate) fn attempt(&self, sql: &str) -> Result<(), sqlx::Error> {
        attempt(&self.runtime, &mut self.client.lock().unwrap(), sql)
    }

    /// Runs statements on a second connection. Its locks block the other sessions.
    pub(crate) fn beside(&self, sql: &str) {
        let mut other = self.other.lock().unwrap();
        let other = other.get_or_insert_with(|| connect(&self.runtime, &self.url()));
        attempt(&self.runtime, other, sql).unwrap();
    }

    /// Returns the first column of every row.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        self.column(sql, 0)
    }

    pub(crate) fn column(&self, sql: &str, place: usize) -> Vec<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let client = &mut *self.client.lock().unwrap();
        self.runtime.block_on(async {
            match client {
                Client::Postgres(connection) => {
                    sql.fetch_all(connection).await.unwrap().iter().map(|row| row.get(place)).collect()
                }
                Client::Mysql(connection) => {
                    sql.fetch_all(connection).await.unwrap().iter().map(|row| row.get(place)).collect()
                }
            }
        })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.bench.run(arguments)
    }

    pub(crate) fn scan(&self) -> (i32, serde_json::Value) {
        self.scan_at(&self.url())
    }

    pub(crate) fn scan_as(&self, user: &str) -> (i32, serde_json::Value) {
        self.scan_at(&self.url_as(user))
    }

    fn scan_at(&self, url: &str) -> (i32, serde_json::Value) {
        let run = self.run(&["scan", url, "--format", "json"]);
        let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        super::common::assert_obeys("scan", &report);
        (run.code, report)
    }
}

fn attempt(runtime: &Runtime, client: &mut Client, sql: &str) -> Result<(), sqlx::Error> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    runtime.block_on(async {
        match client {
            Client::Postgres(connection) => sql.execute(connection).await.map(|_| ()),
            Client::Mysql(connection) => sql.execute(connection).await.map(|_| ()),
        }
    })
}

fn connect(runtime: &Runtime, url: &str) -> Client {
    runtime.block_on(async {
        if url.starts_with("postgres") {
            Client::Postgres(PgConnection::connect(url).await.unwrap())
        } else {
            Client::Mysql(MySqlConnection::connect(url).await.unwrap())
        }
    })
}

impl Drop for Server {
    /// The database of a failed test stays until the servers are stopped.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let is_postgres = self.is_postgres();
        if is_postgres {
            self.client = Mutex::new(connect(&self.runtime, &format!("{}/postgres", self.address)));
        }
        let force = if is_postgres { " WITH (FORCE)" } else { "" };
        self.execute(&format!("DROP DATABASE {}{force}", self.name));
    }
}

/// Returns the codes of a report's findings above a note, sorted.
pub(crate) fn codes(report: &serde_json::Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    let grave = findings.filter(|finding| finding["severity"] != "note");
    let mut codes: Vec<&str> = grave.map(|finding| finding["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    codes
}

/// Returns every relation of a report and its number of orphans.
pub(crate) fn orphans(report: &serde_json::Value) -> Vec<(&str, u64)> {
    let relations = report["relations"].as_array().unwrap().iter();
    relations.map(|relation| (relation["id"].as_str().unwrap(), relation["orphan_rows"].as_u64().unwrap())).collect()
}

/// Scans. `expected` lists the codes of the findings above a note, sorted; they determine the exit code.
pub(crate) fn expect(server: &Server, expected: &[&str]) -> serde_json::Value {
    let (code, report) = server.scan();
    assert_eq!(codes(&report), expected, "{report:#}");
    let errors = report["findings"].as_array().unwrap().iter().any(|finding| finding["severity"] == "error");
    let unchecked = report["summary"]["unchecked"] != 0;
    assert_eq!(code, if unchecked { 4 } else { i32::from(errors) });
    report
}
