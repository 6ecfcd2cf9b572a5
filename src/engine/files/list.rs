//! Finds the files of each table of a folder.
//!
//! A name that begins with `_` or `.` is no data, nor is anything below it. Links to files are followed, links to folders are
//! not, so that no walk goes in a circle.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::delta;
use super::lake::Dialect;
use super::lake::Format;
use crate::model::lake::TableFiles;
use crate::model::pattern::Pattern;
use crate::model::text::io_reason;

/// A table and the files that belong to it.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) key: Vec<String>,
    pub(super) dialect: Dialect,
    /// The files, or the reason why the table cannot be read.
    pub(super) files: Result<(Format, Vec<Found>), String>,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The path below the lake, with `/`.
    pub(super) name: String,
    /// The columns that its folders name: `("year", Some("2026"))`, and `None` for NULL.
    pub(super) folders: Vec<(String, Option<Vec<u8>>)>,
}

/// Folders are nested less deeply.
const DEEPEST: usize = 64;
/// The value of a folder for NULL.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// Returns the tables that the configuration describes. If all are additional, or there is none, each data file and each
/// folder at the top is a table too.
pub(super) fn tables(root: &Path, configured: &[TableFiles]) -> Result<Vec<Listed>, String> {
    let described: Vec<Listed> = configured.iter().map(|table| listed(root, table)).collect();
    if !configured.iter().all(|table| table.is_additional) {
        return Ok(described);
    }
    let mut tables = at_the_top(root)?;
    tables.retain(|table| described.iter().all(|known| known.name != table.name));
    tables.extend(described);
    tables.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(tables)
}

fn at_the_top(root: &Path) -> Result<Vec<Listed>, String> {
    if let Some(special) = special(root) {
        return Err(format!("the folder is itself a table of {special:?}: scan the folder in which it lies"));
    }
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries(root)? {
        let is_table = match entry.is_folder {
            true => has_data(&entry.path, 0),
            false => kind(&entry.name).is_some(),
        };
        if is_table {
            by_name.entry(stem(&entry.name).to_owned()).or_default().push(entry.name);
        }
    }
    let table = |(name, paths): (String, Vec<String>)| match paths.as_slice() {
        [first, second, ..] => Listed {
            files: Err(format!("{first} and {second} are both tables of this name: name one of them in [tables]")),
            ..listed(root, &TableFiles::new(name, vec![first.clone()]))
        },
        _ => listed_literally(root, &TableFiles::new(name, paths)),
    };
    Ok(by_name.into_iter().map(table).collect())
}

fn listed(root: &Path, table: &TableFiles) -> Listed {
    with_files(table, |path| if path.contains(['*', '?', '[']) { matching(root, path) } else { below(root, path) })
}

/// Lists a table whose paths are names and no patterns.
fn listed_literally(root: &Path, table: &TableFiles) -> Listed {
    with_files(table, |path| below(root, path))
}

fn with_files(table: &TableFiles, find: impl Fn(&str) -> Result<Vec<Found>, String>) -> Listed {
    let mut found = Vec::new();
    let mut fault = None;
    for path in &table.paths {
        match find(path) {
            Ok(files) => found.extend(files),
            Err(why) => fault = fault.or(Some(why)),
        }
    }
    found.sort_by(|left: &Found, right| left.name.cmp(&right.name));
    found.dedup();
    let files = match fault {
        Some(why) => Err(why),
        None => format(&found).map(|format| (format, found)),
    };
    let is_tabbed = |file: &Found| file.name.to_ascii_lowercase().trim_end_matches(".gz").ends_with(".tsv");
    let tabbed = files.as_ref().is_ok_and(|(_, files)| files.iter().all(is_tabbed));
    let delimiter = table.delimiter.unwrap_or(if tabbed { b'\t' } else { b',' });
    let null = table.null.iter().map(|null| null.clone().into_bytes()).collect();
    Listed { name: table.name.clone(), key: table.key.clone(), dialect: Dialect { delimiter, null }, files }
}

/// Returns the only format of some files.
fn format(files: &[Found]) -> Result<Format, String> {
    let mut known: Option<(Format, &str)> = None;
    for file in files {
        match (kind(&file.name), known) {
            (Some(Kind::Other), _) => {
                return Err(format!("{} is not read: write its rows as Parquet, CSV or JSON lines", file.name));
            }
            (Some(Kind::Data(format)), None) => known = Some((format, &file.name)),
            (Some(Kind::Data(format)), Some((other, first))) if format != other => {
                return Err(format!("{first} and {} have different formats", file.name));
            }
            (Some(Kind::Data(_)), Some(_)) => {}
            (None, _) => {
                return Err(format!("{}: a table has .parquet, .csv, .tsv, .ndjson or .jsonl files", file.name));
            }
        }
    }
    known
        .map(|(format, _)| format)
        .ok_or_else(|| "it has no files, and a table without files is not an empty one".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data(Format),
    /// Rows in a format that is not read. A table must not lack them in silence.
    Other,
}

/// Returns the kind of a data file; `None` for any other file.
fn kind(name: &str) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    if [".parquet", ".parq", ".pq"].iter().any(|ending| name.ends_with(ending)) {
        return Some(Kind::Data(Format::Parquet));
    }
    if let Some(format) = text_format(name.strip_suffix(".gz").unwrap_or(&name)) {
        return Some(Kind::Data(format));
    }
    let is_packed = name.rsplit_once('.').is_some_and(|(unpacked, ending)| {
        ["gz", "zst", "bz2", "xz", "lz4", "br", "snappy", "zip"].contains(&ending) && kind(unpacked).is_some()
    });
    let is_other = [".orc", ".avro", ".arrow", ".feather", ".ipc"].iter().any(|ending| name.ends_with(ending));
    (is_packed || is_other).then_some(Kind::Other)
}

