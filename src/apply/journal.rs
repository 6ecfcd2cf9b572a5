//! The mark beside a plan that was begun, `PLAN.begun`. It is written to disk before the first change, so that no command
//! overwrites the plan, which undo needs. If the database cannot get a state table, the mark is also the journal. The journal
//! lists the entries that are about to be committed and those that were committed.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use super::ApplyError;
use crate::model::state::StateEntry;
use crate::model::text::io_reason;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub format: String,
    /// The digest of the plan.
    pub plan: String,
    pub database: String,
    /// The run that began the plan, and the time.
    pub run: String,
    pub at: String,
}

const FORMAT: &str = "fk-doctor/begun@1";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// The record of the plan is kept in this file.
    Home,
    /// The plan entered another phase.
    Header(Vec<Field>),
    /// This entry is about to be committed.
    Intent(Vec<Field>),
    /// The entry with this number was committed.
    Done(i64),
    /// The entry with this number was not committed.
    Undone(i64),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Field {
    Number(i64),
    Text(String),
}

/// Returns the path of the mark of a plan.
pub fn mark_of(plan: &Path) -> PathBuf {
    let mut name = plan.as_os_str().to_owned();
    name.push(".begun");
    PathBuf::from(name)
}

/// Returns the path of the plan of a mark.
pub fn plan_of(mark: &Path) -> Option<PathBuf> {
    (mark.extension()? == "begun").then(|| mark.with_extension(""))
}

/// Returns the mark of a plan, if the plan was begun. If the mark cannot be parsed, its fields are empty.
pub fn begun(plan: &Path) -> Option<Mark> {
    let text = std::fs::read_to_string(mark_of(plan)).ok()?;
    let first = text.lines().next().and_then(|line| serde_json::from_str(line).ok());
    let unknown = || Mark {
        format: FORMAT.to_owned(),
        plan: String::new(),
        database: String::new(),
        run: String::new(),
        at: String::new(),
    };
    Some(first.unwrap_or_else(unknown))
}

/// Writes the mark to disk, unless it exists.
pub(super) fn mark(plan: &Path, digest: &str, database: &str, run: &str, at: &str) -> Result<(), ApplyError> {
    let path = mark_of(plan);
    let [plan, database, run, at] = [digest, database, run, at].map(str::to_owned);
    let line = serde_json::to_string(&Mark { format: FORMAT.to_owned(), plan, database, run, at });
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.and_then(|file| append(file, &line.map_err(io::Error::from)?)),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = written.and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| unwritten(&path, &error))
}

/// The journal in the mark.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

/// The contents of the journal: the committed entries, and an entry whose commit is unknown.
#[derive(Debug, Default)]
pub(super) struct JournalContents {
    /// True if the journal holds the record instead of a table.
    pub(super) holds_record: bool,
    pub(super) header: Option<StateEntry>,
    pub(super) entries: Vec<StateEntry>,
    pub(super) in_doubt: Option<StateEntry>,
}

