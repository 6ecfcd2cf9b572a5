//! Statements that change definitions or end a transaction: the record is made anew, and a refusal is traced to its rows.

use std::sync::Arc;

use super::Stage;
use super::kept_record::KeptRecord;
use super::observe;
use super::reasons;
use super::verdict;
use crate::engine::EngineError;
use crate::engine::trial::ForeignKeyMode;
use crate::model::explanation::Explained;
use crate::model::explanation::StatementReason;
use crate::model::refusal::RefusalKind;
use crate::model::resolve;
use crate::model::statement::Statement;
use crate::sql::read::statements;
use crate::sql::read::statements::dropped_table;

impl Stage<'_> {
    /// COMMIT is refused: finds the rows of the transaction that the engine counts.
    pub(super) fn reasons_of_transaction(&mut self, told: &mut Explained, since: u32) {
        let (schema, witness) = (Arc::clone(&self.schema), self.witness);
        let seen = observe::orphans(self.trial, witness, &schema, since, None, &self.shown);
        told.reasons = reasons::of_references(&schema, &seen, &self.shown);
        told.notes.extend(seen.notes);
        let at_once = observe::at_once(self.trial, witness, &schema, since, None, &self.shown);
        let unequal: Vec<_> = at_once.into_iter().filter(|lacking| lacking.side == observe::Side::Itself).collect();
        told.reasons.extend(reasons::of_each(&schema, &unequal, &self.shown));
        if self.defines {
            let left = observe::without_parent_table(self.trial, &schema, &self.shown);
            told.reasons.extend(reasons::of_each(&schema, &left, &self.shown));
        }
        if told.reasons.is_empty() {
            told.notes.push(
                "no row was found that lacks its parent in the end: the engine counts what comes and goes".to_owned(),
            );
        }
    }

    /// The witness stands aside while definitions change, and then records by the new ones.
    pub(super) fn definition(&mut self, told: &mut Explained) -> Result<(), EngineError> {
        let kept = self.kept_of_transaction(self.transaction_since.unwrap_or(0))?;
        self.trial.prepare(&self.witness.drop_record(&self.schema))?;
        let performance = self.trial.execute(&told.statement)?;
        told.verdict = verdict(&performance);
        self.defines |= self.trial.is_in_transaction();
        self.define_again(kept)?;
        let Some(refusal) = &performance.refusal else { return Ok(()) };
        if refusal.kind == RefusalKind::ForeignKey {
            told.reasons = self.reasons_of_drop(&told.statement)?;
        }
        if told.reasons.is_empty() {
            told.reasons = vec![reasons::of_refusal(&self.schema, refusal, &told.statement, &performance)];
        }
        Ok(())
    }

    /// DROP TABLE first deletes every row, without the table's own triggers: finds the rows that stand in the way.
    pub(super) fn reasons_of_drop(&mut self, statement: &Statement) -> Result<Vec<StatementReason>, EngineError> {
        let schema = Arc::clone(&self.schema);
        let Some(name) = dropped_table(schema.database.engine, &statement.text) else { return Ok(Vec::new()) };
        let Some(table) = schema.tables.position(|table| schema.names.same(&table.name.table, &name)) else {
            return Ok(Vec::new());
        };
        self.round += 1;
        let own = self.trial.triggers_of(&schema.tables[table])?;
        self.trial.prepare(&self.witness.drop_triggers(&own))?;
        self.trial.prepare(&self.witness.begin_round(&schema, self.round, false))?;
        let emptied = statements::statement(
            schema.database.engine,
            &self.witness.delete_all_rows(&schema, table),
            statement.line,
        );
        let seen = self.simulate(&emptied, ForeignKeyMode::ActOnly);
        self.trial.prepare(&self.witness.restore_triggers())?;
        let (seen, _) = seen?;
        let mut reasons = reasons::of_references(&schema, &seen, &self.shown);
        reasons.extend(reasons::of_each(&schema, &seen.at_once, &self.shown));
        Ok(reasons)
    }

    /// Reads the definitions again, and makes the record anew.
    pub(super) fn define_again(&mut self, kept: Option<KeptRecord>) -> Result<(), EngineError> {
        self.trial.prepare(&self.witness.drop_record(&self.schema))?;
        let catalog = self.trial.catalog()?;
        // Nothing is configured, so that nothing configured can be wrong.
        if let Ok(schema) = resolve::resolve(catalog, &[]) {
            self.schema = Arc::new(schema);
        }
        self.trial.prepare(&self.witness.drop_record(&self.schema))?;
        self.trial.prepare(&self.witness.create_record(&self.schema))?;
        kept.map_or(Ok(()), |kept| kept.put_back(self.trial, self.witness, &self.schema))
    }

    /// Copies what was recorded since a round, if COMMIT will ask for it.
    pub(super) fn kept_of_transaction(&mut self, since: u32) -> Result<Option<KeptRecord>, EngineError> {
        if !self.trial.is_in_transaction() {
            return Ok(None);
        }
        KeptRecord::copy(self.trial, self.witness, &self.schema, since).map(Some)
    }
}
