//! The order in which the twins go, and the children that are quarantined with them: each row before the rows to which it
//! refers.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use super::row_numbers::RowNumbers;
use crate::model::catalog::TableName;
use crate::model::ids::TableId;
use crate::model::plan::ChangeRole;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::plan_draft::Step;
use crate::treat::Planner;
use crate::treat::TreatError;

/// A row that the plan deletes: its table, and its number among the deleted rows of the table.
type Deleted = (TableId, usize);

/// The deleted rows of each table, in the order in which they were planned.
type DeletedRows = BTreeMap<TableId, RowNumbers>;

impl<'a> Planner<'a> {
    /// Puts the deletes of all merges in order. Only a row that refers to another deleted row, or to which one refers, changes
    /// its position.
    pub(super) fn order_deletes(&mut self) -> Result<(), TreatError> {
        let tables = self.draft.tables();
        let loses_rows = |table: TableId| {
            let name = self.schema.tables[table].name.to_string();
            tables.iter().any(|changes| changes.deleted > 0 && changes.table == name)
        };
        let is_between = |relation: &&Relation| {
            let refers = !relation.parent.columns.is_empty();
            refers && loses_rows(relation.child) && relation.parent.table.is_some_and(loses_rows)
        };
        let schema = self.schema;
        let relations: Vec<&Relation> = schema.relations.iter().filter(is_between).collect();
        if relations.is_empty() {
            return Ok(());
        }
        let rows = self.deleted_rows(&relations)?;
        let mut children: BTreeMap<Deleted, Vec<Deleted>> = BTreeMap::new();
        for relation in relations {
            self.add_deleted_children(relation, &rows, &mut children)?;
        }
        for (table, number) in children_first(&children) {
            self.delete_next(table, &rows[&table].name(number))?;
        }
        Ok(())
    }

    /// Returns the deleted rows of the tables of these relations.
    fn deleted_rows(&self, relations: &[&Relation]) -> Result<DeletedRows, TreatError> {
        let mut rows = DeletedRows::new();
        let ends = relations.iter().flat_map(|relation| [Some(relation.child), relation.parent.table]);
        for table in ends.flatten() {
            rows.entry(table).or_insert_with(|| RowNumbers::new(self.identity_of(table)));
        }
        let tables: HashMap<&TableName, TableId> =
            rows.keys().map(|&table| (&self.schema.tables[table].name, table)).collect();
        self.draft.each_in(Step::Delete, |change| {
            let is_merged = matches!(change.role(), ChangeRole::Twin | ChangeRole::Repointed);
            let table = tables.get(&change.table).filter(|_| is_merged);
            if let Some(rows) = table.and_then(|table| rows.get_mut(table)) {
                rows.number(&change.row);
            }
            Ok::<(), TreatError>(())
        })?;
        Ok(rows)
    }

    /// Adds the deleted children of the deleted parents of a relation.
    fn add_deleted_children(
        &mut self,
        relation: &Relation,
        rows: &DeletedRows,
        children: &mut BTreeMap<Deleted, Vec<Deleted>>,
    ) -> Result<(), TreatError> {
        let Some((table, parents)) = relation.parent.table.and_then(|table| Some((table, rows.get(&table)?))) else {
            return Ok(());
        };
        self.each_child(relation, parents, &mut |number, values| {
            let parent = (table, number);
            let child = rows[&relation.child].number_of(values).map(|number| (relation.child, number));
            if let Some(child) = child.filter(|child| *child != parent) {
                children.entry(parent).or_default().push(child);
            }
        })
    }

    /// Moves the delete of a row, with its record, to the end of the deletes.
    fn delete_next(&mut self, table: TableId, name: &RowName) -> Result<(), TreatError> {
        let Some(change) = self.draft.get(&self.schema.tables[table].name, name)? else { return Ok(()) };
        let members = self.draft.members_with(&change)?;
        let unit = self.draft.unit(Step::Delete);
        for member in members {
            self.draft.put_in(unit, &member)?;
        }
        Ok(())
    }
}

/// Returns all rows, each after its children. Of rows that refer to each other in a circle, any is first.
fn children_first(children: &BTreeMap<Deleted, Vec<Deleted>>) -> Vec<Deleted> {
    let mut order = Vec::new();
    let mut begun: BTreeSet<Deleted> = BTreeSet::new();
    for &root in children.keys() {
        let mut path = Vec::new();
        if begun.insert(root) {
            path.push((root, 0));
        }
        while let Some((row, next)) = path.last_mut() {
            let child = children.get(row).and_then(|children| children.get(*next));
            *next += 1;
            match child {
                Some(&child) if begun.insert(child) => path.push((child, 0)),
                Some(_) => {}
                None => {
                    order.push(*row);
                    path.pop();
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Id;

    #[test]
    fn each_row_follows_its_children() {
        let row = |number: usize| (TableId::from_index(number % 2), number);
        // A long chain, whose rows have two children each, and a circle at its end.
        let last = 100_000;
        let mut children: BTreeMap<Deleted, Vec<Deleted>> =
            (0..last).map(|number| (row(number), vec![row(number + 2), row(number + 1)])).collect();
        children.insert(row(last + 1), vec![row(last)]);
        children.insert(row(last), vec![row(last + 1)]);
        let order = children_first(&children);
        let position: BTreeMap<Deleted, usize> = order.iter().enumerate().map(|(index, &row)| (row, index)).collect();
        assert_eq!((order.len(), position.len()), (last + 2, last + 2));
        for (parent, children) in children.iter().filter(|(parent, _)| parent.1 < last) {
            assert!(children.iter().all(|child| position[child] < position[parent]), "{parent:?}");
        }
    }
}
