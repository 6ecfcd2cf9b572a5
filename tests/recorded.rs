//! Applied changes are recorded: undo reverses only the changes of this plan, a begun plan is never lost, and `status`
//! reports its progress. A row is changed only if it is as planned, in the transaction that changes it.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::Duration;

use crate::common;

use crate::common::States as _;
use common::Bench;
use common::Run;
use common::until;
use rusqlite::Connection;
use serde_json::Value;

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT); \
    CREATE TABLE a(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); \
    CREATE TABLE b(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), note); \
    INSERT INTO p VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four'); \
    INSERT INTO a VALUES (1, 1), (2, 2), (3, NULL); INSERT INTO b VALUES (1, 1, 'x'), (2, 16, 'y'), (3, 17, 'z');";

fn rule(child: &str, treat: &str) -> String {
    let id = &child[..1];
    format!(
        "[[rule]]\nid = \"{id}\"\neven-if-parent-lost = true\nrelation.child = \"{child}\"\nlimits.max-rows = 100_000\nlimits.max-share = 1.0\n\
         [[rule.treat]]\n{treat}\n"
    )
}

fn planned(seed: &str, rules: &str) -> Bench {
    let bench = Bench::new(seed);
    bench.write("r.toml", rules);
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    bench
}

fn run(bench: &Bench, command: &str, options: &[&str]) -> Run {
    bench.run(&[&[command, "app.db", "plan.ndjson", "--no-backup"], options].concat())
}

fn done(bench: &Bench, command: &str, options: &[&str], code: i32) -> Run {
    let run = run(bench, command, options);
    assert_eq!(run.code, code, "{command}: {}{}", run.stdout, run.stderr);
    run
}

fn plain(run: &Run) -> String {
    common::in_one_line(&format!("{}{}", run.stdout, run.stderr))
}

/// Counters never go back.
fn without_counters(dump: &str) -> &str {
    dump.split("\nsqlite_sequence\n").next().unwrap()
}

