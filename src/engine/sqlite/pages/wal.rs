//! The write-ahead log: which moment a read transaction sees, and where in the log that moment's pages are.
//!
//! A moment is the header of the log's index (`-shm`). Read before and after a transaction begins, and equal, it is the
//! moment that the transaction sees. Where all its frames are copied back already, the file alone is that moment: the
//! transaction's lock keeps checkpoints from changing it. Otherwise that lock keeps the log from being restarted, so
//! its frames stay where they are.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::source::read_at;

const INDEX_HEADER: usize = 48;
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The log and its index, held open: closing a handle would drop SQLite's own locks in this process.
pub struct Log {
    log: Arc<File>,
    index: File,
}

/// What the index said at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    header: [u8; INDEX_HEADER],
}

impl Log {
    pub fn open(database: &Path) -> std::io::Result<Log> {
        let beside = |suffix: &str| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            File::open(name)
        };
        Ok(Log { log: Arc::new(beside("-wal")?), index: beside("-shm")? })
    }

    /// What a transaction that begins now would see; `None` while a writer is changing it.
    pub fn moment(&self) -> std::io::Result<Option<Moment>> {
        let mut bytes = [0; 2 * INDEX_HEADER];
        read_at(&self.index, &mut bytes, 0)?;
        let (one, two) = bytes.split_at(INDEX_HEADER);
        let moment = one.try_into().ok().map(|header| Moment { header }).filter(|_| one == two);
        Ok(moment.filter(|moment| moment.header[12] == 1))
    }

    fn copied_back(&self) -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        read_at(&self.index, &mut bytes, 2 * INDEX_HEADER as u64)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    /// The pages that the log adds to the file at a moment which an open transaction sees. `None`: the file is all.
    pub fn overlay(&self, moment: &Moment) -> std::io::Result<Option<Overlay>> {
        let damaged = |what: &str| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned()));
        let frames = moment.frames();
        let page_size = moment.page_size();
        if frames == 0 {
            return Ok(None);
        }
        let mut overlay =
            Overlay { log: Arc::clone(&self.log), places: HashMap::new(), page_size, page_count: moment.page_count() };
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
        if head[16..24] != moment.header[32..40] || be(&head, 8) as usize != page_size {
            return damaged("the write-ahead log does not belong to its index");
        }
        let mut sum = Checksum { big_endian: big_endian_sums, state: (0, 0) };
        sum.add(&head[..24]);
        let mut frame = vec![0; FRAME_HEADER + page_size];
        for number in 0..frames {
            let place = LOG_HEADER as u64 + u64::from(number) * frame.len() as u64;
            read_at(&self.log, &mut frame, place)?;
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER..]);
            if frame[8..16] != head[16..24] || (be(&frame, 16), be(&frame, 20)) != sum.state {
                return damaged("a frame of the write-ahead log is damaged");
            }
            overlay.places.insert(be(&frame, 0), place + FRAME_HEADER as u64);
        }
        Ok(Some(overlay))
    }
}

impl Moment {
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

/// Where the log holds the newest version of a page.
pub struct Overlay {
    log: Arc<File>,
    places: HashMap<u32, u64>,
    page_size: usize,
    page_count: u32,
}

impl Overlay {
    pub fn place_of(&self, page: u32) -> Option<u64> {
        self.places.get(&page).copied()
    }

    pub fn read(&self, place: u64, into: &mut [u8]) -> std::io::Result<()> {
        read_at(&self.log, into, place)
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

/// The log's running checksum.
struct Checksum {
    big_endian: bool,
    state: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut one, mut two) = self.state;
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| {
                let word = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
                if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
            };
            one = one.wrapping_add(word(0)).wrapping_add(two);
            two = two.wrapping_add(word(4)).wrapping_add(one);
        }
        self.state = (one, two);
    }
}
