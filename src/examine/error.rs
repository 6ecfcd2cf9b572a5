//! Reasons why an examination cannot begin: what was asked for does not fit the database or the baseline.

use std::path::PathBuf;

/// Reads after "could not …".
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// A filter names nothing that the database has.
    #[error("choose relations with {option} {pattern}")]
    NothingMatches { option: &'static str, pattern: String, help: String },
    /// The database does not compile a condition for the rows of a table.
    #[error("understand the condition for {table}")]
    Condition { table: String, why: String },
    #[error("{action}")]
    NoRedactKey { action: &'static str },
    /// The secret is not the one with which the baseline was written.
    #[error("use the baseline {}", path.display())]
    OtherSecret { path: PathBuf },
}

impl ExamineError {
    pub fn because(&self) -> String {
        match self {
            ExamineError::NothingMatches { .. } => "nothing matches it".to_owned(),
            ExamineError::Condition { why, .. } => why.clone(),
            ExamineError::NoRedactKey { .. } => "hashes that anyone could make would give the values away".to_owned(),
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
                "put a secret of 16 characters or more into FK_DOCTOR_REDACT_KEY, or mask with --redact".to_owned()
            }
            ExamineError::OtherSecret { .. } => {
                "put the secret that it was written with into FK_DOCTOR_REDACT_KEY".to_owned()
            }
        }
    }
}
