//! An application writes between plan, apply and undo, and at the same time; runs are killed and resumed. A row is
//! changed only if it is as planned and still an orphan. Undo reverses only the changes of apply.
//!
//! `FK_DOCTOR_CASES` sets the number of cases, `FK_DOCTOR_FIRST` the first. `judge.rs` judges each run from outside.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::print_stdout, reason = "how much was tried is a figure to report")]

use crate::common;
use crate::generated;
use crate::judge;
use crate::meddling;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::Bench;
use fastrand::Rng;
use judge::Layout;
use judge::Literals;
use judge::State;
use meddling::Story;
use meddling::Tally;
use meddling::World;
use rusqlite::Connection;

impl World for Bench {
    fn bench(&self) -> &Bench {
        self
    }

    fn database(&self) -> String {
        "app.db".to_owned()
    }

    fn options(&self) -> &[&str] {
        &["--no-backup"]
    }

    fn state(&self, layout: &Layout<'_>) -> State {
        let database = Connection::open(self.path("app.db")).unwrap();
        let mut state = State::new();
        for table in &layout.made.tables {
            let columns = Layout::columns(table);
            let quoted: Vec<String> = columns.iter().map(|column| format!("nullif(quote({column}), 'NULL')")).collect();
            let mut question = database.prepare(&format!("SELECT {} FROM {}", quoted.join(", "), table.name)).unwrap();
            let mut rows = question.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let literals = (0..columns.len()).map(|column| row.get(column).unwrap()).collect();
                let (id, row) = Layout::row(table, literals);
                state.insert(id, row);
            }
        }
        let by_sqlite: u32 =
            database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(layout.orphans(&state).len(), by_sqlite as usize, "the judge counts orphans as SQLite does");
        state
    }

    fn dump(&self) -> String {
        self.dump()
    }

    fn write(&self, sql: &str, enforced: bool) -> Option<String> {
        let database = Connection::open(self.path("app.db")).unwrap();
        database.pragma_update(None, "foreign_keys", enforced).unwrap();
        database.execute_batch(sql).err().map(|error| error.to_string())
    }
}

#[test]
fn application_writes_between_commands_are_kept() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (cases, first): (u64, u64) = (number("FK_DOCTOR_CASES", 60), number("FK_DOCTOR_FIRST", 0));
    let (mut tally, mut tried, mut kills) = (Tally::default(), 0, 0);
    let mut codes: BTreeMap<(&str, i32), usize> = BTreeMap::new();
    for seed in first..first + cases {
        let mut random = Rng::with_seed(seed);
        let made = generated::schema(&mut random);
        let sql = made.sql();
        let bench = Bench::new(&format!(
            "{sql}CREATE TABLE map(old, new); INSERT INTO map VALUES (1, 2), (2, 3), (5, 1), (6, 6), ('7', '1');"
        ));
        generated::rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
        let rules = generated::rules(&mut random, &made, false);
        bench.write("r.toml", &rules);
        let layout = Layout::new(&made, Literals::Typed);
        let (start, dump) = (bench.state(&layout), bench.dump());
        let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        let context = format!("seed {seed}\n{sql}\n{rules}\n{dump}\n{}{}", planned.stdout, planned.stderr);
        if ![0, 1].contains(&planned.code) {
            tally.add(seed, vec![("no plan", context)], String::new);
            continue;
        }
        let plan = judge::plan(&bench.path("plan.ndjson"), &layout);
        if plan.is_empty() {
            continue;
        }
        tried += 1;
        let mut story = Story::new(&bench, random, &layout, &plan, layout.orphans(&start));
        story.go(&dump);
        kills += story.kills;
        *codes.entry(("apply", story.applied)).or_default() += 1;
        *codes.entry(("undo", story.undone)).or_default() += 1;
        tally.add(seed, story.case.faults, || format!("{context}\n{}", story.events.join("\n")));
    }
    println!("{tried} plans with an application beside them, {kills} kills, exit codes {codes:?}");
    assert!(cases < 60 || (tried > 30 && kills > 5), "the cases are worth judging");
    tally.assert_none();
}

const ROWS: usize = 3_000;

/// A treatment, and if the child keeps its row and its key.
const RACED: [(&str, &str); 4] = [
    ("set-null", "action = \"set-null\""),
    ("quarantine", "action = \"quarantine\""),
    ("delete", "action = \"delete\"\nkeep = false"),
    ("remap", "action = \"remap\"\nto = \"SELECT 1\""),
];

