//! A b-tree as a list of pieces that can be read in any order and in parallel.
//!
//! Opening a tree reads its interior pages (about one page in three hundred). It proves that no page is referred to
//! twice, within this tree or by another tree that was opened with the same [`PageClaims`]. A piece is one lowest
//! interior page and its leaves.

use super::fault::Fault;
use super::page::Cell;
use super::page::Page;
use super::page::PageKind;
use super::source::PageSource;

/// The pages that already belong to an opened tree.
pub struct PageClaims {
    taken: Vec<u64>,
}

impl PageClaims {
    pub fn new(source: &PageSource) -> PageClaims {
        PageClaims { taken: vec![0; source.page_count() as usize / 64 + 1] }
    }

    fn claim(&mut self, source: &PageSource, page: u32) -> Result<(), Fault> {
        if !source.has(page) {
            return Err(Fault::Damaged { page, problem: "another page refers to it, but it does not exist" });
        }
        let (word, bit) = (page as usize / 64, 1u64 << (page % 64));
        if self.taken[word] & bit != 0 {
            return Err(Fault::Damaged { page, problem: "two pages refer to it" });
        }
        self.taken[word] |= bit;
        Ok(())
    }
}

#[derive(Debug)]
pub struct Tree {
    pub is_index: bool,
    /// The interior pages above the lowest level. In an index they hold entries too.
    upper: Vec<u32>,
    /// The lowest interior pages, each with the bounds of its rowids. Only the root, if the root is a leaf.
    lowest: Vec<LowestPage>,
    /// The number of leaves.
    pub leaves: u64,
}

/// A lowest interior page. In a table, the rowids below it are greater than `above` and at most `upto`.
#[derive(Debug, Clone, Copy)]
struct LowestPage {
    page: u32,
    above: Option<i64>,
    upto: Option<i64>,
}

/// A part of a tree that one worker reads as a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreePiece(usize);

/// The deepest tree that SQLite can build.
const DEEPEST: usize = 20;

impl Tree {
    pub fn open(source: &PageSource, claims: &mut PageClaims, root: u32, is_index: bool) -> Result<Tree, Fault> {
        claims.claim(source, root)?;
        let mut tree = Tree { is_index, upper: Vec::new(), lowest: Vec::new(), leaves: 1 };
        let mut level = vec![LowestPage { page: root, above: None, upto: None }];
        let mut buffer = Vec::new();
        if Page::parse(root, source.page(root, &mut buffer)?)?.kind.is_leaf() {
            tree.lowest = level;
            return Ok(tree);
        }
        for _ in 0..DEEPEST {
            let mut below = Vec::new();
            for lowest in &level {
                let page = parse(lowest.page, source.page(lowest.page, &mut buffer)?, is_index)?;
                children(&page, *lowest, &mut |child| {
                    claims.claim(source, child.page)?;
                    below.push(child);
                    Ok(())
                })?;
            }
            let first = below[0].page;
            if Page::parse(first, source.page(first, &mut buffer)?)?.kind.is_leaf() {
                tree.leaves = below.len() as u64;
                tree.lowest = level;
                return Ok(tree);
            }
            tree.upper.extend(level.iter().map(|lowest| lowest.page));
            level = below;
        }
        Err(Fault::Damaged { page: root, problem: "the tree below it is too deep" })
    }

    pub fn pieces(&self) -> impl ExactSizeIterator<Item = TreePiece> + use<> {
        let upper = usize::from(self.is_index && !self.upper.is_empty());
        (0..self.lowest.len() + upper).map(TreePiece)
    }

    /// True if a piece of a table can hold rowids of this range.
    pub fn may_hold(&self, piece: TreePiece, from: i64, to: i64) -> bool {
        let bounds = self.lowest.get(piece.0);
        bounds.is_none_or(|bounds| {
            bounds.above.is_none_or(|above| above < to) && bounds.upto.is_none_or(|upto| upto >= from)
        })
    }

