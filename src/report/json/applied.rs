//! What applying a plan, or taking it back, came to, as JSON: `fk-doctor/apply@1`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::report::applied::Said;
use crate::report::json::Database;
use crate::report::json::Named;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;

pub(in crate::report) fn render(said: &Said<'_>) -> String {
    let outcome = match (said.is_undo, said.total() > 0, said.rows_left() > 0) {
        _ if said.never_applied => "never-applied",
        (false, true, false) => "applied",
        (false, false, false) => "already-applied",
        (false, _, true) => "applied-in-part",
        (true, true, false) => "taken-back",
        (true, false, false) => "already-taken-back",
        (true, _, true) => "taken-back-in-part",
    };
    document(&Report {
        format: "fk-doctor/apply@1",
        tool: TOOL,
        database: Database::of(said.database),
        command: if said.is_undo { "undo" } else { "apply" },
        outcome,
        plan: said.plan.display().to_string(),
        backup: said.backup.map(|backup| backup.display().to_string()),
        kept: said.kept.iter().map(|file| file.display().to_string()).collect(),
        changes: Changes {
            made: said.made,
            changed: said.changed,
            deleted: said.deleted,
            redefined: said.redefined,
            already: said.already,
        },
        left: left(said.left, said.left_rows),
        journal: said.journal.map(|journal| journal.display().to_string()),
        scan: Scan {
            relations: said.relations,
            checked: said.relations - said.unchecked,
            unchecked: said.unchecked,
            orphan_rows: said.orphan_rows,
        },
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    command: &'static str,
    outcome: &'static str,
    plan: String,
    backup: Option<String>,
    kept: Vec<String>,
    changes: Changes,
    left: LeftRows<'a>,
    journal: Option<String>,
    scan: Scan,
}

/// Rows that were left as they are: how many for each reason, and the first of them.
#[derive(Serialize)]
pub(super) struct LeftRows<'a> {
    total: u64,
    reasons: BTreeMap<&'static str, u64>,
    rows: Vec<OneLeft<'a>>,
}

#[derive(Serialize)]
struct OneLeft<'a> {
    table: &'a str,
    row: Named<'a>,
    reason: &'static str,
}

pub(super) fn left<'a>(left: &BTreeMap<SkipReason, u64>, rows: &'a [SkippedRow]) -> LeftRows<'a> {
    let one = |row: &'a SkippedRow| OneLeft { table: &row.table, row: Named::of(&row.row), reason: row.why.name() };
    LeftRows {
        total: left.values().sum(),
        reasons: left.iter().filter(|(_, rows)| **rows > 0).map(|(why, rows)| (why.name(), *rows)).collect(),
        rows: rows.iter().map(one).collect(),
    }
}

#[derive(Serialize)]
struct Changes {
    made: u64,
    changed: u64,
    deleted: u64,
    redefined: u64,
    already: u64,
}

#[derive(Serialize)]
struct Scan {
    relations: u64,
    checked: u64,
    unchecked: u64,
    orphan_rows: u64,
}
