//! The databases of the bench on servers.

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::MySqlConnection;
use sqlx::PgConnection;
use sqlx::Row;
use tokio::runtime::Runtime;

use super::Target;
use super::numbers::numbers;

/// Returns the servers that the environment names.
pub(crate) fn all() -> Vec<Box<dyn Target>> {
    ["POSTGRES", "MARIADB", "MYSQL"].into_iter().filter_map(Server::open).map(|server| Box::new(server) as _).collect()
}

enum Client {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

/// Two databases on a server: one that is repaired, and one that the script changes.
struct Server {
    name: &'static str,
    /// The URL without a database.
    url: String,
    runtime: Runtime,
}

impl Server {
    fn open(name: &'static str) -> Option<Server> {
        let url = std::env::var(format!("FK_DOCTOR_TEST_{name}")).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Some(Server { name, url, runtime })
    }

    fn is_postgres(&self) -> bool {
        self.name == "POSTGRES"
    }

    async fn client(&self, database: &str) -> Client {
        let url = format!("{}/{database}", self.url);
        if self.is_postgres() {
            Client::Postgres(PgConnection::connect(&url).await.unwrap())
        } else {
            Client::Mysql(MySqlConnection::connect(&url).await.unwrap())
        }
    }

    fn execute(&self, database: &str, statements: &[String]) {
        self.runtime.block_on(async {
            let mut client = self.client(database).await;
            for statement in statements {
                let sql = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
                match &mut client {
                    Client::Postgres(connection) => sql.execute(connection).await.map(|_| ()),
                    Client::Mysql(connection) => sql.execute(connection).await.map(|_| ()),
                }
                .unwrap_or_else(|error| panic!("{error}: {statement}"));
            }
        });
    }

    /// Returns the statements that create a relation in which a third of all child rows are orphans, two to a missing key.
    fn relation(&self, n: u64, rows: u64) -> Vec<String> {
        let numbers = |count: u64| numbers(usize::try_from(count).unwrap());
        let divided = if self.is_postgres() { "/" } else { "DIV" };
        vec![
            format!("CREATE TABLE p{n}(id bigint PRIMARY KEY, name varchar(60) NOT NULL)"),
            format!(
                "CREATE TABLE c{n}(id bigint PRIMARY KEY, r bigint, note varchar(60), FOREIGN KEY (r) REFERENCES p{n}(id))"
            ),
            if self.is_postgres() { format!("CREATE INDEX ON c{n}(r)") } else { "DO 0".to_owned() },
            format!("INSERT INTO p{n} SELECT i, concat('parent ', i) FROM {}", numbers(rows)),
            format!(
                "INSERT INTO c{n} SELECT i, CASE WHEN i % 3 = 0 THEN 1000000000 + i {divided} 6 ELSE i * 7919 % {rows} + 1 END, \
                 concat('a note about row ', i) FROM {}",
                numbers(rows * 3)
            ),
            if self.is_postgres() { format!("ANALYZE p{n}, c{n}") } else { format!("ANALYZE TABLE p{n}, c{n}") },
        ]
    }
}

impl Target for Server {
    fn title(&self) -> String {
        self.name.to_owned()
    }

    fn create(&mut self, orphans: u64, relations: u64) {
        let (any, loose) = if self.is_postgres() {
            ("postgres", "SET session_replication_role = replica")
        } else {
            ("", "SET foreign_key_checks = 0")
        };
        for database in ["fk_doctor_bench", "fk_doctor_hand"] {
            let anew = ["DROP DATABASE IF EXISTS", "CREATE DATABASE"].map(|verb| format!("{verb} {database}"));
            self.execute(any, &anew);
            let mut statements = vec![loose.to_owned()];
            statements.extend((0..relations).flat_map(|n| self.relation(n, orphans / relations)));
            self.execute(database, &statements);
        }
    }

    fn address(&self) -> String {
        format!("{}/fk_doctor_bench", self.url)
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    fn content(&mut self, relations: u64) -> Vec<i64> {
        let of = if self.is_postgres() { "bigint" } else { "signed" };
        self.runtime.block_on(async {
            let mut client = self.client("fk_doctor_bench").await;
            let mut sums = Vec::new();
            for n in 0..relations {
                for (value, table) in
                    [("id * 31 + coalesce(r, -7) * 17 + length(note)", "c"), ("id * 31 + length(name)", "p")]
                {
                    let sql = format!("SELECT CAST(coalesce(sum({value}), 0) % 1000000007 AS {of}) FROM {table}{n}");
                    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
                    sums.push(match &mut client {
                        Client::Postgres(connection) => sql.fetch_one(connection).await.unwrap().get(0),
                        Client::Mysql(connection) => sql.fetch_one(connection).await.unwrap().get(0),
                    });
                }
            }
            sums
        })
    }

    fn script(&mut self, statements: &[String]) {
        // MySQL takes `||` for OR, unless its mode says otherwise.
        let mode = if self.is_postgres() { "BEGIN" } else { "SET sql_mode = 'PIPES_AS_CONCAT'; BEGIN" };
        let all: Vec<String> =
            [mode.to_owned()].into_iter().chain(statements.iter().cloned()).chain(["COMMIT".to_owned()]).collect();
        self.execute("fk_doctor_hand", &all);
    }
}
