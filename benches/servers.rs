//! How long a scan takes beside the servers' own ways to check a foreign key, on rows without an orphan, so that these
//! have to look at all of them: `tests/run with cargo bench --bench servers`.
//!
//! All ways take turns on the same server, each as a program that connects, ours and the server's own client; the medians
//! are printed, and their ratios, for a small child (1,000 rows) and a large one. `FK_DOCTOR_ROWS` sets the rows of the large one (1,000,000),
//! `FK_DOCTOR_ROUNDS` the rounds (5).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::MySqlConnection;
use sqlx::PgConnection;

mod measure;

use measure::number;

/// What the rows are, and the SQL that makes them; `ROWS` and `PARENTS` stand for how many.
const POSTGRES: [(&str, &str); 2] = [
    (
        "integer keys",
        "CREATE TABLE p(id bigint PRIMARY KEY, name text);
         INSERT INTO p SELECT i, 'parent number ' || i FROM generate_series(1, PARENTS) AS i;
         CREATE TABLE c(id bigint, r bigint, note text);
         INSERT INTO c SELECT i, 1 + floor(random() * PARENTS), 'a note of some length about row ' || i FROM generate_series(1, ROWS) AS i",
    ),
    (
        "text keys",
        "CREATE TABLE p(id text PRIMARY KEY, name text);
         INSERT INTO p SELECT md5(i::text), 'parent number ' || i FROM generate_series(1, PARENTS) AS i;
         CREATE TABLE c(id bigint, r text, note text);
         INSERT INTO c SELECT i, md5((1 + floor(random() * PARENTS))::int::text), 'a note' FROM generate_series(1, ROWS) AS i",
    ),
];
const POSTGRES_AFTER: &str =
    "ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY (r) REFERENCES p NOT VALID; VACUUM (ANALYZE) p, c";
const VALIDATE: &str = "BEGIN; ALTER TABLE c VALIDATE CONSTRAINT fk; ROLLBACK";

const MARIADB: [(&str, &str); 1] = [(
    "integer keys",
    "CREATE TABLE p(id bigint PRIMARY KEY, name varchar(40));
     INSERT INTO p SELECT seq, concat('parent number ', seq) FROM seq_1_to_PARENTS;
     SET foreign_key_checks = 0;
     CREATE TABLE c(id bigint PRIMARY KEY, r bigint, note varchar(60), FOREIGN KEY (r) REFERENCES p(id));
     INSERT INTO c SELECT seq, 1 + floor(rand() * PARENTS), concat('a note of some length about row ', seq) FROM seq_1_to_ROWS;
     CREATE TABLE plain(id bigint PRIMARY KEY, r bigint, KEY (r)); INSERT INTO plain SELECT id, r FROM c;
     SET foreign_key_checks = 1; ANALYZE TABLE p, c",
)];
const NOT_EXISTS: &str = "SELECT count(*) FROM c WHERE r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p WHERE p.id = c.r)";
const ADD_CONSTRAINT: &str =
    "ALTER TABLE plain ADD CONSTRAINT added FOREIGN KEY (r) REFERENCES p(id); ALTER TABLE plain DROP FOREIGN KEY added";

enum Client {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

impl Client {
    async fn open(url: &str) -> Client {
        if url.starts_with("postgres") {
            Client::Postgres(PgConnection::connect(url).await.unwrap())
        } else {
            Client::Mysql(MySqlConnection::connect(url).await.unwrap())
        }
    }

    async fn run(&mut self, sql: &str) {
        // VACUUM runs alone.
        for statement in sql.split(';') {
            let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
            match self {
                Client::Postgres(connection) => drop(statement.execute(connection).await.unwrap()),
                Client::Mysql(connection) => drop(statement.execute(connection).await.unwrap()),
            }
        }
    }
}

fn client_program(url: &str, sql: &str) -> Command {
    let mut program;
    if url.starts_with("postgres") {
        program = Command::new("psql");
        program.args(["--no-psqlrc", "--quiet", url]);
        program.args(sql.split("; ").flat_map(|statement| ["--command", statement]));
    } else {
        program = Command::new("mariadb");
        let (_, place) = url.split_once("@").unwrap();
        let (host, database) = place.split_once('/').unwrap();
        let (host, port) = host.split_once(':').unwrap();
        program.args(["--no-defaults", "--user=root", "--host", host, "--port", port, database, "--execute", sql]);
    }
    program
}

/// One kind of rows: the scan beside each of the server's ways.
async fn compare(address: &str, any_database: &str, title: &str, seed: &str, ways: &[(&str, &str)]) {
    for rows in [1_000, number("FK_DOCTOR_ROWS", 1_000_000)] {
        compare_rows(address, any_database, title, seed, ways, rows).await;
    }
}

async fn compare_rows(address: &str, any_database: &str, title: &str, seed: &str, ways: &[(&str, &str)], rows: u64) {
    let rounds = number("FK_DOCTOR_ROUNDS", 5);
    let seed = seed.replace("ROWS", &rows.to_string()).replace("PARENTS", &(rows / 10).to_string());
    let mut client = Client::open(&format!("{address}{any_database}")).await;
    client.run("CREATE DATABASE fk_doctor_bench").await;
    let url = format!("{address}/fk_doctor_bench");
    Client::open(&url).await.run(&seed).await;
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); 1 + ways.len()];
    for _ in 0..rounds {
        let start = Instant::now();
        let scan = Command::new(env!("CARGO_BIN_EXE_fk-doctor")).args(["scan", &url]).output().unwrap();
        assert!(scan.status.success(), "{}", String::from_utf8_lossy(&scan.stdout));
        times[0].push(start.elapsed());
        for (place, (_, sql)) in ways.iter().enumerate() {
            let mut theirs = client_program(&url, sql);
            let start = Instant::now();
            let answer = theirs.output().unwrap();
            times[1 + place].push(start.elapsed());
            assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        }
    }
    client.run("DROP DATABASE fk_doctor_bench").await;
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    };
    let ours = median(&mut times[0]);
    println!("{title}, {rows} rows: fk-doctor {ours:.3} s");
    for ((name, _), times) in ways.iter().zip(&mut times[1..]) {
        let theirs = median(times);
        println!("    {name} {theirs:.3} s, {:.1} times as long", theirs / ours);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Ok(address) = std::env::var("FK_DOCTOR_TEST_POSTGRES") {
        for (description, seed) in POSTGRES {
            let seed = format!("{seed}; {POSTGRES_AFTER}");
            let ways = [("VALIDATE CONSTRAINT", VALIDATE)];
            runtime.block_on(compare(&address, "/postgres", &format!("PostgreSQL, {description}"), &seed, &ways));
        }
    }
    if let Ok(address) = std::env::var("FK_DOCTOR_TEST_MARIADB") {
        for (description, seed) in MARIADB {
            let ways = [("NOT EXISTS", NOT_EXISTS), ("ADD CONSTRAINT", ADD_CONSTRAINT)];
            runtime.block_on(compare(&address, "", &format!("MariaDB, {description}"), seed, &ways));
        }
    }
}
