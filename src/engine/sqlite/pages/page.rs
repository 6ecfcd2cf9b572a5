//! One b-tree page: its kind and its cells, with the proof that no two cells overlap.

use super::fault::Fault;
use super::record;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    InteriorTable,
    InteriorIndex,
    LeafTable,
    LeafIndex,
}

impl PageKind {
    pub fn is_leaf(self) -> bool {
        matches!(self, PageKind::LeafTable | PageKind::LeafIndex)
    }

    pub fn is_index(self) -> bool {
        matches!(self, PageKind::InteriorIndex | PageKind::LeafIndex)
    }
}

#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub number: u32,
    pub kind: PageKind,
    bytes: &'a [u8],
    /// The cell pointer array.
    addresses: &'a [u8],
    content: usize,
}

/// A cell: its header, and the part of its record that is in this page.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// The left child page of an interior cell; 0 in a leaf.
    pub left: u32,
    /// The rowid of a table's row; 0 in an index.
    pub rowid: i64,
    /// The length of the whole record, in bytes.
    pub length: u64,
    /// The part of the record that is in this page.
    pub local: &'a [u8],
    /// The first overflow page, which holds the rest of the record; 0 if there is none.
    pub overflow: u32,
}

/// What is known of the cells that were read so far: whether they can overlap, and whether the rows ascend.
#[derive(Clone, Copy)]
struct Order {
    lowest: usize,
    /// Rows inserted in key order fill a page from its end. If the cells descend in this way, none overlap.
    descending: bool,
    /// The rowid of the last row as a number of its stored bytes; the largest number if it is not short.
    before: u64,
    start_before: Option<usize>,
}

impl Order {
    #[inline(always)]
    fn add(&mut self, start: usize, end: usize, rowid: u64) {
        self.descending &= end <= self.lowest;
        self.lowest = start;
        self.before = rowid;
        self.start_before = Some(start);
    }
}

/// Decides about a row without decoding it.
pub trait RowFilter {
    /// True if nothing else must be known of the row.
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool;
}

/// A record that lies whole in its page.
#[derive(Clone, Copy)]
pub struct ShortRecord<'a> {
    pub page: &'a [u8],
    /// The offset of the cell in the page.
    pub cell: usize,
    /// The offset of the record in the page.
    pub at: usize,
    pub length: usize,
}

impl ShortRecord<'_> {
    /// Returns the rowid of a table's row.
    #[inline(always)]
    pub fn rowid(&self) -> Option<i64> {
        let length_width = if *self.page.get(self.cell)? < 0x80 { 1 } else { 2 };
        let (rowid, _) = record::varint(self.page.get(self.cell + length_width..)?)?;
        Some(rowid.cast_signed())
    }
}

