//! An application that writes to a database from several clients at once, and measures its transactions. The benches use it too.

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
    let numbers = |count: usize| {
        if is_postgres {
            format!("generate_series(1, {count}) AS number(i)")
        } else {
            format!("(SELECT seq AS i FROM seq_1_to_{count}) AS number")
        }
    };
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

/// Does some work while clients write to the tables of [`seed`]. Returns the transactions of the clients.
pub(crate) fn beside<T>(url: &str, clients: usize, rows: usize, work: impl FnOnce() -> T) -> (T, Load) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients)
            .map(|client| {
                let is_over = &is_over;
                scope.spawn(move || write_until(url, client, rows, is_over))
            })
            .collect();
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let mut all = Load::default();
        for client in running {
            let load = client.join().unwrap();
            all.durations.extend(load.durations);
            all.failures.extend(load.failures);
        }
        (done, all)
    })
}

enum Client {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

/// Writes parents before children, and children before parents, until the work is over.
fn write_until(url: &str, client: usize, rows: usize, is_over: &AtomicBool) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = Rng::with_seed(client as u64);
    let mut load = Load::default();
    runtime.block_on(async {
        let mut connection = if url.starts_with("postgres") {
            Client::Postgres(PgConnection::connect(url).await.unwrap())
        } else {
            Client::Mysql(MySqlConnection::connect(url).await.unwrap())
        };
        while !is_over.load(Ordering::Relaxed) {
            let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
            let (child, parent) = (random.usize(1..=rows), random.usize(1..=PARENTS));
            // A row gets the values that it has: it is locked, and equals its image.
            let touched = format!("UPDATE c SET note = note WHERE id = {child}");
            let statements = match random.u8(..3) {
                0 => [touched, format!("UPDATE p SET name = name WHERE id = {parent}")],
                1 => [format!("UPDATE p SET name = name WHERE id = {parent}"), touched],
                _ => [
                    format!("INSERT INTO p VALUES ({key}, 'new')"),
                    format!("INSERT INTO c VALUES ({key}, {key}, 'new')"),
                ],
            };
            let start = Instant::now();
            let mut outcome = Ok(());
            for statement in ["BEGIN".to_owned()].into_iter().chain(statements).chain(["COMMIT".to_owned()]) {
                let sql = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
                let answer = match &mut connection {
                    Client::Postgres(connection) => sql.execute(connection).await.map(|_| ()),
                    Client::Mysql(connection) => sql.execute(connection).await.map(|_| ()),
                };
                if let Err(error) = answer {
                    outcome = Err(format!("{statement}: {error}"));
                    break;
                }
            }
            load.durations.push(start.elapsed());
            if let Err(failure) = outcome {
                load.failures.push(failure);
                let rollback = sqlx::raw_sql("ROLLBACK");
                let _ = match &mut connection {
                    Client::Postgres(connection) => rollback.execute(connection).await.map(|_| ()),
                    Client::Mysql(connection) => rollback.execute(connection).await.map(|_| ()),
                };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    load
}
