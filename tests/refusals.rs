//! Cases that apply and undo refuse. A refusal changes nothing.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::Run;

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE other(x); \
    CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), note); CREATE INDEX cr ON c(r); \
    CREATE TABLE log(x); INSERT INTO p VALUES (1, 'a'); INSERT INTO other VALUES (1), (2); \
    INSERT INTO c VALUES (1, 1, 'x'), (2, 7, 1.0), (3, 8, NULL), (4, 1, 'y');";

/// Key 7 is changed to 1, and key 8 gets a parent.
const RULE: &str = "id = \"r\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"remap\"\nto = \"SELECT 1 WHERE key.r = 7\"\n\
    record = \"kept\"\n[[treat]]\naction = \"placeholder\"\n";

fn planned(seed: &str) -> Bench {
    let bench = Bench::new(seed);
    bench.write("r.toml", RULE);
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    bench
}

fn apply(bench: &Bench, options: &[&str]) -> Run {
    bench.run(&[&["apply", "app.db", "plan.ndjson", "--no-backup"], options].concat())
}

fn undo(bench: &Bench) -> Run {
    bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"])
}

/// The command is refused with this word, and nothing is changed.
fn refuses(bench: &Bench, run: impl Fn() -> Run, why: &str) {
    let before = bench.dump();
    let refused = run();
    assert_eq!(refused.code, 5, "{why}: {}{}", refused.stdout, refused.stderr);
    let text = common::in_one_line(&refused.stderr);
    assert!(text.contains(why) && text.contains("help:"), "{why}: {text}");
    assert_eq!(bench.dump(), before, "{why}");
}

#[test]
fn stale_plan_is_refused() {
    let stale = [
        ("UPDATE c SET r = 9 WHERE id = 2", "c (id = 2) is not as it was when the plan was made: r 7, now 9"),
        ("UPDATE c SET note = 'new' WHERE id = 2", "c (id = 2) is not as it was"),
        ("UPDATE c SET note = 1 WHERE id = 2", "c (id = 2) is not as it was"),
        ("UPDATE c SET note = '1.0' WHERE id = 2", "c (id = 2) is not as it was"),
        ("DELETE FROM c WHERE id = 2", "the plan is out of date, and nothing was changed"),
        ("UPDATE c SET id = 20 WHERE id = 2", "c (id = 2) is not as it was"),
        ("DELETE FROM c WHERE id = 2; INSERT INTO c VALUES (2, 7, 'another')", "c (id = 2) is not as it was"),
        ("INSERT INTO p VALUES (7, 'came')", "c (id = 2) has its parent by now"),
        ("INSERT INTO p VALUES (8, 'came')", "p (id = 8) is not as it was"),
        ("INSERT INTO c VALUES (5, 99, NULL)", "c(r)->p(id) has 1 orphan row (such as id = 5)"),
        ("DELETE FROM p WHERE id = 1", "could not apply the plan"),
        ("ALTER TABLE c ADD COLUMN more", "definitions of the database differ from those that the plan was made for"),
        ("ALTER TABLE p RENAME COLUMN name TO title", "definitions of the database differ"),
        ("CREATE TRIGGER t AFTER UPDATE ON c BEGIN SELECT 1; END", "definitions of the database differ"),
        ("DROP INDEX cr", "definitions of the database differ"),
        (
            "CREATE TABLE kept(id INTEGER PRIMARY KEY, rule, relation, child_table, child_row, original_key, new_key); INSERT INTO kept(id) VALUES (1)",
            "kept (id = 1) is not as it was",
        ),
    ];
    for (change, why) in stale {
        let bench = planned(SEED);
        bench.execute(change);
        refuses(&bench, || apply(&bench, &[]), why);
        // Batches are compared with the original state, because they cannot be rolled back together.
        refuses(&bench, || apply(&bench, &["--batch", "1"]), why.split(" 1 orphan").next().unwrap());
    }
}

#[test]
fn undo_of_changed_rows_is_refused() {
    for (change, why) in [
        ("UPDATE c SET r = 8 WHERE id = 2", "c (id = 2)"),
        ("UPDATE p SET name = 'real' WHERE id = 8", "p (id = 8)"),
        ("DELETE FROM c WHERE id = 2", "c (id = 2)"),
        ("DELETE FROM kept; INSERT INTO kept(id) VALUES (1)", "kept (id = 1)"),
    ] {
        let bench = planned(SEED);
        assert_eq!(apply(&bench, &[]).code, 0);
        bench.execute(change);
        refuses(&bench, || undo(&bench), why);
    }
    // Rows that the plan did not change are not checked.
    let bench = planned(SEED);
    assert_eq!(apply(&bench, &[]).code, 0);
    bench.execute("UPDATE c SET note = 'later' WHERE id = 4; INSERT INTO c VALUES (9, 1, 2)");
    assert_eq!(undo(&bench).code, 0);
    assert_eq!(bench.value("SELECT group_concat(id || coalesce(note, '')) FROM c"), "'1x,21.0,3,4later,92'");
}

