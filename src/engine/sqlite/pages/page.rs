//! One b-tree page: its kind, its cells, and proof that no two cells share a byte.

use super::fault::Fault;
use super::record;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    InteriorTable,
    InteriorIndex,
    LeafTable,
    LeafIndex,
}

impl Kind {
    pub fn is_leaf(self) -> bool {
        matches!(self, Kind::LeafTable | Kind::LeafIndex)
    }

    pub fn is_index(self) -> bool {
        matches!(self, Kind::InteriorIndex | Kind::LeafIndex)
    }
}

#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub number: u32,
    pub kind: Kind,
    bytes: &'a [u8],
    /// Where the cells' addresses are.
    addresses: &'a [u8],
    content: usize,
}

/// The part of a cell that is not its content.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// The page left of an interior cell; 0 in a leaf.
    pub left: u32,
    /// The key of a table's row; 0 in an index.
    pub rowid: i64,
    /// The record's length, and as much of it as is in the page.
    pub length: u64,
    pub local: &'a [u8],
    /// Where the rest is; 0 where there is none.
    pub overflow: u32,
}

impl<'a> Page<'a> {
    /// `bytes` without the reserved ones at the end.
    pub fn parse(number: u32, bytes: &'a [u8]) -> Result<Page<'a>, Fault> {
        let damaged = |what| Err(Fault::Damaged { page: number, what });
        let head = if number == 1 { 100 } else { 0 };
        let kind = match bytes[head] {
            2 => Kind::InteriorIndex,
            5 => Kind::InteriorTable,
            10 => Kind::LeafIndex,
            13 => Kind::LeafTable,
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

    pub fn damaged<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault::Damaged { page: self.number, what })
    }

    /// The keys of the first and last row of a table's page.
    pub fn first_and_last(&self) -> Result<(Option<i64>, Option<i64>), Fault> {
        let rowid = |address: &[u8]| match self.cell_at(address) {
            Ok((cell, ..)) => Ok(cell.rowid),
            Err(what) => self.damaged(what),
        };
        let mut addresses = self.addresses.chunks_exact(2);
        let first = addresses.next().map(rowid).transpose()?;
        let last = addresses.next_back().map(rowid).transpose()?;
        Ok((first, last.or(first)))
    }

    /// Visits every cell in key order, once it is certain to lie inside the page; an error where two overlap.
    #[inline(always)]
    pub fn each_cell(&self, mut visit: impl FnMut(Cell<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
        // A copy of its own, so that the compiler need not look at the page again for every cell.
        let page = *self;
        // Rows that came in key order fill a page from its end; most pages show so that no two overlap.
        let mut lowest = page.bytes.len();
        let mut descending = true;
        let mut before = None;
        for address in page.addresses.chunks_exact(2) {
            let (cell, start, end) = match page.cell_at(address) {
                Ok(found) => found,
                Err(what) => return self.damaged(what),
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

    #[inline(never)]
    fn cells_overlap(&self) -> Result<bool, Fault> {
        // One bit for each byte of the page.
        let mut taken = vec![0u64; self.bytes.len() / 64 + 1];
        for address in self.addresses.chunks_exact(2) {
            let (_, mut start, end) = self.cell_at(address).or_else(|what| self.damaged(what))?;
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

    /// The cell that an address leads to, with where it starts and ends; or what is wrong with it, in a word that fits
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
        let cut = "a cell is cut off";
        let mut length = 0;
        if self.kind != Kind::InteriorTable {
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
        let local = self.local(length);
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

    /// How many bytes of a record of this length are in the page.
    #[inline(always)]
    fn local(&self, length: u64) -> usize {
        let usable = self.bytes.len() as u64;
        let most = if self.kind.is_index() { (usable - 12) * 64 / 255 - 23 } else { usable - 35 };
        if length <= most {
            return length as usize;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let wanted = least + (length - least) % (usable - 4);
        (if wanted <= most { wanted } else { least }) as usize
    }
}
