//! Changes in sets and changes row by row give the same database, the same record, the same exit code and the same messages: on
//! random schemas and plans, for apply and undo, in batches of any size, after other programs wrote, and after a run was cut off.
//!
//! `FK_DOCTOR_CASES` sets the number of cases, `FK_DOCTOR_FIRST` the first.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::print_stdout, reason = "how much was tried is a figure to report")]

use crate::common;
use crate::cut_plans;
use crate::generated;
use crate::judge;
use crate::meddling;

use std::collections::BTreeMap;
use std::sync::Mutex;

use common::Bench;
use fastrand::Rng;
use fk_doctor::internals::apply::Direction;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::model::progress::ProgressStep;
use fk_doctor::internals::model::progress::RunPhase;
use fk_doctor::internals::run;
use judge::Layout;
use judge::Literals;
use meddling::World;
use rusqlite::Connection;

/// The record of the plan, without the names and times of runs.
fn record(bench: &Bench) -> String {
    let database = Connection::open(bench.path("app.db")).unwrap();
    let question = "SELECT group_concat(number || ' ' || direction || ' ' || first || '-' || last || ' ' || changed || ' ' || \"left\", char(10)) \
                    FROM (SELECT * FROM fk_doctor_state ORDER BY number)";
    database.query_row(question, [], |row| row.get::<_, Option<String>>(0)).ok().flatten().unwrap_or_default()
}

/// Two copies of a database and of its plan. One is changed in sets, the other row by row.
struct Twins {
    sets: Bench,
    rows: Bench,
}

impl Twins {
    fn of(bench: Bench) -> Twins {
        let rows = Bench::empty();
        for file in ["app.db", "plan.ndjson"] {
            std::fs::copy(bench.path(file), rows.path(file)).unwrap();
        }
        Twins { sets: bench, rows }
    }

    fn execute(&self, sql: &str, enforced: bool) {
        let outcomes = [&self.sets, &self.rows].map(|bench| World::write(bench, sql, enforced));
        assert_eq!(outcomes[0], outcomes[1], "{sql}");
    }

    /// Runs a command on both, and compares everything that can be seen. Returns the exit code.
    fn run(&self, arguments: &[&str], context: &str) -> i32 {
        let sets = self.sets.run(&[arguments, &["--moved"]].concat());
        let rows = self.rows.run(&[arguments, &["--moved", "--row-by-row"]].concat());
        let context =
            format!("{context}\n{arguments:?}\n{}{}\n{}{}", sets.stdout, sets.stderr, rows.stdout, rows.stderr);
        assert_eq!(sets.code, rows.code, "{context}");
        assert_eq!(self.sets.dump(), self.rows.dump(), "{context}");
        assert_eq!(record(&self.sets), record(&self.rows), "{context}");
        assert_eq!(sets.stderr, rows.stderr, "{context}");
        sets.code
    }
}

/// Triggers that write a log, so that a change changes a further row.
fn log_triggers(random: &mut Rng, made: &generated::Made) -> String {
    let mut sql = "CREATE TABLE log(what);\n".to_owned();
    for table in &made.tables {
        if random.u8(0..4) > 0 {
            continue;
        }
        let event = random.choice(["INSERT", "UPDATE", "DELETE"]).unwrap();
        let name = &table.name;
        sql.push_str(&format!(
            "CREATE TRIGGER log_{name} AFTER {event} ON {name} BEGIN INSERT INTO log VALUES ('{name}'); END;\n"
        ));
    }
    sql
}

