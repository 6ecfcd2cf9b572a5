//! Explanations as JSON: `fk-doctor/explain@1`.

use serde::Serialize;

use crate::model::explanation::CascadeBranch;
use crate::model::explanation::Constraint;
use crate::model::explanation::Effect;
use crate::model::explanation::Explained;
use crate::model::explanation::Explanation;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::report::json::Database;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::WireTrial;
use crate::report::json::document;
use crate::report::json::examination::WireFinding;

pub(in crate::report) fn render(explanation: &Explanation) -> String {
    let statements = &explanation.statements;
    document(&Report {
        format: "fk-doctor/explain@1",
        tool: TOOL,
        database: Database::of(&explanation.schema.database),
        summary: Summary {
            statements: statements.len(),
            would_fail: statements.iter().filter(|explained| !explained.is_fine()).count(),
        },
        trial: explanation.trial.as_ref().map(WireTrial::of),
        statements: statements.iter().map(WireStatement::of).collect(),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    summary: Summary,
    trial: Option<WireTrial<'a>>,
    statements: Vec<WireStatement<'a>>,
}

#[derive(Serialize)]
struct Summary {
    statements: usize,
    would_fail: usize,
}

#[derive(Serialize)]
struct WireStatement<'a> {
    line: usize,
    statement: &'a str,
    verdict: &'static str,
    /// The message of the engine, or the reason why the statement was not run.
    message: Option<&'a str>,
    findings: Vec<WireFinding<'a>>,
    constraints: Vec<WireConstraint<'a>>,
    effects: Vec<WireEffect<'a>>,
    radius: Vec<WireBranch<'a>>,
    remarks: &'a [String],
}

impl<'a> WireStatement<'a> {
    fn of(explained: &'a Explained) -> WireStatement<'a> {
        let findings = explained.reasons.iter().filter_map(|reason| match reason {
            StatementReason::Relation(finding) => Some(WireFinding::of(&explained.schema, finding)),
            StatementReason::Constraint(_) => None,
        });
        let constraints = explained.reasons.iter().filter_map(|reason| match reason {
            StatementReason::Relation(_) => None,
            StatementReason::Constraint(constraint) => Some(WireConstraint::of(constraint)),
        });
        WireStatement {
            line: explained.statement.line,
            statement: &explained.statement.text,
            verdict: explained.verdict.name(),
            message: match &explained.verdict {
                StatementVerdict::Accepted => None,
                StatementVerdict::Refused(refusal) => Some(&refusal.message),
                StatementVerdict::Forbidden(why) | StatementVerdict::Skipped(why) => Some(why),
            },
            findings: findings.collect(),
            constraints: constraints.collect(),
            effects: explained.effects.iter().map(WireEffect::of).collect(),
            radius: explained.radius.iter().map(WireBranch::of).collect(),
            remarks: &explained.notes,
        }
    }
}

#[derive(Serialize)]
struct WireConstraint<'a> {
    code: &'static str,
    table: Option<&'a str>,
    columns: &'a [String],
    message: &'a str,
    help: &'a str,
}

impl<'a> WireConstraint<'a> {
    fn of(constraint: &'a Constraint) -> WireConstraint<'a> {
        WireConstraint {
            code: constraint.code.name(),
            table: constraint.table.as_deref(),
            columns: &constraint.columns,
            message: &constraint.message,
            help: &constraint.help,
        }
    }
}

#[derive(Serialize)]
struct WireEffect<'a> {
    table: &'a str,
    inserted: u64,
    updated: u64,
    deleted: u64,
    triggers: &'a [String],
}

impl<'a> WireEffect<'a> {
    fn of(effect: &'a Effect) -> WireEffect<'a> {
        WireEffect {
            table: &effect.table,
            inserted: effect.inserted,
            updated: effect.updated,
            deleted: effect.deleted,
            triggers: &effect.triggers,
        }
    }
}

#[derive(Serialize)]
struct WireBranch<'a> {
    parent: &'a str,
    child: &'a str,
    columns: &'a [String],
    relation: &'a str,
    event: &'static str,
    action: &'static str,
    deleted: u64,
    changed: u64,
    blocking: u64,
    levels: u64,
    shown_elsewhere: bool,
    below: Vec<WireBranch<'a>>,
}

impl<'a> WireBranch<'a> {
    fn of(branch: &'a CascadeBranch) -> WireBranch<'a> {
        WireBranch {
            parent: &branch.parent,
            child: &branch.child,
            columns: &branch.columns,
            relation: &branch.relation_id,
            event: branch.event.name(),
            action: branch.action.name(),
            deleted: branch.deleted,
            changed: branch.changed,
            blocking: branch.blocking,
            levels: branch.levels,
            shown_elsewhere: branch.shown_elsewhere,
            below: branch.below.iter().map(WireBranch::of).collect(),
        }
    }
}
