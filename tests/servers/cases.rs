//! Runs the cases under `fixtures/` on the servers that they name. `case.rs` and `case_run.rs` do the work.

use super::case;
use super::case::Case;
use super::case::Engine;
use super::case_run;
use super::case_run::Database;
use super::common::Bench;
use super::patient::Kind;
use super::patient::Patient;

impl Database for Patient {
    fn bench(&self) -> &Bench {
        &self.server.bench
    }

    fn address(&self) -> String {
        self.server.url()
    }

    fn name(&self) -> String {
        self.server.name.clone()
    }

    fn version(&self) -> String {
        let version = match self.kind {
            Kind::Postgres => "SELECT current_setting('server_version')",
            Kind::Mariadb | Kind::Mysql => "SELECT CAST(version() AS CHAR)",
        };
        self.server.texts(version)[0].split([' ', '-']).next().unwrap().to_owned()
    }

    fn execute(&self, sql: &str) {
        self.server.execute(&self.kind.unenforced(sql));
    }

    fn query(&self, sql: &str) -> Vec<String> {
        self.server.texts(sql)
    }

    fn dump(&self) -> String {
        Patient::dump(self).join("\n")
    }

    /// The bytes of a server's files are not compared, because a server may write at any time.
    fn bytes(&self) -> Vec<u8> {
        Vec::new()
    }
}

fn on(engine: Engine, kind: Kind) -> usize {
    let cases = case::selected().into_iter().filter(|case| case.engines.contains(&engine));
    let (mut wrong, mut run) = (Vec::new(), 0);
    for case in cases {
        let Some(patient) = Patient::new(kind, &case.seed(engine)) else { continue };
        wrong.extend(case_run::differences(&case, engine, &patient, case_run::blesses()));
        run += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    run
}

/// If no server of an engine is available, `Patient::new` reports why no case was run.
#[test]
fn server_cases_print_expected_files() {
    let run =
        [on(Engine::Postgres, Kind::Postgres), on(Engine::Mariadb, Kind::Mariadb), on(Engine::Mysql, Kind::Mysql)];
    println!("cases run on PostgreSQL, MariaDB and MySQL: {run:?}");
}

/// If servers are required, every case runs on at least one engine. SQLite is always available.
#[test]
fn case_runs_on_at_least_one_engine() {
    let is_here = |engine: &Engine| {
        let variable = match engine {
            Engine::Sqlite => return true,
            Engine::Postgres => "FK_DOCTOR_TEST_POSTGRES",
            Engine::Mariadb => "FK_DOCTOR_TEST_MARIADB",
            Engine::Mysql => "FK_DOCTOR_TEST_MYSQL",
        };
        std::env::var_os(variable).is_some()
    };
    let left: Vec<Case> = case::selected().into_iter().filter(|case| !case.engines.iter().any(is_here)).collect();
    let names: Vec<&str> = left.iter().map(|case| case.name.as_str()).collect();
    assert!(names.is_empty() || std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "no engine runs {names:?}");
}
