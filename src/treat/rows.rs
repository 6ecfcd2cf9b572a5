//! The second pass over the orphans. Each row of a decided key is inserted into the rehearsal before its change is planned.

use super::CHUNK;
use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::decide::RowAction;
use super::rehearsed_rows::UpdateRefusal;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Table;
use crate::model::forecast::ChangeSample;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::shown_name;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::TreatmentKind;
use crate::model::value::Key;
use crate::plan_draft::Step;
use crate::stored_rows::Image;

/// A row whose key was decided.
pub(super) struct Pending<'v> {
    pub(super) row: RowName,
    pub(super) key: Key,
    /// The number of its key. Numbers start at 1.
    pub(super) group: usize,
    pub(super) treatment: &'v str,
    pub(super) action: &'v RowAction,
}

/// An update of a row that the rehearsal has not accepted yet.
pub(super) struct Try {
    /// The change that was planned for the row before, or one that changes nothing yet.
    pub(super) change: Change,
    pub(super) was_planned: bool,
    pub(super) after: Row,
    pub(super) changed: Vec<usize>,
}

impl Try {
    /// True if the rehearsal keeps the row, so that no other row of the plan takes its unique key.
    pub(super) fn stays(&self, child: &Table) -> bool {
        let is_changed = |part: &IndexColumn| part.column.is_none_or(|column| self.changed.contains(&column));
        self.was_planned || child.indexes.iter().any(|index| index.unique && index.columns.iter().any(is_changed))
    }
}

