//! The plan on disk, format `fk-doctor/plan@2`: a header line, one line per change, and a trailer with the number of
//! changes and a digest of all bytes before it. Before the first change of a group, a line lists the facts that the
//! changes of the group share. Plans of the format `fk-doctor/plan@1` are read too.
//!
//! A file whose bytes changed after it was written is refused, so the reviewed plan is the one that runs. The meaning
//! of a plan is in `model::plan`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;
use siphasher::sip::SipHasher24;

use crate::model::change_group::ChangeGroup;
use crate::model::change_group::ChangeGroups;
use crate::model::change_group::ChangeValues;
use crate::model::change_group::GroupedChange;
use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::row::Row;
use crate::model::text::io_reason;
use crate::model::value::Value;

mod blocks;
mod line_marks;
mod reader;
mod wire;

pub use reader::PlanReader;

use blocks::DigestingReader;
use line_marks::LineMarks;
use wire::Format;

/// Each message reads well after "could not".
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("read the plan {path}")]
    Unreadable { path: String, why: String },
    #[error("trust the plan {path}")]
    Untrusted { path: String, why: String },
    #[error("read {path} as a plan")]
    IsDatabase { path: String },
}

impl PlanError {
    fn unreadable(path: &Path, error: &io::Error) -> PlanError {
        PlanError::Unreadable { path: path.display().to_string(), why: io_reason(error) }
    }

    pub fn because(&self) -> String {
        match self {
            PlanError::Unreadable { why, .. } | PlanError::Untrusted { why, .. } => why.clone(),
            PlanError::IsDatabase { .. } => "it is a SQLite database".to_owned(),
        }
    }

    pub fn help(&self) -> &'static str {
        match self {
            PlanError::Unreadable { .. } => "name a plan file that `fk-doctor repair … -o PLAN` wrote",
            PlanError::Untrusted { .. } => {
                "nothing was changed: make a new plan with `fk-doctor repair`; edit the rules, never the plan"
            }
            PlanError::IsDatabase { .. } => {
                "check the order: `fk-doctor apply DB PLAN`, `fk-doctor undo DB PLAN`, `fk-doctor status PLAN [DB]`"
            }
        }
    }
}

/// Writes a plan.
pub struct PlanWriter<W: Write> {
    out: W,
    digest: Sha256,
    changes: u64,
    groups: GroupNumbers,
    /// Lines that are neither digested nor written yet.
    pending: String,
}

/// The number of bytes that are digested and written together.
const PENDING: usize = 1 << 16;

impl<W: Write> PlanWriter<W> {
    pub fn new(out: W, header: &Header) -> io::Result<PlanWriter<W>> {
        let groups = GroupNumbers::default();
        let mut writer = PlanWriter { out, digest: Sha256::new(), changes: 0, groups, pending: String::new() };
        writer.pending.push_str(&wire::header(header));
        writer.end_line()?;
        Ok(writer)
    }

    /// Writes one change, as [`ChangeLines`] formats it.
    pub fn change(&mut self, line: &ChangeLine<'_>) -> io::Result<()> {
        let (number, is_new) = self.groups.number_of(line.number);
        if is_new {
            self.pending.push_str(&wire::compact::group(number, line.group));
            self.end_line()?;
        }
        wire::compact::push_numbered(&mut self.pending, number, line.text);
        self.changes += 1;
        self.end_line()
    }

