//! The result of `apply` or `undo`, for a terminal.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::model::backup::Backup;
use crate::model::backup::BackupOrigin;
use crate::model::catalog::DatabaseName;
use crate::model::date;
use crate::model::finding_group::Distinct;
use crate::model::forecast::TableChanges;
use crate::model::plan::Header;
use crate::model::restore::RESTORE;
use crate::model::rule::TreatmentKind;
use crate::model::state::SkipReason;
use crate::model::state::SkippedRow;
use crate::model::text;
use crate::model::text::bytes;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::TerminalStyle;
use crate::report::changes;
use crate::report::changes::Tense;
use crate::report::changes::all_orphan_rows;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;

const LABEL: usize = 10;

/// The number of unchanged rows that a terminal lists.
const SHOWN: usize = 10;
/// The number of relations with orphans that a terminal lists.
const RELATIONS_SHOWN: usize = 3;

/// The changes of a run, and the result of a scan of the whole database afterwards.
pub struct ApplyReport<'a> {
    pub is_undo: bool,
    pub database: &'a DatabaseName,
    /// The database as the next command names it, without a password.
    pub address: &'a str,
    /// The options of the next run, each with a blank before it.
    pub options: &'a str,
    pub plan: &'a Path,
    pub header: &'a Header,
    /// The quarantined rows that the plan leaves where they are, if it restores rows.
    pub staying: u64,
    pub backup: Option<&'a Backup>,
    /// The files that hold copies of deleted rows.
    pub kept: &'a [PathBuf],
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
    /// The same numbers for each table.
    pub tables: &'a [TableChanges],
    pub redefined: u64,
    pub already: u64,
    /// The number of rows that were left unchanged, by reason.
    pub left: &'a BTreeMap<SkipReason, u64>,
    /// The first of these rows.
    pub left_rows: &'a [SkippedRow],
    /// True if the plan has no changes.
    pub is_empty: bool,
    /// The time of an earlier run, if this run had nothing to do.
    pub earlier_run: Option<&'a str>,
    /// True if the run is an undo and the database has no record of the plan.
    pub never_applied: bool,
    /// The missing file that would hold the record if a role that cannot create tables had applied the plan.
    pub missing_mark: Option<&'a Path>,
    /// The file that records the plan's state, if the role cannot create a table for it.
    pub journal: Option<&'a Path>,
    pub relations: u64,
    pub unchecked: u64,
    /// The orphans of all relations.
    pub orphan_rows: u64,
    /// The orphan rows, each counted once.
    pub rows_left: Distinct,
    /// The relations that have orphans, with their number; those with most first.
    pub relations_left: &'a [(String, u64)],
}

