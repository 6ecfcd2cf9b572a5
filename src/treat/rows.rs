//! The second pass over the orphans. Each row of a decided key is inserted into the rehearsal before its change is planned.

use super::CHUNK;
use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::decide::RowAction;
use super::parents::is_judged;
use super::unique::Candidate;
use crate::engine::write::Attempt;
use crate::engine::write::Rehearsal;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::forecast::ChangeSample;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::shown_name;
use crate::model::refusal::RefusalKind;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::TreatmentKind;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::plan_draft::Step;
use crate::sql::repair::Repair;
use crate::stored_rows;
use crate::stored_rows::Image;
use crate::stored_rows::Stored;

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
struct Try {
    /// The change that was planned for the row before, or one that changes nothing yet.
    change: Change,
    was_planned: bool,
    after: Row,
    changed: Vec<usize>,
}

impl Try {
    /// True if the rehearsal keeps the row, so that no other row of the plan takes its unique key.
    fn stays(&self, child: &Table) -> bool {
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
            if about.generated {
                return Stop::undecided(format!("{} is a generated column and cannot be set", about.name));
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
        self.effects.changed.insert((case.relation.child, case.id, true));
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

    /// Returns the rows as they would be stored, or the reasons why they cannot be.
    fn rehearse_rows(&mut self, case: &Case<'a>, tries: &[Try]) -> Result<Vec<Result<Row, UpdateRefusal>>, TreatError> {
        let child = self.schema.child(case.relation);
        let mut refused: Vec<Option<UpdateRefusal>> = tries.iter().map(|_| None).collect();
        let (rehearsal, sql) = self.rehearsal_of(case.relation.child)?;
        let leaves_together = !tries.iter().any(|update| update.stays(child));
        if leaves_together {
            insert_together(rehearsal, sql, child, tries, &mut refused)?;
        } else {
            for (update, refused) in tries.iter().zip(&mut refused) {
                if update.stays(child) {
                    let _ = rehearsal.attempt(&sql.delete(child, &update.change.row))?;
                }
                let attempt = rehearsal.attempt(&sql.insert(child, &update.change.row, &update.after))?;
                *refused = UpdateRefusal::of(attempt);
            }
        }
        let accepted: Vec<usize> = (0..tries.len()).filter(|&position| refused[position].is_none()).collect();
        let names: Vec<&RowName> = accepted.iter().map(|&position| &tries[position].change.row).collect();
        let mut stored: Vec<Option<Row>> = tries.iter().map(|_| None).collect();
        for (&position, found) in accepted.iter().zip(stored_rows::read(rehearsal, sql, child, &names)?) {
            if let Stored::Row(image) = found {
                stored[position] = Some(image.columns);
            }
        }
        self.check_other_rows(case, tries, &stored, &mut refused)?;
        let (rehearsal, sql) = self.rehearsal_of(case.relation.child)?;
        if leaves_together {
            for chunk in names.chunks(DELETED_TOGETHER) {
                let _ = rehearsal.attempt(&sql.delete_rows(child, chunk))?;
            }
        }
        for ((update, stored), refused) in tries.iter().zip(&stored).zip(&refused).filter(|_| !leaves_together) {
            let is_judged = refused.is_none() && stored.is_some();
            if !(is_judged && update.stays(child)) {
                let _ = rehearsal.attempt(&sql.delete(child, &update.change.row))?;
            }
            if let (false, true, Some(planned)) = (is_judged, update.was_planned, &update.change.after) {
                let _ = rehearsal.attempt(&sql.insert(child, &update.change.row, planned))?;
            }
        }
        let result = |(stored, refused): (Option<Row>, Option<UpdateRefusal>)| match refused {
            Some(why) => Err(why),
            None => stored
                .ok_or_else(|| UpdateRefusal::plain("the row would be stored under another primary key".to_owned())),
        };
        Ok(stored.into_iter().zip(refused).map(result).collect())
    }

    /// Refuses updates that conflict with other rows: a unique key is taken, or another relation of the row would lose
    /// its parent.
    fn check_other_rows(
        &mut self,
        case: &Case<'a>,
        tries: &[Try],
        stored: &[Option<Row>],
        refused: &mut [Option<UpdateRefusal>],
    ) -> Result<(), TreatError> {
        let (schema, table) = (self.schema, case.relation.child);
        let candidates: Vec<Option<Candidate<'_>>> = tries
            .iter()
            .zip(stored)
            .map(|(update, stored)| {
                let image = stored.as_ref().filter(|_| update.stays(&schema.tables[table]))?;
                Some(Candidate { image, own: Some(&update.change.row), changed: Some(&update.changed) })
            })
            .collect();
        for (position, text) in self.collisions(table, &candidates)? {
            refused[position].get_or_insert(UpdateRefusal { text, is_collision: true });
        }
        for (position, text, is_collision) in self.special_collisions(table, &candidates)? {
            refused[position].get_or_insert(UpdateRefusal { text, is_collision });
        }
        self.refuse_changes_of_referenced_keys(table, tries, stored, refused)?;
        for (index, other) in schema.relations.entries() {
            // The new parent existed when the key was decided, but a later decision may delete it. Under MATCH FULL, a
            // key that is NULL in part is an orphan.
            let is_own = index == case.id;
            if (is_own && other.match_rule != Match::Full && !self.conflicts.may_remove) || other.child != table {
                continue;
            }
            let concerned: Vec<usize> = (0..tries.len())
                .filter(|&position| other.child_columns.iter().any(|column| tries[position].changed.contains(column)))
                .filter(|&position| refused[position].is_none() && stored[position].is_some())
                .collect();
            let images: Vec<&Row> = concerned.iter().filter_map(|&position| stored[position].as_ref()).collect();
            for (position, has_parent) in concerned.iter().zip(self.have_parents(other, &images)?) {
                if !has_parent {
                    let why = match is_own && other.match_rule != Match::Full {
                        true => "another change of this plan deletes its new parent".to_owned(),
                        false => format!("{} would lose its parent", other.id),
                    };
                    refused[*position] = Some(UpdateRefusal::plain(why));
                }
            }
        }
        Ok(())
    }

    /// Refuses updates of keys that other rows refer to.
    fn refuse_changes_of_referenced_keys(
        &mut self,
        table: TableId,
        tries: &[Try],
        stored: &[Option<Row>],
        refused: &mut [Option<UpdateRefusal>],
    ) -> Result<(), TreatError> {
        let about = &self.schema.tables[table];
        let changed_columns = |position: usize| -> Vec<usize> {
            let (before, after) = (&tries[position].change.before, &stored[position]);
            let is_other = |&column: &usize| {
                let value = |image: &Option<Row>| {
                    image.as_ref().and_then(|image| image.get(&about.columns[column].name).cloned())
                };
                !value(before).zip(value(after)).is_some_and(|(before, after)| before.is_same(&after))
            };
            tries[position].changed.iter().copied().filter(is_other).collect()
        };
        let changed: Vec<Vec<usize>> = (0..tries.len()).map(changed_columns).collect();
        let open: Vec<usize> = (0..tries.len()).filter(|&position| refused[position].is_none()).collect();
        let rows: Vec<(&RowName, &Row, &[usize])> = open
            .iter()
            .filter_map(|&position| {
                let change = &tries[position].change;
                Some((&change.row, change.before.as_ref()?, changed[position].as_slice()))
            })
            .collect();
        if rows.len() < open.len() {
            return Ok(());
        }
        for (number, text) in self.cannot_rekey(table, &rows)? {
            refused[open[number]] = Some(UpdateRefusal::plain(text));
        }
        Ok(())
    }

    /// Returns a sentence about the first reference of a new row that has no parent.
    pub(super) fn missing_parent(&mut self, table: TableId, image: &Row) -> Result<Option<String>, TreatError> {
        let schema = self.schema;
        for relation in schema.relations.iter().filter(|relation| relation.child == table && is_judged(relation)) {
            if !self.has_parent(relation, image, true)? {
                return Ok(Some(format!("{} would have no parent", relation.id)));
            }
        }
        Ok(None)
    }

    /// True if the reference has a parent. A new row may be its own parent. With `may_be_unfinished`, it may also refer to an unfinished
    /// sentinel.
    fn has_parent(&mut self, relation: &Relation, image: &Row, may_be_unfinished: bool) -> Result<bool, TreatError> {
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
    fn reference(&self, relation: &Relation, image: &Row) -> Option<Key> {
        let key = image.key(self.schema.child_column_names(relation));
        let is_null = |key: &Key| match relation.match_rule {
            Match::Simple => key.contains(&Value::Null),
            Match::Full => key.iter().all(|value| *value == Value::Null),
        };
        key.filter(|key| !is_null(key))
    }
}

/// The reason why a row cannot be updated.
pub(super) struct UpdateRefusal {
    text: String,
    is_collision: bool,
}

/// The number of values in one statement. Engines take at least 32,766.
const MOST_VALUES: usize = 16_384;

/// The number of rows that one statement deletes. Each row is a term of its condition.
const DELETED_TOGETHER: usize = 100;

/// Inserts rows into the rehearsal with as few statements as possible: rows that are refused together are halved.
fn insert_together(
    rehearsal: &mut dyn Rehearsal,
    sql: &dyn Repair,
    child: &Table,
    tries: &[Try],
    refused: &mut [Option<UpdateRefusal>],
) -> Result<(), TreatError> {
    let has_columns_of_first = |update: &Try| update.after.columns().eq(tries[0].after.columns());
    if tries.is_empty() {
        return Ok(());
    }
    let rows: Vec<(&RowName, &Row)> = tries.iter().map(|update| (&update.change.row, &update.after)).collect();
    let values: usize = tries.iter().map(|update| update.after.len() + update.change.row.len()).sum();
    if tries.len() == 1 || (values <= MOST_VALUES && tries.iter().all(has_columns_of_first)) {
        let attempt = rehearsal.attempt(&sql.insert_rows(child, &rows))?;
        if attempt == Attempt::Accepted || tries.len() == 1 {
            if let [refused] = refused {
                *refused = UpdateRefusal::of(attempt);
            }
            return Ok(());
        }
    }
    let middle = tries.len() / 2;
    let (first, second) = refused.split_at_mut(middle);
    insert_together(rehearsal, sql, child, &tries[..middle], first)?;
    insert_together(rehearsal, sql, child, &tries[middle..], second)
}

impl UpdateRefusal {
    fn of(attempt: Attempt) -> Option<UpdateRefusal> {
        match attempt {
            Attempt::Accepted => None,
            Attempt::Refused(why) => {
                Some(UpdateRefusal { is_collision: why.kind == RefusalKind::Unique, text: why.message })
            }
        }
    }

    fn plain(text: String) -> UpdateRefusal {
        UpdateRefusal { text, is_collision: false }
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
