//! Reads all values of one column, from the smallest tree that stores it.

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::fault::Fault;
use super::header::Encoding;
use super::layout::ColumnSource;
use super::layout::Field;
use super::layout::Layouts;
use super::reading::FieldValue;
use super::reading::Fields;
use super::reading::RecordReader;
use super::source::PageSource;
use super::tree::PageClaims;
use super::tree::Tree;
use super::tree::TreePiece;
use crate::engine::Deadline;
use crate::model::catalog::Table;
use crate::model::value::ValueRef;

/// A column and where to read it.
pub struct ColumnReader<'a> {
    pub table: &'a Table,
    pub column: usize,
    pub layouts: &'a Layouts,
    pub source: &'a PageSource,
}

impl ColumnReader<'_> {
    /// Calls `visit` with every value, in no order. Values of more than a megabyte are left out.
    pub fn each_value(
        &self,
        threads: usize,
        deadline: &Deadline,
        visit: &(dyn Fn(ValueRef<'_>) + Sync),
    ) -> Result<(), Fault> {
        if self.source.header.encoding != Encoding::Utf8 {
            return Err(Fault::unsupported("its text is not UTF-8"));
        }
        let (tree, source) = self.tree()?;
        let pages = self.source;
        let read = |piece| {
            if deadline.has_passed() { Err(Fault::TimeLimit) } else { read_piece(pages, &tree, source, piece, visit) }
        };
        if threads < 2 {
            return tree.pieces().try_for_each(read);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Fault::unsupported(error.to_string()))?;
        let pieces: Vec<TreePiece> = tree.pieces().collect();
        pool.install(|| pieces.into_par_iter().try_for_each(read))
    }

    /// Returns the tree with the fewest leaves among the table and its indexes that hold every row's value.
    fn tree(&self) -> Result<(Tree, ColumnSource), Fault> {
        let missing = || Fault::unsupported(format!("{} is not stored as a table", self.table.name));
        let layout = self.layouts.tables.get(&self.table.name.table).ok_or_else(missing)?;
        let source = layout.columns.get(self.column).copied().ok_or_else(missing)?;
        if source == ColumnSource::Computed {
            return Err(Fault::unsupported("it is computed when it is read"));
        }
        let open = |root, is_index| Tree::open(self.source, &mut PageClaims::new(self.source), root, is_index);
        let mut best = (open(layout.root, layout.without_rowid)?, source);
        if source == ColumnSource::Rowid {
            return Ok(best);
        }
        for index in self.table.indexes.iter().filter(|index| index.separate && !index.partial) {
            let Some(layout) = self.layouts.indexes.get(&index.name) else { continue };
            let Some(field) = layout.field_of(self.column) else { continue };
            let tree = open(layout.root, true)?;
            if tree.leaves < best.0.leaves {
                best = (tree, ColumnSource::Field(field));
            }
        }
        Ok(best)
    }
}

fn read_piece(
    pages: &PageSource,
    tree: &Tree,
    source: ColumnSource,
    piece: TreePiece,
    visit: &(dyn Fn(ValueRef<'_>) + Sync),
) -> Result<(), Fault> {
    let field = match source {
        ColumnSource::Field(field) => Some(field),
        ColumnSource::Rowid | ColumnSource::Computed => None,
    };
    let wanted: Vec<usize> = field.iter().map(|field| field.number).collect();
    let (mut fields, mut buffer) = (Fields::new(&wanted), Vec::new());
    let reader = RecordReader::new(pages, wanted.len());
    tree.each_page(pages, piece, &mut buffer, |page| {
        page.each_cell(|cell| {
            let Some(Field { absent_is_null, .. }) = field else {
                visit(ValueRef::Integer(cell.rowid));
                return Ok(());
            };
            reader.read(page, &cell, &mut fields)?;
            match fields.value(&cell, 0) {
                FieldValue::Value(value) => visit(value),
                FieldValue::Absent if !absent_is_null => return Err(Fault::unsupported("a row has only a default")),
                FieldValue::Absent | FieldValue::TooLong => {}
            }
            Ok(())
        })
    })
}
