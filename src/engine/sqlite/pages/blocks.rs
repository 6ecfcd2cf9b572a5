//! The blocks of a small file. Each is read once and kept, because many small tables are read several times: for their
//! keys, for their references, and for what the plan must know of them.

use std::fs::File;
use std::sync::OnceLock;

use super::read_at::read_at;

/// In bytes. It is a multiple of every page size.
const BLOCK: u64 = 64 * 1024;

/// The largest file whose blocks are kept, in bytes.
const LARGEST_FILE: u64 = 32 * 1024 * 1024;

pub(super) struct Blocks {
    kept: Vec<OnceLock<Box<[u8]>>>,
    length: u64,
}

impl Blocks {
    /// Returns `None` for a file that is too large to be kept.
    pub(super) fn of(length: u64) -> Option<Blocks> {
        let count = usize::try_from(length.div_ceil(BLOCK)).ok()?;
        (length <= LARGEST_FILE).then(|| Blocks { kept: (0..count).map(|_| OnceLock::new()).collect(), length })
    }

    /// Returns `count` bytes of the file from `offset` on, which lie in one block.
    pub(super) fn bytes(&self, file: &File, offset: u64, count: usize) -> std::io::Result<&[u8]> {
        let end = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let (number, start) = (offset / BLOCK, (offset % BLOCK) as usize);
        let kept = self.kept.get(number as usize).ok_or_else(end)?;
        let block = match kept.get() {
            Some(block) => block,
            None => {
                let mut bytes = vec![0; (self.length - number * BLOCK).min(BLOCK) as usize];
                read_at(file, &mut bytes, number * BLOCK)?;
                kept.get_or_init(|| bytes.into_boxed_slice())
            }
        };
        block.get(start..start + count).ok_or_else(end)
    }
}
