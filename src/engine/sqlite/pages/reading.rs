//! Reads the wanted fields of records, from the page itself and from overflow pages.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::fault::Fault;
use super::page::Cell;
use super::page::Page;
use super::record;
use super::record::FieldSpan;
use super::record::Stored;
use super::source::PageSource;

/// In bytes. SQLite judges longer values.
const LONGEST_KEY: u64 = 1 << 20;

/// Reads the records of one tree.
pub struct RecordReader<'a> {
    source: &'a PageSource,
    /// Overflow pages read so far. Each belongs to one record, so the file's page count bounds them.
    overflow_pages: AtomicU64,
    max_overflow_pages: u64,
}

/// The content of one field of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    Value(Stored<'a>),
    /// The record ends before the field, because it is older than the column.
    Absent,
    /// The value is longer than `LONGEST_KEY`.
    TooLong,
}

#[derive(Debug, Clone, PartialEq)]
enum Fetched {
    /// The whole value is in the page.
    InPage,
    Bytes(Vec<u8>),
    TooLong,
}

/// The wanted fields of the current record.
pub struct Fields {
    /// The field numbers, in ascending order.
    wanted: Vec<usize>,
    spans: Vec<FieldSpan>,
    /// The values that were read from overflow pages.
    fetched: Vec<Fetched>,
    any_fetched: bool,
}

impl Fields {
    pub fn new(wanted: &[usize]) -> Fields {
        let count = wanted.len();
        Fields {
            wanted: wanted.to_vec(),
            spans: vec![FieldSpan::default(); count],
            fetched: vec![Fetched::InPage; count],
            any_fetched: false,
        }
    }

    /// Returns a wanted field, by its position in `wanted`, of the record that [`RecordReader::read`] read last.
    #[inline(always)]
    pub fn value<'a>(&'a self, cell: &Cell<'a>, position: usize) -> FieldValue<'a> {
        let FieldSpan { serial: Some(serial), start } = self.spans[position] else { return FieldValue::Absent };
        if self.any_fetched {
            match &self.fetched[position] {
                Fetched::InPage => {}
                Fetched::Bytes(bytes) => return FieldValue::Value(record::value(serial, bytes)),
                Fetched::TooLong => return FieldValue::TooLong,
            }
        }
        let start = start as usize;
        let end = start + record::size(serial).unwrap_or(0) as usize;
        FieldValue::Value(record::value(serial, &cell.local[start..end]))
    }
}

impl<'a> RecordReader<'a> {
    /// `fields` is the number of fields that are wanted from each record.
    pub fn new(source: &'a PageSource, fields: usize) -> RecordReader<'a> {
        let max_overflow_pages = u64::from(source.page_count()) * (fields as u64 + 1);
        RecordReader { source, overflow_pages: AtomicU64::new(0), max_overflow_pages }
    }

    /// Locates the wanted fields of a cell's record, and reads those that lie in overflow pages.
    #[inline(always)]
    pub fn read(&self, page: &Page<'_>, cell: &Cell<'_>, fields: &mut Fields) -> Result<(), Fault> {
        let malformed = || Fault::Damaged { page: page.number, problem: "a record makes no sense" };
        let header = record::header_length(cell.local).ok_or_else(malformed)?;
        let end = if header <= cell.local.len() as u64 {
            record::locate(&cell.local[..header as usize], &fields.wanted, &mut fields.spans).ok_or_else(malformed)?
        } else if header <= cell.length.min(record::LONGEST_HEADER) {
            let header = self.fetch(page, cell, 0, header)?;
            record::locate(&header, &fields.wanted, &mut fields.spans).ok_or_else(malformed)?
        } else {
            return Err(malformed());
        };
        if fields.any_fetched {
            fields.fetched.fill(Fetched::InPage);
            fields.any_fetched = false;
        }
        if end <= cell.local.len() as u64 { Ok(()) } else { self.fetch_fields(page, cell, fields) }
    }

    /// Reads the wanted fields that reach into overflow pages.
    #[cold]
    fn fetch_fields(&self, page: &Page<'_>, cell: &Cell<'_>, fields: &mut Fields) -> Result<(), Fault> {
        let malformed = || Fault::Damaged { page: page.number, problem: "a record makes no sense" };
        for position in 0..fields.spans.len() {
            let FieldSpan { serial: Some(serial), start } = fields.spans[position] else { continue };
            let size = record::size(serial).ok_or_else(malformed)?;
            let end = start.checked_add(size).ok_or_else(malformed)?;
            if end > cell.local.len() as u64 {
                if end > cell.length {
                    return Err(malformed());
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

    /// Returns `size` bytes of a record from `start` on, following its overflow pages.
    #[cold]
    fn fetch(&self, page: &Page<'_>, cell: &Cell<'_>, start: u64, size: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(size as usize);
        let local = cell.local.len() as u64;
        if start < local {
            bytes.extend_from_slice(&cell.local[start as usize..(start + size).min(local) as usize]);
        }
        let capacity = self.source.header.usable - 4;
        let mut next = cell.overflow;
        let mut at = local;
        let mut buffer = vec![0; self.source.header.usable];
        while (bytes.len() as u64) < size {
            if self.overflow_pages.fetch_add(1, Ordering::Relaxed) >= self.max_overflow_pages {
                return page.damaged("its overflow pages are used twice");
            }
            let end = at + capacity as u64;
            if end <= start {
                // Only the number of the next overflow page is needed.
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
