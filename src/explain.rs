//! Why statements fail, and what they would do: each one runs in a trial, and a witness tells what happened.
//!
//! A statement is performed as the engine would perform it; that alone is the verdict. Where foreign keys refuse it,
//! it is pretended once more with references that refuse nothing, and every row that lacks its parent is looked up:
//! an engine stops at the first, and names neither row nor value.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Trial;
use crate::engine::trial::ForeignKeyMode;
use crate::engine::trial::StatementExecution;
use crate::explain::error_text::Complaint;
use crate::model::explanation::Explained;
use crate::model::explanation::Explanation;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::ids::TableId;
use crate::model::redaction::Redaction;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::schema::Schema;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::sql::read::statements::statement;
use crate::sql::read::tokens::tokens_of;
use crate::sql::recorder;
use crate::sql::recorder::Recorder;

mod complaint;
mod definitions;
pub mod error_text;
mod kept_record;
mod observe;
mod order;
mod radius;
mod reasons;
mod server_forecast;
mod suspects;

use kept_record::KeptRecord;
use observe::Seen;

/// What is to be explained, and how much of it is shown.
pub struct Wishes<'a> {
    pub statements: Vec<Statement>,
    /// Rows and keys shown of each finding.
    pub samples: usize,
    pub redaction: &'a Redaction,
}

/// Explains statements one after another: each one sees what those before it did.
pub fn explain(trial: &mut dyn Trial, schema: Schema, wishes: Wishes<'_>) -> Result<Explanation, EngineError> {
    let schema = Arc::new(schema);
    let Some(witness) = recorder::of(&schema) else { return server_forecast::explain(trial, schema, wishes) };
    let mut stage = Stage {
        trial,
        witness,
        schema: Arc::clone(&schema),
        shown: observe::Shown { samples: wishes.samples, redaction: wishes.redaction },
        round: 0,
        transaction_since: None,
        defines: false,
    };
    stage.trial.prepare(&witness.create_record(&schema))?;
    one_by_one(&mut stage, schema, wishes)
}

/// A trial that explains what it runs.
trait Explaining {
    fn explain(&mut self, statement: Statement) -> Result<Explained, EngineError>;

    fn trial(&mut self) -> &mut dyn Trial;
}

fn one_by_one(
    explaining: &mut dyn Explaining,
    schema: Arc<Schema>,
    wishes: Wishes<'_>,
) -> Result<Explanation, EngineError> {
    let mut statements = Vec::new();
    let mut late = order::Late::new();
    for statement in wishes.statements {
        statements.push(explaining.explain(statement)?);
        order::found_later(explaining.trial(), &schema, &mut statements, &mut late);
    }
    statements.iter_mut().for_each(|explained| hide(explained, wishes.redaction));
    Ok(Explanation { schema, statements })
}

const ACCEPTED_ALL_THE_SAME: &str =
    "the engine accepts it all the same: it counts what comes and what goes, and does not look at the rows";

const TOO_DEEP_TO_RECORD: &str = "it goes so deep that what it does could not be recorded";

/// A statement and an engine's words may quote values that are not to be shown.
fn hide(explained: &mut Explained, redaction: &Redaction) {
    explained.statement.text = redaction.message(&explained.statement.text);
    if let StatementVerdict::Refused(refusal) = &mut explained.verdict {
        refusal.message = redaction.message(&refusal.message);
    }
}

/// Explains errors that somebody brings: by their statements where they tell them and there is a trial to run them in,
/// by what they name otherwise.
pub fn explain_errors(
    trial: Option<&mut dyn Trial>,
    session: &mut dyn Session,
    schema: Schema,
    complaints: &[Complaint],
    wishes: &Wishes<'_>,
) -> Result<Explanation, EngineError> {
    let shown = observe::Shown { samples: wishes.samples, redaction: wishes.redaction };
    let told_in_full: Vec<Statement> = complaints
        .iter()
        .filter_map(|complaint| {
            let statement = statement(schema.database.engine, complaint.statement.as_ref()?, complaint.line);
            Some(Statement { parameters: complaint.parameters.clone(), ..statement })
        })
        .collect();
    let schema = Arc::new(schema);
    let mut tried = match trial {
        Some(trial) if !told_in_full.is_empty() => {
            let wishes = Wishes { statements: told_in_full, samples: wishes.samples, redaction: wishes.redaction };
            explain(trial, Schema::clone(&schema), wishes)?.statements
        }
        _ => Vec::new(),
    }
    .into_iter();
    let statements = complaints.iter().map(|complaint| {
        let tried = if complaint.statement.is_some() { tried.next() } else { None };
        let (untried, complaint) = match tried {
            Some(mut explained) => match why_not_tried(&explained) {
                None => {
                    if explained.verdict == StatementVerdict::Accepted {
                        let remark = "it is accepted now: the parent came after the error, or the error is from another database";
                        explained.notes.push(remark.to_owned());
                    }
                    return explained;
                }
                Some(why) => (Some(why), Complaint { statement: None, ..complaint.clone() }),
            },
            None => (None, complaint.clone()),
        };
        let mut explained = complaint::explain(session, &schema, &complaint, &shown);
        let untried = untried.map(|why| wishes.redaction.message(&why));
        explained.notes.extend(untried.map(|why| format!("the statement in the text could not be tried: {why}")));
        hide(&mut explained, wishes.redaction);
        explained
    });
    let statements = statements.collect();
    Ok(Explanation { schema, statements })
}

