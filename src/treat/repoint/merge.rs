//! The changes of one twin while they are planned. They reach the draft together, once all of them are possible.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::RepointRule;
use super::Shared;
use super::read_ahead::ReadAhead;
use super::rehearsed::Rehearsed;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::has_own_address;
use crate::model::repoint::RepointForecast;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::TreatmentKind;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::plan_draft::Step;
use crate::plan_draft::Unit;
use crate::treat::Planner;
use crate::treat::Stop;
use crate::treat::TreatError;
use crate::treat::limits::Counted;

/// The changes for one twin.
pub(super) struct Merge<'m, 'a> {
    pub(super) about: &'m RepointRule<'a>,
    pub(super) shared: &'m mut Shared,
    pub(super) ahead: &'m ReadAhead<'m>,
    pub(super) rows: Vec<MergedRow>,
    /// The index of each row, by its table and stored name.
    indexes: HashMap<(TableId, Vec<u8>), usize>,
    /// The indexes of the rows that are inserted or updated, and of those that are deleted, in order.
    pub(super) writes: Vec<usize>,
    pub(super) deletes: Vec<usize>,
    pub(super) rehearsed: Vec<Rehearsed>,
    pub(super) counted: Vec<Counted>,
    /// The number of rows that are pointed at another parent, by relation.
    pub(super) children: BTreeMap<String, u64>,
    /// The rows that are being merged, to find cycles.
    pub(super) open: Vec<usize>,
    /// True if a row that is deleted referred to another twin.
    pub(super) is_chained: bool,
    /// The table of a row that refers to a deleted row, and that the plan deletes already.
    pub(super) deleted_later: Option<TableId>,
}

/// A stored row, and its state by the plan.
pub(super) struct MergedRow {
    pub(super) table: TableId,
    pub(super) name: RowName,
    address: Option<i64>,
    pub(super) before: Row,
    /// The name and the image after the plan; `None` if the plan deletes the row.
    pub(super) now: Option<(RowName, Row)>,
    /// The name under which the draft contains the row, if an earlier merge gave it another one.
    moved_to: Option<RowName>,
    reasons: Vec<ChangeReason>,
    was_planned: bool,
    /// True if rows of the plan refer to the new key of the row.
    pub(super) has_dependants: bool,
}

impl MergedRow {
    pub(super) fn reasons(&self) -> &[ChangeReason] {
        &self.reasons
    }

    /// True if the draft has a change of the row.
    pub(super) fn was_planned(&self) -> bool {
        self.was_planned
    }

    /// True if the plan changes the row, and does not delete it.
    pub(super) fn was_changed(&self) -> bool {
        self.now.as_ref().is_some_and(|(_, now)| !now.is_same(&self.before))
    }
}

impl<'m, 'a> Merge<'m, 'a> {
    pub(super) fn new(about: &'m RepointRule<'a>, shared: &'m mut Shared, ahead: &'m ReadAhead<'m>) -> Merge<'m, 'a> {
        Merge {
            about,
            shared,
            ahead,
            rows: Vec::new(),
            indexes: HashMap::new(),
            writes: Vec::new(),
            deletes: Vec::new(),
            rehearsed: Vec::new(),
            counted: Vec::new(),
            children: BTreeMap::new(),
            open: Vec::new(),
            is_chained: false,
            deleted_later: None,
        }
    }

    pub(super) fn index_of(&self, table: TableId, name: &RowName) -> Option<usize> {
        self.indexes.get(&(table, exact_bytes(name.values()))).copied()
    }

    /// Records the new state of a row.
    pub(super) fn change(&mut self, index: usize, now: Option<(RowName, Row)>, reason: ChangeReason) {
        let row = &mut self.rows[index];
        let list = if now.is_some() { &mut self.writes } else { &mut self.deletes };
        if !list.contains(&index) {
            list.push(index);
        }
        row.now = now;
        if !row.reasons.contains(&reason) {
            // The role of a change is that of its first reason.
            row.reasons.insert(0, reason);
        }
    }
}