#[test]
fn edited_plan_is_refused() {
    let bench = planned(SEED);
    let plan = std::fs::read(bench.path("plan.ndjson")).unwrap();
    let mut at = 0;
    while at < plan.len() {
        let mut damaged = plan.clone();
        damaged[at] ^= 1;
        std::fs::write(bench.path("plan.ndjson"), &damaged).unwrap();
        refuses(&bench, || apply(&bench, &[]), "could not trust the plan");
        at += 97;
    }
    std::fs::write(bench.path("plan.ndjson"), &plan[..plan.len() / 2]).unwrap();
    refuses(&bench, || apply(&bench, &[]), "it was cut off");
    std::fs::write(bench.path("plan.ndjson"), &plan).unwrap();

    // Another database with equal rows.
    std::fs::copy(bench.path("app.db"), bench.path("copy.db")).unwrap();
    let elsewhere = bench.run(&["apply", "copy.db", "plan.ndjson", "--no-backup"]);
    assert_eq!(elsewhere.code, 5);
    assert!(elsewhere.stderr.contains("made for another database") && elsewhere.stderr.contains("--moved"));
    assert_eq!(bench.run(&["apply", "copy.db", "plan.ndjson", "--no-backup", "--moved"]).code, 0);
    let missing = bench.run(&["apply", "app.db", "nope.ndjson"]);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    assert_eq!(bench.run(&["apply", "nope.db", "plan.ndjson"]).code, 3);
    assert!(!bench.path("nope.db").exists());
}

#[test]
fn exchanged_database_and_plan_are_named() {
    let bench = planned(SEED);
    let order = "check the order: `fk-doctor apply DB PLAN`";
    for arguments in
        [["status", "app.db", "plan.ndjson"], ["apply", "plan.ndjson", "app.db"], ["undo", "plan.ndjson", "app.db"]]
    {
        let run = bench.run(&arguments);
        assert!([2, 3].contains(&run.code) && run.stderr.contains(order), "{arguments:?}: {}", run.stderr);
    }
}

/// A change of a trigger beyond the plan rolls the plan back. The triggers can be disabled.
#[test]
fn trigger_with_extra_changes_rolls_back() {
    for (trigger, why) in [
        ("AFTER UPDATE ON c BEGIN DELETE FROM other; END", "changed 2 rows beyond the plan"),
        ("AFTER INSERT ON p BEGIN INSERT INTO log VALUES (new.id); END", "changed 1 row beyond the plan"),
        ("BEFORE UPDATE ON c BEGIN SELECT RAISE(IGNORE); END", "a trigger prevented the change"),
        ("BEFORE UPDATE ON c BEGIN SELECT RAISE(ROLLBACK, 'no'); END", "no"),
        ("BEFORE UPDATE ON c BEGIN SELECT RAISE(ABORT, 'not you'); END", "not you"),
    ] {
        let bench = planned(&format!("{SEED} CREATE TRIGGER t {trigger};"));
        let text = bench.run(&["repair", "app.db", "--rules", "r.toml"]).stdout;
        assert!(text.contains("has triggers (t)"), "{text}");
        refuses(&bench, || apply(&bench, &[]), why);
        let before = bench.dump();
        assert_eq!(apply(&bench, &["--no-triggers"]).code, 0, "{why}");
        assert_eq!(bench.value("SELECT count(*) FROM other"), "2");
        let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup", "--no-triggers"]);
        assert_eq!(undone.code, 0, "{why}: {}", undone.stderr);
        assert_eq!(bench.dump(), before);
    }
    let harmless = planned(&format!("{SEED} CREATE TRIGGER t AFTER UPDATE ON c BEGIN SELECT 1; END;"));
    assert_eq!(apply(&harmless, &[]).code, 0);
}

/// A trigger that creates another orphan is detected, although the engine's commit succeeds.
#[test]
fn new_orphan_anywhere_rolls_back() {
    let trigger = "CREATE TRIGGER t AFTER INSERT ON p BEGIN UPDATE c SET r = 1000 WHERE id = 1; END;";
    let bench = planned(&format!("{SEED}{trigger}"));
    refuses(&bench, || apply(&bench, &[]), "changed 1 row beyond the plan");
}

