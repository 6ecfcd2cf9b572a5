//! A file that takes its name when all of it is on the disk, or never. Until then it is a draft beside its place, which goes
//! with the run. The draft of a run that was killed stays; the next run that writes there removes it.

use std::fs::File;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Result;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::NamedTempFile;

/// How the names of drafts begin and end; six letters and digits are between.
const PREFIX: &str = ".fk-doctor-";
const SUFFIX: &str = ".part";

/// The files that SQLite may have left beside a draft.
const COMPANIONS: [&str; 4] = ["", "-journal", "-wal", "-shm"];

/// A draft is locked a moment after it is made, so only one that is older can be known to belong to nobody.
const NEW: Duration = Duration::from_secs(60);

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

    /// Where the file lies until it takes its name.
    pub fn draft(&self) -> &Path {
        self.file.get_ref().path()
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

    /// Where the file lies until it takes its name.
    pub fn draft(&self) -> &Path {
        self.file.path()
    }

    pub fn set_permissions(&self, permissions: std::fs::Permissions) -> Result<()> {
        self.file.as_file().set_permissions(permissions)
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
    remove_abandoned(path);
    let file = builder.prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder(path))?;
    // As long as this run lives. Where a file system has no locks, an abandoned draft is left to its owner.
    let _ = file.as_file().try_lock();
    Ok(WholeFile { path: path.to_owned(), file: BufWriter::new(file) })
}

/// Removes the drafts that killed runs left beside a file: those that are ours by their name, and that no run holds the lock
/// of any more. What cannot be removed stays; nothing depends on it.
pub fn remove_abandoned(beside: &Path) {
    let entries = std::fs::read_dir(folder(beside)).into_iter().flatten().flatten();
    let drafts = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_draft));
    for entry in drafts {
        let is_old = |metadata: std::fs::Metadata| {
            metadata.is_file() && metadata.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > NEW)
        };
        if !entry.metadata().is_ok_and(is_old) {
            continue;
        }
        let path = entry.path();
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_draft(name: &str) -> bool {
    COMPANIONS.iter().any(|companion| {
        let middle = name.strip_suffix(companion).and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        middle.is_some_and(|middle| middle.len() == 6 && middle.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    })
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

    #[test]
    fn an_abandoned_draft_is_removed_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let names = || {
            let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        let age = |path: &Path| {
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - 2 * NEW).unwrap();
        };
        let kept = [".fk-doctor-abc123.part-old", ".fk-doctor-baseline.part", ".fk-doctor-new123.part", "abc123.part"];
        let gone = [".fk-doctor-abc123.part", ".fk-doctor-abc123.part-wal", ".fk-doctor-abc123.part-shm"];
        for name in kept.iter().chain(&gone) {
            std::fs::write(folder.path().join(name), "x").unwrap();
            if !name.contains("new123") {
                age(&folder.path().join(name));
            }
        }
        // One that is written right now, for a long time.
        let ours = WholeFile::beside(&path).unwrap();
        let draft = ours.draft().to_owned();
        age(&draft);
        remove_abandoned(&path);
        let mut expected: Vec<String> = kept.map(str::to_owned).to_vec();
        expected.push(draft.file_name().unwrap().to_str().unwrap().to_owned());
        expected.sort();
        assert_eq!(names(), expected);
        drop(ours);
        assert_eq!(names().len(), kept.len());
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