/// Inserts missing parents, each in its own transaction, and reads which children refer to it in that transaction. Each
/// of these children must keep its key. Begins after the first batch is committed.
fn write_parents(bench: &Bench, stop: &AtomicBool) {
    let database = Connection::open(bench.path("app.db")).unwrap();
    database.busy_timeout(Duration::ZERO).unwrap();
    let patiently = |sql: &str| {
        // SQLite's busy handler sleeps for so long that it would miss batches.
        while !stop.load(Ordering::Relaxed) && database.execute_batch(sql).is_err() {
            std::thread::sleep(Duration::from_micros(100));
        }
    };
    let untouched = "SELECT count(*) FROM c WHERE r = id";
    while !stop.load(Ordering::Relaxed)
        && database.query_row(untouched, [], |row| row.get(0)).unwrap_or(ROWS as u32) == ROWS as u32
    {
        std::thread::sleep(Duration::from_micros(200));
    }
    let mut random = Rng::with_seed(7);
    let mut keys: Vec<usize> = (2..2 + ROWS).collect();
    random.shuffle(&mut keys);
    for key in keys {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        patiently("BEGIN IMMEDIATE");
        if !database.is_autocommit() {
            patiently(&format!(
                "INSERT OR IGNORE INTO p VALUES ({key}, 'the application'); INSERT INTO seen SELECT id, r FROM c WHERE r = {key}"
            ));
            while database.execute_batch("COMMIT").is_err() {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

#[test]
fn child_whose_parent_arrives_before_its_batch_keeps_its_key() {
    for mode in ["WAL", "DELETE"] {
        for (name, treatment) in RACED {
            let bench = Bench::new(&format!(
                "PRAGMA journal_mode = {mode}; CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'a');
                 CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); CREATE TABLE seen(id, r);
                 WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS} + 1)
                 INSERT INTO c SELECT i, i FROM n;"
            ));
            bench.write(
                "r.toml",
                &format!(
                    "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\n[limits]\nmax-rows = 100000\n\
                     max-share = 1.0\n[[treat]]\n{treatment}\n"
                ),
            );
            assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
            let before = bench.dump();
            let stop = AtomicBool::new(false);
            let apply = |options: &[&str]| {
                let apply = ["apply", "app.db", "plan.ndjson", "--no-backup", "--batch", "20", "--wait", "60s"];
                bench.run(&[&apply[..], options].concat())
            };
            let skips_changed = meddling::knows_skip_changed();
            let run = std::thread::scope(|threads| {
                let writer = threads.spawn(|| write_parents(&bench, &stop));
                let options: &[&str] = if skips_changed { &["--skip-changed"] } else { &[] };
                let run = apply(options);
                stop.store(true, Ordering::Relaxed);
                writer.join().unwrap();
                run
            });
            let context = format!("{mode} {name}: {}\n{}{}", run.code, run.stdout, run.stderr);
            let seen = bench.value("SELECT count(*) FROM seen");
            let lost = bench.value(
                "SELECT count(*) FROM seen WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.id = seen.id AND c.r = seen.r)",
            );
            println!(
                "{mode} {name}: {seen} children had found their parent before their batch, {lost} of them were changed"
            );
            assert_ne!(seen, "0", "{context}");
            assert_eq!(lost, "0", "{context}");
            // Rows were left unchanged, so the result is not clean.
            assert!(!skips_changed || run.code == 6, "{context}");
            let orphans =
                "SELECT count(*) FROM c WHERE NOT EXISTS (SELECT 1 FROM p WHERE p.id = c.r) AND r IS NOT NULL";
            assert!(run.code == 5 || bench.value(orphans) == "0", "{context}");

            let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
            assert_eq!(undone.code, 0, "{mode} {name}: {}{}", undone.stdout, undone.stderr);
            bench.execute("DELETE FROM seen; DELETE FROM p WHERE name = 'the application'");
            assert_eq!(bench.dump(), before, "{mode} {name}");
        }
    }
}

/// Plans a repair of `ROWS` orphans by placeholders.
fn planned_placeholders(mode: &str) -> Bench {
    let bench = Bench::new(&format!(
        "PRAGMA journal_mode = {mode}; CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'a');
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); CREATE TABLE seen(id, r);
         WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS} + 1)
         INSERT INTO c SELECT i, i FROM n;"
    ));
    bench.write(
        "r.toml",
        "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\n[limits]\nmax-rows = 100000\nmax-share = 1.0\n\
         [[treat]]\naction = \"placeholder\"\nvalues = { name = \"ours\" }\n",
    );
    assert_eq!(bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]).code, 0);
    bench
}

