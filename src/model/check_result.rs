//! What a check of rows to be loaded found: which would be refused, by which reference or constraint, and on which lines.

use std::sync::Arc;

use super::explanation::Constraint;
use super::finding::Finding;
use super::redaction::ShownValue;
use super::schema::Schema;

#[derive(Debug, Clone)]
pub struct CheckResult {
    pub schema: Arc<Schema>,
    pub loads: Vec<LoadSource>,
    /// Rows that would lack their parent, and broken definitions, by relation. Rows are named by file and line.
    pub findings: Vec<Finding>,
    /// Rows that the table itself would not take.
    pub refused: Vec<RefusedRows>,
    /// Rows that would fail for one reason or several.
    pub would_fail: u64,
    /// The tables of the load, parents first.
    pub order: Vec<String>,
    /// Tables that refer to each other in a ring.
    pub cycles: Vec<Vec<String>>,
    /// What rules made of the rows, where there were any.
    pub corrected: Option<CorrectedLoad>,
}

/// The files that rules made of one file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorrectedLoad {
    /// Rows that would be taken; of these, those that rules changed.
    pub file: String,
    pub rows: u64,
    pub changed: u64,
    /// Rows that would still be refused, as they were.
    pub rest: String,
    pub rest_rows: u64,
    /// A script that makes the parents that have to be there first.
    pub parents: String,
    pub parent_rows: u64,
}

/// One source of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSource {
    pub table: String,
    /// A file, or the name of a staging table.
    pub source: String,
    pub is_staged: bool,
    pub rows: u64,
}

/// Rows refused by one constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRows {
    pub constraint: Constraint,
    pub rows: u64,
    /// The first of them.
    pub samples: Vec<RefusedRow>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRow {
    pub source: String,
    pub line: u64,
    /// The key that must be unique, by column, if that is the trouble: `[("email", "a@b")]`.
    pub key: Vec<(String, ShownValue)>,
    /// Where the key is already, if that is the trouble.
    pub taken: Option<Taken>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// By a row that the table has.
    Table,
    /// By an earlier row of the load.
    Row { source: String, line: u64 },
}

impl CheckResult {
    pub fn rows(&self) -> u64 {
        self.loads.iter().map(|load| load.rows).sum()
    }

    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.refused.is_empty()
    }
}