fn status(bench: &Bench) -> Value {
    let run = bench.run(&["status", "plan.ndjson", "app.db", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("status", &report);
    report
}

fn phase(bench: &Bench) -> String {
    status(bench)["state"]["phase"].as_str().unwrap().to_owned()
}

/// Another row was set to NULL by hand, and the counter advanced. Neither concerns the row whose parent arrived.
#[test]
fn row_whose_parent_arrived_is_left_alone() {
    let rules = rule("a(r)", "action = \"set-null\"") + &rule("b(r)", "action = \"set-null\"");
    for before in ["UPDATE a SET r = NULL WHERE id = 3", "INSERT INTO p VALUES (99, 'x'); DELETE FROM p WHERE id = 99"]
    {
        for options in [&[][..], &["--batch", "1"]] {
            let bench = planned(&format!("{SEED} UPDATE a SET r = 15 WHERE id = 3"), &rules);
            bench.execute(before);
            bench.execute("INSERT INTO p VALUES (16, 'came')");
            let dump = bench.dump();
            let refused = done(&bench, "apply", options, 5);
            assert!(plain(&refused).contains("b (id = 2) has its parent by now"), "{}", refused.stderr);
            assert_eq!(bench.dump(), dump);
            let skipped = done(&bench, "apply", &[options, &["--skip-changed"]].concat(), 6);
            assert!(plain(&skipped).states("1 row has a parent by now"), "{}", skipped.stdout);
            assert_eq!(bench.value("SELECT r FROM b WHERE id = 2"), "16");
            assert_eq!(bench.value("SELECT r FROM b WHERE id = 3"), "NULL");
            done(&bench, "undo", &[], 0);
            assert_eq!(bench.dump(), dump);
        }
    }
}

/// A placeholder that was inserted for a row does not count as its found parent.
#[test]
fn parent_made_by_the_plan_does_not_count_as_arrived() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE a(id INTEGER PRIMARY KEY, r REFERENCES p(id)); \
        CREATE TABLE b(id INTEGER PRIMARY KEY, r REFERENCES p(id)); \
        INSERT INTO p VALUES (1); INSERT INTO a VALUES (1, 7); INSERT INTO b VALUES (1, 7);";
    let rules = rule("a(r)", "action = \"remap\"\nto = \"SELECT 1\"") + &rule("b(r)", "action = \"placeholder\"");
    for options in [&[][..], &["--batch", "1"]] {
        let bench = planned(seed, &rules);
        let before = bench.dump();
        done(&bench, "apply", options, 0);
        assert_eq!(bench.value("SELECT (SELECT r FROM a) || (SELECT r FROM b)"), "'17'");
        done(&bench, "undo", options, 0);
        assert_eq!(bench.dump(), before);
    }
}

/// An equal row that another program inserted is not removed.
#[test]
fn placeholder_made_first_by_the_application_stays() {
    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    bench.execute("INSERT INTO p VALUES (16, NULL)");
    let before = bench.dump();
    let applied = done(&bench, "apply", &[], 0);
    assert!(plain(&applied).states("added 1 row to p already 1 row was already as planned"), "{}", applied.stdout);
    assert_eq!(status(&bench)["state"]["left"], serde_json::json!({ "already": 2 }));
    done(&bench, "undo", &[], 0);
    assert_eq!(
        without_counters(&bench.dump()),
        without_counters(&before),
        "the application's placeholder is still there"
    );
    assert_eq!(bench.value("SELECT seq FROM sqlite_sequence"), "17", "others have moved the counter: it stays");
}

#[test]
fn undo_creates_no_orphan() {
    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    let before = bench.dump();
    done(&bench, "apply", &[], 0);
    bench.execute("INSERT INTO a VALUES (9, 16)");
    let referred = bench.dump();
    for options in [&[][..], &["--batch", "1"]] {
        let refused = done(&bench, "undo", options, 5);
        assert!(
            plain(&refused).contains("p (id = 16) is referred to by rows that were added since"),
            "{}",
            refused.stderr
        );
        assert!(plain(&refused).contains("--skip-changed"), "{}", refused.stderr);
        if options.is_empty() {
            assert_eq!(bench.dump(), referred);
        }
    }
    let skipped = done(&bench, "undo", &["--skip-changed"], 6);
    assert!(plain(&skipped).states("1 row is referred to by rows that came since"), "{}", skipped.stdout);
    assert_eq!(bench.value("SELECT group_concat(id ORDER BY id) FROM p"), "'1,2,3,4,16'");
    assert_eq!(phase(&bench), "taken back");
    assert_eq!(status(&bench)["state"]["made"]["changes"], 1);
    // Once nothing refers to it any more, it is removed as well.
    bench.execute("DELETE FROM a WHERE id = 9");
    done(&bench, "undo", &[], 0);
    assert_eq!(without_counters(&bench.dump()), without_counters(&before));
}

/// An orphan of the plan may be deleted, or get another parent, without keeping its placeholder.
/// A placeholder that stays keeps the parents that were inserted for it.
#[test]
fn undo_keeps_parents_of_a_kept_placeholder() {
    let seed = "CREATE TABLE g(id INTEGER PRIMARY KEY); \
        CREATE TABLE p(id INTEGER PRIMARY KEY, g INTEGER NOT NULL REFERENCES g(id)); \
        CREATE TABLE z(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); \
        INSERT INTO g VALUES (1); INSERT INTO p VALUES (1, 1); INSERT INTO z VALUES (1, 1), (2, 7);";
    for options in [&[][..], &["--batch", "1"]] {
        let bench = planned(seed, &rule("z(r)", "action = \"placeholder\""));
        done(&bench, "apply", options, 0);
        assert_eq!(bench.value("SELECT count(*) FROM g"), "2");
        bench.execute("INSERT INTO z VALUES (3, 7)");
        let before = bench.dump();
        done(&bench, "undo", options, 5);
        let skipped = done(&bench, "undo", &[options, &["--skip-changed"]].concat(), 6);
        assert!(plain(&skipped).contains("verified 2 relations: 0 orphan rows"), "{}", skipped.stdout);
        assert_eq!(bench.dump(), before);
    }
}

/// A run that skips rows after a committed batch does not create its tables again.
#[test]
fn table_of_a_committed_batch_is_not_created_again() {
    let seed = format!(
        "{SEED} CREATE TABLE log(x); INSERT INTO a VALUES (4, 19); CREATE TRIGGER t AFTER DELETE ON b WHEN old.note = 'z' \
         BEGIN INSERT INTO log VALUES (1); END;"
    );
    let rules = [rule("a(r)", "action = \"set-null\""), rule("b(r)", "action = \"quarantine\"")].concat();
    let bench = planned(&seed, &rules);
    let before = bench.dump();
    done(&bench, "apply", &["--batch", "1", "--skip-changed"], 6);
    assert_eq!(bench.value("SELECT group_concat(note, '') FROM b"), "'xz'");
    assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_quarantine"), "1");
    assert_eq!(bench.value("SELECT count(*) FROM log"), "0");
    done(&bench, "undo", &["--batch", "1"], 0);
    assert_eq!(bench.dump(), before);
}

#[test]
fn undo_removes_placeholder_without_orphans() {
    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    done(&bench, "apply", &[], 0);
    bench.execute("DELETE FROM b WHERE id = 2; UPDATE b SET note = 'new' WHERE id = 3");
    done(&bench, "undo", &[], 0);
    assert_eq!(bench.value("SELECT group_concat(id ORDER BY id) FROM p"), "'1,2,3,4'");
    assert_eq!(bench.value("SELECT r || note FROM b WHERE id = 3"), "'17new'");
}

/// One placeholder that was completed does not keep the others.
#[test]
fn undo_skips_an_edited_placeholder() {
    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    done(&bench, "apply", &[], 0);
    bench.execute("UPDATE p SET name = 'filled' WHERE id = 16");
    assert_eq!(status(&bench)["state"]["changed_since"]["rows"][0]["row"], serde_json::json!({ "id": 16 }));
    assert!(plain(&done(&bench, "undo", &[], 5)).contains("p (id = 16) is not as it was"));
    let run = done(&bench, "undo", &["--skip-changed", "--format", "json"], 6);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("apply", &report);
    assert_eq!(report["outcome"], "taken-back-in-part");
    assert_eq!(
        report["left"],
        serde_json::json!({ "total": 1, "reasons": { "changed": 1 },
            "rows": [{ "table": "p", "row": { "id": 16 }, "reason": "changed",
                "planned": { "name": null }, "found": { "name": "filled" } }] })
    );
    assert_eq!(bench.value("SELECT group_concat(id || name ORDER BY id) FROM p"), "'1one,2two,3three,4four,16filled'");
}

/// A unit is changed as a whole or not at all. A row is quarantined only if it is deleted.
#[test]
fn unit_is_changed_whole_or_not_at_all() {
    let seed = format!(
        "{SEED} CREATE TABLE d(id INTEGER PRIMARY KEY, b INTEGER REFERENCES b(id) ON DELETE CASCADE); \
        INSERT INTO d VALUES (1, 2), (2, 3);"
    );
    for options in [&[][..], &["--batch", "1"]] {
        let bench = planned(&seed, &rule("b(r)", "action = \"quarantine\""));
        let before = bench.dump();
        bench.execute("INSERT INTO p VALUES (16, 'came')");
        done(&bench, "apply", &[options, &["--skip-changed"]].concat(), 6);
        assert_eq!(bench.value("SELECT group_concat(id) FROM b"), "'1,2'");
        assert_eq!(bench.value("SELECT group_concat(id) FROM d"), "'1'", "what depends on the row that stays stays");
        let kept = "SELECT group_concat(table_name || row_name, ' ') FROM fk_doctor_quarantine";
        assert_eq!(bench.value(kept), "'b{\"id\":3} d{\"id\":2}'");
        done(&bench, "undo", &[], 0);
        bench.execute("DELETE FROM p WHERE id = 16");
        assert_eq!(without_counters(&bench.dump()), without_counters(&before));
    }
}

/// A row that begins to refer to a row to be deleted keeps it.
#[test]
fn row_with_a_new_dependant_is_kept() {
    let seed = format!("{SEED} CREATE TABLE d(id INTEGER PRIMARY KEY, b INTEGER REFERENCES b(id));");
    let bench = planned(&seed, &rule("b(r)", "action = \"quarantine\""));
    bench.execute("INSERT INTO d VALUES (1, 2)");
    assert!(plain(&done(&bench, "apply", &[], 5)).contains("b (id = 2) is referred to by rows that were added since"));
    done(&bench, "apply", &["--skip-changed"], 6);
    assert_eq!(bench.value("SELECT group_concat(id) FROM b"), "'1,2'");
}

/// A placeholder without any remaining child is not inserted.
#[test]
fn placeholder_without_orphans_is_not_made() {
    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    bench.execute("DELETE FROM b WHERE id = 2");
    assert!(plain(&done(&bench, "apply", &[], 5)).contains("p (id = 16) is needed by no row any more"));
    done(&bench, "apply", &["--skip-changed"], 6);
    assert_eq!(bench.value("SELECT group_concat(id ORDER BY id) FROM p"), "'1,2,3,4,17'");
}

#[test]
fn status_reports_progress_of_a_plan() {
    let bench = planned(SEED, &rule("b(r)", "action = \"set-null\""));
    let alone = bench.run(&["status", "plan.ndjson"]);
    assert!(plain(&alone).contains("plan.ndjson was never started"), "{}", alone.stdout);
    assert_eq!(phase(&bench), "never applied");
    let undone = done(&bench, "undo", &[], 0);
    assert!(
        plain(&undone).contains("○ nothing to do: app.db has no record that plan.ndjson was applied"),
        "{}",
        undone.stdout
    );
    let forget = || bench.run(&["status", "plan.ndjson", "app.db", "--forget"]);
    assert_eq!(forget().code, 5);

    done(&bench, "apply", &[], 0);
    assert!(plain(&bench.run(&["status", "plan.ndjson"])).contains("plan.ndjson was started"));
    let report = status(&bench);
    assert_eq!(report["state"]["phase"], "applied");
    assert_eq!(report["state"]["made"]["changes"], 2);
    assert!(plain(&forget()).contains("its changes are in the database"));
    let shown = bench.run(&["status", "plan.ndjson", "app.db"]);
    assert!(plain(&shown).contains("plan.ndjson is applied to app.db"), "{}", shown.stdout);
    assert!(plain(&shown).contains("next: fk-doctor undo app.db plan.ndjson"), "{}", shown.stdout);
    bench.execute("UPDATE b SET note = 'new' WHERE id = 3");
    assert!(
        plain(&bench.run(&["status", "plan.ndjson", "app.db"]))
            .states("1 row was changed by other programs; undo can go round it: fk-doctor undo app.db plan.ndjson --skip-changed b: id = 3")
    );
    bench.execute("UPDATE b SET note = 'z' WHERE id = 3");

    done(&bench, "undo", &[], 0);
    assert_eq!(phase(&bench), "taken back");
    assert_eq!(forget().code, 0);
    assert_eq!(bench.value("SELECT count(*) FROM sqlite_schema WHERE name = 'fk_doctor_state'"), "0");
    assert_eq!(phase(&bench), "never applied");
    let other = bench.run(&["status", "plan.ndjson", "missing.db"]);
    assert_eq!(other.code, 3, "{}", other.stderr);
}

/// Two plans share one table, and each has its own record.
#[test]
fn plans_keep_separate_records() {
    let bench = planned(&format!("{SEED} UPDATE a SET r = 15 WHERE id = 3"), &rule("a(r)", "action = \"set-null\""));
    bench.write("r.toml", &rule("b(r)", "action = \"set-null\""));
    assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "other.ndjson"]).code, 0);
    let apply = |plan: &str| bench.run(&["apply", "app.db", plan, "--no-backup"]);
    assert_eq!(apply("plan.ndjson").code, 6);
    assert_eq!(apply("other.ndjson").code, 0);
    done(&bench, "undo", &[], 0);
    assert_eq!(bench.value("SELECT (SELECT r FROM a WHERE id = 3) || ' ' || (SELECT count(r) FROM b)"), "'15 1'");
    assert_eq!(bench.run(&["status", "plan.ndjson", "app.db", "--forget"]).code, 0);
    assert_eq!(bench.run(&["undo", "app.db", "other.ndjson", "--no-backup"]).code, 0);
    assert_eq!(bench.value("SELECT count(r) FROM b"), "3");
}