impl ApplyReport<'_> {
    pub(super) fn rows_left(&self) -> u64 {
        self.left.values().sum()
    }

    /// Returns the number of changes, rows and definitions together.
    pub(super) fn total(&self) -> u64 {
        self.made + self.changed + self.deleted + self.redefined
    }

    fn headline(&self) -> (Symbol, String) {
        match (self.is_undo, self.total()) {
            (true, 0) => self.nothing_taken_back(),
            (true, _) => self.taken_back(),
            (false, 0) => self.nothing_changed(),
            (false, _) => self.applied(),
        }
    }

    fn nothing_taken_back(&self) -> (Symbol, String) {
        let (name, plan) = (&self.database.name, self.plan.display());
        if self.never_applied {
            return (Symbol::Nothing, format!("nothing to do: {name} has no record that {plan} was applied"));
        }
        if self.rows_left() > 0 {
            let reasons = left_reasons(self.left);
            return self.with_unchecked(Symbol::Partly, format!("{name}: nothing was taken back: {reasons}"));
        }
        let when = self.earlier_run.map(|at| format!(" on {}", date::for_people(at))).unwrap_or_default();
        (Symbol::Nothing, format!("nothing to do: {plan} was taken back from {name}{when}"))
    }

    fn taken_back(&self) -> (Symbol, String) {
        let (name, plan) = (&self.database.name, self.plan.display());
        let line = format!("{plan} is taken back");
        if self.rows_left() > 0 {
            let rows = plural(self.rows_left(), "row");
            return self.with_unchecked(Symbol::Partly, format!("{line} from {name}, except for {rows}"));
        }
        if self.unchecked > 0 {
            return self.with_unchecked(Symbol::Unsure, format!("{line} from {name}"));
        }
        let line = match changes::only_changed(self.tables) {
            Some(rows) if self.redefined == 0 => {
                let changed: u64 = self.tables.iter().map(|table| table.changed).sum();
                format!("{line}: {rows} {} old values", if changed == 1 { "has its" } else { "have their" })
            }
            _ => format!("{line} from {name}"),
        };
        (Symbol::Done, line)
    }

    fn nothing_changed(&self) -> (Symbol, String) {
        let (name, plan) = (&self.database.name, self.plan.display());
        if self.rows_left() > 0 {
            let reasons = left_reasons(self.left);
            return self.with_scan(Symbol::Partly, format!("{name}: nothing was changed: {reasons}"));
        }
        let line = if self.is_empty {
            format!("nothing to do: {plan} has no changes for {name}")
        } else if let Some(at) = self.earlier_run {
            format!("nothing to do: {plan} was applied to {name} on {}", date::for_people(at))
        } else {
            format!("nothing to do: {name} is already as {plan} would make it")
        };
        self.with_scan(Symbol::Nothing, line)
    }

    fn applied(&self) -> (Symbol, String) {
        let name = &self.database.name;
        let (before, after) = (self.header.orphan_rows, self.rows_left);
        let changes_rows = self.made + self.changed + self.deleted > 0;
        let are = |rows: u64| if rows == 1 { "is" } else { "are" };
        let line = match before {
            _ if self.planned_rows(RESTORE) > 0 => return self.came_back(),
            Some(before) if !changes_rows && after.count < before && !after.is_bound => {
                let dropped = changes::dropped_keys(before, after.count);
                format!("{name}: {dropped} {} dropped", are(before - after.count))
            }
            _ if !changes_rows => {
                format!("{name}: {} {} changed", plural(self.redefined, "definition"), are(self.redefined))
            }
            // Rows that came since the plan was made can be orphans too.
            Some(before) if after.count <= before && !after.is_bound => match after.count {
                0 if before == 0 && self.planned_rows(TreatmentKind::Repoint.name()) > 0 => return self.merged(),
                0 if before == 0 => format!("{name}: {} is applied", self.plan.display()),
                0 => format!("{name}: {} {} repaired", all_orphan_rows(before), are(before)),
                after => {
                    let repaired = before - after;
                    let of = plural(before, "orphan row");
                    let line = format!("{} of {of} {} repaired", count(repaired), are(repaired));
                    let line = format!("{name}: {line}, {} {} left", count(after), are(after));
                    return self.with_unchecked(Symbol::Partly, line);
                }
            },
            _ => format!("{name}: {} is applied", self.plan.display()),
        };
        if self.rows_left() > 0 {
            return self.with_scan(Symbol::Partly, format!("{line}, and {}", self.skipped_changes()));
        }
        self.with_scan(Symbol::Done, line)
    }

    /// Returns the number of rows of a treatment in the plan.
    fn planned_rows(&self, treatment: &str) -> u64 {
        let totals = self.header.treated.iter().filter(|total| total.treatment == treatment);
        totals.map(|total| total.rows).sum()
    }

    /// Returns how many twins were merged.
    fn merged(&self) -> (Symbol, String) {
        let name = &self.database.name;
        let planned = self.planned_rows(TreatmentKind::Repoint.name());
        let twins = plural(planned, "twin");
        if self.rows_left() > 0 {
            let line = format!("{name}: of {twins}, not all are merged: {}", self.skipped_changes());
            return self.with_scan(Symbol::Partly, line);
        }
        let are = if planned == 1 { "is" } else { "are" };
        self.with_scan(Symbol::Done, format!("{name}: {twins} {are} merged"))
    }

    fn skipped_changes(&self) -> String {
        let were = if self.rows_left() == 1 { "was" } else { "were" };
        format!("{} {were} skipped", plural(self.rows_left(), "planned change"))
    }

    /// Returns how many quarantined rows came back.
    fn came_back(&self) -> (Symbol, String) {
        let name = &self.database.name;
        let planned = self.planned_rows(RESTORE);
        if self.rows_left() > 0 {
            let rows = plural(planned, "quarantined row");
            let line = format!("{name}: of {rows}, not all came back: {}", self.skipped_changes());
            return self.with_scan(Symbol::Partly, line);
        }
        if self.staying > 0 {
            let rows = plural(planned + self.staying, "quarantined row");
            let stay = if self.staying == 1 { "stays" } else { "stay" };
            let line = format!("{name}: {} of {rows} came back, {} {stay}", count(planned), count(self.staying));
            return self.with_scan(Symbol::Partly, line);
        }
        self.with_scan(Symbol::Done, format!("{name}: {} came back", plural(planned, "quarantined row")))
    }

    /// Adds to a sentence what a scan found afterwards. The symbol is never greener than the exit code.
    fn with_scan(&self, symbol: Symbol, line: String) -> (Symbol, String) {
        if self.rows_left.count == 0 {
            return self.with_unchecked(symbol, line);
        }
        let are = if self.rows_left.count == 1 { "is" } else { "are" };
        let rows = self.rows_left.of("orphan row");
        self.with_unchecked(Symbol::Partly, format!("{line}, and {rows} {are} left"))
    }

    /// Adds the number of relations that the scan could not check.
    fn with_unchecked(&self, symbol: Symbol, line: String) -> (Symbol, String) {
        if self.unchecked == 0 {
            return (symbol, line);
        }
        let symbol = if symbol == Symbol::Partly { symbol } else { Symbol::Unsure };
        (symbol, format!("{line}, and {}", self.not_checked()))
    }

    fn not_checked(&self) -> String {
        format!("{} could not be checked", plural(self.unchecked, "relation"))
    }

    fn command(&self, name: &str) -> String {
        let (address, plan) = (shell(self.address), shell(&self.plan.display().to_string()));
        format!("fk-doctor {name} {address} {plan}{}", self.options)
    }
}

