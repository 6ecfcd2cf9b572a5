//! Writes reports to standard output and to files, which are replaced whole or not at all. It is part of the binary.

use std::io;
use std::io::Write;
use std::path::Path;

use fk_doctor::internals::run::Sink;
use fk_doctor::internals::run::Stream;
use fk_doctor::internals::whole_file::WholeFile;

use crate::progress;

pub(crate) struct FileOutput;

impl Sink for FileOutput {
    fn stream(&self, file: Option<&Path>) -> io::Result<Box<dyn Stream>> {
        Ok(match file {
            None => {
                progress::erase();
                Box::new(StandardOutput(io::BufWriter::new(io::stdout())))
            }
            Some(path) if is_special(path) => {
                Box::new(SpecialFile(std::fs::OpenOptions::new().write(true).open(path)?))
            }
            Some(path) => Box::new(WholeFile::beside(path)?),
        })
    }

    fn append(&self, file: &Path, text: &str) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).open(file)?.write_all(text.as_bytes())
    }
}

/// Writes a whole text at once.
pub(crate) fn write(file: Option<&Path>, text: &str) -> io::Result<()> {
    let mut stream = FileOutput.stream(file)?;
    stream.write_all(text.as_bytes())?;
    stream.finish()
}

struct StandardOutput(io::BufWriter<io::Stdout>);

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Most writes stay in the buffer. One that does not must find no line on the terminal.
        if self.0.capacity() - self.0.buffer().len() < bytes.len() {
            progress::erase();
        }
        unless_closed(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        progress::erase();
        unless_closed(self.0.flush(), ())
    }
}

/// A closed pipe is not an error: a reader such as `head` may stop early.
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

/// True for a device or a pipe, which can be written to but not replaced.
fn is_special(path: &Path) -> bool {
    path.exists() && !path.is_file()
}

struct SpecialFile(std::fs::File);

impl Write for SpecialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for SpecialFile {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}
