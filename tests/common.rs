//! Helpers of all tests: a private folder with a database, in which the real binary runs.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::model::progress::ProgressStep;
use fk_doctor::internals::run;
use rusqlite::Connection;

pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    /// Creates a folder with `app.db`. The SQL runs with foreign keys off.
    pub(crate) fn new(seed: &str) -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        let database = Connection::open(bench.path("app.db")).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        database.execute_batch(seed).unwrap();
        bench
    }

    /// Creates a folder without a database.
    pub(crate) fn empty() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_in(arguments, &[])
    }

    /// Runs the program with these environment variables.
    pub(crate) fn run_in(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        self.run_program(env!("CARGO_BIN_EXE_fk-doctor"), arguments, variables)
    }

    /// Runs another program in this folder.
    pub(crate) fn run_program(&self, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("DATABASE_URL")
            .env_remove("NO_COLOR")
            .env_remove("COLUMNS")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_OUTPUT")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the program, and returns before it ends. Its output can be read.
    pub(crate) fn start(&self, arguments: &[impl AsRef<OsStr>]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_fk-doctor"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Returns the content of the database without the record of plans: the definitions, and every row with its address,
    /// its values and their storage classes.
    pub(crate) fn dump(&self) -> String {
        dump(&self.path("app.db"))
    }

    pub(crate) fn execute(&self, sql: &str) {
        let database = Connection::open(self.path("app.db")).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        database.execute_batch(sql).unwrap();
    }

    /// Returns the only value of a query as text.
    pub(crate) fn value(&self, question: &str) -> String {
        let database = Connection::open(self.path("app.db")).unwrap();
        database.query_row(&format!("SELECT quote(({question}))"), [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn scan(&self) -> (i32, serde_json::Value) {
        let run = self.run(&["scan", "app.db", "--format", "json"]);
        (run.code, serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr)))
    }
}

/// Runs a scan in this process, so that the test sees a panic and can watch the progress.
pub(crate) fn scan_here(
    path: &Path,
    options: &[&str],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<run::Outcome, run::RunError> {
    let arguments = [&["fk-doctor", "scan", path.to_str().unwrap()], options].concat();
    let cli = <Cli as clap::Parser>::try_parse_from(arguments).unwrap();
    let fk_doctor::internals::cli::Command::Scan(typed) = &cli.command else { panic!("scan was asked for") };
    let directory = path.parent().unwrap().to_owned();
    let environment = run::Environment { directory, cores: 2, ..run::Environment::default() };
    let progress = |step: &ProgressStep<'_>| {
        let whole = |number: u64| usize::try_from(number).unwrap();
        progress(whole(step.done), whole(step.total.unwrap_or_default()));
    };
    run::scan(typed, &cli.global, &environment, &run::NoSink, &progress)
}

/// Waits until a condition is true. Fails after a minute.
pub(crate) fn until(is_so: impl FnMut() -> bool) {
    until_asking_every(Duration::from_millis(2), is_so);
}

/// Waits until a condition is true, with this pause between two checks. Fails after a minute.
pub(crate) fn until_asking_every(pause: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "the condition did not become true");
        std::thread::sleep(pause);
    }
}

/// Returns a text without its line breaks, each run of white space as one space.
pub(crate) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn dump(path: &Path) -> String {
    let database = Connection::open(path).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    // The program keeps its own record of plans, which stays after an undo.
    let mut dump = texts(
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
         WHERE tbl_name <> 'fk_doctor_state' ORDER BY rowid",
    );
    let tables = texts(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT IN ('sqlite_schema', 'fk_doctor_state') ORDER BY name",
    );
    for table in tables {
        let name = table.replace('"', "\"\"");
        let columns = texts(&format!("SELECT name FROM pragma_table_info('{}')", table.replace('\'', "''")));
        let columns: Vec<String> =
            columns.iter().map(|column| format!("quote(\"{}\")", column.replace('"', "\"\""))).collect();
        let columns = columns.join(" || ',' || ");
        let with_address = format!("SELECT rowid || ': ' || {columns} FROM \"{name}\" ORDER BY rowid");
        let sql = match database.prepare(&with_address) {
            Ok(_) => with_address,
            Err(_) => format!("SELECT {columns} FROM \"{name}\""),
        };
        dump.push(table);
        dump.extend(texts(&sql));
    }
    dump.join("\n")
}

/// Texts that can be searched for a phrase with a number.
pub(crate) trait States {
    /// True if a text contains this phrase and the phrase does not cut a number: "10 rows" does not state "0 rows".
    fn states(&self, phrase: &str) -> bool;
}

impl States for str {
    fn states(&self, phrase: &str) -> bool {
        let is_of_number = |letter: char| letter.is_ascii_digit() || letter == ',' || letter == '.';
        self.match_indices(phrase).any(|(start, _)| {
            let (before, after) = (&self[..start], &self[start + phrase.len()..]);
            let begins = phrase.starts_with(|letter: char| letter.is_ascii_digit());
            let ends = phrase.ends_with(|letter: char| letter.is_ascii_digit());
            !(begins && before.ends_with(is_of_number)
                || ends && after.starts_with(|letter: char| letter.is_ascii_digit()))
        })
    }
}

#[test]
fn phrase_with_number_is_found_only_whole() {
    for (text, phrase, is_stated) in [
        ("would make 10 changes", "0 changes", false),
        ("would make 1,000 changes", "0 changes", false),
        ("10 changes, then 0 changes", "0 changes", true),
        ("3 rows", "3 rows", true),
        ("exit code 41", "exit code 4", false),
        ("exit code 4.", "exit code 4", true),
    ] {
        assert_eq!(text.states(phrase), is_stated, "{text}");
    }
}

/// Checks a report against a JSON Schema of the repository.
pub(crate) fn assert_obeys(schema: &str, report: &serde_json::Value) {
    let path = format!("{}/schemas/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Returns for each finding of a `check` report: the relation, or the table with its columns; the code; the lines of
/// its rows. Example: `("c(r)->p(id)", "orphan", [3])`.
pub(crate) fn named(report: &serde_json::Value) -> Vec<(String, String, Vec<u64>)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter().map(|one| {
        let lines = one["samples"].as_array().unwrap().iter().map(|sample| sample["row"]["line"].as_u64().unwrap());
        (text(&one["relation"]), text(&one["code"]), lines.collect())
    });
    let refused = report["refused"].as_array().unwrap().iter().map(|one| {
        let columns: Vec<String> = one["columns"].as_array().unwrap().iter().map(text).collect();
        let lines = one["places"].as_array().unwrap().iter().map(|place| place["line"].as_u64().unwrap());
        (format!("{}({})", text(&one["table"]), columns.join(",")), text(&one["code"]), lines.collect())
    });
    findings.chain(refused).collect()
}

/// Replaces the time that a scan took, at the end of a line such as `4 rows · 0.01 s`, by `TIME`.
pub(crate) fn without_elapsed(text: &str) -> String {
    let mask = |line: &str| match line.rsplit_once(" · ") {
        Some((start, time)) if time.ends_with(" s") && time.starts_with(|digit: char| digit.is_ascii_digit()) => {
            format!("{start} · TIME")
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.split('\n').map(mask).collect();
    lines.join("\n")
}