fn text_format(name: &str) -> Option<Format> {
    match name.rsplit_once('.')?.1 {
        "csv" | "tsv" => Some(Format::Text),
        "ndjson" | "jsonl" => Some(Format::JsonLines),
        _ => None,
    }
}

/// Returns a name without the endings of data files. Some programs write a folder `orders.parquet`.
fn stem(name: &str) -> &str {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    match name.rsplit_once('.') {
        Some((stem, _)) if kind(name).is_some() && !stem.is_empty() => stem,
        _ => name,
    }
}

struct Entry {
    name: String,
    path: PathBuf,
    is_folder: bool,
}

/// Returns the files and folders of a folder that can be data, sorted by name.
fn entries(folder: &Path) -> Result<Vec<Entry>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {}", folder.display(), io_reason(&error));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(format!("{} has a file whose name is not UTF-8", folder.display()));
        };
        let kind = entry.file_type().map_err(unreadable)?;
        let path = entry.path();
        let is_link_to_folder = kind.is_symlink() && path.is_dir();
        if !name.starts_with(['_', '.']) && !is_link_to_folder {
            entries.push(Entry { name, is_folder: kind.is_dir(), path });
        }
    }
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}

/// True if a data file, or the log of a table, is in a folder or below it.
fn has_data(folder: &Path, depth: usize) -> bool {
    let of_entry = |entry: &Entry| match entry.is_folder {
        true => depth < DEEPEST && has_data(&entry.path, depth + 1),
        false => kind(&entry.name).is_some(),
    };
    special(folder).is_some() || entries(folder).is_ok_and(|entries| entries.iter().any(of_entry))
}

/// A folder that is a table of a format with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Delta,
    Iceberg,
    Hudi,
}

fn special(folder: &Path) -> Option<Special> {
    let is_metadata = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".metadata.json");
    let has_metadata =
        || std::fs::read_dir(folder.join("metadata")).is_ok_and(|all| all.flatten().any(|entry| is_metadata(&entry)));
    if folder.join("_delta_log").is_dir() {
        Some(Special::Delta)
    } else if folder.join(".hoodie").is_dir() {
        Some(Special::Hudi)
    } else {
        has_metadata().then_some(Special::Iceberg)
    }
}

/// Returns the files of one file or folder.
fn below(root: &Path, path: &str) -> Result<Vec<Found>, String> {
    let trimmed = checked(path)?;
    let whole = root.join(trimmed);
    if whole.is_dir() {
        return match special(&whole) {
            Some(Special::Delta) => delta::files(&whole, trimmed),
            Some(Special::Iceberg) => Err(refused(path, "Iceberg")),
            Some(Special::Hudi) => Err(refused(path, "Hudi")),
            None => {
                let mut found = Vec::new();
                walk(&whole, trimmed, &[], 0, &mut found)?;
                Ok(found.into_iter().filter(|file| kind(&file.name).is_some()).collect())
            }
        };
    }
    if !whole.exists() {
        return Err(format!("there is no file or folder {path}"));
    }
    Ok(vec![Found { path: whole, name: trimmed.to_owned(), folders: Vec::new() }])
}

fn refused(path: &str, format: &str) -> String {
    format!("{path} is a table of {format}, whose files alone do not tell which rows are valid: export it as Parquet")
}

/// Returns a path without its last slash, if it lies below the lake.
fn checked(path: &str) -> Result<&str, String> {
    let trimmed = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    let is_below = Path::new(trimmed).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if trimmed.is_empty() || !is_below {
        return Err(format!("{path}: write the path of a table from the scanned folder on, without `..`"));
    }
    Ok(trimmed)
}

/// Returns the files below the lake that match a pattern.
fn matching(root: &Path, pattern: &str) -> Result<Vec<Found>, String> {
    let pattern = checked(pattern)?;
    let matcher = Pattern::new(pattern).map_err(|why| format!("{pattern}: {why}"))?;
    let plain = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let base = pattern[..plain].rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    walk(&root.join(base), base, &[], 0, &mut found)?;
    Ok(found.into_iter().filter(|file| matcher.matches(&file.name) && kind(&file.name).is_some()).collect())
}

fn walk(
    folder: &Path,
    name: &str,
    folders: &[(String, Option<Vec<u8>>)],
    depth: usize,
    found: &mut Vec<Found>,
) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("{name}: folders are nested too deeply"));
    }
    if let Some(special) = special(folder).filter(|_| depth > 0) {
        return Err(format!("{name} is a table of {special:?} inside this table: name it in [tables]"));
    }
    for entry in entries(folder)? {
        let name = if name.is_empty() { entry.name.clone() } else { format!("{name}/{}", entry.name) };
        if !entry.is_folder {
            found.push(Found { path: entry.path, name, folders: folders.to_vec() });
            continue;
        }
        let mut folders = folders.to_vec();
        if let Some((column, value)) = entry.name.split_once('=') {
            let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
            let column = String::from_utf8(decoded(column)).map_err(|_| format!("{name}: its name is not UTF-8"))?;
            folders.push((column, (value != NULL_FOLDER).then(|| decoded(value))));
        }
        walk(&entry.path, &name, &folders, depth + 1, found)?;
    }
    Ok(())
}
