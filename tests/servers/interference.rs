//! An application writes between plan, apply and undo, and at the same time, on servers. The module of the same name
//! tests SQLite.

use std::collections::BTreeMap;

use fastrand::Rng;
use rusqlite::Connection;

use super::common::Bench;
use super::generated;
use super::judge;
use super::judge::Layout;
use super::judge::Literals;
use super::judge::State;
use super::meddling::Story;
use super::meddling::Tally;
use super::meddling::World;
use super::meddling::knows_skip_changed;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::rule;
use super::random_repairs::seed;

impl World for Patient {
    fn bench(&self) -> &Bench {
        &self.server.bench
    }

    fn database(&self) -> String {
        self.server.url()
    }

    fn options(&self) -> &[&str] {
        &["--wait", "20s"]
    }

    fn state(&self, layout: &Layout<'_>) -> State {
        let mut state = State::new();
        for table in &layout.made.tables {
            let columns = Layout::columns(table);
            let (array, text) = match self.kind {
                Kind::Postgres => ("json_build_array", "text"),
                Kind::Mariadb | Kind::Mysql => ("json_array", "char"),
            };
            let values: Vec<String> = columns.iter().map(|column| format!("CAST({column} AS {text})")).collect();
            let rows = format!("SELECT CAST({array}({}) AS {text}) FROM {}", values.join(", "), table.name);
            for row in self.server.texts(&rows) {
                let values: Vec<Option<String>> = serde_json::from_str(&row).unwrap();
                let quoted = |value: String| format!("'{}'", value.replace('\'', "''"));
                let (id, row) = Layout::row(table, values.into_iter().map(|value| value.map(quoted)).collect());
                state.insert(id, row);
            }
        }
        state
    }

    fn dump(&self) -> String {
        self.dump().join("\n")
    }

    fn write(&self, sql: &str, enforced: bool) -> Option<String> {
        let (loose, strict) = match self.kind {
            Kind::Postgres => ("SET session_replication_role = replica", "SET session_replication_role = origin"),
            Kind::Mariadb | Kind::Mysql => ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
        };
        self.server.execute(if enforced { strict } else { loose });
        let outcome = self.server.attempt(sql);
        self.server.execute(strict);
        outcome.err().map(|error| error.to_string())
    }
}

#[test]
fn application_writes_between_commands_are_kept_on_servers() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (cases, first): (u64, u64) = (number("FK_DOCTOR_CASES", 8), number("FK_DOCTOR_FIRST", 0));
    for kind in KINDS {
        let (mut tally, mut tried, mut kills) = (Tally::default(), 0, 0);
        let mut codes: BTreeMap<(&str, i32), usize> = BTreeMap::new();
        for number in first..first + cases {
            let mut random = Rng::with_seed(number);
            let made = generated::schema(&mut random);
            let bench = Bench::new(&made.sql());
            generated::rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
            let rules = generated::rules(&mut random, &made, false);
            let seed = seed(kind, &made, &bench);
            let Some(patient) = Patient::new(kind, &seed) else { continue };
            patient.rules(&rules);
            let layout = Layout::new(&made, Literals::Quoted);
            let (start, dump) = (patient.state(&layout), patient.dump().join("\n"));
            let planned = patient.plan();
            let context = format!("{kind:?} {number}\n{seed}\n{rules}\n{}{}", planned.stdout, planned.stderr);
            if ![0, 1].contains(&planned.code) {
                tally.add(number, vec![("no plan", context)], String::new);
                continue;
            }
            let plan = judge::plan(&patient.server.bench.path("plan.ndjson"), &layout);
            if plan.is_empty() {
                continue;
            }
            tried += 1;
            let mut story = Story::new(&patient, random, &layout, &plan, layout.orphans(&start));
            story.go(&dump);
            kills += story.kills;
            *codes.entry(("apply", story.applied)).or_default() += 1;
            *codes.entry(("undo", story.undone)).or_default() += 1;
            tally.add(number, story.case.faults, || format!("{context}\n{}", story.events.join("\n")));
        }
        println!("{kind:?}: {tried} plans with an application beside them, {kills} kills, exit codes {codes:?}");
        tally.assert_none();
    }
}

const ROWS: usize = 2_000;

/// In one transaction each, the application inserts a missing parent and reads which children refer to it. Each of
/// these children must keep its key, because no batch can come in between.
fn write_parents<T>(patient: &Patient, running: &std::thread::ScopedJoinHandle<'_, T>) {
    let server = &patient.server;
    let of = if patient.kind == Kind::Postgres { "text" } else { "char(20)" };
    let untouched = format!("SELECT CAST(count(*) AS {of}) FROM c WHERE r = id");
    while !running.is_finished() && server.texts(&untouched)[0] == ROWS.to_string() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let mut random = Rng::with_seed(7);
    let mut keys: Vec<usize> = (2..2 + ROWS).collect();
    random.shuffle(&mut keys);
    for key in keys {
        if running.is_finished() {
            return;
        }
        let written = server.attempt(&format!(
            "BEGIN; INSERT INTO p VALUES ({key}, 'the application'); INSERT INTO seen SELECT id, r FROM c WHERE r = {key}; COMMIT"
        ));
        if let Err(error) = written {
            panic!("{:?}: the application is in nobody's way, and was refused: {error}", patient.kind);
        }
    }
}

