//! The groups of a run: for each group of the plan, the conditions that its rows must meet when sets change them. A change without
//! a group is made row by row.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Direction;
use super::lookahead::is_its_parent;
use super::references::leaves_key;
use super::references::may_be_orphan;
use super::references::takes_reference;
use super::set_portion::SetLine;
use crate::model::catalog::Table;
use crate::model::change_group::GroupImages;
use crate::model::ids::RelationId;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::schema::Schema;
use crate::model::schema_index::SchemaIndex;
use crate::model::value::Value;

/// The groups of a run.
pub(super) struct Groups<'s> {
    schema: &'s Schema,
    direction: Direction,
    /// The relations that were checked when the plan was made.
    watched: Arc<BTreeSet<RelationId>>,
    schema_index: Arc<SchemaIndex<'s>>,
    tables: BTreeMap<String, Arc<Table>>,
    /// For each group of the plan and each [`variant`] of it, the index of the group; `Some(None)` if its changes have no group.
    known: Vec<[Option<Option<usize>>; VARIANTS]>,
    pub(super) groups: Vec<Arc<RowGroup<'s>>>,
    /// The same groups with the values that a comparison needs.
    pub(super) compared: Vec<Arc<RowGroup<'s>>>,
    /// For each group, the relations in which a deleted row is a parent.
    pub(super) leaves: Vec<Vec<RelationId>>,
}

/// The changes of a group of the plan may differ in these: if they fix the address of the row, if they list orphans, and if their
/// image names the row.
const VARIANTS: usize = 8;

fn variant(line: &SetLine) -> usize {
    let is_named_by_image = usize::from(line.is_named_by_image);
    usize::from(line.address.is_some()) + 2 * usize::from(line.adopts.is_some()) + 4 * is_named_by_image
}