impl<'a> Page<'a> {
    /// `bytes` excludes the reserved bytes at the page's end.
    pub fn parse(number: u32, bytes: &'a [u8]) -> Result<Page<'a>, Fault> {
        let damaged = |problem| Err(Fault::Damaged { page: number, problem });
        let head = if number == 1 { 100 } else { 0 };
        let kind = match bytes[head] {
            2 => PageKind::InteriorIndex,
            5 => PageKind::InteriorTable,
            10 => PageKind::LeafIndex,
            13 => PageKind::LeafTable,
            _ => return damaged("it is not a b-tree page"),
        };
        let u16_at = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        let cells = u16_at(head + 3);
        let content = match u16_at(head + 5) {
            0 => 65_536,
            content => content,
        };
        let first = head + if kind.is_leaf() { 8 } else { 12 };
        let end = first + 2 * cells;
        if end > bytes.len() || content < end || content > bytes.len() {
            return damaged("its cells do not fit");
        }
        Ok(Page { number, kind, bytes, addresses: &bytes[first..end], content })
    }

    pub fn cell_count(&self) -> usize {
        self.addresses.len() / 2
    }

    /// The rightmost child of an interior page.
    pub fn rightmost(&self) -> u32 {
        let at = if self.number == 1 { 108 } else { 8 };
        self.u32_at(at)
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]])
    }

    pub fn damaged<T>(&self, problem: &'static str) -> Result<T, Fault> {
        Err(Fault::Damaged { page: self.number, problem })
    }

    /// Returns the rowids of the first and last row of a table's page: `(Some(3), Some(9))`.
    pub fn first_and_last(&self) -> Result<(Option<i64>, Option<i64>), Fault> {
        let rowid = |address: &[u8]| match self.cell_at(address) {
            Ok((cell, ..)) => Ok(cell.rowid),
            Err(problem) => self.damaged(problem),
        };
        let mut addresses = self.addresses.chunks_exact(2);
        let first = addresses.next().map(rowid).transpose()?;
        let last = addresses.next_back().map(rowid).transpose()?;
        Ok((first, last.or(first)))
    }

    /// Visits every cell in key order, after checking that it lies inside the page. Fails if two cells overlap.
    #[inline(always)]
    pub fn each_cell(&self, mut visit: impl FnMut(Cell<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
        // A local copy lets the compiler keep the page's fields in registers for all cells.
        let page = *self;
        // Rows inserted in key order fill a page from its end. If the cells descend in this way, none overlap.
        let mut lowest = page.bytes.len();
        let mut descending = true;
        let mut before = None;
        for address in page.addresses.chunks_exact(2) {
            let (cell, start, end) = match page.cell_at(address) {
                Ok(found) => found,
                Err(problem) => return self.damaged(problem),
            };
            descending &= end <= lowest;
            lowest = start;
            if !page.kind.is_index() && before.replace(cell.rowid).is_some_and(|before| before >= cell.rowid) {
                return self.damaged("its rows are out of order");
            }
            visit(cell)?;
        }
        if !descending && self.cells_overlap()? { self.damaged("two of its cells overlap") } else { Ok(()) }
    }

    /// Visits every cell as [`Page::each_cell`] does, except the rows of a leaf for which the filter is true. Most of these
    /// are not decoded, and are checked all the same.
    #[inline(always)]
    pub fn each_cell_unless(
        &self,
        filter: &mut impl RowFilter,
        mut visit: impl FnMut(Cell<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !self.kind.is_leaf() {
            return self.each_cell(visit);
        }
        let is_table = self.kind == PageKind::LeafTable;
        let mut order = Order { lowest: self.bytes.len(), descending: true, before: 0, start_before: None };
        let mut rest = self.addresses;
        loop {
            rest = if is_table {
                self.skip_done::<true>(rest, &mut order, filter)
            } else {
                self.skip_done::<false>(rest, &mut order, filter)
            };
            let Some((address, others)) = rest.split_first_chunk::<2>() else { break };
            rest = others;
            let start = usize::from(u16::from_be_bytes(*address));
            let (cell, end) = self.cell(start).or_else(|problem| self.damaged(problem))?;
            let is_after = |start: usize| self.cell(start).is_ok_and(|(before, _)| before.rowid < cell.rowid);
            if is_table && order.start_before.is_some_and(|start| !is_after(start)) {
                return self.damaged("its rows are out of order");
            }
            let rowid = self.short_record::<true>(start).filter(|_| is_table).map_or(u64::MAX, |(_, rowid)| rowid);
            order.add(start, end, rowid);
            visit(cell)?;
        }
        if !order.descending && self.cells_overlap()? { self.damaged("two of its cells overlap") } else { Ok(()) }
    }

    /// Returns the cell at an offset that [`ShortRecord`] states.
    pub fn cell_from(&self, offset: usize) -> Result<Cell<'a>, Fault> {
        self.cell(offset).map(|(cell, _)| cell).or_else(|problem| self.damaged(problem))
    }

    /// Skips the rows at the beginning for which the filter is true, until another comes. Returns the other addresses. It is kept apart, so that
    /// all that this loop needs fits into registers.
    #[inline(never)]
    fn skip_done<'c, const TABLE: bool>(
        &self,
        addresses: &'c [u8],
        order: &mut Order,
        filter: &mut impl RowFilter,
    ) -> &'c [u8] {
        let page = *self;
        let mut sofar = *order;
        let mut rest = addresses;
        while let Some((address, others)) = rest.split_first_chunk::<2>() {
            let start = usize::from(u16::from_be_bytes(*address));
            let Some((record, rowid)) = page.short_record::<TABLE>(start) else { break };
            if (TABLE && rowid <= sofar.before) || !filter.is_done(&record) {
                break;
            }
            sofar.add(start, (record.at + record.length).max(start + 4), rowid);
            rest = others;
        }
        *order = sofar;
        rest
    }

    /// Returns the record of a leaf's cell and the stored bytes of its rowid as a number. Such numbers have the order of
    /// the rowids. `None` means that the cell must be decoded in full.
    #[inline(always)]
    fn short_record<const TABLE: bool>(&self, start: usize) -> Option<(ShortRecord<'a>, u64)> {
        const ENDS: u64 = 0x8080_8080_8080_8080;
        let word = u64::from_be_bytes(*self.bytes.get(start..)?.first_chunk()?);
        if start < self.content || word >> 56 == 0x80 {
            return None;
        }
        let (length, width, rest) = if word >> 63 == 0 {
            (word >> 56, 1, word << 8)
        } else if word >> 55 & 1 == 0 {
            ((word >> 56 & 0x7f) << 7 | word >> 48 & 0x7f, 2, word << 16)
        } else {
            return None;
        };
        let rowid_width = if TABLE { (!rest & ENDS).leading_zeros() / 8 + 1 } else { 0 };
        // A first byte of 0x80 is not canonical, and six bytes are what the word certainly holds.
        if TABLE && (rest >> 56 == 0x80 || rowid_width > 6) {
            return None;
        }
        let rowid = if TABLE { rest >> (64 - 8 * rowid_width) } else { 0 };
        let (at, length) = (start + width + rowid_width as usize, length as usize);
        let is_whole = length <= self.longest_local() && at + length <= self.bytes.len();
        is_whole.then_some((ShortRecord { page: self.bytes, cell: start, at, length }, rowid))
    }

    #[inline(never)]
    fn cells_overlap(&self) -> Result<bool, Fault> {
        // One bit for each byte of the page marks the bytes already taken.
        let mut taken = vec![0u64; self.bytes.len() / 64 + 1];
        for address in self.addresses.chunks_exact(2) {
            let (_, mut start, end) = self.cell_at(address).or_else(|problem| self.damaged(problem))?;
            while start < end {
                let next = (start / 64 + 1) * 64;
                let bits = (u64::MAX << (start % 64)) & if next <= end { u64::MAX } else { (1 << (end % 64)) - 1 };
                let word = &mut taken[start / 64];
                if *word & bits != 0 {
                    return Ok(true);
                }
                *word |= bits;
                start = next;
            }
        }
        Ok(false)
    }

    /// Returns the cell at a pointer with the offsets of its start and end. The error is a plain `&str`, which fits
    /// into registers.
    #[inline(always)]
    fn cell_at(&self, address: &[u8]) -> Result<(Cell<'a>, usize, usize), &'static str> {
        let start = usize::from(u16::from_be_bytes([address[0], address[1]]));
        self.cell(start).map(|(cell, end)| (cell, start, end))
    }

    #[inline(always)]
    fn cell(&self, start: usize) -> Result<(Cell<'a>, usize), &'static str> {
        if start < self.content || start + 4 > self.bytes.len() {
            return Err("a cell lies outside the page");
        }
        let mut at = start;
        let mut left = 0;
        if !self.kind.is_leaf() {
            left = self.u32_at(at);
            at += 4;
        }
        let cut = "the header of a cell is cut off or not in canonical form";
        let mut length = 0;
        if self.kind != PageKind::InteriorTable {
            let Some((value, width)) = record::varint(&self.bytes[at..]) else { return Err(cut) };
            length = value;
            at += width;
        }
        let mut rowid = 0;
        if !self.kind.is_index() {
            let Some((value, width)) = record::varint(&self.bytes[at..]) else { return Err(cut) };
            rowid = value.cast_signed();
            at += width;
        }
        let local = self.local_length(length);
        let end = at + local;
        let spilled = local as u64 != length;
        let after = end + if spilled { 4 } else { 0 };
        if after > self.bytes.len() {
            return Err("a cell reaches beyond the page");
        }
        let overflow = if spilled { self.u32_at(end) } else { 0 };
        // A cell never takes less than four bytes.
        Ok((Cell { left, rowid, length, local: &self.bytes[at..end], overflow }, after.max(start + 4)))
    }

    /// The length of the longest record that is whole in the page.
    #[inline(always)]
    fn longest_local(&self) -> usize {
        let usable = self.bytes.len();
        if self.kind.is_index() { (usable - 12) * 64 / 255 - 23 } else { usable - 35 }
    }

    /// Returns the number of bytes of a record of this length that are in the page.
    #[inline(always)]
    fn local_length(&self, length: u64) -> usize {
        let usable = self.bytes.len() as u64;
        let most = self.longest_local() as u64;
        if length <= most {
            return length as usize;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let wanted = least + (length - least) % (usable - 4);
        (if wanted <= most { wanted } else { least }) as usize
    }
}