/// Why the trial of a statement says nothing about the error that it was printed with. The statement may be cut off, lack its
/// values, or be of another database; the error was about a foreign key all the same.
fn why_not_tried(explained: &Explained) -> Option<String> {
    match &explained.verdict {
        StatementVerdict::Refused(refusal)
            if matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Parameters) =>
        {
            Some(refusal.message.clone())
        }
        StatementVerdict::Forbidden(why) | StatementVerdict::Skipped(why) => Some(why.clone()),
        StatementVerdict::Accepted | StatementVerdict::Refused(_) => None,
    }
}

struct Stage<'a> {
    trial: &'a mut dyn Trial,
    witness: &'static dyn Recorder,
    schema: Arc<Schema>,
    shown: observe::Shown<'a>,
    /// Numbers the statements for the witness.
    round: u32,
    /// The first round of the transaction that a statement began.
    transaction_since: Option<u32>,
    /// The open transaction has changed definitions.
    defines: bool,
}

impl Explaining for Stage<'_> {
    fn trial(&mut self) -> &mut dyn Trial {
        self.trial
    }

    fn explain(&mut self, statement: Statement) -> Result<Explained, EngineError> {
        let mut told = Explained {
            schema: Arc::clone(&self.schema),
            verdict: StatementVerdict::Accepted,
            reasons: Vec::new(),
            effects: Vec::new(),
            radius: Vec::new(),
            notes: Vec::new(),
            statement,
        };
        match told.statement.kind {
            StatementKind::Outside => {
                let why = "it reaches beyond the rows of this database, which a trial does not allow";
                told.verdict = StatementVerdict::Forbidden(why.to_owned());
            }
            StatementKind::Enforcement if !defers(&self.schema, &told.statement) => {
                let why = "a trial always enforces foreign keys: what fails is to be seen";
                told.verdict = StatementVerdict::Skipped(why.to_owned());
            }
            StatementKind::Enforcement => {
                let performance = self.trial.execute(&told.statement)?;
                told.verdict = verdict(&performance);
            }
            StatementKind::Transaction => self.transaction(&mut told)?,
            StatementKind::Definition => self.definition(&mut told)?,
            StatementKind::Insert | StatementKind::Update | StatementKind::Delete | StatementKind::Other => {
                self.try_out(&mut told)?
            }
        }
        Ok(told)
    }
}

