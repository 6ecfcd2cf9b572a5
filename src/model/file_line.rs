//! A line of a file where a relation is written down. Reports that annotate files point there.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// As a reader of the repository would name it.
    pub file: String,
    /// From 1.
    pub line: usize,
}
