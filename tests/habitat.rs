//! The variants of a database file: page size, reserved bytes, encoding, vacuum mode, journal and schema format. SQL
//! hides these differences, but a reader of pages sees them.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::path::Path;

use fastrand::Rng;
use rusqlite::Connection;

const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Habitat {
    pub(crate) page_size: u32,
    /// Bytes at the end of every page that SQLite does not use.
    pub(crate) reserved: u8,
    encoding: &'static str,
    /// 0: none; 1: full; 2: incremental.
    auto_vacuum: u8,
    pub(crate) wal: bool,
    /// True for schema format 1, which ignores DESC in an index.
    legacy: bool,
}

impl Habitat {
    pub(crate) fn any(rng: &mut Rng) -> Habitat {
        let page_size = PAGE_SIZES[rng.usize(..PAGE_SIZES.len())];
        // At least 480 bytes of a page must be usable.
        let reserved = if rng.bool() { 0 } else { rng.u8(..if page_size == 512 { 33 } else { 255 }) };
        let encodings = ["UTF-8", "UTF-8", "UTF-16le", "UTF-16be"];
        Habitat {
            page_size,
            reserved,
            encoding: encodings[rng.usize(..encodings.len())],
            auto_vacuum: rng.u8(..3),
            wal: rng.u8(..4) == 0,
            legacy: rng.u8(..4) == 0,
        }
    }

    /// Returns an empty database of this variant. While the connection is open, the write-ahead log is not
    /// checkpointed.
    pub(crate) fn build(self, path: &Path) -> Connection {
        self.reserve(path);
        let database = Connection::open(path).unwrap();
        let number = |pragma: &str| database.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!((number("page_size"), number("auto_vacuum")), (self.page_size, self.auto_vacuum.into()));
        database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").unwrap();
        database.execute_batch(&format!("PRAGMA encoding = '{}'", self.encoding)).unwrap();
        database.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, self.legacy).unwrap();
        if self.wal {
            database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
        }
        database
    }

    /// SQLite takes page size, reserved bytes and vacuum mode from the first page, even if the database is empty.
    fn reserve(self, path: &Path) {
        let size = self.page_size as usize;
        let usable = size - usize::from(self.reserved);
        let mut page = vec![0; size];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        page[16..18].copy_from_slice(&(if size == 65_536 { 1 } else { size as u16 }).to_be_bytes());
        page[18..24].copy_from_slice(&[1, 1, self.reserved, 64, 32, 32]);
        page[28..32].copy_from_slice(&1u32.to_be_bytes());
        page[52..56].copy_from_slice(&u32::from(self.auto_vacuum > 0).to_be_bytes());
        page[64..68].copy_from_slice(&u32::from(self.auto_vacuum == 2).to_be_bytes());
        page[100] = 13;
        page[105..107].copy_from_slice(&(if usable == 65_536 { 0 } else { usable as u16 }).to_be_bytes());
        std::fs::write(path, page).unwrap();
    }
}
