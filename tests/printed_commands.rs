//! The commands that reports print for copying repeat the options that the person typed, and no others.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::Run;

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); \
    INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 1), (3, 1), (4, 9);";

fn bench() -> Bench {
    let bench = Bench::new(SEED);
    bench.write("my.toml", "");
    bench.write(
        "r.toml",
        "id = \"r\"\nrelation.child = \"c(r)\"\nlimits = { max-rows = 9, max-share = 1.0 }\n[[treat]]\naction = \"quarantine\"\n",
    );
    bench
}

/// Returns the printed commands of a name, without the program.
fn printed(run: &Run, name: &str) -> Vec<String> {
    let start = format!("fk-doctor {name} ");
    let lines = run.stdout.lines().chain(run.stderr.lines());
    lines.filter_map(|line| Some(format!("{name} {}", line.split_once(&start)?.1.trim_end()))).collect()
}

fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

#[test]
fn scan_repeats_the_configuration() {
    let bench = bench();
    for (options, expected) in [(&["--config", "my.toml"][..], " --config my.toml"), (&[], "")] {
        let run = bench.run(&[&["scan", "app.db"], options].concat());
        assert_eq!(printed(&run, "fix"), [format!("fix app.db{expected}")], "{}", run.stdout);
        let suggest = printed(&run, "rules");
        assert_eq!(suggest, [format!("rules suggest app.db{expected} > app.rules.toml")], "{}", run.stdout);
    }
    let run = bench.run(&["fix", "app.db", "--no-config"]);
    assert_eq!(printed(&run, "rules"), ["rules suggest app.db --no-config > my.rules.toml"], "{}", run.stderr);
    let run = bench.run(&["schema", "app.db", "--no-config"]);
    assert_eq!(printed(&run, "scan"), ["scan app.db --no-config"], "{}", run.stdout);
}

/// From plan to undo, each printed command is the next one that is run.
#[test]
fn plan_is_run_by_printed_commands() {
    let bench = bench();
    let options = ["--config", "my.toml", "--batch", "150ms", "--pause", "1ms", "--wait", "60s"];
    let typed = "--config my.toml --batch 150ms --pause 1ms --wait 60s";
    let run = bench.run(&[&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"], &options[..]].concat());
    let apply = printed(&run, "apply");
    assert_eq!(apply, [format!("apply app.db plan.ndjson {typed}")], "{}{}", run.stdout, run.stderr);
    let run = bench.run(&words(&apply[0]));
    let undo = printed(&run, "undo");
    assert_eq!(undo, [format!("undo app.db plan.ndjson {typed}")], "{}{}", run.stdout, run.stderr);
    let status = bench.run(&["status", "plan.ndjson", "app.db", "--config", "my.toml", "--wait", "7s"]);
    assert_eq!(printed(&status, "restore"), ["restore app.db --config my.toml --wait 7s"], "{}", status.stdout);
    let expected = ["undo app.db plan.ndjson --config my.toml --wait 7s"];
    assert_eq!(printed(&status, "undo"), expected, "{}", status.stdout);
    let refused = bench.run(&["status", "plan.ndjson", "app.db", "--no-config", "--forget"]);
    let stderr = common::in_one_line(&refused.stderr);
    assert!(stderr.contains("fk-doctor undo app.db plan.ndjson --no-config"), "{stderr}");
    let restored = bench.run(&["restore", "app.db", "-o", "back.ndjson", "--no-backup", "--config", "my.toml"]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_eq!(bench.run(&words(&undo[0])).code, 0);
}

/// The file of a named backup exists after the run, so the next command cannot name it.
#[test]
fn undo_leaves_out_the_named_backup() {
    let bench = bench();
    bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    let run = bench.run(&["apply", "app.db", "plan.ndjson", "--backup", "safe.db", "--leave-undecided"]);
    assert_eq!(printed(&run, "undo"), ["undo app.db plan.ndjson"], "{}{}", run.stdout, run.stderr);
    assert_eq!(bench.run(&["undo", "app.db", "plan.ndjson"]).code, 0);
}

/// The number of keys and rows holds in every report, from the option or from the configuration.
#[test]
fn samples_hold_in_every_report() {
    let bench = Bench::new(SEED);
    for id in 10..30 {
        bench.execute(&format!("INSERT INTO c VALUES ({id}, {})", id + 90));
    }
    bench.write("fk-doctor.toml", "[scan]\nsamples = 8\n");
    for (options, expected) in [(&["--samples", "12"][..], 12), (&[], 8), (&["--samples", "1"], 1)] {
        let run = bench.run(&[&["scan", "app.db"], options].concat());
        let rest = 21 - expected;
        let more = format!("and {rest} more");
        assert!(common::in_one_line(&run.stdout).contains(&more), "{options:?}: {}", run.stdout);
        let run = bench.run(&[&["scan", "app.db", "--format", "json"], options].concat());
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let finding = report["findings"].as_array().unwrap().iter().find(|it| it["code"] == "orphan").unwrap();
        let found = finding["top_missing"].as_array().map(Vec::len);
        assert_eq!(found, Some(expected), "{options:?}: {finding}");
    }
}
