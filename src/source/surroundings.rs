//! The environment variables and settings files on which an address depends. They are passed in, so that parsing reads
//! nothing by itself.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

/// The content of a settings file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsFile {
    pub text: String,
    /// True if only its owner can read the file.
    pub is_private: bool,
}

/// Reads a settings file.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path) -> std::io::Result<SettingsFile>;

#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub variables: &'a BTreeMap<String, String>,
    /// The login name of the user.
    pub login: Option<&'a str>,
    /// The file of the option `--defaults-file`.
    pub defaults_file: Option<&'a Path>,
    pub read: ReadFile<'a>,
}

/// Reads a file of this computer.
pub fn read_file(path: &Path) -> std::io::Result<SettingsFile> {
    let text = std::fs::read_to_string(path)?;
    Ok(SettingsFile { text, is_private: is_private(path) })
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o77 == 0)
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> bool {
    true
}

static NO_VARIABLES: BTreeMap<String, String> = BTreeMap::new();

impl Default for Surroundings<'_> {
    fn default() -> Self {
        let absent = &|_: &Path| Err(std::io::Error::from(ErrorKind::NotFound));
        Surroundings { variables: &NO_VARIABLES, login: None, defaults_file: None, read: absent }
    }
}

impl Surroundings<'_> {
    /// Returns the value of a variable, unless it is empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").or_else(|| self.variable("USERPROFILE")).map(PathBuf::from)
    }

    /// Returns a path with `~/` replaced by the home folder.
    pub(super) fn expanded(&self, path: &str) -> PathBuf {
        let below_home = path.strip_prefix("~/").or_else(|| path.strip_prefix("~\\"));
        match (below_home, self.home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }

    /// Returns a path as messages show it: with `~` for the home folder.
    pub(super) fn shown(&self, path: &Path) -> String {
        match self.home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
            Some(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }

    /// Reads a file that need not exist.
    pub(super) fn read_if_exists(&self, path: &Path) -> std::io::Result<Option<SettingsFile>> {
        match (self.read)(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
