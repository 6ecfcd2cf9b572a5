//! The record of the statements: which tables it is about, and whether it still exists.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::RecordingExplainer;
use crate::engine::EngineError;
use crate::engine::Trial;
use crate::explain::observe;
use crate::model::ids::TableId;
use crate::model::statement::Statement;
use crate::model::value::Value;
use crate::sql::recorder::RecordObject;
use crate::sql::recorder::Recorder;

impl RecordingExplainer<'_> {
    /// Finds the tables that are still recorded: a rollback also removes the records that were created since.
    pub(super) fn find_recorded(&mut self) -> Result<(), EngineError> {
        self.recorder = existing_record(self.trial, self.recorder.as_ref())?;
        Ok(())
    }

    /// Records these tables, with those that are recorded already. A record of all tables would take long: SQLite reads all temporary
    /// definitions for each that it creates.
    pub(super) fn record_also(&mut self, tables: BTreeSet<TableId>) -> Result<(), EngineError> {
        let new: BTreeSet<TableId> = tables.difference(self.recorder.tables()).copied().collect();
        self.recorder = self.recorder.of_tables(self.recorder.tables() | &new);
        self.trial.prepare(&self.recorder.create_tables(&self.schema, &new))
    }

    pub(super) fn drop_record(&mut self) -> Result<(), EngineError> {
        let objects = record_objects(self.trial, self.recorder.as_ref())?;
        self.trial.prepare(&self.recorder.drop_objects(&objects))?;
        self.recorder = self.recorder.of_tables(BTreeSet::new());
        Ok(())
    }

    /// Starts the record of one statement. Outside a transaction it deletes the record of earlier statements. It begins anew after a
    /// simulation, too: a trigger may have rolled the records back.
    pub(super) fn begin_round(&mut self, statement: &Statement) -> Result<(), EngineError> {
        self.find_recorded()?;
        let writes = self.trial.writes_of(statement)?;
        self.record_also(observe::written_tables(&self.schema, &writes).into_iter().collect())?;
        let forget = !self.trial.is_in_transaction();
        self.trial.prepare(&self.recorder.begin_round(&self.schema, self.round, forget))
    }
}

/// Returns the tables and triggers of the record that exist now.
fn record_objects(trial: &mut dyn Trial, recorder: &dyn Recorder) -> Result<Vec<RecordObject>, EngineError> {
    let mut objects = Vec::new();
    let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    trial.each_row(&recorder.objects(), &mut |row| {
        if let [kind, name] = row {
            objects.push(RecordObject { kind: text(kind), name: text(name) });
        }
    })?;
    Ok(objects)
}

/// Returns the recorder of the tables that are recorded now.
pub(super) fn existing_record(
    trial: &mut dyn Trial,
    recorder: &dyn Recorder,
) -> Result<Arc<dyn Recorder>, EngineError> {
    let objects = record_objects(trial, recorder)?;
    Ok(recorder.of_tables(objects.iter().filter_map(|object| recorder.table_of(object)).collect()))
}