#[test]
fn server_child_whose_parent_arrives_before_its_batch_keeps_its_key() {
    for kind in KINDS {
        for (name, treatment) in [
            ("set-null", "action = \"set-null\""),
            ("quarantine", "action = \"quarantine\""),
            ("delete", "action = \"delete\"\nkeep = false"),
            ("remap", "action = \"remap\"\nto = \"SELECT 1\""),
        ] {
            let rows: Vec<String> = (2..2 + ROWS).map(|id| format!("({id}, {id})")).collect();
            let Some(patient) = Patient::new(
                kind,
                &format!(
                    "CREATE TABLE p(id int PRIMARY KEY, name varchar(20)); INSERT INTO p VALUES (1, 'a'); \
                     CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
                     CREATE TABLE seen(id int, r int); INSERT INTO c VALUES {}",
                    rows.join(", ")
                ),
            ) else {
                continue;
            };
            patient.rules(&rule("c(r)", treatment).replace("[limits]", "[limits]\nmax-rows = 100000"));
            patient.planned();
            let before = patient.dump();
            let run = std::thread::scope(|threads| {
                let apply = threads.spawn(|| {
                    let options: &[&str] = if knows_skip_changed() { &["--skip-changed"] } else { &[] };
                    patient.apply(&[&["--batch", "20", "--wait", "60s"][..], options].concat())
                });
                write_parents(&patient, &apply);
                apply.join().unwrap()
            });
            let text = format!("{kind:?} {name}: {}\n{}{}", run.code, run.stdout, run.stderr);
            let of = if kind == Kind::Postgres { "text" } else { "char(20)" };
            let count =
                |rows: &str| patient.server.texts(&format!("SELECT CAST(count(*) AS {of}) FROM {rows}")).remove(0);
            let seen = count("seen");
            let lost = count("seen WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.id = seen.id AND c.r = seen.r)");
            println!(
                "{kind:?} {name}: {}: {seen} children had found their parent before their batch, {lost} of them were changed",
                run.code
            );
            assert_ne!(seen, "0", "{text}");
            assert_eq!(lost, "0", "{text}");
            // Rows were left unchanged, so the result is not clean.
            assert!(!knows_skip_changed() || run.code == 6, "{text}");
            assert!(run.code == 5 || patient.orphans() == 0, "{text}");

            let undone = patient.undo(&[]);
            assert_eq!(undone.code, 0, "{kind:?} {name}: {}{}", undone.stdout, undone.stderr);
            patient.server.execute("DELETE FROM seen");
            patient.write("DELETE FROM p WHERE name = 'the application'", false);
            assert_eq!(patient.dump(), before, "{kind:?} {name}");
        }
    }
}

/// No index keeps the key unique, so a parent that the application inserts meanwhile must be seen by the batch that would insert it.
#[test]
fn parent_that_arrives_before_its_batch_is_not_made_twice() {
    for kind in KINDS {
        let seed = "CREATE TABLE p(id int PRIMARY KEY, code int NOT NULL); CREATE INDEX by_code ON p(code); \
                    CREATE TABLE c(id int PRIMARY KEY, r int); \
                    INSERT INTO c VALUES (1, 101), (2, 102), (3, 103), (4, 104), (5, 105), (6, 106)";
        let Some(patient) = Patient::new(kind, seed) else { continue };
        patient.server.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"c(r)\"\nparent = \"p(code)\"\n");
        patient.rules(&rule("c(r)", "action = \"placeholder\"\nvalues = { id = \"{key.r}\" }"));
        patient.planned();
        let of = if kind == Kind::Postgres { "text" } else { "char(20)" };
        let count = |rows: &str| patient.server.texts(&format!("SELECT CAST(count(*) AS {of}) FROM {rows}")).remove(0);
        let run = std::thread::scope(|threads| {
            let apply = threads.spawn(|| patient.apply(&["--batch", "1", "--pause", "300ms"]));
            while !apply.is_finished() && count("p") == "0" {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            patient.server.execute("INSERT INTO p VALUES (9000, 106)");
            apply.join().unwrap()
        });
        let text = format!("{kind:?}: {}\n{}{}", run.code, run.stdout, run.stderr);
        assert_ne!(count("p WHERE id < 9000"), "0", "{text}");
        assert_eq!(count("p WHERE code = 106"), "1", "{text}");
        assert_ne!(run.code, 0, "{text}");
    }
}