impl<'s> Groups<'s> {
    pub(super) fn new(
        schema: &'s Schema,
        direction: Direction,
        watched: &Arc<BTreeSet<RelationId>>,
        schema_index: &Arc<SchemaIndex<'s>>,
        tables: &BTreeMap<String, Table>,
    ) -> Groups<'s> {
        let tables = tables.iter().map(|(name, table)| (name.clone(), Arc::new(table.clone()))).collect();
        Groups {
            schema,
            direction,
            watched: Arc::clone(watched),
            schema_index: Arc::clone(schema_index),
            tables,
            known: Vec::new(),
            groups: Vec::new(),
            compared: Vec::new(),
            leaves: Vec::new(),
        }
    }

    /// Returns the group of a line; `None` if the change must be made row by row. `is_supported` is asked about each new group.
    pub(super) fn group<E>(
        &mut self,
        line: &SetLine,
        is_supported: &mut dyn FnMut(&RowGroup<'_>) -> Result<bool, E>,
    ) -> Result<Option<usize>, E> {
        if self.known.len() <= line.number {
            self.known.resize(line.number + 1, [None; VARIANTS]);
        }
        let group = match self.known[line.number][variant(line)] {
            Some(known) => known,
            None => {
                let made = self.make(line);
                let mut group = None;
                if let Some((made, leaves)) = made
                    && is_supported(&made)?
                {
                    group = Some(self.groups.len());
                    self.compared.push(Arc::new(made.for_comparison()));
                    self.groups.push(Arc::new(made));
                    self.leaves.push(leaves);
                }
                self.known[line.number][variant(line)] = Some(group);
                group
            }
        };
        let fits = |group: &usize| {
            let is_named = self.leaves[*group].is_empty() || line.has_name_in_image();
            let group = &self.groups[*group];
            let widths = (line.name.len(), line.before.len(), line.after.len());
            is_named && widths == (group.name.len(), group.before.len(), group.set.len())
        };
        Ok(group.filter(fits))
    }

    /// Returns for each relation the lines of a batch that delete a parent, by their indexes.
    pub(super) fn leaving(&self, batch: &RowBatch<'_, '_>) -> BTreeMap<RelationId, BTreeSet<usize>> {
        let mut leaving: BTreeMap<RelationId, BTreeSet<usize>> = BTreeMap::new();
        for (&group, lines) in &batch.by_group {
            for &relation in &self.leaves[group] {
                leaving.entry(relation).or_default().extend(lines);
            }
        }
        leaving
    }

    /// Returns the group of a line, and the relations in which its deleted rows are parents. `None` if sets cannot change them.
    fn make(&self, line: &SetLine) -> Option<(RowGroup<'s>, Vec<RelationId>)> {
        let change = change(line, self.direction)?;
        let table = self.tables.get(&change.table.to_string())?;
        let has_whole_image = change.before.as_ref().is_none_or(|before| is_whole_image(table, before));
        if change.role() == ChangeRole::Counter || !has_whole_image || change.row.is_empty() {
            return None;
        }
        let kind = match (&change.before, &change.after) {
            (None, _) => RowChangeKind::Insert,
            (Some(_), Some(_)) => RowChangeKind::Update,
            (Some(_), None) => RowChangeKind::Delete,
        };
        let set = set_columns(line, &change)?;
        let is_known = |(name, _): &(String, usize)| table.columns.iter().any(|c| c.name == *name && !c.generated);
        if !set.iter().all(is_known) || (set.is_empty() && kind != RowChangeKind::Delete) {
            return None;
        }
        let columns = |row: &Option<Row>| {
            row.as_ref().map_or_else(|| Arc::new([]) as Arc<[String]>, |row| row.shared_columns().clone())
        };
        let mut group = RowGroup {
            schema: self.schema,
            table: Arc::clone(table),
            kind,
            role: change.role(),
            name: change.row.shared_columns().clone(),
            is_named_by_image: line.is_named_by_image,
            before: columns(&change.before),
            set,
            address: if kind == RowChangeKind::Insert { address_column(table, &change) } else { None },
            orphan_of: Vec::new(),
            missing_in: Vec::new(),
            needs_parent_in: Vec::new(),
        };
        group.is_named_by_image &= has_name_in_images(&group);
        if self.direction == Direction::Apply {
            self.add_conditions_of_orphans(&mut group, &change)?;
        }
        self.add_conditions_of_parents(&mut group, &change)?;
        let leaves = self.left_keys(&group, &change)?;
        Some((group, leaves))
    }

    /// Adds the relations of which the row is an orphan, or whose missing key it gets.
    fn add_conditions_of_orphans(&self, group: &mut RowGroup<'s>, change: &Change) -> Option<()> {
        for reason in &change.reasons {
            let relation = self.schema_index.relation(&reason.relation);
            match reason.role {
                ChangeRole::Orphan => {
                    let relation = relation?;
                    if self.schema.child(&self.schema.relations[relation]).name == change.table {
                        group.orphan_of.push(relation);
                    }
                }
                ChangeRole::Parent if group.kind == RowChangeKind::Insert => {
                    let Some(relation) = relation else { continue };
                    if !is_its_parent(self.schema, &self.schema.relations[relation], change) {
                        continue;
                    }
                    let mut names = self.schema.parent_columns(&self.schema.relations[relation]);
                    if !names.all(|column| group.set.iter().any(|(name, _)| *name == column.name)) {
                        return None;
                    }
                    group.missing_in.push(relation);
                }
                _ => {}
            }
        }
        (group.orphan_of.is_empty() || group.kind != RowChangeKind::Insert).then_some(())
    }

    /// Adds the relations in which the changed row needs a parent.
    fn add_conditions_of_parents(&self, group: &mut RowGroup<'s>, change: &Change) -> Option<()> {
        for &(id, relation) in self.schema_index.relations_from_named(&change.table) {
            let is_concerned = self.watched.contains(&id)
                && takes_reference(self.schema, relation, change)
                && !may_be_orphan(self.direction, change, relation);
            if !is_concerned {
                continue;
            }
            let is_set = |name: &str| group.set.iter().any(|(set, _)| set == name);
            let is_insert = group.kind == RowChangeKind::Insert;
            let can_tell = relation.scope.is_everything()
                && self.schema.child_columns(relation).all(|column| !column.generated)
                && (!is_insert || self.schema.child_column_names(relation).all(is_set));
            if !can_tell {
                return None;
            }
            group.needs_parent_in.push(id);
        }
        Some(())
    }

    /// Returns the relations in which a deleted row is a parent. `None` if an update changes the key of a parent, or the references
    /// to it cannot be compared with the plan.
    fn left_keys(&self, group: &RowGroup<'s>, change: &Change) -> Option<Vec<RelationId>> {
        let mut leaves = Vec::new();
        for &(id, relation) in self.schema_index.relations_to_named(&change.table) {
            if !self.watched.contains(&id) || !leaves_key(self.schema, relation, change) {
                continue;
            }
            let can_compare = change.adopts.is_some() && !identity_columns(self.schema.child(relation)).is_empty();
            if group.kind != RowChangeKind::Delete || !can_compare {
                return None;
            }
            leaves.push(id);
        }
        Some(leaves)
    }
}

