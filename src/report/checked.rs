//! A check of rows to load, for a terminal: the number of rows that would fail, with their relations, constraints and
//! lines, and the order in which to load the tables.

use std::collections::HashSet;

use crate::model::check_result::CheckResult;
use crate::model::check_result::CorrectedLoad;
use crate::model::diagnosis::Evidence;
use crate::model::finding::Cause;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;
use crate::report::table;
use crate::report::table::labelled;
use crate::report::wording;

mod failing;

/// The width of the labels.
const LABEL: usize = 8;

pub(super) fn render(checked: &CheckResult, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    headline(&mut sheet, checked);
    failing::table(&mut sheet, checked);
    for finding in checked.findings.iter().filter(|finding| finding.rows == 0) {
        sheet.blank();
        sheet.heading(table::grade(finding.code, finding.severity), Piece::new(&finding.relation_id, Style::Strong));
        sheet.line(2, vec![Piece::plain(&finding.message)]);
        table::causes_and_help(&mut sheet, finding);
    }
    causes(&mut sheet, checked);
    help(&mut sheet, checked);
    order(&mut sheet, checked);
    if let Some(sentence) = checked.trial.sentence(&checked.schema.database.name) {
        labelled(&mut sheet, "tried", sentence);
    }
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

/// Adds the causes that the reasons do not show.
fn causes(sheet: &mut Sheet, checked: &CheckResult) {
    let mut label = "cause";
    for diagnosis in checked.findings.iter().flat_map(|finding| &finding.diagnosis) {
        let is_a_reason = matches!(diagnosis.evidence, Evidence::AboveLargest { .. });
        if diagnosis.cause != Cause::Unknown && !is_a_reason {
            if !label.is_empty() {
                sheet.blank();
            }
            sheet.labelled_prose(LABEL, label, &Piece::plain(wording::diagnosis(diagnosis)));
            label = "";
        }
    }
}

/// Adds the next step of each reason.
fn help(sheet: &mut Sheet, checked: &CheckResult) {
    let missing = checked.findings.iter().filter(|finding| finding.rows > 0).map(|finding| &finding.help);
    let mut helps: Vec<&String> =
        missing.chain(checked.refused.iter().map(|refused| &refused.constraint.help)).collect();
    let mut seen = HashSet::new();
    helps.retain(|help| !help.is_empty() && seen.insert(*help));
    for (position, help) in helps.iter().enumerate() {
        if position == 0 {
            sheet.blank();
        }
        sheet.labelled_prose(LABEL, if position == 0 { "help" } else { "" }, &Piece::plain(help));
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
    use crate::model::check_result::RefusedRow;
    use crate::model::check_result::RefusedRows;
    use crate::model::explanation::Constraint;
    use crate::model::finding::Code;
    use crate::model::redaction::Redaction;
    use crate::model::redaction::ShownValue;
    use crate::model::trial_method::TrialMethod;
    use crate::model::value::Value;
    use crate::report::sample;

    fn null() -> ShownValue {
        Redaction::default().value("orders", "id", &Value::Null)
    }

    #[test]
    fn first_line_names_source_rows_and_table() {
        let load = LoadSource { table: "orders".into(), source: "orders.csv".into(), is_staged: false, rows: 6 };
        let row = RefusedRow { source: "orders.csv".into(), line: 5, values: vec![("id".into(), null())], taken: None };
        let constraint = Constraint {
            code: Code::NotNull,
            table: Some("orders".into()),
            columns: vec!["id".into()],
            message: "orders(id) is NULL".into(),
            help: "give the column a value".into(),
        };
        let checked = CheckResult {
            trial: TrialMethod::Clone,
            schema: Arc::new(sample::shop()),
            loads: vec![load],
            findings: Vec::new(),
            refused: vec![RefusedRows { constraint, rows: 1, samples: vec![row] }],
            would_fail: 1,
            order: Vec::new(),
            cycles: Vec::new(),
            samples: 5,
            corrected: None,
        };
        for width in [40, 80, 120] {
            let report = render(&checked, &TerminalStyle::plain(width));
            sample::assert_snapshot(&format!("check-{width}.txt"), &report);
        }
        // The help of two reasons is printed once, also if another is between them.
        let refused = |help: &str| {
            let mut refused = checked.refused[0].clone();
            help.clone_into(&mut refused.constraint.help);
            refused
        };
        let refused = ["give the column a value", "another help", "give the column a value"].map(refused).to_vec();
        let report = render(&CheckResult { refused, ..checked.clone() }, &TerminalStyle::plain(80));
        assert_eq!(report.matches("give the column a value").count(), 1, "{report}");
        let clean = CheckResult { refused: Vec::new(), would_fail: 0, ..checked };
        let expected = "✓ orders.csv: 6 rows would be accepted by orders of shop.sqlite\n";
        assert_eq!(render(&clean, &TerminalStyle::plain(80)), expected);
    }
}