/// Runs a command in batches while an application repeats `write` until the command ends. The application begins after
/// the first batch is committed.
fn beside(bench: &Bench, command: &str, write: impl Fn(&Connection, usize) + Sync) -> common::Run {
    let stop = AtomicBool::new(false);
    let start = bench.value("SELECT count(*) FROM p");
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            let database = Connection::open(bench.path("app.db")).unwrap();
            database.busy_timeout(Duration::ZERO).unwrap();
            database.execute_batch("PRAGMA foreign_keys = ON").unwrap();
            let count = "SELECT quote(count(*)) FROM p";
            let is_untouched = || database.query_row(count, [], |row| row.get(0)).unwrap_or(start.clone()) == start;
            while !stop.load(Ordering::Relaxed) && is_untouched() {
                std::thread::sleep(Duration::from_micros(200));
            }
            let mut random = Rng::with_seed(3);
            while !stop.load(Ordering::Relaxed) {
                write(&database, random.usize(2..2 + ROWS));
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        let arguments = [command, "app.db", "plan.ndjson", "--no-backup", "--batch", "20", "--wait", "60s"];
        let options: &[&str] = if meddling::knows_skip_changed() { &["--skip-changed"] } else { &[] };
        let run = bench.run(&[&arguments[..], options].concat());
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        run
    })
}

/// Repeats a race in new databases until the application has written before the command ended. On a busy machine, a command
/// may end before the application gets a lock; such a run proves nothing.
fn race(prepare: impl Fn() -> Bench, command: &str, write: impl Fn(&Connection, usize) + Sync) -> (Bench, common::Run) {
    let mut attempts = 0;
    loop {
        let bench = prepare();
        let run = beside(&bench, command, &write);
        attempts += 1;
        if attempts == 20 || bench.value("SELECT count(*) FROM seen") != "0" {
            return (bench, run);
        }
    }
}

/// Runs SQL in one transaction. Returns true if it was committed.
fn at_once(database: &Connection, sql: &str) -> bool {
    let mut tries = 0..1_000;
    while database.execute_batch("BEGIN IMMEDIATE").is_err() {
        if tries.next().is_none() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    if database.execute_batch(sql).is_err() {
        database.execute_batch("ROLLBACK").unwrap();
        return false;
    }
    while database.execute_batch("COMMIT").is_err() {
        std::thread::sleep(Duration::from_micros(100));
    }
    true
}

/// Rows that the application inserted, even with the values of a placeholder, are neither changed nor removed.
#[test]
fn parent_made_first_by_the_application_is_not_undone() {
    for mode in ["WAL", "DELETE"] {
        let (bench, applied) = race(
            || planned_placeholders(mode),
            "apply",
            |database, key| {
                let name = if key % 2 == 0 { "ours" } else { "the application" };
                at_once(
                    database,
                    &format!("INSERT INTO p VALUES ({key}, '{name}'); INSERT INTO seen VALUES ({key}, '{name}')"),
                );
            },
        );
        let context = format!("{mode}: {}\n{}{}", applied.code, applied.stdout, applied.stderr);
        let (seen, lost) =
            ("SELECT count(*) FROM seen", "SELECT count(*) FROM seen WHERE (id, r) NOT IN (SELECT id, name FROM p)");
        assert_ne!(bench.value(seen), "0", "{context}");
        assert_eq!(bench.value(lost), "0", "{context}");
        let orphans = "SELECT count(*) FROM c WHERE r NOT IN (SELECT id FROM p)";
        assert!(applied.code == 5 || bench.value(orphans) == "0", "{context}");
        let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
        let context = format!("{context}\n{}{}", undone.stdout, undone.stderr);
        println!("{mode}: {} parents were made first; apply {}, undo {}", bench.value(seen), applied.code, undone.code);
        assert_eq!(bench.value(lost), "0", "{context}");
        assert_eq!(undone.code, 0, "{context}");
        assert_eq!(
            bench.value("SELECT count(*) FROM p WHERE id > 1 AND id NOT IN (SELECT id FROM seen)"),
            "0",
            "{context}"
        );
    }
}

/// The application refers to placeholders while undo removes them. A child that refers first keeps its parent.
#[test]
fn placeholder_referred_to_during_undo_stays() {
    for mode in ["WAL", "DELETE"] {
        let applied = || {
            let bench = planned_placeholders(mode);
            assert_eq!(bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
            bench
        };
        let (bench, undone) = race(applied, "undo", |database, key| {
            at_once(
                database,
                &format!("INSERT INTO c(r) VALUES ({key}); INSERT INTO seen VALUES (last_insert_rowid(), {key})"),
            );
        });
        let context = format!("{mode}: {}\n{}{}", undone.code, undone.stdout, undone.stderr);
        let seen = bench.value("SELECT count(*) FROM seen");
        let lost = bench.value("SELECT count(*) FROM seen WHERE r NOT IN (SELECT id FROM p)");
        println!("{mode}: {seen} children came before their placeholder went, {lost} lost it; undo {}", undone.code);
        assert_ne!(seen, "0", "{context}");
        assert_eq!(lost, "0", "{context}");
        assert!([5, 6].contains(&undone.code), "{context}");
        // Only the orphans that the plan found are orphans.
        let new = format!("SELECT count(*) FROM c WHERE id > 1 + {ROWS} AND r NOT IN (SELECT id FROM p)");
        assert_eq!(bench.value(&new), "0", "{context}");
    }
}