#[test]
fn unrelated_definition_change_does_not_stop_a_plan() {
    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    bench.execute("CREATE TABLE stranger(x); CREATE INDEX ax ON a(id, r); CREATE VIEW v AS SELECT * FROM b;");
    // The index belongs to a table that refers to the same parent, so the actions on it are a part of the plan.
    assert!(
        plain(&done(&bench, "apply", &[], 5))
            .contains("definitions of the database differ from those that the plan was made for: see a")
    );
    bench.execute("DROP INDEX ax");
    done(&bench, "apply", &[], 0);
    bench.execute("DROP TABLE stranger; CREATE TABLE another(x)");
    done(&bench, "undo", &[], 0);
    // A table that begins to refer to the parent acts on it.
    bench.execute("CREATE TABLE child(x REFERENCES p(id) ON DELETE CASCADE)");
    assert!(
        plain(&done(&bench, "apply", &[], 5))
            .contains("definitions of the database differ from those that the plan was made for: see p")
    );
}

/// A separate process writes, which can be killed, or blocked by a lock.
fn started(bench: &Bench, command: &str, options: &[&str]) -> std::process::Child {
    bench.start(&[&[command, "app.db", "plan.ndjson", "--no-backup"], options].concat())
}

/// Starts a run that is still active when the test looks at it: it pauses after each of many small batches.
fn started_slowly(bench: &Bench, command: &str) -> std::process::Child {
    started(bench, command, &["--batch", "10", "--pause", "20ms"])
}

