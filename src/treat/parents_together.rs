//! New parents of a chunk of missing keys. Rows that need no rehearsal are planned at once. The others are inserted into the
//! rehearsal by one statement and read back by one query. A chunk in which something is refused or altered is halved. A single
//! parent is planned by itself, so every reason is exact.

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::split_undecided;
use super::parents::NewRow;
use super::parents::WantedParent;
use super::parents::not_under_its_key;
use super::parents::stored_name;
use super::references::is_judged;
use super::rehearsed_rows::MOST_VALUES;
use super::rehearsed_rows::delete_together;
use super::unique::Candidate;
use crate::engine::write::Attempt;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::stored_rows;
use crate::stored_rows::Stored;

/// A complete row that is to be created, with the index of its key in the chunk.
struct OpenRow<'k> {
    index: usize,
    row: NewRow<'k>,
}

/// The row of each key as the rehearsal stores it, or the reason why it is not created.
type StoredRows = Vec<Option<Result<(RowName, Row), String>>>;

impl<'a> Planner<'a> {
    /// Plans a new parent for each of these keys. Returns its key, or the reason why it is not created.
    pub(super) fn make_parents(
        &mut self,
        case: &mut Case<'a>,
        table: TableId,
        wanted: Vec<Result<WantedParent<'_>, String>>,
    ) -> Result<Vec<Result<Key, String>>, TreatError> {
        let mut stored: StoredRows = wanted.iter().map(|_| None).collect();
        let mut open = Vec::new();
        for (index, parent) in wanted.iter().enumerate() {
            let Ok(parent) = parent else { continue };
            let mut row = self.requested_row(case, table, parent);
            let (mut made, sentinels) = (Vec::new(), self.new_parents.sentinels.clone());
            let completed = self.complete(&mut row, &case.relation.parent.columns, 0, &mut made);
            let is_alone = !made.is_empty() || self.refers_to_its_table(&row);
            let image = match completed {
                Ok(()) if !is_alone => self.certain_image(case, parent, &row)?,
                _ => None,
            };
            if let Some(image) = image {
                stored[index] = Some(Ok(self.plan_certain_parent(case, row, image)?));
                continue;
            }
            let outcome = match completed {
                Ok(()) if !is_alone => {
                    open.push(OpenRow { index, row });
                    continue;
                }
                Ok(()) => {
                    self.rehearse_together(table, std::mem::take(&mut open), &mut stored)?;
                    self.rehearse_parent(row, &mut made)
                }
                Err(stop) => Err(stop),
            };
            let outcome = outcome.or_else(|stop| self.withdraw_parents(stop, made, sentinels));
            stored[index] = Some(split_undecided(outcome)?);
        }
        self.rehearse_together(table, open, &mut stored)?;
        let mut keys = Vec::with_capacity(wanted.len());
        for (parent, stored) in wanted.into_iter().zip(stored) {
            keys.push(match (parent, stored) {
                (Err(why), _) | (_, Some(Err(why))) => Err(why),
                (Ok(parent), Some(Ok((row, image)))) => {
                    split_undecided(self.show_parent(case, table, parent.record, &row, &image))?
                }
                (Ok(_), None) => Err("the row was not rehearsed".to_owned()),
            });
        }
        Ok(keys)
    }

    /// True if a new row refers to a row of its own table. That row must be created before it.
    fn refers_to_its_table(&self, row: &NewRow<'_>) -> bool {
        let mut own = self.relations_from(row.table).into_iter().filter(|(_, relation)| is_own(relation, row.table));
        own.any(|(_, relation)| self.reference(relation, &row.values).is_some())
    }

