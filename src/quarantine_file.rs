//! Files that keep the rows which a plan deletes: the plan's lines of these rows, for people and their programs. `undo`
//! restores the rows from the plan. The files are on disk before the first row is deleted, and never replace another
//! file. `restore` reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::text::io_reason;
use crate::plan_file;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;
use crate::whole_file::SyncedFile;
use crate::whole_file::WholeFile;

/// Each message reads well after "could not".
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("keep rows in {}", path.display())]
    Unwritten { path: PathBuf, why: String },
    #[error("keep rows in {}", path.display())]
    Taken { path: PathBuf },
    #[error("read the quarantined rows in {}", path.display())]
    Unreadable { path: PathBuf, why: String },
}

impl QuarantineError {
    pub fn because(&self) -> String {
        match self {
            QuarantineError::Plan(error) => error.because(),
            QuarantineError::Unwritten { why, .. } | QuarantineError::Unreadable { why, .. } => why.clone(),
            QuarantineError::Taken { .. } => "a file with this name exists already".to_owned(),
        }
    }

    pub fn help(&self) -> &'static str {
        match self {
            QuarantineError::Plan(error) => error.help(),
            QuarantineError::Unwritten { .. } => {
                "nothing was changed: free disk space in the plan's folder, or check its permissions"
            }
            QuarantineError::Unreadable { .. } => {
                "name a file that a rule with `action = \"quarantine\", file = …` wrote"
            }
            QuarantineError::Taken { .. } => {
                "nothing was changed: move that file elsewhere, or name another file in the rule"
            }
        }
    }
}

/// The quarantine files of a plan.
pub struct QuarantineFiles {
    /// Written, but not yet under their names.
    unpublished: Vec<SyncedFile>,
    /// Created by this run under their names.
    created: Vec<PathBuf>,
}

fn path_of(plan: &Path, file: &str) -> PathBuf {
    plan.with_file_name(file)
}

/// Returns the paths of all quarantine files of a plan.
pub fn paths(plan: &Path, header: &Header) -> Vec<PathBuf> {
    header.files.iter().map(|file| path_of(plan, file)).collect()
}

impl QuarantineFiles {
    /// Writes the rows that a plan keeps in files, as drafts.
    pub fn write(plan: &mut PlanFile) -> Result<QuarantineFiles, QuarantineError> {
        let mut kept = QuarantineFiles { unpublished: Vec::new(), created: Vec::new() };
        if plan.header.files.is_empty() {
            return Ok(kept);
        }
        let path = plan.path().to_owned();
        let unwritten = |error: io::Error| unwritten(&path, &error);
        let mut files: BTreeMap<String, WholeFile> = BTreeMap::new();
        for name in &plan.header.files {
            files.insert(name.clone(), WholeFile::private(&path_of(&path, name)).map_err(unwritten)?);
        }
        for position in 0..plan.changes() {
            let change = plan.change(position)?;
            if let Some(file) = change.kept.as_ref().and_then(|name| files.get_mut(name)) {
                writeln!(file, "{}", plan_file::change_line(&change)).map_err(unwritten)?;
            }
        }
        let synced = files.into_values().map(|file| file.sync().map_err(unwritten));
        kept.unpublished = synced.collect::<Result<_, _>>()?;
        Ok(kept)
    }

    /// Moves the drafts to their paths. An existing file with equal rows is from an earlier run of the same plan, and
    /// stays.
    pub fn publish(&mut self) -> Result<(), QuarantineError> {
        for file in std::mem::take(&mut self.unpublished) {
            let path = file.path().to_owned();
            if path.exists() {
                match file.equals_existing() {
                    Ok(true) => continue,
                    Ok(false) => return Err(QuarantineError::Taken { path }),
                    Err(error) => return Err(unwritten(&path, &error)),
                }
            }
            match file.create_new() {
                Ok(()) => self.created.push(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(QuarantineError::Taken { path });
                }
                Err(error) => return Err(unwritten(&path, &error)),
            }
        }
        Ok(())
    }

    /// Removes the files that this run created, because no row was deleted.
    pub fn remove(self) {
        for path in self.created {
            // A file that remains would only block the next plan, which reports it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The rows in a quarantine file. The file must not change while it is read.
pub struct QuarantinedRows {
    path: PathBuf,
    file: BufReader<File>,
    /// The offset of each row and the name of its table, in the order of the file.
    rows: Vec<(u64, String)>,
}

impl QuarantinedRows {
    pub fn open(path: &Path) -> Result<QuarantinedRows, QuarantineError> {
        let unreadable = |error: io::Error| unreadable(path, io_reason(&error));
        let mut rows = QuarantinedRows {
            path: path.to_owned(),
            file: BufReader::new(File::open(path).map_err(unreadable)?),
            rows: Vec::new(),
        };
        let mut at = 0;
        while let Some((change, length)) = rows.next()? {
            rows.rows.push((at, change.table.to_string()));
            at += length;
        }
        Ok(rows)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the offset of each row and the name of its table, for example `(0, "orders")`.
    pub fn rows(&self) -> &[(u64, String)] {
        &self.rows
    }

    /// Returns the change that deleted the row at an offset.
    pub fn row(&mut self, offset: u64) -> Result<Change, QuarantineError> {
        self.file.seek(SeekFrom::Start(offset)).map_err(|error| unreadable(&self.path, io_reason(&error)))?;
        let next = self.next()?;
        next.map(|(change, _)| change).ok_or_else(|| unreadable(&self.path, "the file became shorter".to_owned()))
    }

    /// Reads the next line. Returns its change and its length in bytes.
    fn next(&mut self) -> Result<Option<(Change, u64)>, QuarantineError> {
        let mut line = String::new();
        let length = self.file.read_line(&mut line).map_err(|error| unreadable(&self.path, io_reason(&error)))?;
        if length == 0 {
            return Ok(None);
        }
        let change = plan_file::read_change(line.trim_end()).map_err(|why| unreadable(&self.path, why))?;
        Ok(Some((change, length as u64)))
    }
}

fn unreadable(path: &Path, why: String) -> QuarantineError {
    QuarantineError::Unreadable { path: path.to_owned(), why }
}

fn unwritten(path: &Path, error: &io::Error) -> QuarantineError {
    QuarantineError::Unwritten { path: path.to_owned(), why: io_reason(error) }
}