impl<'a> Planner<'a> {
    /// Returns the index of a row in a merge, which reads the row if it is new there.
    pub(super) fn merged_row(
        &mut self,
        merge: &mut Merge<'_, 'a>,
        table: TableId,
        name: &RowName,
    ) -> Result<usize, Stop> {
        if let Some(index) = merge.index_of(table, name) {
            return Ok(index);
        }
        let about = &self.schema.tables[table];
        let Some(image) = self.stored_image(merge.ahead, table, name)? else {
            return Stop::undecided(format!("a row of {}: {}", about.name, crate::treat::TOO_LONG));
        };
        let planned = self.draft.get(&about.name, name)?;
        let was_planned = planned.is_some();
        let reasons = planned.as_ref().map(|planned| planned.reasons.clone()).unwrap_or_default();
        let moved_to = merge.shared.moved.new_name(table, name);
        let now = match (&moved_to, planned) {
            (Some(new), _) => {
                let after = self.draft.get(&about.name, new)?.and_then(|planned| planned.after);
                after.map(|after| (new.clone(), after))
            }
            (None, Some(planned)) => planned.after.map(|after| (name.clone(), after)),
            (None, None) => Some((name.clone(), image.columns.clone())),
        };
        let index = merge.rows.len();
        merge.indexes.insert((table, exact_bytes(name.values())), index);
        merge.rows.push(MergedRow {
            table,
            name: name.clone(),
            address: image.address,
            before: image.columns,
            now,
            moved_to,
            reasons,
            was_planned,
            has_dependants: false,
        });
        Ok(index)
    }

    /// Adds the changes of a merge to the draft: first the rows that get another parent, then the deletes.
    pub(super) fn finish_merge(
        &mut self,
        mut merge: Merge<'_, 'a>,
        forecast: &mut RepointForecast<Value>,
    ) -> Result<(), TreatError> {
        let rows = std::mem::take(&mut merge.rows);
        for index in std::mem::take(&mut merge.writes) {
            let row = &rows[index];
            match row.now.clone() {
                Some((name, image)) if row.name.is_same(&name) => self.put_update(row, image, &mut merge)?,
                Some((name, image)) => self.put_moved(row, name, image, &mut merge)?,
                None => {}
            }
        }
        for &index in &merge.deletes {
            let row = &rows[index];
            if let Some(earlier) = &row.moved_to {
                self.draft.take_away(&self.schema.tables[row.table].name, earlier)?;
            }
            let unit = self.draft.unit(Step::Delete);
            self.put_delete(row, Some(&merge.about.repoint.keep), &merge, unit)?;
            if merge.deletes.last() != Some(&index) {
                *forecast.removed.entry(self.schema.tables[row.table].name.to_string()).or_default() += 1;
            }
        }
        for (relation, rows) in std::mem::take(&mut merge.children) {
            *forecast.children.entry(relation).or_default() += rows;
        }
        Ok(())
    }

    /// Plans a row under another primary key: the old row goes, and the new one comes in the same unit. If other rows refer
    /// to it, the new row comes before they change, and the old row goes after.
    fn put_moved(
        &mut self,
        row: &MergedRow,
        name: RowName,
        image: Row,
        merge: &mut Merge<'_, 'a>,
    ) -> Result<(), TreatError> {
        let table = &self.schema.tables[row.table];
        if row.moved_to.as_ref().is_some_and(|earlier| earlier.is_same(&name)) {
            return self.amend_insert(row, &name, image);
        }
        if let Some(earlier) = &row.moved_to {
            self.draft.take_away(&table.name, earlier)?;
        }
        let old = self.draft.get(&table.name, &row.name)?.filter(|old| old.after.is_none());
        let unit = match (&old, row.has_dependants) {
            (_, true) => self.draft.unit(Step::Parent),
            (Some(old), false) => self.draft.unit_of(old, Step::Update)?,
            (None, false) => self.draft.unit(Step::Update),
        };
        if old.is_none() {
            let unit = if row.has_dependants { self.draft.unit(Step::Delete) } else { unit };
            self.put_delete(row, None, merge, unit)?;
        }
        self.put_insert(row, &name, image, unit)?;
        merge.shared.moved.insert(row.table, &row.name, &name);
        Ok(())
    }

