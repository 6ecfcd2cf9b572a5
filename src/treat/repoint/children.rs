//! The children of twins. Each child is pointed at the kept row. If a unique key is in the way, the rule's policy decides.

use super::collisions::Taken;
use super::merge::Merge;
use super::merge::MergedRow;
use super::merge::reason;
use super::rehearsed::Trial;
use crate::model::catalog::Table;
use crate::model::forecast::PlanRefusal;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::ChangeRole;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::TwinConflict;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::treat::Planner;
use crate::treat::Stop;
use crate::treat::TreatError;
use crate::treat::unrehearsed::is_certain_update;

/// The greatest number of rows that are merged because of each other.
const DEEPEST: usize = 100;

impl<'a> Planner<'a> {
    /// Points the children of a row at the row that is kept, and deletes the row.
    pub(super) fn merge_into(
        &mut self,
        merge: &mut Merge<'_, 'a>,
        table: TableId,
        twin: &RowName,
        kept: &RowName,
    ) -> Result<(), Stop> {
        let about = &self.schema.tables[table];
        let index = self.merged_row(merge, table, twin)?;
        if merge.rows[index].now.is_none() {
            return Ok(());
        }
        if let Some(why) = &about.irreversible {
            return Stop::undecided(format!("{} {why}", about.name));
        }
        if merge.open.contains(&index) || merge.open.len() > DEEPEST {
            return Stop::undecided(format!(
                "rows of {} would have to be merged with each other in a circle",
                about.name
            ));
        }
        let target = self.merged_row(merge, table, kept)?;
        let Some((_, target)) = merge.rows[target].now.clone() else {
            return Stop::undecided("the plan deletes the row that is to be kept");
        };
        let (before, earlier) = (merge.rows[index].before.clone(), merge.rows[index].reasons().to_vec());
        if self.is_needed(table, &before, None) {
            return Stop::undecided("another change of this plan refers to it: apply the plan, then plan again");
        }
        merge.is_chained |= merge.rows[index].was_changed();
        merge.open.push(index);
        for (id, _) in self.relations_to(table, None) {
            self.repoint_children(merge, id, (twin, index), &target)?;
        }
        merge.open.pop();
        if let (true, Some(later), false) = (merge.is_chained, merge.deleted_later, self.sql.can_delete_cycles()) {
            let name = &self.schema.tables[later].name;
            return Stop::undecided(format!("a row of {name} refers to it, and neither can be deleted first"));
        }
        let counted = self.count_loss_by(merge.about.cause(), table, &earlier)?;
        merge.counted.push(counted);
        merge.change(index, None, reason(merge.about, ChangeRole::Twin, None));
        Ok(())
    }

    /// Points all stored children of a row at another row. The row has this name and index; the new parent has this image.
    fn repoint_children(
        &mut self,
        merge: &mut Merge<'_, 'a>,
        id: RelationId,
        (parent, parent_index): (&RowName, usize),
        target: &Row,
    ) -> Result<(), Stop> {
        let relation = &self.schema.relations[id];
        let children = match merge.ahead.children(id, parent) {
            Some(children) => children.to_vec(),
            None => {
                let children = self.numbered_children(id, std::slice::from_ref(parent))?;
                children.into_iter().map(|(_, child)| child).collect()
            }
        };
        if !children.is_empty() && !self.has_identity(relation.child) {
            let name = &self.schema.child(relation).name;
            return Stop::undecided(format!("rows of {name} refer to it and cannot be identified"));
        }
        for name in children {
            let index = self.merged_row(merge, relation.child, &name)?;
            if index == parent_index {
                continue;
            }
            merge.rows[parent_index].has_dependants = true;
            if merge.rows[index].now.is_none() {
                if !merge.deletes.contains(&index) {
                    merge.deleted_later = Some(relation.child);
                }
                continue;
            }
            self.repoint_child(merge, relation, index, target)?;
        }
        Ok(())
    }

    /// True if the new image of a row needs no rehearsal: nothing can refuse or alter it.
    fn is_certain_image(
        &mut self,
        table: TableId,
        row: &MergedRow,
        after: &Row,
        changed: &[usize],
    ) -> Result<bool, TreatError> {
        let about = &self.schema.tables[table];
        Ok(!row.was_planned()
            && !row.was_changed()
            && is_certain_update(self.sql, about, (&row.before, after), changed)
            && !self.has_conditions(table)?)
    }

