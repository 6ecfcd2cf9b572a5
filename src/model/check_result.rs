//! The result of checking rows before they are loaded: the rows that would be refused, with their lines and the reasons.

use std::sync::Arc;

use super::explanation::Constraint;
use super::finding::Finding;
use super::finding::Sample;
use super::redaction::ShownValue;
use super::schema::Schema;
use super::trial_method::TrialMethod;

/// A report lists up to this number of rows, each with its value and the reason.
pub const LISTED_ROWS: usize = 20;

#[derive(Debug, Clone)]
pub struct CheckResult {
    pub schema: Arc<Schema>,
    /// How the rows were tried.
    pub trial: TrialMethod,
    pub loads: Vec<LoadSource>,
    /// Rows that would lack their parent, and defects of definitions, by relation. Rows are identified by file and line.
    pub findings: Vec<Finding>,
    /// Rows that violate a constraint of the table itself.
    pub refused: Vec<RefusedRows>,
    /// The number of rows that would be refused, each counted once.
    pub would_fail: u64,
    /// The number of rows and keys of each finding that are shown in full. More are kept for the table of rows.
    pub samples: usize,
    /// The tables of the load, parents first.
    pub order: Vec<String>,
    /// Groups of tables that refer to each other in a cycle.
    pub cycles: Vec<Vec<String>>,
    /// The files that rules wrote, if there were rules.
    pub corrected: Option<CorrectedLoad>,
}

/// The files that rules write for one file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorrectedLoad {
    /// The file of rows that can be loaded.
    pub file: String,
    pub rows: u64,
    /// The number of rows in `file` that rules changed.
    pub changed: u64,
    /// The file of rows that would still be refused. They are unchanged.
    pub rest: String,
    pub rest_rows: u64,
    /// The script that inserts missing parents. It must run before the load.
    pub parents: String,
    pub parent_rows: u64,
}

/// One source of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSource {
    pub table: String,
    /// The path of a file, or the name of a staging table.
    pub source: String,
    pub is_staged: bool,
    pub rows: u64,
}

/// Rows refused by one constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRows {
    pub constraint: Constraint,
    pub rows: u64,
    /// The first refused rows.
    pub samples: Vec<RefusedRow>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRow {
    pub source: String,
    pub line: u64,
    /// The columns of the constraint and their values, such as `[("email", "a@b")]`. Empty if the load does not give one of
    /// them.
    pub values: Vec<(String, ShownValue)>,
    /// For a duplicate key: the row that has the key already.
    pub taken: Option<Taken>,
}

/// The row that has a unique key already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A row of the table.
    Table,
    /// An earlier row of the load.
    Row { source: String, line: u64 },
}

/// The whereabouts of a row of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingLine {
    pub source: String,
    pub line: u64,
}

impl FailingLine {
    /// Returns the names under which a sample holds the source and the line: of a file, or of a staging table.
    pub fn names(is_staged: bool) -> (&'static str, &'static str) {
        if is_staged { ("staging", "row") } else { ("file", "line") }
    }

    /// Returns the line of a sample. `None` if the sample names its row in another way.
    pub fn of_sample(sample: &Sample) -> Option<FailingLine> {
        let [(source_name, source), (line_name, line)] = sample.row.as_slice() else { return None };
        let is_location = [true, false].map(FailingLine::names).contains(&(source_name.as_str(), line_name.as_str()));
        let line = line.as_ref().as_integer().and_then(|line| u64::try_from(line).ok())?;
        let source = source.as_ref().as_text()?.to_owned();
        is_location.then_some(FailingLine { source, line })
    }
}

impl CheckResult {
    pub fn rows(&self) -> u64 {
        self.loads.iter().map(|load| load.rows).sum()
    }

    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.refused.is_empty()
    }
}
