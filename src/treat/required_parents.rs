//! Parents that a new row itself needs. A reference of a new row that may not be NULL refers to the sentinel of its table, or
//! to a parent of its own.
//!
//! The recursion ends on any schema. A required parent is the sentinel of its table, which is created at most once. A row of
//! a table that requires itself refers to itself.

use super::Planner;
use super::Stop;
use super::parents::NewRow;
use super::references::is_judged;
use crate::model::catalog::Column;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::model::value::Value;

impl<'a> Planner<'a> {
    /// Gives each reference of a new row its parent. A reference with a value keeps it. Another reference stays NULL if it may,
    /// and otherwise refers to the sentinel.
    pub(super) fn fill_references(
        &mut self,
        new_row: &mut NewRow<'_>,
        defaults: &[(String, String)],
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<(), Stop> {
        let schema = self.schema;
        let table = &schema.tables[new_row.table];
        let relations = self.relations_from(new_row.table);
        for (_, relation) in relations.into_iter().filter(|(_, relation)| is_judged(relation)) {
            let needed: Vec<&Column> = schema
                .child_columns(relation)
                .filter(|column| column.not_null && new_row.values.get(&column.name).is_none())
                .filter(|column| !defaults.iter().any(|(name, _)| *name == column.name))
                .collect();
            if needed.is_empty() {
                continue;
            }
            if needed.len() < relation.child_columns.len() {
                return Stop::undecided(format!("only some columns of {} have a value", relation.id));
            }
            let Some(parent) = relation.parent.table else {
                return Stop::undecided(format!("its own parent table {} is missing", relation.parent.name));
            };
            let key = match self.required_parent(new_row, relation, parent, depth, made) {
                Err(Stop::Undecided(why)) => {
                    return Stop::undecided(format!("its own parent in {}: {why}", relation.parent.name));
                }
                key => key?,
            };
            for (&column, value) in relation.child_columns.iter().zip(key) {
                new_row.values.push(&table.columns[column].name, value);
            }
        }
        Ok(())
    }

    /// Returns the key of the parent that a new row must refer to. This is the sentinel, or a parent of its own if a unique
    /// index forbids to share the sentinel.
    fn required_parent(
        &mut self,
        new_row: &NewRow<'_>,
        relation: &Relation,
        parent: TableId,
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<Key, Stop> {
        let columns = &relation.parent.columns;
        let names: Vec<String> =
            columns.iter().map(|&column| self.schema.tables[parent].columns[column].name.clone()).collect();
        if parent == new_row.table {
            let own = new_row.values.key(names.iter().map(|name| name.as_ref()));
            return own.map_or_else(|| Stop::undecided("it would have to refer to itself, and has no key yet"), Ok);
        }
        let child = &self.schema.tables[new_row.table];
        let is_unique = child.indexes.iter().any(|index| {
            index.unique
                && index
                    .columns
                    .iter()
                    .all(|part| part.column.is_some_and(|column| relation.child_columns.contains(&column)))
        });
        if depth > self.schema.tables.len() {
            return Stop::undecided("its required parents form a chain without end".to_owned());
        }
        let [column] = columns[..] else {
            return Stop::undecided("its key has several columns: give them in `values`".to_owned());
        };
        if let Some(key) = self.new_parents.sentinels.get(&parent).filter(|_| !is_unique) {
            if self.new_parents.unfinished.contains(&parent) && !self.sql.can_insert_cycles() && !relation.deferrable {
                let child = &child.name;
                return Stop::undecided(format!(
                    "rows of {child} and {} require each other, so neither can be created first",
                    relation.parent.name
                ));
            }
            return Ok(vec![key.clone()]);
        }
        let about = &self.schema.tables[parent].columns[column];
        let seed = if is_unique { new_row.seed.clone() } else { vec![Value::text("unknown")] };
        let Some(key) = self.fresh_key(parent, about, &seed)? else {
            return Stop::undecided(format!("{} needs a value", about.name));
        };
        if !is_unique {
            // The sentinel is registered before it is created, so that a cycle of required parents ends here.
            self.new_parents.sentinels.insert(parent, key.clone());
            self.new_parents.unfinished.insert(parent);
        }
        let values = Row::from(vec![(about.name.as_str(), key.clone())]);
        let sentinel = NewRow::new(parent, values, &seed, new_row.reason.clone());
        let image = self.make(sentinel, columns, depth + 1, made);
        if !is_unique {
            self.new_parents.unfinished.remove(&parent);
        }
        let (_, image) = image?;
        Ok(names.iter().filter_map(|name| image.get(name).cloned()).collect())
    }
}
