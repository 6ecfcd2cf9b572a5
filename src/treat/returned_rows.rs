//! The table that lists the rows which came back from quarantine files, because a file is never changed. A row that is quarantined
//! again leaves the list.

use std::collections::HashMap;

use super::Planner;
use super::TreatError;
use super::kept_rows::missing_column;
use crate::model::catalog::TableName;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::plan_draft::Unit;
use crate::plan_file;
use crate::stored_rows;
use crate::stored_rows::Stored;

const TABLE: &str = "fk_doctor_restored";

/// Its columns. The digest is that of all values of the row.
const COLUMNS: [&str; 6] = ["id", "rule", "relation", "table_name", "row_name", "row_digest"];

/// The records of the table by their row. `None` before they are read.
#[derive(Default)]
pub(super) struct ReturnedRows {
    known: Option<HashMap<u64, i64>>,
}

impl Planner<'_> {
    /// Returns the table, if it exists and has its columns.
    fn table_of_returned_rows(&self) -> Option<TableId> {
        let table = self.schema.table(TABLE)?;
        missing_column(self.schema, table, &COLUMNS).is_none().then_some(table)
    }

    /// True if the database has a list of rows that came back.
    pub(super) fn lists_returned_rows(&self) -> bool {
        self.table_of_returned_rows().is_some()
    }

    /// Returns the records by their row.
    fn returned_rows(&mut self) -> Result<&mut HashMap<u64, i64>, TreatError> {
        if self.returned.known.is_none() {
            let mut known = HashMap::new();
            if let Some(table) = self.table_of_returned_rows() {
                let about = &self.schema.tables[table];
                let query = self.sql.all_rows(about, &[COLUMNS[0], COLUMNS[3], COLUMNS[4], COLUMNS[5]]);
                self.lookups.each_row(&query, &mut |record| {
                    if let [id, table, name, digest] = record
                        && let Some(id) = id.as_integer()
                    {
                        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
                        known.insert(fingerprint([text(table), text(name), text(digest)]), id);
                    }
                })?;
            }
            self.returned.known = Some(known);
        }
        Ok(self.returned.known.get_or_insert_default())
    }

    /// True if a row of a quarantine file came back already.
    pub(super) fn came_back(&mut self, table: &TableName, name: &Row, image: &Row) -> Result<bool, TreatError> {
        let row = fingerprint(texts(table, name, image));
        Ok(self.returned_rows()?.contains_key(&row))
    }

    /// Lists a row of a quarantine file that comes back. `reason` is that of its record.
    pub(super) fn list_returned_row(
        &mut self,
        (table, name, image): (&TableName, &Row, &Row),
        reason: ChangeReason,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let values = texts(table, name, image).map(Value::text).to_vec();
        self.keep(reason, TABLE, &COLUMNS, values, unit)
    }

    /// Removes the record of a row that is quarantined in a file again.
    pub(super) fn forget_returned_row(
        &mut self,
        deleted: &Change,
        treatment: &str,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let (Some(list), Some(image)) = (self.table_of_returned_rows(), &deleted.before) else { return Ok(()) };
        let row = fingerprint(texts(&deleted.table, &deleted.row, image));
        let Some(id) = self.returned_rows()?.remove(&row) else { return Ok(()) };
        let list = &self.schema.tables[list];
        let record = RowName::from(vec![(COLUMNS[0], Value::Integer(id))]);
        let stored = stored_rows::read(self.lookups.as_mut(), self.sql, list, &[&record])?.pop();
        let Some(Stored::Row(stored)) = stored else { return Ok(()) };
        let mut removal = Change::new(list.name.clone(), record, Some(stored.columns), None);
        removal.reasons.extend(deleted.reasons.last().map(|reason| ChangeReason {
            role: ChangeRole::Record,
            treatment: treatment.to_owned(),
            ..reason.clone()
        }));
        Ok(self.draft.put_in(unit, &removal)?)
    }
}

/// Returns the name of the table, the name of the row and the digest of its values, as the table has them.
fn texts(table: &TableName, name: &Row, image: &Row) -> [String; 3] {
    [table.to_string(), plan_file::row_text(name), format!("{:016x}", plan_file::fingerprint(image))]
}

fn fingerprint(texts: [String; 3]) -> u64 {
    plan_file::fingerprint(&COLUMNS[3..].iter().copied().zip(texts.map(Value::text)).collect())
}
