//! Runs the steps of a case on one engine and compares what they print and write with the expected files.
//!
//! Every step is also checked against these laws. Only a step that writes changes the database. No step leaves files
//! that its command line does not name. A JSON report obeys its schema. A scan prints the same bytes with one worker
//! and with eight. `BLESS=1` rewrites the expected files; review the diff.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::case::Action;
use super::case::Case;
use super::case::Engine;
use super::case::Step;
use super::common;
use super::common::Bench;

/// The database of a case on one engine.
pub(crate) trait Database {
    /// The folder in which the steps run.
    fn bench(&self) -> &Bench;
    /// The argument that stands for `DB`.
    fn address(&self) -> String;
    /// The name that the program prints for the database.
    fn name(&self) -> String;
    /// The version of the engine as the program prints it, such as `10.11.6`.
    fn version(&self) -> String;
    /// Runs statements while no foreign key is enforced.
    fn execute(&self, sql: &str);
    /// Returns the only column of every row.
    fn query(&self, sql: &str) -> Vec<String>;
    /// Returns the whole content of the database as text.
    fn dump(&self) -> String;
    /// Returns the bytes of the database file. They are empty for a server.
    fn bytes(&self) -> Vec<u8>;
}

/// The content of a database between two steps.
#[derive(PartialEq, Clone)]
struct State {
    dump: String,
    bytes: Vec<u8>,
}

fn state(database: &dyn Database) -> State {
    State { dump: database.dump(), bytes: database.bytes() }
}

/// True if `BLESS=1` asks to rewrite the expected files.
pub(crate) fn blesses() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// Copies the files of the case beside the database.
pub(crate) fn prepare(case: &Case, database: &dyn Database) {
    for file in &case.files {
        std::fs::copy(case.folder.join(file), database.bench().path(file)).unwrap();
    }
}

/// Runs a case and returns every difference from its expected files. `blesses` rewrites these files instead.
pub(crate) fn differences(case: &Case, engine: Engine, database: &dyn Database, blesses: bool) -> Vec<String> {
    prepare(case, database);
    let mut run = CaseRun { case, engine, database, blesses, wrong: Vec::new() };
    let mut before = BTreeMap::new();
    for step in &case.steps {
        let start = state(database);
        run.step(step);
        let end = state(database);
        // A dump leaves out the program's own record of plans, so a plan that is applied again may write.
        let is_changed = if step.words().first().is_some_and(|word| word == "apply" || word == "undo") {
            start.dump != end.dump
        } else {
            start != end
        };
        if is_changed != step.changes {
            let verb = if step.changes { "did not change" } else { "changed" };
            run.complain(step, &format!("the step {verb} the database"));
        }
        if let Some(name) = &step.restores {
            let earlier: &State = before.get(name.as_str()).unwrap_or(&start);
            if earlier.dump != end.dump {
                run.complain(step, &format!("it does not restore `{name}`:\n{}", diff(&earlier.dump, &end.dump)));
            }
        }
        before.entry(step.name.as_str()).or_insert(start);
    }
    run.wrong
}

struct CaseRun<'a> {
    case: &'a Case,
    engine: Engine,
    database: &'a dyn Database,
    blesses: bool,
    wrong: Vec<String>,
}

