//! Sorts the changes of a plan into groups of one shape. The rows of a group can be changed in sets, by statements that check the
//! group's conditions. A change that has no group is made row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Direction;
use super::lookahead::is_its_parent;
use super::references::leaves_key;
use super::references::may_be_orphan;
use super::references::takes_reference;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::schema::Schema;
use crate::model::value::Value;

/// The groups of a run, in the order in which the plan needs them.
pub(super) struct Groups<'s> {
    schema: &'s Schema,
    direction: Direction,
    /// The relations that were checked when the plan was made.
    watched: Vec<RelationId>,
    tables: BTreeMap<String, Arc<Table>>,
    shapes: Vec<(Shape, Option<usize>)>,
    /// The shape of the previous change, and the one before it. Most changes have one of them.
    recent: [usize; 2],
    pub(super) groups: Vec<Arc<RowGroup<'s>>>,
    /// For each group, the relations in which a deleted row is a parent.
    pub(super) leaves: Vec<Vec<RelationId>>,
}

/// All properties of a change except its values.
struct Shape {
    table: String,
    kind: RowChangeKind,
    name: Row,
    /// The image before and after, of which only the columns count.
    before: Option<Row>,
    after: Option<Row>,
    set: Vec<usize>,
    has_address: bool,
    reasons: Vec<ChangeReason>,
    orphan_of: Vec<String>,
    lists_orphans: bool,
}

impl Shape {
    fn of(change: &Change) -> Option<Shape> {
        let kind = kind(change)?;
        let mut set = Vec::new();
        each_set_position(change, &mut |position| set.push(position));
        Some(Shape {
            table: change.table.to_string(),
            kind,
            name: change.row.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
            set,
            has_address: change.address.is_some(),
            reasons: change.reasons.clone(),
            orphan_of: change.orphan_of.clone(),
            lists_orphans: change.adopts.is_some(),
        })
    }

    fn is_shape_of(&self, change: &Change) -> bool {
        let are_alike = |left: &Option<Row>, right: &Option<Row>| match (left, right) {
            (Some(left), Some(right)) => left.has_columns_of(right),
            (None, None) => true,
            _ => false,
        };
        let mut set = self.set.iter();
        let mut is_set_equal = true;
        let is_table = match &change.table.schema {
            None => self.table == change.table.table,
            Some(_) => self.table == change.table.to_string(),
        };
        is_table
            && self.name.has_columns_of(&change.row)
            && are_alike(&self.before, &change.before)
            && are_alike(&self.after, &change.after)
            && self.has_address == change.address.is_some()
            && self.reasons == change.reasons
            && self.orphan_of == change.orphan_of
            && self.lists_orphans == change.adopts.is_some()
            && {
                each_set_position(change, &mut |position| is_set_equal &= set.next() == Some(&position));
                is_set_equal && set.next().is_none()
            }
    }
}

fn kind(change: &Change) -> Option<RowChangeKind> {
    match (&change.before, &change.after) {
        (None, Some(_)) => Some(RowChangeKind::Insert),
        (Some(_), Some(_)) => Some(RowChangeKind::Update),
        (Some(_), None) => Some(RowChangeKind::Delete),
        (None, None) => None,
    }
}

/// Calls `each` with the positions of the values in the image after that the change sets, in order.
fn each_set_position(change: &Change, each: &mut dyn FnMut(usize)) {
    let Some(after) = &change.after else { return };
    match &change.before {
        None => (0..after.len()).for_each(each),
        Some(before) if before.has_columns_of(after) => {
            let values = before.values().iter().zip(after.values()).enumerate();
            values.filter(|(_, (old, new))| !old.is_same(new)).for_each(|(position, _)| each(position));
        }
        Some(before) => {
            let values = after.iter().enumerate();
            let changed = values.filter(|(_, (name, new))| !before.get(name).is_some_and(|old| old.is_same(new)));
            changed.for_each(|(position, _)| each(position));
        }
    }
}