    /// Returns the number of rows or entries in a piece. It reads only the headers of the leaves.
    pub fn count(&self, source: &PageSource, piece: TreePiece) -> Result<u64, Fault> {
        let mut buffer = Vec::new();
        let Some(lowest) = self.lowest.get(piece.0) else {
            return self.upper.iter().map(|&page| source.cells_of(page)).sum();
        };
        let page = parse(lowest.page, source.page(lowest.page, &mut buffer)?, self.is_index)?;
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
        piece: TreePiece,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(&Page<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(lowest) = self.lowest.get(piece.0) else {
            let mut pages = self.upper.clone();
            pages.sort_unstable();
            return source.each(&pages, buffer, &mut |number, bytes| visit(&parse(number, bytes, self.is_index)?));
        };
        let mut interior = Vec::new();
        let page = parse(lowest.page, source.page(lowest.page, &mut interior)?, self.is_index)?;
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
        let mut position = 0;
        source.each(&numbers, buffer, &mut |number, bytes| {
            let leaf = parse(number, bytes, self.is_index)?;
            if !leaf.kind.is_leaf() {
                return Err(Fault::Damaged { page: number, problem: "its tree is not balanced" });
            }
            let bounds = leaves[position];
            position += 1;
            if !self.is_index {
                check_bounds(&leaf, bounds)?;
            }
            visit(&leaf)
        })
    }

    /// Returns the smallest and the largest rowid of a table; `None` if it is empty.
    pub fn range(&self, source: &PageSource) -> Result<Option<(i64, i64)>, Fault> {
        let (Some(first), Some(last)) = (self.lowest.first(), self.lowest.last()) else { return Ok(None) };
        let smallest = edge(source, first.page, false)?;
        let largest = edge(source, last.page, true)?;
        Ok(smallest.zip(largest))
    }

    /// Estimates the number of rows or entries from a few leaves.
    pub fn estimate(&self, source: &PageSource) -> Result<u64, Fault> {
        let step = (self.lowest.len() / 8).max(1);
        let (mut cells, mut pages) = (0, 0);
        let mut buffer = Vec::new();
        for lowest in self.lowest.iter().step_by(step) {
            let leaf = leaf_below(source, lowest.page, false, &mut buffer)?;
            cells += Page::parse(leaf, source.page(leaf, &mut buffer)?)?.cell_count() as u64;
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
        Err(Fault::Damaged { page: number, problem: "it belongs to another kind of tree" })
    }
}

/// Visits the children of an interior page in key order, each with its bounds.
fn children(
    page: &Page<'_>,
    bounds: LowestPage,
    visit: &mut impl FnMut(LowestPage) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if page.kind.is_leaf() {
        return Err(Fault::Damaged { page: page.number, problem: "its tree is not balanced" });
    }
    let is_table = page.kind == PageKind::InteriorTable;
    let mut above = bounds.above;
    page.each_cell(|cell: Cell<'_>| {
        let upto = is_table.then_some(cell.rowid);
        visit(LowestPage { page: cell.left, above, upto })?;
        above = upto;
        Ok(())
    })?;
    visit(LowestPage { page: page.rightmost(), above, upto: bounds.upto })
}

/// Fails if a row lies outside the bounds that its parent page states.
fn check_bounds(leaf: &Page<'_>, bounds: LowestPage) -> Result<(), Fault> {
    let (Some(first), Some(last)) = leaf.first_and_last()? else { return Ok(()) };
    let inside = bounds.above.is_none_or(|above| first > above) && bounds.upto.is_none_or(|upto| last <= upto);
    if inside { Ok(()) } else { Err(Fault::Damaged { page: leaf.number, problem: "its rows belong elsewhere" }) }
}

fn edge(source: &PageSource, lowest: u32, last: bool) -> Result<Option<i64>, Fault> {
    let mut buffer = Vec::new();
    let leaf = leaf_below(source, lowest, last, &mut buffer)?;
    let (first, end) = Page::parse(leaf, source.page(leaf, &mut buffer)?)?.first_and_last()?;
    Ok(if last { end } else { first })
}

/// Returns the first or last leaf below a lowest interior page, or the page itself if it is a leaf.
fn leaf_below(source: &PageSource, lowest: u32, last: bool, buffer: &mut Vec<u8>) -> Result<u32, Fault> {
    let page = Page::parse(lowest, source.page(lowest, buffer)?)?;
    if page.kind.is_leaf() {
        return Ok(lowest);
    }
    let (mut first_leaf, mut last_leaf) = (None, lowest);
    children(&page, LowestPage { page: lowest, above: None, upto: None }, &mut |child| {
        first_leaf.get_or_insert(child.page);
        last_leaf = child.page;
        Ok(())
    })?;
    Ok(if last { last_leaf } else { first_leaf.unwrap_or(lowest) })
}
