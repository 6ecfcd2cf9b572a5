//! A b-tree as a list of pieces that can be read in any order and in parallel.
//!
//! Opening a tree reads its interior pages (about one page in three hundred) and proves that every page in it is in it
//! once, and in no other tree opened through the same [`Claims`]. A piece is one lowest interior page and its leaves.

use super::fault::Fault;
use super::page::Cell;
use super::page::Kind;
use super::page::Page;
use super::source::PageSource;

/// Pages that belong to a tree already.
pub struct Claims {
    taken: Vec<u64>,
}

impl Claims {
    pub fn new(source: &PageSource) -> Claims {
        Claims { taken: vec![0; source.page_count() as usize / 64 + 1] }
    }

    fn claim(&mut self, source: &PageSource, page: u32) -> Result<(), Fault> {
        if !source.has(page) {
            return Err(Fault::Damaged { page, what: "it is referred to, and is not there" });
        }
        let (word, bit) = (page as usize / 64, 1u64 << (page % 64));
        if self.taken[word] & bit != 0 {
            return Err(Fault::Damaged { page, what: "it is referred to twice" });
        }
        self.taken[word] |= bit;
        Ok(())
    }
}

#[derive(Debug)]
pub struct Tree {
    pub is_index: bool,
    /// Interior pages above the lowest; in an index they hold entries too.
    upper: Vec<u32>,
    /// The lowest interior pages, with the bounds of what is below each; or the root alone where it is a leaf.
    lowest: Vec<Lowest>,
    /// Leaves in all.
    pub leaves: u64,
}

/// A lowest interior page and the keys that can be below it: more than `above`, at most `upto` (tables only).
#[derive(Debug, Clone, Copy)]
struct Lowest {
    page: u32,
    above: Option<i64>,
    upto: Option<i64>,
}

/// A part of a tree to be read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece(usize);

/// Deeper trees than this cannot be made.
const DEEPEST: usize = 20;

impl Tree {
    pub fn open(source: &PageSource, claims: &mut Claims, root: u32, is_index: bool) -> Result<Tree, Fault> {
        claims.claim(source, root)?;
        let mut tree = Tree { is_index, upper: Vec::new(), lowest: Vec::new(), leaves: 1 };
        let mut level = vec![Lowest { page: root, above: None, upto: None }];
        let mut bytes = vec![0; source.header.page_size];
        for _ in 0..DEEPEST {
            if kind_of(source, level[0].page)?.is_leaf() {
                // Only a root can be a leaf here: below, leaves are never a level of their own.
                tree.lowest = level;
                return Ok(tree);
            }
            let mut below = Vec::new();
            for lowest in &level {
                source.read(lowest.page, &mut bytes)?;
                let page = parse(lowest.page, &bytes[..source.header.usable], is_index)?;
                children(&page, *lowest, &mut |child| {
                    claims.claim(source, child.page)?;
                    below.push(child);
                    Ok(())
                })?;
            }
            if kind_of(source, below[0].page)?.is_leaf() {
                tree.leaves = below.len() as u64;
                tree.lowest = level;
                return Ok(tree);
            }
            tree.upper.extend(level.iter().map(|lowest| lowest.page));
            level = below;
        }
        Err(Fault::Damaged { page: root, what: "the tree below it is too deep" })
    }

    pub fn pieces(&self) -> impl ExactSizeIterator<Item = Piece> + use<> {
        let upper = usize::from(self.is_index && !self.upper.is_empty());
        (0..self.lowest.len() + upper).map(Piece)
    }

    /// Whether rows of this range can be in a piece of a table.
    pub fn may_hold(&self, piece: Piece, from: i64, to: i64) -> bool {
        let bounds = self.lowest.get(piece.0);
        bounds.is_none_or(|bounds| {
            bounds.above.is_none_or(|above| above < to) && bounds.upto.is_none_or(|upto| upto >= from)
        })
    }

    /// How many rows or entries a piece has, by the heads of its pages alone.
    pub fn count(&self, source: &PageSource, piece: Piece) -> Result<u64, Fault> {
        let mut bytes = vec![0; source.header.page_size];
        let Some(lowest) = self.lowest.get(piece.0) else {
            return self.upper.iter().map(|&page| source.cells_of(page)).sum();
        };
        source.read(lowest.page, &mut bytes)?;
        let page = parse(lowest.page, &bytes[..source.header.usable], self.is_index)?;
        if page.kind.is_leaf() {
            return Ok(page.cell_count() as u64);
        }
        let mut cells = if self.is_index { page.cell_count() as u64 } else { 0 };
        children(&page, *lowest, &mut |leaf| {
            cells += source.cells_of(leaf.page)?;
            Ok(())
        })?;
        Ok(cells)
    }

