//! Rows as the database stores them, read by their names a chunk at a time.
//!
//! A server refuses to send a row that is longer than its limit. Such a row is reported as too long, and the other rows
//! are read without it.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::sql::repair::Repair;

/// The number of rows that one query reads.
const CHUNK: usize = 400;

/// The greatest number of bytes of a row in a plan.
pub const LONGEST: u64 = 10_000_000;

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub address: Option<i64>,
    /// The columns that are not generated.
    pub columns: Row,
}

/// The row that the database has for a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    Row(Image),
    /// The row exists, but is longer than [`LONGEST`].
    TooLong,
    /// No row has the name.
    Nothing,
}

/// Returns the stored row for each of these names.
pub fn read<S: Session + ?Sized>(
    session: &mut S,
    sql: &dyn Repair,
    table: &Table,
    names: &[&RowName],
) -> Result<Vec<Stored>, EngineError> {
    let mut found = Vec::with_capacity(names.len());
    for chunk in names.chunks(CHUNK) {
        match read_chunk(session, sql, table, chunk) {
            Err(EngineError::Failed { why }) => found.extend(read_short_rows(session, sql, table, chunk, why)?),
            images => found.extend(images?.into_iter().map(|image| image.map_or(Stored::Nothing, Stored::Row))),
        }
    }
    Ok(found)
}

fn read_chunk<S: Session + ?Sized>(
    session: &mut S,
    sql: &dyn Repair,
    table: &Table,
    names: &[&RowName],
) -> Result<Vec<Option<Image>>, EngineError> {
    let mut found: Vec<Option<Image>> = vec![None; names.len()];
    if names.is_empty() {
        return Ok(found);
    }
    let stored = table.columns.iter().filter(|column| !column.generated);
    let columns: Arc<[String]> = stored.map(|column| column.name.clone()).collect();
    session.numbered(&sql.rows_by_name(table, names), names.len(), &mut |number, row| {
        let [address, values @ ..] = row else { return };
        let columns = Row::of(&columns, values.to_vec());
        found[number] = Some(Image { address: address.as_integer(), columns });
    })?;
    Ok(found)
}

/// Reads the rows that are short enough, after the query for all rows has failed for the reason `why`.
fn read_short_rows<S: Session + ?Sized>(
    session: &mut S,
    sql: &dyn Repair,
    table: &Table,
    names: &[&RowName],
    why: String,
) -> Result<Vec<Stored>, EngineError> {
    let mut found = vec![Stored::Nothing; names.len()];
    if let Some(query) = sql.rows_longer_than(table, names, LONGEST) {
        session.numbered(&query, names.len(), &mut |number, _| found[number] = Stored::TooLong)?;
    }
    let short: Vec<usize> = (0..names.len()).filter(|&index| found[index] == Stored::Nothing).collect();
    if short.len() == names.len() {
        return Err(EngineError::Failed { why });
    }
    let short_names: Vec<&RowName> = short.iter().map(|&index| names[index]).collect();
    for (index, image) in short.into_iter().zip(read_chunk(session, sql, table, &short_names)?) {
        found[index] = image.map_or(Stored::Nothing, Stored::Row);
    }
    Ok(found)
}
