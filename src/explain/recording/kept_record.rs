//! A copy of the record of statements, kept while the record itself is rolled back or created again.

use std::collections::BTreeSet;

use crate::engine::EngineError;
use crate::engine::Trial;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::recorder::Recorder;

/// Recorded rows by table.
#[derive(Default)]
pub(super) struct KeptRecord {
    tables: Vec<TableRecord>,
}

struct TableRecord {
    /// The table's name, because table ids change with the definitions.
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl KeptRecord {
    /// Copies the rows that were recorded since a round.
    pub(super) fn copy(
        trial: &mut dyn Trial,
        recorder: &dyn Recorder,
        schema: &Schema,
        since: u32,
    ) -> Result<KeptRecord, EngineError> {
        let mut kept = KeptRecord::default();
        for &table in recorder.tables() {
            let (question, columns) = recorder.recorded_rows(schema, table, since);
            let mut rows = Vec::new();
            trial.each_row(&question, &mut |row| rows.push(row.to_vec()))?;
            if !rows.is_empty() {
                kept.tables.push(TableRecord { table: schema.tables[table].name.table.clone(), columns, rows });
            }
        }
        Ok(kept)
    }

    /// Returns the tables of a schema that have copied rows.
    pub(super) fn tables(&self, schema: &Schema) -> BTreeSet<TableId> {
        let table = |kept: &TableRecord| schema.tables.position(|table| table.name.table == kept.table);
        self.tables.iter().filter_map(table).collect()
    }

    /// Records the copied rows again. Rows of a dropped table are omitted.
    pub(super) fn put_back(
        &self,
        trial: &mut dyn Trial,
        recorder: &dyn Recorder,
        schema: &Schema,
    ) -> Result<(), EngineError> {
        for kept in &self.tables {
            let Some(table) = schema.tables.position(|table| table.name.table == kept.table) else { continue };
            let again = |row: &Vec<Value>| recorder.insert_recorded_row(schema, table, &kept.columns, row);
            let statements: Vec<_> = kept.rows.iter().map(again).collect();
            trial.prepare(&statements)?;
        }
        Ok(())
    }
}
