//! Checks the free disk space before a private copy is made. SQLite would fail only at the end of the copy.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::engine::EngineError;

/// The size in bytes up to which a copy stays in memory.
const IN_MEMORY: u64 = 32 << 20;

pub(super) fn refuse_without_space(source: &Connection, database: &Path) -> Result<(), EngineError> {
    let number = |pragma: &str| source.query_row(pragma, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
    let needed = number("PRAGMA main.page_count").saturating_mul(number("PRAGMA main.page_size"));
    let needed = u64::try_from(needed).unwrap_or(0);
    let Some(folder) = temporary_folder() else { return Ok(()) };
    match free(&folder) {
        Some(free) => fits(needed, free, &folder, database),
        None => Ok(()),
    }
}

fn fits(needed: u64, free: u64, folder: &Path, database: &Path) -> Result<(), EngineError> {
    if needed <= IN_MEMORY || needed <= free {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(EngineError::Unreadable {
        what: format!("{} into a private copy", database.display()),
        why: format!("it takes {} MiB, and {} has {} MiB left", mib(needed), folder.display(), free >> 20),
        help: "set TMPDIR to a folder with enough free space for a copy of the database".to_owned(),
    })
}

/// Returns the folder in which SQLite creates temporary files.
fn temporary_folder() -> Option<PathBuf> {
    let named = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let usual = ["/var/tmp", "/usr/tmp", "/tmp", "."].into_iter().map(PathBuf::from);
    named.chain(usual).find(|folder| folder.is_dir())
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(folder).ok()?;
    status.f_bavail.checked_mul(status.f_frsize)
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_without_enough_space_is_refused() {
        let folder = temporary_folder().unwrap();
        assert!(free(&folder).is_none_or(|free| free > 0));
        let name = Path::new("app.db");
        assert!(fits(5 << 30, 6 << 30, &folder, name).is_ok());
        assert!(fits(IN_MEMORY, 0, &folder, name).is_ok());
        let refused = fits(5 << 30, 3 << 30, &folder, name).unwrap_err();
        assert!(refused.because().starts_with("it takes 5120 MiB, and "), "{}", refused.because());
    }
}
