//! Rows that refer to other rows. They are read for many rows at a time, because a child without an index is read as a whole each
//! time.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use super::CHUNK;
use super::Planner;
use super::TreatError;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::value::exact_bytes;
use crate::sql::row_sets::finds_children;

/// The greatest number of dependants that are known at a time, which bounds the memory.
const MOST_DEPENDANTS: usize = 200_000;

/// The children of rows, as far as they were read ahead.
#[derive(Default)]
pub(super) struct KnownChildren {
    /// By relation and the name of the parent.
    of: HashMap<(RelationId, Vec<u8>), Vec<RowName>>,
    rows: usize,
}

impl<'a> Planner<'a> {
    /// Returns the columns that identify a row of the table.
    pub(super) fn identity_of(&self, table: TableId) -> Arc<[String]> {
        identity_columns(&self.schema.tables[table]).into_iter().map(str::to_owned).collect()
    }

    /// Returns the relations whose child is this table.
    pub(super) fn relations_from(&self, table: TableId) -> Vec<(RelationId, &'a Relation)> {
        self.schema_index.relations_from(table).to_vec()
    }

    /// Returns the relations to a table, or those whose parent key has any of these columns.
    pub(super) fn relations_to(&self, table: TableId, changed: Option<&[usize]>) -> Vec<(RelationId, &'a Relation)> {
        match changed {
            Some(changed) => self.schema_index.relations_to_columns(table, changed).collect(),
            None => self
                .schema_index
                .relations_to(table)
                .iter()
                .filter(|(_, to)| !to.parent.columns.is_empty())
                .copied()
                .collect(),
        }
    }

    /// Returns the children of each of these parents. `None` if they are more than this number.
    pub(super) fn children_of(
        &mut self,
        relation: &Relation,
        parents: &[&RowName],
        most: usize,
    ) -> Result<Option<Vec<Vec<RowName>>>, TreatError> {
        let names = self.identity_of(relation.child);
        let mut children: Vec<Vec<RowName>> = vec![Vec::new(); parents.len()];
        let mut found = 0;
        for (chunk, children) in parents.chunks(CHUNK).zip(children.chunks_mut(CHUNK)) {
            let query = self.sql.referencing_rows(self.schema, relation, chunk);
            self.lookups.numbered(&query, chunk.len(), &mut |number, values| {
                found += 1;
                if found <= most {
                    children[number].push(RowName::of(&names, values.to_vec()));
                }
            })?;
            if found > most {
                return Ok(None);
            }
        }
        Ok(Some(children))
    }

    /// Returns the children of these parents, each with the index of its parent.
    pub(super) fn numbered_children(
        &mut self,
        id: RelationId,
        parents: &[RowName],
    ) -> Result<Vec<(usize, RowName)>, TreatError> {
        let known = |parent: &RowName| self.known_children.of.get(&(id, exact_bytes(parent.values())));
        let known: Option<Vec<&Vec<RowName>>> = parents.iter().map(known).collect();
        if let Some(known) = known {
            let children = known.into_iter().enumerate();
            return Ok(children.flat_map(|(index, rows)| rows.iter().map(move |row| (index, row.clone()))).collect());
        }
        let parents: Vec<&RowName> = parents.iter().collect();
        let children = self.children_of(&self.schema.relations[id], &parents, usize::MAX)?.unwrap_or_default();
        let children = children.into_iter().enumerate();
        Ok(children.flat_map(|(index, rows)| rows.into_iter().map(move |row| (index, row))).collect())
    }

    /// Reads the rows that depend on these, directly or through other rows, if no index finds some of them. Forgets those that
    /// were read before.
    pub(super) fn read_dependants(&mut self, table: TableId, rows: Vec<RowName>) -> Result<(), TreatError> {
        self.known_children = KnownChildren::default();
        if rows.is_empty() || !self.has_slow_dependants(table) {
            return Ok(());
        }
        let mut open = vec![(table, rows)];
        while let Some((table, parents)) = open.pop() {
            let parents: Vec<&RowName> = parents.iter().collect();
            for (id, relation) in self.relations_to(table, None) {
                let most = MOST_DEPENDANTS - self.known_children.rows;
                let Some(children) = self.children_of(relation, &parents, most)? else { return Ok(()) };
                let mut new = Vec::new();
                for (parent, children) in parents.iter().zip(children) {
                    // Rows that refer to each other in a circle are read once.
                    self.known_children.of.entry((id, exact_bytes(parent.values()))).or_insert_with(|| {
                        self.known_children.rows += children.len();
                        new.extend_from_slice(&children);
                        children
                    });
                }
                if !new.is_empty() && !self.identity_of(relation.child).is_empty() {
                    open.push((relation.child, new));
                }
            }
        }
        Ok(())
    }

    /// True if rows can depend on rows of a table, directly or through other rows, and no index finds them.
    fn has_slow_dependants(&self, table: TableId) -> bool {
        let (mut open, mut visited) = (vec![table], BTreeSet::from([table]));
        while let Some(table) = open.pop() {
            for (_, relation) in self.relations_to(table, None) {
                if !finds_children(self.schema, relation) {
                    return true;
                }
                if visited.insert(relation.child) {
                    open.push(relation.child);
                }
            }
        }
        false
    }
}
