//! Scans of folders of files.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod agreement;
#[cfg(feature = "spark")]
mod cluster;
mod delta;
mod discovery;
mod equality;
mod folders;
mod hostile;
mod json;
mod lz4;
mod make;
mod options;
mod relations;
