//! Files of JSON lines: one object on each line, also compressed.
//!
//! The members of the objects are the columns, and a member that is absent is NULL. JSON has no types of columns, so the whole
//! file is read to find them, and read again for its rows unless [`super::kept_lines`] has its values. A column whose values differ in kind, such as 1 and "1", is of no type that a key can
//! have: nobody knows if they mean the same. So is a column with nested values.

use std::collections::HashMap;
use std::ops::Range;

use super::batch::Column;
use super::batch::Values;
use super::fault::Fault;
use super::json_line::JsonValue;
use super::json_line::each_member;
use super::kept_lines::Keeper;
use super::kept_lines::KeptLines;
use super::kept_lines::KeptMemory;
use super::lake::DataFile;
use super::lake::LakeColumn;
use super::number;
use super::text_input::TextInput;
use super::types::FileType;

/// A file has fewer different members.
const MOST_COLUMNS: usize = 100_000;

pub(super) struct JsonReader<'a> {
    input: TextInput<'a>,
    /// The line that is read next, from 1.
    line: u64,
}

/// The kind of a value. Columns have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An integer that fits into 64 bits with a sign, also if it is written as `1.0`.
    Integer,
    Number,
    /// A number with too many digits to be compared exactly.
    LongNumber,
    Text,
    Boolean,
    Nested,
}

impl Kind {
    fn of(value: &JsonValue<'_>) -> Option<Kind> {
        match value {
            JsonValue::Null => None,
            JsonValue::Boolean(_) => Some(Kind::Boolean),
            JsonValue::Text(_) => Some(Kind::Text),
            JsonValue::Nested(_) => Some(Kind::Nested),
            JsonValue::Number(text) if integer(text).is_some() => Some(Kind::Integer),
            JsonValue::Number(text) => {
                Some(number::of_text(text.as_bytes(), false).map_or(Kind::LongNumber, |_| Kind::Number))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Integer | Kind::Number => "number",
            Kind::LongNumber => "number of more than 38 digits",
            Kind::Text => "text",
            Kind::Boolean => "boolean",
            Kind::Nested => "nested value",
        }
    }
}

fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| number::of_text(text.as_bytes(), false)?.as_integer())
}

/// The type of a column as far as the lines that were read show it.
struct Seen {
    of: FileType,
    kind: Option<Kind>,
    /// The line of the first value.
    first: u64,
    /// The line on which the name was found last.
    last: u64,
}

impl Seen {
    fn add(&mut self, kind: Kind, line: u64) {
        let Some(known) = self.kind else {
            (self.kind, self.first) = (Some(kind), line);
            self.of = match kind {
                Kind::Integer => FileType::Integer,
                Kind::Number => FileType::Number,
                Kind::Text => FileType::Text,
                Kind::Boolean => FileType::Boolean,
                Kind::LongNumber | Kind::Nested => FileType::Other(format!("a {} in line {line}", kind.name())),
            };
            return;
        };
        match (known, kind) {
            _ if known == kind || matches!(self.of, FileType::Other(_)) => {}
            (Kind::Integer | Kind::Number, Kind::Integer | Kind::Number) => {
                (self.kind, self.of) = (Some(Kind::Number), FileType::Number);
            }
            _ => {
                let (before, now) = (known.name(), kind.name());
                self.of = FileType::Other(format!("{before} in line {} and {now} in line {line}", self.first));
            }
        }
    }
}

/// The columns of a file, and its values if they were kept.
type FoundColumns = (Vec<(String, FileType)>, Option<KeptLines>);

/// Returns these columns of some lines that were kept, each given by its number in the file.
pub(super) fn kept_columns(
    file: &DataFile,
    kept: &KeptLines,
    rows: Range<usize>,
    wanted: &[(usize, &LakeColumn)],
) -> Result<Vec<Column>, Fault> {
    let column = |&(field, column): &(usize, &LakeColumn)| {
        let mut builder = Builder::new(&column.of);
        for (number, row) in rows.clone().enumerate() {
            if !builder.put(&kept.value(field, row)) {
                let line = kept.lines.get(row).copied().unwrap_or(0);
                return Err(Fault::of(file, format!("line {line} changed while it was read")));
            }
            builder.pad(number + 1);
        }
        Ok(builder.column())
    };
    wanted.iter().map(column).collect()
}