fn many(rows: u32) -> String {
    let rows: Vec<String> = (0..rows).map(|id| format!("({id}, {})", id + 1_000_000)).collect();
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); \
         INSERT INTO p VALUES (1); INSERT INTO c VALUES {};",
        rows.join(", ")
    )
}

/// The run is killed between two batches, and resumes after parents arrived for the remaining orphans.
#[test]
fn resumed_run_checks_its_rows_again() {
    const ROWS: u32 = 4_000;
    // A reader of a write-ahead log never waits for the writer.
    let seed = format!("PRAGMA journal_mode = WAL; {}", many(ROWS));
    let bench = planned(&seed, &rule("c(r)", "action = \"delete\"\nkeep = false"));
    let mut child = started_slowly(&bench, "apply");
    let count = || bench.value("SELECT count(*) FROM c").parse::<u32>().unwrap();
    until(|| count() < ROWS);
    let _ = child.kill();
    child.wait().unwrap();
    let left = count();
    assert!(left > 0 && left % 10 == 0, "{left} rows are left");
    assert_eq!(phase(&bench), "applying");
    assert_eq!(status(&bench)["state"]["made"]["changes"], ROWS - left);
    bench.execute("INSERT INTO p SELECT r FROM c ORDER BY id DESC LIMIT 5");
    let refused = done(&bench, "apply", &["--batch", "10"], 5);
    assert!(plain(&refused).contains("has its parent by now; and 2 more rows"), "{}", refused.stderr);
    assert_eq!(count(), left);
    let skipped = done(&bench, "apply", &["--batch", "10", "--skip-changed"], 6);
    assert!(plain(&skipped).states("5 rows have a parent by now"), "{}", skipped.stdout);
    assert_eq!(count(), 5);
    done(&bench, "undo", &["--batch", "100"], 0);
    assert_eq!(count(), ROWS);
}