    /// Writes the trailer. Returns the underlying writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        let last = wire::trailer(self.changes, &hexadecimal(&self.digest.finalize()));
        self.out.write_all(last.as_bytes())?;
        self.out.write_all(b"\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.pending.push('\n');
        if self.pending.len() > PENDING { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.digest.update(self.pending.as_bytes());
        self.out.write_all(self.pending.as_bytes())?;
        self.pending.clear();
        Ok(())
    }
}

/// The numbers of groups in a file: groups are numbered in the order in which their first changes come.
#[derive(Default)]
struct GroupNumbers {
    numbers: HashMap<usize, usize>,
    last: Option<(usize, usize)>,
}

impl GroupNumbers {
    /// Returns the number in the file of a group, and true if the group is new.
    fn number_of(&mut self, number: usize) -> (usize, bool) {
        if let Some((last, in_file)) = self.last
            && last == number
        {
            return (in_file, false);
        }
        let next = self.numbers.len();
        let in_file = *self.numbers.entry(number).or_insert(next);
        self.last = Some((number, in_file));
        (in_file, in_file == next)
    }
}

/// A change as a line, before its plan is written.
pub struct ChangeLine<'l> {
    /// The group, and its number among the groups of the [`ChangeLines`] that made the line.
    pub number: usize,
    pub group: &'l ChangeGroup,
    pub text: &'l str,
}

/// Formats changes as lines and parses them, before their plan is written.
#[derive(Default)]
pub struct ChangeLines {
    groups: ChangeGroups,
}

impl ChangeLines {
    /// Appends a change as a line, without a line break. Returns the number of its group.
    pub fn push(&mut self, line: &mut String, change: &Change) -> usize {
        let number = self.groups.number_of(change);
        if let Some(group) = self.groups.get(number) {
            wire::compact::push_change(line, number, group, change);
        }
        number
    }

    /// Returns the number of a change's group, for [`Self::push_values`].
    pub fn group_of(&mut self, change: &Change) -> usize {
        self.groups.number_of(change)
    }

    /// Appends the values of a change as a line, like [`Self::push`].
    pub fn push_values(&self, line: &mut String, number: usize, values: &ChangeValues<'_>) {
        if let Some(group) = self.groups.get(number) {
            wire::compact::push_values_of(line, number, group, values);
        }
    }

    pub fn group(&self, number: usize) -> Option<&Arc<ChangeGroup>> {
        self.groups.get(number)
    }

    /// Returns a line that [`Self::push`] made.
    pub fn line<'l>(&'l self, text: &'l str) -> Result<ChangeLine<'l>, String> {
        let number = wire::compact::number(text)?;
        let group = self.groups.get(number).ok_or_else(|| format!("there is no group {number}"))?;
        Ok(ChangeLine { number, group, text })
    }

    /// Parses a line that [`Self::push`] made. The error is a message.
    pub fn read(&self, text: &str) -> Result<Change, String> {
        wire::compact::read_change(text, &self.groups).map(GroupedChange::into_change)
    }
}

/// Returns a change as a line that is complete by itself, as files of quarantined rows contain it.
pub fn change_line(change: &Change) -> String {
    wire::wide::change(change)
}

/// Parses a line that [`change_line`] wrote. The error is a message.
pub fn read_change(line: &str) -> Result<Change, String> {
    wire::wide::read_change(line)
}

/// Returns a row's name as text. Equal names have equal texts.
pub fn row_text(row: &Row) -> String {
    wire::values::row(row)
}

/// Parses a row that [`row_text`] wrote. The error is a message.
pub fn read_row(text: &str) -> Result<Row, String> {
    wire::values::read_row(text)
}

/// Returns the fingerprint of a row. Equal rows have equal fingerprints, in every version and on every machine.
pub fn fingerprint(row: &Row) -> u64 {
    SipHasher24::new().hash(row_text(row).as_bytes())
}

/// Computes the fingerprints of rows that have the same columns.
pub struct Fingerprints {
    /// For each column, the text before its value.
    names: Vec<String>,
    text: String,
}

impl Fingerprints {
    pub fn new(columns: &[String]) -> Fingerprints {
        let name = |(index, column): (usize, &String)| {
            let mut text = String::new();
            wire::values::push_name(&mut text, index, column);
            text
        };
        Fingerprints { names: columns.iter().enumerate().map(name).collect(), text: String::new() }
    }

