//! No name of a user's object clashes with a name of fk-doctor in SQLite. Tables and columns have the names that
//! fk-doctor's SQL uses.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::common::Bench;
use super::names;

fn bench(names: &[String]) -> Bench {
    Bench::new(&names::seed(names, '"', true))
}

#[test]
fn scan_of_tables_named_like_aliases_finds_orphans() {
    let names = names::names();
    let (code, report) = bench(&names).scan();
    assert_eq!((code, report["summary"]["unchecked"].as_u64()), (1, Some(0)), "{}", report["summary"]);
    assert_eq!(report["summary"]["orphan_rows"], names.len(), "{}", report["summary"]);
}

#[test]
fn repair_of_tables_named_like_aliases_treats_every_orphan() {
    let names = names::names();
    let bench = bench(&names);
    for round in 0..names::ROUNDS {
        let rules = names::rules(&names, round, '"');
        bench.write("r.toml", &rules);
        let before = bench.dump();
        let steps: [&[&str]; 2] = [
            &["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite"],
            &["apply", "app.db", "plan.ndjson"],
        ];
        for step in steps {
            let run = bench.run(step);
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{step:?}, {round}: {}", run.stdout);
        }
        assert_eq!(bench.scan().1["summary"]["orphan_rows"], 0, "{round}");
        let undone = bench.run(&["undo", "app.db", "plan.ndjson"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{round}: {}", undone.stdout);
        assert_eq!(bench.dump(), before, "{round}");
        std::fs::remove_file(bench.path("plan.ndjson")).unwrap();
    }
}

#[test]
fn check_of_tables_named_like_aliases_names_failing_rows() {
    let names = names::names();
    let bench = bench(&names);
    bench.write("rows.csv", names::ROWS);
    for (name, staging) in names.iter().zip(names.iter().cycle().skip(1)) {
        let run = bench.run(&["check", "app.db", "--table", name, "rows.csv", "--format", "json"]);
        names::assert_checked(name, &run);
        let run = bench.run(&["check", "app.db", "--table", name, "--staging", staging, "--format", "json"]);
        names::assert_staged(name, &run);
    }
}

#[test]
fn explain_of_tables_named_like_aliases_gives_effects() {
    let names = names::names();
    let bench = bench(&names);
    for (place, name) in names.iter().enumerate() {
        let (statement, outcome) = &names::statements(name, '"')[place % 3];
        let run = bench.run(&["explain", "app.db", statement, "--format", "json"]);
        names::assert_explained(statement, outcome, &run);
    }
}
