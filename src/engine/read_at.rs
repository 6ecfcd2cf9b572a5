//! Reads a span of a file without moving its cursor, so that threads can share the handle.

use std::fs::File;

/// Fills `into` with the bytes from `offset` on.
#[cfg(unix)]
pub(in crate::engine) fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, offset)
}

/// Fills `into` with the bytes from `offset` on.
#[cfg(windows)]
pub(in crate::engine) fn read_at(file: &File, mut into: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                into = &mut into[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
