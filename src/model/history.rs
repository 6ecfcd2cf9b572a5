//! What is remembered of earlier scans of the same database: a few numbers each. Leaves out: the file, and the clock.

/// The numbers of one earlier scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastScan {
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
