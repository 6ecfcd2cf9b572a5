//! The plan on disk, format `fk-doctor/plan@1`: a header line, one line per change, and a trailer with the number of
//! changes and a digest of all bytes before it.
//!
//! A file whose bytes changed after it was written is refused, so the reviewed plan is the one that runs. The meaning
//! of a plan is in `model::plan`.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest;
use sha2::Sha256;
use siphasher::sip::SipHasher24;

use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::row::Row;
use crate::model::text::io_reason;

mod blocks;
mod wire;

use blocks::Blocks;
use blocks::DigestingReader;

/// Each message reads well after "could not".
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("read the plan {path}")]
    Unreadable { path: String, why: String },
    #[error("trust the plan {path}")]
    Untrusted { path: String, why: String },
}

impl PlanError {
    pub fn because(&self) -> String {
        match self {
            PlanError::Unreadable { why, .. } | PlanError::Untrusted { why, .. } => why.clone(),
        }
    }

    pub fn help(&self) -> &'static str {
        match self {
            PlanError::Unreadable { .. } => "name a plan file that `fk-doctor repair … -o PLAN` wrote",
            PlanError::Untrusted { .. } => {
                "nothing was changed: make a new plan with `fk-doctor repair`; edit the rules, never the plan"
            }
        }
    }
}

/// Writes a plan.
pub struct PlanWriter<W: Write> {
    out: W,
    digest: Sha256,
    changes: u64,
}

impl<W: Write> PlanWriter<W> {
    pub fn new(out: W, header: &Header) -> io::Result<PlanWriter<W>> {
        let mut writer = PlanWriter { out, digest: Sha256::new(), changes: 0 };
        writer.line(&wire::header(header))?;
        Ok(writer)
    }

    /// Writes one change, as [`change_line`] formats it.
    pub fn change(&mut self, line: &str) -> io::Result<()> {
        self.line(line).map(|()| self.changes += 1)
    }

    /// Writes the trailer. Returns the underlying writer.
    pub fn finish(mut self) -> io::Result<W> {
        let last = wire::trailer(self.changes, &hexadecimal(&self.digest.finalize()));
        self.out.write_all(last.as_bytes())?;
        self.out.write_all(b"\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        for bytes in [line.as_bytes(), b"\n"] {
            self.digest.update(bytes);
            self.out.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Returns a change as a line of a plan.
pub fn change_line(change: &Change) -> String {
    wire::change(change)
}

/// Returns a row's name as text. Equal names have equal texts.
pub fn row_text(row: &Row) -> String {
    wire::row(row)
}

/// Parses a row that [`row_text`] wrote. The error is a message.
pub fn read_row(text: &str) -> Result<Row, String> {
    wire::read_row(text)
}

/// Returns the fingerprint of a row. Equal rows have equal fingerprints, in every version and on every machine.
pub fn fingerprint(row: &Row) -> u64 {
    SipHasher24::new().hash(row_text(row).as_bytes())
}

/// Parses a line that [`change_line`] wrote. The error is a message.
pub fn read_change(line: &str) -> Result<Change, String> {
    wire::read_change(line)
}

/// A plan whose digest was verified when it was opened.
pub struct PlanFile {
    pub header: Header,
    path: PathBuf,
    blocks: Blocks,
    /// The offset of each change, and the end of the last one.
    offsets: Vec<u64>,
    digest: String,
}

/// In bytes. No plan has a longer line, because rows with values over ten megabytes are not planned.
const LONGEST_LINE: u64 = 1 << 30;

impl PlanFile {
    pub fn open(path: &Path) -> Result<PlanFile, PlanError> {
        let shown = path.display().to_string();
        let unreadable = |error: io::Error| PlanError::Unreadable { path: shown.clone(), why: io_reason(&error) };
        let untrusted = |why: &str| PlanError::Untrusted { path: shown.clone(), why: why.to_owned() };
        let mut file = BufReader::new(DigestingReader::new(File::open(path).map_err(unreadable)?));
        let mut digest = Sha256::new();
        let mut offsets = Vec::new();
        let mut at = 0;
        let mut header = None;
        let mut line = Vec::new();
        let digest = loop {
            line.clear();
            let length = (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(unreadable)? as u64;
            if length == 0 || line.last() != Some(&b'\n') {
                return Err(untrusted("it has no last line: it was cut off"));
            }
            let text = std::str::from_utf8(&line[..line.len() - 1]).map_err(|_| untrusted("it is not text"))?;
            if header.is_none() {
                header = Some(wire::read_header(text).map_err(|why| untrusted(&why))?);
            } else if wire::is_trailer(text) {
                let digest = hexadecimal(&digest.finalize());
                if text != wire::trailer(offsets.len() as u64 - 1, &digest) {
                    return Err(untrusted("its digest does not match its lines: it was changed after it was written"));
                }
                if !file.fill_buf().map_err(unreadable)?.is_empty() {
                    return Err(untrusted("there is text after its last line"));
                }
                break digest;
            }
            at += length;
            offsets.push(at);
            digest.update(&line);
        };
        let header = header.ok_or_else(|| untrusted("it has no header"))?;
        Ok(PlanFile { header, path: path.to_owned(), blocks: file.into_inner().finish(), offsets, digest })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of the plan's lines, which identifies the plan in the record of its state.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub fn changes(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Returns the change at a position. Fails if its bytes differ from those that were verified.
    pub fn change(&mut self, position: usize) -> Result<Change, PlanError> {
        let (start, end) = (self.offsets[position], self.offsets[position + 1]);
        let path = || self.path.display().to_string();
        let bytes = match self.blocks.bytes(start, end) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let why = "it was changed while it was being read".to_owned();
                return Err(PlanError::Untrusted { path: path(), why });
            }
            Err(error) => return Err(PlanError::Unreadable { path: path(), why: io_reason(&error) }),
        };
        let text = String::from_utf8(bytes).map_err(|error| error.to_string());
        let change = text.and_then(|text| read_change(text.trim_end_matches('\n')));
        change.map_err(|why| PlanError::Untrusted { path: path(), why })
    }

    /// Locks the plan until it is dropped. True unless another process has locked it; always true on a file system
    /// without locks.
    pub fn lock(&self) -> bool {
        !matches!(self.blocks.file().try_lock(), Err(std::fs::TryLockError::WouldBlock))
    }
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
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