/// Overwriting the plan while it waits for a lock does not change the executed bytes.
#[test]
fn plan_overwritten_while_waiting_is_not_executed() {
    let bench = planned(&many(2_000), &rule("c(r)", "action = \"set-null\""));
    let lock = Connection::open(bench.path("app.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let child = started(&bench, "apply", &["--wait", "30s"]);
    std::thread::sleep(Duration::from_millis(400));
    let plan = std::fs::read_to_string(bench.path("plan.ndjson")).unwrap();
    let edited = plan.replacen(",[null]", ",[1   ]", usize::MAX);
    assert_eq!(edited.len(), plan.len());
    let file = std::fs::OpenOptions::new().write(true).open(bench.path("plan.ndjson")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, edited.as_bytes(), 0).unwrap();
    lock.execute_batch("ROLLBACK").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), text.contains("it was changed while it was being read")),
        (Some(5), true),
        "{text}"
    );
    assert_eq!(bench.value("SELECT count(*) FROM c WHERE r > 1000"), "2000");
}

/// The second run reports the active run, and changes nothing.
#[test]
fn two_runs_of_one_plan_exclude_each_other() {
    let bench = planned(&many(4_000), &rule("c(r)", "action = \"set-null\""));
    let mut first = started_slowly(&bench, "apply");
    until(|| bench.value("SELECT count(*) FROM c WHERE r IS NULL") != "0");
    for command in ["apply", "undo"] {
        let second = run(&bench, command, &[]);
        assert_eq!(second.code, 5, "{}{}", second.stdout, second.stderr);
        let text = plain(&second);
        assert!(text.contains(&format!("another run of this plan is active (process {} since ", first.id())), "{text}");
    }
    assert!(
        plain(&bench.run(&["status", "plan.ndjson", "app.db"]))
            .contains("a run of plan.ndjson is in progress on app.db")
    );
    let _ = first.kill();
    first.wait().unwrap();
    done(&bench, "apply", &[], 0);
}

