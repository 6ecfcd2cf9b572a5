//! Whether there is room for a private copy, said before it is made: SQLite itself would find out at the end of it.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::engine::EngineError;

/// A smaller copy stays in memory.
const IN_MEMORY: u64 = 32 << 20;

pub(super) fn refuse_without_room(source: &Connection, database: &Path) -> Result<(), EngineError> {
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
        help: "set TMPDIR to a folder with as much room as the database takes".to_owned(),
    })
}

/// Where SQLite puts what has no name.
fn temporary_folder() -> Option<PathBuf> {
    let named = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let usual = ["/var/tmp", "/usr/tmp", "/tmp", "."].into_iter().map(PathBuf::from);
    named.chain(usual).find(|folder| folder.is_dir())
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(folder).ok()?;
    told.f_bavail.checked_mul(told.f_frsize)
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_has_no_room_is_refused_before_it_is_made() {
        let folder = temporary_folder().unwrap();
        assert!(free(&folder).is_none_or(|free| free > 0));
        let name = Path::new("app.db");
        assert!(fits(5 << 30, 6 << 30, &folder, name).is_ok());
        assert!(fits(IN_MEMORY, 0, &folder, name).is_ok());
        let refused = fits(5 << 30, 3 << 30, &folder, name).unwrap_err();
        assert!(refused.because().starts_with("it takes 5120 MiB, and "), "{}", refused.because());
    }
}
