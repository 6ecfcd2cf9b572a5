//! A copy of what the witness recorded, for the moments in which the record itself is undone or made anew.

use crate::engine::EngineError;
use crate::engine::Trial;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::recorder::Recorder;

#[derive(Default)]
pub(super) struct KeptRecord {
    tables: Vec<TableRecord>,
}

struct TableRecord {
    /// The table's own name: positions differ between definitions.
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl KeptRecord {
    /// Copies what was recorded since a round.
    pub(super) fn copy(
        trial: &mut dyn Trial,
        witness: &dyn Recorder,
        schema: &Schema,
        since: u32,
    ) -> Result<KeptRecord, EngineError> {
        let mut kept = KeptRecord::default();
        for table in witness.recorded_tables(schema) {
            let (question, columns) = witness.recorded_rows(schema, table, since);
            let mut rows = Vec::new();
            trial.each_row(&question, &mut |row| rows.push(row.to_vec()))?;
            if !rows.is_empty() {
                kept.tables.push(TableRecord { table: schema.tables[table].name.table.clone(), columns, rows });
            }
        }
        Ok(kept)
    }

    /// Records the copied rows again. Rows of a table that is gone are left out.
    pub(super) fn put_back(
        &self,
        trial: &mut dyn Trial,
        witness: &dyn Recorder,
        schema: &Schema,
    ) -> Result<(), EngineError> {
        for kept in &self.tables {
            let Some(table) = schema.tables.position(|table| table.name.table == kept.table) else { continue };
            let again = |row: &Vec<Value>| witness.insert_recorded_row(schema, table, &kept.columns, row);
            let statements: Vec<_> = kept.rows.iter().map(again).collect();
            trial.prepare(&statements)?;
        }
        Ok(())
    }
}