/// Returns the unchanged rows by reason, for example `3 rows …, 1 row …`.
fn left_reasons(left: &BTreeMap<SkipReason, u64>) -> String {
    let reasons = left.iter().map(|(why, rows)| format!("{} {}", plural(*rows, "row"), why.phrase(*rows)));
    reasons.collect::<Vec<_>>().join(", ")
}

pub(super) fn render(report: &ApplyReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let (symbol, line) = report.headline();
    sheet.headline(symbol, line);
    made(&mut sheet, report);
    skipped(&mut sheet, report);
    left(&mut sheet, report);
    let mut labelled = |label: &str, text: String| sheet.labelled_prose(LABEL, label, &Piece::plain(text));
    if !report.never_applied {
        labelled("verified", verified(report));
    }
    if let Some(journal) = report.journal {
        let why =
            "this role cannot create tables, so this file records the state of the plan: keep it next to the plan";
        labelled("state", format!("{}: {why}", journal.display()));
    }
    if let Some(mark) = report.missing_mark {
        let why = "this file does not exist; it holds the record if a role that cannot create tables applied the plan";
        labelled("record", format!("{}: {why}; if you moved it, put it back and repeat the command", mark.display()));
    }
    for file in report.kept {
        let addition =
            if report.rows_left() > 0 { ", which also holds the rows that were left in the database" } else { "" };
        labelled("kept", format!("deleted rows are in {}{addition}", file.display()));
    }
    if let Some(backup) = report.backup {
        labelled("backup", backup_line(backup));
    }
    if !report.is_undo && report.total() > 0 {
        sheet.labelled_command(LABEL, "undo", "", &report.command("undo"));
    }
    if !report.is_undo && report.total() == 0 && !report.is_empty {
        sheet.next(&[report.command("undo")]);
    }
    sheet.finish()
}

/// Returns the path of a backup, its size and its origin: `app.db.backup-0badcafe (copy, 228 MB)`.
fn backup_line(backup: &Backup) -> String {
    let (path, size) = (backup.path.display(), bytes(backup.bytes));
    match &backup.origin {
        BackupOrigin::Copy => format!("{path} (copy, {size})"),
        BackupOrigin::Clone => format!("{path} (clone, {size})"),
        BackupOrigin::EarlierRun(at) => {
            format!("{path} ({size}, made {} by an earlier run of this plan)", date::for_people(at))
        }
    }
}

/// Shows the changes table by table.
fn made(sheet: &mut Sheet, report: &ApplyReport<'_>) {
    let tense = if report.is_undo { Tense::TakenBack } else { Tense::Done };
    // The engine's own counters are no rows of the user.
    let own = report.database.engine.facts().own_tables;
    let is_own = |table: &&TableChanges| own.is_some_and(|prefix| table.table.starts_with(prefix));
    let tables: Vec<TableChanges> = report.tables.iter().filter(|table| !is_own(table)).cloned().collect();
    let new: Vec<String> = report.header.creates.iter().map(|new| new.name.to_string()).collect();
    if !report.is_undo || changes::only_changed(&tables).is_none() {
        changes::lines(sheet, LABEL, &tables, &new, tense);
    }
    if report.redefined > 0 {
        let label = if report.is_undo { "restored" } else { "changed" };
        sheet.labelled_prose(LABEL, label, &Piece::plain(plural(report.redefined, "definition")));
    }
    if report.already > 0 && report.total() > 0 {
        let line = format!("{} {}", plural(report.already, "row"), SkipReason::Already.phrase(report.already));
        sheet.labelled_prose(LABEL, "already", &Piece::plain(line));
    }
}

