//! A file that appears under its name only when all of it is on disk. Until then it is a draft beside the final path,
//! and the run deletes it when it fails. The draft of a killed run stays until the next run that writes to the same
//! folder. The draft of a backup stays until a person removes it, because it may be a good copy of the database.

use std::ffi::OsStr;
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

/// Names of drafts: this prefix, six letters or digits, and the suffix.
const PREFIX: &str = ".fk-doctor-";
/// The prefix for drafts of backups.
const BACKUP_PREFIX: &str = ".fk-doctor-backup-";
const SUFFIX: &str = ".part";

/// Suffixes of a draft and of the files that SQLite may have left beside it.
const COMPANIONS: [&str; 4] = ["", "-journal", "-wal", "-shm"];

/// The age after which an unlocked draft is abandoned. A new draft has no lock for a short time.
const MIN_ABANDONED_AGE: Duration = Duration::from_secs(60);

/// Returns the first free path among `START.ENDING`, `START-2.ENDING` and so on, such as `app.db.plan-0badcafe-2.ndjson`. The
/// ending includes its dot.
pub fn first_free(start: impl AsRef<OsStr>, ending: &str, is_free: impl Fn(&Path) -> bool) -> PathBuf {
    let path = |number: u32| {
        let mut name = start.as_ref().to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(ending);
        PathBuf::from(name)
    };
    (1..=u32::MAX).map(path).find(|path| is_free(path)).unwrap_or_else(|| path(1))
}

pub struct WholeFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl WholeFile {
    /// Creates a file with the user's default permissions, or with those of the file that it replaces.
    pub fn beside(path: &Path) -> Result<WholeFile> {
        let mut builder = tempfile::Builder::new();
        if let Some(mode) = default_mode() {
            builder.permissions(mode);
        }
        let draft = draft(path, &mut builder)?;
        // A replaced file keeps its mode, whatever the umask.
        if let Ok(before) = std::fs::metadata(path) {
            draft.file.get_ref().as_file().set_permissions(before.permissions())?;
        }
        Ok(draft)
    }

    /// Creates a file that only its owner can read, because it contains rows of a database.
    pub fn private(path: &Path) -> Result<WholeFile> {
        draft(path, &mut tempfile::Builder::new())
    }

    /// Creates a file that `make` creates at a path that nothing has yet.
    pub fn made_by(path: &Path, make: &mut dyn FnMut(&Path) -> Result<File>) -> Result<WholeFile> {
        remove_abandoned(path);
        made(path, PREFIX, make)
    }

    /// Creates the draft of a backup in the same way.
    pub fn backup(path: &Path, make: &mut dyn FnMut(&Path) -> Result<File>) -> Result<WholeFile> {
        made(path, BACKUP_PREFIX, make)
    }

    /// Returns the path of the draft.
    pub fn draft(&self) -> &Path {
        self.file.get_ref().path()
    }