    /// Points one row at another parent.
    fn repoint_child(
        &mut self,
        merge: &mut Merge<'_, 'a>,
        relation: &'a Relation,
        index: usize,
        target: &Row,
    ) -> Result<(), Stop> {
        let schema = self.schema;
        let table = relation.child;
        let about = schema.child(relation);
        if let Some(why) = &about.irreversible {
            return Stop::undecided(format!("a row of {} would change, and {} {why}", about.name, about.name));
        }
        let Some((name, image)) = merge.rows[index].now.clone() else { return Ok(()) };
        let (after, changed) = self.under_key_of(relation, &image, target)?;
        if changed.is_empty() {
            return Ok(());
        }
        let own = merge.rows[index].name.clone();
        let is_certain = self.is_certain_image(table, &merge.rows[index], &after, &changed)?;
        let trial = if is_certain {
            Trial::Stored(name.clone(), after)
        } else if let Some(taken) = self.taken_key(merge, table, &own, &after, &changed)? {
            Trial::Taken(taken)
        } else {
            self.try_row(&mut merge.rehearsed, table, (&name, &image), &after)?
        };
        let (new_name, after) = match trial {
            Trial::Stored(name, image) => (name, image),
            Trial::Taken(taken) => return self.resolve_conflict(merge, relation, index, taken),
        };
        // A row under a new key is inserted, so that all of its references are checked.
        let checked = if new_name.is_same(&own) { Some(changed.as_slice()) } else { None };
        self.check_other_parents(relation, &after, checked)?;
        // An earlier relation may have changed another column of the row.
        let differing = differing_columns(about, &merge.rows[index].before, &after);
        if !is_certain && !self.is_unique_affected(table, &differing) && !merge.rows[index].was_planned() {
            self.forget_last_rehearsed(&mut merge.rehearsed)?;
        }
        let is_moved = !new_name.is_same(&own);
        let dependants = self.relations_to(table, Some(&changed));
        if !dependants.is_empty() {
            let before = merge.rows[index].before.clone();
            if self.is_needed(table, &before, Some(&changed)) {
                return Stop::undecided(format!(
                    "another change of this plan refers to the old key of a row of {}",
                    about.name
                ));
            }
            self.record_rekeying(table, &before, &changed);
        }
        self.require_row(relation, target);
        merge.change(
            index,
            Some((new_name, after.clone())),
            reason(merge.about, ChangeRole::Repointed, Some(&relation.id)),
        );
        *merge.children.entry(relation.id.clone()).or_default() += 1;
        for (dependant, _) in dependants {
            self.repoint_children(merge, dependant, (&own, index), &after)?;
        }
        // The row with the new key comes before the rows that refer to it change, and the row with the old key goes after. Both
        // exist for a while, so the row must have another name, and no other unique key.
        let is_divisible = is_moved && !self.has_other_unique_key(table, &changed);
        if merge.rows[index].has_dependants && !is_divisible {
            return Stop::undecided(format!("rows refer to a row of {} that would get another key", about.name));
        }
        Ok(())
    }

    /// Returns a child's row with the key of another parent, and the columns that differ.
    fn under_key_of(&self, relation: &Relation, image: &Row, target: &Row) -> Result<(Row, Vec<usize>), Stop> {
        let about = self.schema.child(relation);
        let key: Option<Key> = target.key(self.schema.parent_columns(relation).map(|column| column.name.as_str()));
        let Some(key) = key.filter(|key| !key.contains(&Value::Null)) else {
            return Stop::undecided(format!("the row that is kept has no key for {}", relation.id));
        };
        let (mut after, mut changed) = (image.clone(), Vec::new());
        for (&column, value) in relation.child_columns.iter().zip(&key) {
            let column_name = &about.columns[column].name;
            if image.get(column_name).is_some_and(|old| old.is_same(value)) {
                continue;
            }
            if let Some(why) = about.columns[column].why_not_set() {
                return Stop::undecided(format!("{column_name} of {} {why}", about.name));
            }
            after.set(column_name, value.clone());
            changed.push(column);
        }
        Ok((after, changed))
    }

    /// Treats a child that cannot be pointed at the kept row, because another row has its unique key.
    fn resolve_conflict(
        &mut self,
        merge: &mut Merge<'_, 'a>,
        relation: &'a Relation,
        index: usize,
        taken: Taken,
    ) -> Result<(), Stop> {
        let name = merge.rows[index].name.clone();
        match (merge.about.repoint.on_conflict, taken.by) {
            (TwinConflict::MergeDelete, Some(other)) => self.merge_into(merge, relation.child, &name, &other),
            (TwinConflict::Skip | TwinConflict::MergeDelete, _) => Stop::undecided(taken.why),
            (TwinConflict::Fail, _) => {
                self.refusals.push(PlanRefusal {
                    rule: merge.about.rule.id.value.clone(),
                    relation: relation.id.clone(),
                    why: taken.why.clone(),
                    help: "on-conflict = \"merge-delete\" keeps such rows aside, \"skip\" leaves their twins"
                        .to_owned(),
                });
                Stop::undecided(taken.why)
            }
        }
    }

    /// Refuses a child that would have no parent in another relation. If `changed` is given, only relations with one of these
    /// columns can lose it.
    fn check_other_parents(&mut self, relation: &Relation, after: &Row, changed: Option<&[usize]>) -> Result<(), Stop> {
        let is_concerned = |other: &Relation| {
            other.id != relation.id
                && changed.is_none_or(|changed| other.child_columns.iter().any(|column| changed.contains(column)))
        };
        for (_, other) in self.relations_from(relation.child).into_iter().filter(|(_, other)| is_concerned(other)) {
            if !self.have_parents(other, &[after])?.pop().unwrap_or_default() {
                return Stop::undecided(format!(
                    "a row of {} would have no parent: {}",
                    self.schema.child(relation).name,
                    other.id
                ));
            }
        }
        Ok(())
    }
}

/// Returns the columns in which two images of a row differ.
fn differing_columns(table: &Table, before: &Row, after: &Row) -> Vec<usize> {
    let differs =
        |name: &str| before.get(name).zip(after.get(name)).is_some_and(|(before, after)| !before.is_same(after));
    (0..table.columns.len()).filter(|&column| differs(&table.columns[column].name)).collect()
}