impl<'s> Groups<'s> {
    pub(super) fn new(
        schema: &'s Schema,
        direction: Direction,
        watched: &[RelationId],
        tables: &BTreeMap<String, Table>,
    ) -> Groups<'s> {
        let tables = tables.iter().map(|(name, table)| (name.clone(), Arc::new(table.clone()))).collect();
        Groups {
            schema,
            direction,
            watched: watched.to_vec(),
            tables,
            shapes: Vec::new(),
            recent: [0, 0],
            groups: Vec::new(),
            leaves: Vec::new(),
        }
    }

    /// Returns the group of a change; `None` if the change must be made row by row. `is_supported` is asked about each new group.
    pub(super) fn group<E>(
        &mut self,
        change: &Change,
        is_supported: &mut dyn FnMut(&RowGroup<'_>) -> Result<bool, E>,
    ) -> Result<Option<usize>, E> {
        let is_shape = |index: &usize| self.shapes.get(*index).is_some_and(|(shape, _)| shape.is_shape_of(change));
        let known = self.recent.into_iter().find(is_shape).or_else(|| (0..self.shapes.len()).find(is_shape));
        let index = match known {
            Some(index) => index,
            None => {
                let Some(shape) = Shape::of(change) else { return Ok(None) };
                let mut group = None;
                if let Some((made, leaves)) = self.make(&shape, change)
                    && is_supported(&made)?
                {
                    group = Some(self.groups.len());
                    self.groups.push(Arc::new(made));
                    self.leaves.push(leaves);
                }
                self.shapes.push((shape, group));
                self.shapes.len() - 1
            }
        };
        if self.recent[0] != index {
            self.recent = [index, self.recent[0]];
        }
        let group = self.shapes[index].1;
        Ok(group.filter(|&group| self.leaves[group].is_empty() || is_named_by_image(change)))
    }

    /// Returns the group of a shape, and the relations in which its deleted rows are parents. `None` if sets cannot change them.
    fn make(&self, shape: &Shape, change: &Change) -> Option<(RowGroup<'s>, Vec<RelationId>)> {
        let table = self.tables.get(&shape.table)?;
        let has_whole_image = shape.before.as_ref().is_none_or(|before| is_whole_image(table, before));
        if change.role() == ChangeRole::Counter || !has_whole_image || shape.name.is_empty() {
            return None;
        }
        let after = shape.after.as_ref().map(|after| after.column_names().clone()).unwrap_or_else(|| Arc::new([]));
        let set: Vec<(String, usize)> = shape.set.iter().map(|&position| (after[position].clone(), position)).collect();
        let is_known = |(name, _): &(String, usize)| table.columns.iter().any(|c| c.name == *name && !c.generated);
        if !set.iter().all(is_known) || (set.is_empty() && shape.kind != RowChangeKind::Delete) {
            return None;
        }
        let mut group = RowGroup {
            schema: self.schema,
            table: Arc::clone(table),
            kind: shape.kind,
            role: change.role(),
            name: shape.name.column_names().clone(),
            before: shape
                .before
                .as_ref()
                .map_or_else(|| Arc::new([]) as Arc<[String]>, |row| row.column_names().clone()),
            set,
            address: None,
            orphan_of: Vec::new(),
            missing_in: Vec::new(),
            needs_parent_in: Vec::new(),
        };
        if shape.kind == RowChangeKind::Insert {
            group.address = address_column(table, change);
        }
        if self.direction == Direction::Apply {
            self.add_conditions_of_orphans(&mut group, change)?;
        }
        self.add_conditions_of_parents(&mut group, change)?;
        let leaves = self.left_keys(&group, change)?;
        Some((group, leaves))
    }

    /// Adds the relations of which the row is an orphan, or whose missing key it gets.
    fn add_conditions_of_orphans(&self, group: &mut RowGroup<'s>, change: &Change) -> Option<()> {
        for reason in &change.reasons {
            let relation = self.schema.relations.position(|relation| relation.id == reason.relation);
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
        for &id in &self.watched {
            let relation = &self.schema.relations[id];
            let is_concerned = self.schema.child(relation).name == change.table
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
        for &id in &self.watched {
            let relation = &self.schema.relations[id];
            if !is_its_parent(self.schema, relation, change) || !leaves_key(self.schema, relation, change) {
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

/// True if the image before contains the row's name, so that a row with this image also has this name.
fn is_named_by_image(change: &Change) -> bool {
    let Some(before) = &change.before else { return true };
    change.row.iter().all(|(name, value)| match before.get(name) {
        Some(stored) => stored.is_same(value),
        None => value.as_integer().is_some(),
    })
}

/// Returns a change as a line of a batch.
pub(super) fn batch_line(group: usize, change: &Change) -> BatchLine<'_> {
    BatchLine {
        group,
        name: change.row.values(),
        // A row without a key is named by its address.
        address: change.address.or_else(|| change.row.values().first().and_then(Value::as_integer)),
        before: change.before.as_ref().map_or(&[], Row::values),
        after: change.after.as_ref().map_or(&[], Row::values),
    }
}
