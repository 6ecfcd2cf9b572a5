//! The write-ahead log (WAL): the snapshot that a read transaction sees, and the offsets of its pages in the log.
//!
//! A snapshot is identified by the header of the log's index (`-shm`). If that header is equal before and after a
//! transaction begins, it is the snapshot of the transaction. If a checkpoint has copied all its frames, the file alone
//! holds the snapshot, and the transaction's lock keeps checkpoints from changing it. Otherwise that lock keeps writers
//! from restarting the log, so its frames stay in place.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::engine::read_at::read_at;

const INDEX_HEADER: usize = 48;
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The log and its index. Both stay open, because closing a handle would drop SQLite's own locks in this process.
pub struct WriteAheadLog {
    log: Arc<File>,
    index: File,
}

/// The header of the index at first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSnapshot {
    header: [u8; INDEX_HEADER],
}

impl WriteAheadLog {
    pub fn open(database: &Path) -> std::io::Result<WriteAheadLog> {
        let beside = |suffix: &str| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            File::open(name)
        };
        Ok(WriteAheadLog { log: Arc::new(beside("-wal")?), index: beside("-shm")? })
    }

    /// Returns the snapshot that a transaction would see if it began now; `None` while a writer changes the index.
    pub fn snapshot(&self) -> std::io::Result<Option<LogSnapshot>> {
        let mut bytes = [0; 2 * INDEX_HEADER];
        read_at(&self.index, &mut bytes, 0)?;
        let (first, second) = bytes.split_at(INDEX_HEADER);
        let snapshot = first.try_into().ok().map(|header| LogSnapshot { header }).filter(|_| first == second);
        Ok(snapshot.filter(|snapshot| snapshot.header[12] == 1))
    }

    fn copied_back(&self) -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        read_at(&self.index, &mut bytes, 2 * INDEX_HEADER as u64)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    /// Returns the pages that the log adds to the file, for the snapshot of an open transaction; `None` if the log adds
    /// none.
    pub fn overlay(&self, snapshot: &LogSnapshot) -> std::io::Result<Option<Overlay>> {
        let damaged = |problem: &str| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, problem.to_owned()));
        let frames = snapshot.frames();
        let page_size = snapshot.page_size();
        if frames == 0 {
            return Ok(None);
        }
        let mut overlay = Overlay {
            log: Arc::clone(&self.log),
            offsets: HashMap::new(),
            page_size,
            page_count: snapshot.page_count(),
        };
        if self.copied_back()? >= frames {
            return Ok(Some(overlay));
        }
        let mut head = [0; LOG_HEADER];
        read_at(&self.log, &mut head, 0)?;
        let big_endian_sums = match be(&head, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return damaged("the write-ahead log has no header"),
        };
        if head[16..24] != snapshot.header[32..40] || be(&head, 8) as usize != page_size {
            return damaged("the write-ahead log does not belong to its index");
        }
        let mut sum = Checksum { big_endian: big_endian_sums, state: (0, 0) };
        sum.add(&head[..24]);
        let mut frame = vec![0; FRAME_HEADER + page_size];
        for number in 0..frames {
            let offset = LOG_HEADER as u64 + u64::from(number) * frame.len() as u64;
            read_at(&self.log, &mut frame, offset)?;
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER..]);
            if frame[8..16] != head[16..24] || (be(&frame, 16), be(&frame, 20)) != sum.state {
                return damaged("a frame of the write-ahead log is damaged");
            }
            overlay.offsets.insert(be(&frame, 0), offset + FRAME_HEADER as u64);
        }
        Ok(Some(overlay))
    }
}

impl LogSnapshot {
    fn native(&self, at: usize) -> u32 {
        u32::from_ne_bytes([self.header[at], self.header[at + 1], self.header[at + 2], self.header[at + 3]])
    }

    fn frames(&self) -> u32 {
        self.native(16)
    }

    fn page_count(&self) -> u32 {
        self.native(20)
    }

    fn page_size(&self) -> usize {
        match u16::from_ne_bytes([self.header[14], self.header[15]]) {
            1 => 65_536,
            size => usize::from(size),
        }
    }
}

/// For each page in the log, the offset of its newest version.
pub struct Overlay {
    log: Arc<File>,
    offsets: HashMap<u32, u64>,
    page_size: usize,
    page_count: u32,
}

impl Overlay {
    pub fn offset_of(&self, page: u32) -> Option<u64> {
        self.offsets.get(&page).copied()
    }

    pub fn read(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        read_at(&self.log, into, offset)
    }

    pub fn page_size(&self) -> usize {
        self.page_size
    }

    pub fn page_count(&self) -> u32 {
        self.page_count
    }
}

fn be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The cumulative checksum of the log.
struct Checksum {
    big_endian: bool,
    state: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.state;
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| {
                let word = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
                if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
            };
            first = first.wrapping_add(word(0)).wrapping_add(second);
            second = second.wrapping_add(word(4)).wrapping_add(first);
        }
        self.state = (first, second);
    }
}
