//! Plans that older versions wrote are still applied and taken back, and mean the same as plans of today.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::plan_lines;

use common::Bench;
use serde_json::Value;

/// A plan of the format `fk-doctor/plan@1`, with every kind of change, and its database and rules.
const PLAN: &str = include_str!("data/plan-1/plan.ndjson");
const SEED: &str = include_str!("data/plan-1/seed.sql");
const RULES: &str = include_str!("data/plan-1/rules.toml");

#[test]
fn plan_of_format_1_is_applied_and_undone() {
    for batch in [&[][..], &["--batch", "1"], &["--batch", "3"]] {
        let bench = Bench::new(SEED);
        bench.write("plan.ndjson", PLAN);
        let before = bench.dump();
        let run = |command: &str, options: &[&str]| {
            let run = bench.run(&[&[command, "app.db", "plan.ndjson", "--no-backup"], options, batch].concat());
            assert_eq!(run.code, 0, "{command}: {}{}", run.stdout, run.stderr);
            run
        };
        run("apply", &["--moved"]);
        assert_eq!(bench.value("SELECT count(*) FROM pragma_foreign_key_check"), "0");
        assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_quarantine"), "5");
        assert_eq!(bench.value("SELECT group_concat(p) FROM m"), "'10,1,11'");
        let kept = std::fs::read_to_string(bench.path("gone.ndjson")).unwrap();
        let gone: Vec<&str> = PLAN.lines().filter(|line| line.contains("\"kept\":\"gone.ndjson\"")).collect();
        assert_eq!(kept.lines().collect::<Vec<_>>(), gone);
        let after = bench.dump();
        run("apply", &["--moved"]);
        assert_eq!(bench.dump(), after);
        assert!(bench.run(&["status", "plan.ndjson", "app.db"]).stdout.contains("is applied"));
        run("undo", &["--moved"]);
        assert_eq!(bench.dump(), before);
    }
}

/// A plan of today has the changes of the older plan, and takes less space.
#[test]
fn plan_of_today_has_the_changes_of_format_1() {
    let bench = Bench::new(SEED);
    bench.write("rules.toml", RULES);
    let run = bench.run(&["repair", "app.db", "--rules", "rules.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let older: Vec<Value> = PLAN.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let older = sorted(older.into_iter().filter(|line| line["row"].is_object()).collect());
    assert_eq!(sorted(plan_lines::changes(&bench.path("plan.ndjson"))), older);
    let text = std::fs::read_to_string(bench.path("plan.ndjson")).unwrap();
    assert!(text.starts_with("{\"format\":\"fk-doctor/plan@2\""), "{text}");
}

/// Returns the changes by table and row. A unit is named by its smallest row, because its number means nothing.
fn sorted(mut changes: Vec<Value>) -> Vec<Value> {
    let name = |change: &Value| format!("{}{}", change["table"], change["row"]);
    let units: Vec<Value> = changes
        .iter()
        .map(|change| match change["unit"].as_u64() {
            None => Value::Null,
            unit => changes.iter().filter(|other| other["unit"].as_u64() == unit).map(name).min().into(),
        })
        .collect();
    for (change, unit) in changes.iter_mut().zip(units) {
        let facts = change.as_object_mut().unwrap();
        facts.insert("unit".to_owned(), unit);
        // A parent that adopts nothing lists nothing.
        facts.entry("adopts").or_insert(serde_json::json!([]));
    }
    changes.sort_by_key(name);
    changes
}

/// The header decides how the lines are read.
#[test]
fn plan_of_unknown_format_is_refused() {
    let bench = Bench::new(SEED);
    bench.write("plan.ndjson", &PLAN.replacen("plan@1", "plan@9", 1));
    let run = bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--moved"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    let expected = "its format is \"fk-doctor/plan@9\", and this version reads";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
}
