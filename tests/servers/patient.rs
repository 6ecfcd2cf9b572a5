//! A database on a server, and the steps of a repair on it, for every kind of server.

use super::common::Run;
use super::server::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Mariadb,
    Mysql,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Postgres, Kind::Mariadb, Kind::Mysql];
pub(crate) const MYSQL_FAMILY: [Kind; 2] = [Kind::Mariadb, Kind::Mysql];

impl Kind {
    /// Runs these statements while no foreign key is enforced.
    pub(crate) fn unenforced(self, sql: &str) -> String {
        let (loose, strict) = match self {
            Kind::Postgres => ("SET session_replication_role = replica", "SET session_replication_role = origin"),
            Kind::Mariadb | Kind::Mysql => {
                // MySQL reports cached counters by default.
                (
                    "SET foreign_key_checks = 0 /*!80000 , information_schema_stats_expiry = 0 */",
                    "SET foreign_key_checks = 1",
                )
            }
        };
        format!("{loose}; {}; {strict}", sql.trim_end().trim_end_matches(';'))
    }
}

pub(crate) struct Patient {
    pub(crate) server: Server,
    pub(crate) kind: Kind,
}

impl Patient {
    /// Creates a database with this SQL while no foreign key is enforced; `None` without a server.
    pub(crate) fn new(kind: Kind, seed: &str) -> Option<Patient> {
        let seed = kind.unenforced(seed);
        let server = match kind {
            Kind::Postgres => Server::postgres(&seed),
            Kind::Mariadb => Server::mariadb(&seed),
            Kind::Mysql => Server::mysql(&seed),
        }?;
        Some(Patient { server, kind })
    }

    pub(crate) fn rules(&self, rules: &str) {
        self.server.bench.write("r.toml", rules);
    }

    /// Repairs the orphans of `c(r)` by these treatments, checks the result, and undoes it.
    pub(crate) fn treated(&self, treatments: &str, look: impl FnOnce()) {
        self.rules(&rule("c(r)", treatments));
        let before = self.dump();
        self.repair();
        look();
        self.take_back(&before);
    }

    fn tables(&self) -> Vec<String> {
        self.server.texts(match self.kind {
            Kind::Postgres => "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'fk_doctor_state' ORDER BY 1",
            Kind::Mariadb | Kind::Mysql => "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE' AND table_name <> 'fk_doctor_state' ORDER BY CAST(table_name AS BINARY)",
        })
    }

    /// Returns every value of every table. Counters are omitted, because they are never reset.
    pub(crate) fn dump(&self) -> Vec<String> {
        let mut dump = Vec::new();
        for table in self.tables() {
            let rows = match self.kind {
                Kind::Postgres => {
                    // A table may have a column of any plain name.
                    format!(
                        "SELECT \"the row\"::text FROM \"{table}\" AS \"the row\" ORDER BY \"the row\"::text COLLATE \"C\""
                    )
                }
                Kind::Mariadb | Kind::Mysql => {
                    let columns = self.server.texts(&format!(
                        "SELECT CONCAT('coalesce(hex(CAST(`', column_name, '` AS BINARY)), ''NULL'')') FROM information_schema.columns \
                         WHERE table_schema = database() AND table_name = '{table}' ORDER BY ordinal_position"
                    ));
                    let row = format!("concat_ws(', ', {})", columns.join(", "));
                    format!("SELECT {row} AS `the row` FROM `{table}` ORDER BY CAST(`the row` AS BINARY)")
                }
            };
            dump.push(table);
            dump.extend(self.server.texts(&rows));
        }
        dump
    }

    /// Replaces an earlier plan of the test.
    pub(crate) fn plan(&self) -> Run {
        let _ = std::fs::remove_file(self.server.bench.path("plan.ndjson.begun"));
        let _ = std::fs::remove_file(self.server.bench.path("plan.ndjson"));
        self.server.run(&["repair", &self.server.url(), "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite"])
    }

    pub(crate) fn apply(&self, options: &[&str]) -> Run {
        self.server.run(&[&["apply", &self.server.url(), "plan.ndjson"], options].concat())
    }

    pub(crate) fn undo(&self, options: &[&str]) -> Run {
        self.server.run(&[&["undo", &self.server.url(), "plan.ndjson"], options].concat())
    }

