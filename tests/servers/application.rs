//! An application that writes to a database from several clients at once, and measures its transactions. The benches use it too.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use fastrand::Rng;
use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::MySqlConnection;
use sqlx::PgConnection;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use super::numbers::numbers;

/// The number of rows of `p`.
pub(crate) const PARENTS: usize = 2_000;

/// The key of the next new row.
static NEXT_KEY: AtomicUsize = AtomicUsize::new(10_000_000);

/// The transactions of an application.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) durations: Vec<Duration>,
    pub(crate) failures: Vec<String>,
}

impl Load {
    pub(crate) fn add(&mut self, more: Load) {
        self.durations.extend(more.durations);
        self.failures.extend(more.failures);
    }

    /// Returns the duration that 99 of 100 transactions do not exceed.
    #[allow(dead_code, reason = "only a bench prints it")]
    pub(crate) fn p99(&self) -> Duration {
        let mut sorted = self.durations.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
    }
}

/// Returns the SQL of a database in which a third of the `rows` of `c` are orphans, two to a missing key.
pub(crate) fn seed(is_postgres: bool, rows: usize) -> String {
    let divided = if is_postgres { "/" } else { "DIV" };
    format!(
        "CREATE TABLE p(id int PRIMARY KEY, name varchar(40)); \
         CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(60), FOREIGN KEY (r) REFERENCES p(id)); \
         {} \
         INSERT INTO p SELECT i, concat('parent ', i) FROM {}; \
         INSERT INTO c SELECT i, CASE WHEN i % 3 = 0 THEN 1000000 + i {divided} 6 ELSE 1 + i % {PARENTS} END, \
         concat('a note about row ', i) FROM {}",
        if is_postgres { "CREATE INDEX ON c(r);" } else { "" },
        numbers(PARENTS),
        numbers(rows),
    )
}

/// Does some work while clients write to the tables of [`seed`]. Returns the transactions of the clients. The work begins when
/// each client has made its first transaction, which does not count: it reads the catalog of the server.
pub(crate) fn beside<T>(url: &str, clients: usize, rows: usize, work: impl FnOnce() -> T) -> (T, Load) {
    let is_over = AtomicBool::new(false);
    let all_write = Barrier::new(clients + 1);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients)
            .map(|client| {
                let (is_over, all_write) = (&is_over, &all_write);
                scope.spawn(move || {
                    let mut client = Client::connect(url, client as u64);
                    let mut first = Load::default();
                    client.write(rows, &mut first);
                    all_write.wait();
                    let mut load = Load { durations: Vec::new(), ..first };
                    while !is_over.load(Ordering::Relaxed) {
                        client.write(rows, &mut load);
                    }
                    load
                })
            })
            .collect();
        all_write.wait();
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let mut all = Load::default();
        for client in running {
            all.add(client.join().unwrap());
        }
        (done, all)
    })
}

/// A client of the application: its connection, and what it writes next.
struct Client {
    connection: Connected,
    runtime: Runtime,
    random: Rng,
}

enum Connected {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

impl Client {
    fn connect(url: &str, seed: u64) -> Client {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = if url.starts_with("postgres") {
            Connected::Postgres(runtime.block_on(PgConnection::connect(url)).unwrap())
        } else {
            Connected::Mysql(runtime.block_on(MySqlConnection::connect(url)).unwrap())
        };
        Client { connection, runtime, random: Rng::with_seed(seed) }
    }

    /// Writes a parent before a child, or a child before a parent, in one transaction; then pauses.
    fn write(&mut self, rows: usize, load: &mut Load) {
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let (child, parent) = (self.random.usize(1..=rows), self.random.usize(1..=PARENTS));
        // A row gets the values that it has: it is locked, and equals its image.
        let touched = format!("UPDATE c SET note = note WHERE id = {child}");
        let statements = match self.random.u8(..3) {
            0 => [touched, format!("UPDATE p SET name = name WHERE id = {parent}")],
            1 => [format!("UPDATE p SET name = name WHERE id = {parent}"), touched],
            _ => {
                [format!("INSERT INTO p VALUES ({key}, 'new')"), format!("INSERT INTO c VALUES ({key}, {key}, 'new')")]
            }
        };
        let start = Instant::now();
        let all = ["BEGIN".to_owned()].into_iter().chain(statements).chain(["COMMIT".to_owned()]);
        let failure = all.map(|statement| self.execute(statement)).find_map(Result::err);
        load.durations.push(start.elapsed());
        if let Some(failure) = failure {
            load.failures.push(failure);
            let _ = self.execute("ROLLBACK".to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    fn execute(&mut self, statement: String) -> Result<(), String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
        let answer = match &mut self.connection {
            Connected::Postgres(connection) => self.runtime.block_on(sql.execute(connection)).map(|_| ()),
            Connected::Mysql(connection) => self.runtime.block_on(sql.execute(connection)).map(|_| ()),
        };
        answer.map_err(|error| format!("{statement}: {error}"))
    }
}
