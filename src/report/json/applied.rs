//! What applying a plan, or taking it back, came to, as JSON: `fk-doctor/apply@1`.

use serde::Serialize;

use crate::report::applied::Said;
use crate::report::json::Database;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;

pub(in crate::report) fn render(said: &Said<'_>) -> String {
    let outcome = match (said.is_undo, said.total() > 0) {
        (false, true) => "applied",
        (false, false) => "already-applied",
        (true, true) => "taken-back",
        (true, false) => "already-taken-back",
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
    scan: Scan,
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
