//! Stored rows that are read before the merges that need them, many at a time: twins, kept rows and the children of the twins.
//! A merge that needs another row reads it itself.

use std::collections::BTreeMap;
use std::ops::Range;

use super::child_lists::ChildList;
use super::pairs::Pair;
use super::pairs::Pairs;
use super::row_numbers::RowNumbers;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::stored_rows::Image;
use crate::treat::CHUNK;
use crate::treat::Planner;
use crate::treat::TreatError;

/// At most this number of children in one relation is read ahead,
const MOST_CHILDREN: usize = 20_000;

/// and rows of about this size in bytes.
const MOST_BYTES: usize = 1 << 24;

pub(super) struct ReadAhead<'p> {
    pairs: &'p Pairs,
    /// The position of the first twin.
    first: usize,
    images: BTreeMap<TableId, (RowNumbers, Vec<Option<Image>>)>,
    /// By relation, the children of each twin.
    children: BTreeMap<RelationId, Vec<Vec<RowName>>>,
    bytes: usize,
    /// False if there was too much to read all of it.
    pub(super) is_whole: bool,
}

impl<'p> ReadAhead<'p> {
    pub(super) fn new(pairs: &'p Pairs, first: usize) -> ReadAhead<'p> {
        ReadAhead { pairs, first, images: BTreeMap::new(), children: BTreeMap::new(), bytes: 0, is_whole: true }
    }

    /// Returns the image of a row, if it was read: `Some(None)` if the row is too long for a plan.
    fn image(&self, table: TableId, name: &RowName) -> Option<Option<&Image>> {
        let (rows, images) = self.images.get(&table)?;
        Some(images.get(rows.get(name)?)?.as_ref())
    }

    /// Returns the children of a row in a relation, if they were read.
    pub(super) fn children(&self, relation: RelationId, parent: &RowName) -> Option<&[RowName]> {
        let children = self.children.get(&relation)?;
        let twin = self.pairs.position(self.pairs.rows.get(parent)?)?;
        Some(children.get(twin.checked_sub(self.first)?)?)
    }
}

impl<'a> Planner<'a> {
    /// Reads these twins, the rows that are kept for them, and their children. `lists` has the children in relations without an
    /// index; lists are made where they are missing.
    pub(super) fn read_ahead<'p>(
        &mut self,
        table: TableId,
        (pairs, first): (&'p Pairs, usize),
        chunk: &[Pair],
        lists: &mut BTreeMap<RelationId, ChildList>,
    ) -> Result<ReadAhead<'p>, TreatError> {
        let mut ahead = ReadAhead::new(pairs, first);
        let twins: Vec<&RowName> = chunk.iter().map(|pair| &pair.twin).collect();
        let kept: Vec<&RowName> = chunk.iter().filter_map(|pair| pair.kept.as_ref().ok()).collect();
        self.read_images(&mut ahead, table, &twins)?;
        self.read_images(&mut ahead, table, &kept)?;
        for (id, relation) in self.relations_to(table, None) {
            if !self.has_identity(relation.child) {
                continue;
            }
            let children = if self.reads_whole_child(relation, pairs.len()) {
                self.listed_children((id, relation), (pairs, first..first + chunk.len()), lists)?
            } else {
                self.children_of(relation, &twins, MOST_CHILDREN)?
            };
            let Some(children) = children else {
                ahead.is_whole = false;
                continue;
            };
            self.read_images(&mut ahead, relation.child, &children.iter().flatten().collect::<Vec<&RowName>>())?;
            ahead.children.insert(id, children);
        }
        Ok(ahead)
    }

    /// Returns the children of the twins at these positions, unless they are too many.
    fn listed_children(
        &mut self,
        (id, relation): (RelationId, &Relation),
        (pairs, twins): (&Pairs, Range<usize>),
        lists: &mut BTreeMap<RelationId, ChildList>,
    ) -> Result<Option<Vec<Vec<RowName>>>, TreatError> {
        let has = |list: &ChildList| list.twins.contains(&twins.start) && list.twins.end >= twins.end;
        if !lists.get(&id).is_some_and(has) {
            lists.remove(&id);
            let Some(list) = self.list_children(relation, pairs, twins.start)? else { return Ok(None) };
            lists.insert(id, list);
        }
        Ok(lists.get(&id).filter(|list| has(list)).map(|list| twins.map(|twin| list.of(twin)).collect()))
    }

    /// Returns a row as it is stored. `None` if it is too long for a plan.
    pub(super) fn stored_image(
        &mut self,
        ahead: &ReadAhead<'_>,
        table: TableId,
        name: &RowName,
    ) -> Result<Option<Image>, TreatError> {
        match ahead.image(table, name) {
            Some(image) => Ok(image.cloned()),
            None => Ok(self.images(table, &[name])?.pop().flatten()),
        }
    }

    fn read_images(&mut self, ahead: &mut ReadAhead<'_>, table: TableId, names: &[&RowName]) -> Result<(), TreatError> {
        let new = || (RowNumbers::new(self.identity_of(table)), Vec::new());
        let (rows, images) = ahead.images.entry(table).or_insert_with(new);
        let mut unread: Vec<&RowName> = Vec::new();
        for &name in names {
            if rows.number(name) == images.len() + unread.len() {
                unread.push(name);
            }
        }
        for chunk in unread.chunks(CHUNK) {
            if ahead.bytes > MOST_BYTES {
                ahead.is_whole = false;
                break;
            }
            for image in self.images(table, chunk)? {
                ahead.bytes += image.iter().flat_map(|image| image.columns.values()).map(Value::bytes).sum::<usize>();
                images.push(image);
            }
        }
        Ok(())
    }
}
