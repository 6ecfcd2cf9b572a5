//! A file that takes its name when all of it is on the disk, or never. Until then it lies beside its place, and goes with
//! the run.

use std::fs::File;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Result;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;

pub struct WholeFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl WholeFile {
    /// A file as readable as any that the user makes, or as the one that it replaces.
    pub fn beside(path: &Path) -> Result<WholeFile> {
        let mut builder = tempfile::Builder::new();
        if let Some(mode) = usual_mode() {
            builder.permissions(mode);
        }
        let draft = draft(path, &mut builder)?;
        // The umask has no say in the mode of a file that was there before.
        if let Ok(before) = std::fs::metadata(path) {
            draft.file.get_ref().as_file().set_permissions(before.permissions())?;
        }
        Ok(draft)
    }

    /// A file for its owner alone: whole rows of a database.
    pub fn private(path: &Path) -> Result<WholeFile> {
        draft(path, &mut tempfile::Builder::new())
    }

    /// All was written, and is put on the disk.
    pub fn settle(self) -> Result<Settled> {
        let file = self.file.into_inner()?;
        file.as_file().sync_all()?;
        Ok(Settled { path: self.path, file })
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

/// A whole file that waits for its name.
pub struct Settled {
    path: PathBuf,
    file: NamedTempFile,
}

impl Settled {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the place of what has the name now.
    pub fn replace(self) -> Result<()> {
        self.file.persist(&self.path)?;
        keep_name(&self.path)
    }

    /// Takes a name that nothing has.
    pub fn claim(self) -> Result<()> {
        self.file.persist_noclobber(&self.path)?;
        keep_name(&self.path)
    }

    /// Whether what has the name now says just the same.
    pub fn is_there(&self) -> Result<bool> {
        let (ours, there) = (self.file.reopen()?, File::open(&self.path)?);
        if ours.metadata()?.len() != there.metadata()?.len() {
            return Ok(false);
        }
        let mut there = BufReader::new(there).bytes();
        for byte in BufReader::new(ours).bytes() {
            if there.next().transpose()? != Some(byte?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn draft(path: &Path, builder: &mut tempfile::Builder<'_, '_>) -> Result<WholeFile> {
    let file = builder.prefix(".fk-doctor-").tempfile_in(folder(path))?;
    Ok(WholeFile { path: path.to_owned(), file: BufWriter::new(file) })
}

/// The name is on the disk too.
fn keep_name(path: &Path) -> Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What the umask leaves of it; a temporary file would be the user's alone.
#[cfg(unix)]
fn usual_mode() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual_mode() -> Option<std::fs::Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(path: &Path, text: &str) -> Settled {
        let mut file = WholeFile::beside(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.settle().unwrap()
    }

    #[test]
    fn a_name_is_taken_by_a_whole_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        drop(settled(&path, "one"));
        assert_eq!(names(), 0);
        settled(&path, "one").claim().unwrap();
        let same = settled(&path, "one");
        assert!(same.is_there().unwrap());
        assert_eq!(same.claim().unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert!(!settled(&path, "two").is_there().unwrap());
        settled(&path, "two").replace().unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), names()), ("two", 1));
    }

    #[cfg(unix)]
    #[test]
    fn rows_of_a_database_are_for_their_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        WholeFile::private(&path).unwrap().settle().unwrap().claim().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