impl Journal {
    pub(super) fn of(plan: &Path) -> Journal {
        Journal { path: mark_of(plan) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes that the journal holds the record from now on.
    pub(super) fn take_over(&self) -> Result<(), ApplyError> {
        self.write(&Line::Home)
    }

    /// Writes an entry that is about to be committed.
    pub(super) fn write_intent(&self, entry: &StateEntry, plan: &str) -> Result<(), ApplyError> {
        self.write(&Line::Intent(fields(entry, plan)))
    }

    /// Writes the phase of the plan after its commit.
    pub(super) fn write_header(&self, header: &StateEntry, plan: &str) -> Result<(), ApplyError> {
        self.write(&Line::Header(fields(header, plan)))
    }

    /// Removes the record and keeps the mark.
    pub(super) fn forget(&self) -> Result<(), ApplyError> {
        let shortened = std::fs::read_to_string(&self.path).and_then(|text| {
            let first = text.split_inclusive('\n').next().map_or(0, str::len);
            let file = OpenOptions::new().write(true).open(&self.path)?;
            file.set_len(first as u64)?;
            file.sync_all()
        });
        shortened.map_err(|error| unwritten(&self.path, &error))
    }

    /// Writes whether an entry was committed.
    pub(super) fn finish_entry(&self, number: i64, is_committed: bool) -> Result<(), ApplyError> {
        self.write(&if is_committed { Line::Done(number) } else { Line::Undone(number) })
    }

    fn write(&self, line: &Line) -> Result<(), ApplyError> {
        let written = serde_json::to_string(line).map_err(io::Error::from).and_then(|line| {
            let file = OpenOptions::new().append(true).open(&self.path)?;
            append(file, &line)
        });
        written.map_err(|error| unwritten(&self.path, &error))
    }

    /// Reads the journal. It ignores an incomplete last line: that line was not synced, so nothing was committed after it.
    pub(super) fn read(&self) -> Result<JournalContents, ApplyError> {
        let mut known = JournalContents::default();
        let Ok(text) = std::fs::read_to_string(&self.path) else { return Ok(known) };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines().skip(1) {
            let line: Line = serde_json::from_str(line).map_err(|error| self.unreadable(error.to_string()))?;
            known.holds_record = true;
            match line {
                Line::Home => {}
                Line::Header(fields) => known.header = Some(self.entry(fields)?),
                Line::Intent(fields) => known.in_doubt = Some(self.entry(fields)?),
                Line::Done(_) => known.entries.extend(known.in_doubt.take()),
                Line::Undone(_) => known.in_doubt = None,
            }
        }
        Ok(known)
    }

    fn entry(&self, fields: Vec<Field>) -> Result<StateEntry, ApplyError> {
        let values: Vec<Value> = fields.into_iter().map(value).collect();
        StateEntry::read(&values).map_err(|why| self.unreadable(why))
    }

    fn unreadable(&self, why: String) -> ApplyError {
        ApplyError::Record {
            what: format!("read {}", self.path.display()),
            why,
            help: "nothing was changed: this file is the record of the plan; restore it from a backup".to_owned(),
        }
    }
}

fn fields(entry: &StateEntry, plan: &str) -> Vec<Field> {
    let field = |value: Value| match value {
        Value::Integer(number) => Field::Number(number),
        other => Field::Text(other.as_text().unwrap_or_default().to_owned()),
    };
    entry.row(plan).values().iter().cloned().map(field).collect()
}

fn value(field: Field) -> Value {
    match field {
        Field::Number(number) => Value::Integer(number),
        Field::Text(text) => Value::text(text),
    }
}

fn append(mut file: File, line: &str) -> io::Result<()> {
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}

fn unwritten(path: &Path, error: &io::Error) -> ApplyError {
    ApplyError::Record {
        what: format!("write {}", path.display()),
        why: io_reason(error),
        help: "the plan needs this file beside it: copy the plan to a folder that you may write to, and apply it from there"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::Operation;
    use crate::model::state::Phase;

    #[test]
    fn journal_knows_what_was_committed_and_what_is_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan.ndjson");
        assert!(begun(&plan).is_none());
        mark(&plan, "d", "app", "r", "now").unwrap();
        mark(&plan, "d", "app", "another", "later").unwrap();
        assert_eq!(begun(&plan).map(|mark| mark.run).as_deref(), Some("r"));
        let journal = Journal::of(&plan);
        assert!(!journal.read().unwrap().holds_record);
        journal.take_over().unwrap();
        assert!(journal.read().unwrap().holds_record);
        let entry = |number| StateEntry {
            number,
            operation: Operation::Apply,
            first: 0,
            last: 3,
            changed: 4,
            left: Vec::new(),
            run: "r".to_owned(),
            at: "now".to_owned(),
        };
        journal.write_intent(&entry(1), "d").unwrap();
        journal.finish_entry(1, true).unwrap();
        journal.write_intent(&entry(2), "d").unwrap();
        let known = journal.read().unwrap();
        assert_eq!((known.entries, known.in_doubt), (vec![entry(1)], Some(entry(2))));
        journal.finish_entry(2, false).unwrap();
        assert!(journal.read().unwrap().in_doubt.is_none());
        // A line that was cut off by a crash.
        let mut file = OpenOptions::new().append(true).open(journal.path()).unwrap();
        file.write_all(b"{\"intent\":[\"d\",3").unwrap();
        assert_eq!(journal.read().unwrap().entries.len(), 1);
        journal.forget().unwrap();
        let header = StateEntry { number: 0, operation: Operation::Header(Phase::Applied), ..entry(0) };
        journal.write_header(&header, "d").unwrap();
        let known = journal.read().unwrap();
        assert_eq!((known.header, known.entries, known.in_doubt), (Some(header), Vec::new(), None));
        assert_eq!(begun(&plan).map(|mark| mark.run).as_deref(), Some("r"));
    }
}
