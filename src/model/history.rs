//! Earlier scans of a database, each as a few numbers. `history_file` reads and writes the file.

/// The numbers of one earlier scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastScan {
    /// A time stamp such as `2026-12-31T23:59:59Z`.
    pub at: String,
    pub database: String,
    pub verdict: String,
    pub relations: u64,
    pub unchecked: u64,
    pub orphan_rows: u64,
    pub missing_keys: u64,
    pub defects: u64,
}
