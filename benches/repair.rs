//! How much work a repair is beside the same change written by hand as set-based SQL: `cargo bench --bench repair` on SQLite, and
//! `tests/run with cargo bench --bench repair` also on the servers.
//!
//! Prints rows planned, applied, undone and changed by the script, for each second and for each second of processor time, and the
//! memory of the largest step. For `repoint` these are the children of twins, and the bench also quarantines half as many twins.
//! `FK_DOCTOR_ROWS` sets the orphans (100,000), spread over `FK_DOCTOR_RELATIONS` relations (20); `FK_DOCTOR_BATCH` the changes of a
//! transaction (10,000), and 0 makes one transaction. `FK_DOCTOR_ONLY` names one treatment.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::path::Path;

use fk_doctor::internals::apply::Direction;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::cli::repair::AdmissionArgs;
use fk_doctor::internals::model::progress::ProgressStep;
use fk_doctor::internals::run;
use rusqlite::Connection;

mod measure;
#[path = "../tests/servers/numbers.rs"]
mod numbers;
#[path = "repair/server.rs"]
mod server;

use measure::Costs;
use measure::number;

/// A treatment, its rule, and for each relation the statements that do the same. A rule with `{n}` holds for one relation.
const REPAIRS: [(&str, &str, &str); 5] = [
    (
        "set-null",
        "even-if-parent-lost = true\n[relation]\nchild = \"*\"\n[limits]\nmax-rows = 4_000_000_000\nmax-share = 1.0\n\
         [[treat]]\naction = \"set-null\"\n",
        "UPDATE c{n} SET r = NULL WHERE r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r)",
    ),
    (
        "remap",
        "[relation]\nchild = \"*\"\n[[treat]]\naction = \"remap\"\nto = \"SELECT 1\"\n",
        "UPDATE c{n} SET r = 1 WHERE r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r)",
    ),
    (
        "placeholder",
        "[relation]\nchild = \"*\"\n[[treat]]\naction = \"placeholder\"\n",
        "INSERT INTO p{n}(id, name) SELECT DISTINCT r, 'placeholder-' || r FROM c{n} WHERE r IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r)",
    ),
    (
        "quarantine",
        "even-if-parent-lost = true\n[relation]\nchild = \"*\"\n[limits]\nmax-rows = 4_000_000_000\nmax-share = 1.0\n\
         [[treat]]\naction = \"quarantine\"\n",
        "CREATE TABLE q{n} AS SELECT * FROM c{n} WHERE r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r); \
         DELETE FROM c{n} WHERE r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r)",
    ),
    (
        "repoint",
        "[relation]\nparent = \"p{n}(id)\"\n[limits]\nmax-rows = 4_000_000_000\nmax-share = 1.0\n\
         [[treat]]\naction = \"repoint\"\nsame = [\"(id - 1) - (id - 1) % 2\"]\n",
        "UPDATE c{n} SET r = r - 1 WHERE r % 2 = 0 AND EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r); \
         CREATE TABLE q{n} AS SELECT * FROM p{n} WHERE id % 2 = 0; DELETE FROM p{n} WHERE id % 2 = 0",
    ),
];

/// Returns a file of rules.
fn rules(text: &str, relations: u64) -> String {
    if !text.contains("{n}") {
        return format!("id = \"bench\"\n{text}");
    }
    let mut rule = format!("[[rule]]\nid = \"bench-{{n}}\"\n{text}");
    for table in ["[relation]", "[limits]", "[treat]"] {
        rule = rule.replace(table, &table.replace('[', "[rule."));
    }
    (0..relations).map(|n| rule.replace("{n}", &n.to_string())).collect()
}

/// A third of all child rows are orphans, two to a missing key.
fn database(path: &Path, orphans: u64, relations: u64) {
    let database = Connection::open(path).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN").unwrap();
    let each = orphans / relations;
    for n in 0..relations {
        database
            .execute_batch(&format!(
                "CREATE TABLE p{n}(id INTEGER PRIMARY KEY, name TEXT NOT NULL); \
                 CREATE TABLE c{n}(id INTEGER PRIMARY KEY, r INT REFERENCES p{n}(id), note TEXT); \
                 WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {each}) \
                 INSERT INTO p{n} SELECT i, 'parent ' || i FROM i; \
                 WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {each} * 3) \
                 INSERT INTO c{n} SELECT i, CASE WHEN i % 3 = 0 THEN 1000000000 + i / 6 ELSE i * 7919 % {each} + 1 END, \
                 'a note about row ' || i FROM i;"
            ))
            .unwrap();
    }
    database.execute_batch("COMMIT").unwrap();
}

/// Returns the sum of all values of the database, so that two databases can be compared.
fn content(path: &Path, relations: u64) -> Vec<i64> {
    let database = Connection::open(path).unwrap();
    let sums = (0..relations).flat_map(|n| {
        [
            format!("SELECT coalesce(sum(id * 31 + coalesce(r, -7) * 17 + length(note)), 0) % 1000000007 FROM c{n}"),
            format!("SELECT coalesce(sum(id * 31 + length(name)), 0) % 1000000007 FROM p{n}"),
        ]
    });
    sums.map(|sum| database.query_row(&sum, [], |row| row.get(0)).unwrap()).collect()
}

