//! Explains why statements fail and what they would do. Each statement runs in a trial, and a recorder logs its
//! effects.
//!
//! The engine's own execution of the statement is the verdict. If a foreign key refuses the statement, it is simulated
//! while foreign keys refuse nothing, and every row that lacks its parent is found. The engine itself stops at the
//! first such row, and names neither row nor value.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Trial;
use crate::engine::trial::StatementExecution;
use crate::explain::error_text::ReportedError;
use crate::model::explanation::Explained;
use crate::model::explanation::Explanation;
use crate::model::explanation::StatementVerdict;
use crate::model::redaction::Redaction;
use crate::model::refusal::RefusalKind;
use crate::model::schema::Schema;
use crate::model::statement::Statement;
use crate::model::text;
use crate::sql::read::statements::statement;
use crate::sql::recorder;

pub mod error_text;
mod observe;
mod order;
mod radius;
mod reasons;
mod recording;
mod reported_error;
mod server_forecast;
mod suspects;

use recording::RecordingExplainer;

/// The options that all explanations of one run share.
#[derive(Clone, Copy)]
pub struct ExplainOptions<'a> {
    /// The database as an argument of a command line, without a password.
    pub database: &'a str,
    /// The number of rows and keys shown for each finding.
    pub samples: usize,
    pub redaction: &'a Redaction,
}

impl ExplainOptions<'_> {
    /// Returns a command that explains a statement of this kind, such as `fk-doctor explain app.db "DELETE …"`.
    fn command(&self, verb: &str) -> String {
        format!("fk-doctor explain {} \"{verb} …\"", text::shell(self.database))
    }
}

/// Explains statements one after another. Each statement sees the effects of those before it.
pub fn explain(
    trial: &mut dyn Trial,
    schema: Schema,
    statements: Vec<Statement>,
    options: &ExplainOptions<'_>,
) -> Result<Explanation, EngineError> {
    let schema = Arc::new(schema);
    let Some(recorder) = recorder::of(&schema) else {
        return server_forecast::explain(trial, schema, statements, options);
    };
    let mut explainer = RecordingExplainer::new(trial, recorder, Arc::clone(&schema), options)?;
    explain_each(&mut explainer, schema, statements, options)
}

/// Runs statements in a trial, and explains them.
trait StatementExplainer {
    fn explain(&mut self, statement: Statement) -> Result<Explained, EngineError>;

    fn trial(&mut self) -> &mut dyn Trial;
}

fn explain_each(
    explainer: &mut dyn StatementExplainer,
    schema: Arc<Schema>,
    statements: Vec<Statement>,
    options: &ExplainOptions<'_>,
) -> Result<Explanation, EngineError> {
    let mut explained = Vec::new();
    let mut late = order::LateParents::new();
    for statement in statements {
        explained.push(explainer.explain(statement)?);
        order::note_late_parents(explainer.trial(), &schema, &mut explained, &mut late);
    }
    explained.iter_mut().for_each(|explained| redact(explained, options.redaction));
    let trial = Some(explainer.trial().method());
    Ok(Explanation { schema, statements: explained, trial })
}

/// Returns the verdict of the engine.
fn verdict(execution: &StatementExecution) -> StatementVerdict {
    execution.refusal.clone().map_or(StatementVerdict::Accepted, StatementVerdict::Refused)
}

/// Redacts the statement and the engine's message, which may quote values.
fn redact(explained: &mut Explained, redaction: &Redaction) {
    explained.statement.text = redaction.message(&explained.statement.text);
    if let StatementVerdict::Refused(refusal) = &mut explained.verdict {
        refusal.message = redaction.message(&refusal.message);
    }
}

/// Explains errors that a program reported. An error with a statement is explained by that statement if there is a
/// trial; any other error is explained by the names in its text.
pub fn explain_errors(
    trial: Option<&mut dyn Trial>,
    session: &mut dyn Session,
    schema: Schema,
    reported_errors: &[ReportedError],
    options: &ExplainOptions<'_>,
) -> Result<Explanation, EngineError> {
    let reported_statements: Vec<Statement> = reported_errors
        .iter()
        .filter_map(|reported_error| {
            let statement = statement(schema.database.engine, reported_error.statement.as_ref()?, reported_error.line);
            Some(Statement { parameters: reported_error.parameters.clone(), ..statement })
        })
        .collect();
    let schema = Arc::new(schema);
    let (tried, trial) = match trial {
        Some(trial) if !reported_statements.is_empty() => {
            let explanation = explain(trial, Schema::clone(&schema), reported_statements, options)?;
            (explanation.statements, explanation.trial)
        }
        _ => (Vec::new(), None),
    };
    let mut tried = tried.into_iter();
    let statements = reported_errors.iter().map(|reported_error| {
        let tried = if reported_error.statement.is_some() { tried.next() } else { None };
        let (untried, reported_error) = match tried {
            Some(mut explained) => match why_irrelevant(&explained) {
                None => {
                    if explained.verdict == StatementVerdict::Accepted {
                        let note = "the database accepts the statement now: the parent was inserted after the error, or the error is from another database";
                        explained.notes.push(note.to_owned());
                    }
                    return explained;
                }
                Some(why) => (Some(why), ReportedError { statement: None, ..reported_error.clone() }),
            },
            None => (None, reported_error.clone()),
        };
        let mut explained = reported_error::explain(session, &schema, &reported_error, options);
        let untried = untried.map(|why| options.redaction.message(&why));
        explained.notes.extend(untried.map(|why| format!("the statement in the text could not be tried: {why}")));
        redact(&mut explained, options.redaction);
        explained
    });
    let statements = statements.collect();
    Ok(Explanation { schema, statements, trial })
}

/// Returns why the trial of a statement does not explain the foreign-key error that was printed with it. The statement
/// may be truncated, lack its values, or belong to another database.
fn why_irrelevant(explained: &Explained) -> Option<String> {
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