/// A copy of the plan has another lock. The record tells the first run that another run has continued it.
#[test]
fn run_overtaken_by_a_copy_of_its_plan_stops() {
    let bench = planned(&many(4_000), &rule("c(r)", "action = \"set-null\""));
    std::fs::copy(bench.path("plan.ndjson"), bench.path("copy.ndjson")).unwrap();
    let first = started_slowly(&bench, "apply");
    until(|| bench.value("SELECT count(*) FROM c WHERE r IS NULL") != "0");
    let second = bench.run(&["apply", "app.db", "copy.ndjson", "--no-backup", "--wait", "60s"]);
    assert_eq!(second.code, 0, "{}{}", second.stdout, second.stderr);
    let output = first.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("another run continues this plan"), "{text}");
    assert_eq!(bench.value("SELECT count(*) FROM c WHERE r IS NULL"), "4000");
    assert_eq!(bench.run(&["undo", "app.db", "copy.ndjson", "--no-backup"]).code, 0);
    assert_eq!(bench.value("SELECT count(*) FROM c WHERE r IS NULL"), "0");
}

/// An error after the first batch does not claim that nothing was changed.
#[test]
fn run_stopped_halfway_reports_committed_changes() {
    let seed =
        many(50) + "CREATE TRIGGER t BEFORE UPDATE ON c WHEN OLD.id = 45 BEGIN SELECT RAISE(ABORT, 'the fuse'); END;";
    let bench = planned(&seed, &rule("c(r)", "action = \"set-null\""));
    let stopped = done(&bench, "apply", &["--batch", "10"], 5);
    let text = plain(&stopped);
    assert!(text.states("40 changes committed before stay"), "{text}");
    assert!(!text.contains("nothing was changed"), "{text}");
    assert_eq!(bench.value("SELECT count(*) FROM c WHERE r IS NULL"), "40");
    assert_eq!(phase(&bench), "applying");
    // If refused rows are skipped, the rest is done.
    let skipped = done(&bench, "apply", &["--batch", "10", "--skip-changed"], 6);
    assert!(plain(&skipped).states("1 row was refused by the database"), "{}", skipped.stdout);
    assert_eq!(bench.value("SELECT count(*) FROM c WHERE r IS NULL"), "49");
}

/// A row that has grown too long to be read counts as changed, and a long orphan does not keep its placeholder.
#[test]
fn overlong_row_is_skipped() {
    let bench = planned(SEED, &rule("b(r)", "action = \"set-null\""));
    bench.execute("UPDATE b SET note = zeroblob(30000000) WHERE id = 2");
    assert!(plain(&done(&bench, "apply", &[], 5)).contains("b (id = 2) is not as it was"));
    done(&bench, "apply", &["--skip-changed"], 6);
    assert_eq!(bench.value("SELECT group_concat(coalesce(r, 'null') ORDER BY id) FROM b"), "'1,16,null'");

    let bench = planned(SEED, &rule("b(r)", "action = \"placeholder\""));
    bench.execute("UPDATE b SET note = zeroblob(30000000) WHERE id = 2");
    done(&bench, "apply", &[], 0);
    done(&bench, "undo", &[], 0);
    assert_eq!(bench.value("SELECT group_concat(id ORDER BY id) FROM p"), "'1,2,3,4'");
}

