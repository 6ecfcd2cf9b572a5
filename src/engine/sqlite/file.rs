//! Checks a file before SQLite opens it, so that the message is exact and SQLite never takes a wrong file for an empty
//! database.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use crate::engine::EngineError;
use crate::model::text::io_reason;

/// Size and time of last change, to notice a change where no lock can be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> std::io::Result<Stamp> {
        let metadata = std::fs::metadata(path)?;
        Ok(Stamp { bytes: metadata.len(), changed: metadata.modified().ok() })
    }
}

/// Refuses a file that is not a SQLite database, and says what it seems to be.
pub(super) fn examine(path: &Path) -> Result<Stamp, EngineError> {
    let refuse = |why: String, help: &str| {
        Err(EngineError::Unreadable { what: path.display().to_string(), why, help: help.to_owned() })
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return refuse("there is no such file".to_owned(), "check the path; fk-doctor never creates a database");
        }
        Err(error) => return refuse(io_reason(&error), "check the path and its permissions"),
    };
    if metadata.is_dir() {
        return refuse("it is a directory".to_owned(), "name the database file inside it");
    }
    if !metadata.is_file() {
        return refuse("it is not a regular file".to_owned(), "save it to a file first, then scan that file");
    }
    if metadata.len() == 0 {
        return refuse(
            "it is empty (0 bytes), so it holds no table that could be checked".to_owned(),
            "check the path; a program that opened a wrong path may have left it",
        );
    }
    let head = match head(path) {
        Ok(head) => head,
        Err(error) => return refuse(io_reason(&error), "check the file's permissions"),
    };
    if !head.starts_with(b"SQLite format 3\0") {
        let (why, help) = other_kind(&head);
        return refuse(why.to_owned(), help);
    }
    if metadata.len() < 512 {
        return refuse("it is cut off inside its first page".to_owned(), "restore it from a backup");
    }
    Stamp::of(path).or_else(|error| refuse(io_reason(&error), "check the file's permissions"))
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(100).read_to_end(&mut head)?;
    Ok(head)
}

fn other_kind(head: &[u8]) -> (&'static str, &'static str) {
    let text = head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let compressed = [&b"\x1f\x8b"[..], b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ"];
    if head.get(8..12) == Some(b"DUCK") {
        ("it is a database of DuckDB", "in DuckDB: EXPORT DATABASE 'lake' (FORMAT parquet), then: fk-doctor scan lake/")
    } else if head.starts_with(b"PAR1") {
        ("it is a Parquet file", "scan the folder in which it lies, with a fk-doctor.toml that names its relations")
    } else if compressed.iter().any(|magic| head.starts_with(magic)) {
        ("it is a compressed file, not a SQLite database", "unpack it first")
    } else if head.starts_with(br#"{"format":"fk-doctor/plan@"#) {
        (
            "it is a plan of fk-doctor, not a SQLite database",
            "check the order: `fk-doctor apply DB PLAN`, `fk-doctor undo DB PLAN`, `fk-doctor status PLAN [DB]`",
        )
    } else if text {
        ("it is text, not a SQLite database", "if it is a dump, load it first: sqlite3 new.db < dump.sql")
    } else {
        (
            "it is not a SQLite database, or an encrypted one",
            "if it is encrypted, decrypt a copy with the program that made it and scan that",
        )
    }
}

/// True for a WAL-mode database with an empty WAL, whose file alone is the whole database.
pub(super) fn is_wal_at_rest(path: &Path) -> bool {
    let wal_mode = head(path).is_ok_and(|head| head.get(18..20) == Some(&[2, 2]));
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let wal_is_empty = match std::fs::metadata(&wal) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    wal_mode && wal_is_empty
}
