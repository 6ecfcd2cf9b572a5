//! The report of a restore for a terminal: how many quarantined rows can come back, why the others stay, and the next command.

use std::path::Path;

use crate::model::forecast::RepairForecast;
use crate::model::restore::Obstacle;
use crate::model::restore::RestoreForecast;
use crate::model::restore::RestoredTable;
use crate::model::restore::StayingRows;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::TerminalStyle;
use crate::report::changes;
use crate::report::changes::MOST_TABLES;
use crate::report::changes::Tense;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;

/// The greatest width of the names of tables beside their rows.
const WIDEST: usize = 24;

/// The content of the report of a planned restore.
#[derive(Clone, Copy)]
pub struct RestoreReport<'a> {
    pub schema: &'a Schema,
    pub forecast: &'a RepairForecast,
    pub restored: &'a RestoreForecast,
    /// The file of the plan, if one was written.
    pub plan: Option<&'a Path>,
    /// The database as the next command names it, without a password.
    pub database: &'a str,
    /// The options with which `apply` runs the plan, each with a blank before it.
    pub apply_options: &'a str,
    /// The command as typed, with `--apply`.
    pub with_apply: &'a str,
    /// True if the plan is applied at once.
    pub is_applied: bool,
    /// True if the report of `apply`, which has the outcome, comes before this report.
    pub follows_result: bool,
}

pub(super) fn render(report: &RestoreReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    if !report.follows_result {
        let (symbol, sentence) = headline(report);
        sheet.headline(symbol, sentence);
    }
    if !report.is_applied && report.restored.rows() > 0 {
        sheet.prose(2, &Piece::new("dry run: nothing was written to the database", Style::Dim));
    }
    tables(&mut sheet, report);
    if !report.is_applied {
        totals(&mut sheet, report);
    }
    sheet.next(&next(report));
    sheet.finish()
}

/// Returns the outcome. It is never greener than the exit code.
fn headline(report: &RestoreReport<'_>) -> (Symbol, String) {
    let name = &report.schema.database.name;
    let (rows, restored) = (report.restored.rows(), report.restored.restored());
    let could = |rows: u64| {
        if report.is_applied {
            "came"
        } else if rows == 0 {
            "can come"
        } else {
            "could come"
        }
    };
    match rows {
        0 if report.restored.sources.is_empty() => {
            (Symbol::Nothing, format!("nothing to do: {name} has no quarantine"))
        }
        0 => (Symbol::Nothing, format!("nothing to do: {name} has no such quarantined rows")),
        _ if restored == rows => (Symbol::Done, format!("{name}: {} {} back", all(rows), could(rows))),
        _ if restored == 0 => {
            (Symbol::Partly, format!("{name}: none of {} {} back", plural(rows, "quarantined row"), could(0)))
        }
        _ => {
            let (of, staying) = (plural(rows, "quarantined row"), count(rows - restored));
            let rest = if report.is_applied { format!("{staying} stay") } else { format!("{staying} could not") };
            (Symbol::Partly, format!("{name}: {} of {of} {} back, {rest}", count(restored), could(restored)))
        }
    }
}

/// Returns `all 14 quarantined rows`, `the only quarantined row`.
fn all(rows: u64) -> String {
    match rows {
        1 => "the only quarantined row".to_owned(),
        2 => "both quarantined rows".to_owned(),
        rows => format!("all {} quarantined rows", count(rows)),
    }
}

/// Shows for each table how many rows come back, and for each reason how many stay. Of many tables it shows some, those whose rows stay
/// first.
fn tables(sheet: &mut Sheet, report: &RestoreReport<'_>) {
    let mut tables: Vec<&RestoredTable> = report.restored.tables.iter().collect();
    if tables.is_empty() {
        return;
    }
    sheet.blank();
    if tables.len() > MOST_TABLES {
        tables.sort_by_key(|table| table.staying.is_empty());
    }
    let others = tables.split_off(tables.len().min(MOST_TABLES));
    let longest = tables.iter().map(|table| text::visible(&table.table).chars().count()).max().unwrap_or(0);
    let label = longest.min(WIDEST) + 2;
    for table in tables {
        let name = text::visible(&table.table);
        // A name that is too long to stand beside the rows gets a line.
        let is_long = name.chars().count() > WIDEST;
        if is_long {
            sheet.prose(2, &Piece::new(&name, Style::Dim));
        }
        let mut beside = if is_long { "" } else { name.as_ref() };
        for line in lines(table) {
            sheet.labelled_prose(label, beside, &Piece::plain(line));
            beside = "";
        }
    }
    sheet.left_out(2, others.len(), "table");
}

