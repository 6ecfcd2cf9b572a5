//! The destination of texts that are written during a run: streamed reports, and lines that are appended to a file. It is
//! a trait, because the program writes files and a test may collect the text.

use std::io;
use std::io::Write;
use std::path::Path;

use crate::whole_file::WholeFile;

pub trait Sink {
    /// Opens a stream to standard output (`None`) or to a file.
    fn stream(&self, file: Option<&Path>) -> io::Result<Box<dyn Stream>>;

    /// Appends text to a file, and creates it if it does not exist.
    fn append(&self, file: &Path, text: &str) -> io::Result<()>;
}

pub trait Stream: Write + Send {
    /// Completes the text. Without this call, an existing file stays unchanged.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Stream for WholeFile {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.sync()?.replace()
    }
}

/// A sink for runs that stream nothing. Every call is an error.
pub struct NoSink;

impl Sink for NoSink {
    fn stream(&self, _: Option<&Path>) -> io::Result<Box<dyn Stream>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn append(&self, _: &Path, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