/// Returns a line with the names of its columns. `None` if both images exist with different columns.
pub(super) fn change(line: &SetLine, direction: Direction) -> Option<Change> {
    let group = &line.group;
    let image = |columns: &Arc<[String]>, values: &[Value]| Some(Row::of(columns, values.to_vec()));
    let (before, after) =
        match (&group.images, direction) {
            (GroupImages::Insert { columns }, Direction::Apply)
            | (GroupImages::Delete { columns }, Direction::Undo) => (None, image(columns, &line.after)),
            (GroupImages::Delete { columns }, Direction::Apply)
            | (GroupImages::Insert { columns }, Direction::Undo) => (image(columns, &line.before), None),
            (GroupImages::Update { columns, set }, _) => {
                let mut after = line.before.clone();
                for (&position, value) in set.iter().zip(&line.after) {
                    after.get_mut(position)?.clone_from(value);
                }
                (image(columns, &line.before), image(columns, &after))
            }
            (GroupImages::Replace { .. }, _) => return None,
        };
    let row = Row::of(&group.row, line.name.clone());
    let mut change = Change::new(group.table.clone(), row, before, after);
    (change.address, change.adopts) = (line.address, line.adopts.clone());
    (change.reasons, change.orphan_of) = (group.reasons.clone(), group.orphan_of.clone());
    Some(change)
}

/// Returns the columns that get new values, with their positions in [`SetLine::after`]. `None` if the line does not change all of
/// them: the conditions of the group follow from the columns that change.
fn set_columns(line: &SetLine, change: &Change) -> Option<Vec<(String, usize)>> {
    let names: Vec<String> = match &line.group.images {
        GroupImages::Update { columns, set } => {
            let names: Vec<String> = set.iter().map(|&position| columns[position].clone()).collect();
            let changed = change.set();
            if !changed.columns().eq(names.iter().map(String::as_str)) {
                return None;
            }
            names
        }
        _ => change.after.iter().flat_map(|row| row.columns().map(str::to_owned)).collect(),
    };
    Some(names.into_iter().enumerate().map(|(position, name)| (name, position)).collect())
}

/// True if the image of each line has the columns that identify the row, and the row keeps them.
fn has_name_in_images(group: &RowGroup<'_>) -> bool {
    let is_set = |name: &String| group.set.iter().any(|(set, _)| set == name);
    group.name.iter().all(|name| match group.kind {
        RowChangeKind::Insert => is_set(name),
        RowChangeKind::Update | RowChangeKind::Delete => group.before.contains(name) && !is_set(name),
    })
}

/// True if an image has all stored columns of its table, and no other.
fn is_whole_image(table: &Table, image: &Row) -> bool {
    let mut stored = table.columns.iter().filter(|column| !column.generated);
    let count = stored.clone().count();
    image.len() == count && stored.all(|column| image.has(&column.name))
}

/// Returns the column that sets the address of an inserted row, if the change fixes the address.
fn address_column(table: &Table, change: &Change) -> Option<String> {
    let name = table.row_address.as_ref()?;
    let is_in_image = change.after.as_ref().is_some_and(|after| after.has(name));
    let is_fixed = change.address.is_some() || (change.row.has(name) && !is_in_image);
    is_fixed.then(|| name.clone())
}
