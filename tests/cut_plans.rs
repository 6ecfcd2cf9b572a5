//! Every plan can be applied and undone on an unchanged database, whatever its batch size and wherever a run was cut
//! off. A trigger cuts the run; a row of the table `fuse` arms the trigger. `FK_DOCTOR_CASES` sets how many plans.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::generated;
use crate::plan_contents;
use crate::plan_lines;

use common::Bench;
use fastrand::Rng;
use generated::Made;
use rusqlite::Connection;
use serde_json::Value;

/// Returns triggers that make every change of a row fail while the table `fuse` names that row.
pub(crate) fn fuses(made: &Made) -> String {
    let mut sql = "CREATE TABLE fuse(tab, id, other);\n".to_owned();
    for table in &made.tables {
        let name = &table.name;
        let (first, second) = table.names();
        for (event, row) in [("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")] {
            sql.push_str(&format!(
                "CREATE TRIGGER {event}_{name} BEFORE {event} ON {name} WHEN EXISTS (SELECT 1 FROM fuse WHERE tab = '{name}' \
                 AND id IS {row}.{first} AND other IS {row}.{second}) BEGIN SELECT RAISE(ABORT, 'the fuse'); END;\n"
            ));
        }
    }
    sql
}

pub(crate) fn arm(bench: &Bench, line: &Value) {
    let literal = |value: &Value| match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    let row: Vec<String> = line["row"].as_object().unwrap().values().map(literal).collect();
    let table = line["table"].as_str().unwrap();
    bench.execute(&format!("INSERT INTO fuse VALUES ('{table}', {}, {})", row[0], row.last().unwrap()));
}

#[test]
fn plan_cut_at_any_row_is_resumed_and_undone() {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(25, |cases| cases.parse().unwrap());
    let first: u64 = std::env::var("FK_DOCTOR_FIRST").map_or(0, |first| first.parse().unwrap());
    let (mut cuts, mut plans) = (0, 0);
    for seed in first..first + cases {
        let mut random = Rng::with_seed(seed);
        let made = generated::schema(&mut random);
        let sql = made.sql() + &fuses(&made);
        let bench = Bench::new(&format!(
            "{sql}CREATE TABLE map(old, new); INSERT INTO map VALUES (1, 2), (2, 3), (5, 1), (6, 6), ('7', '1');"
        ));
        generated::rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
        let rules = generated::rules(&mut random, &made, false);
        bench.write("r.toml", &rules);
        let before = bench.dump();
        let context = format!("seed {seed}\n{sql}\n{rules}\n{before}");
        let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        assert!([0, 1].contains(&planned.code), "{context}\n{}{}", planned.stdout, planned.stderr);
        let lines = plan_lines::changes(&bench.path("plan.ndjson"));
        plan_contents::assert_units(&lines, &context);
        let batch = random.usize(1..4).to_string();
        let apply = ["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided", "--batch", &batch];
        let undo = ["undo", "app.db", "plan.ndjson", "--no-backup", "--batch", &batch];
        let whole = bench.run(&apply);
        assert!([0, 6].contains(&whole.code), "{context}\n{}{}", whole.stdout, whole.stderr);
        let healed = bench.dump();
        let undone = bench.run(&undo);
        assert_eq!(undone.code, 0, "{context}\n{}{}", undone.stdout, undone.stderr);
        assert_eq!(bench.dump(), before, "{context}");
        plans += 1;

        let cut: Vec<&Value> =
            lines.iter().filter(|line| made.tables.iter().any(|table| line["table"] == *table.name)).collect();
        for goes_on in [true, false] {
            let Some(line) = random.choice(&cut) else { continue };
            let context = format!("{context}\ncut at {line}, batches of {batch}");
            bench.write("plan.ndjson", "");
            std::fs::remove_file(bench.path("plan.ndjson")).unwrap();
            bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite"]);
            arm(&bench, line);
            let torn = bench.run(&apply);
            assert_ne!(torn.code, 0, "{context}\n{}", torn.stdout);
            bench.execute("DELETE FROM fuse");
            cuts += 1;
            if goes_on {
                let resumed = bench.run(&apply);
                assert!([0, 6].contains(&resumed.code), "{context}\n{}{}", resumed.stdout, resumed.stderr);
                assert_eq!(bench.dump(), healed, "{context}");
            }
            let undone = bench.run(&undo);
            assert_eq!(undone.code, 0, "{context}\n{}{}", undone.stdout, undone.stderr);
            assert_eq!(bench.dump(), before, "{context}");
        }
    }
    println!("{plans} plans applied and taken back in batches, {cuts} cut off");
    assert!(cuts >= plans, "the plans are worth cutting");
}

/// A parent that one rule makes may have the key that another rule takes from an orphan. After the cut the orphan has a parent, but
/// only by this plan.
#[test]
fn orphan_whose_key_another_rule_makes_is_changed_after_a_cut() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'one'); \
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id)); INSERT INTO c VALUES (1, 7), (2, 1); \
         CREATE TABLE d(id INTEGER PRIMARY KEY, p INT REFERENCES p(id)); INSERT INTO d VALUES (1, 9), (2, 1); \
         CREATE TABLE fuse(id); \
         CREATE TRIGGER cut BEFORE UPDATE ON c WHEN EXISTS (SELECT 1 FROM fuse) BEGIN SELECT RAISE(ABORT, 'the fuse'); END;",
    );
    bench.write(
        "r.toml",
        "[[rule]]\nid = \"new\"\nrelation = { child = \"c(p)\" }\nlimits = { max-share = 1.0 }\n\
         [[rule.treat]]\naction = \"placeholder\"\nkey = \"new\"\nrecord = \"made\"\n\
         [[rule]]\nid = \"seven\"\nrelation = { child = \"d(p)\" }\nlimits = { max-share = 1.0 }\n\
         [[rule.treat]]\naction = \"sentinel\"\nkey = 7\n",
    );
    let before = bench.dump();
    let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    bench.execute("INSERT INTO fuse VALUES (1)");
    let apply = ["apply", "app.db", "plan.ndjson", "--no-backup", "--batch", "1"];
    let torn = bench.run(&apply);
    assert!(torn.stderr.contains("2 changes committed before stay"), "{}", torn.stderr);
    bench.execute("DELETE FROM fuse");
    let resumed = bench.run(&apply);
    assert_eq!(resumed.code, 0, "{}{}", resumed.stdout, resumed.stderr);
    assert_eq!(bench.value("SELECT p FROM c WHERE id = 1"), "10");
    let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
    assert_eq!(undone.code, 0, "{}{}", undone.stdout, undone.stderr);
    assert_eq!(bench.dump(), before);
}
