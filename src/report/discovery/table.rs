//! A discovery for a terminal: the references that are certain or likely, then what else a person should know.

use textwrap::core::display_width;

use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::discovery::DiscoveryReport;
use crate::report::discovery::wording;
use crate::report::layout::Columns;
use crate::report::layout::ColumnsRow;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;

/// The common width of the labels.
const LABEL: usize = 8;
/// The number of entries of each list that a person sees.
const MOST: usize = 8;

pub(super) fn render(report: &DiscoveryReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let (symbol, sentence) = wording::headline(report.view);
    sheet.headline(symbol, sentence);
    let shown: Vec<&CandidateView> = report.shown().collect();
    if !shown.is_empty() {
        sheet.blank();
        candidates(&mut sheet, &shown);
    }
    left_out(&mut sheet, report);
    near(&mut sheet, report);
    parents_missing(&mut sheet, report);
    not_observed(&mut sheet, report);
    sheet.next(&next(report));
    sheet.finish()
}

/// Adds the candidates. Their evidence is a column if all of it fits into the line, and else a note below each.
fn candidates(sheet: &mut Sheet, shown: &[&CandidateView]) {
    let header = ["reference", "tier", "rows", "orphans", "evidence"];
    let texts = |candidate: &&CandidateView| {
        let counts = &candidate.counts;
        [
            wording::reference(candidate),
            candidate.tier.name().to_owned(),
            count(counts.complete_rows()),
            count(counts.orphan_rows),
            wording::short_evidence(candidate),
        ]
    };
    let rows: Vec<[String; 5]> = shown.iter().map(texts).collect();
    let width_of = |column: usize| {
        let cells = rows.iter().map(|row| display_width(&row[column]));
        cells.max().unwrap_or(0).max(display_width(header[column]))
    };
    // A gap of two blanks is before each column.
    let is_column = (0..header.len()).map(|column| 2 + width_of(column)).sum::<usize>() <= sheet.width();
    if sheet.is_narrow() {
        for (candidate, [name, tier, _, _, evidence]) in shown.iter().zip(rows) {
            let counts = &candidate.counts;
            let (rows, orphans) = (plural(counts.complete_rows(), "row"), plural(counts.orphan_rows, "orphan"));
            sheet.prose(2, &Piece::plain(name));
            sheet.prose(4, &Piece::new(format!("{tier}: {rows}, {orphans}; {evidence}"), Style::Dim));
        }
        return;
    }
    let mut notes = Vec::new();
    let row = |(candidate, [name, tier, rows, orphans, evidence]): (&&CandidateView, [String; 5])| {
        let style = match candidate.tier {
            Tier::Certain => Style::Strong,
            Tier::Rejected => Style::Dim,
            _ => Style::Plain,
        };
        let of_orphans = if candidate.counts.orphan_rows > 0 { Style::Doubtful } else { Style::Plain };
        let mut facts = vec![Piece::new(tier, style), Piece::plain(rows), Piece::new(orphans, of_orphans)];
        if is_column {
            facts.push(Piece::new(evidence, Style::Dim));
            return ColumnsRow { name: Piece::plain(name), facts };
        }
        let condition = wording::condition(candidate).map(|condition| format!("where {condition}; "));
        notes.push(Piece::new(condition.unwrap_or_default() + &evidence, Style::Dim));
        ColumnsRow { name: Piece::plain(&candidate.id), facts }
    };
    let rows = shown.iter().zip(rows).map(row).collect();
    let header = if is_column { &header[..] } else { &header[..4] };
    sheet.table_with_notes(&Columns { header, numbers: &[1, 2], rows }, &notes);
}

/// Counts the candidates below the shown tiers, with the option that shows them.
fn left_out(sheet: &mut Sheet, report: &DiscoveryReport<'_>) {
    for (tier, words) in [(Tier::Possible, "possible"), (Tier::Rejected, "rejected")] {
        let number = report.view.of_tier(tier).count() as u64;
        if number == 0 || tier <= report.lowest {
            continue;
        }
        let verb = if number == 1 { "is" } else { "are" };
        let option = format!("add --tier {}", tier.name());
        sheet.prose(2, &Piece::new(format!("… {} {verb} {words}: {option}", plural(number, "candidate")), Style::Dim));
    }
}

fn near(sheet: &mut Sheet, report: &DiscoveryReport<'_>) {
    if report.view.near.is_empty() {
        return;
    }
    sheet.blank();
    for near in report.view.near.iter().take(MOST) {
        sheet.heading(Piece::new("near", Style::Doubtful), Piece::plain(&near.id));
        sheet.labelled_prose(LABEL, "values", &Piece::plain(wording::near(near)));
    }
    sheet.left_out(2, report.view.near.len().saturating_sub(MOST), "candidate");
}

fn parents_missing(sheet: &mut Sheet, report: &DiscoveryReport<'_>) {
    let missing = &report.view.parents_missing;
    if missing.is_empty() {
        return;
    }
    sheet.blank();
    sheet.prose(0, &Piece::new("Columns that look like references to a table that is not there:", Style::Plain));
    let row = |missing: &crate::model::discovery_view::ParentMissingView| {
        let keys = format!("{} in {}", plural(missing.distinct, "key"), plural(missing.rows, "row"));
        vec![missing.child.to_string(), keys, format!("perhaps {}", missing.expected)]
    };
    sheet.aligned(2, missing.iter().take(MOST).map(row).collect());
    sheet.left_out(2, missing.len().saturating_sub(MOST), "column");
}

fn not_observed(sheet: &mut Sheet, report: &DiscoveryReport<'_>) {
    let parts = &report.view.not_observed;
    let failures = parts.iter().filter(|part| part.omission.is_failure());
    for part in failures.clone().take(MOST) {
        sheet.blank();
        sheet.heading(Piece::new(wording::omission(part.omission), Style::Doubtful), Piece::plain(&part.subject));
        sheet.labelled_prose(LABEL, "because", &Piece::plain(&part.reason));
    }
    sheet.left_out(2, failures.count().saturating_sub(MOST), "part");
    let restricted = wording::restricted(parts);
    if restricted.is_empty() {
        return;
    }
    sheet.blank();
    sheet.prose(0, &Piece::new("Not compared in full:", Style::Dim));
    for group in restricted.iter().take(MOST) {
        let text = format!("{}{}: {}", group.subject, group.more, group.reason);
        sheet.prose(2, &Piece::new(text, Style::Dim));
    }
    sheet.left_out(2, restricted.len().saturating_sub(MOST), "part");
}

fn next(report: &DiscoveryReport<'_>) -> Vec<String> {
    let mut commands = Vec::new();
    let first = |tier: Tier| report.view.of_tier(tier).next();
    if first(Tier::Certain).is_some() {
        commands.push(report.command("discover", &format!("--accept certain >> {}", report.config)));
    }
    if let Some(likely) = first(Tier::Likely).or_else(|| first(Tier::Certain)) {
        let id = crate::model::text::shell(&likely.id);
        commands.push(report.command("discover", &format!("--explain {id}")));
    }
    commands
}
