//! Where texts go that cannot wait for the end of a run: orphan rows without end, and lines added to a file. Only a
//! trait: the program writes, and a test may gather.

use std::io;
use std::io::Write;
use std::path::Path;

use crate::whole_file::WholeFile;

pub trait Sink {
    /// A text that grows while the work goes on, on standard output (`None`) or in a file.
    fn stream(&self, file: Option<&Path>) -> io::Result<Box<dyn Stream>>;

    /// Adds to the end of a file, which need not be there yet.
    fn append(&self, file: &Path, text: &str) -> io::Result<()>;
}

pub trait Stream: Write + Send {
    /// All was said. Without this a file is left as it was.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Stream for WholeFile {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.sync()?.replace()
    }
}

/// For runs of which nothing is to stream.
pub struct NoSink;

impl Sink for NoSink {
    fn stream(&self, _: Option<&Path>) -> io::Result<Box<dyn Stream>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn append(&self, _: &Path, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
