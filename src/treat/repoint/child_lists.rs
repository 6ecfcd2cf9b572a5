//! The children of rows. If an index finds them, they are asked for some rows at a time. Otherwise the whole child is read once
//! for many rows.

use std::ops::Range;
use std::sync::Arc;

use super::pairs::Pairs;
use super::row_numbers::RowNumbers;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::sql::row_sets::finds_children;
use crate::treat::CHUNK;
use crate::treat::Planner;
use crate::treat::TreatError;

/// The greatest number of children in a list, which bounds the memory.
const MOST_CHILDREN: usize = 1_000_000;

/// The children of twins in one relation.
pub(super) struct ChildList {
    /// The positions of the twins whose children are listed.
    pub(super) twins: Range<usize>,
    columns: Arc<[String]>,
    /// The names of all children, one after the other.
    values: Vec<Value>,
    /// The position of a twin, and the number of a child of it, in ascending order.
    children: Vec<(usize, usize)>,
}

impl ChildList {
    /// Returns the children of the twin at a position.
    pub(super) fn of(&self, twin: usize) -> Vec<RowName> {
        let width = self.columns.len();
        let first = self.children.partition_point(|(other, _)| *other < twin);
        let own = self.children[first..].iter().take_while(|(other, _)| *other == twin);
        let name = |child: usize| RowName::of(&self.columns, self.values[child * width..(child + 1) * width].to_vec());
        own.map(|&(_, child)| name(child)).collect()
    }
}

impl<'a> Planner<'a> {
    /// True if the children of many rows are read with the whole child. The children of few rows are always asked for.
    pub(super) fn reads_whole_child(&self, relation: &Relation, rows: usize) -> bool {
        rows > CHUNK && !finds_children(self.schema, relation)
    }

    /// Calls `each` with the number of a row and the name of each child that it has in a relation.
    pub(super) fn each_child(
        &mut self,
        relation: &Relation,
        rows: &RowNumbers,
        each: &mut dyn FnMut(usize, &[Value]),
    ) -> Result<(), TreatError> {
        if self.reads_whole_child(relation, rows.len()) {
            return self.each_reference(relation, rows, each);
        }
        for chunk in rows.chunks(CHUNK) {
            let names: Vec<&RowName> = chunk.names.iter().collect();
            let query = self.sql.referencing_rows(self.schema, relation, &names);
            self.lookups.numbered(&query, names.len(), &mut |index, child| each(chunk.first + index, child))?;
        }
        Ok(())
    }

    fn each_reference(
        &mut self,
        relation: &Relation,
        rows: &RowNumbers,
        each: &mut dyn FnMut(usize, &[Value]),
    ) -> Result<(), TreatError> {
        let query = self.sql.all_references(self.schema, relation);
        Ok(self.lookups.each_row(&query, &mut |row| {
            let (parent, child) = row.split_at(rows.width().min(row.len()));
            if let Some(number) = rows.number_of(parent) {
                each(number, child);
            }
        })?)
    }

    /// Lists the children of twins from a position on: of all twins, or of fewer if their children are too many. `None` if already
    /// one twin has too many.
    pub(super) fn list_children(
        &mut self,
        relation: &Relation,
        pairs: &Pairs,
        first: usize,
    ) -> Result<Option<ChildList>, TreatError> {
        let columns = self.identity_of(relation.child);
        let mut twins = first..pairs.len();
        while !twins.is_empty() {
            let mut list = ChildList { twins, columns: Arc::clone(&columns), values: Vec::new(), children: Vec::new() };
            let mut is_whole = true;
            self.each_reference(relation, &pairs.rows, &mut |number, child| {
                let twin = pairs.position(number).filter(|twin| is_whole && list.twins.contains(twin));
                let Some(twin) = twin else { return };
                is_whole = list.children.len() < MOST_CHILDREN;
                if is_whole {
                    list.children.push((twin, list.children.len()));
                    list.values.extend_from_slice(child);
                }
            })?;
            if is_whole {
                list.children.sort_unstable();
                return Ok(Some(list));
            }
            twins = first..first + list.twins.len() / 4;
        }
        Ok(None)
    }
}