/// A user's table with the name of fk-doctor's table is recognised.
#[test]
fn user_table_with_the_record_name_is_reported() {
    let bench = planned(SEED, &rule("b(r)", "action = \"set-null\""));
    bench.execute("CREATE TABLE fk_doctor_state(x)");
    for command in ["apply", "undo"] {
        let run = run(&bench, command, &[]);
        assert!(plain(&run).contains("if that table is your own, rename it"), "{}", run.stderr);
    }
}

/// One placeholder for very many orphans is undone in linear time.
#[test]
fn undo_of_parent_with_many_orphans_is_linear() {
    let rows: Vec<String> = (0..60_000).map(|id| format!("({id}, -1)")).collect();
    let seed = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); \
         INSERT INTO p VALUES (1); INSERT INTO c VALUES {}, (-5, 1);",
        rows.join(", ")
    );
    let bench = planned(&seed, &rule("c(r)", "action = \"placeholder\""));
    let before = bench.dump();
    done(&bench, "apply", &[], 0);
    done(&bench, "undo", &[], 0);
    assert_eq!(bench.dump(), before);
}

/// The rows of a circle change together, even if they are more than the rows of the smallest set.
#[test]
fn circle_of_many_rows_is_quarantined_and_undone() {
    let rows = |row: &dyn Fn(i64) -> String| (1..=100).map(row).collect::<Vec<_>>().join(", ");
    let itself =
        rows(&|id| format!("({id}, {}, {})", if id == 1 { 999 } else { id - 1 }, if id == 1 { "100" } else { "NULL" }));
    let of_two = format!(
        "CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES d(id), s INTEGER REFERENCES d(id)); \
         CREATE TABLE d(id INTEGER PRIMARY KEY, r INTEGER REFERENCES c(id)); \
         INSERT INTO c VALUES {itself}; INSERT INTO d VALUES {};",
        rows(&|id| format!("({id}, {id})"))
    );
    let of_one = format!(
        "CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES c(id), s INTEGER REFERENCES c(id)); \
         INSERT INTO c VALUES {itself};"
    );
    for seed in [of_two, of_one] {
        let bench = planned(&seed, &rule("c(r)", "action = \"quarantine\""));
        let before = bench.dump();
        done(&bench, "apply", &[], 0);
        assert_eq!(bench.value("SELECT count(*) FROM c"), "0");
        done(&bench, "undo", &[], 0);
        assert_eq!(bench.dump(), before);
    }
}

/// SQLite gives the addresses of the last deleted rows to the next new rows. A row with a key comes back under another address.
#[test]
fn row_whose_address_is_taken_is_undone() {
    for key in ["TEXT PRIMARY KEY NOT NULL", "TEXT PRIMARY KEY"] {
        for action in ["action = \"delete\"\nkeep = false", "action = \"quarantine\""] {
            for options in [&[][..], &["--batch", "1"]] {
                let context = format!("{key}, {action}, {options:?}");
                let bench = planned(&with_key(key), &rule("c(r)", action));
                done(&bench, "apply", options, 0);
                bench.execute("INSERT INTO c VALUES ('new', 1), ('newer', 1)");
                assert_eq!(bench.value("SELECT group_concat(rowid ORDER BY rowid) FROM c"), "'1,2,3'", "{context}");
                let status = bench.run(&["status", "plan.ndjson", "app.db"]).stdout;
                assert!(!status.contains("changed by other programs"), "{context}: {status}");
                done(&bench, "undo", options, 0);
                let rows = bench.value("SELECT group_concat(id || r, ' ' ORDER BY id) FROM c");
                assert_eq!(rows, "'a1 b7 c8 d9 new1 newer1'", "{context}");
            }
        }
    }
}

