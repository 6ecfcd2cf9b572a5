//! The result of `apply` or `undo`, for a terminal.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::model::catalog::DatabaseName;
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

/// The number of unchanged rows that a terminal lists.
const SHOWN: usize = 10;

/// The changes of a run, and the result of a scan of the whole database afterwards.
pub struct ApplyReport<'a> {
    pub is_undo: bool,
    pub database: &'a DatabaseName,
    /// The database as the next command names it, without a password.
    pub address: &'a str,
    pub plan: &'a Path,
    pub backup: Option<&'a Path>,
    /// The files that hold copies of deleted rows.
    pub kept: &'a [PathBuf],
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
    pub redefined: u64,
    pub already: u64,
    /// The number of rows that were left unchanged, by reason.
    pub left: &'a BTreeMap<SkipReason, u64>,
    /// The first of these rows.
    pub left_rows: &'a [SkippedRow],
    /// True if the plan has no changes.
    pub is_empty: bool,
    /// True if the run is an undo and the database has no record of the plan.
    pub never_applied: bool,
    /// The missing file that would hold the record if a role that cannot create tables had applied the plan.
    pub missing_mark: Option<&'a Path>,
    /// The file that records the plan's state, if the role cannot create a table for it.
    pub journal: Option<&'a Path>,
    pub relations: u64,
    pub unchecked: u64,
    pub orphan_rows: u64,
}

impl ApplyReport<'_> {
    pub(super) fn rows_left(&self) -> u64 {
        self.left.values().sum()
    }

    /// Returns the first line with its meaning. It never looks better than the exit code.
    fn headline(&self) -> (Symbol, String) {
        let name = &self.database.name;
        let left = self.rows_left();
        let but = format!("except for {}", plural(left, "row"));
        let orphans = plural(self.orphan_rows, "orphan row");
        let are = if self.orphan_rows == 1 { "is" } else { "are" };
        match (self.total(), self.is_undo) {
            _ if self.never_applied => {
                (Symbol::Nothing, format!("{name} has no record that the plan was applied: nothing was taken back"))
            }
            (0, true) if left > 0 => {
                (Symbol::Partly, format!("nothing was taken back from {name}: {}", left_reasons(self.left)))
            }
            (_, true) if left > 0 => (Symbol::Partly, format!("the plan was taken back from {name}, {but}")),
            (0, true) => (Symbol::Done, format!("{name} is as it was before the plan: nothing was changed")),
            (_, true) if self.unchecked > 0 => {
                let relations = plural(self.unchecked, "relation");
                (Symbol::Partly, format!("the plan was taken back from {name}, and {relations} could not be checked"))
            }
            (_, true) => (Symbol::Done, format!("the plan was taken back from {name}")),
            (0, false) if left > 0 => {
                (Symbol::Partly, format!("nothing was changed in {name}: {}", left_reasons(self.left)))
            }
            (_, false) if left > 0 => (Symbol::Partly, format!("the plan was applied to {name}, {but}")),
            (0, false) if self.is_empty && self.orphan_rows > 0 => {
                (Symbol::Partly, format!("the plan holds no changes for {name}, and {orphans} {are} left"))
            }
            (0, false) if self.is_empty => {
                (self.tone_of_scan(), format!("the plan holds no changes for {name}: nothing was changed"))
            }
            (0, false) if self.orphan_rows > 0 => (
                Symbol::Partly,
                format!("the plan is already applied to {name}, and {orphans} {are} left: nothing was changed"),
            ),
            (0, false) => (self.tone_of_scan(), format!("the plan is already applied to {name}: nothing was changed")),
            (_, false) if self.orphan_rows > 0 => {
                (Symbol::Partly, format!("the plan was applied to {name}, and {orphans} {are} left"))
            }
            (_, false) if self.unchecked > 0 => {
                let relations = plural(self.unchecked, "relation");
                (Symbol::Partly, format!("the plan was applied to {name}, and {relations} could not be checked"))
            }
            (_, false) => (Symbol::Done, format!("{name} is repaired")),
        }
    }

    fn tone_of_scan(&self) -> Symbol {
        if self.unchecked > 0 { Symbol::Partly } else { Symbol::Done }
    }

    /// Returns the number of changes, rows and definitions together.
    pub(super) fn total(&self) -> u64 {
        self.made + self.changed + self.deleted + self.redefined
    }
}

