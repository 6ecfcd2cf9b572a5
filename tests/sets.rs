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

use common::Bench;
use fastrand::Rng;
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
    let (cases, first): (u64, u64) = (number("FK_DOCTOR_CASES", 60), number("FK_DOCTOR_FIRST", 0));
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
        let mut told = format!("seed {seed}\n{sql}\n{rules}\n{}", twins.sets.dump());
        for command in ["apply", "undo", "apply", "undo"] {
            if random.bool() {
                let state = twins.sets.state(&layout);
                if let Some(sql) = meddling::meddling(&mut random, &layout, &plan, &state) {
                    told.push_str(&format!("\n{sql}"));
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
                told.push_str(&format!("\ncut at {line}"));
                let code = twins.run(&arguments, &told);
                *codes.entry((format!("{command}, cut off"), code)).or_default() += 1;
                twins.execute("DELETE FROM fuse", false);
            }
            told.push_str(&format!("\n{arguments:?}"));
            let code = twins.run(&arguments, &told);
            *codes.entry((command.to_owned(), code)).or_default() += 1;
        }
    }
    println!("{tried} plans run in sets and row by row, exit codes {codes:?}");
    assert!(cases < 60 || tried > 30, "the cases are worth comparing");
}
