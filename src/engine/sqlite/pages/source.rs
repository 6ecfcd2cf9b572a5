//! Reads the pages of one snapshot: from the write-ahead log where it holds a newer version, else from the file.
//!
//! Nothing here takes a lock. The owner of a [`PageSource`] must hold a read transaction for as long as it lives, so
//! that no writer can change the pages.

use std::fs::File;
use std::sync::Arc;

use super::blocks::Blocks;
use super::fault::Fault;
use super::header;
use super::header::FileHeader;
use super::wal::Overlay;
use crate::engine::read_at::read_at;

/// The size in bytes of one read of neighbouring pages: large enough to be fast, small enough for a processor's cache.
const RUN: usize = 256 * 1024;

/// A gap of up to this many pages between two wanted pages is read rather than skipped.
const GAP: u32 = 4;

pub struct PageSource {
    file: Arc<File>,
    overlay: Option<Overlay>,
    pub header: FileHeader,
    page_count: u32,
    /// The blocks of a small file, which are kept.
    blocks: Option<Blocks>,
}

impl PageSource {
    /// `overlay` holds the pages of the write-ahead log, if the database has one.
    pub fn new(file: Arc<File>, overlay: Option<Overlay>) -> Result<PageSource, Fault> {
        let unreadable = |error: std::io::Error| Fault::Unreadable { page: 1, why: error.to_string() };
        let mut bytes = [0; header::LENGTH];
        match overlay.as_ref().and_then(|overlay| overlay.offset_of(1)) {
            Some(offset) => overlay.as_ref().map_or(Ok(()), |overlay| overlay.read(offset, &mut bytes)),
            None => read_at(&file, &mut bytes, 0),
        }
        .map_err(unreadable)?;
        let header = FileHeader::parse(&bytes)?;
        let in_file = file.metadata().map_err(unreadable)?.len() / header.page_size as u64;
        let in_file = u32::try_from(in_file).unwrap_or(u32::MAX);
        let page_count = match &overlay {
            Some(overlay) if overlay.page_size() != header.page_size => {
                return Err(Fault::unsupported("the write-ahead log has pages of another size"));
            }
            Some(overlay) => overlay.page_count(),
            None => header.page_count.unwrap_or(in_file).min(in_file),
        };
        let blocks = Blocks::of(u64::from(page_count) * header.page_size as u64);
        Ok(PageSource { file, overlay, header, page_count, blocks })
    }

    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// True if a page of this number exists and can hold data.
    pub fn has(&self, page: u32) -> bool {
        (1..=self.page_count).contains(&page) && page != self.header.lock_page()
    }

    /// Returns a page without its reserved bytes. `buffer` is used for a page that is not kept.
    pub fn page<'a>(&'a self, page: u32, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Fault> {
        if let Some(bytes) = self.kept(page)? {
            return Ok(bytes);
        }
        buffer.resize(self.header.page_size, 0);
        self.read(page, buffer)?;
        Ok(&buffer[..self.header.usable])
    }

    /// Returns a page of a small file without its reserved bytes; `None` if the page is in the log.
    fn kept(&self, page: u32) -> Result<Option<&[u8]>, Fault> {
        let Some(blocks) = &self.blocks else { return Ok(None) };
        if !self.has(page) || self.is_in_log(page) {
            return Ok(None);
        }
        let unreadable = |error: std::io::Error| Fault::Unreadable { page, why: error.to_string() };
        let bytes = blocks.bytes(&self.file, self.offset(page), self.header.usable).map_err(unreadable)?;
        Ok(Some(bytes))
    }

    fn is_in_log(&self, page: u32) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.offset_of(page).is_some())
    }

    /// Reads the first bytes of a page.
    pub fn read(&self, page: u32, into: &mut [u8]) -> Result<(), Fault> {
        self.read_part(page, 0, into)
    }

    /// Reads the bytes of a page from `offset` on.
    pub fn read_part(&self, page: u32, offset: usize, into: &mut [u8]) -> Result<(), Fault> {
        if !self.has(page) {
            return Err(Fault::Damaged { page, problem: "there is no such page" });
        }
        let read = match self.overlay.as_ref().and_then(|overlay| Some((overlay, overlay.offset_of(page)?))) {
            Some((overlay, page_start)) => overlay.read(page_start + offset as u64, into),
            None => read_at(&self.file, into, self.offset(page) + offset as u64),
        };
        read.map_err(|error| Fault::Unreadable { page, why: error.to_string() })
    }

    /// Returns the number of cells that the header of a b-tree page states.
    pub fn cells_of(&self, page: u32) -> Result<u64, Fault> {
        let mut head = [0; 8];
        self.read_part(page, if page == 1 { header::LENGTH } else { 0 }, &mut head)?;
        Ok(u64::from(u16::from_be_bytes([head[3], head[4]])))
    }

    /// Visits `pages`, which are in ascending order. SchemaIndex are read together.
    pub fn each(
        &self,
        pages: &[u32],
        buffer: &mut Vec<u8>,
        visit: &mut impl FnMut(u32, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let size = self.header.page_size;
        let most = (RUN / size).max(1);
        let mut rest = pages;
        while let [first, others @ ..] = rest
            && let Some(bytes) = self.kept(*first)?
        {
            visit(*first, bytes)?;
            rest = others;
        }
        while let [first, ..] = rest {
            let run = self.run(rest, most);
            let last = rest[run - 1];
            let span = (last - first + 1) as usize;
            buffer.resize(span * size, 0);
            let bytes = &mut buffer[..span * size];
            if run == 1 {
                self.read(*first, bytes)?;
            } else {
                read_at(&self.file, bytes, self.offset(*first))
                    .map_err(|error| Fault::Unreadable { page: *first, why: error.to_string() })?;
            }
            for &page in &rest[..run] {
                let at = (page - first) as usize * size;
                visit(page, &bytes[at..at + self.header.usable])?;
            }
            rest = &rest[run..];
        }
        Ok(())
    }

    /// Returns how many of the first pages one read of the file can cover.
    fn run(&self, pages: &[u32], most: usize) -> usize {
        let in_log = |page| self.is_in_log(page);
        let fits = |window: &[u32]| {
            let (before, page) = (window[0], window[1]);
            page > before
                && page - before <= GAP
                && (page - pages[0]) < u32::try_from(most).unwrap_or(u32::MAX)
                && self.has(page)
        };
        if !self.has(pages[0]) || in_log(pages[0]) {
            return 1;
        }
        1 + pages.windows(2).take_while(|window| fits(window) && !in_log(window[1])).count()
    }

    fn offset(&self, page: u32) -> u64 {
        u64::from(page - 1) * self.header.page_size as u64
    }
}
