//! Checks the free disk space before a database is copied. SQLite would fail only at the end of the copy.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::engine::EngineError;
use crate::model::text;

/// The size in bytes up to which a copy stays in memory.
pub(super) const IN_MEMORY: u64 = 32 << 20;
/// The size in bytes up to which a database is copied for a trial.
pub(super) const SMALL: u64 = 256 << 20;

/// Returns the size of the database that a connection sees.
pub(super) fn bytes(connection: &Connection) -> u64 {
    number(connection, "PRAGMA main.page_count").saturating_mul(page_size(connection))
}

pub(super) fn page_size(connection: &Connection) -> u64 {
    number(connection, "PRAGMA main.page_size")
}

fn number(connection: &Connection, pragma: &str) -> u64 {
    let number = connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    number.ok().and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// Returns an error if a private copy does not fit into the folder of temporary files.
pub(super) fn refuse_copy_without_space(source: &Connection, database: &Path) -> Result<(), EngineError> {
    let needed = bytes(source);
    let Some(folder) = temporary_folder().filter(|_| needed > IN_MEMORY) else { return Ok(()) };
    let Some(why) = lacking_space(needed, &folder) else { return Ok(()) };
    Err(no_private_copy(database, why))
}

/// Returns the error of a private copy that could not be made.
pub(super) fn no_private_copy(database: &Path, why: String) -> EngineError {
    let variable = variable_of_folder(|name| std::env::var_os(name).is_some());
    EngineError::Unreadable {
        what: format!("{} into a private copy", database.display()),
        why,
        help: format!("set {variable} to a folder with enough free space for a copy of the database"),
    }
}

/// The variables that name SQLite's folder for temporary files. The first that is set counts.
const VARIABLES: [&str; 2] = ["SQLITE_TMPDIR", "TMPDIR"];

/// Returns the variable to set: the one that counts, or the usual one if none is set.
fn variable_of_folder(is_set: impl Fn(&str) -> bool) -> &'static str {
    VARIABLES.into_iter().find(|name| is_set(name)).unwrap_or("TMPDIR")
}

/// Returns the reason if a file of this size does not fit into a folder.
pub(super) fn lacking_space(needed: u64, folder: &Path) -> Option<String> {
    let free = free(folder)?;
    lacks(needed, free, folder)
}

fn lacks(needed: u64, free: u64, folder: &Path) -> Option<String> {
    let why = || {
        let (needed, free) = (text::bytes(needed), text::bytes(free));
        format!("it takes {needed}, and {} has {free} left", folder.display())
    };
    (needed > free).then(why)
}

/// Returns the folder in which SQLite creates temporary files.
fn temporary_folder() -> Option<PathBuf> {
    let named = VARIABLES.into_iter().filter_map(std::env::var_os).map(PathBuf::from);
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
    fn help_names_the_variable_that_counts() {
        assert_eq!(variable_of_folder(|_| false), "TMPDIR");
        assert_eq!(variable_of_folder(|name| name == "TMPDIR"), "TMPDIR");
        assert_eq!(variable_of_folder(|_| true), "SQLITE_TMPDIR");
    }

    #[test]
    fn copy_without_enough_space_is_refused() {
        let folder = temporary_folder().unwrap();
        assert!(free(&folder).is_none_or(|free| free > 0));
        assert_eq!(lacks(5 << 30, 6 << 30, &folder), None);
        let why = lacks(5 << 30, 3 << 30, Path::new("/tmp")).unwrap();
        assert_eq!(why, "it takes 5.4 GB, and /tmp has 3.3 GB left");
    }
}
