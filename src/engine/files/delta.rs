//! The files of a Delta table, as its log names them.
//!
//! The log is a sequence of commits, and checkpoints that sum up all commits before them. Files that the log does not name
//! hold rows that were deleted, so they are never read. A feature that changes how rows are read makes the table unreadable.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Component;
use std::path::Path;

use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::Row;
use percent_encoding::percent_decode_str;
use serde_json::Map;
use serde_json::Value;

use super::list::Found;
use crate::model::text::io_reason;

/// Features of readers that change no row that is read.
const HARMLESS: [&str; 2] = ["timestampNtz", "vacuumProtocolCheck"];

/// Returns the files of the newest version. `name` is the path of the table below the lake.
pub(super) fn files(table: &Path, name: &str) -> Result<Vec<Found>, String> {
    let folder = table.join("_delta_log");
    let log = Log::list(&folder)?;
    let mut state = State::default();
    let from = match log.checkpoint() {
        Some((version, parts)) => {
            for part in parts {
                read_checkpoint(&folder.join(&part), &mut state).map_err(|why| format!("{part}: {why}"))?;
            }
            version + 1
        }
        None => 0,
    };
    let newest = log.newest().ok_or("its log has no commit")?;
    for version in from..=newest {
        let file = log.commits.get(&version).ok_or_else(|| format!("its log lacks the commit {version}"))?;
        read_commit(&folder.join(file), &mut state).map_err(|why| format!("{file}: {why}"))?;
    }
    state.found(table, name)
}

/// The names of the files of a log.
struct Log {
    commits: BTreeMap<u64, String>,
    /// The parts of each checkpoint, with the number of parts that it should have.
    checkpoints: BTreeMap<(u64, usize), Vec<String>>,
}

impl Log {
    fn list(folder: &Path) -> Result<Log, String> {
        let mut log = Log { commits: BTreeMap::new(), checkpoints: BTreeMap::new() };
        for entry in std::fs::read_dir(folder).map_err(|error| io_reason(&error))? {
            let name = entry.map_err(|error| io_reason(&error))?.file_name().to_string_lossy().into_owned();
            let parts: Vec<&str> = name.split('.').collect();
            let Some(version) = parts.first().filter(|part| part.len() == 20).and_then(|part| part.parse().ok()) else {
                continue;
            };
            match parts.as_slice() {
                [_, "json"] => {
                    log.commits.insert(version, name.clone());
                }
                [_, "checkpoint", "parquet"] => {
                    log.checkpoints.insert((version, 1), vec![name.clone()]);
                }
                [_, "checkpoint", _, count, "parquet"] => {
                    if let Ok(count) = count.parse() {
                        log.checkpoints.entry((version, count)).or_default().push(name.clone());
                    }
                }
                // Without a checkpoint of another form, the commits must be complete.
                _ => {}
            }
        }
        Ok(log)
    }

    fn newest(&self) -> Option<u64> {
        self.commits.keys().next_back().copied().max(self.checkpoint().map(|(version, _)| version))
    }

    /// Returns the version of the last complete checkpoint, and its parts.
    fn checkpoint(&self) -> Option<(u64, Vec<String>)> {
        let mut complete = self.checkpoints.iter().filter(|((_, count), parts)| parts.len() == *count);
        complete.next_back().map(|((version, _), parts)| (*version, parts.clone()))
    }
}

/// What the log says so far.
#[derive(Default)]
struct State {
    /// The values of the partition columns of each file, by its path.
    files: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// Files with rows that a deletion vector marks as deleted.
    with_deletions: BTreeSet<String>,
    features: Vec<String>,
    partition_columns: Vec<String>,
}

