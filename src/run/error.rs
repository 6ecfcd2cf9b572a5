//! The error of a command in three parts: what could not be done, because, help.

use std::path::Path;
use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::check::CheckError;
use crate::engine::EngineError;
use crate::examine::ExamineError;
use crate::exit::Exit;
use crate::model::text::io_reason;
use crate::model::text::shell;
use crate::plan_file::PlanError;
use crate::source::SourceError;
use crate::treat::TreatError;

/// The text of each error continues "could not …".
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This is a whole sentence. `help` replaces the help of the error.
    #[error("{error}")]
    Source { error: Box<SourceError>, help: Option<String> },
    /// The error of an address in an environment variable.
    #[error("{error}")]
    FromVariable { error: Box<RunError>, variable: String },
    /// This is a whole sentence.
    #[error("\"{database}\" is a database, not a command")]
    NotACommand { database: String, help: String },
    /// This is a whole sentence. The database and the typed options are words of a command.
    #[error("fix asks questions, and there is no terminal to ask on")]
    NoTerminal { database: String },
    #[error("open {}", path.display())]
    NoDatabaseFile { path: PathBuf, because: String, help: String },
    #[error("{0}")]
    Engine(EngineError),
    #[error("read the configuration {}", path.display())]
    ConfigFile { path: PathBuf, why: String },
    /// This is a whole sentence. The relations of the configuration are for another database.
    #[error("{path} names tables that {database} does not have: {}", tables.join(", "))]
    ConfigOfOthers { path: String, database: String, tables: Vec<String>, without: String },
    /// This is a whole sentence. Reports of several databases would go to the same file.
    #[error("{databases} databases cannot share {what}")]
    SharedByDatabases { databases: usize, what: String, help: String },
    /// The faults of a configuration, with their carets. This is the complete text.
    #[error("{rendered}")]
    Config { rendered: String },
    /// An argument or an input that cannot be used.
    #[error("read {what}")]
    Input { what: String, why: String, help: String },
    /// A file that an option names.
    #[error("read {}", path.display())]
    Unreadable { path: PathBuf, why: String, option: &'static str },
    #[error("write to {name}")]
    Unwritten { name: String, why: String },
    #[error("{0}")]
    Examine(#[from] ExamineError),
    #[error("read the history {}", path.display())]
    FaultyHistory { path: PathBuf, line: usize, why: String },
    #[error("write two reports to {name}")]
    SharedOutput { name: String },
    /// `endings` are those that stand for a format: `.txt, .json`.
    #[error("write a report to {}", path.display())]
    UnknownEnding { path: PathBuf, endings: String },
    #[error("write a report to {}", path.display())]
    WouldOverwrite { path: PathBuf, why: &'static str },
    #[error("write the plan {}", path.display())]
    PlanExists { path: PathBuf, why: &'static str, help: &'static str },
    #[error("read the rules {}", path.display())]
    Rules { path: PathBuf, why: String },
    #[error("{0}")]
    Treat(#[from] TreatError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
    /// A file that a command makes anew and never replaces.
    #[error("write {}", path.display())]
    NotReplaced { path: PathBuf },
    #[error("repair this database")]
    NoRepair,
    /// This is a whole sentence. Files declare no relation, and the configuration has none.
    #[error("no relation between the tables of {folder} is known")]
    NoRelation { folder: String, can_discover: bool, was_searched: bool },
    /// This is a whole sentence. A request such as ctrl-c ended the run.
    #[error("{headline}")]
    Stopped { headline: String, because: String, commands: String, exit: Exit },
}

impl RunError {
    /// `None` is standard output.
    pub fn unwritten(file: Option<&Path>, error: &std::io::Error) -> RunError {
        RunError::Unwritten { name: RunError::name(file), why: io_reason(error) }
    }

    /// `None` is standard output.
    fn name(file: Option<&Path>) -> String {
        file.map_or_else(|| "standard output".to_owned(), |file| file.display().to_string())
    }

    /// `option` is the option that named the file.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error, option: &'static str) -> RunError {
        RunError::Unreadable { path: path.to_owned(), why: io_reason(error), option }
    }

    /// `name` is the file or the table from which the rows come.
    pub(super) fn of_check(name: &str, fault: CheckError) -> RunError {
        match fault {
            CheckError::Engine(error) => RunError::Engine(error),
            CheckError::FileError(fault) => {
                RunError::Input { what: format!("{name}, line {}", fault.line), why: fault.why, help: fault.help }
            }
        }
    }

    pub(super) fn shared_output(file: Option<&Path>) -> RunError {
        RunError::SharedOutput { name: RunError::name(file) }
    }

    pub(super) fn unresolved() -> RunError {
        RunError::Input {
            what: "the definitions".to_owned(),
            why: "they could not be resolved".to_owned(),
            help: "scan this database first, to see which definition is at fault: `fk-doctor scan`".to_owned(),
        }
    }

    pub fn exit(&self) -> Exit {
        match self {
            RunError::FromVariable { error, .. } => error.exit(),
            RunError::Treat(TreatError::Condition { .. }) => Exit::Usage,
            RunError::Stopped { exit, .. } => *exit,
            RunError::Engine(_) | RunError::NoDatabaseFile { .. } | RunError::Treat(_) => Exit::Unreadable,
            RunError::Apply(error) if error.is_engine_error() => Exit::Unreadable,
            RunError::Plan(PlanError::Untrusted { .. }) | RunError::Apply(_) => Exit::Refused,
            _ => Exit::Usage,
        }
    }

    /// Returns the first line of the error.
    pub fn headline(&self) -> String {
        match self {
            RunError::Source { .. }
            | RunError::NotACommand { .. }
            | RunError::NoTerminal { .. }
            | RunError::ConfigOfOthers { .. }
            | RunError::SharedByDatabases { .. }
            | RunError::NoRelation { .. }
            | RunError::Stopped { .. }
            | RunError::Config { .. } => self.to_string(),
            RunError::Apply(ApplyError::OutOfDate { .. }) => {
                "the plan is out of date, and nothing was changed".to_owned()
            }
            RunError::FromVariable { error, variable } => {
                let headline = error.headline();
                match headline.strip_suffix(')') {
                    Some(headline) => format!("{headline}; from {variable})"),
                    None => format!("{headline} (from {variable})"),
                }
            }
            other => format!("could not {other}"),
        }
    }

    /// True if the error is complete text, labels included.
    pub fn is_rendered(&self) -> bool {
        matches!(self, RunError::Config { .. })
    }

    pub fn because(&self) -> Option<String> {
        match self {
            RunError::Source { error, .. } => Some(error.because()),
            RunError::FromVariable { error, .. } => error.because(),
            RunError::ConfigOfOthers { .. } => {
                Some("the file holds for every database that is scanned from this folder".to_owned())
            }
            RunError::SharedByDatabases { .. } => Some("each database has a report of its own".to_owned()),
            RunError::NoDatabaseFile { because, .. } => Some(because.clone()),
            RunError::Engine(error) => Some(error.because()),
            RunError::ConfigFile { why, .. } | RunError::Unreadable { why, .. } | RunError::Unwritten { why, .. } => {
                Some(why.clone())
            }
            RunError::NoRelation { was_searched, .. } => {
                let searched = if *was_searched { ", and the discovery found none that is certain" } else { "" };
                Some(format!("files declare no foreign keys, and no configuration has a relation{searched}"))
            }
            RunError::Config { .. } | RunError::NotACommand { .. } | RunError::NoTerminal { .. } => None,
            RunError::Input { why, .. } => Some(why.clone()),
            RunError::Examine(error) => Some(error.because()),
            RunError::FaultyHistory { line, why, .. } => Some(format!("line {line}: {why}")),
            RunError::SharedOutput { .. } => Some("the second would overwrite the first".to_owned()),
            RunError::UnknownEnding { .. } => Some("the ending of its name stands for no format".to_owned()),
            RunError::WouldOverwrite { why, .. } | RunError::PlanExists { why, .. } => Some((*why).to_owned()),
            RunError::Rules { why, .. } => Some(why.clone()),
            RunError::Treat(TreatError::Engine(error)) => Some(error.because()),
            RunError::Treat(TreatError::PlanDraft(error)) => Some(error.to_string()),
            RunError::Treat(TreatError::Condition { why, .. }) => Some(why.clone()),
            RunError::Plan(error) => Some(error.because()),
            RunError::Apply(error) => Some(error.because()),
            RunError::NotReplaced { .. } => {
                Some("a file of this name exists, and this command replaces none".to_owned())
            }
            RunError::Stopped { because, .. } => Some(because.clone()),
            RunError::NoRepair => Some("fk-doctor cannot repair databases of this engine yet".to_owned()),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Source { error, help } => Some(help.clone().unwrap_or_else(|| error.help())),
            RunError::FromVariable { error, .. } => error.help(),
            RunError::ConfigOfOthers { database, without, .. } => {
                let other = if database == "app.db" { "other.db" } else { "app.db" };
                Some(format!("move its relations below [database.\"{other}\"], or: {without}"))
            }
            RunError::SharedByDatabases { help, .. } => Some(help.clone()),
            RunError::NoDatabaseFile { help, .. } | RunError::NotACommand { help, .. } => Some(help.clone()),
            RunError::NoTerminal { database } => Some(without_questions(database.trim_start())),
            RunError::Engine(error) => error.help(),
            RunError::ConfigFile { .. } => {
                Some("name a file that can be read with --config, or leave the option out".to_owned())
            }
            RunError::NoRelation { folder, can_discover, .. } => Some(format!(
                "{}write each relation into {}:\n\n      \
                 [[relation]]\n      child  = \"orders(customer_id)\"\n      parent = \"customers(id)\"",
                if *can_discover {
                    format!("list the likely ones with `fk-doctor discover {}`, or ", shell(folder))
                } else {
                    String::new()
                },
                Path::new(folder).join("fk-doctor.toml").display()
            )),
            RunError::Config { .. } => None,
            RunError::PlanExists { help, .. } => Some((*help).to_owned()),
            RunError::Input { help, .. } => Some(help.clone()),
            RunError::Examine(error) => Some(error.help()),
            RunError::Unreadable { option, .. } => {
                Some(format!("name a file that can be read with {option}, or leave the option out"))
            }
            RunError::FaultyHistory { .. } => {
                Some("correct or remove the line, or name another file with --history".to_owned())
            }
            RunError::UnknownEnding { endings, .. } => {
                Some(format!("name the format with --format, or end the name with one of {endings}"))
            }
            RunError::SharedOutput { .. } => Some("give each report its own file: --format FORMAT=FILE".to_owned()),
            RunError::Unwritten { .. } | RunError::WouldOverwrite { .. } => {
                Some("name another file with --output".to_owned())
            }
            RunError::Rules { .. } => {
                Some("name a file of rules, a folder of them, or a rule that `fk-doctor rules list` shows".to_owned())
            }
            RunError::Treat(TreatError::Engine(error)) => error.help(),
            RunError::Treat(TreatError::PlanDraft(_)) => {
                Some("free disk space for temporary files, or set TMPDIR to another folder".to_owned())
            }
            RunError::Treat(TreatError::Condition { table, .. }) => {
                Some(format!("use only columns of {table} in --where; --table names the table whose rows it selects"))
            }
            RunError::Plan(error) => Some(error.help().to_owned()),
            RunError::Apply(error) => error.help(),
            RunError::NotReplaced { .. } => Some(
                "name another file, with -o for the configuration or --baseline=FILE for known findings".to_owned(),
            ),
            RunError::Stopped { commands, .. } => Some(commands.clone()),
            RunError::NoRepair => Some("`fk-doctor scan` reports its orphans and defects".to_owned()),
        }
    }
}

/// Returns the commands that repair a database without questions.
fn without_questions(database: &str) -> String {
    let database = if database.is_empty() { String::new() } else { format!("{database} ") };
    format!(
        "fk-doctor rules suggest {database}> my.rules.toml\n      \
         fk-doctor repair {database}--rules my.rules.toml -o my.plan.ndjson"
    )
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        RunError::Engine(error)
    }
}
