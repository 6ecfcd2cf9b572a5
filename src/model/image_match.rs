//! The comparison of the database with a change of a plan.

/// The image of a change that a row or a definition is equal to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageMatch {
    Before,
    After,
    /// Neither image: another program changed the row or the definition.
    Other,
}