impl State {
    fn apply(&mut self, action: &Map<String, Value>) -> Result<(), String> {
        if let Some(add) = action.get("add").and_then(Value::as_object) {
            let path = text(add, "path").ok_or("a file has no path")?;
            let values = add.get("partitionValues").and_then(Value::as_object);
            let values =
                values.into_iter().flatten().map(|(column, value)| (column.clone(), value.as_str().map(str::to_owned)));
            self.files.insert(path.clone(), values.collect());
            if add.get("deletionVector").is_some_and(|vector| !vector.is_null()) {
                self.with_deletions.insert(path);
            }
        }
        if let Some(remove) = action.get("remove").and_then(Value::as_object) {
            let path = text(remove, "path").ok_or("a removed file has no path")?;
            self.files.remove(&path);
            self.with_deletions.remove(&path);
        }
        if let Some(protocol) = action.get("protocol").and_then(Value::as_object) {
            let version =
                protocol.get("minReaderVersion").and_then(Value::as_i64).ok_or("the reader version is missing")?;
            let features = protocol.get("readerFeatures").and_then(Value::as_array);
            let features = features.into_iter().flatten().map(|name| name.as_str().unwrap_or("?").to_owned());
            self.features = match version {
                1 | 2 => Vec::new(),
                3 => features.filter(|name| !HARMLESS.contains(&name.as_str())).collect(),
                other => vec![format!("reader version {other}")],
            };
        }
        if let Some(metadata) = action.get("metaData").and_then(Value::as_object) {
            let columns = metadata.get("partitionColumns").and_then(Value::as_array);
            let columns = columns.into_iter().flatten().filter_map(Value::as_str);
            self.partition_columns = columns.map(str::to_owned).collect();
            let settings = metadata.get("configuration").and_then(Value::as_object);
            let mapping =
                settings.and_then(|settings| settings.get("delta.columnMapping.mode")).and_then(Value::as_str);
            if mapping.is_some_and(|mode| mode != "none") {
                return Err(refused("columnMapping"));
            }
        }
        if ["sidecar", "checkpointMetadata"].iter().any(|name| action.get(*name).is_some_and(|value| !value.is_null()))
        {
            return Err(refused("v2Checkpoint"));
        }
        Ok(())
    }

    fn found(self, table: &Path, name: &str) -> Result<Vec<Found>, String> {
        if let Some(feature) = self.features.first() {
            return Err(refused(feature));
        }
        if !self.with_deletions.is_empty() {
            return Err(refused("deletionVectors"));
        }
        let found = self.files.into_iter().map(|(path, values)| {
            let decoded =
                percent_decode_str(&path).decode_utf8().map_err(|_| format!("{path}: its name is not UTF-8"))?;
            let is_below = Path::new(decoded.as_ref()).components().all(|part| matches!(part, Component::Normal(_)));
            if decoded.contains("://") || !is_below {
                return Err(format!("its log names {path}, which is not below the table"));
            }
            let folders = self.partition_columns.iter().map(|column| {
                let value = values.get(column).cloned().flatten().filter(|value| !value.is_empty());
                (column.clone(), value.map(String::into_bytes))
            });
            Ok(Found {
                path: table.join(decoded.as_ref()),
                name: format!("{name}/{decoded}"),
                folders: folders.collect(),
            })
        });
        found.collect()
    }
}

fn refused(feature: &str) -> String {
    format!("the Delta table uses {feature}, which changes how its rows are read: export the table as Parquet")
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn read_commit(path: &Path, state: &mut State) -> Result<(), String> {
    let commit = std::fs::read_to_string(path).map_err(|error| io_reason(&error))?;
    for line in commit.lines().filter(|line| !line.trim().is_empty()) {
        let action: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        state.apply(action.as_object().ok_or("a line is no object")?)?;
    }
    Ok(())
}

fn read_checkpoint(path: &Path, state: &mut State) -> Result<(), String> {
    let read = || {
        let file = File::open(path).map_err(|error| io_reason(&error))?;
        let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
        for row in reader.get_row_iter(None).map_err(|error| error.to_string())? {
            let row = row.map_err(|error| error.to_string())?;
            state.apply(&object(&row))?;
        }
        Ok(())
    };
    // The reader of a damaged file may panic. The table is then not read, so no broken state is used.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    outcome.unwrap_or_else(|_| Err("the file is damaged: its reader failed".to_owned()))
}

fn object(row: &Row) -> Map<String, Value> {
    row.get_column_iter().map(|(name, field)| (name.clone(), json(field))).collect()
}

/// Returns a field as JSON. Kinds of values that no action of a log has are NULL.
fn json(field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::Bool(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::Str(value) => Value::String(value.clone()),
        Field::Group(row) => Value::Object(object(row)),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(json).collect()),
        Field::MapInternal(map) => {
            let entry = |(key, value): &(Field, Field)| match key {
                Field::Str(key) => Some((key.clone(), json(value))),
                _ => None,
            };
            Value::Object(map.entries().iter().filter_map(entry).collect())
        }
        _ => Value::Null,
    }
}
