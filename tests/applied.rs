//! Tests of the reports of `apply` and `undo`, and of the paths to which plans may be written.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::sync::Mutex;

use common::Bench;
use fk_doctor::internals::apply::Direction;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::cli::repair::AdmissionArgs;
use fk_doctor::internals::model::progress::ProgressStep;
use fk_doctor::internals::model::progress::RunPhase;
use fk_doctor::internals::run;

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); INSERT INTO p VALUES (1, 'a'); \
    INSERT INTO c VALUES (1, 1), (2, 7), (3, 8);";

fn bench(treatment: &str) -> Bench {
    let bench = Bench::new(SEED);
    bench.write("r.toml", &format!("id = \"r\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"{treatment}\"\n"));
    bench
}

fn report(bench: &Bench, command: &str, options: &[&str], code: i32) -> serde_json::Value {
    let run = bench.run(&[&[command, "app.db", "plan.ndjson", "--format", "json"], options].concat());
    assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{command}");
    let report = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("apply", &report);
    report
}

#[test]
fn apply_and_undo_write_json_reports() {
    let bench = bench("placeholder");
    assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
    let changes = |report: &serde_json::Value| report["changes"].clone();
    let (none, made, deleted) = (
        serde_json::json!({ "made": 0, "changed": 0, "deleted": 0, "redefined": 0, "already": 2 }),
        serde_json::json!({ "made": 2, "changed": 0, "deleted": 0, "redefined": 0, "already": 0 }),
        serde_json::json!({ "made": 0, "changed": 0, "deleted": 2, "redefined": 0, "already": 0 }),
    );

    let applied = report(&bench, "apply", &[], 0);
    assert_eq!((&applied["command"], &applied["outcome"]), (&"apply".into(), &"applied".into()));
    assert_eq!(changes(&applied), made);
    assert!(bench.path(applied["backup"].as_str().unwrap()).exists());
    assert_eq!(applied["scan"]["orphan_rows"], 0);
    assert_eq!(applied["backup_origin"], "copy");
    assert!(applied["backup_bytes"].as_u64().unwrap() > 4_000);
    let again = report(&bench, "apply", &[], 0);
    assert_eq!((&again["outcome"], &again["backup"]), (&"already-applied".into(), &serde_json::Value::Null));
    assert_eq!(changes(&again), none);

    let undone = report(&bench, "undo", &["--no-backup"], 0);
    assert_eq!((&undone["command"], &undone["outcome"]), (&"undo".into(), &"taken-back".into()));
    assert_eq!((changes(&undone), &undone["scan"]["orphan_rows"]), (deleted, &2.into()));
    let again = report(&bench, "undo", &["--no-backup"], 0);
    assert_eq!((&again["outcome"], changes(&again)), (&"already-taken-back".into(), none));
}

