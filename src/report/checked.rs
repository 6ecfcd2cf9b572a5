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
use crate::report::layout::Symbol;
use crate::report::table;
use crate::report::table::labelled;

pub(super) fn render(checked: &CheckResult, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    headline(&mut sheet, checked);
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
    // A single source is named in the sentence; several are listed below it.
    let (source, target) = match checked.loads.as_slice() {
        [load] => (format!("{}: ", load.source), format!("{} of {name}", load.table)),
        _ => (String::new(), name.clone()),
    };
    let (symbol, outcome) = if checked.is_clean() {
        (Symbol::Done, format!("{all} would be accepted by {target}"))
    } else if checked.would_fail == 0 {
        (Symbol::Faults, format!("every row would be refused by {target}: its definitions are broken"))
    } else {
        (Symbol::Faults, format!("{} of {all} would be refused by {target}", count(checked.would_fail)))
    };
    sheet.headline(symbol, format!("{source}{outcome}"));
    for load in checked.loads.iter().filter(|_| checked.loads.len() > 1) {
        let line = format!("{}: {} for {}", load.source, plural(load.rows, "row"), load.table);
        sheet.prose(2, &Piece::new(line, Style::Dim));
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::check_result::LoadSource;
    use crate::model::explanation::Constraint;
    use crate::model::finding::Code;
    use crate::report::sample;

    #[test]
    fn first_line_names_source_rows_and_table() {
        let load = LoadSource { table: "orders".into(), source: "orders.csv".into(), is_staged: false, rows: 6 };
        let row = RefusedRow { source: "orders.csv".into(), line: 5, key: Vec::new(), taken: None };
        let constraint = Constraint {
            code: Code::NotNull,
            table: Some("orders".into()),
            columns: vec!["id".into()],
            message: "orders(id) is NULL".into(),
            help: "give the column a value".into(),
        };
        let checked = CheckResult {
            schema: Arc::new(sample::shop()),
            loads: vec![load],
            findings: Vec::new(),
            refused: vec![RefusedRows { constraint, rows: 1, samples: vec![row] }],
            would_fail: 1,
            order: Vec::new(),
            cycles: Vec::new(),
            corrected: None,
        };
        for width in [40, 80, 120] {
            let report = render(&checked, &TerminalStyle::plain(width));
            sample::assert_snapshot(&format!("check-{width}.txt"), &report);
        }
        let clean = CheckResult { refused: Vec::new(), would_fail: 0, ..checked };
        let expected = "✓ orders.csv: 6 rows would be accepted by orders of shop.sqlite\n";
        assert_eq!(render(&clean, &TerminalStyle::plain(80)), expected);
    }
}
