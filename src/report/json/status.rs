//! The state of a plan as JSON: `fk-doctor/status@1`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::json::Database;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::applied::WireSkippedRows;
use crate::report::json::applied::skipped_rows;
use crate::report::json::document;
use crate::report::status::StatusReport;

pub(in crate::report) fn render(report: &StatusReport<'_>) -> String {
    let state = report.state.as_ref().map(|state| State {
        database: Database::of(state.database),
        phase: state.phase.map_or("never applied", |phase| phase.name()),
        run: state.run,
        at: state.at,
        journal: state.journal.map(|journal| journal.display().to_string()),
        made: Made { changes: state.made, definitions: state.defined },
        left: state.left.iter().map(|(why, rows)| (why.name(), *rows)).collect(),
        changed_since: skipped_rows(
            &BTreeMap::from([(crate::model::state::SkipReason::Changed, state.changed_since)]),
            state.changed_rows,
        ),
    });
    document(&Report {
        format: "fk-doctor/status@1",
        tool: TOOL,
        plan: Plan {
            path: report.plan.display().to_string(),
            sha256: report.digest,
            changes: report.changes,
            definitions: report.header.redefinitions.len() as u64,
        },
        made_for: &report.header.database,
        begun: report.begun.map(|(run, at)| Begun { run, at }),
        state,
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    plan: Plan<'a>,
    made_for: &'a str,
    begun: Option<Begun<'a>>,
    state: Option<State<'a>>,
}

#[derive(Serialize)]
struct Plan<'a> {
    path: String,
    sha256: &'a str,
    changes: u64,
    definitions: u64,
}

#[derive(Serialize)]
struct Begun<'a> {
    run: &'a str,
    at: &'a str,
}

#[derive(Serialize)]
struct State<'a> {
    database: Database<'a>,
    phase: &'static str,
    run: &'a str,
    at: &'a str,
    journal: Option<String>,
    made: Made,
    left: BTreeMap<&'static str, u64>,
    changed_since: WireSkippedRows<'a>,
}

#[derive(Serialize)]
struct Made {
    changes: u64,
    definitions: u64,
}
