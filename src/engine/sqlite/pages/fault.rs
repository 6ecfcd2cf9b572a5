//! Why pages could not be read. A fault never ends a scan: SQLite is asked instead.

/// Reads as the reason why a relation was not judged from the pages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("page {page} is damaged: {what}")]
    Damaged { page: u32, what: &'static str },
    #[error("page {page} cannot be read: {why}")]
    Unreadable { page: u32, why: String },
    #[error("{0}")]
    Unsupported(String),
    #[error("the time limit was reached")]
    TimeLimit,
}

impl Fault {
    pub fn unsupported(what: impl Into<String>) -> Fault {
        Fault::Unsupported(what.into())
    }
}