#[test]
fn backup_is_whole_and_overwrites_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let bench = planned(SEED);
    std::fs::set_permissions(bench.path("app.db"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = bench.dump();
    let applied = bench.run(&["apply", "app.db", "plan.ndjson", "--backup", "safe.db"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    assert!(applied.stdout.contains("safe.db"));
    assert_eq!(common::dump(&bench.path("safe.db")), before);
    assert_eq!(std::fs::metadata(bench.path("safe.db")).unwrap().permissions().mode() & 0o777, 0o640);
    // An existing file is never replaced. Without a backup nothing is changed.
    let now = bench.dump();
    let refused = bench.run(&["undo", "app.db", "plan.ndjson", "--backup", "safe.db"]);
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    assert!(refused.stderr.contains("could not write a backup to safe.db"), "{}", refused.stderr);
    assert_eq!(bench.dump(), now);
    assert_eq!(common::dump(&bench.path("safe.db")), before);
}

/// Returns the backups with a default name in a folder.
fn backups(bench: &Bench, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(bench.path(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("app.db.backup-")).collect()
}

/// By default the backup is beside the database. All runs of a plan have one, and say who made it.
#[test]
fn runs_of_one_plan_share_its_backup() {
    let bench = planned(SEED);
    let before = bench.dump();
    let first = bench.run(&["apply", "app.db", "plan.ndjson"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let [name] = backups(&bench, ".").try_into().unwrap();
    let size = std::fs::metadata(bench.path(&name)).unwrap().len().div_ceil(1_000);
    assert!(first.stdout.contains(&format!("{name} (copy, {size} kB)")), "{}", first.stdout);
    for command in ["undo", "apply", "undo"] {
        let run = bench.run(&[command, "app.db", "plan.ndjson"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let words: Vec<&str> = run.stdout.split_whitespace().collect();
        let words = words.join(" ");
        assert!(words.contains(&format!("{name} ({size} kB, made 20")), "{words}");
        assert!(words.contains("UTC by an earlier run of this plan)"), "{words}");
    }
    assert_eq!(backups(&bench, "."), std::slice::from_ref(&name));
    assert_eq!(common::dump(&bench.path(&name)), before);
    // A file of that name that is no database is left alone.
    std::fs::write(bench.path(&name), "notes").unwrap();
    assert_eq!(bench.run(&["apply", "app.db", "plan.ndjson"]).code, 0);
    assert_eq!(std::fs::read_to_string(bench.path(&name)).unwrap(), "notes");
    assert_eq!(common::dump(&bench.path(&format!("{name}-2"))), before);
}

/// The backup of a run that changed nothing would be old when the plan is applied later.
#[test]
fn refused_run_leaves_no_backup() {
    let trigger = "CREATE TRIGGER t AFTER INSERT ON p BEGIN UPDATE c SET r = 1000 WHERE id = 1; END;";
    let bench = planned(&format!("{SEED}{trigger}"));
    let run = bench.run(&["apply", "app.db", "plan.ndjson"]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert_eq!(backups(&bench, "."), Vec::<String>::new());
    for change in
        ["UPDATE c SET r = 9 WHERE id = 2", "INSERT INTO c VALUES (5, 99, NULL)", "INSERT INTO p VALUES (7, 'came')"]
    {
        let bench = planned(SEED);
        bench.execute(change);
        let run = bench.run(&["apply", "app.db", "plan.ndjson"]);
        assert_eq!(run.code, 5, "{change}: {}{}", run.stdout, run.stderr);
        assert_eq!(backups(&bench, "."), Vec::<String>::new(), "{change}");
    }
}

/// A new row that refers to a row of the plan is found after the backup was made.
#[test]
fn run_of_outdated_plan_leaves_no_backup() {
    let bench = Bench::new(
        "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER REFERENCES a(id)); \
         CREATE TABLE d(id INTEGER PRIMARY KEY, b INTEGER REFERENCES b(id)); INSERT INTO a VALUES (1); \
         INSERT INTO b VALUES (1, 1), (2, 9); INSERT INTO d VALUES (1, 1);",
    );
    bench.write("r.toml", "id = \"r\"\nrelation.child = \"b(a)\"\nlimits = { max-rows = 9, max-share = 1.0 }\n[[treat]]\naction = \"quarantine\"\n");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    bench.execute("INSERT INTO d VALUES (2, 2)");
    refuses(&bench, || bench.run(&["apply", "app.db", "plan.ndjson"]), "is referred to by rows that were added since");
    assert_eq!(backups(&bench, "."), Vec::<String>::new());
}

#[test]
fn large_backup_is_announced_with_its_size() {
    let bench = planned(&format!("{SEED} CREATE TABLE large(b BLOB); INSERT INTO large VALUES (zeroblob(12000000))"));
    let run = bench.run(&["apply", "app.db", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let [name] = backups(&bench, ".").try_into().unwrap();
    assert_eq!(run.stderr, format!("note: the backup {name} takes 13 MB\n"));
    assert!(run.stdout.contains(&format!("{name} (copy, 13 MB)")), "{}", run.stdout);
}

#[test]
fn backup_goes_to_the_named_folder() {
    let bench = planned(SEED);
    let before = bench.dump();
    let refused = bench.run(&["apply", "app.db", "plan.ndjson", "--backup-dir", "my safe"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("because: my safe is not a folder"), "{}", refused.stderr);
    assert!(refused.stderr.contains("mkdir -p 'my safe'"), "{}", refused.stderr);
    assert_eq!(bench.dump(), before);
    std::fs::create_dir(bench.path("my safe")).unwrap();
    for command in ["apply", "undo"] {
        let run = bench.run(&[command, "app.db", "plan.ndjson", "--backup-dir", "my safe"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let [name] = backups(&bench, "my safe").try_into().unwrap();
    assert_eq!(common::dump(&bench.path("my safe").join(name)), before);
    assert_eq!(backups(&bench, "."), Vec::<String>::new());
}

/// A killed run leaves the draft of its backup. A later run names it, and removes nothing.
#[test]
fn unfinished_backup_is_named_and_kept() {
    let bench = planned(SEED);
    let draft = bench.path(".fk-doctor-backup-abc123.part");
    std::fs::write(&draft, "12345678").unwrap();
    let file = std::fs::File::options().append(true).open(&draft).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(600)).unwrap();
    let run = bench.run(&["apply", "app.db", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let note = "left the unfinished backup ";
    assert!(run.stderr.contains(note) && run.stderr.contains("abc123.part (8 B); to remove it: rm "), "{}", run.stderr);
    assert!(draft.exists());
    // A run that makes no backup says nothing.
    let run = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
    assert!(!run.stderr.contains(note) && draft.exists(), "{}", run.stderr);
}

/// A damaged database is not written to.
#[test]
fn damaged_database_is_not_written() {
    let rows: String = (10..400).map(|i| format!("INSERT INTO other VALUES ('{}');", "x".repeat(i))).collect();
    let bench = planned(&format!("{SEED} CREATE INDEX ox ON other(x); {rows}"));
    let mut file = std::fs::read(bench.path("app.db")).unwrap();
    let end = file.len();
    file[end - 4096..end - 4000].fill(0xff);
    std::fs::write(bench.path("app.db"), &file).unwrap();
    let refused = apply(&bench, &[]);
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("the database is damaged"), "{}", refused.stderr);
    assert_eq!(std::fs::read(bench.path("app.db")).unwrap(), file);
}

#[test]
fn other_writer_is_waited_for_and_named() {
    let bench = planned(SEED);
    let other = rusqlite::Connection::open(bench.path("app.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = apply(&bench, &["--wait", "50ms"]);
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    assert!(refused.stderr.contains("another program holds a lock"), "{}", refused.stderr);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(apply(&bench, &[]).code, 0);
}

/// Batches have the same result, also with a write-ahead log.
#[test]
fn batches_give_the_same_result() {
    for mode in ["delete", "wal"] {
        let rows: String = (10..60).map(|i| format!("INSERT INTO c VALUES ({i}, {}, NULL);", 7 + i % 5)).collect();
        let seed = format!("PRAGMA journal_mode = {mode}; {SEED} {rows}");
        let whole = planned(&seed);
        let before = whole.dump();
        assert_eq!(apply(&whole, &[]).code, 0);
        for batch in ["1", "7", "1000"] {
            let bench = planned(&seed);
            let applied = apply(&bench, &["--batch", batch]);
            assert_eq!(applied.code, 0, "{}", applied.stderr);
            assert_eq!(bench.dump(), whole.dump());
            let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup", "--batch", batch]);
            assert_eq!(undone.code, 0, "{}", undone.stderr);
            assert_eq!(bench.dump(), before);
        }
    }
}

/// A rule that would clear rows over its limit is refused. The help names the remap that loses nothing.
#[test]
fn refused_rule_names_the_remap_that_loses_nothing() {
    let key = |id: usize| if id < 30 { " a" } else { ["a", "b", "c", "d", "e"][id % 5] };
    let rows: Vec<String> = (1..60).map(|id| format!("({id}, '{}')", key(id))).collect();
    let bench = Bench::new(&format!(
        "CREATE TABLE p(code TEXT PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p);
         INSERT INTO p VALUES ('a'), ('b'), ('c'), ('d'), ('e'); INSERT INTO c VALUES {};",
        rows.join(", ")
    ));
    bench.write("r.toml", "id = \"r\"\n[relation]\nchild = \"c(p)\"\n[[treat]]\naction = \"set-null\"\n");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    let report = common::in_one_line(&run.stdout);
    let help = "help trimming the keys finds a parent for all 29 rows: fk-doctor rules suggest app.db > app.rules.toml";
    assert!(report.contains(help), "{}", run.stdout);
    // Nothing is promised where a key has no parent in any spelling.
    bench.execute("UPDATE c SET p = 'nobody' WHERE id < 15");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("rules suggest"), "{}", run.stdout);
}