/// There are more rows than in a chunk, and new rows have a part of the addresses.
#[test]
fn many_rows_whose_addresses_are_taken_are_undone() {
    for key in ["TEXT PRIMARY KEY NOT NULL", "TEXT PRIMARY KEY"] {
        for options in [&[][..], &["--batch", "300"]] {
            let rows =
                "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 1500) INSERT INTO c SELECT";
            let seed = format!("{}; {rows} 'k' || i, 100 + i FROM i", with_key(key));
            let bench = planned(&seed, &rule("c(r)", "action = \"delete\"\nkeep = false"));
            let contents = "SELECT sum(length(id) * r) || ' ' || count(*) FROM c WHERE id NOT LIKE 'new%'";
            let before = bench.value(contents);
            done(&bench, "apply", options, 0);
            bench.execute(&format!("{rows} 'new' || i, 1 FROM i WHERE i <= 900"));
            done(&bench, "undo", options, 0);
            assert_eq!(bench.value(contents), before, "{key}, {options:?}");
            assert_eq!(bench.value("SELECT count(*) FROM c WHERE id LIKE 'new%' AND rowid <= 901"), "900");
        }
    }
}

/// A row that an application created again stays as it is.
#[test]
fn row_that_was_created_again_is_not_undone() {
    for key in ["TEXT PRIMARY KEY NOT NULL", "TEXT PRIMARY KEY"] {
        let bench = planned(&with_key(key), &rule("c(r)", "action = \"quarantine\""));
        done(&bench, "apply", &[], 0);
        bench.execute("INSERT INTO c VALUES ('b', 1), ('c', 1)");
        let before = bench.dump();
        done(&bench, "undo", &[], 5);
        assert_eq!(bench.dump(), before, "{key}");
        done(&bench, "undo", &["--skip-changed"], 6);
        assert_eq!(bench.value("SELECT group_concat(id || r, ' ' ORDER BY id) FROM c"), "'a1 b1 c1 d9'", "{key}");
    }
}

/// Returns a database with orphans in a table with a key of this type.
fn with_key(key: &str) -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); \
         CREATE TABLE c(id {key}, r INTEGER REFERENCES p(id)); \
         INSERT INTO c VALUES ('a', 1), ('b', 7), ('c', 8), ('d', 9)"
    )
}

/// A counter that a part of the plan advanced is restored with its rows.
#[test]
fn counter_of_a_cut_plan_is_restored() {
    let seed = format!(
        "{SEED} CREATE TRIGGER t BEFORE INSERT ON p WHEN NEW.id = 17 BEGIN SELECT RAISE(ABORT, 'the fuse'); END;"
    );
    let bench = planned(&seed, &rule("b(r)", "action = \"placeholder\""));
    let before = bench.dump();
    done(&bench, "apply", &["--batch", "1"], 5);
    assert_eq!(bench.value("SELECT seq FROM sqlite_sequence"), "16");
    done(&bench, "undo", &[], 0);
    assert_eq!(bench.dump(), before);
}

/// After an interrupted plan, an untreated orphan may refer to a parent that was inserted for others.
#[test]
fn untreated_orphan_keeps_no_placeholder() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(id INTEGER PRIMARY KEY); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), s INTEGER REFERENCES q(id)); \
        INSERT INTO p VALUES (1); INSERT INTO q VALUES (1); INSERT INTO c VALUES (1, 1, 1), (2, 7, 1), (3, 7, 9); \
        CREATE TRIGGER t BEFORE DELETE ON c BEGIN SELECT RAISE(ABORT, 'the fuse'); END;";
    let rules = rule("c(r)", "action = \"placeholder\"").replace("id = \"c\"", "id = \"r\"")
        + &rule("c(s)", "action = \"delete\"\nkeep = false").replace("id = \"c\"", "id = \"s\"");
    let bench = planned(seed, &rules);
    let before = bench.dump();
    done(&bench, "apply", &["--batch", "1"], 5);
    assert_eq!(bench.value("SELECT count(*) FROM p"), "2");
    done(&bench, "undo", &[], 0);
    assert_eq!(bench.dump(), before);
}