/// Shows the planned changes that were not made.
fn skipped(sheet: &mut Sheet, report: &ApplyReport<'_>) {
    if report.rows_left() == 0 {
        return;
    }
    sheet.labelled_prose(LABEL, "skipped", &Piece::new(left_reasons(report.left), Style::Doubtful));
    for row in report.left_rows.iter().take(SHOWN) {
        let row_name = format!("{}: {}", text::visible(&row.table), text::row(&row.row));
        // With one reason, the first line says it for all rows.
        let line = if report.left.len() == 1 { row_name } else { format!("{row_name} {}", row.why.phrase(1)) };
        let line = row.now.text().map_or(line.clone(), |now| format!("{line}  {now}"));
        sheet.labelled_prose(LABEL, "", &Piece::plain(line));
    }
    let more = report.rows_left().saturating_sub(SHOWN as u64);
    if more > 0 {
        let line = format!("and {}: --format json lists them", plural(more, "more row"));
        sheet.labelled_prose(LABEL, "", &Piece::plain(line));
    }
}

/// Shows the orphans that the plan did not treat, and why.
fn left(sheet: &mut Sheet, report: &ApplyReport<'_>) {
    if report.is_undo || report.rows_left.count == 0 {
        return;
    }
    let header = report.header;
    let reported = header.treated.iter().filter(|total| total.treatment == TreatmentKind::Report.name());
    let reported: u64 = reported.map(|total| total.rows).sum();
    let mut reasons = Vec::new();
    if reported > 0 {
        let (them, they, are) = if reported == 1 { ("it", "it", "is") } else { ("them", "they", "are") };
        reasons.push(format!("the rules report {them}, and leave {them} as {they} {are}"));
    }
    if header.undecided > 0 {
        let are = if header.undecided == 1 { "is" } else { "are" };
        reasons.push(format!("{} {are} undecided", plural(header.undecided, "missing key")));
    }
    if reasons.is_empty() {
        let them = if report.rows_left.count == 1 { "it" } else { "them" };
        reasons.push(format!("the plan has no change for {them}"));
    }
    let line = format!("{}: {}", report.rows_left.of("row"), reasons.join("; "));
    sheet.labelled_prose(LABEL, "left", &Piece::new(line, Style::Doubtful));
    for (relation, rows) in report.relations_left.iter().take(RELATIONS_SHOWN) {
        let line = format!("{} of {relation}", plural(*rows, "row"));
        sheet.labelled_prose(LABEL, "", &Piece::plain(line));
    }
    let more = report.relations_left.len().saturating_sub(RELATIONS_SHOWN) as u64;
    if more > 0 {
        let line = format!("and {}: fk-doctor scan {}", plural(more, "more relation"), shell(report.address));
        sheet.labelled_prose(LABEL, "", &Piece::plain(line));
    }
}

/// Returns what a scan found after the run: `2 relations: 0 orphan rows, 1,200 before`.
fn verified(report: &ApplyReport<'_>) -> String {
    let checked = report.relations - report.unchecked;
    let after = report.rows_left;
    let mut line = match report.header.orphan_rows {
        _ if checked == 0 => "no relation could be checked".to_owned(),
        Some(before) if report.is_undo && after == Distinct::exactly(before) && report.total() > 0 && before > 0 => {
            let rows = plural(before, "row");
            let are = if before == 1 { "is an orphan" } else { "are orphans" };
            format!("{rows} {are} again, as before the plan; no others")
        }
        Some(before) if !report.is_undo && report.total() > 0 && before > 0 => {
            let orphans = after.of("orphan row");
            format!("{}: {orphans}, {} before", plural(checked, "relation"), count(before))
        }
        _ => format!("{}: {}", plural(checked, "relation"), after.of("orphan row")),
    };
    if report.relations == 0 {
        line = "no relation is declared".to_owned();
    }
    if report.unchecked > 0 {
        line.push_str(&format!("; {}", report.not_checked()));
    }
    line
}

#[cfg(test)]
mod tests;