    /// Plans the new image of a row. A change that is planned already keeps its position.
    fn put_update(&mut self, row: &MergedRow, image: Row, merge: &mut Merge<'_, 'a>) -> Result<(), TreatError> {
        let table = &self.schema.tables[row.table];
        let planned = if row.was_planned { self.draft.get(&table.name, &row.name)? } else { None };
        let mut change = planned
            .unwrap_or_else(|| Change::new(table.name.clone(), row.name.clone(), Some(row.before.clone()), None));
        change.after = Some(image);
        change.reasons.clone_from(&row.reasons);
        self.record_change(row);
        if row.was_planned {
            return Ok(self.draft.replace(&change)?);
        }
        let batch = *merge.shared.updates.entry(row.table).or_insert_with(|| self.draft.batch());
        Ok(self.draft.put_new(batch, &change)?)
    }

    /// Changes the image of a row that an earlier merge inserts under its new key. The insert keeps its position.
    fn amend_insert(&mut self, row: &MergedRow, name: &RowName, image: Row) -> Result<(), TreatError> {
        let table = &self.schema.tables[row.table];
        let Some(mut change) = self.draft.get(&table.name, name)? else { return Ok(()) };
        change.after = Some(image);
        change.reasons.clone_from(&row.reasons);
        Ok(self.draft.replace(&change)?)
    }

    fn put_insert(&mut self, row: &MergedRow, name: &RowName, image: Row, unit: Unit) -> Result<(), TreatError> {
        let table = &self.schema.tables[row.table];
        let mut change = Change::new(table.name.clone(), name.clone(), None, Some(image));
        change.reasons.clone_from(&row.reasons);
        self.record_change(row);
        Ok(self.draft.put_in(unit, &change)?)
    }

    /// Plans the delete of a row, and the record that keeps it.
    fn put_delete(
        &mut self,
        row: &MergedRow,
        keep: Option<&QuarantineTarget>,
        merge: &Merge<'_, 'a>,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let table = &self.schema.tables[row.table];
        if let Some(planned) = self.draft.get(&table.name, &row.name)? {
            self.remove_key_record(&planned)?;
        }
        let mut change = Change::new(table.name.clone(), row.name.clone(), Some(row.before.clone()), None);
        change.address = row.address.filter(|_| has_own_address(table));
        change.reasons.clone_from(&row.reasons);
        match keep {
            None => {}
            Some(QuarantineTarget::Table(kept)) => {
                self.keep_row(merge.about.cause(), kept, &change, TreatmentKind::Repoint.name(), unit)?;
            }
            Some(QuarantineTarget::File(file)) => {
                *self.effects.kept_files.entry(file.clone()).or_default() += 1;
                self.forget_returned_row(&change, TreatmentKind::Repoint.name(), unit)?;
                change.kept = Some(file.clone());
            }
        }
        self.record_change(row);
        self.record_removal(row.table, &row.before, None);
        Ok(self.draft.put_in(unit, &change)?)
    }

    /// Records that rows of a table change, so that the orphans among them are known.
    fn record_change(&mut self, row: &MergedRow) {
        if let Some(any) = self.schema.relations.ids().next() {
            let any: RelationId = any;
            self.effects.record_change(row.table, any, false);
        }
    }

    /// Takes a merge back that turned out to be impossible.
    pub(super) fn withdraw_merge(&mut self, merge: Merge<'_, 'a>) -> Result<(), TreatError> {
        self.uncount_by(merge.about.cause(), &merge.counted);
        self.withdraw_rehearsed(merge.rehearsed)
    }
}

/// Returns the reason of a change of a merge.
pub(super) fn reason(about: &RepointRule<'_>, role: ChangeRole, relation: Option<&str>) -> ChangeReason {
    let mut reason = about.cause().reason(role, TreatmentKind::Repoint.name());
    if let Some(relation) = relation {
        relation.clone_into(&mut reason.relation);
    }
    reason
}
