//! References of rows that the plan creates or changes: each needs a parent that is stored or planned.

use super::Planner;
use super::TreatError;
use crate::model::catalog::Match;
use crate::model::ids::TableId;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::value::Key;
use crate::model::value::Value;

impl<'a> Planner<'a> {
    /// Returns a sentence about the first reference of a new row that has no parent.
    pub(super) fn missing_parent(&mut self, table: TableId, image: &Row) -> Result<Option<String>, TreatError> {
        for (_, relation) in self.relations_from(table).into_iter().filter(|(_, relation)| is_judged(relation)) {
            if !self.has_parent(relation, image, true)? {
                return Ok(Some(format!("{} would have no parent", relation.id)));
            }
        }
        Ok(None)
    }

    /// True if the reference has a parent. A new row may be its own parent. With `may_be_unfinished`, it may also refer to an unfinished
    /// sentinel.
    pub(super) fn has_parent(
        &mut self,
        relation: &Relation,
        image: &Row,
        may_be_unfinished: bool,
    ) -> Result<bool, TreatError> {
        let exists = self.have_parents(relation, &[image])?.pop().unwrap_or_default();
        let is_unfinished = || {
            let (parent, key) = (relation.parent.table?, self.reference(relation, image)?);
            Some(self.new_parents.is_sentinel_key(parent, &key))
        };
        Ok(exists || (may_be_unfinished && is_unfinished().unwrap_or_default()))
    }

    /// Returns for each row true if its reference is NULL, or its parent exists or is planned.
    pub(super) fn have_parents(&mut self, relation: &Relation, images: &[&Row]) -> Result<Vec<bool>, TreatError> {
        let keys: Vec<Option<Key>> = images.iter().map(|image| self.reference(relation, image)).collect();
        let given: Vec<&Key> = keys.iter().flatten().collect();
        let Some(parent) = relation.parent.table.filter(|_| !given.is_empty()) else {
            return Ok(keys.iter().map(Option::is_none).collect());
        };
        let columns = &relation.parent.columns;
        let mut present: Vec<bool> = self.stored_keys(parent, columns, &given)?.iter().map(Option::is_some).collect();
        if present.contains(&false) && self.rehearsal.tables.contains(&parent) {
            let table = &self.schema.tables[parent];
            let (rehearsal, sql) = self.rehearsal_of(parent)?;
            rehearsal.numbered(&sql.present_keys(table, columns, &given), given.len(), &mut |number, _| {
                present[number] = true
            })?;
        }
        let mut present = present.into_iter();
        Ok(keys.iter().map(|key| key.is_none() || present.next().unwrap_or_default()).collect())
    }

    /// Returns the reference of a row, unless it is NULL. Under MATCH FULL, a key that is NULL in part refers to no
    /// row.
    pub(super) fn reference(&self, relation: &Relation, image: &Row) -> Option<Key> {
        let key = image.key(self.schema.child_column_names(relation));
        let is_null = |key: &Key| match relation.match_rule {
            Match::Simple => key.contains(&Value::Null),
            Match::Full => key.iter().all(|value| *value == Value::Null),
        };
        key.filter(|key| !is_null(key))
    }
}

/// True if an engine compares the relation's keys, for all rows of the child.
pub(super) fn is_judged(relation: &Relation) -> bool {
    !matches!(relation.judge, Judge::Incomparable(_)) && relation.scope.is_everything()
}