    /// Ends the writing, and flushes the file to disk.
    pub fn sync(self) -> Result<SyncedFile> {
        let file = self.file.into_inner()?;
        file.as_file().sync_all()?;
        Ok(SyncedFile { path: self.path, file })
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

/// A complete file that does not have its name yet.
pub struct SyncedFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl SyncedFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the draft.
    pub fn draft(&self) -> &Path {
        self.file.path()
    }

    pub fn set_permissions(&self, permissions: std::fs::Permissions) -> Result<()> {
        self.file.as_file().set_permissions(permissions)
    }

    /// Moves the file to its path, replacing any existing file.
    pub fn replace(self) -> Result<()> {
        self.file.persist(&self.path)?;
        sync_folder(&self.path)
    }

    /// Moves the file to its path. Fails if a file exists there.
    pub fn create_new(self) -> Result<()> {
        self.file.persist_noclobber(&self.path)?;
        sync_folder(&self.path)
    }

    /// True if the existing file at the path has equal content.
    pub fn equals_existing(&self) -> Result<bool> {
        let (ours, existing) = (self.file.reopen()?, File::open(&self.path)?);
        if ours.metadata()?.len() != existing.metadata()?.len() {
            return Ok(false);
        }
        let mut existing = BufReader::new(existing).bytes();
        for byte in BufReader::new(ours).bytes() {
            if existing.next().transpose()? != Some(byte?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn draft(path: &Path, builder: &mut tempfile::Builder<'_, '_>) -> Result<WholeFile> {
    remove_abandoned(path);
    let file = builder.prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder(path))?;
    Ok(locked(path, file))
}

fn made(path: &Path, prefix: &str, make: &mut dyn FnMut(&Path) -> Result<File>) -> Result<WholeFile> {
    let mut builder = tempfile::Builder::new();
    let file = builder.prefix(prefix).suffix(SUFFIX).make_in(folder(path), make)?;
    Ok(locked(path, file))
}

fn locked(path: &Path, file: NamedTempFile) -> WholeFile {
    // The lock lasts as long as this process. On a file system without locks, abandoned drafts are not removed.
    let _ = file.as_file().try_lock();
    WholeFile { path: path.to_owned(), file: BufWriter::new(file) }
}

/// Removes the drafts that killed runs left in the folder of a file: files with the name of a draft that no process has
/// locked. Failures are ignored, because nothing depends on the removal.
pub fn remove_abandoned(beside: &Path) {
    for path in abandoned(beside, PREFIX, &COMPANIONS) {
        let _ = std::fs::remove_file(path);
    }
}

/// Returns the drafts of backups that killed runs left in the folder of a file, without SQLite's files beside them.
pub fn abandoned_backups(beside: &Path) -> Vec<PathBuf> {
    let mut found = abandoned(beside, BACKUP_PREFIX, &COMPANIONS[..1]);
    found.sort();
    found
}

/// Returns the files with the name of a draft, or of a companion, that no process has locked.
fn abandoned(beside: &Path, prefix: &str, companions: &[&str]) -> Vec<PathBuf> {
    let is_old = |metadata: std::fs::Metadata| {
        metadata.is_file()
            && metadata.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > MIN_ABANDONED_AGE)
    };
    let entries = std::fs::read_dir(folder(beside)).into_iter().flatten().flatten();
    let drafts =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| is_draft(name, prefix, companions)));
    drafts
        .filter(|entry| entry.metadata().is_ok_and(is_old))
        .map(|entry| entry.path())
        .filter(|path| File::open(path).is_ok_and(|file| file.try_lock().is_ok()))
        .collect()
}

fn is_draft(name: &str, prefix: &str, companions: &[&str]) -> bool {
    companions.iter().any(|companion| {
        let middle = name.strip_suffix(companion).and_then(|name| name.strip_prefix(prefix)?.strip_suffix(SUFFIX));
        middle.is_some_and(|middle| middle.len() == 6 && middle.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    })
}

/// Flushes the folder of a file, so that its new name is on disk too.
fn sync_folder(path: &Path) -> Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the mode to which the umask applies. Without it a temporary file would be readable by its owner only.
#[cfg(unix)]
fn default_mode() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn default_mode() -> Option<std::fs::Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(path: &Path, text: &str) -> SyncedFile {
        let mut file = WholeFile::beside(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.sync().unwrap()
    }

    #[test]
    fn path_is_taken_only_by_a_complete_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        drop(synced(&path, "one"));
        assert_eq!(names(), 0);
        synced(&path, "one").create_new().unwrap();
        let same = synced(&path, "one");
        assert!(same.equals_existing().unwrap());
        assert_eq!(same.create_new().unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert!(!synced(&path, "two").equals_existing().unwrap());
        synced(&path, "two").replace().unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), names()), ("two", 1));
    }

    #[test]
    fn abandoned_draft_is_removed_by_the_next_run() {
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
            file.set_modified(std::time::SystemTime::now() - 2 * MIN_ABANDONED_AGE).unwrap();
        };
        let kept = [".fk-doctor-abc123.part-old", ".fk-doctor-baseline.part", ".fk-doctor-new123.part", "abc123.part"];
        let abandoned = [".fk-doctor-abc123.part", ".fk-doctor-abc123.part-wal", ".fk-doctor-abc123.part-shm"];
        for name in kept.iter().chain(&abandoned) {
            std::fs::write(folder.path().join(name), "x").unwrap();
            if !name.contains("new123") {
                age(&folder.path().join(name));
            }
        }
        // A draft that a run has been writing for a long time.
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
    fn private_file_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        WholeFile::private(&path).unwrap().sync().unwrap().create_new().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