impl Stage<'_> {
    /// The end of a transaction is where deferred references are looked at: all its statements are to blame.
    fn transaction(&mut self, told: &mut Explained) -> Result<(), EngineError> {
        let performance = self.trial.execute(&told.statement)?;
        told.verdict = verdict(&performance);
        let words = tokens_of(self.schema.database.engine, &told.statement.text);
        let rolls_back = words.first().is_some_and(|word| word.is_word("ROLLBACK"));
        if self.defines && rolls_back && performance.refusal.is_none() {
            self.define_again(None)?;
        }
        if let Some(refusal) = &performance.refusal {
            match (refusal.kind, self.transaction_since) {
                (RefusalKind::ForeignKey, Some(since)) => self.reasons_of_transaction(told, since),
                _ => told.reasons = vec![reasons::of_refusal(&self.schema, refusal, &told.statement, &performance)],
            }
        }
        let is_over = !self.trial.is_in_transaction() && !rolls_back;
        if let (None, true, Some(since)) = (&performance.refusal, is_over, self.transaction_since) {
            let seen = observe::orphans(self.trial, self.witness, &self.schema, since, None, &self.shown);
            told.reasons = reasons::of_references(&self.schema, &seen, &self.shown);
            if !told.reasons.is_empty() {
                told.notes.push(ACCEPTED_ALL_THE_SAME.to_owned());
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

    fn try_out(&mut self, told: &mut Explained) -> Result<(), EngineError> {
        self.round += 1;
        let takes_away = told.statement.kind != StatementKind::Insert || told.statement.may_replace;
        let alone = if takes_away { self.alone(&told.statement)? } else { Vec::new() };
        self.begin_round()?;
        let (performance, recorded_tables) = self.execute(told)?;
        if self.defines && !self.trial.is_in_transaction() {
            self.define_again(None)?;
            self.defines = false;
        }
        told.verdict = verdict(&performance);
        let seen = match &performance.refusal {
            None => Some(recorded_tables.map_or_else(|| self.look(&performance), Ok)?),
            Some(refusal) if refusal.kind == RefusalKind::ForeignKey => {
                let simulate = || self.simulate(&told.statement, ForeignKeyMode::ActOnly).map(|(seen, _)| seen);
                Some(recorded_tables.map_or_else(simulate, Ok)?)
            }
            Some(refusal) if reasons::is_broken_definition(&self.schema, refusal) => {
                told.reasons.extend(reasons::of_definitions(&self.schema, refusal, &performance));
                Some(self.simulate(&told.statement, ForeignKeyMode::Ignore)?.0.without_actions(&self.schema))
            }
            Some(refusal) if refusal.kind == RefusalKind::Forbidden => {
                told.verdict = StatementVerdict::Forbidden(refusal.message.clone());
                None
            }
            Some(refusal) => {
                told.reasons.push(reasons::of_refusal(&self.schema, refusal, &told.statement, &performance));
                None
            }
        };
        if let Some(seen) = seen {
            let waits = performance.refusal.is_none() && self.trial.is_in_transaction();
            if waits {
                told.notes.extend(seen.lacking.iter().map(|lacking| reasons::waiting(&self.schema, lacking)));
            } else {
                told.reasons.extend(reasons::of_references(&self.schema, &seen, &self.shown));
            }
            if kind(&performance) == Some(RefusalKind::ForeignKey) {
                told.reasons.extend(reasons::of_each(&self.schema, &seen.at_once, &self.shown));
            }
            let more = seen.refusal.as_ref().filter(|refusal| refusal.kind != RefusalKind::ForeignKey);
            if more.is_some_and(|refusal| refusal.kind == RefusalKind::TooDeep) && performance.refusal.is_none() {
                told.notes.push(TOO_DEEP_TO_RECORD.to_owned());
            }
            let more = more.filter(|_| performance.refusal.is_some());
            told.reasons
                .extend(more.map(|refusal| reasons::of_refusal(&self.schema, refusal, &told.statement, &performance)));
            told.radius = radius::tree(&self.schema, &alone, &seen.follows);
            told.effects = seen.effects;
            told.notes.extend(seen.notes);
        }
        self.say_what_is_odd(told, &performance);
        Ok(())
    }

    /// Which tables the statement and its triggers take rows or keys away from, apart from what foreign keys do.
    fn alone(&mut self, statement: &Statement) -> Result<Vec<TableId>, EngineError> {
        self.begin_round()?;
        let (schema, round, witness) = (Arc::clone(&self.schema), self.round, self.witness);
        let mut tables = Vec::new();
        self.trial.simulate(statement, ForeignKeyMode::Ignore, &mut |trial, performance| {
            trial.prepare(&witness.complete_record(&schema))?;
            tables = observe::effects(trial, witness, &schema, round, performance, &mut Vec::new())
                .into_iter()
                .filter(|(_, effect)| effect.deleted + effect.updated > 0)
                .map(|(table, _)| table)
                .collect();
            Ok(())
        })?;
        Ok(tables)
    }

    /// Returns what the statement would do, and its record if COMMIT will ask for it.
    fn simulate(
        &mut self,
        statement: &Statement,
        leniency: ForeignKeyMode,
    ) -> Result<(Seen, Option<KeptRecord>), EngineError> {
        let (schema, round, witness, shown) = (Arc::clone(&self.schema), self.round, self.witness, &self.shown);
        let is_asked_for = self.trial.is_in_transaction();
        let mut result = (Seen::default(), None);
        self.trial.simulate(statement, leniency, &mut |trial, performance| {
            trial.prepare(&witness.complete_record(&schema))?;
            let mut seen = observe::everything(trial, witness, &schema, round, performance, shown);
            seen.refusal = performance.refusal.clone();
            seen.written = observe::written_tables(&schema, performance);
            let kept = is_asked_for.then(|| KeptRecord::copy(trial, witness, &schema, round)).transpose()?;
            result = (seen, kept);
            Ok(())
        })?;
        Ok(result)
    }

    fn look(&mut self, performance: &StatementExecution) -> Result<Seen, EngineError> {
        self.trial.prepare(&self.witness.complete_record(&self.schema))?;
        Ok(observe::everything(self.trial, self.witness, &self.schema, self.round, performance, &self.shown))
    }

    /// Runs the statement for good. Triggers change how SQLite checks an INSERT and what REPLACE takes away, and the
    /// witness is made of triggers: such a statement is recorded while it is pretended, and then runs without them.
    fn execute(&mut self, told: &mut Explained) -> Result<(StatementExecution, Option<Seen>), EngineError> {
        let by_clause = told.statement.kind == StatementKind::Update && self.has_conflict_clauses()?;
        if told.statement.may_replace || told.statement.kind == StatementKind::Insert || by_clause {
            let (seen, kept) = self.simulate(&told.statement, ForeignKeyMode::ActOnly)?;
            // A statement that was refused may not have come to name all its tables.
            let tables = seen.refusal.is_none().then(|| seen.written.clone());
            let performance = self.execute_unrecorded(told, tables)?;
            if let (None, Some(kept)) = (&performance.refusal, kept) {
                kept.put_back(self.trial, self.witness, &self.schema)?;
            }
            // A pretended INSERT is refused for a broken definition that the engine does not look at here.
            let is_seen =
                !seen.refusal.as_ref().is_some_and(|refusal| reasons::is_broken_definition(&self.schema, refusal));
            let seen = if is_seen {
                seen
            } else {
                self.simulate(&told.statement, ForeignKeyMode::Ignore)?.0.without_actions(&self.schema)
            };
            return Ok((performance, Some(seen)));
        }
        let performance = self.trial.execute(&told.statement)?;
        if kind(&performance) != Some(RefusalKind::TooDeep) {
            return Ok((performance, None));
        }
        // The witness's own triggers are one more level than there would be.
        let performance = self.execute_unrecorded(told, None)?;
        if performance.refusal.is_none() {
            told.notes.push(TOO_DEEP_TO_RECORD.to_owned());
        }
        Ok((performance, None))
    }

    fn has_conflict_clauses(&mut self) -> Result<bool, EngineError> {
        let session: &mut dyn Session = self.trial;
        Ok(session.numbers(&self.witness.count_conflict_clauses())?.first().is_some_and(|&tables| tables > 0))
    }

    /// Runs the statement without the triggers of the witness on these tables; `None`: on any.
    fn execute_unrecorded(
        &mut self,
        told: &Explained,
        tables: Option<Vec<TableId>>,
    ) -> Result<StatementExecution, EngineError> {
        let tables = tables.unwrap_or_else(|| self.witness.recorded_tables(&self.schema));
        self.trial.prepare(&self.witness.drop_record_triggers(&self.schema, &tables))?;
        let performance = self.trial.execute(&told.statement)?;
        if self.defines && !self.trial.is_in_transaction() {
            self.define_again(None)?;
        } else {
            self.trial.prepare(&self.witness.create_record_triggers(&self.schema, &tables))?;
        }
        Ok(performance)
    }

    /// What was witnessed of earlier statements is forgotten, unless they are of the same transaction.
    fn begin_round(&mut self) -> Result<(), EngineError> {
        let forget = !self.trial.is_in_transaction();
        self.trial.prepare(&self.witness.begin_round(&self.schema, self.round, forget))
    }

    fn say_what_is_odd(&self, told: &mut Explained, performance: &StatementExecution) {
        let relations = told.reasons.iter().filter(|reason| matches!(reason, StatementReason::Relation(_))).count();
        match kind(performance) {
            None if relations > 0 => told.notes.push(ACCEPTED_ALL_THE_SAME.to_owned()),
            Some(RefusalKind::ForeignKey) if relations == 0 => told.notes.push(
                "no row was found that lacks its parent in the end: the engine looks before the statement is over"
                    .to_owned(),
            ),
            _ => {}
        }
    }
}

fn kind(performance: &StatementExecution) -> Option<RefusalKind> {
    performance.refusal.as_ref().map(|refusal: &Refusal| refusal.kind)
}

fn verdict(performance: &StatementExecution) -> StatementVerdict {
    performance.refusal.clone().map_or(StatementVerdict::Accepted, StatementVerdict::Refused)
}

fn defers(schema: &Schema, statement: &Statement) -> bool {
    let words = tokens_of(schema.database.engine, &statement.text);
    words.iter().any(|word| word.is_word("defer_foreign_keys"))
}
