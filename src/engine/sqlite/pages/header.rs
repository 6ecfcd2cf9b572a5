//! The file header: the first hundred bytes of a database file.

use super::fault::Fault;

/// The fields of the header that a reader needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    pub page_size: usize,
    /// Bytes of a page that hold data; the rest is reserved for extensions.
    pub usable: usize,
    /// The number of pages, if the last writer recorded it.
    pub page_count: Option<u32>,
    /// True if the file is in WAL mode.
    pub wal: bool,
    pub encoding: Encoding,
}

/// The encoding of all text in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

pub const LENGTH: usize = 100;

impl FileHeader {
    pub fn parse(bytes: &[u8; LENGTH]) -> Result<FileHeader, Fault> {
        let damaged = |problem| Err(Fault::Damaged { page: 1, problem });
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if &bytes[..16] != b"SQLite format 3\0" {
            return damaged("it is not a SQLite header");
        }
        let page_size = match u16_at(16) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return damaged("the page size is not valid"),
        };
        let usable = page_size - usize::from(bytes[20]);
        if usable < 480 || bytes[21..24] != [64, 32, 32] {
            return damaged("the page layout is not SQLite's");
        }
        if bytes[18] > 2 || bytes[19] > 2 {
            return Err(Fault::unsupported("the file is of a newer format"));
        }
        if !(1..=4).contains(&u32_at(44)) {
            return Err(Fault::unsupported("the schema is of an unknown format"));
        }
        let encoding = match u32_at(56) {
            1 => Encoding::Utf8,
            2 => Encoding::Utf16Little,
            3 => Encoding::Utf16Big,
            _ => return damaged("the text encoding is unknown"),
        };
        // A writer that does not maintain the page count leaves these two change counters unequal.
        let size_is_valid = u32_at(24) == u32_at(92) && u32_at(28) > 0;
        Ok(FileHeader {
            page_size,
            usable,
            page_count: size_is_valid.then(|| u32_at(28)),
            wal: bytes[19] == 2,
            encoding,
        })
    }

    /// Returns the page that contains the bytes that SQLite locks. It never holds data.
    pub fn lock_page(&self) -> u32 {
        u32::try_from(0x4000_0000 / self.page_size + 1).unwrap_or(u32::MAX)
    }
}