/// A refused command writes no report. A report never overwrites the database or the plan.
#[test]
fn report_over_database_or_plan_is_refused() {
    let bench = bench("placeholder");
    assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
    let (database, plan) = (bench.dump(), std::fs::read(bench.path("plan.ndjson")).unwrap());
    for file in ["app.db", "./app.db", "plan.ndjson", "./plan.ndjson"] {
        let run = bench.run(&["apply", "app.db", "plan.ndjson", "--format", &format!("json={file}")]);
        assert_eq!(run.code, 2, "{file}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("write a report to") && run.stderr.contains("help:"), "{}", run.stderr);
    }
    assert_eq!((bench.dump(), std::fs::read(bench.path("plan.ndjson")).unwrap()), (database, plan));
    bench.execute("UPDATE c SET r = 9 WHERE id = 2");
    let stale = bench.run(&["apply", "app.db", "plan.ndjson", "--format", "json"]);
    // No row needs the planned parent 7 any more. The plan does not know the orphan with the key 9.
    assert_eq!((stale.code, stale.stdout.as_str()), (5, ""), "{}", stale.stderr);
}

#[test]
fn plan_that_was_begun_is_not_overwritten() {
    let bench = bench("placeholder");
    let plan = |options: &[&str]| {
        bench.run(&[&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"], options].concat())
    };
    let there = || std::fs::read(bench.path("plan.ndjson")).unwrap();
    let refused = |options: &[&str], why: &str| {
        let before = there();
        let run = plan(options);
        assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
        let text = common::in_one_line(&run.stderr);
        assert!(text.contains("could not write the plan plan.ndjson") && text.contains(why), "{text}");
        assert!(text.contains("help:"), "{text}");
        assert_eq!(there(), before);
    };
    assert_eq!(plan(&[]).code, 0);
    refused(&[], "a plan already exists in this file");
    bench.execute("INSERT INTO c VALUES (4, 9)");
    let first = there();
    assert_eq!(plan(&["--overwrite"]).code, 0);
    assert_ne!(there(), first);

    // A plan that was applied, wholly or in part, is needed to undo it.
    assert_eq!(bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    refused(&[], "a plan already exists in this file");
    refused(&["--overwrite"], "was applied, completely or in part, and `fk-doctor undo` needs it");
    bench.execute("DELETE FROM p WHERE id = 9");
    refused(&["--overwrite"], "`fk-doctor undo` needs it");
    bench.execute("INSERT INTO p VALUES (9, NULL)");
    assert_eq!(bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]).code, 0, "{}", bench.dump());
    // A plan that was begun is never overwritten, even if the database that records it no longer exists.
    refused(&["--overwrite"], "`fk-doctor undo` needs it");
    std::fs::remove_file(bench.path("app.db")).unwrap();
    bench.execute(SEED);
    refused(&["--overwrite"], "`fk-doctor undo` needs it");
    std::fs::remove_file(bench.path("plan.ndjson.begun")).unwrap();
    assert_eq!(plan(&["--overwrite"]).code, 0);

    bench.write("plan.ndjson", "notes");
    refused(&[], "this file exists and is not a plan");
    refused(&["--overwrite"], "this file exists and is not a plan");
}

/// No report of any command overwrites a plan that was begun, or the mark beside it, which may be its record.
#[test]
fn report_over_a_begun_plan_is_refused() {
    let bench = bench("placeholder");
    assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
    assert_eq!(bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    let both = || ["plan.ndjson", "plan.ndjson.begun"].map(|file| std::fs::read(bench.path(file)).unwrap());
    let before = both();
    for file in ["plan.ndjson", "./plan.ndjson", "plan.ndjson.begun"] {
        let report = format!("json={file}");
        for arguments in [
            &["scan", "app.db", "-o", file][..],
            &["scan", "app.db", "--write-baseline", file],
            &["schema", "app.db", "--format", &report],
            &["repair", "app.db", "--rules", "r.toml", "--format", &report],
            &["status", "plan.ndjson", "app.db", "--format", &report],
            &["apply", "app.db", "plan.ndjson", "--no-backup", "--format", &report],
            &["undo", "app.db", "plan.ndjson", "--no-backup", "--format", &report],
        ] {
            let run = bench.run(arguments);
            assert_eq!(run.code, 2, "{arguments:?}: {}{}", run.stdout, run.stderr);
            assert_eq!(both(), before, "{arguments:?}");
        }
    }
    assert_eq!(bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
}

/// `repair`, `apply` and `undo` number their phases in order, and count rows from the first row to the last.
#[test]
fn progress_numbers_its_phases_and_reaches_the_last_row() {
    let rows: String = (10..2_000).map(|id| format!("({id}, {}),", id % 700 + 10_000)).collect();
    let bench = Bench::new(&format!("{SEED} INSERT INTO c VALUES {};", rows.trim_end_matches(',')));
    bench.write(
        "r.toml",
        "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"*\"\nlimits = { max-rows = 5000, max-share = 1.0 }\n\
         [[treat]]\naction = \"set-null\"\n",
    );
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let (database, plan, rule) = (path("app.db"), path("plan.ndjson"), path("r.toml"));
    let environment = run::Environment { directory: bench.path("."), cores: 2, ..run::Environment::default() };
    let backup = path("app.backup");
    for (arguments, names) in [
        (vec!["repair", &database, "--rules", &rule, "-o", &plan], "1/3 scan, 2/3 decide keys, 3/3 try rows"),
        (
            vec!["apply", &database, &plan, "--backup", &backup],
            "1/5 compare rows, 2/5 back up, 3/5 change rows, 4/5 verify relations, 5/5 commit",
        ),
        (vec!["undo", &database, &plan, "--no-backup"], "1/4 compare rows, 2/4 change rows, 4/4 commit"),
    ] {
        let cli = <Cli as clap::Parser>::try_parse_from([vec!["fk-doctor"], arguments.clone()].concat()).unwrap();
        let steps: Mutex<Vec<ProgressStep<'static>>> = Mutex::default();
        let progress =
            |step: &ProgressStep<'_>| steps.lock().unwrap().push(ProgressStep { table: None, waiting: None, ..*step });
        match &cli.command {
            Command::Repair(typed) => run::repair(typed, &cli.global, &environment, &progress),
            Command::Apply(typed) => {
                run::apply(Direction::Apply, &typed.run, typed.admission, &cli.global, &environment, &progress)
            }
            Command::Undo(typed) => {
                let admission = AdmissionArgs::default();
                run::apply(Direction::Undo, typed, admission, &cli.global, &environment, &progress)
            }
            _ => unreachable!(),
        }
        .unwrap();
        let steps = steps.into_inner().unwrap();
        assert!(steps.iter().all(|step| step.command == Some(arguments[0])), "{arguments:?}: {steps:?}");
        let name =
            |step: &ProgressStep<'_>| step.position.map(|(number, of)| format!("{number}/{of} {}", step.phase.name()));
        let mut shown: Vec<String> = steps.iter().filter_map(name).collect();
        shown.dedup();
        assert_eq!(shown.join(", "), names, "{steps:?}");
        let counted = [RunPhase::DecideKeys, RunPhase::TryRows, RunPhase::CompareRows, RunPhase::ChangeRows];
        for phase in counted {
            let of_phase: Vec<&ProgressStep<'_>> = steps.iter().filter(|step| step.phase == phase).collect();
            assert!(of_phase.is_sorted_by_key(|step| step.done), "{arguments:?}: {of_phase:?}");
            assert!(of_phase.iter().all(|step| step.total == Some(1_992)), "{arguments:?}: {of_phase:?}");
            assert!(of_phase.last().is_none_or(|last| last.done >= 1_992 - 1_000), "{arguments:?}: {of_phase:?}");
        }
    }
}

/// If a plan has no changes, `--apply` writes neither the database nor a plan file.
#[test]
fn empty_plan_with_apply_writes_nothing() {
    let bench = Bench::new(SEED);
    bench.write("r.toml", "id = \"r\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"report\"\n");
    let files = || std::fs::read_dir(bench.path(".")).unwrap().count();
    let (before, count) = (std::fs::read(bench.path("app.db")).unwrap(), files());
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply"]);
    assert_eq!((run.code, files()), (6, count), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("applied to"), "{}", run.stdout);
    assert_eq!(std::fs::read(bench.path("app.db")).unwrap(), before);
    bench.execute("DELETE FROM c WHERE r IN (7, 8)");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply"]);
    assert_eq!((run.code, files()), (0, count), "{}{}", run.stdout, run.stderr);
}

/// The suggested commands name the database, also one that `DATABASE_URL` names, and are quoted for the shell.
#[test]
fn next_command_is_quoted_for_the_shell() {
    let bench = bench("placeholder");
    std::fs::rename(bench.path("app.db"), bench.path("my app.db")).unwrap();
    let arguments = ["repair", "--rules", "r.toml", "-o", "my plan"];
    let planned = bench.run_in(&arguments, &[("DATABASE_URL", "my app.db")]);
    assert!(planned.stdout.contains("fk-doctor apply 'my app.db' 'my plan'"), "{}{}", planned.stdout, planned.stderr);
    let applied = bench.run(&["apply", "my app.db", "my plan", "--no-backup"]);
    assert!(applied.stdout.contains("fk-doctor undo 'my app.db' 'my plan'"), "{}{}", applied.stdout, applied.stderr);
    let forget = bench.run(&["status", "my plan", "my app.db", "--forget"]);
    assert_eq!(forget.code, 5);
    assert!(
        forget.stderr.contains("first take the plan back: fk-doctor undo 'my app.db' 'my plan'"),
        "{}",
        forget.stderr
    );
}

/// A plan and its report cannot share a path: with `--apply` the report would overwrite the plan that `undo` needs.
#[test]
fn plan_and_report_with_one_path_are_refused() {
    let bench = bench("placeholder");
    let before = bench.dump();
    for report in ["json=plan.ndjson", "json=./plan.ndjson"] {
        for apply in [&[][..], &["--apply"]] {
            let arguments = ["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson", "--format", report];
            let run = bench.run(&[&arguments, apply].concat());
            assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains("the plan is written to this file"), "{}", run.stderr);
            assert_eq!((bench.dump(), bench.path("plan.ndjson").exists()), (before.clone(), false));
        }
    }
}

/// A plan without changes is not reported as "already applied".
#[test]
fn empty_plan_is_reported_as_empty() {
    let bench = Bench::new(SEED);
    bench.write("r.toml", "id = \"r\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"report\"\n");
    bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    let run = bench.run(&["apply", "app.db", "plan.ndjson"]);
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(
        run.stdout.starts_with("! nothing to do: plan.ndjson has no changes for app.db, and 2 orphan rows are left"),
        "{}",
        run.stdout
    );
    assert!(!bench.run(&["status", "plan.ndjson", "app.db"]).stdout.contains("is applied"));
}

/// The next command that a dry run prints can be run as it stands.
#[test]
fn next_command_of_a_dry_run_works() {
    let bench = Bench::new(SEED);
    bench.write("r.toml", "id = \"r\"\neven-if-parent-lost = true\nlimits.max-share = 1.0\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"remap\"\nto = \"SELECT 1 WHERE key.r = 7\"\n");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let next = run.stdout.lines().find_map(|line| line.strip_prefix("next: ")).unwrap().trim();
    assert_eq!(next, "fk-doctor apply app.db plan.ndjson --leave-undecided");
    let arguments: Vec<&str> = next.split(' ').skip(1).collect();
    assert_eq!(bench.run(&arguments).code, 6);
    assert_eq!(bench.value("SELECT r FROM c WHERE id = 2"), "1");
}
