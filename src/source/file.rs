//! The addresses of database files: paths, and the URLs that libraries write for SQLite.

use std::path::Path;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::SourceError;
use super::Surroundings;
use super::error::listed;

/// Parameters without a note, because fk-doctor does what they ask for, or never does what they allow.
const SILENT: [&str; 2] = ["mode", "immutable"];

/// Returns the file of a path. `~/` is the home folder.
pub(super) fn of_path(path: &str, surroundings: &Surroundings<'_>) -> Result<PathBuf, SourceError> {
    if path == ":memory:" {
        return Err(SourceError::InMemory);
    }
    Ok(surroundings.expanded(path))
}

/// Returns the file of a URL whose scheme and colon precede `rest`, and notes.
pub(super) fn of_url(
    scheme: &str,
    rest: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(PathBuf, Vec<String>), SourceError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut notes = Vec::new();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs: Vec<(&str, &str)> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    if pairs.contains(&("mode", "memory")) {
        return Err(SourceError::InMemory);
    }
    let ignored: Vec<&str> = pairs.iter().map(|(name, _)| *name).filter(|name| !SILENT.contains(name)).collect();
    match ignored.as_slice() {
        [] => {}
        [name] => notes.push(format!("the parameter {name} of the address has no effect here")),
        names => notes.push(format!("the parameters {} of the address have no effect here", listed(names))),
    }
    let decoded = |path: &str| percent_decode_str(path).decode_utf8_lossy().into_owned();
    let path = match (scheme, path.strip_prefix("//")) {
        // SQLite's own form: an authority that is empty or `localhost`, and an absolute path.
        ("file", Some(after)) => {
            let path = after.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(after);
            without_slash_before_drive(&decoded(path))
        }
        ("file", None) => without_slash_before_drive(&decoded(path)),
        // `sqlite:///app.db` is relative, `sqlite:////srv/app.db` is absolute.
        (_, Some(after)) => decoded(after.strip_prefix('/').unwrap_or(after)),
        (_, None) => path.to_owned(),
    };
    match path.as_str() {
        // SQLAlchemy's `sqlite://` is a database in memory.
        "" if rest.starts_with("//") => Err(SourceError::InMemory),
        "" => Err(SourceError::NoFile { scheme: scheme.to_owned() }),
        ":memory:" => Err(SourceError::InMemory),
        path => Ok((surroundings.expanded(path), notes)),
    }
}

/// Returns `C:/app.db` for `/C:/app.db`, a form of URLs.
fn without_slash_before_drive(path: &str) -> String {
    match path.strip_prefix('/').filter(|rest| windows_path(Path::new(rest)).is_some()) {
        Some(rest) => rest.to_owned(),
        None => path.to_owned(),
    }
}

/// Returns the path inside a drive of Windows, with `/`, and the drive's letter: `('c', "data/app.db")` for
/// `C:\data\app.db`.
pub fn windows_path(path: &Path) -> Option<(char, String)> {
    let text = path.to_str()?;
    let mut characters = text.chars();
    let drive = characters.next().filter(char::is_ascii_alphabetic)?;
    let inside = characters.as_str().strip_prefix(':')?.strip_prefix(['\\', '/'])?;
    Some((drive.to_ascii_lowercase(), inside.replace('\\', "/")))
}
