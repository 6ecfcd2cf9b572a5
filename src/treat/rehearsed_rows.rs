//! Rehearses updates: each changed row is inserted into the rehearsal, and is compared with the other rows.

use super::Case;
use super::Planner;
use super::TreatError;
use super::rows::Try;
use super::unique::Candidate;
use super::unrehearsed::is_certain;
use crate::engine::write::Attempt;
use crate::engine::write::Rehearsal;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::refusal::RefusalKind;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::sql::repair::Repair;
use crate::stored_rows;
use crate::stored_rows::Stored;

impl<'a> Planner<'a> {
    /// Returns the rows as they would be stored, or the reasons why they cannot be.
    pub(super) fn rehearse_rows(
        &mut self,
        case: &Case<'a>,
        tries: &[Try],
    ) -> Result<Vec<Result<Row, UpdateRefusal>>, TreatError> {
        let child = self.schema.child(case.relation);
        let mut refused: Vec<Option<UpdateRefusal>> = tries.iter().map(|_| None).collect();
        if tries.iter().all(|update| is_certain(self.sql, child, update))
            && !self.has_conditions(case.relation.child)?
        {
            let stored: Vec<Option<Row>> = tries.iter().map(|update| Some(update.after.clone())).collect();
            self.check_other_rows(case, tries, &stored, &mut refused)?;
            return Ok(results(stored, refused));
        }
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
            delete_together(rehearsal, sql, child, &names)?;
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
        Ok(results(stored, refused))
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
        for (index, other) in self.relations_from(table) {
            // The new parent existed when the key was decided, but a later decision may delete it. Under MATCH FULL, a
            // key that is NULL in part is an orphan.
            let is_own = index == case.id;
            if is_own && other.match_rule != Match::Full && !self.conflicts.may_remove {
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
}

/// The reason why a row cannot be updated.
pub(super) struct UpdateRefusal {
    pub(super) text: String,
    pub(super) is_collision: bool,
}

/// Returns each row as it would be stored, or the reason why it cannot be.
fn results(stored: Vec<Option<Row>>, refused: Vec<Option<UpdateRefusal>>) -> Vec<Result<Row, UpdateRefusal>> {
    let elsewhere = || UpdateRefusal::plain("the row would be stored under another primary key".to_owned());
    let result = |(stored, refused): (Option<Row>, Option<UpdateRefusal>)| match refused {
        Some(why) => Err(why),
        None => stored.ok_or_else(elsewhere),
    };
    stored.into_iter().zip(refused).map(result).collect()
}

/// The number of values in one statement. Engines take at least 32,766.
pub(super) const MOST_VALUES: usize = 16_384;

/// The number of rows that one statement deletes. Each row is a term of its condition.
const DELETED_TOGETHER: usize = 100;

/// Deletes rows from the rehearsal.
pub(super) fn delete_together(
    rehearsal: &mut dyn Rehearsal,
    sql: &dyn Repair,
    table: &Table,
    names: &[&RowName],
) -> Result<(), TreatError> {
    for chunk in names.chunks(DELETED_TOGETHER) {
        let _ = rehearsal.attempt(&sql.delete_rows(table, chunk))?;
    }
    Ok(())
}

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
    pub(super) fn of(attempt: Attempt) -> Option<UpdateRefusal> {
        match attempt {
            Attempt::Accepted => None,
            Attempt::Refused(why) => {
                Some(UpdateRefusal { is_collision: why.kind == RefusalKind::Unique, text: why.message })
            }
        }
    }

    pub(super) fn plain(text: String) -> UpdateRefusal {
        UpdateRefusal { text, is_collision: false }
    }
}