#[test]
fn changes_in_sets_equal_changes_row_by_row() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (cases, first): (u64, u64) = (number("FK_DOCTOR_CASES", 40), number("FK_DOCTOR_FIRST", 0));
    let mut codes: BTreeMap<(String, i32), usize> = BTreeMap::new();
    let mut tried = 0;
    for seed in first..first + cases {
        let mut random = Rng::with_seed(seed);
        let made = generated::schema(&mut random);
        let logs = if random.u8(0..4) == 0 { log_triggers(&mut random, &made) } else { String::new() };
        let sql = made.sql() + &cut_plans::fuses(&made) + &logs;
        let bench = Bench::new(&format!(
            "{sql}CREATE TABLE map(old, new); INSERT INTO map VALUES (1, 2), (2, 3), (5, 1), (6, 6), ('7', '1');"
        ));
        generated::rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
        let rules = generated::rules(&mut random, &made, false);
        bench.write("r.toml", &rules);
        let layout = Layout::new(&made, Literals::Typed);
        let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        let plan = if [0, 1].contains(&planned.code) {
            judge::plan(&bench.path("plan.ndjson"), &layout)
        } else {
            BTreeMap::new()
        };
        if plan.is_empty() {
            continue;
        }
        tried += 1;
        let twins = Twins::of(bench);
        let lines = crate::plan_lines::changes(&twins.sets.path("plan.ndjson"));
        let mut shown = format!("seed {seed}\n{sql}\n{rules}\n{}", twins.sets.dump());
        for command in ["apply", "undo", "apply", "undo"] {
            if random.bool() {
                let state = twins.sets.state(&layout);
                if let Some(sql) = meddling::meddling(&mut random, &layout, &plan, &state) {
                    shown.push_str(&format!("\n{sql}"));
                    twins.execute(&sql, random.bool());
                }
            }
            let line = random.choice(&lines).filter(|_| random.u8(0..3) == 0);
            let line = line.filter(|line| made.tables.iter().any(|table| line["table"] == *table.name));
            let batch = random.usize(1..7).to_string();
            let mut arguments = vec![command, "app.db", "plan.ndjson", "--no-backup"];
            if random.u8(0..3) > 0 {
                arguments.extend(["--batch", &batch]);
            }
            arguments.extend(random.bool().then_some("--skip-changed"));
            arguments.extend((command == "apply").then_some("--leave-undecided"));
            if let Some(line) = line {
                cut_plans::arm(&twins.sets, line);
                cut_plans::arm(&twins.rows, line);
                shown.push_str(&format!("\ncut at {line}"));
                let code = twins.run(&arguments, &shown);
                *codes.entry((format!("{command}, cut off"), code)).or_default() += 1;
                twins.execute("DELETE FROM fuse", false);
            }
            shown.push_str(&format!("\n{arguments:?}"));
            let code = twins.run(&arguments, &shown);
            *codes.entry((command.to_owned(), code)).or_default() += 1;
        }
    }
    println!("{tried} plans run in sets and row by row, exit codes {codes:?}");
    assert!(cases < 40 || tried > 20, "the cases are worth comparing");
}

/// Applies a plan without those rows that the database refuses. Returns the steps of the changes.
fn steps_of_apply(bench: &Bench, options: &[&str]) -> Vec<u64> {
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let (database, plan) = (path("app.db"), path("plan.ndjson"));
    let typed = [&["fk-doctor", "apply", &database, &plan, "--no-backup", "--skip-changed"], options].concat();
    let cli = <Cli as clap::Parser>::try_parse_from(typed).unwrap();
    let Command::Apply(typed) = &cli.command else { unreachable!() };
    let environment = run::Environment { directory: bench.path("."), cores: 2, ..run::Environment::default() };
    let steps: Mutex<Vec<u64>> = Mutex::default();
    let progress = |step: &ProgressStep<'_>| {
        if step.phase == RunPhase::ChangeRows {
            steps.lock().unwrap().push(step.done);
        }
    };
    let outcome = run::apply(Direction::Apply, &typed.run, typed.admission, &cli.global, &environment, &progress);
    assert_eq!(outcome.unwrap().exit.code(), 6, "{options:?}");
    steps.into_inner().unwrap()
}

/// A trigger refuses rows of several sets. Each set with such a row is taken back and divided. No other set is changed again, neither
/// of the same transaction nor of an earlier one.
#[test]
fn row_that_the_database_refuses_costs_only_its_set() {
    for options in [&[][..], &["--batch", "2000"], &["--row-by-row"], &["--row-by-row", "--batch", "2000"]] {
        for action in ["set-null", "quarantine"] {
            let bench = Bench::new(
                "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id));
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000) INSERT INTO c SELECT i, i + 10 FROM n;
                 CREATE TRIGGER one BEFORE UPDATE ON c WHEN old.id IN (1, 3500) OR old.id BETWEEN 6700 AND 6850
                     BEGIN SELECT raise(ABORT, 'this row stays'); END;
                 CREATE TRIGGER two BEFORE DELETE ON c WHEN old.id IN (1, 3500) OR old.id BETWEEN 6700 AND 6850
                     BEGIN SELECT raise(ABORT, 'this row stays'); END;",
            );
            let rule = format!(
                "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"*\"\nlimits = {{ max-share = 1.0, max-rows = 10000 }}\n\
                 [[treat]]\naction = \"{action}\"\n"
            );
            bench.write("r.toml", &rule);
            assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
            let before = bench.dump();
            let steps = steps_of_apply(&bench, options);
            assert!(steps.is_sorted(), "{action} {options:?}: {steps:?}");
            assert_eq!(bench.value("SELECT count(*) FROM c WHERE r IS NOT NULL"), "153", "{action} {options:?}");
            assert_eq!(bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]).code, 0, "{action} {options:?}");
            assert_eq!(bench.dump(), before, "{action} {options:?}");
        }
    }
}

