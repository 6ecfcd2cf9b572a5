//! Looks rows up by their rowids, and reads the first and the last rowids of a table. It reads only the pages on the way
//! to them.

use super::fault::Fault;
use super::layout::ColumnSource;
use super::layout::Layouts;
use super::page::Page;
use super::page::PageKind;
use super::source::PageSource;
use crate::engine::RowsAnswer;
use crate::engine::RowsQuestion;

/// The deepest tree that SQLite can build.
const DEEPEST: usize = 20;

/// Answers questions about rowids from the pages of one snapshot.
pub struct RowidReader<'a> {
    pub layouts: &'a Layouts,
    pub source: &'a PageSource,
}

impl RowidReader<'_> {
    /// Fails if the column is not the rowid.
    pub fn answer(&self, question: &RowsQuestion<'_>) -> Result<RowsAnswer, Fault> {
        let layout = self.layouts.tables.get(&question.table.name.table);
        let is_rowid = |layout: &&super::layout::TableLayout| {
            !layout.without_rowid && layout.columns.get(question.column) == Some(&ColumnSource::Rowid)
        };
        let layout = layout.filter(is_rowid).ok_or_else(|| Fault::unsupported("the column is not the rowid"))?;
        let mut wanted: Vec<(i64, usize)> = question.wanted.iter().copied().zip(0..).collect();
        wanted.sort_unstable();
        let mut is_present = vec![false; wanted.len()];
        if !wanted.is_empty() {
            self.search(layout.root, &wanted, &mut is_present, DEEPEST)?;
        }
        let mut first = Vec::new();
        if question.first > 0 {
            self.first(layout.root, question.first, &mut first, DEEPEST)?;
        }
        let last = if question.first > 0 { self.last(layout.root)? } else { None };
        Ok(RowsAnswer { is_present, first, last })
    }

    /// Marks the wanted rowids that exist below a page. `wanted` is sorted; each rowid has its position in `is_present`.
    fn search(&self, number: u32, wanted: &[(i64, usize)], is_present: &mut [bool], depth: usize) -> Result<(), Fault> {
        let mut buffer = Vec::new();
        let page = self.page(number, &mut buffer, depth)?;
        let mut rest = wanted;
        if page.kind.is_leaf() {
            return page.each_cell(|cell| {
                rest = &rest[rest.partition_point(|&(rowid, _)| rowid < cell.rowid)..];
                while let Some((&(_, position), others)) = rest.split_first().filter(|(next, _)| next.0 == cell.rowid) {
                    is_present[position] = true;
                    rest = others;
                }
                Ok(())
            });
        }
        page.each_cell(|cell| {
            let (below, others) = rest.split_at(rest.partition_point(|&(rowid, _)| rowid <= cell.rowid));
            rest = others;
            if below.is_empty() { Ok(()) } else { self.search(cell.left, below, is_present, depth - 1) }
        })?;
        if rest.is_empty() { Ok(()) } else { self.search(page.rightmost(), rest, is_present, depth - 1) }
    }

    /// Collects the first rowids below a page, until there are `most`.
    fn first(&self, number: u32, most: usize, into: &mut Vec<i64>, depth: usize) -> Result<(), Fault> {
        let mut buffer = Vec::new();
        let page = self.page(number, &mut buffer, depth)?;
        page.each_cell(|cell| match page.kind {
            _ if into.len() >= most => Ok(()),
            PageKind::LeafTable => {
                into.push(cell.rowid);
                Ok(())
            }
            _ => self.first(cell.left, most, into, depth - 1),
        })?;
        let is_done = page.kind.is_leaf() || into.len() >= most;
        if is_done { Ok(()) } else { self.first(page.rightmost(), most, into, depth - 1) }
    }

    /// Returns the last rowid below a page; `None` if the table is empty.
    fn last(&self, root: u32) -> Result<Option<i64>, Fault> {
        let (mut number, mut buffer) = (root, Vec::new());
        for depth in (0..=DEEPEST).rev() {
            let page = self.page(number, &mut buffer, depth)?;
            if page.kind.is_leaf() {
                let (_, last) = page.first_and_last()?;
                let is_whole = last.is_some() || number == root;
                return if is_whole { Ok(last) } else { page.damaged("it has no rows") };
            }
            number = page.rightmost();
        }
        Err(Fault::Damaged { page: root, problem: "the tree below it is too deep" })
    }

    fn page<'a>(&'a self, number: u32, buffer: &'a mut Vec<u8>, depth: usize) -> Result<Page<'a>, Fault> {
        let page = Page::parse(number, self.source.page(number, buffer)?)?;
        match page.kind {
            PageKind::LeafTable => Ok(page),
            PageKind::InteriorTable if depth > 0 => Ok(page),
            PageKind::InteriorTable => page.damaged("the tree above it is too deep"),
            _ => page.damaged("it belongs to another kind of tree"),
        }
    }
}
