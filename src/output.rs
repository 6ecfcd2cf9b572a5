//! The program's side of what is written: standard output, and files that are replaced whole or not at all. A part of
//! the binary.

use std::io;
use std::io::Write;
use std::path::Path;

use fk_doctor::internals::run::Sink;
use fk_doctor::internals::run::Stream;
use fk_doctor::internals::whole_file::WholeFile;

pub(crate) struct FileOutput;

impl Sink for FileOutput {
    fn stream(&self, file: Option<&Path>) -> io::Result<Box<dyn Stream>> {
        Ok(match file {
            None => Box::new(StandardOutput(io::BufWriter::new(io::stdout()))),
            Some(path) if is_special(path) => Box::new(Special(std::fs::OpenOptions::new().write(true).open(path)?)),
            Some(path) => Box::new(WholeFile::beside(path)?),
        })
    }

    fn append(&self, file: &Path, text: &str) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).open(file)?.write_all(text.as_bytes())
    }
}

/// A whole text, at once.
pub(crate) fn write(file: Option<&Path>, text: &str) -> io::Result<()> {
    let mut stream = FileOutput.stream(file)?;
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
