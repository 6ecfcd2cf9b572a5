//! Why a command could not run, in the three parts in which it is told: what, because, help.

use std::path::PathBuf;

use crate::engine::EngineError;
use crate::exit::Exit;
use crate::source::SourceError;

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
    /// A filter names nothing that there is.
    #[error("choose relations with {option} {pattern}")]
    Filter { option: &'static str, pattern: String, help: String },
    #[error("write a report to {}", path.display())]
    WouldOverwrite { path: PathBuf },
}

impl RunError {
    pub fn exit(&self) -> Exit {
        match self {
            RunError::Engine(_) => Exit::Unreadable,
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
            RunError::ConfigFile { why, .. } => Some(why.clone()),
            RunError::Config { .. } => None,
            RunError::Filter { .. } => Some("nothing matches it".to_owned()),
            RunError::WouldOverwrite { .. } => {
                Some("that is the database itself, or a file that belongs to it".to_owned())
            }
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
            RunError::Filter { help, .. } => Some(help.clone()),
            RunError::WouldOverwrite { .. } => Some("name another file with --output".to_owned()),
        }
    }
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        RunError::Engine(error)
    }
}
