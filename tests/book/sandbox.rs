//! The folder in which the commands of a page run.

use std::path::Path;
use std::path::PathBuf;

use clap::Parser;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::config;
use rusqlite::Connection;
use saphyr::LoadableYamlNode;
use saphyr::Yaml;

use super::page::Block;
use super::page::BookPage;
use super::root;
use crate::common;
use crate::common::Bench;
use crate::common::Run;

/// Exit codes of a command whose page names no other: clean, findings, or changed in part.
const USUAL: [i32; 2] = [0, 1];

pub(crate) struct Sandbox {
    bench: Bench,
    has_example: bool,
    pub(crate) commands: usize,
}

impl Sandbox {
    pub(crate) fn of(page: &BookPage) -> Sandbox {
        let mut sandbox = Sandbox::empty();
        if let Some(example) = example_of_code(page) {
            sandbox.copy(&example);
        }
        sandbox
    }

    pub(crate) fn has_example(page: &BookPage) -> bool {
        example_of_code(page).is_some() || page.blocks.iter().any(|block| block.language == "example")
    }

    fn empty() -> Sandbox {
        let bench = Bench::empty();
        std::fs::create_dir(bench.path("fixtures")).unwrap();
        std::fs::copy(root().join("fixtures/demo.sqlite"), bench.path("fixtures/demo.sqlite")).unwrap();
        Sandbox { bench, has_example: false, commands: 0 }
    }

    /// Copies the folder of an example, whose scripts `NAME.sql` become databases `NAME.db`, or makes `app.db` by one script.
    fn copy(&mut self, example: &Path) {
        self.has_example = true;
        if example.is_dir() {
            copy_folder(example, &self.bench.path("."));
        } else {
            make_database(example, &self.bench.path("app.db"));
        }
    }

    /// Runs or checks a block. Returns the text of a block with output as it really is.
    pub(crate) fn run(&mut self, block: &Block) -> Result<Option<String>, String> {
        self.keep_file(block);
        match block.language.as_str() {
            "example" => {
                let commands = self.commands;
                *self = Sandbox { commands, ..Sandbox::empty() };
                match block.text.strip_prefix("fixtures/") {
                    Some(case) => self.copy(&root().join(format!("fixtures/{case}/seed.sql"))),
                    None => self.copy(&root().join("docs/examples").join(&block.text)),
                }
            }
            "console" => return Ok(Some(self.console(&block.text))),
            "sh" => {
                for command in commands(&block.text) {
                    self.command(&command)?;
                }
            }
            "toml" => check_toml(&block.text)?,
            "json" => drop(serde_json::from_str::<serde_json::Value>(&block.text).map_err(|error| error.to_string())?),
            "yaml" => drop(Yaml::load_from_str(&block.text).map_err(|error| error.to_string())?),
            "" => return Err("a block of code needs a language".to_owned()),
            "shell" | "sql" | "text" | "csv" | "python" | "ruby" | "rust" | "ndjson" | "prisma" | "ini" => {}
            other => return Err(format!("{other} is checked by no test")),
        }
        Ok(None)
    }

    /// Writes a block into the folder if its first line is a comment with the name of a file.
    fn keep_file(&self, block: &Block) {
        let marker = match block.language.as_str() {
            "toml" => "# ",
            "sql" => "-- ",
            _ => return,
        };
        let name =
            block.first_line().strip_prefix(marker).filter(|name| !name.contains([' ', '/']) && name.contains('.'));
        if let Some(name) = name {
            self.bench.write(name, &block.text);
        }
    }

    fn shell(&mut self, command: &str) -> Run {
        self.commands += 1;
        let binaries = Path::new(env!("CARGO_BIN_EXE_fk-doctor")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        self.bench.run_program(
            "bash",
            &["-c", &format!("{{ {command}\n}} 2>&1")],
            &[("PATH", &path), ("LC_ALL", "C.UTF-8")],
        )
    }

    /// Runs the commands after `$`. Returns the block with the real output.
    fn console(&mut self, text: &str) -> String {
        let mut real = String::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(first) = line.strip_prefix("$ ") else { continue };
            let mut command = first.to_owned();
            real.push_str(line);
            real.push('\n');
            while command.ends_with('\\') {
                let next = lines.next().unwrap_or_default();
                command = format!("{command}\n{next}");
                real.push_str(next);
                real.push('\n');
            }
            while lines.next_if(|line| !line.starts_with("$ ")).is_some() {}
            let run = self.shell(&command);
            let output = run.stdout.replace(&self.bench.path("").display().to_string(), "/srv/");
            real.push_str(&output);
            if !output.is_empty() && !output.ends_with('\n') {
                real.push('\n');
            }
        }
        real
    }