    /// Visits every page of a piece that holds rows or entries. Pages come in no particular order.
    pub fn each_page(
        &self,
        source: &PageSource,
        piece: Piece,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(&Page<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(lowest) = self.lowest.get(piece.0) else {
            let mut pages = self.upper.clone();
            pages.sort_unstable();
            return source.each(&pages, buffer, &mut |number, bytes| visit(&parse(number, bytes, self.is_index)?));
        };
        let mut bytes = vec![0; source.header.page_size];
        source.read(lowest.page, &mut bytes)?;
        let page = parse(lowest.page, &bytes[..source.header.usable], self.is_index)?;
        if page.kind.is_leaf() {
            return visit(&page);
        }
        let mut leaves = Vec::with_capacity(page.cell_count() + 1);
        children(&page, *lowest, &mut |child| {
            leaves.push(child);
            Ok(())
        })?;
        if self.is_index {
            visit(&page)?;
        }
        leaves.sort_unstable_by_key(|leaf| leaf.page);
        let numbers: Vec<u32> = leaves.iter().map(|leaf| leaf.page).collect();
        let mut place = 0;
        source.each(&numbers, buffer, &mut |number, bytes| {
            let leaf = parse(number, bytes, self.is_index)?;
            if !leaf.kind.is_leaf() {
                return Err(Fault::Damaged { page: number, what: "its tree is not balanced" });
            }
            let bounds = leaves[place];
            place += 1;
            if !self.is_index {
                within(&leaf, bounds)?;
            }
            visit(&leaf)
        })
    }

    /// The smallest and the largest row of a table, unless it is empty.
    pub fn range(&self, source: &PageSource) -> Result<Option<(i64, i64)>, Fault> {
        let (Some(first), Some(last)) = (self.lowest.first(), self.lowest.last()) else { return Ok(None) };
        let smallest = edge(source, first.page, false)?;
        let largest = edge(source, last.page, true)?;
        Ok(smallest.zip(largest))
    }

    /// About how many rows or entries there are, judged by a few leaves.
    pub fn estimate(&self, source: &PageSource) -> Result<u64, Fault> {
        let step = (self.lowest.len() / 8).max(1);
        let (mut cells, mut pages) = (0, 0);
        let mut bytes = vec![0; source.header.page_size];
        for lowest in self.lowest.iter().step_by(step) {
            let leaf = leaf_below(source, lowest.page, false, &mut bytes)?;
            cells += Page::parse(leaf, &bytes[..source.header.usable])?.cell_count() as u64;
            pages += 1;
        }
        Ok((cells * self.leaves).div_ceil(pages.max(1)))
    }
}

fn parse(number: u32, bytes: &[u8], is_index: bool) -> Result<Page<'_>, Fault> {
    let page = Page::parse(number, bytes)?;
    if page.kind.is_index() == is_index {
        Ok(page)
    } else {
        Err(Fault::Damaged { page: number, what: "it belongs to another kind of tree" })
    }
}

fn kind_of(source: &PageSource, page: u32) -> Result<Kind, Fault> {
    let mut bytes = vec![0; source.header.page_size];
    source.read(page, &mut bytes)?;
    Ok(Page::parse(page, &bytes[..source.header.usable])?.kind)
}

/// The children of an interior page in key order, each with its bounds.
fn children(page: &Page<'_>, bounds: Lowest, visit: &mut impl FnMut(Lowest) -> Result<(), Fault>) -> Result<(), Fault> {
    if page.kind.is_leaf() {
        return Err(Fault::Damaged { page: page.number, what: "its tree is not balanced" });
    }
    let is_table = page.kind == Kind::InteriorTable;
    let mut above = bounds.above;
    page.each_cell(|cell: Cell<'_>| {
        let upto = is_table.then_some(cell.rowid);
        visit(Lowest { page: cell.left, above, upto })?;
        above = upto;
        Ok(())
    })?;
    visit(Lowest { page: page.rightmost(), above, upto: bounds.upto })
}

/// Rows lie between the keys that lead to them, in ascending order.
fn within(leaf: &Page<'_>, bounds: Lowest) -> Result<(), Fault> {
    let (Some(first), Some(last)) = leaf.first_and_last()? else { return Ok(()) };
    let inside = bounds.above.is_none_or(|above| first > above) && bounds.upto.is_none_or(|upto| last <= upto);
    if inside { Ok(()) } else { Err(Fault::Damaged { page: leaf.number, what: "its rows belong elsewhere" }) }
}

fn edge(source: &PageSource, lowest: u32, last: bool) -> Result<Option<i64>, Fault> {
    let mut bytes = vec![0; source.header.page_size];
    let leaf = leaf_below(source, lowest, last, &mut bytes)?;
    let (first, end) = Page::parse(leaf, &bytes[..source.header.usable])?.first_and_last()?;
    Ok(if last { end } else { first })
}

/// Reads the first or last leaf below a lowest interior page, or the page itself where it is a leaf.
fn leaf_below(source: &PageSource, lowest: u32, last: bool, bytes: &mut [u8]) -> Result<u32, Fault> {
    source.read(lowest, bytes)?;
    let page = Page::parse(lowest, &bytes[..source.header.usable])?;
    if page.kind.is_leaf() {
        return Ok(lowest);
    }
    let mut found = Vec::new();
    children(&page, Lowest { page: lowest, above: None, upto: None }, &mut |child| {
        found.push(child.page);
        Ok(())
    })?;
    let leaf = if last { found[found.len() - 1] } else { found[0] };
    source.read(leaf, bytes)?;
    Ok(leaf)
}