impl CaseRun<'_> {
    fn complain(&mut self, step: &Step, fault: &str) {
        let (case, engine) = (&self.case.name, self.engine.name());
        let fault = format!("fixtures/{case} on {engine}, step {}: {fault}", step.name);
        if !self.wrong.contains(&fault) {
            self.wrong.push(fault);
        }
    }

    fn step(&mut self, step: &Step) {
        match &step.action {
            Action::Sql(sql) => self.database.execute(sql),
            Action::Query(sql) => {
                let rows: String = self.database.query(sql).iter().map(|row| format!("{row}\n")).collect();
                self.compare(step, &step.output().unwrap(), &rows);
            }
            Action::Run { words, .. } => self.run(step, words),
        }
    }

    fn run(&mut self, step: &Step, words: &[String]) {
        let folder = |bench: &Bench| -> BTreeSet<String> {
            let entries = std::fs::read_dir(bench.path(".")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let files = folder(self.database.bench());
        let run = command(self.database, words, &[]);
        if run.code != step.exit {
            self.complain(
                step,
                &format!("exit code {}, expected {}\n{}{}", run.code, step.exit, run.stdout, run.stderr),
            );
        }
        self.compare(step, &step.output().unwrap(), &normalised(self.database, &run.stdout));
        self.compare(step, &step.errors().unwrap(), &normalised(self.database, &run.stderr));
        for file in &step.files {
            match std::fs::read_to_string(self.database.bench().path(file)) {
                Ok(written) => self.compare(step, file, &normalised(self.database, &written)),
                Err(error) => self.complain(step, &format!("it did not write {file}: {error}")),
            }
        }
        let is_named = |file: &String| words.iter().any(|word| word.contains(file.as_str()));
        let is_of_a_plan = |file: &String| step.writes && (file.contains(".backup-") || file.ends_with(".begun"));
        for file in folder(self.database.bench()).difference(&files) {
            if !is_named(file) && !is_of_a_plan(file) {
                self.complain(step, &format!("it left the file {file}"));
            }
        }
        if step.output().unwrap().ends_with(".json") {
            obeys_its_schema(&run.stdout);
        }
        if words[0] == "scan" {
            for jobs in ["1", "8"] {
                let again = command(self.database, words, &["--jobs", jobs]);
                if common::without_elapsed(&again.stdout) != common::without_elapsed(&run.stdout) {
                    self.complain(
                        step,
                        &format!("--jobs {jobs} prints other bytes:\n{}", diff(&run.stdout, &again.stdout)),
                    );
                }
            }
        }
    }

    fn compare(&mut self, step: &Step, file: &str, got: &str) {
        let paths = self.case.expected(self.engine, file);
        let read = |paths: &[std::path::PathBuf]| {
            paths.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
        };
        if self.blesses {
            // The first engine of the case writes the shared file. Every other engine writes a file only where it differs.
            let is_first = self.case.engines[0] == self.engine;
            let (own, others) = if is_first { (paths.last().unwrap(), &[][..]) } else { (&paths[0], &paths[1..]) };
            if is_first || read(others) == got {
                let _ = std::fs::remove_file(&paths[0]);
            }
            if read(others) != got {
                std::fs::create_dir_all(own.parent().unwrap()).unwrap();
                std::fs::write(own, got).unwrap();
            } else if is_first {
                let _ = std::fs::remove_file(own);
            }
        }
        let expected = read(&paths);
        if expected != got {
            let difference = diff(&expected, got);
            self.complain(step, &format!("{file} differs (BLESS=1 accepts it):\n{difference}"));
        }
    }
}

/// Runs the program with the words of a step.
pub(crate) fn command(database: &dyn Database, words: &[String], more: &[&str]) -> common::Run {
    let address = database.address();
    let words = words.iter().map(|word| if word == "DB" { address.as_str() } else { word.as_str() });
    database.bench().run(&words.chain(more.iter().copied()).collect::<Vec<_>>())
}

/// Returns a text with placeholders for everything that differs between runs: the address and the name of the
/// database, the version of its engine, the time, and the process id.
pub(crate) fn normalised(database: &dyn Database, text: &str) -> String {
    let version = format!("\"version\": \"{}\"", database.version());
    let text = text
        .replace(&database.address(), "app.db")
        .replace(&database.name(), "app.db")
        .replace(&version, "\"version\": \"ENGINE_VERSION\"");
    let text = without_plan_digests(&common::without_elapsed(&without_times(&text)));
    // A long address moves a command to a line of its own, and a server's database has no ending.
    let text =
        text.replace("rule:\n          fk-doctor", "rule: fk-doctor").replace("app.db.rules.toml", "app.rules.toml");
    let Some((start, rest)) = text.split_once(", process ") else { return text };
    let (_, rest) = rest.split_once(" since ").unwrap_or(("", rest));
    let (_, rest) = rest.split_once('\n').unwrap_or(("", rest));
    format!("{start}, process NUMBER\n{rest}")
}

/// Replaces the digest of a plan in the name of its backup. A plan contains the path of the database.
fn without_plan_digests(text: &str) -> String {
    let mut parts = text.split(".backup-");
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        let name = if digits == 8 { "DIGEST" } else { &part[..digits] };
        normal.push_str(&format!(".backup-{name}{}", &part[digits..]));
    }
    normal
}

/// Replaces every time of yesterday, today and tomorrow by `TIME`. A server may be in another time zone.
fn without_times(text: &str) -> String {
    let clock = rusqlite::Connection::open_in_memory().unwrap();
    let mut text = text.to_owned();
    for day in ["-1 day", "0 days", "+1 day"] {
        let day: String = clock.query_row("SELECT date('now', ?1)", [day], |row| row.get(0)).unwrap();
        while let Some(start) = text.find(&day) {
            let rest = &text[start + day.len()..];
            let is_of_a_time = |letter: char| letter.is_ascii_digit() || ":.+ T".contains(letter);
            let length = rest.find(|letter| !is_of_a_time(letter)).unwrap_or(rest.len());
            let zone = usize::from(rest[length..].starts_with('Z'));
            text.replace_range(start..start + day.len() + length + zone, "TIME");
        }
    }
    text
}

fn obeys_its_schema(output: &str) {
    let report: serde_json::Value = serde_json::from_str(output).unwrap();
    let format = report["format"].as_str().unwrap();
    let name = format.strip_prefix("fk-doctor/").and_then(|format| format.split('@').next()).unwrap();
    common::assert_obeys(name, &report);
}

/// Returns the lines in which two texts differ, without their common lines at the start and at the end.
pub(crate) fn diff(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let start = expected.iter().zip(&got).take_while(|(a, b)| a == b).count();
    let (old, new) = (&expected[start..], &got[start..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let removed = old[..old.len() - end].iter().map(|line| format!("  -{line}\n"));
    let added = new[..new.len() - end].iter().map(|line| format!("  +{line}\n"));
    format!("  line {}:\n{}{}", start + 1, removed.collect::<String>(), added.collect::<String>())
}