    fn command(&mut self, line: &str) -> Result<(), String> {
        let (command, comment) = line.split_once(" #").unwrap_or((line, ""));
        if needs_server(command) || !self.has_example {
            return parse(command);
        }
        let run = self.shell(command);
        let expected = comment.split_once("exit code ").map(|(_, code)| {
            let digits: String = code.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<i32>().unwrap()
        });
        let is_expected = expected.map_or(USUAL.contains(&run.code), |code| code == run.code);
        if is_expected { Ok(()) } else { Err(format!("{line}\nexit code {}\n{}", run.code, run.stdout)) }
    }
}

/// Replaces each time such as `2026-12-31 23:59` or `2026-12-31T23:59:00Z` by `TIME`.
fn without_times(text: &str) -> String {
    const SHAPE: &str = "dddd-dd-dd_dd:dd";
    let is_shaped = |part: &str| {
        part.len() == SHAPE.len()
            && part.chars().zip(SHAPE.chars()).all(|(letter, shape)| match shape {
                'd' => letter.is_ascii_digit(),
                '_' => letter == ' ' || letter == 'T',
                other => letter == other,
            })
    };
    let mut whole = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.get(..SHAPE.len()).is_some_and(is_shaped) {
            whole.push_str("TIME");
            let after = &rest[SHAPE.len()..];
            rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ':' || letter == 'Z');
        } else {
            whole.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    whole
}

/// Returns the database of a page about a code, in which its commands run.
fn example_of_code(page: &BookPage) -> Option<PathBuf> {
    let code = page.name.strip_prefix("docs/codes/")?.strip_suffix(".md")?;
    Some(root().join(format!("docs/examples/codes/{code}.sql"))).filter(|file| file.exists())
}

fn copy_folder(from: &Path, into: &Path) {
    std::fs::create_dir_all(into).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = into.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
            if path.extension().is_some_and(|extension| extension == "sql") {
                make_database(&path, &target.with_extension("db"));
            }
        }
    }
}

fn make_database(script: &Path, database: &Path) {
    let database = Connection::open(database).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    database.execute_batch(&std::fs::read_to_string(script).unwrap()).unwrap();
}

fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// True if a command reads a database that only a server has.
fn needs_server(command: &str) -> bool {
    let servers = ["postgres://", "postgresql://", "mysql://", "mariadb://", "sc://", "host=", "service="];
    servers.iter().any(|server| command.contains(server))
}

fn parse(command: &str) -> Result<(), String> {
    let (command, _) = command.split_once(" > ").unwrap_or((command, ""));
    let mut words: Vec<String> = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let start = words.iter().position(|word| word == "fk-doctor").ok_or("expected a command of fk-doctor")?;
    Cli::try_parse_from(&words[start..]).map(drop).map_err(|error| error.to_string())
}

/// Reads a block as rules if it has a treatment, else as a configuration.
fn check_toml(text: &str) -> Result<(), String> {
    let is_rule = text.contains("treat") && text.contains("id = ");
    let faults = if is_rule { config::rules::parse(text).err() } else { config::parse(text).err() };
    faults.map_or(Ok(()), |faults| Err(format!("{faults:?}")))
}

/// Returns a text without the parts that differ between runs and machines: times, the digits of a plan's digest, and whether
/// the file system can clone a file.
pub(crate) fn masked(text: &str) -> String {
    let lines = without_times(&common::without_elapsed(text)).replace("(clone, ", "(copy, ");
    let mut masked = String::new();
    let mut rest = lines.as_str();
    while let Some((before, after)) = rest.split_once(".backup-") {
        masked.push_str(before);
        masked.push_str(".backup-DIGEST");
        rest = after.trim_start_matches(|letter: char| letter.is_ascii_hexdigit());
    }
    masked + rest
}
