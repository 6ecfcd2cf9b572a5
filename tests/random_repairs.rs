//! Random schemas with cycles, composite keys, UNIQUE, CHECK and every kind of table, random damage and random rules.
//! Every plan can be applied, has the forecast result, changes nothing the second time, and can be undone completely.
//! `FK_DOCTOR_CASES` sets the number of cases.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::generated;
use crate::plan_contents;
use crate::plan_lines;

use common::Bench;
use fastrand::Rng;
use generated::Made;
use rusqlite::Connection;

/// Triggers that write a log, for each table or for none.
fn triggers(random: &mut Rng, made: &Made) -> String {
    if random.u8(0..3) > 0 {
        return String::new();
    }
    let mut sql = "CREATE TABLE log(what);\n".to_owned();
    for table in &made.tables {
        let event = random.choice(["INSERT", "UPDATE", "DELETE"]).unwrap();
        let name = &table.name;
        sql.push_str(&format!(
            "CREATE TRIGGER on_{name} AFTER {event} ON {name} BEGIN INSERT INTO log VALUES ('{name}'); END;\n"
        ));
    }
    sql
}

fn orphans(path: &std::path::Path) -> u64 {
    let database = Connection::open(path).unwrap();
    let count: i64 = database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    count.unsigned_abs()
}

/// Returns the number of changes of a plan, and the number of orphans that it forecasts.
fn forecast(bench: &Bench) -> (u64, u64) {
    let json = bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap_or_else(|_| panic!("{}", json.stderr));
    common::assert_obeys("repair", &report);
    (report["summary"]["changes"].as_u64().unwrap(), report["summary"]["orphan_rows_after"].as_u64().unwrap())
}

#[test]
fn random_plan_applies_as_forecast_and_is_undone() {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(40, |cases| cases.parse().unwrap());
    let (mut applied, mut changes, mut silenced) = (0, 0, 0);
    for seed in 0..cases {
        let mut random = Rng::with_seed(seed);
        let made = generated::schema(&mut random);
        let sql = made.sql() + &triggers(&mut random, &made);
        let bench = Bench::new(&format!(
            "{sql}CREATE TABLE map(old, new); INSERT INTO map VALUES (1, 2), (2, 3), (5, 1), (6, 6), ('7', '1');"
        ));
        generated::rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
        let rules = generated::rules(&mut random, &made, true);
        bench.write("r.toml", &rules);
        let before = bench.dump();
        let context = format!("seed {seed}\n{sql}\n{rules}\n{before}");

        let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        assert!([0, 1].contains(&planned.code), "{context}\n{}{}", planned.stdout, planned.stderr);
        let (planned_changes, after) = forecast(&bench);
        assert_eq!(bench.dump(), before, "{context}");
        let lines = plan_lines::changes(&bench.path("plan.ndjson"));
        plan_contents::assert_units(&lines, &context);
        std::fs::copy(bench.path("app.db"), bench.path("before.db")).unwrap();
        let apply = ["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"];
        let mut run = bench.run(&apply);
        if run.code == 5 && sql.contains("TRIGGER") {
            assert!(run.stderr.contains("by a trigger"), "{context}\n{}", run.stderr);
            assert_eq!(bench.dump(), before, "{context}");
            silenced += 1;
            run = bench.run(&[&apply[..], &["--no-triggers"]].concat());
        }
        assert!([0, 6].contains(&run.code), "{context}\n{}\n{}{}", planned.stdout, run.stdout, run.stderr);
        let left = orphans(&bench.path("app.db"));
        assert!(left <= after, "{context}\n{}\n{left} orphans instead of {after}", planned.stdout);
        assert_eq!(run.code == 0, left == 0, "{context}\n{}", run.stdout);
        let (old, new) = (bench.path("before.db"), bench.path("app.db"));
        plan_contents::assert_remembers(&lines, &made, &old, &new, &context);
        let integrity = Connection::open(bench.path("app.db")).unwrap();
        let integrity: String = integrity.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok", "{context}");

        let healed = bench.dump();
        let again = bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
        assert_eq!((again.code, bench.dump()), (run.code, healed), "{context}\n{}{}", again.stdout, again.stderr);
        if planned.code == 0 && left == 0 {
            assert_eq!(forecast(&bench).0, 0, "{context}");
        }
        let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup", "--no-triggers"]);
        assert_eq!(undone.code, 0, "{context}\n{}\n{}", planned.stdout, undone.stderr);
        assert_eq!(bench.dump(), before, "{context}\n{}", planned.stdout);
        applied += 1;
        changes += planned_changes;
    }
    println!("{applied} repairs applied and taken back, {changes} changes; {silenced} with silent triggers");
    assert!(changes > applied, "the cases are worth judging");
}