impl<'a> Planner<'a> {
    /// Changes rows. Updates are rehearsed together, because they can conflict only in a unique key, and the rehearsal checks
    /// that. If the plan may delete rows, each row is rehearsed alone, because a delete concerns all rows after it.
    pub(super) fn change_rows(&mut self, case: &mut Case<'a>, pending: &[Pending<'_>]) -> Result<(), TreatError> {
        self.progress.tried(pending.len() as u64);
        let names: Vec<&RowName> = pending.iter().map(|pending| &pending.row).collect();
        let mut found = self.images(case.relation.child, &names)?.into_iter();
        let removed = pending.iter().filter(|pending| matches!(pending.action, RowAction::Remove { .. }));
        self.read_dependants(case.relation.child, removed.map(|pending| pending.row.clone()).collect())?;
        let chunk_size = if self.conflicts.may_remove { 1 } else { CHUNK };
        for chunk in pending.chunks(chunk_size) {
            let (mut updates, mut deletes) = (Vec::new(), Vec::new());
            for (pending, image) in chunk.iter().zip(found.by_ref()) {
                let Some(image) = image else {
                    case.leave_undecided(pending, super::TOO_LONG);
                    continue;
                };
                match pending.action {
                    RowAction::Nothing => {}
                    RowAction::Remove { keep } => deletes.push((pending, image, keep)),
                    RowAction::Set { .. } => updates.push((pending, image)),
                }
            }
            for (pending, image, keep) in deletes {
                if self.may_continue() {
                    self.remove(case, pending, image, keep.as_deref())?;
                }
            }
            if self.may_continue() {
                self.update_rows(case, updates)?;
                self.check_limits();
            }
        }
        Ok(())
    }

    /// Plans updates of rows.
    fn update_rows(&mut self, case: &mut Case<'a>, rows: Vec<(&Pending<'_>, Image)>) -> Result<(), TreatError> {
        let (mut tries, mut tried) = (Vec::new(), Vec::new());
        for (pending, image) in rows {
            match self.updated_row(case, pending, &image) {
                Ok(Some(update)) => {
                    tries.push(update);
                    tried.push((pending, image));
                }
                // An earlier change deletes the row.
                Ok(None) => {}
                Err(stop) => case.leave_undecided(pending, &stop.why()?),
            }
        }
        let results = self.rehearse_rows(case, &tries)?;
        for (((pending, image), update), result) in tried.into_iter().zip(tries).zip(results) {
            match result {
                Ok(after) if update.change.is_before(&after) => {
                    self.leave_unchanged(case, pending, &update.change, &after)?
                }
                Ok(after) => {
                    if let Some(before) = &update.change.before {
                        self.record_rekeying(case.relation.child, before, &update.changed);
                    }
                    self.plan_update(case, pending, update.change, after)?;
                }
                Err(why) => self.cannot_change(case, pending, image, &why)?,
            }
        }
        Ok(())
    }

    /// Returns the row with its new reference, or `Ok(None)` if the plan deletes the row.
    fn updated_row(&mut self, case: &Case<'a>, pending: &Pending<'_>, image: &Image) -> Result<Option<Try>, Stop> {
        let RowAction::Set { columns, .. } = pending.action else { return Ok(None) };
        let child = self.schema.child(case.relation);
        // The orphans of one relation are different rows.
        let planned = if case.meets_changes { self.draft.get(&child.name, &pending.row)? } else { None };
        let was_planned = planned.is_some();
        let change = planned.unwrap_or_else(|| {
            let (before, after) = (image.columns.clone(), image.columns.clone());
            Change::new(child.name.clone(), pending.row.clone(), Some(before), Some(after))
        });
        let Some(mut after) = change.after.clone() else { return Ok(None) };
        let mut changed = Vec::new();
        for (&column, value) in case.relation.child_columns.iter().zip(columns.iter()) {
            let Some(value) = value else { continue };
            let about = &child.columns[column];
            if let Some(why) = about.why_not_set() {
                return Stop::undecided(format!("{} {why}", about.name));
            }
            if after.set(&about.name, value.clone()) {
                changed.push(column);
            }
        }
        Ok(Some(Try { change, was_planned, after, changed }))
    }

    /// Plans no change of a row that already has the values of its update. If the plan does not create its parent, the row is
    /// undecided.
    fn leave_unchanged(
        &mut self,
        case: &mut Case<'a>,
        pending: &Pending<'_>,
        planned: &Change,
        image: &Row,
    ) -> Result<(), TreatError> {
        if !planned.reasons.is_empty() {
            self.remove_key_record(planned)?;
            self.draft.take_away(&planned.table, &planned.row)?;
        }
        let created = match (case.relation.parent.table, self.reference(case.relation, image)) {
            (Some(parent), Some(key)) => self.created_key(parent, &case.relation.parent.columns, &key)?,
            _ => None,
        };
        if created.is_none() {
            case.leave_undecided(pending, "the row already has these values and is still an orphan");
        }
        Ok(())
    }

    fn plan_update(
        &mut self,
        case: &mut Case<'a>,
        pending: &Pending<'_>,
        mut change: Change,
        after: Row,
    ) -> Result<(), TreatError> {
        self.require_parent(case.relation, &after)?;
        change.after = Some(after);
        if let RowAction::Set { blanks: true, .. } = pending.action {
            self.count_loss(case, case.relation.child, &change.reasons)?;
        }
        change.reasons.push(case.reason(ChangeRole::Orphan, pending.treatment));
        let table = self.schema.child(case.relation);
        case.show(pending.treatment, || {
            let set = change.set();
            let old = change.before.iter().flat_map(|before| before.filtered(|column, _| set.has(column)).pairs());
            ChangeSample {
                table: table.name.to_string(),
                row: shown_name(table, &pending.row, change.before.as_ref()).pairs(),
                before: Some(old.collect()),
                after: Some(set.pairs()),
            }
        });
        self.effects.record_change(case.relation.child, case.id, true);
        let RowAction::Set { record, .. } = pending.action else { return Ok(()) };
        match (record, &change.after) {
            (Some(record), Some(after)) => {
                let unit = self.draft.unit_of(&change, Step::Update)?;
                self.draft.put_in(unit, &change)?;
                self.keep_keys(case, record, pending, after, unit)
            }
            _ if case.meets_changes => self.put(&change),
            _ => Ok(self.draft.put_new(case.batch, &change)?),
        }
    }

    fn cannot_change(
        &mut self,
        case: &mut Case<'a>,
        pending: &Pending<'_>,
        image: Image,
        why: &UpdateRefusal,
    ) -> Result<(), TreatError> {
        match pending.action {
            RowAction::Set { quarantine_on_conflict: true, .. } if why.is_collision => {
                let share = case.forecast.share(pending.treatment);
                share.rows = share.rows.saturating_sub(1);
                case.forecast.share(TreatmentKind::Quarantine.name()).rows += 1;
                let (row, key) = (pending.row.clone(), pending.key.clone());
                let pending = Pending { treatment: TreatmentKind::Quarantine.name(), row, key, ..*pending };
                self.remove(case, &pending, image, Some(&QuarantineTarget::default()))
            }
            _ => {
                case.leave_undecided(pending, &why.text);
                Ok(())
            }
        }
    }
}

impl Case<'_> {
    /// Counts a row as undecided although its key was decided.
    pub(super) fn leave_undecided(&mut self, pending: &Pending<'_>, why: &str) {
        let share = self.forecast.share(pending.treatment);
        share.rows = share.rows.saturating_sub(1);
        let is_first = self.last_undecided_key.replace(pending.group) != Some(pending.group);
        if is_first {
            share.keys = share.keys.saturating_sub(1);
        }
        let why = format!("{}: {why}", pending.treatment);
        let undecided = self.forecast.leave(&why, &pending.key);
        undecided.rows += 1;
        undecided.keys += u64::from(is_first);
    }
}
