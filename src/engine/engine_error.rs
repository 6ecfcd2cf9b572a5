//! The errors of engines.

/// The message of an error continues the words "could not …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("read {what}")]
    Unreadable { what: String, why: String, help: String },
    /// `server` is the server with the database and the user: `127.0.0.1:5432 (PostgreSQL, database shop, user app)`.
    #[error("connect to {server}")]
    Unconnected { server: String, why: String, help: String },
    /// A trial of statements, which leaves the database as it is.
    #[error("try {what}")]
    Untried { what: String, why: String, help: String },
    #[error("write {what}")]
    Unwritable { what: String, why: String, help: String },
    #[error("finish within the time limit")]
    TimeLimit,
    #[error("get an answer from the database")]
    Failed { why: String },
}

impl EngineError {
    pub(super) fn wrong_index(found: &str, asked: usize) -> EngineError {
        EngineError::Unreadable {
            what: "an answer of the database".to_owned(),
            why: format!("a row begins with {found} instead of an index below {asked}"),
            help: "nothing was changed: please report this defect of fk-doctor".to_owned(),
        }
    }

    pub(super) fn cannot_write() -> EngineError {
        EngineError::Unwritable {
            what: "to this database".to_owned(),
            why: "fk-doctor cannot repair databases of its engine yet".to_owned(),
            help: "nothing was changed: fk-doctor scan reports what is wrong".to_owned(),
        }
    }

    pub fn because(&self) -> String {
        match self {
            EngineError::Unreadable { why, .. }
            | EngineError::Unconnected { why, .. }
            | EngineError::Untried { why, .. }
            | EngineError::Unwritable { why, .. }
            | EngineError::Failed { why } => why.clone(),
            EngineError::TimeLimit => "the time limit was reached".to_owned(),
        }
    }

    pub fn help(&self) -> Option<String> {
        match self {
            EngineError::Unreadable { help, .. }
            | EngineError::Unconnected { help, .. }
            | EngineError::Untried { help, .. }
            | EngineError::Unwritable { help, .. } => Some(help.clone()),
            EngineError::TimeLimit => Some("allow more time with --timeout".to_owned()),
            EngineError::Failed { .. } => None,
        }
    }
}
