//! Rows that go, kept in files: the lines that the plan has for them, for people and their programs (`undo` restores the
//! rows from the plan). They are on the disk before the first row goes, and never in the place of another file.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::model::plan::Header;
use crate::plan_file;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;
use crate::whole_file::Settled;
use crate::whole_file::WholeFile;

/// Reads after "could not".
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("keep rows in {}", path.display())]
    Unwritten { path: PathBuf, why: String },
    #[error("keep rows in {}", path.display())]
    Taken { path: PathBuf },
}

impl KeepError {
    pub fn because(&self) -> String {
        match self {
            KeepError::Plan(error) => error.because(),
            KeepError::Unwritten { why, .. } => why.clone(),
            KeepError::Taken { .. } => "there is such a file already".to_owned(),
        }
    }

    pub fn help(&self) -> &'static str {
        match self {
            KeepError::Plan(error) => error.help(),
            KeepError::Unwritten { .. } => "nothing was changed: make room beside the plan for what it keeps",
            KeepError::Taken { .. } => "nothing was changed: move that file away, or name another in the rule",
        }
    }
}

/// The files of a plan, written and not yet under their names.
pub struct Kept {
    waiting: Vec<Settled>,
    made: Vec<PathBuf>,
}

fn place(plan: &Path, file: &str) -> PathBuf {
    plan.with_file_name(file)
}

/// Where all files of a plan lie.
pub fn places(plan: &Path, header: &Header) -> Vec<PathBuf> {
    header.files.iter().map(|file| place(plan, file)).collect()
}

impl Kept {
    /// Writes the rows that a plan keeps in files.
    pub fn gather(plan: &mut PlanFile) -> Result<Kept, KeepError> {
        let mut kept = Kept { waiting: Vec::new(), made: Vec::new() };
        if plan.header.files.is_empty() {
            return Ok(kept);
        }
        let path = plan.path().to_owned();
        let unwritten = |error: io::Error| unwritten(&path, &error);
        let mut files: BTreeMap<String, WholeFile> = BTreeMap::new();
        for name in &plan.header.files {
            files.insert(name.clone(), WholeFile::private(&place(&path, name)).map_err(unwritten)?);
        }
        for position in 0..plan.changes() {
            let change = plan.change(position)?;
            if let Some(file) = change.kept.as_ref().and_then(|name| files.get_mut(name)) {
                writeln!(file, "{}", plan_file::change_line(&change)).map_err(unwritten)?;
            }
        }
        let settled = files.into_values().map(|file| file.settle().map_err(unwritten));
        kept.waiting = settled.collect::<Result<_, _>>()?;
        Ok(kept)
    }

    /// Gives the files their names. One that is there with just these rows is from an earlier run of the same plan.
    pub fn put_down(&mut self) -> Result<(), KeepError> {
        for file in std::mem::take(&mut self.waiting) {
            let path = file.path().to_owned();
            if path.exists() {
                match file.is_there() {
                    Ok(true) => continue,
                    Ok(false) => return Err(KeepError::Taken { path }),
                    Err(error) => return Err(unwritten(&path, &error)),
                }
            }
            match file.claim() {
                Ok(()) => self.made.push(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(KeepError::Taken { path }),
                Err(error) => return Err(unwritten(&path, &error)),
            }
        }
        Ok(())
    }

    /// Nothing went after all.
    pub fn take_back(self) {
        for path in self.made {
            // What is left would only stand in the way of the next plan, which says so.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn unwritten(path: &Path, error: &io::Error) -> KeepError {
    KeepError::Unwritten { path: path.to_owned(), why: error.to_string() }
}
