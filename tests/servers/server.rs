//! What the tests of servers share: a database of one's own on a throw-away server, and the real binary run on it.
//!
//! `tests/run` starts the servers. Without it these tests do nothing, and say so.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::io::Write;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::PgConnection;
use sqlx::Row;
use tokio::runtime::Runtime;

use super::common::Bench;
use super::common::Run;

pub(crate) struct Server {
    /// Of the server itself, without a database.
    address: String,
    pub(crate) name: String,
    pub(crate) bench: Bench,
    runtime: Runtime,
}

/// The address of a server, if there is one.
pub(crate) fn address(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        assert!(std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "{variable} is not set");
        // Written past the test runner, which keeps quiet about tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: no server in {variable}; tests/run starts one");
    }
    address
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// A new PostgreSQL database made by this SQL; `None` without a server.
    pub(crate) fn postgres(seed: &str) -> Option<Server> {
        let address = address("FK_DOCTOR_TEST_POSTGRES")?;
        let name = format!("fk_doctor_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = Server { address, name, bench: Bench::new(""), runtime: runtime() };
        server.execute_on("postgres", &format!("CREATE DATABASE {}", server.name));
        server.execute(seed);
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.address, self.name)
    }

    /// The same database, as another user.
    pub(crate) fn url_as(&self, user: &str) -> String {
        self.url().replace("//postgres@", &format!("//{user}@"))
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.execute_on(&self.name, sql);
    }

    fn execute_on(&self, database: &str, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&format!("{}/{database}", self.address)).await.unwrap();
            let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
            done.unwrap_or_else(|error| panic!("{error}: {sql}"));
            connection.close().await.unwrap();
        });
    }

    /// The first column of every row.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.bench.run(arguments)
    }

    pub(crate) fn scan(&self) -> (i32, serde_json::Value) {
        self.scan_as("postgres")
    }

    pub(crate) fn scan_as(&self, user: &str) -> (i32, serde_json::Value) {
        let run = self.run(&["scan", &self.url_as(user), "--format", "json"]);
        let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        super::common::assert_obeys("scan", &report);
        (run.code, report)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.execute_on("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}
