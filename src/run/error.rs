//! Why a command could not run, in the three parts in which it is told: what, because, help.

use std::path::Path;
use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::check::CheckError;
use crate::engine::EngineError;
use crate::examine::ExamineError;
use crate::exit::Exit;
use crate::plan_file::PlanError;
use crate::source::SourceError;
use crate::treat::TreatError;

/// Reads after "could not …".
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Source(SourceError),
    #[error("{0}")]
    Engine(EngineError),
    #[error("read the configuration {}", path.display())]
    ConfigFile { path: PathBuf, why: String },
    /// The faults of a configuration, with their carets: these are whole sentences.
    #[error("{rendered}")]
    Config { rendered: String },
    /// Something that was given cannot be used.
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
    SharedPlace { name: String },
    #[error("write a report to {}", path.display())]
    WouldOverwrite { path: PathBuf, why: &'static str },
    #[error("write the plan {}", path.display())]
    PlanThere { path: PathBuf, why: &'static str, help: &'static str },
    #[error("read the rules {}", path.display())]
    Rules { path: PathBuf, why: String },
    #[error("{0}")]
    Treat(#[from] TreatError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
    #[error("repair this database")]
    NoRepair,
}

impl RunError {
    /// `None` is standard output.
    pub fn unwritten(file: Option<&Path>, error: &std::io::Error) -> RunError {
        RunError::Unwritten { name: RunError::name(file), why: error.to_string() }
    }

    /// `None` is standard output.
    fn name(file: Option<&Path>) -> String {
        file.map_or_else(|| "standard output".to_owned(), |file| file.display().to_string())
    }

    /// `option` is the option that named the file.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error, option: &'static str) -> RunError {
        RunError::Unreadable { path: path.to_owned(), why: error.to_string(), option }
    }

    /// `name` is the file, or whatever the rows came from.
    pub(super) fn of_check(name: &str, fault: CheckError) -> RunError {
        match fault {
            CheckError::Engine(error) => RunError::Engine(error),
            CheckError::FileError(fault) => {
                RunError::Input { what: format!("{name}, line {}", fault.line), why: fault.why, help: fault.help }
            }
        }
    }

    pub(super) fn shared_place(file: Option<&Path>) -> RunError {
        RunError::SharedPlace { name: RunError::name(file) }
    }

    pub(super) fn unresolved() -> RunError {
        RunError::Input {
            what: "the definitions".to_owned(),
            why: "they could not be resolved".to_owned(),
            help: "scan the database first: fk-doctor scan DB".to_owned(),
        }
    }

    pub fn exit(&self) -> Exit {
        match self {
            RunError::Engine(_) | RunError::Treat(_) => Exit::Unreadable,
            RunError::Apply(error) if error.is_engine_error() => Exit::Unreadable,
            RunError::Plan(PlanError::Untrusted { .. }) | RunError::Apply(_) => Exit::Refused,
            _ => Exit::Usage,
        }
    }

    /// Already laid out as a whole, label and all.
    pub fn is_rendered(&self) -> bool {
        matches!(self, RunError::Config { .. })
    }

    pub fn because(&self) -> Option<String> {
        match self {
            RunError::Source(error) => Some(error.because()),
            RunError::Engine(error) => Some(error.because()),
            RunError::ConfigFile { why, .. } | RunError::Unreadable { why, .. } | RunError::Unwritten { why, .. } => {
                Some(why.clone())
            }
            RunError::Config { .. } => None,
            RunError::Input { why, .. } => Some(why.clone()),
            RunError::Examine(error) => Some(error.because()),
            RunError::FaultyHistory { line, why, .. } => Some(format!("line {line}: {why}")),
            RunError::SharedPlace { .. } => Some("one of them would be lost in the other".to_owned()),
            RunError::WouldOverwrite { why, .. } | RunError::PlanThere { why, .. } => Some((*why).to_owned()),
            RunError::Rules { why, .. } => Some(why.clone()),
            RunError::Treat(TreatError::Engine(error)) => Some(error.because()),
            RunError::Treat(TreatError::PlanDraft(error)) => Some(error.to_string()),
            RunError::Plan(error) => Some(error.because()),
            RunError::Apply(error) => Some(error.because()),
            RunError::NoRepair => Some("repairs are not built for its engine yet".to_owned()),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Source(error) => Some(error.help()),
            RunError::Engine(error) => error.help(),
            RunError::ConfigFile { .. } => {
                Some("name a file that can be read with --config, or leave the option out".to_owned())
            }
            RunError::Config { .. } => None,
            RunError::PlanThere { help, .. } => Some((*help).to_owned()),
            RunError::Input { help, .. } => Some(help.clone()),
            RunError::Examine(error) => Some(error.help()),
            RunError::Unreadable { option, .. } => {
                Some(format!("name a file that can be read with {option}, or leave the option out"))
            }
            RunError::FaultyHistory { .. } => {
                Some("mend or remove the line, or name another file with --history".to_owned())
            }
            RunError::SharedPlace { .. } => Some("give each a file of its own: --format F=FILE".to_owned()),
            RunError::Unwritten { .. } | RunError::WouldOverwrite { .. } => {
                Some("name another file with --output".to_owned())
            }
            RunError::Rules { .. } => {
                Some("name a file of rules, a folder of them, or one of `fk-doctor rules list`".to_owned())
            }
            RunError::Treat(TreatError::Engine(error)) => error.help(),
            RunError::Treat(TreatError::PlanDraft(_)) => Some("make room where temporary files go (TMPDIR)".to_owned()),
            RunError::Plan(error) => Some(error.help().to_owned()),
            RunError::Apply(error) => error.help(),
            RunError::NoRepair => Some("`fk-doctor scan` says what is wrong with it".to_owned()),
        }
    }
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        RunError::Engine(error)
    }
}
