//! The rows that would be refused, as a table: line, column, value and reason. Many rows are grouped by reason.

use crate::model::check_result::CheckResult;
use crate::model::check_result::FailingLine;
use crate::model::check_result::LISTED_ROWS;
use crate::model::check_result::RefusedRow;
use crate::model::check_result::RefusedRows;
use crate::model::check_result::Taken;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Sample;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::visible;
use crate::report::layout::Columns;
use crate::report::layout::ColumnsRow;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::wording;

/// The number of lines that are listed of each reason.
const LINES: usize = 3;

/// A longer value is cut in the middle.
const LONGEST_VALUE: usize = 40;

/// One reason, and the rows that would be refused for it.
struct Reason {
    columns: String,
    /// In words that hold for each of the rows.
    why: String,
    rows: u64,
    listed: Vec<Line>,
}

/// One row and one reason.
struct Line {
    /// The number of the source, and the line in it.
    order: (usize, u64),
    location: String,
    value: String,
    /// In words about this row.
    why: String,
}

/// Adds a table of all rows, or of their reasons if there are many rows.
pub(super) fn table(sheet: &mut Sheet, checked: &CheckResult) {
    let reasons: Vec<Reason> = reasons(checked);
    let rows: u64 = reasons.iter().map(|reason| reason.rows).sum();
    if rows == 0 {
        return;
    }
    sheet.blank();
    let listed: u64 = reasons.iter().map(|reason| reason.listed.len() as u64).sum();
    match listed == rows && rows <= LISTED_ROWS as u64 {
        true => each_row(sheet, checked, &reasons),
        false => by_reason(sheet, checked, &reasons),
    }
}

fn reasons(checked: &CheckResult) -> Vec<Reason> {
    let failing = checked.findings.iter().filter(|finding| finding.rows > 0);
    let missing = failing.filter_map(|finding| missing_parents(checked, finding));
    missing.chain(checked.refused.iter().map(|refused| constraint(checked, refused))).collect()
}

fn missing_parents(checked: &CheckResult, finding: &Finding) -> Option<Reason> {
    let relation = checked.schema.relations.get(finding.relation)?;
    let columns: Vec<&str> = checked.schema.child_column_names(relation).collect();
    let why = wording::no_such_key(&relation.parent.name, finding);
    let line = |sample: &Sample| {
        let FailingLine { source, line } = FailingLine::of_sample(sample)?;
        Some(line_of(checked, &source, line, text::key(&sample.key), why.clone()))
    };
    let listed = finding.samples.iter().filter_map(line).collect();
    Some(Reason { columns: columns.join(", "), rows: finding.rows, listed, why: why.clone() })
}

fn constraint(checked: &CheckResult, refused: &RefusedRows) -> Reason {
    let about = &refused.constraint;
    let columns = about.columns.join(", ");
    let common = match about.code {
        Code::NotNull if !columns.is_empty() => format!("{columns} is NOT NULL"),
        Code::DuplicateKey => "another row has this key".to_owned(),
        _ => about.message.clone(),
    };
    let line = |row: &RefusedRow| {
        let why = match &row.taken {
            None => common.clone(),
            Some(Taken::Table) => "the table already has this key".to_owned(),
            Some(Taken::Row { source, line }) => format!("{} has this key", location(checked, source, *line, true)),
        };
        let values: Vec<_> = row.values.iter().map(|(_, value)| value).collect();
        let value = if values.is_empty() { "–".to_owned() } else { text::key(&values) };
        line_of(checked, &row.source, row.line, value, why)
    };
    Reason { columns, rows: refused.rows, listed: refused.samples.iter().map(line).collect(), why: common }
}

fn line_of(checked: &CheckResult, source: &str, line: u64, value: String, why: String) -> Line {
    let number = checked.loads.iter().position(|load| load.source == source);
    Line {
        order: (number.unwrap_or(usize::MAX), line),
        location: location(checked, source, line, false),
        value: wording::cut_in_the_middle(&value, LONGEST_VALUE),
        why,
    }
}

/// Returns the line of a row. If there are several sources, it names the source too.
fn location(checked: &CheckResult, source: &str, line: u64, in_a_sentence: bool) -> String {
    match checked.loads.as_slice() {
        [_] if in_a_sentence => format!("{} {}", unit(checked), count(line)),
        [_] => count(line),
        _ => format!("{source}:{line}"),
    }
}

/// Returns the title of the first column.
fn unit(checked: &CheckResult) -> &'static str {
    if checked.loads.iter().all(|load| load.is_staged) { "row" } else { "line" }
}

fn each_row(sheet: &mut Sheet, checked: &CheckResult, reasons: &[Reason]) {
    let mut lines: Vec<(&Reason, &Line)> =
        reasons.iter().flat_map(|reason| reason.listed.iter().map(move |line| (reason, line))).collect();
    lines.sort_by_key(|(_, line)| line.order);
    let columns = |reason: &Reason| if reason.columns.is_empty() { "–".to_owned() } else { reason.columns.clone() };
    if sheet.is_narrow() {
        for (reason, line) in lines {
            let value =
                if line.value == "–" { columns(reason) } else { format!("{} = {}", columns(reason), line.value) };
            sheet.prose(2, &Piece::new(format!("{} {}  {value}", unit(checked), line.location), Style::Strong));
            sheet.prose(4, &Piece::plain(&line.why));
        }
        return;
    }
    let title = if checked.loads.len() > 1 { "row" } else { unit(checked) };
    let width = lines.iter().map(|(_, line)| visible(&line.location).chars().count()).chain([title.len()]).max();
    let width = width.unwrap_or(0);
    let right = |text: &str| format!("{}{text}", " ".repeat(width.saturating_sub(text.chars().count())));
    let header = ["column", "value", "why"].map(str::to_owned);
    let mut rows = vec![[vec![right(title)], header.to_vec()].concat()];
    rows.extend(
        lines
            .iter()
            .map(|(reason, line)| vec![right(&line.location), columns(reason), line.value.clone(), line.why.clone()]),
    );
    sheet.aligned(2, rows);
}

fn by_reason(sheet: &mut Sheet, checked: &CheckResult, reasons: &[Reason]) {
    let mut reasons: Vec<&Reason> = reasons.iter().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.rows));
    let lines = |reason: &Reason| {
        let mut listed: Vec<&Line> = reason.listed.iter().collect();
        listed.sort_by_key(|line| line.order);
        let shown: Vec<&str> = listed.iter().take(LINES).map(|line| line.location.as_str()).collect();
        let more = reason.rows.saturating_sub(shown.len() as u64);
        let rest = if more > 0 { format!(" and {} more", count(more)) } else { String::new() };
        format!("{}{rest}", shown.join(", "))
    };
    let unit = format!("{}s", if checked.loads.len() > 1 { "row" } else { unit(checked) });
    if sheet.is_narrow() {
        for reason in reasons {
            sheet.prose(2, &Piece::new(&reason.why, Style::Strong));
            let facts = [reason.columns.clone(), text::plural(reason.rows, "row"), format!("{unit} {}", lines(reason))];
            let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
            sheet.prose(4, &Piece::plain(facts.join(" · ")));
        }
        return;
    }
    let row = |reason: &&Reason| ColumnsRow {
        name: Piece::plain(&reason.why),
        facts: vec![Piece::plain(&reason.columns), Piece::plain(count(reason.rows)), Piece::plain(lines(reason))],
    };
    let rows = reasons.iter().map(row).collect();
    sheet.table(&Columns { header: &["why", "column", "rows", &unit], numbers: &[1], rows });
}
