//! Errors before an examination begins: the options do not fit the database or the baseline.

use std::path::PathBuf;

/// Each message reads well after "could not".
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// A filter matches nothing in the database.
    #[error("choose relations with {option} {pattern}")]
    NothingMatches { option: &'static str, pattern: String, help: String },
    /// The database refuses a condition for the rows of a table.
    #[error("understand the condition for {table}")]
    Condition { table: String, why: String },
    /// Hashes are needed, but there is no secret.
    #[error("{action}")]
    NoRedactKey { action: &'static str },
    /// The baseline was written with another secret.
    #[error("use the baseline {}", path.display())]
    OtherSecret { path: PathBuf },
}

impl ExamineError {
    pub fn because(&self) -> String {
        match self {
            ExamineError::NothingMatches { .. } => "nothing matches it".to_owned(),
            ExamineError::Condition { why, .. } => why.clone(),
            ExamineError::NoRedactKey { .. } => {
                "without a secret, anyone could guess the values from their hashes".to_owned()
            }
            ExamineError::OtherSecret { .. } => {
                "its fingerprints were made with another secret than FK_DOCTOR_REDACT_KEY".to_owned()
            }
        }
    }

    pub fn help(&self) -> String {
        match self {
            ExamineError::NothingMatches { help, .. } => help.clone(),
            ExamineError::Condition { .. } => "write it in SQL over child: --where 'orders: child.id > 100'".to_owned(),
            ExamineError::NoRedactKey { .. } => {
                "set FK_DOCTOR_REDACT_KEY to a secret of at least 16 characters, or mask the values with --redact"
                    .to_owned()
            }
            ExamineError::OtherSecret { .. } => {
                "set FK_DOCTOR_REDACT_KEY to the secret with which the baseline was written".to_owned()
            }
        }
    }
}
