//! Explains statements in the trial of a file, in which triggers record every row that a statement writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ExplainOptions;
use super::StatementExplainer;
use super::observe;
use super::observe::Observation;
use super::radius;
use super::reasons;
use super::verdict;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Trial;
use crate::engine::trial::ForeignKeyMode;
use crate::engine::trial::StatementExecution;
use crate::model::explanation::Explained;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::ids::TableId;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::schema::Schema;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::sql::read::tokens::tokens_of;
use crate::sql::recorder::Recorder;

mod definitions;
mod kept_record;
mod record;

use kept_record::KeptRecord;
use record::existing_record;

const ACCEPTED_DESPITE_ORPHANS: &str = "the engine accepts it nevertheless: it counts violations as they come and go, \
     and does not check the rows again";

const TOO_DEEP_TO_RECORD: &str = "its cascade is so deep that fk-doctor could not record its effects";

/// Explains statements in the trial of a file, in which triggers record every row that a statement writes.
pub(super) struct RecordingExplainer<'a> {
    trial: &'a mut dyn Trial,
    /// The recorder of all tables that statements have written.
    recorder: Arc<dyn Recorder>,
    schema: Arc<Schema>,
    options: ExplainOptions<'a>,
    /// The number of the current statement in the record.
    round: u32,
    /// The first round of the open transaction.
    transaction_since: Option<u32>,
    /// True if the open transaction has changed definitions.
    defines: bool,
}

impl StatementExplainer for RecordingExplainer<'_> {
    fn trial(&mut self) -> &mut dyn Trial {
        self.trial
    }

    fn explain(&mut self, statement: Statement) -> Result<Explained, EngineError> {
        let mut explained = Explained::new(statement, Arc::clone(&self.schema));
        match explained.statement.kind {
            StatementKind::Outside => {
                let why = "it would affect more than the rows of this database, which a trial does not allow";
                explained.verdict = StatementVerdict::Forbidden(why.to_owned());
            }
            StatementKind::Enforcement if !sets_deferral(&self.schema, &explained.statement) => {
                let why = "a trial always enforces foreign keys, so that failures show";
                explained.verdict = StatementVerdict::Skipped(why.to_owned());
            }
            StatementKind::Enforcement => {
                let execution = self.trial.execute(&explained.statement)?;
                explained.verdict = verdict(&execution);
            }
            StatementKind::Transaction => self.transaction(&mut explained)?,
            StatementKind::Definition => self.definition(&mut explained)?,
            StatementKind::Insert | StatementKind::Update | StatementKind::Delete | StatementKind::Other => {
                self.explain_write(&mut explained)?
            }
        }
        Ok(explained)
    }
}

