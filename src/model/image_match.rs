//! Compares the database with a change of a plan.

/// The state of a row or a definition, compared with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageMatch {
    Before,
    After,
    /// Neither: somebody else changed it.
    Other,
}
