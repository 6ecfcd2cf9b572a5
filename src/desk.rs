//! The program's side of what is written: standard output, and files that are replaced whole or not at all. A part of
//! the binary.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use fk_doctor::run::Outlet;
use fk_doctor::run::Stream;

pub(crate) struct Desk;

impl Outlet for Desk {
    fn stream(&self, file: Option<&Path>) -> io::Result<Box<dyn Stream>> {
        Ok(match file {
            None => Box::new(StandardOutput(io::BufWriter::new(io::stdout()))),
            Some(path) if is_special(path) => Box::new(Special(std::fs::OpenOptions::new().write(true).open(path)?)),
            Some(path) => Box::new(Draft { path: path.to_owned(), file: draft(path)? }),
        })
    }

    fn append(&self, file: &Path, text: &str) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).open(file)?.write_all(text.as_bytes())
    }
}

/// A whole text, at once.
pub(crate) fn write(file: Option<&Path>, text: &str) -> io::Result<()> {
    let mut stream = Desk.stream(file)?;
    stream.write_all(text.as_bytes())?;
    stream.finish()
}

struct StandardOutput(io::BufWriter<io::Stdout>);

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(self.0.flush(), ())
    }
}

/// A reader that has seen enough, such as `head`, is no error.
fn unless_closed<T>(result: io::Result<T>, instead: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(instead),
        result => result,
    }
}

impl Stream for StandardOutput {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

/// A device or a pipe cannot be replaced, only written to.
fn is_special(path: &Path) -> bool {
    path.exists() && !path.is_file()
}

struct Special(std::fs::File);

impl Write for Special {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Special {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

/// Stands beside the file until all was said.
struct Draft {
    path: PathBuf,
    file: io::BufWriter<tempfile::NamedTempFile>,
}

fn draft(path: &Path) -> io::Result<io::BufWriter<tempfile::NamedTempFile>> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fk-doctor-");
    if let Some(mode) = mode_of(path) {
        builder.permissions(mode);
    }
    let draft = builder.tempfile_in(directory)?;
    // The umask has no say in the mode of a file that was there before.
    if let Ok(before) = std::fs::metadata(path) {
        draft.as_file().set_permissions(before.permissions())?;
    }
    Ok(io::BufWriter::new(draft))
}

/// A report is as readable as any file that the user makes; a temporary file would be the user's alone.
#[cfg(unix)]
fn mode_of(_path: &Path) -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn mode_of(_path: &Path) -> Option<std::fs::Permissions> {
    None
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Stream for Draft {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let draft = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.persist(&self.path)?;
        Ok(())
    }
}
