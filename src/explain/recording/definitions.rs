//! Explains statements that change definitions or end a transaction. The recorder is installed again, and a refusal is
//! traced to its rows.

use std::sync::Arc;

use super::RecordingExplainer;
use super::kept_record::KeptRecord;
use crate::engine::EngineError;
use crate::engine::trial::ForeignKeyMode;
use crate::explain::observe;
use crate::explain::reasons;
use crate::explain::verdict;
use crate::model::explanation::Explained;
use crate::model::explanation::StatementReason;
use crate::model::refusal::RefusalKind;
use crate::model::resolve;
use crate::model::statement::Statement;
use crate::sql::read::statements;
use crate::sql::read::statements::dropped_table;

impl RecordingExplainer<'_> {
    /// Finds the rows because of which COMMIT is refused.
    pub(super) fn reasons_of_transaction(&mut self, explained: &mut Explained, since: u32) {
        let (schema, recorder) = (Arc::clone(&self.schema), Arc::clone(&self.recorder));
        let recorder = recorder.as_ref();
        let observation = observe::orphans(self.trial, recorder, &schema, since, None, &self.options);
        explained.reasons = reasons::of_references(&schema, &observation, &self.options);
        explained.notes.extend(observation.notes);
        let refused_at_once = observe::refused_at_once(self.trial, recorder, &schema, since, None, &self.options);
        let unequal: Vec<_> =
            refused_at_once.into_iter().filter(|failing| failing.kind == observe::FailureKind::SelfReference).collect();
        explained.reasons.extend(reasons::of_each(&schema, &unequal, &self.options));
        if self.defines {
            let left = observe::without_parent_table(self.trial, &schema, &self.options);
            explained.reasons.extend(reasons::of_each(&schema, &left, &self.options));
        }
        if explained.reasons.is_empty() {
            explained.notes.push(
                "no row lacks its parent at the end: the engine counts violations as they come and go".to_owned(),
            );
        }
    }

    /// Runs a statement that changes definitions. The recorder is removed before, and installed again after it.
    pub(super) fn definition(&mut self, explained: &mut Explained) -> Result<(), EngineError> {
        let kept = self.kept_of_transaction(self.transaction_since.unwrap_or(0))?;
        self.drop_record()?;
        let execution = self.trial.execute(&explained.statement)?;
        explained.verdict = verdict(&execution);
        self.defines |= self.trial.is_in_transaction();
        self.define_again(kept)?;
        let Some(refusal) = &execution.refusal else { return Ok(()) };
        if refusal.kind == RefusalKind::ForeignKey {
            explained.reasons = self.reasons_of_drop(&explained.statement)?;
        }
        if explained.reasons.is_empty() {
            explained.reasons = vec![reasons::of_refusal(&self.schema, refusal, &explained.statement, &execution)];
        }
        Ok(())
    }

    /// Finds the rows that prevent a DROP TABLE, which first deletes every row without firing the table's triggers.
    pub(super) fn reasons_of_drop(&mut self, statement: &Statement) -> Result<Vec<StatementReason>, EngineError> {
        let schema = Arc::clone(&self.schema);
        let Some(name) = dropped_table(schema.database.engine, &statement.text) else { return Ok(Vec::new()) };
        let Some(table) = schema.tables.position(|table| schema.names.same(&table.name.table, &name)) else {
            return Ok(Vec::new());
        };
        self.round += 1;
        let own = self.trial.triggers_of(&schema.tables[table])?;
        self.trial.prepare(&self.recorder.drop_triggers(&own))?;
        let emptied = statements::statement(
            schema.database.engine,
            &self.recorder.delete_all_rows(&schema, table),
            statement.line,
        );
        self.begin_round(&emptied)?;
        let observation = self.simulate(&emptied, ForeignKeyMode::ActOnly);
        self.trial.prepare(&self.recorder.restore_triggers())?;
        let (observation, _) = observation?;
        let mut reasons = reasons::of_references(&schema, &observation, &self.options);
        reasons.extend(reasons::of_each(&schema, &observation.refused_at_once, &self.options));
        Ok(reasons)
    }

    /// Reads the definitions again, and records the tables of the kept rows.
    pub(super) fn define_again(&mut self, kept: Option<KeptRecord>) -> Result<(), EngineError> {
        self.drop_record()?;
        let catalog = self.trial.catalog()?;
        // Without configured relations only a defect of fk-doctor makes this fail.
        if let Ok(schema) = resolve::resolve(catalog, &[]) {
            self.schema = Arc::new(schema);
        }
        let kept = kept.unwrap_or_default();
        self.record_also(kept.tables(&self.schema))?;
        kept.put_back(self.trial, self.recorder.as_ref(), &self.schema)
    }

    /// Copies the record since a round, if COMMIT will need it.
    pub(super) fn kept_of_transaction(&mut self, since: u32) -> Result<Option<KeptRecord>, EngineError> {
        if !self.trial.is_in_transaction() {
            return Ok(None);
        }
        self.find_recorded()?;
        KeptRecord::copy(self.trial, self.recorder.as_ref(), &self.schema, since).map(Some)
    }
}
