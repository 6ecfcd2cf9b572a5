//! The wanted fields of one record after the other, wherever in the page or its overflow pages they are.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::fault::Fault;
use super::page::Cell;
use super::page::Page;
use super::record;
use super::record::Place;
use super::record::Stored;
use super::source::PageSource;

/// Longer keys are left to SQLite.
const LONGEST_KEY: u64 = 1 << 20;

/// What the records of one tree are read with.
pub struct Reader<'a> {
    source: &'a PageSource,
    /// Overflow pages read so far: each belongs to one record, so there cannot be many more than the file has.
    spilled: AtomicU64,
    most_spilled: u64,
}

/// What a record has at a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'a> {
    Value(Stored<'a>),
    /// The record is older than the column.
    Absent,
    /// The value is longer than is looked at here.
    TooLong,
}

#[derive(Debug, Clone, PartialEq)]
enum Fetched {
    /// It is in the page.
    Not,
    Bytes(Vec<u8>),
    TooLong,
}

/// The wanted fields of the record at hand.
pub struct Fields {
    /// Numbers of fields, ascending.
    wanted: Vec<usize>,
    places: Vec<Place>,
    /// Values that were not in the page as a whole.
    fetched: Vec<Fetched>,
    any_fetched: bool,
}

impl Fields {
    pub fn new(wanted: &[usize]) -> Fields {
        let count = wanted.len();
        Fields {
            wanted: wanted.to_vec(),
            places: vec![Place::default(); count],
            fetched: vec![Fetched::Not; count],
            any_fetched: false,
        }
    }

    /// A wanted field of the record that was [`Reader::read`] last, by its position.
    #[inline(always)]
    pub fn value<'a>(&'a self, cell: &Cell<'a>, position: usize) -> Found<'a> {
        let Place { serial: Some(serial), start } = self.places[position] else { return Found::Absent };
        if self.any_fetched {
            match &self.fetched[position] {
                Fetched::Not => {}
                Fetched::Bytes(bytes) => return Found::Value(record::value(serial, bytes)),
                Fetched::TooLong => return Found::TooLong,
            }
        }
        let start = start as usize;
        let end = start + record::size(serial).unwrap_or(0) as usize;
        Found::Value(record::value(serial, &cell.local[start..end]))
    }
}

impl<'a> Reader<'a> {
    /// `fields`: how many of a record will be wanted.
    pub fn new(source: &'a PageSource, fields: usize) -> Reader<'a> {
        let most_spilled = u64::from(source.page_count()) * (fields as u64 + 1);
        Reader { source, spilled: AtomicU64::new(0), most_spilled }
    }

    /// Finds the wanted fields of a cell's record and makes sure that their bytes are at hand.
    #[inline(always)]
    pub fn read(&self, page: &Page<'_>, cell: &Cell<'_>, fields: &mut Fields) -> Result<(), Fault> {
        let nonsense = || Fault::Damaged { page: page.number, what: "a record makes no sense" };
        let header = record::header_length(cell.local).ok_or_else(nonsense)?;
        let end = if header <= cell.local.len() as u64 {
            record::locate(&cell.local[..header as usize], &fields.wanted, &mut fields.places).ok_or_else(nonsense)?
        } else if header <= cell.length.min(record::LONGEST_HEADER) {
            let header = self.fetch(page, cell, 0, header)?;
            record::locate(&header, &fields.wanted, &mut fields.places).ok_or_else(nonsense)?
        } else {
            return Err(nonsense());
        };
        if fields.any_fetched {
            fields.fetched.fill(Fetched::Not);
            fields.any_fetched = false;
        }
        if end <= cell.local.len() as u64 { Ok(()) } else { self.fetch_fields(page, cell, fields) }
    }

    /// Those wanted fields of a record that reach into overflow pages.
    #[cold]
    fn fetch_fields(&self, page: &Page<'_>, cell: &Cell<'_>, fields: &mut Fields) -> Result<(), Fault> {
        let nonsense = || Fault::Damaged { page: page.number, what: "a record makes no sense" };
        for position in 0..fields.places.len() {
            let Place { serial: Some(serial), start } = fields.places[position] else { continue };
            let size = record::size(serial).ok_or_else(nonsense)?;
            let end = start.checked_add(size).ok_or_else(nonsense)?;
            if end > cell.local.len() as u64 {
                if end > cell.length {
                    return Err(nonsense());
                }
                fields.fetched[position] = if size > LONGEST_KEY {
                    Fetched::TooLong
                } else {
                    Fetched::Bytes(self.fetch(page, cell, start, size)?)
                };
                fields.any_fetched = true;
            }
        }
        Ok(())
    }

    /// Part of a record that reaches into overflow pages.
    #[cold]
    fn fetch(&self, page: &Page<'_>, cell: &Cell<'_>, start: u64, size: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(size as usize);
        let local = cell.local.len() as u64;
        if start < local {
            bytes.extend_from_slice(&cell.local[start as usize..(start + size).min(local) as usize]);
        }
        let room = self.source.header.usable - 4;
        let mut next = cell.overflow;
        let mut at = local;
        let mut buffer = vec![0; self.source.header.usable];
        while (bytes.len() as u64) < size {
            if self.spilled.fetch_add(1, Ordering::Relaxed) >= self.most_spilled {
                return page.damaged("its overflow pages are used twice");
            }
            let end = at + room as u64;
            if end <= start {
                // Only the way on is of interest.
                self.source.read(next, &mut buffer[..4])?;
            } else {
                self.source.read(next, &mut buffer)?;
                let from = start.max(at) - at;
                let to = (start + size).min(end) - at;
                bytes.extend_from_slice(&buffer[4 + from as usize..4 + to as usize]);
            }
            next = u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
            at = end;
        }
        Ok(bytes)
    }
}
