//! The first hundred bytes of the file.

use super::fault::Fault;

/// What the header says that a reader must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub page_size: usize,
    /// Bytes of a page that hold data; the rest is reserved for extensions.
    pub usable: usize,
    /// The size that the last writer recorded, if that writer recorded it.
    pub page_count: Option<u32>,
    pub wal: bool,
    pub encoding: Encoding,
}

/// How text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

pub const LENGTH: usize = 100;

impl Header {
    pub fn parse(bytes: &[u8; LENGTH]) -> Result<Header, Fault> {
        let damaged = |what| Err(Fault::Damaged { page: 1, what });
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if &bytes[..16] != b"SQLite format 3\0" {
            return damaged("it is not a SQLite header");
        }
        let page_size = match u16_at(16) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return damaged("the page size is not one"),
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
        // A writer that does not know the size field leaves the two counters apart.
        let size_is_valid = u32_at(24) == u32_at(92) && u32_at(28) > 0;
        Ok(Header { page_size, usable, page_count: size_is_valid.then(|| u32_at(28)), wal: bytes[19] == 2, encoding })
    }

    /// The page that holds the bytes SQLite locks; it is never used.
    pub fn lock_page(&self) -> u32 {
        u32::try_from(0x4000_0000 / self.page_size + 1).unwrap_or(u32::MAX)
    }
}
