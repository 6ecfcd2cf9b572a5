//! Rows as they are stored, read by their names a chunk at a time. A row that is too long for a plan is left out.

use std::collections::BTreeSet;

use super::CHUNK;
use super::Planner;
use super::TreatError;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::plan_file;
use crate::sql::repair::RepairDialect;

impl<'a> Planner<'a> {
    /// The rows with these names as the database has them: the address, and the stored columns. `None` for a row that is too
    /// long for a plan.
    pub(super) fn images(&mut self, table: TableId, rows: &[&RowName]) -> Result<Vec<Option<Image>>, TreatError> {
        let table = &self.schema.tables[table];
        let mut found = Vec::new();
        for some in rows.chunks(CHUNK) {
            match images(self.asker.as_mut(), self.surgery, table, some) {
                Ok(images) => found.extend(images),
                Err(TreatError::Engine(EngineError::Failed { why })) => {
                    let Some(short) = self.short_rows(table, some)? else {
                        return Err(EngineError::Failed { why }.into());
                    };
                    let names: Vec<&RowName> = short.iter().map(|&place| some[place]).collect();
                    let images = images(self.asker.as_mut(), self.surgery, table, &names)?;
                    let mut all: Vec<Option<Image>> = some.iter().map(|_| None).collect();
                    short.into_iter().zip(images).for_each(|(place, image)| all[place] = image);
                    found.extend(all);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(found.into_iter().map(|image| image.filter(|image| !image.is_too_long())).collect())
    }

    /// The places of the rows that can be read, where some are too long for that.
    fn short_rows(&mut self, table: &Table, rows: &[&RowName]) -> Result<Option<Vec<usize>>, TreatError> {
        let Some(question) = self.surgery.long_rows(table, rows, LONGEST) else { return Ok(None) };
        let mut long = BTreeSet::new();
        self.asker.each_row(&question, &mut |row| {
            let number = row.first().and_then(Value::as_integer);
            long.extend(number.and_then(|number| usize::try_from(number).ok()));
        })?;
        Ok((!long.is_empty()).then(|| (0..rows.len()).filter(|place| !long.contains(place)).collect()))
    }
}

/// How many bytes a row may have in a plan, and in a record.
const LONGEST: u64 = 10_000_000;

/// Why a row that is longer stays as it is.
pub(super) const TOO_LONG: &str = "its values are longer than 10 MB together, and a plan would have to hold them";

/// A row as it is stored.
pub(super) struct Image {
    pub(super) address: Option<i64>,
    pub(super) columns: RowName,
}

impl Image {
    /// What a plan writes of a value may be six times as long as the value.
    fn is_too_long(&self) -> bool {
        let bytes = self.columns.iter().map(|(_, value)| match value {
            Value::Text(bytes) | Value::Blob(bytes) => bytes.len() as u64,
            _ => 0,
        });
        bytes.sum::<u64>() > LONGEST / 6 && plan_file::row_text(&self.columns).len() as u64 > LONGEST
    }
}

pub(super) fn images<S: Session + ?Sized>(
    session: &mut S,
    surgery: &dyn RepairDialect,
    table: &Table,
    rows: &[&RowName],
) -> Result<Vec<Option<Image>>, TreatError> {
    let mut found: Vec<Option<Image>> = rows.iter().map(|_| None).collect();
    for (start, some) in rows.chunks(CHUNK).enumerate().map(|(chunk, some)| (chunk * CHUNK, some)) {
        session.each_row(&surgery.rows_at(table, some), &mut |row| {
            let [number, address, values @ ..] = row else { return };
            let names = table.columns.iter().filter(|column| !column.generated).map(|column| column.name.clone());
            let columns = names.zip(values.iter().cloned()).collect();
            let place =
                number.as_integer().and_then(|number| usize::try_from(number).ok()).map(|number| start + number);
            if let Some(place) = place.and_then(|place| found.get_mut(place)) {
                *place = Some(Image { address: address.as_integer(), columns });
            }
        })?;
    }
    Ok(found)
}
