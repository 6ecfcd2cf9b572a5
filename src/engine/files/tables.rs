//! Makes the tables of a lake: it unites the columns of each table's files by their names.

use std::path::Path;
use std::sync::Arc;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::fault::Fault;
use super::fault::caught;
use super::json_file::JsonReader;
use super::kept_lines::KeptMemory;
use super::lake::ColumnSource;
use super::lake::DataFile;
use super::lake::Dialect;
use super::lake::Format;
use super::lake::Lake;
use super::lake::LakeColumn;
use super::lake::LakeTable;
use super::list;
use super::list::Found;
use super::list::Listed;
use super::parquet_file;
use super::parquet_types;
use super::stamp::Stamp;
use super::text_file::TextReader;
use super::types::FileType;
use crate::model::lake::TableFiles;
use crate::model::text::io_reason;

/// The largest header of a text file, in bytes.
const LARGEST_HEADER: u64 = 16 << 20;
/// The largest line of JSON, in bytes, before the memory of the scan is known.
const LARGEST_LINE: u64 = 256 << 20;
/// Files of a table have numbers of 23 bits.
const MOST_FILES: usize = 1 << 23;

/// Reads the definitions of all tables of a folder. The error is the reason why the folder itself cannot be read.
pub(super) fn read(root: &Path, configured: &[TableFiles]) -> Result<Lake, String> {
    read_with(root, configured, &KeptMemory::new())
}

pub(super) fn read_with(root: &Path, configured: &[TableFiles], memory: &KeptMemory) -> Result<Lake, String> {
    let tables = list::tables(root, configured)?;
    Ok(Lake { tables: tables.into_iter().map(|listed| table(listed, memory)).collect() })
}

fn table(listed: Listed, memory: &KeptMemory) -> LakeTable {
    let Listed { name, key, dialect, files } = listed;
    let empty = LakeTable {
        name,
        format: Format::Parquet,
        files: Vec::new(),
        columns: Vec::new(),
        key: Vec::new(),
        unreadable: None,
        dialect,
    };
    let (format, found) = match files {
        Ok(files) => files,
        Err(why) => return LakeTable { unreadable: Some(why), ..empty },
    };
    if found.len() > MOST_FILES {
        return LakeTable { unreadable: Some("it has too many files".to_owned()), ..empty };
    }
    let described: Result<Vec<Described>, Fault> =
        found.into_par_iter().map(|file| describe(file, format, &empty.dialect, memory)).collect();
    let described = match described {
        Ok(described) => described,
        Err(Fault::Unreadable(why)) => return LakeTable { format, unreadable: Some(why), ..empty },
        Err(Fault::TimeLimit) => {
            return LakeTable { format, unreadable: Some("the time limit was reached".to_owned()), ..empty };
        }
    };
    united(LakeTable { format, ..empty }, described, &key)
}

/// A file, and its columns with their types and where they are.
struct Described {
    file: DataFile,
    columns: Vec<(String, FileType, ColumnSource)>,
}

fn describe(found: Found, format: Format, dialect: &Dialect, memory: &KeptMemory) -> Result<Described, Fault> {
    let stamp =
        Stamp::of(&found.path).map_err(|error| Fault::Unreadable(format!("{}: {}", found.name, io_reason(&error))))?;
    let (path, name, sources) = (found.path, found.name, Vec::new());
    let mut file = DataFile { path, name, stamp, sources, footer: None, kept: None };
    let mut columns: Vec<(String, FileType, ColumnSource)> = match format {
        Format::Parquet => {
            let footer = parquet_file::footer(&file)?;
            let columns = caught(&file, || Ok(parquet_types::columns(&footer)))?;
            file.footer = Some(Arc::clone(&footer));
            columns.into_iter().map(|(name, of, leaf)| (name, of, ColumnSource::Field(leaf))).collect()
        }
        Format::JsonLines => {
            let (columns, kept) = JsonReader::open(&file, LARGEST_LINE)?.columns(memory)?;
            file.kept = kept;
            let column = |(field, (name, of))| (name, of, ColumnSource::Field(field));
            columns.into_iter().enumerate().map(column).collect()
        }
        Format::Text => {
            let names = TextReader::open(&file, dialect, LARGEST_HEADER)?.header()?;
            let column = |(field, name)| (name, FileType::Untyped, ColumnSource::Field(field));
            names.into_iter().enumerate().map(column).collect()
        }
    };
    if let Some((twice, ..)) =
        columns.iter().enumerate().find_map(|(at, column)| columns[..at].iter().find(|known| known.0 == column.0))
    {
        return Err(Fault::of(&file, format!("it has the column {twice} twice")));
    }
    for (name, value) in found.folders {
        // The name of the folder counts, as in other readers.
        columns.retain(|(known, ..)| *known != name);
        columns.push((name, FileType::Untyped, ColumnSource::Folder(value)));
    }
    Ok(Described { file, columns })
}

/// Unites the columns of all files. A file without a column has NULL there.
fn united(mut table: LakeTable, described: Vec<Described>, key: &[String]) -> LakeTable {
    let mut first_file: Vec<usize> = Vec::new();
    let mut index_of: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for (number, Described { file, columns }) in described.iter().enumerate() {
        for (name, of, _) in columns {
            let Some(&known) = index_of.get(name) else {
                index_of.insert(name.clone(), table.columns.len());
                table.columns.push(LakeColumn { name: name.clone(), of: of.clone() });
                first_file.push(number);
                continue;
            };
            let column = &mut table.columns[known];
            let first = &described[first_file[known]].file.name;
            match common(&column.of, of) {
                Some(both) => column.of = both,
                // Members of JSON are no declared columns, so other columns of the table are sound.
                None if table.format == Format::JsonLines => {
                    column.of = FileType::Other(format!("{} in {first} and {of} in {}", column.of, file.name));
                }
                None => {
                    table.unreadable.get_or_insert(format!(
                        "{name} is {} in {first} and {of} in {}: write both files with the same type",
                        column.of, file.name
                    ));
                }
            }
        }
    }
    for name in key {
        match index_of.get(name) {
            Some(&column) => table.key.push(column),
            None => {
                table.unreadable.get_or_insert(format!("its key has the column {name}, and its files do not"));
            }
        }
    }
    if table.columns.is_empty() && table.format == Format::JsonLines {
        table.unreadable.get_or_insert("its files have no rows, so that nobody knows its columns".to_owned());
    }
    let width = table.columns.len();
    table.files = described
        .into_iter()
        .map(|Described { mut file, columns }| {
            file.sources = vec![ColumnSource::Absent; width];
            for (name, _, source) in columns {
                file.sources[index_of[&name]] = source;
            }
            file
        })
        .collect();
    table
}

/// Returns the type of a column that has these types in two files; `None` if their values differ in kind.
fn common(left: &FileType, right: &FileType) -> Option<FileType> {
    match (left, right) {
        (FileType::Integer, FileType::Unsigned) | (FileType::Unsigned, FileType::Integer) => Some(FileType::Unsigned),
        (FileType::Integer, FileType::Number) | (FileType::Number, FileType::Integer) => Some(FileType::Number),
        (FileType::Null, other) | (other, FileType::Null) => Some(other.clone()),
        (left, right) => (left == right).then(|| left.clone()),
    }
}
