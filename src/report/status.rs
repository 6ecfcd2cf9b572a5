//! The state of a plan, for a terminal.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::catalog::DatabaseName;
use crate::model::date;
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

const LABEL: usize = 9;

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
    /// The typed options that choose the database and the configuration, each with a blank before it.
    pub options: &'a str,
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
    sheet.prose(0, &Piece::new(headline(report), Style::Strong));
    let definitions = report.header.redefinitions.len() as u64;
    let size_of_plan = size(report.changes, definitions);
    let Some(state) = &report.state else {
        labelled(&mut sheet, "plan", format!("{size_of_plan}, made for {}", report.header.database));
        if let Some((run, at)) = report.begun {
            labelled(&mut sheet, "started", format!("{}, by {run}", date::for_people(at)));
        }
        labelled(&mut sheet, "record", "in the database: name it after the plan to see it".to_owned());
        return sheet.finish();
    };
    labelled(&mut sheet, "plan", size_of_plan.clone());
    if state.phase.is_some() {
        labelled(&mut sheet, "when", date::for_people(state.at));
        let made = size_of(state.made, report.changes, state.defined, definitions);
        labelled(&mut sheet, "applied", format!("{made} in the database now"));
        for (why, rows) in state.left {
            labelled(&mut sheet, "left", format!("{} {}", plural(*rows, "row"), why.phrase(*rows)));
        }
        changed_since(&mut sheet, report, state);
        if state.phase == Some(Phase::Applied) && report.header.keeps_rows() {
            let restore = format!("restore {}{}", shell(state.address), state.options);
            let text = "quarantined rows come back once their parents exist:";
            sheet.labelled_command(LABEL, "kept", text, &restore_command(report.header, report.plan, &restore));
        }
        if let Some(journal) = state.journal {
            labelled(&mut sheet, "record", format!("{}: keep it next to the plan", journal.display()));
        }
    }
    sheet.next(&next(report, state));
    sheet.finish()
}

fn labelled(sheet: &mut Sheet, label: &str, text: String) {
    sheet.labelled_prose(LABEL, label, &Piece::plain(text));
}

/// Lists the rows that other programs changed afterwards.
fn changed_since(sheet: &mut Sheet, report: &StatusReport<'_>, state: &RecordedState<'_>) {
    if state.changed_since == 0 {
        return;
    }
    let were = if state.changed_since == 1 { "was" } else { "were" };
    let line =
        format!("{} {were} changed by other programs; undo can go round them:", plural(state.changed_since, "row"));
    let line = if state.changed_since == 1 { line.replace("round them", "round it") } else { line };
    sheet.labelled_command(LABEL, "since", &line, &command("undo", report, state, " --skip-changed"));
    for row in state.changed_rows.iter().take(SHOWN) {
        let now = row.now.text().map(|now| format!("  {now}")).unwrap_or_default();
        labelled(sheet, "", format!("{}: {}{now}", text::visible(&row.table), text::row(&row.row)));
    }
    let more = state.changed_since.saturating_sub(SHOWN as u64);
    if more > 0 {
        labelled(sheet, "", format!("and {}: --format json lists them", plural(more, "more row")));
    }
}

fn command(name: &str, report: &StatusReport<'_>, state: &RecordedState<'_>, options: &str) -> String {
    let plan = shell(&report.plan.display().to_string());
    format!("fk-doctor {name} {} {plan}{}{options}", shell(state.address), state.options)
}

/// Returns the command that brings the quarantined rows of a plan back: `restore` and the address, which are given, and
/// the plan's files of quarantined rows.
pub fn restore_command(header: &Header, plan: &Path, restore: &str) -> String {
    let files = header.files.iter().map(|file| plan.with_file_name(file));
    let files = files.map(|file| format!(" --file {}", shell(&file.display().to_string())));
    format!("fk-doctor {restore}{}", files.collect::<String>())
}

/// Returns the commands to run next.
fn next(report: &StatusReport<'_>, state: &RecordedState<'_>) -> Vec<String> {
    let skip = if state.changed_since > 0 { " --skip-changed" } else { "" };
    let apply = || command("apply", report, state, "");
    let undo = || command("undo", report, state, skip);
    match state.phase {
        _ if report.is_running || state.is_forgotten => Vec::new(),
        None => vec![apply()],
        // To apply the rest, or to take back what was applied.
        Some(Phase::Applying) => vec![apply(), undo()],
        Some(Phase::Applied) if state.changed_since > 0 => Vec::new(),
        Some(Phase::Applied | Phase::TakingBack) => vec![undo()],
        // A later undo can still restore the rows that this one had to leave.
        Some(Phase::TakenBack) if state.made > 0 => vec![undo()],
        Some(Phase::TakenBack) => {
            let plan = shell(&report.plan.display().to_string());
            vec![format!("fk-doctor status {plan} {}{} --forget", shell(state.address), state.options)]
        }
    }
}

/// Returns the state of the plan. It is neither good nor bad, so that it has no symbol.
fn headline(report: &StatusReport<'_>) -> String {
    let plan = report.plan.display();
    let Some(state) = &report.state else {
        return match report.begun {
            _ if report.is_running => format!("a run of {plan} is in progress"),
            Some(_) => format!("{plan} was started"),
            None => format!("{plan} was never started"),
        };
    };
    let name = &state.database.name;
    match state.phase {
        _ if report.is_running => format!("a run of {plan} is in progress on {name}"),
        _ if state.is_forgotten => format!("the record of {plan} is removed from {name}"),
        None => format!("{plan} was never applied to {name}"),
        Some(Phase::Applying) => format!("{plan} is applied to {name} in part: a run was interrupted"),
        Some(Phase::Applied) if !state.left.is_empty() => format!("{plan} is applied to {name}, except for some rows"),
        Some(Phase::Applied) => format!("{plan} is applied to {name}"),
        Some(Phase::TakingBack) => format!("{plan} is taken back from {name} in part: a run was interrupted"),
        Some(Phase::TakenBack) if state.made > 0 => format!("{plan} was taken back from {name}, except for some rows"),
        Some(Phase::TakenBack) => format!("{plan} was taken back from {name}"),
    }
}

fn size(changes: u64, definitions: u64) -> String {
    match definitions {
        0 => plural(changes, "change"),
        _ if changes == 0 => plural(definitions, "definition"),
        _ => format!("{} and {}", plural(changes, "change"), plural(definitions, "definition")),
    }
}

/// Returns for example `1,199 of 1,200 changes`.
fn size_of(made: u64, changes: u64, defined: u64, definitions: u64) -> String {
    let part = |part: u64, whole: u64, noun: &str| format!("{} of {}", count(part), plural(whole, noun));
    match definitions {
        0 => part(made, changes, "change"),
        _ if changes == 0 => part(defined, definitions, "definition"),
        _ => format!("{} and {}", part(made, changes, "change"), part(defined, definitions, "definition")),
    }
}

#[cfg(test)]
mod tests;