/// Returns the lines of a table, such as `4 of 10 rows; for 6, college still has no 'ctpostu'`.
fn lines(table: &RestoredTable) -> Vec<String> {
    let rows = match table.restored == table.rows {
        true => all_rows(table.rows),
        false => format!("{} of {}", count(table.restored), plural(table.rows, "row")),
    };
    match table.staying.as_slice() {
        [only] => vec![format!("{rows}; {}", staying(only, table))],
        several => std::iter::once(rows).chain(several.iter().map(|rows| staying(rows, table))).collect(),
    }
}

fn all_rows(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        rows => format!("all {} rows", count(rows)),
    }
}

/// Returns why rows stay, such as `for 6, college still has no 'ctpostu'`.
fn staying(staying: &StayingRows, table: &RestoredTable) -> String {
    let rows = count(staying.rows);
    let name = text::visible(&table.table);
    let why = match &staying.obstacle {
        Obstacle::NoParent { parent, .. } => {
            let mut keys: Vec<String> = staying.keys.iter().map(|key| text::key(key)).collect();
            keys.extend(staying.has_more_keys.then(|| "more".to_owned()));
            let last = keys.pop().unwrap_or_default();
            let joint = if staying.has_more_keys { "and" } else { "or" };
            let keys = if keys.is_empty() { last } else { format!("{} {joint} {last}", keys.join(", ")) };
            return format!("for {rows}, {} still has no {keys}", text::visible(parent));
        }
        Obstacle::Present => format!("{name} has the row already"),
        Obstacle::CameBack => "an earlier restore brought it back already".to_owned(),
        Obstacle::KeyTaken => "another row has its key".to_owned(),
        Obstacle::Refused(why) => format!("{name} would refuse it: {why}"),
        Obstacle::NoTable => "the table does not exist any more".to_owned(),
        Obstacle::NoColumn(column) => format!("{name} has no column {column} any more"),
        Obstacle::Altered(column) => format!("{name} would store another value in {column}"),
        Obstacle::Unidentified => format!("rows of {name} cannot be identified"),
        Obstacle::Unreadable(why) => format!("it cannot be read: {why}"),
    };
    let mut names: Vec<String> = staying.samples.iter().map(|row| text::row(row)).collect();
    names.retain(|name| !name.is_empty());
    let more = staying.rows.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {} more", count(more)) } else { String::new() };
    match names.is_empty() {
        true => format!("for {rows}, {why}"),
        false => format!("for {rows}, {why} ({}{more})", names.join("; ")),
    }
}

/// Shows the changes table by table.
fn totals(sheet: &mut Sheet, report: &RestoreReport<'_>) {
    let own = report.schema.database.engine.facts().own_tables;
    let tables = report.forecast.tables.iter();
    let tables = tables.filter(|table| own.is_none_or(|prefix| !table.table.starts_with(prefix))).cloned();
    let tables: Vec<_> = tables.collect();
    if !tables.is_empty() {
        sheet.blank();
        changes::lines(sheet, 8, &tables, &[], Tense::Planned);
    }
}

/// Returns the command that follows.
fn next(report: &RestoreReport<'_>) -> Vec<String> {
    if report.is_applied || report.forecast.changes() == 0 {
        return Vec::new();
    }
    match report.plan {
        Some(plan) => {
            let (database, plan) = (shell(report.database), shell(&plan.display().to_string()));
            vec![format!("fk-doctor apply {database} {plan}{}", report.apply_options)]
        }
        None => vec![report.with_apply.to_owned()],
    }
}
