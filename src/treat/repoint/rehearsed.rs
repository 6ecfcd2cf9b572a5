//! Rows of a merge in the rehearsal. If the merge turns out to be impossible, they are removed from it again.

use super::collisions::Taken;
use crate::engine::write::Attempt;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::refusal::RefusalKind;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::stored_rows;
use crate::stored_rows::Stored;
use crate::treat::Planner;
use crate::treat::Stop;
use crate::treat::TreatError;

/// A row that the rehearsal has, and the row that it had before.
pub(super) struct Rehearsed {
    table: TableId,
    name: RowName,
    earlier: Option<(RowName, Row)>,
}

/// The outcome of trying a row.
pub(super) enum Trial {
    /// The row as it would be stored.
    Stored(RowName, Row),
    /// Another row has one of its unique keys.
    Taken(Taken),
}

impl Planner<'_> {
    /// Inserts the new image of a row into the rehearsal. `earlier` is the row as the rehearsal may have it.
    pub(super) fn try_row(
        &mut self,
        rehearsed: &mut Vec<Rehearsed>,
        table: TableId,
        earlier: (&RowName, &Row),
        image: &Row,
    ) -> Result<Trial, Stop> {
        self.rehearse_table(table)?;
        let about = &self.schema.tables[table];
        let name = named(&identity_columns(about), earlier.0, image);
        let (rehearsal, sql) = self.rehearsal_of(table)?;
        let _ = rehearsal.attempt(&sql.delete(about, earlier.0))?;
        rehearsed.push(Rehearsed { table, name: name.clone(), earlier: Some((earlier.0.clone(), earlier.1.clone())) });
        if let Attempt::Refused(refusal) = rehearsal.attempt(&sql.insert(about, &name, image))? {
            return match refusal.kind {
                RefusalKind::Unique => Ok(Trial::Taken(Taken { why: refusal.message, by: None })),
                _ => Stop::undecided(format!("a row of {} would be refused: {}", about.name, refusal.message)),
            };
        }
        match stored_rows::read(rehearsal, sql, about, &[&name])?.pop() {
            Some(Stored::Row(stored)) => {
                let name = named(&identity_columns(about), &name, &stored.columns);
                Ok(Trial::Stored(name, stored.columns))
            }
            _ => Stop::undecided(format!("a row of {} would be stored under another key", about.name)),
        }
    }

    /// Removes rows from the rehearsal that it does not need: no unique key depends on them.
    pub(super) fn forget_last_rehearsed(&mut self, rehearsed: &mut Vec<Rehearsed>) -> Result<(), TreatError> {
        let last = rehearsed.pop();
        self.withdraw_rehearsed(last.into_iter().map(|last| Rehearsed { earlier: None, ..last }).collect())
    }

    pub(super) fn withdraw_rehearsed(&mut self, rows: Vec<Rehearsed>) -> Result<(), TreatError> {
        for Rehearsed { table, name, earlier } in rows.into_iter().rev() {
            let about = &self.schema.tables[table];
            let is_planned = match &earlier {
                Some((name, _)) => self.draft.get(&about.name, name)?.is_some(),
                None => false,
            };
            let (rehearsal, sql) = self.rehearsal_of(table)?;
            let _ = rehearsal.attempt(&sql.delete(about, &name))?;
            if let (Some((name, image)), true) = (earlier, is_planned) {
                let _ = rehearsal.attempt(&sql.insert(about, &name, &image))?;
            }
        }
        Ok(())
    }
}

/// Returns the name of a row with this image. The address of a row stays.
fn named(columns: &[&str], earlier: &RowName, image: &Row) -> RowName {
    let value = |name: &str| image.get(name).or_else(|| earlier.get(name)).cloned();
    columns.iter().filter_map(|name| Some((*name, value(name)?))).collect()
}