/// Returns the unchanged rows by reason, for example `3 rows …, 1 row …`.
fn left_reasons(left: &BTreeMap<SkipReason, u64>) -> String {
    let reasons = left.iter().map(|(why, rows)| format!("{} {}", plural(*rows, "row"), why.phrase(*rows)));
    reasons.collect::<Vec<_>>().join(", ")
}

pub(super) fn render(report: &ApplyReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let (tone, line) = report.headline();
    let style = match tone {
        Symbol::Done => Style::Good,
        Symbol::Nothing => Style::Plain,
        Symbol::Faults | Symbol::Partly | Symbol::Unsure => Style::Doubtful,
    };
    sheet.line(0, vec![Piece::new(tone.mark(), style), Piece::new(line, style)]);
    let mut labelled =
        |label: &str, style, text: String| sheet.labelled(LABEL, Piece::new(label, style), Piece::plain(text));
    if report.total() > 0 {
        labelled("changes", Style::Dim, changes(report));
    }
    if report.rows_left() > 0 {
        labelled("left", Style::Doubtful, left_reasons(report.left));
        for row in report.left_rows.iter().take(SHOWN) {
            labelled("", Style::Dim, format!("{} ({}) {}", row.table, text::row(&row.row), row.why.phrase(1)));
        }
        let more = report.rows_left().saturating_sub(SHOWN as u64);
        if more > 0 {
            labelled("", Style::Dim, format!("and {}: --format json lists them", plural(more, "more row")));
        }
    }
    if let Some(journal) = report.journal {
        let why =
            "this role cannot create tables, so this file records the state of the plan: keep it next to the plan";
        labelled("state", Style::Dim, format!("{}: {why}", journal.display()));
    }
    if let Some(mark) = report.missing_mark {
        let why = "this file does not exist; it holds the record if a role that cannot create tables applied the plan";
        labelled(
            "record",
            Style::Dim,
            format!("{}: {why}; if you moved it, put it back and repeat the command", mark.display()),
        );
    }
    if let Some(backup) = report.backup {
        labelled("backup", Style::Dim, backup.display().to_string());
    }
    for file in report.kept {
        let addition =
            if report.rows_left() > 0 { ", which also holds the rows that were left in the database" } else { "" };
        labelled("kept", Style::Dim, format!("deleted rows are in {}{addition}", file.display()));
    }
    labelled("scan", if report.orphan_rows == 0 { Style::Dim } else { Style::Doubtful }, scan(report));
    if !report.is_undo {
        labelled(
            "undo",
            Style::Dim,
            format!("fk-doctor undo {} {}", shell(report.address), shell(&report.plan.display().to_string())),
        );
    }
    sheet.finish()
}

/// Returns for example `3 rows inserted, 1 row updated; 2 …`, where the last part counts changes that were already made.
fn changes(report: &ApplyReport<'_>) -> String {
    let part = |number: u64, verb: &str| (number > 0).then(|| format!("{} {verb}", plural(number, "row")));
    let parts = [part(report.made, "inserted"), part(report.changed, "updated"), part(report.deleted, "deleted")];
    let defined = (report.redefined > 0).then(|| format!("{} changed", plural(report.redefined, "definition")));
    let mut line = parts.into_iter().flatten().chain(defined).collect::<Vec<_>>().join(", ");
    if report.already > 0 {
        line.push_str(&format!("; {} {}", count(report.already), SkipReason::Already.phrase(report.already)));
    }
    line
}

/// Returns for example `4 relations checked, 2 orphan rows left; 1 could not be checked`.
fn scan(report: &ApplyReport<'_>) -> String {
    let checked = plural(report.relations - report.unchecked, "relation");
    let mut scan = if report.relations == report.unchecked {
        "no relation was checked".to_owned()
    } else if report.orphan_rows == 0 {
        format!("{checked} checked, no orphans")
    } else {
        format!("{checked} checked, {} left", plural(report.orphan_rows, "orphan row"))
    };
    if report.unchecked > 0 {
        scan.push_str(&format!("; {} could not be checked", count(report.unchecked)));
    }
    scan
}