/// Runs a command of the program in this process.
fn run_here(folder: &Path, arguments: &[&str]) {
    let typed = [&["fk-doctor"], arguments].concat();
    let cli = <Cli as clap::Parser>::try_parse_from(typed).unwrap();
    let environment = run::Environment { directory: folder.to_owned(), cores: 2, ..run::Environment::default() };
    let (global, progress) = (&cli.global, &|_: &ProgressStep<'_>| {});
    let outcome = match &cli.command {
        Command::Repair(typed) => run::repair(typed, global, &environment, progress),
        Command::Apply(typed) => {
            run::apply(Direction::Apply, &typed.run, typed.admission, global, &environment, progress)
        }
        Command::Undo(typed) => {
            run::apply(Direction::Undo, typed, AdmissionArgs::default(), global, &environment, progress)
        }
        _ => unreachable!(),
    };
    let outcome = outcome.unwrap();
    // Merging twins leaves the orphans.
    assert!([0, 6].contains(&outcome.exit.code()), "{arguments:?}: {:?}", outcome.documents);
}

/// A database that a bench repairs, and a copy of it that the script changes.
trait Target {
    fn title(&self) -> String;

    /// Creates the database and the copy.
    fn create(&mut self, orphans: u64, relations: u64);

    /// Returns the database as an argument of a command.
    fn address(&self) -> String;

    /// Returns the options of `apply` and `undo`.
    fn options(&self) -> &'static [&'static str];

    /// Returns sums of all values of the database.
    fn content(&mut self, relations: u64) -> Vec<i64>;

    /// Runs statements on the copy, in one transaction.
    fn script(&mut self, statements: &[String]);
}

/// A file of SQLite.
struct File<'f> {
    folder: &'f Path,
}

impl Target for File<'_> {
    fn title(&self) -> String {
        "SQLite".to_owned()
    }

    fn create(&mut self, orphans: u64, relations: u64) {
        for file in ["app.db", "hand.db"] {
            let _ = std::fs::remove_file(self.folder.join(file));
        }
        database(&self.folder.join("app.db"), orphans, relations);
        std::fs::copy(self.folder.join("app.db"), self.folder.join("hand.db")).unwrap();
    }

    fn address(&self) -> String {
        self.folder.join("app.db").to_str().unwrap().to_owned()
    }

    fn options(&self) -> &'static [&'static str] {
        &["--no-backup"]
    }

    fn content(&mut self, relations: u64) -> Vec<i64> {
        content(&self.folder.join("app.db"), relations)
    }

    fn script(&mut self, statements: &[String]) {
        let database = Connection::open(self.folder.join("hand.db")).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
        statements.iter().for_each(|statement| database.execute_batch(statement).unwrap());
        database.execute_batch("COMMIT").unwrap();
    }
}

/// Prints a line for each treatment.
fn measure(target: &mut dyn Target, folder: &Path, orphans: u64, relations: u64, batch: &str) {
    println!("{}: {orphans} orphans in {relations} relations, batches of {batch}", target.title());
    println!("rows a second, and rows a second of this processor's time; memory in MB");
    println!("{:<12} {:>19} {:>19} {:>19} {:>19} {:>8}", "", "planned", "applied", "undone", "script", "memory");
    let only = std::env::var("FK_DOCTOR_ONLY").ok();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (rule, plan) = (path("rule.toml"), path("plan.ndjson"));
    for (name, text, statement) in REPAIRS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        target.create(orphans, relations);
        let app = target.address();
        std::fs::write(&rule, rules(text, relations)).unwrap();
        let before = target.content(relations);
        let mut costs = [Costs::default(), Costs::default(), Costs::default(), Costs::default()];
        let [planned, applied, undone, script] = &mut costs;
        let batches: &[&str] = if batch == "0" { &[] } else { &["--batch", batch] };
        let options = [target.options(), batches].concat();
        planned.of(|| run_here(folder, &["repair", &app, "--rules", &rule, "-o", &plan]));
        applied.of(|| run_here(folder, &[&["apply", &app, &plan], &options[..]].concat()));
        assert_ne!(target.content(relations), before, "{name}: apply changed nothing");
        undone.of(|| run_here(folder, &[&["undo", &app, &plan], &options[..]].concat()));
        assert_eq!(target.content(relations), before, "{name}: undo did not restore the database");
        let statements: Vec<String> = (0..relations).map(|n| statement.replace("{n}", &n.to_string())).collect();
        script.of(|| target.script(&statements));
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no more")]
        let rate = |milliseconds: f64| format!("{:.0}", orphans as f64 * 1e3 / milliseconds);
        let shown: Vec<String> =
            costs.iter().map(|costs| format!("{:>9} {:>9}", rate(costs.wall[0]), rate(costs.cpu[0]))).collect();
        let memory = costs[..3].iter().map(|costs| costs.peak[0]).fold(0.0, f64::max);
        println!("{name:<12} {} {memory:>8.0}", shown.join(" "));
        for file in ["plan.ndjson", "plan.ndjson.begun"] {
            let _ = std::fs::remove_file(folder.join(file));
        }
    }
}

fn main() {
    let (orphans, relations) = (number("FK_DOCTOR_ROWS", 100_000), number("FK_DOCTOR_RELATIONS", 20));
    let batch = number("FK_DOCTOR_BATCH", 10_000).to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut targets: Vec<Box<dyn Target + '_>> = vec![Box::new(File { folder: folder.path() })];
    targets.extend(server::all());
    for target in &mut targets {
        measure(target.as_mut(), folder.path(), orphans, relations, &batch);
    }
}