impl<'a> RecordingExplainer<'a> {
    /// Begins the record. `recorder` records no table yet.
    pub(super) fn new(
        trial: &'a mut dyn Trial,
        recorder: Arc<dyn Recorder>,
        schema: Arc<Schema>,
        options: &ExplainOptions<'a>,
    ) -> Result<RecordingExplainer<'a>, EngineError> {
        trial.prepare(&recorder.create_record())?;
        let options = *options;
        Ok(RecordingExplainer { trial, recorder, schema, options, round: 0, transaction_since: None, defines: false })
    }

    /// Explains a statement that begins or ends a transaction. Deferred foreign keys are checked at its end, so every
    /// statement of the transaction can be at fault.
    fn transaction(&mut self, explained: &mut Explained) -> Result<(), EngineError> {
        self.find_recorded()?;
        let execution = self.trial.execute(&explained.statement)?;
        explained.verdict = verdict(&execution);
        let words = tokens_of(self.schema.database.engine, &explained.statement.text);
        let rolls_back = words.first().is_some_and(|word| word.is_word("ROLLBACK"));
        if self.defines && rolls_back && execution.refusal.is_none() {
            self.define_again(None)?;
        }
        if let Some(refusal) = &execution.refusal {
            match (refusal.kind, self.transaction_since) {
                (RefusalKind::ForeignKey, Some(since)) => self.reasons_of_transaction(explained, since),
                _ => {
                    explained.reasons =
                        vec![reasons::of_refusal(&self.schema, refusal, &explained.statement, &execution)]
                }
            }
        }
        let is_over = !self.trial.is_in_transaction() && !rolls_back;
        if let (None, true, Some(since)) = (&execution.refusal, is_over, self.transaction_since) {
            let recorder = Arc::clone(&self.recorder);
            let observation = observe::orphans(self.trial, recorder.as_ref(), &self.schema, since, None, &self.options);
            explained.reasons = reasons::of_references(&self.schema, &observation, &self.options);
            if !explained.reasons.is_empty() {
                explained.notes.push(ACCEPTED_DESPITE_ORPHANS.to_owned());
            }
        }
        self.transaction_since = match (self.trial.is_in_transaction(), self.transaction_since) {
            (false, _) => None,
            (true, None) => Some(self.round + 1),
            (true, since) => since,
        };
        self.defines &= self.trial.is_in_transaction();
        Ok(())
    }

    /// Explains a statement that writes rows.
    fn explain_write(&mut self, explained: &mut Explained) -> Result<(), EngineError> {
        self.round += 1;
        let can_cascade = explained.statement.kind != StatementKind::Insert || explained.statement.may_replace;
        let roots = if can_cascade { self.cascade_roots(&explained.statement)? } else { Vec::new() };
        self.begin_round(&explained.statement)?;
        let (execution, recorded) = self.execute(explained)?;
        if self.defines && !self.trial.is_in_transaction() {
            self.define_again(None)?;
            self.defines = false;
        }
        explained.verdict = verdict(&execution);
        let observation = match &execution.refusal {
            None => Some(recorded.map_or_else(|| self.observe(&execution), Ok)?),
            Some(refusal) if refusal.kind == RefusalKind::ForeignKey => {
                let simulate =
                    || self.simulate(&explained.statement, ForeignKeyMode::ActOnly).map(|(observation, _)| observation);
                Some(recorded.map_or_else(simulate, Ok)?)
            }
            Some(refusal) if reasons::is_broken_definition(&self.schema, refusal) => {
                explained.reasons.extend(reasons::of_definitions(&self.schema, refusal, &execution));
                Some(self.simulate(&explained.statement, ForeignKeyMode::Ignore)?.0.without_actions(&self.schema))
            }
            Some(refusal) if refusal.kind == RefusalKind::Forbidden => {
                explained.verdict = StatementVerdict::Forbidden(refusal.message.clone());
                None
            }
            Some(refusal) => {
                explained.reasons.push(reasons::of_refusal(&self.schema, refusal, &explained.statement, &execution));
                None
            }
        };
        if let Some(observation) = observation {
            let is_deferred = execution.refusal.is_none() && self.trial.is_in_transaction();
            if is_deferred {
                explained
                    .notes
                    .extend(observation.failing.iter().map(|failing| reasons::deferred(&self.schema, failing)));
            } else {
                explained.reasons.extend(reasons::of_references(&self.schema, &observation, &self.options));
            }
            if refusal_kind(&execution) == Some(RefusalKind::ForeignKey) {
                explained.reasons.extend(reasons::of_each(&self.schema, &observation.refused_at_once, &self.options));
            }
            let more = observation.refusal.as_ref().filter(|refusal| refusal.kind != RefusalKind::ForeignKey);
            if more.is_some_and(|refusal| refusal.kind == RefusalKind::TooDeep) && execution.refusal.is_none() {
                explained.notes.push(TOO_DEEP_TO_RECORD.to_owned());
            }
            let more = more.filter(|_| execution.refusal.is_some());
            explained.reasons.extend(
                more.map(|refusal| reasons::of_refusal(&self.schema, refusal, &explained.statement, &execution)),
            );
            explained.radius = radius::tree(&self.schema, &roots, &observation.action_effects);
            explained.effects = observation.effects;
            explained.notes.extend(observation.notes);
        }
        self.note_contradiction(explained, &execution);
        Ok(())
    }

    /// Returns the tables in which the statement and its triggers delete or change rows, without foreign-key actions.
    fn cascade_roots(&mut self, statement: &Statement) -> Result<Vec<TableId>, EngineError> {
        self.begin_round(statement)?;
        let (schema, round, recorder) = (Arc::clone(&self.schema), self.round, Arc::clone(&self.recorder));
        let mut tables = Vec::new();
        self.trial.simulate(statement, ForeignKeyMode::Ignore, &mut |trial, execution| {
            // A trigger may have rolled the records back.
            let recorder = existing_record(trial, recorder.as_ref())?;
            trial.prepare(&recorder.complete_record(&schema))?;
            tables = observe::effects(trial, recorder.as_ref(), &schema, round, execution, &mut Vec::new())
                .into_iter()
                .filter(|(_, effect)| effect.deleted + effect.updated > 0)
                .map(|(table, _)| table)
                .collect();
            Ok(())
        })?;
        Ok(tables)
    }

    /// Returns the effects that the statement would have, and a copy of its record if COMMIT will need it.
    fn simulate(
        &mut self,
        statement: &Statement,
        mode: ForeignKeyMode,
    ) -> Result<(Observation, Option<KeptRecord>), EngineError> {
        let (schema, recorder) = (Arc::clone(&self.schema), Arc::clone(&self.recorder));
        let (round, options) = (self.round, &self.options);
        let is_needed = self.trial.is_in_transaction();
        let mut result = (Observation::default(), None);
        self.trial.simulate(statement, mode, &mut |trial, execution| {
            let existing = existing_record(trial, recorder.as_ref())?;
            let recorder = existing.as_ref();
            trial.prepare(&recorder.complete_record(&schema))?;
            let mut observation = observe::everything(trial, recorder, &schema, round, execution, options);
            observation.refusal = execution.refusal.clone();
            observation.written = observe::written_tables(&schema, &execution.writes);
            let kept = is_needed.then(|| KeptRecord::copy(trial, recorder, &schema, round)).transpose()?;
            result = (observation, kept);
            Ok(())
        })?;
        Ok(result)
    }

    fn observe(&mut self, execution: &StatementExecution) -> Result<Observation, EngineError> {
        let recorder = existing_record(self.trial, self.recorder.as_ref())?;
        self.trial.prepare(&recorder.complete_record(&self.schema))?;
        Ok(observe::everything(self.trial, recorder.as_ref(), &self.schema, self.round, execution, &self.options))
    }

    /// Runs the statement and keeps its effects. The recorder consists of triggers, which change how SQLite checks an
    /// INSERT and which rows REPLACE deletes. Such a statement is recorded in a simulation, and then runs without them.
    fn execute(&mut self, explained: &mut Explained) -> Result<(StatementExecution, Option<Observation>), EngineError> {
        let by_clause = explained.statement.kind == StatementKind::Update && self.has_conflict_clauses()?;
        if explained.statement.may_replace || explained.statement.kind == StatementKind::Insert || by_clause {
            let (observation, kept) = self.simulate(&explained.statement, ForeignKeyMode::ActOnly)?;
            // A statement that was refused may not have reached all its tables.
            let tables = observation.refusal.is_none().then(|| observation.written.iter().copied().collect());
            let execution = self.execute_unrecorded(explained, tables)?;
            if let (None, Some(kept)) = (&execution.refusal, kept) {
                kept.put_back(self.trial, self.recorder.as_ref(), &self.schema)?;
            }
            // The simulation may fail because of a broken definition that the real execution does not check.
            let is_complete = !observation
                .refusal
                .as_ref()
                .is_some_and(|refusal| reasons::is_broken_definition(&self.schema, refusal));
            let observation = if is_complete {
                observation
            } else {
                self.simulate(&explained.statement, ForeignKeyMode::Ignore)?.0.without_actions(&self.schema)
            };
            return Ok((execution, Some(observation)));
        }
        let execution = self.trial.execute(&explained.statement)?;
        if refusal_kind(&execution) != Some(RefusalKind::TooDeep) {
            return Ok((execution, None));
        }
        // The recorder's triggers add one level to the cascade.
        let execution = self.execute_unrecorded(explained, None)?;
        if execution.refusal.is_none() {
            explained.notes.push(TOO_DEEP_TO_RECORD.to_owned());
        }
        Ok((execution, None))
    }

    fn has_conflict_clauses(&mut self) -> Result<bool, EngineError> {
        let session: &mut dyn Session = self.trial;
        Ok(session.numbers(&self.recorder.count_conflict_clauses())?.first().is_some_and(|&tables| tables > 0))
    }

    /// Runs the statement while the recorder's triggers on these tables are dropped; `None` stands for all tables.
    fn execute_unrecorded(
        &mut self,
        explained: &Explained,
        tables: Option<BTreeSet<TableId>>,
    ) -> Result<StatementExecution, EngineError> {
        let tables = tables.unwrap_or_else(|| self.recorder.tables().clone());
        self.trial.prepare(&self.recorder.drop_record_triggers(&self.schema, &tables))?;
        let execution = self.trial.execute(&explained.statement)?;
        if self.defines && !self.trial.is_in_transaction() {
            self.define_again(None)?;
        } else {
            self.trial.prepare(&self.recorder.create_tables(&self.schema, &tables))?;
        }
        Ok(execution)
    }

    /// Adds a note if the engine's verdict and the rows that were found contradict each other.
    fn note_contradiction(&self, explained: &mut Explained, execution: &StatementExecution) {
        let relations =
            explained.reasons.iter().filter(|reason| matches!(reason, StatementReason::Relation(_))).count();
        match refusal_kind(execution) {
            None if relations > 0 => explained.notes.push(ACCEPTED_DESPITE_ORPHANS.to_owned()),
            Some(RefusalKind::ForeignKey) if relations == 0 => explained.notes.push(
                "no row lacks its parent after the statement: the engine checks before the statement ends".to_owned(),
            ),
            _ => {}
        }
    }
}

fn refusal_kind(execution: &StatementExecution) -> Option<RefusalKind> {
    execution.refusal.as_ref().map(|refusal: &Refusal| refusal.kind)
}

/// True if a statement sets `PRAGMA defer_foreign_keys`.
fn sets_deferral(schema: &Schema, statement: &Statement) -> bool {
    let words = tokens_of(schema.database.engine, &statement.text);
    words.iter().any(|word| word.is_word("defer_foreign_keys"))
}
