//! Finds database files near the working directory, for the help of an error. The search is short: two folders deep, and
//! a limited number of entries.

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// The endings of database files.
const ENDINGS: [&str; 4] = ["db", "sqlite", "sqlite3", "db3"];

/// Folders of other programs, which contain no database of the user.
const SKIPPED: [&str; 4] = ["node_modules", "target", "venv", "__pycache__"];

const DEPTH: usize = 2;
const MAX_ENTRIES: usize = 5_000;

/// Returns the file that the user most likely meant: one with the same name, else the only one with a similar name.
pub(super) fn near(wanted: &Path, directory: &Path) -> Option<PathBuf> {
    let name = wanted.file_name()?.to_str()?;
    let files = database_files(directory, |file| file == name || has_ending(Path::new(file)));
    let same = files.iter().find(|file| file.file_name().is_some_and(|file| file == name));
    if same.is_some() {
        return same.cloned();
    }
    let names = files.iter().filter_map(|file| file.file_name()?.to_str());
    let similar = crate::model::text::nearest(name, names)?.to_owned();
    files.into_iter().find(|file| file.file_name().is_some_and(|file| file == similar.as_str()))
}

/// Returns the database file of this folder or the folders below, if there is exactly one.
pub(super) fn only_database(directory: &Path) -> Option<PathBuf> {
    let files = database_files(directory, |file| has_ending(Path::new(file)));
    match files.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

pub(super) fn has_ending(file: &Path) -> bool {
    file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Returns the SQLite databases with a matching name, as paths relative to the directory. The nearest come first, then
/// the alphabet decides.
fn database_files(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = MAX_ENTRIES;
    let mut folders = vec![PathBuf::new()];
    for _ in 0..=DEPTH {
        let mut below = Vec::new();
        for folder in folders {
            let mut names: Vec<String> = std::fs::read_dir(directory.join(&folder))
                .into_iter()
                .flatten()
                .take(left)
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| !name.starts_with('.') && !SKIPPED.contains(&name.as_str()))
                .collect();
            left -= names.len();
            names.sort_unstable();
            for name in names {
                let path = folder.join(&name);
                let whole = directory.join(&path);
                if whole.is_dir() {
                    below.push(path);
                } else if is_wanted(&name) && is_database(&whole) {
                    found.push(path);
                }
            }
        }
        folders = below;
    }
    found
}

/// True if a file begins as a SQLite database.
pub(super) fn is_database(path: &Path) -> bool {
    let mut head = [0; 16];
    let is_read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok();
    is_read && head == *b"SQLite format 3\0"
}