    /// Lets an account make plans, which takes two connections: MySQL shows few users that they read the same snapshot.
    pub(crate) fn let_plan(&self, account: &str) {
        if self.kind == Kind::Mysql {
            self.server.execute(&format!("GRANT PROCESS ON *.* TO {account}"));
        }
    }

    /// Makes a plan for everything, and applies nothing.
    pub(crate) fn planned(&self) {
        let before = self.dump();
        let planned = self.plan();
        assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{:?}\n{}", self.kind, planned.stdout);
        assert_eq!(self.dump(), before, "{:?}: a dry run writes nothing", self.kind);
    }

    /// Plans, applies and checks the result.
    pub(crate) fn repair(&self) {
        self.planned();
        let applied = self.apply(&[]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{:?}\n{}", self.kind, applied.stdout);
        assert_eq!(self.orphans(), 0, "{:?}", self.kind);
        let healed = self.dump();
        let again = self.apply(&[]);
        assert_eq!(again.code, 0, "{:?}\n{}", self.kind, again.stderr);
        assert_eq!(self.dump(), healed, "{:?}: applying twice changes nothing", self.kind);
    }

    pub(crate) fn take_back(&self, before: &[String]) {
        let undone = self.undo(&[]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{:?}\n{}", self.kind, undone.stdout);
        assert_eq!(self.dump(), before, "{:?}: undo restores every value", self.kind);
    }

    pub(crate) fn orphans(&self) -> u64 {
        self.server.scan().1["summary"]["orphan_rows"].as_u64().unwrap()
    }

    /// Checks that these treatments decide nothing for `c(r)`, for this reason, and that nothing is applied.
    pub(crate) fn undecided(&self, treatments: &str, why: &str) {
        self.rules(&rule("c(r)", treatments));
        let before = self.dump();
        let planned = self.plan();
        assert_eq!(planned.code, 1, "{:?}\n{}{}", self.kind, planned.stdout, planned.stderr);
        let text = super::common::in_one_line(&planned.stdout);
        assert!(text.contains(why), "{:?}: {text}", self.kind);
        assert_eq!(self.apply(&[]).code, 5);
        assert_eq!(self.dump(), before, "{:?}", self.kind);
    }

    /// Checks that the plan is refused, and that nothing is changed.
    pub(crate) fn refused(&self, why: &str) {
        let before = self.dump();
        let run = self.apply(&[]);
        assert_eq!(run.code, 5, "{:?}\n{}{}", self.kind, run.stdout, run.stderr);
        assert!(run.stderr.contains(why), "{:?}: {}", self.kind, run.stderr);
        assert_eq!(self.dump(), before, "{:?}", self.kind);
    }

    /// Waits until the program waits for a lock of another session, or has ended.
    pub(crate) fn until_it_waits<T>(&self, running: &std::thread::ScopedJoinHandle<'_, T>) {
        let waiting = match self.kind {
            Kind::Postgres => {
                "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() \
                 AND application_name = 'fk-doctor' AND wait_event_type = 'Lock'"
            }
            Kind::Mariadb | Kind::Mysql => {
                "SELECT CAST(p.id AS CHAR) FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p \
                 ON p.id = t.trx_mysql_thread_id WHERE p.db = database() AND t.trx_state = 'LOCK WAIT'"
            }
        };
        // MariaDB refreshes its list of waiting transactions only after a tenth of a second without a query.
        while !running.is_finished() && self.server.texts(waiting).is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
    }

    /// Returns the values of one column, ordered by id.
    pub(crate) fn column(&self, table: &str, column: &str) -> String {
        let of = if self.kind == Kind::Postgres { "text" } else { "char(80)" };
        let values = format!("SELECT coalesce(CAST({column} AS {of}), 'null') FROM {table} ORDER BY id");
        self.server.texts(&values).join(",")
    }
}

/// Runs a test on every kind of server.
pub(crate) fn on_each(seed: &str, test: impl Fn(&Patient)) {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        test(&patient);
    }
}

/// Returns a rule for one relation without limits. A treatment begins with its action.
pub(crate) fn rule(child: &str, treatments: &str) -> String {
    let treatments = treatments.replace("action = ", "[[treat]]\naction = ");
    format!(
        "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"{child}\"\n[limits]\nmax-share = 1.0\n{treatments}\n"
    )
}

/// Returns a rule for `c(r)` that may change many rows.
pub(crate) fn unlimited(treatments: &str) -> String {
    rule("c(r)", treatments).replace("[limits]", "[limits]\nmax-rows = 100000")
}
