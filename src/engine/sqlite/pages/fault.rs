//! The reasons why pages cannot answer for a relation. A fault never ends a scan: fk-doctor asks SQLite instead.

/// Its text is the reason why a relation was not judged from the pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("page {page} is damaged: {problem}")]
    Damaged { page: u32, problem: &'static str },
    #[error("page {page} cannot be read: {why}")]
    Unreadable { page: u32, why: String },
    #[error("{0}")]
    Unsupported(String),
    #[error("the time limit was reached")]
    TimeLimit,
}

impl Fault {
    pub fn unsupported(reason: impl Into<String>) -> Fault {
        Fault::Unsupported(reason.into())
    }
}