    /// Returns the [`fingerprint`] of the row with these values.
    pub fn of(&mut self, values: &[Value]) -> u64 {
        self.text.clear();
        for (name, value) in self.names.iter().zip(values) {
            self.text.push_str(name);
            wire::values::push_value(&mut self.text, value);
        }
        wire::values::end_row(&mut self.text);
        SipHasher24::new().hash(self.text.as_bytes())
    }
}

/// A plan whose digest was verified when it was opened.
pub struct PlanFile {
    pub header: Header,
    digest: String,
    reader: PlanReader,
}

/// In bytes. No plan has a longer line, because rows with values over ten megabytes are not planned.
const LONGEST_LINE: u64 = 1 << 30;

impl PlanFile {
    pub fn open(path: &Path) -> Result<PlanFile, PlanError> {
        let shown = path.display().to_string();
        let unreadable = |error: io::Error| PlanError::unreadable(path, &error);
        let untrusted = |why: &str| PlanError::Untrusted { path: shown.clone(), why: why.to_owned() };
        let mut file = BufReader::new(DigestingReader::new(File::open(path).map_err(unreadable)?));
        if file.fill_buf().map_err(unreadable)?.starts_with(b"SQLite format 3\0") {
            return Err(PlanError::IsDatabase { path: shown });
        }
        let mut digest = Sha256::new();
        let (mut header, mut groups) = (None, ChangeGroups::default());
        let mut marks = LineMarks::default();
        let mut line = Vec::new();
        let (digest, (format, header)) = loop {
            line.clear();
            let length = (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(unreadable)? as u64;
            if length == 0 || line.last() != Some(&b'\n') {
                return Err(untrusted("it has no last line: it was cut off"));
            }
            let text = std::str::from_utf8(&line[..line.len() - 1]).map_err(|_| untrusted("it is not text"))?;
            match &header {
                None => {
                    header = Some(wire::read_header(text).map_err(|why| untrusted(&why))?);
                    marks.skip(length);
                }
                Some(_) if wire::is_trailer(text) => {
                    let digest = hexadecimal(&digest.finalize());
                    if text != wire::trailer(marks.lines() as u64, &digest) {
                        let why = "its digest does not match its lines: it was changed after it was written";
                        return Err(untrusted(why));
                    }
                    if !file.fill_buf().map_err(unreadable)?.is_empty() {
                        return Err(untrusted("there is text after its last line"));
                    }
                    break (digest, header.ok_or_else(|| untrusted("it has no header"))?);
                }
                Some((Format::Compact, _)) if is_group(text.as_bytes()) => {
                    let group = wire::compact::read_group(text, groups.len()).map_err(|why| untrusted(&why))?;
                    groups.add(Arc::new(group));
                    marks.skip(length);
                }
                Some(_) => marks.line(length),
            }
            digest.update(&line);
        };
        let blocks = file.into_inner().finish();
        let reader = PlanReader::new(path.to_owned(), format, blocks, marks, groups);
        Ok(PlanFile { header, digest, reader })
    }

    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// The digest of the plan's lines, which identifies the plan in the record of its state.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub fn changes(&self) -> usize {
        self.reader.changes()
    }

    /// Returns the change at a position. Fails if its bytes differ from those that were verified.
    pub fn change(&mut self, position: usize) -> Result<Change, PlanError> {
        self.reader.change(position)
    }

    /// Returns a second reader of the verified changes.
    pub fn second_reader(&self) -> Result<PlanReader, PlanError> {
        self.reader.again()
    }

    /// Locks the plan until it is dropped. True unless another process has locked it; always true on a file system
    /// without locks.
    pub fn lock(&self) -> bool {
        !matches!(self.reader.file().try_lock(), Err(std::fs::TryLockError::WouldBlock))
    }
}

/// True for the line of a group.
fn is_group(line: &[u8]) -> bool {
    line.first() == Some(&b'{')
}

/// Returns the digest of some texts, in the form that plans use.
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    hexadecimal(&digest.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
pub(crate) mod tests;
