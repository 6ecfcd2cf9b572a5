//! Rows that go, kept in files: the lines that the plan has for them, for people and their programs (`undo` restores the
//! rows from the plan). They are on the disk before the first row goes, and never in the place of another file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use crate::model::plan::Header;
use crate::plan_file;
use crate::plan_file::PlanError;
use crate::plan_file::PlanFile;

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
    waiting: Vec<(PathBuf, NamedTempFile)>,
    made: Vec<PathBuf>,
}

fn place(plan: &Path, file: &str) -> PathBuf {
    plan.with_file_name(file)
}

/// Where all files of a plan lie.
pub fn places(plan: &Path, header: &Header) -> Vec<PathBuf> {
    header.files.iter().map(|file| place(plan, file)).collect()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
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
        let mut files: BTreeMap<String, BufWriter<NamedTempFile>> = BTreeMap::new();
        for name in &plan.header.files {
            let file = tempfile::Builder::new().prefix(".fk-doctor-").tempfile_in(folder(&path)).map_err(unwritten)?;
            files.insert(name.clone(), BufWriter::new(file));
        }
        for position in 0..plan.changes() {
            let change = plan.change(position)?;
            if let Some(file) = change.kept.as_ref().and_then(|name| files.get_mut(name)) {
                writeln!(file, "{}", plan_file::change_line(&change)).map_err(unwritten)?;
            }
        }
        for (name, file) in files {
            let file = file.into_inner().map_err(|error| unwritten(error.into_error()))?;
            file.as_file().sync_all().map_err(unwritten)?;
            kept.waiting.push((place(&path, &name), file));
        }
        Ok(kept)
    }

    /// Gives the files their names. One that is there with just these rows is from an earlier run of the same plan.
    pub fn put_down(&mut self) -> Result<(), KeepError> {
        for (path, file) in std::mem::take(&mut self.waiting) {
            match file.persist_noclobber(&path) {
                Ok(_) => {
                    self.made.push(path.clone());
                    File::open(folder(&path)).and_then(|folder| folder.sync_all())
                }
                Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                    match is_same(refused.file.path(), &path) {
                        Ok(false) => return Err(KeepError::Taken { path }),
                        other => other.map(|_| ()),
                    }
                }
                Err(refused) => Err(refused.error),
            }
            .map_err(|error| unwritten(&path, &error))?;
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

fn is_same(left: &Path, right: &Path) -> io::Result<bool> {
    let (left, right) = (File::open(left)?, File::open(right)?);
    if left.metadata()?.len() != right.metadata()?.len() {
        return Ok(false);
    }
    let mut right = BufReader::new(right).bytes();
    for byte in BufReader::new(left).bytes() {
        if right.next().transpose()? != Some(byte?) {
            return Ok(false);
        }
    }
    Ok(true)
}
