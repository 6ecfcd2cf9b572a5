//! Images of rows as they are stored. A row that is too long for a plan has no image.

use super::Planner;
use super::TreatError;
use crate::model::ids::TableId;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::plan_file;
use crate::stored_rows;
use crate::stored_rows::Image;
use crate::stored_rows::LONGEST;
use crate::stored_rows::Stored;

impl<'a> Planner<'a> {
    /// Returns the rows with these names as the database has them. A row that is too long for a plan is `None`.
    pub(super) fn images(&mut self, table: TableId, rows: &[&RowName]) -> Result<Vec<Option<Image>>, TreatError> {
        let table = &self.schema.tables[table];
        let found = stored_rows::read(self.lookups.as_mut(), self.sql, table, rows)?;
        let image = |stored| match stored {
            Stored::Row(image) => Some(image)
                .filter(|image| !is_too_long(image.columns.values(), || plan_file::row_text(&image.columns).len())),
            Stored::TooLong | Stored::Nothing => None,
        };
        Ok(found.into_iter().map(image).collect())
    }
}

/// The reason why the plan does not change a row that is too long.
pub(super) const TOO_LONG: &str = "its values are longer than 10 MB together, and a plan cannot hold them";

/// True if a plan could not hold the row. A value may be six times as long in a plan as in the database.
pub(super) fn is_too_long(values: &[Value], length_in_plan: impl FnOnce() -> usize) -> bool {
    let bytes = values.iter().map(|value| match value {
        Value::Text(bytes) | Value::Blob(bytes) => bytes.len() as u64,
        _ => 0,
    });
    bytes.sum::<u64>() > LONGEST / 6 && length_in_plan() as u64 > LONGEST
}
