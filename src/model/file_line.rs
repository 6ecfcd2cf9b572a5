//! The line of a file that declares or configures a relation. Reports that annotate files point to it.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// The path as a reader of the repository would write it.
    pub file: String,
    /// The number of the line, counted from 1.
    pub line: usize,
}
