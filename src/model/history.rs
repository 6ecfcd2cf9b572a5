//! What is remembered of earlier scans of the same database: a few numbers each. Leaves out: the file, and the clock.

use crate::model::examination::Examination;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// `2026-12-31T23:59:59Z`.
    pub at: String,
    pub database: String,
    pub verdict: String,
    pub relations: u64,
    pub unchecked: u64,
    pub orphan_rows: u64,
    pub missing_keys: u64,
    pub defects: u64,
}

impl HistoryEntry {
    pub fn of(examination: &Examination, at: String) -> HistoryEntry {
        let summary = examination.summary();
        HistoryEntry {
            at,
            database: examination.schema.database.name.clone(),
            verdict: examination.verdict().name().to_owned(),
            relations: summary.relations as u64,
            unchecked: summary.unchecked as u64,
            orphan_rows: summary.orphan_rows,
            missing_keys: summary.missing_keys,
            defects: summary.defects as u64,
        }
    }
}