impl<'a> JsonReader<'a> {
    /// `limit` is the largest size of a line, in bytes.
    pub(super) fn open(file: &'a DataFile, limit: u64) -> Result<JsonReader<'a>, Fault> {
        let mut input = TextInput::open(file, limit)?;
        input.begin()?;
        Ok(JsonReader { input, line: 1 })
    }

    /// Reads the whole file. Returns its columns in the order in which they come first, and its values, if there is memory for
    /// them.
    pub(super) fn columns(mut self, memory: &KeptMemory) -> Result<FoundColumns, Fault> {
        let mut keeper = Keeper::new(memory);
        let mut columns: Vec<(String, Seen)> = Vec::new();
        let mut index_of: HashMap<String, usize> = HashMap::new();
        while let Some((line, bytes)) = self.next_line()? {
            let mut twice = None;
            keeper.begin(line, bytes.len());
            let read = each_member(bytes, &mut |name, value| {
                let index = index_of.get(name).copied().unwrap_or_else(|| {
                    index_of.insert(name.to_owned(), columns.len());
                    columns.push((name.to_owned(), Seen { of: FileType::Null, kind: None, first: 0, last: 0 }));
                    columns.len() - 1
                });
                let seen = &mut columns[index].1;
                if seen.last == line {
                    twice.get_or_insert_with(|| name.to_owned());
                }
                seen.last = line;
                if let Some(kind) = Kind::of(&value) {
                    seen.add(kind, line);
                }
                // A member that comes twice is a fault of the file.
                if twice.is_none() {
                    keeper.add(index, &value);
                }
            });
            let why = match (read, twice) {
                (Err(why), _) => why,
                (Ok(()), Some(name)) => format!("it has the member {name} twice"),
                (Ok(()), None) if columns.len() > MOST_COLUMNS => "the file has too many different members".to_owned(),
                (Ok(()), None) => continue,
            };
            return Err(Fault::of(self.input.file, format!("line {line}: {why}")));
        }
        let file = &self.input.file.name;
        let with_file = |of: FileType| match of {
            FileType::Other(why) => FileType::Other(format!("{why} of {file}")),
            of => of,
        };
        let columns = columns.into_iter().map(|(name, seen)| (name, with_file(seen.of))).collect();
        Ok((columns, keeper.finish()))
    }

    /// Reads at most `most` lines. Returns these columns of each, and puts the lines into `lines`.
    pub(super) fn next(
        &mut self,
        most: usize,
        wanted: &[&LakeColumn],
        lines: &mut Vec<u64>,
    ) -> Result<Vec<Column>, Fault> {
        lines.clear();
        let mut builders: Vec<Builder> = wanted.iter().map(|column| Builder::new(&column.of)).collect();
        while lines.len() < most {
            let file = self.input.file;
            let Some((line, bytes)) = self.next_line()? else { break };
            lines.push(line);
            let mut fits = true;
            let read = each_member(bytes, &mut |name, value| {
                if let Some(column) = wanted.iter().position(|column| column.name == name) {
                    fits &= builders[column].put(&value);
                }
            });
            read.map_err(|why| Fault::of(file, format!("line {line}: {why}")))?;
            if !fits || builders.iter().any(|builder| builder.present.len() > lines.len()) {
                return Err(Fault::of(file, format!("line {line} changed while it was read")));
            }
            builders.iter_mut().for_each(|builder| builder.pad(lines.len()));
        }
        Ok(builders.into_iter().map(Builder::column).collect())
    }

    /// Returns the next line that is not blank, and its number.
    fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, Fault> {
        loop {
            let rest = &self.input.buffer[self.input.at..];
            let (length, has_end) = match memchr::memchr(b'\n', rest) {
                Some(length) => (length, true),
                None if !self.input.is_at_end => {
                    self.input.check_size(self.line)?;
                    self.input.fill()?;
                    continue;
                }
                None if rest.is_empty() => return Ok(None),
                None => (rest.len(), false),
            };
            let is_blank = rest[..length].iter().all(u8::is_ascii_whitespace);
            let (from, line) = (self.input.at, self.line);
            self.input.at = from + length + usize::from(has_end);
            self.line += 1;
            if !is_blank {
                return Ok(Some((line, &self.input.buffer[from..from + length])));
            }
        }
    }
}

/// The values of a column of a batch, while they are read.
struct Builder {
    values: Values,
    present: Vec<bool>,
}

impl Builder {
    fn new(of: &FileType) -> Builder {
        let values = match of {
            FileType::Integer | FileType::Boolean => Values::Integers(Vec::new()),
            FileType::Null => Values::Same(None),
            _ => Values::Texts { bytes: Vec::new(), ends: Vec::new() },
        };
        Builder { values, present: Vec::new() }
    }

    /// Adds the value of the next row. Returns false if it is not of the type that the column had before.
    fn put(&mut self, value: &JsonValue<'_>) -> bool {
        let text = match (&mut self.values, value) {
            (_, JsonValue::Null) => return true,
            (Values::Integers(values), value) => {
                let number = match value {
                    JsonValue::Boolean(truth) => Some(i64::from(*truth)),
                    JsonValue::Number(text) => integer(text),
                    _ => None,
                };
                values.extend(number);
                self.present.extend(number.map(|_| true));
                return number.is_some();
            }
            (Values::Texts { .. }, JsonValue::Text(text)) => text,
            (Values::Texts { .. }, JsonValue::Number(text) | JsonValue::Nested(text)) => *text,
            (Values::Texts { .. }, JsonValue::Boolean(truth)) => {
                if *truth {
                    "true"
                } else {
                    "false"
                }
            }
            _ => return false,
        };
        if let Values::Texts { bytes, ends } = &mut self.values {
            bytes.extend_from_slice(text.as_bytes());
            ends.push(bytes.len());
            self.present.push(true);
        }
        true
    }

    /// Makes the row NULL whose value was not found.
    fn pad(&mut self, rows: usize) {
        if self.present.len() == rows {
            return;
        }
        self.present.push(false);
        match &mut self.values {
            Values::Integers(values) => values.push(0),
            Values::Texts { bytes, ends } => ends.push(bytes.len()),
            _ => {}
        }
    }

    fn column(self) -> Column {
        let present = if self.present.contains(&false) { self.present } else { Vec::new() };
        Column { values: self.values, present }
    }
}
