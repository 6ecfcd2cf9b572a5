//! The state of a plan, for a terminal.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::catalog::DatabaseName;
use crate::model::plan::Header;
use crate::model::state::Phase;
use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::TerminalStyle;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;

const LABEL: u16 = 9;

/// The number of rows changed by other programs that a terminal lists.
const SHOWN: usize = 10;

pub struct StatusReport<'a> {
    pub plan: &'a Path,
    pub digest: &'a str,
    pub header: &'a Header,
    pub changes: u64,
    /// The first run of the plan and its time, as the file next to the plan records them.
    pub begun: Option<(&'a str, &'a str)>,
    /// True if another run holds the plan now.
    pub is_running: bool,
    /// The state that the database records, or `None` if no database was named.
    pub state: Option<RecordedState<'a>>,
}

pub struct RecordedState<'a> {
    pub database: &'a DatabaseName,
    /// The database as the next command names it, without a password.
    pub address: &'a str,
    pub phase: Option<Phase>,
    pub run: &'a str,
    pub at: &'a str,
    /// The changes of this plan that are in the database now.
    pub made: u64,
    /// The definitions of this plan that are in the database now.
    pub defined: u64,
    pub left: &'a BTreeMap<SkipReason, u64>,
    pub changed_since: u64,
    pub changed_rows: &'a [SkippedRow],
    /// The file that holds the record, if the database does not.
    pub journal: Option<&'a Path>,
    /// True if the record of the plan was removed.
    pub is_forgotten: bool,
}

pub(super) fn render(report: &StatusReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let (tone, line) = headline(report);
    let style = match tone {
        Symbol::Done => Style::Good,
        Symbol::Nothing => Style::Plain,
        _ => Style::Doubtful,
    };
    sheet.line(0, vec![Piece::new(tone.mark(), style), Piece::new(line, style)]);
    let mut labelled =
        |label: &str, style, text: String| sheet.labelled(LABEL, Piece::new(label, style), Piece::plain(text));
    let plan = shell(&report.plan.display().to_string());
    let definitions = report.header.redefinitions.len() as u64;
    let Some(state) = &report.state else {
        labelled(
            "plan",
            Style::Dim,
            format!("{}, made for {}", size(report.changes, definitions), report.header.database),
        );
        if let Some((run, at)) = report.begun {
            labelled("started", Style::Dim, format!("{at}, by {run}"));
        }
        labelled("next", Style::Dim, format!("fk-doctor status {plan} DATABASE shows the record in the database"));
        return sheet.finish();
    };
    labelled("plan", Style::Dim, size(report.changes, definitions));
    if state.phase.is_some() {
        labelled("applied", Style::Dim, format!("{} in the database now", size(state.made, state.defined)));
        for (why, rows) in state.left {
            labelled("left", Style::Dim, format!("{} {}", plural(*rows, "row"), why.phrase(*rows)));
        }
        if state.changed_since > 0 {
            labelled(
                "changed",
                Style::Doubtful,
                format!("{} of the plan changed after it was applied", plural(state.changed_since, "row")),
            );
            for row in state.changed_rows.iter().take(SHOWN) {
                labelled("", Style::Dim, format!("{} ({})", row.table, text::row(&row.row)));
            }
            let more = state.changed_since.saturating_sub(SHOWN as u64);
            if more > 0 {
                labelled("", Style::Dim, format!("and {}: --format json lists them", plural(more, "more row")));
            }
        }
        labelled("last run", Style::Dim, format!("{}, {}", state.at, state.run));
        if let Some(journal) = state.journal {
            labelled("record", Style::Dim, format!("{}: keep it next to the plan", journal.display()));
        }
    }
    if let Some((label, step)) = next_step(report, state, &plan) {
        labelled(label, Style::Dim, step);
    }
    sheet.finish()
}

/// Returns the command to run next, with its label. `plan` is quoted for the shell.
fn next_step(report: &StatusReport<'_>, state: &RecordedState<'_>, plan: &str) -> Option<(&'static str, String)> {
    let database = shell(state.address);
    let skip = if state.changed_since > 0 { " --skip-changed" } else { "" };
    let apply = format!("fk-doctor apply {database} {plan}");
    let undo = format!("fk-doctor undo {database} {plan}{skip}");
    match state.phase {
        _ if report.is_running || state.is_forgotten => None,
        None => Some(("next", apply)),
        Some(Phase::Applying) => Some(("next", format!("{apply} resumes it; {undo} takes it back"))),
        Some(Phase::Applied) => Some(("undo", undo)),
        Some(Phase::TakingBack) => Some(("next", format!("{undo} resumes it"))),
        // A later undo can still restore the rows that this one had to leave.
        Some(Phase::TakenBack) if state.made > 0 => Some(("next", undo)),
        Some(Phase::TakenBack) => {
            Some(("next", format!("fk-doctor status {plan} {database} --forget removes its record")))
        }
    }
}

fn headline(report: &StatusReport<'_>) -> (Symbol, String) {
    let plan = report.plan.display();
    let Some(state) = &report.state else {
        return match report.begun {
            _ if report.is_running => (Symbol::Partly, format!("a run of {plan} is in progress")),
            Some(_) => (Symbol::Partly, format!("{plan} was started")),
            None => (Symbol::Nothing, format!("{plan} was never started")),
        };
    };
    let name = &state.database.name;
    let is_changed = state.changed_since > 0;
    match state.phase {
        _ if report.is_running => (Symbol::Partly, format!("a run of {plan} is in progress on {name}")),
        _ if state.is_forgotten => (Symbol::Done, format!("the record of {plan} is removed from {name}")),
        None => (Symbol::Nothing, format!("{plan} was never applied to {name}")),
        Some(Phase::Applying) => {
            (Symbol::Partly, format!("{plan} is applied to {name} in part: a run was interrupted"))
        }
        Some(Phase::Applied) if is_changed => {
            (Symbol::Partly, format!("{plan} is applied to {name}, and other programs changed its rows afterwards"))
        }
        Some(Phase::Applied) if !state.left.is_empty() => {
            (Symbol::Partly, format!("{plan} is applied to {name}, except for some rows"))
        }
        Some(Phase::Applied) => (Symbol::Done, format!("{plan} is applied to {name}")),
        Some(Phase::TakingBack) => {
            (Symbol::Partly, format!("{plan} is taken back from {name} in part: a run was interrupted"))
        }
        Some(Phase::TakenBack) if state.made > 0 => {
            (Symbol::Partly, format!("{plan} was taken back from {name}, except for some rows"))
        }
        Some(Phase::TakenBack) => (Symbol::Nothing, format!("{plan} was taken back from {name}")),
    }
}

fn size(changes: u64, definitions: u64) -> String {
    match definitions {
        0 => plural(changes, "change"),
        _ if changes == 0 => plural(definitions, "definition"),
        _ => format!(
            "{} and {} {}",
            plural(changes, "change"),
            count(definitions),
            if definitions == 1 { "definition" } else { "definitions" }
        ),
    }
}
