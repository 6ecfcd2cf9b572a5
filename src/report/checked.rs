//! A check of rows to load, for a terminal: the number of rows that would fail, with their relations, constraints and
//! lines, and the order in which to load the tables.

use crate::model::check_result::CheckResult;
use crate::model::check_result::CorrectedLoad;
use crate::model::check_result::RefusedRow;
use crate::model::check_result::RefusedRows;
use crate::model::check_result::Taken;
use crate::model::finding::Severity;
use crate::model::schema::side;
use crate::model::text::count;
use crate::model::text::named;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::table;
use crate::report::table::labelled;

pub(super) fn render(checked: &CheckResult, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    headline(&mut sheet, checked);
    for load in &checked.loads {
        let line = format!("{}: {} for {}", load.source, plural(load.rows, "row"), load.table);
        sheet.line(2, vec![Piece::new(line, Style::Dim)]);
    }
    for finding in &checked.findings {
        sheet.blank();
        sheet.heading(table::grade(finding.code, finding.severity), Piece::new(&finding.relation_id, Style::Strong));
        sheet.line(2, vec![Piece::plain(&finding.message)]);
        table::missing_keys(&mut sheet, &checked.schema, finding);
        table::samples(&mut sheet, finding);
        table::causes_and_help(&mut sheet, finding);
    }
    for refused in &checked.refused {
        sheet.blank();
        constraint(&mut sheet, refused);
    }
    order(&mut sheet, checked);
    if let Some(corrected) = &checked.corrected {
        files(&mut sheet, corrected);
    }
    sheet.finish()
}

fn headline(sheet: &mut Sheet, checked: &CheckResult) {
    let all = plural(checked.rows(), "row");
    let name = &checked.schema.database.name;
    let (mark, style, line) = if checked.is_clean() {
        ("✓", Style::Good, format!("{name} would accept {all}"))
    } else if checked.would_fail == 0 {
        ("✗", Style::Bad, format!("{name} would refuse every row: its definitions are broken"))
    } else {
        ("✗", Style::Bad, format!("{name} would refuse {} of {all}", count(checked.would_fail)))
    };
    sheet.line(0, vec![Piece::new(mark, style), Piece::new(line, style)]);
}

fn constraint(sheet: &mut Sheet, refused: &RefusedRows) {
    let about = &refused.constraint;
    let heading = match &about.table {
        Some(table) if about.columns.is_empty() => table.clone(),
        Some(table) => side(table, about.columns.iter().map(String::as_str)),
        None => String::new(),
    };
    sheet.heading(table::grade(about.code, Severity::Error), Piece::new(heading, Style::Strong));
    sheet.line(2, vec![Piece::plain(format!("{}: {}", plural(refused.rows, "row"), about.message))]);
    let lines: Vec<String> = refused.samples.iter().map(shown).collect();
    let more = refused.rows.saturating_sub(refused.samples.len() as u64);
    let rest = if more > 0 { format!(", and {} more", count(more)) } else { String::new() };
    labelled(sheet, "lines", format!("{}{rest}", lines.join(", ")));
    if !about.help.is_empty() {
        labelled(sheet, "help", &about.help);
    }
}

fn shown(row: &RefusedRow) -> String {
    let at = format!("{}:{}", row.source, row.line);
    let key = named(row.key.iter().map(|(column, value)| (column.as_str(), value)));
    match (&row.taken, key.is_empty()) {
        (None, true) => at,
        (None, false) => format!("{at} ({key})"),
        (Some(Taken::Table), true) => format!("{at} (already in the table)"),
        (Some(Taken::Table), false) => format!("{at} ({key}: already in the table)"),
        (Some(Taken::Row { source, line }), true) => format!("{at} (same as {source}:{line})"),
        (Some(Taken::Row { source, line }), false) => format!("{at} ({key}: same as {source}:{line})"),
    }
}

fn files(sheet: &mut Sheet, corrected: &CorrectedLoad) {
    sheet.blank();
    if corrected.parent_rows > 0 {
        let line = format!("{}: {} to load first", corrected.parents, plural(corrected.parent_rows, "parent"));
        labelled(sheet, "first", line);
    }
    let changed = format!("{} changed by rules", count(corrected.changed));
    labelled(
        sheet,
        "then",
        format!("{}: {} that would be accepted, {changed}", corrected.file, plural(corrected.rows, "row")),
    );
    if corrected.rest_rows > 0 {
        let line = format!("{}: {} that would still be refused", corrected.rest, plural(corrected.rest_rows, "row"));
        labelled(sheet, "rest", line);
    }
}

fn order(sheet: &mut Sheet, checked: &CheckResult) {
    if checked.order.len() < 2 {
        return;
    }
    sheet.blank();
    labelled(sheet, "order", checked.order.join(", "));
    for cycle in &checked.cycles {
        let line =
            format!("{} refer to each other: load them in one transaction with deferred constraints", cycle.join(", "));
        labelled(sheet, "cycle", line);
    }
}
