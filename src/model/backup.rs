//! The backup of a database before a plan changes it.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    pub bytes: u64,
    pub origin: BackupOrigin,
}

/// How a backup came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupOrigin {
    Copy,
    /// A clone, which shares the blocks of the database file until one of the two files changes.
    Clone,
    /// An earlier run of the plan made it, at this time, before it changed anything.
    EarlierRun(String),
}

impl BackupOrigin {
    /// Returns the name in JSON reports.
    pub fn name(&self) -> &'static str {
        match self {
            BackupOrigin::Copy => "copy",
            BackupOrigin::Clone => "clone",
            BackupOrigin::EarlierRun(_) => "earlier-run",
        }
    }
}