    fn rehearse_together(
        &mut self,
        table: TableId,
        mut rows: Vec<OpenRow<'_>>,
        stored: &mut StoredRows,
    ) -> Result<(), TreatError> {
        if rows.len() > 1 {
            let Some(images) = self.insert_parents(table, &mut rows, stored)? else {
                let second = rows.split_off(rows.len() / 2);
                self.rehearse_together(table, rows, stored)?;
                return self.rehearse_together(table, second, stored);
            };
            for (OpenRow { index, row }, image) in rows.into_iter().zip(images) {
                let name = stored_name(&row.name, &image);
                self.plan_parent(row, &name, &image)?;
                stored[index] = Some(Ok((name, image)));
            }
            return Ok(());
        }
        for OpenRow { index, row } in rows {
            let (mut made, sentinels) = (Vec::new(), self.new_parents.sentinels.clone());
            let outcome = self.rehearse_parent(row, &mut made);
            let outcome = outcome.or_else(|stop| self.withdraw_parents(stop, made, sentinels));
            stored[index] = Some(split_undecided(outcome)?);
        }
        Ok(())
    }

    /// Inserts rows into the rehearsal. Returns their images, or `None`, with no row inserted, if one of them needs a closer
    /// examination. Rows that are stored under another key are taken out of `rows`.
    fn insert_parents(
        &mut self,
        table: TableId,
        rows: &mut Vec<OpenRow<'_>>,
        stored: &mut StoredRows,
    ) -> Result<Option<Vec<Row>>, TreatError> {
        let about = &self.schema.tables[table];
        let has_columns_of_first = |open: &OpenRow<'_>| open.row.values.columns().eq(rows[0].row.values.columns());
        let values: usize = rows.iter().map(|open| open.row.values.len() + open.row.name.len()).sum();
        if values > MOST_VALUES || !rows.iter().all(has_columns_of_first) {
            return Ok(None);
        }
        let pairs: Vec<(&RowName, &Row)> = rows.iter().map(|open| (&open.row.name, &open.row.values)).collect();
        let (rehearsal, sql) = self.rehearsal_of(table)?;
        if let Attempt::Refused(_) = rehearsal.attempt(&sql.insert_rows(about, &pairs))? {
            return Ok(None);
        }
        let names: Vec<&RowName> = pairs.iter().map(|(name, _)| *name).collect();
        let mut images = Vec::with_capacity(rows.len());
        let mut found = stored_rows::read(rehearsal, sql, about, &names)?.into_iter();
        rows.retain(|open| match found.next() {
            Some(Stored::Row(image)) => {
                images.push(image.columns);
                true
            }
            _ => {
                stored[open.index] = Some(Err(not_under_its_key(about)));
                false
            }
        });
        if self.accepts_parents(table, rows, &images)? {
            return Ok(Some(images));
        }
        let names: Vec<RowName> =
            rows.iter().zip(&images).map(|(open, image)| stored_name(&open.row.name, image)).collect();
        let (rehearsal, sql) = self.rehearsal_of(table)?;
        delete_together(rehearsal, sql, about, &names.iter().collect::<Vec<_>>())?;
        Ok(None)
    }

    /// True if neither a change of the plan nor a stored row conflicts with these new rows, and each reference has a parent.
    fn accepts_parents(&mut self, table: TableId, rows: &[OpenRow<'_>], images: &[Row]) -> Result<bool, TreatError> {
        let schema = self.schema;
        for (open, image) in rows.iter().zip(images) {
            if self.draft.get(&schema.tables[table].name, &stored_name(&open.row.name, image))?.is_some() {
                return Ok(false);
            }
        }
        let candidates: Vec<Option<Candidate<'_>>> =
            images.iter().map(|image| Some(Candidate { image, own: None, changed: None })).collect();
        if !self.collisions(table, &candidates)?.is_empty() || !self.special_collisions(table, &candidates)?.is_empty()
        {
            return Ok(false);
        }
        let images: Vec<&Row> = images.iter().collect();
        for (_, relation) in self.relations_from(table).into_iter().filter(|(_, relation)| is_judged(relation)) {
            let may_be_later =
                is_own(relation, table) && images.iter().any(|image| self.reference(relation, image).is_some());
            if may_be_later || self.have_parents(relation, &images)?.contains(&false) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// True if rows of this table refer to rows of the same table.
fn is_own(relation: &Relation, table: TableId) -> bool {
    relation.child == table && relation.parent.table == Some(table)
}