/// A refused row was the only one that needed a new parent, which an earlier set made. The parent is not made.
#[test]
fn parent_that_only_a_refused_row_needs_is_not_made() {
    for options in [&[][..], &["--batch", "500"]] {
        let bench = Bench::new(
            "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id));
             INSERT INTO p VALUES (1, 'a');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO c SELECT i, 5000 + i / 2 FROM n;
             CREATE TRIGGER t BEFORE UPDATE ON c WHEN old.id IN (1, 1500, 1502, 1503) BEGIN SELECT raise(ABORT, 'this row stays'); END;",
        );
        bench.write(
            "r.toml",
            "id = \"r\"\nrelation.child = \"*\"\n[[treat]]\naction = \"placeholder\"\nkey = \"new\"\nvalues = { name = \"{key.r}\" }\n",
        );
        assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
        let twins = Twins::of(bench);
        let apply = [&["apply", "app.db", "plan.ndjson", "--no-backup", "--skip-changed"], options].concat();
        assert_eq!(twins.run(&apply, "rows are refused"), 6, "{options:?}");
        let needless = "SELECT group_concat(name) FROM p WHERE id > 1 AND id NOT IN (SELECT r FROM c)";
        if options.is_empty() {
            assert_eq!(twins.sets.value(needless), "NULL");
        }
        assert_eq!(
            twins.sets.value("SELECT group_concat(id) FROM c WHERE r NOT IN (SELECT id FROM p)"),
            "'1,1500,1502,1503'"
        );
        assert_eq!(twins.run(&["undo", "app.db", "plan.ndjson", "--no-backup"], "undo"), 0, "{options:?}");
    }
}

/// The parent to which a plan points its rows is deleted before the plan is applied. No batch may make new orphans.
#[test]
fn row_whose_new_parent_is_gone_is_refused_in_every_batch() {
    for options in [&[][..], &["--batch", "2"], &["--batch", "2", "--skip-changed"], &["--skip-changed"]] {
        let bench = Bench::new(
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id));
             INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 11), (2, 12), (3, 13), (4, 14), (5, 15), (6, 1);",
        );
        bench.write(
            "r.toml",
            "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\n[[treat]]\naction = \"remap\"\nto = \"SELECT 2\"\n",
        );
        assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
        let twins = Twins::of(bench);
        twins.execute("DELETE FROM p WHERE id = 2", false);
        let before = twins.sets.dump();
        let apply = [&["apply", "app.db", "plan.ndjson", "--no-backup"], options].concat();
        let code = twins.run(&apply, "the new parent is gone");
        assert_eq!(code, if options.contains(&"--skip-changed") { 6 } else { 5 }, "{options:?}");
        assert_eq!(twins.sets.dump(), before, "{options:?}");
    }
}

/// A row refers to a placeholder that undo would delete, or to an orphan that apply would delete. Both rows stay.
#[test]
fn row_to_which_a_new_row_refers_is_not_deleted() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id));
                CREATE TABLE d(id INTEGER PRIMARY KEY, c INT REFERENCES c(id)); INSERT INTO p VALUES (1);
                INSERT INTO c VALUES (1, 11), (2, 12), (3, 13), (4, 14), (5, 15), (6, 1); INSERT INTO d VALUES (1, 6);";
    let rule = |treatment: &str| {
        format!(
            "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"*\"\n[limits]\nmax-share = 1.0\nmax-rows = 10\n\
             [[treat]]\naction = \"{treatment}\"\n"
        )
    };
    for options in [&[][..], &["--batch", "2"], &["--batch", "2", "--skip-changed"], &["--skip-changed"]] {
        for (treatment, command, sql) in [
            ("placeholder", "undo", "INSERT INTO c VALUES (7, 13)"),
            ("quarantine", "apply", "INSERT INTO d VALUES (2, 3)"),
        ] {
            let bench = Bench::new(seed);
            bench.write("r.toml", &rule(treatment));
            assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
            let twins = Twins::of(bench);
            if command == "undo" {
                assert_eq!(twins.run(&["apply", "app.db", "plan.ndjson", "--no-backup"], treatment), 0);
            }
            twins.execute(sql, true);
            let code = twins.run(&[&[command, "app.db", "plan.ndjson", "--no-backup"], options].concat(), treatment);
            assert_eq!(code, if options.contains(&"--skip-changed") { 6 } else { 5 }, "{treatment} {options:?}");
            for bench in [&twins.sets, &twins.rows] {
                assert_eq!(
                    bench.value("SELECT count(*) FROM c WHERE id IN (3, 7) AND r = 13"),
                    if command == "undo" { "2" } else { "1" }
                );
            }
        }
    }
}
