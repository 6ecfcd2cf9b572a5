//! The result of `apply` or `undo` as JSON: `fk-doctor/apply@1`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::redaction::ShownValue;
use crate::model::state::RowNow;
use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::report::applied::ApplyReport;
use crate::report::json::Database;
use crate::report::json::NamedValues;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;

pub(in crate::report) fn render(report: &ApplyReport<'_>) -> String {
    let outcome = match (report.is_undo, report.total() > 0, report.rows_left() > 0) {
        _ if report.never_applied => "never-applied",
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
        database: Database::of(report.database),
        command: if report.is_undo { "undo" } else { "apply" },
        outcome,
        plan: report.plan.display().to_string(),
        backup: report.backup.map(|backup| backup.path.display().to_string()),
        backup_origin: report.backup.map(|backup| backup.origin.name()),
        backup_bytes: report.backup.map(|backup| backup.bytes),
        kept: report.kept.iter().map(|file| file.display().to_string()).collect(),
        changes: Changes {
            made: report.made,
            changed: report.changed,
            deleted: report.deleted,
            redefined: report.redefined,
            already: report.already,
        },
        left: skipped_rows(report.left, report.left_rows),
        journal: report.journal.map(|journal| journal.display().to_string()),
        scan: Scan {
            relations: report.relations,
            checked: report.relations - report.unchecked,
            unchecked: report.unchecked,
            orphan_rows: report.orphan_rows,
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
    backup_origin: Option<&'static str>,
    backup_bytes: Option<u64>,
    kept: Vec<String>,
    changes: Changes,
    left: WireSkippedRows<'a>,
    journal: Option<String>,
    scan: Scan,
}

/// Rows that were left unchanged: their number by reason, and the first of them.
#[derive(Serialize)]
pub(super) struct WireSkippedRows<'a> {
    total: u64,
    reasons: BTreeMap<&'static str, u64>,
    rows: Vec<WireSkippedRow<'a>>,
}

#[derive(Serialize)]
struct WireSkippedRow<'a> {
    table: &'a str,
    row: NamedValues<'a>,
    reason: &'static str,
    /// The values that differ from the plan, if they are known.
    planned: Option<NamedValues<'a>>,
    /// The values of these columns now; `None` if the row is gone, or if they are unknown.
    found: Option<NamedValues<'a>>,
}

fn differing<'a>(
    now: &'a RowNow,
    side: impl Fn(&'a (String, ShownValue, ShownValue)) -> (&'a String, &'a ShownValue),
) -> Option<NamedValues<'a>> {
    match now {
        RowNow::Differs(differing) => {
            Some(NamedValues::new(differing.iter().map(side).map(|(column, value)| (column.as_str(), value))))
        }
        RowNow::Unknown | RowNow::Gone => None,
    }
}

pub(super) fn skipped_rows<'a>(left: &BTreeMap<SkipReason, u64>, rows: &'a [SkippedRow]) -> WireSkippedRows<'a> {
    let skipped_row = |row: &'a SkippedRow| WireSkippedRow {
        table: &row.table,
        row: NamedValues::of(&row.row),
        reason: row.why.name(),
        planned: differing(&row.now, |(column, planned, _)| (column, planned)),
        found: differing(&row.now, |(column, _, found)| (column, found)),
    };
    WireSkippedRows {
        total: left.values().sum(),
        reasons: left.iter().filter(|(_, rows)| **rows > 0).map(|(why, rows)| (why.name(), *rows)).collect(),
        rows: rows.iter().map(skipped_row).collect(),
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
