//! A discovery for a terminal: the references that are certain or likely, then what else a person should know.

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
use crate::report::layout::shortened;

/// The common width of the labels.
const LABEL: usize = 8;
/// The number of entries of each list that a person sees.
const MOST: usize = 8;
/// The longest evidence in the table.
const LONGEST_EVIDENCE: usize = 60;

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

fn candidates(sheet: &mut Sheet, shown: &[&CandidateView]) {
    let is_narrow = sheet.is_narrow();
    let longest = sheet.width().saturating_sub(70).clamp(14, LONGEST_EVIDENCE);
    let row = |candidate: &&CandidateView| {
        let style = match candidate.tier {
            Tier::Certain => Style::Strong,
            Tier::Rejected => Style::Dim,
            _ => Style::Plain,
        };
        let tier = Piece::new(candidate.tier.name(), style);
        let counts = &candidate.counts;
        let orphans = if counts.orphan_rows > 0 { Style::Doubtful } else { Style::Plain };
        let mut facts =
            vec![tier, Piece::plain(count(counts.complete_rows())), Piece::new(count(counts.orphan_rows), orphans)];
        if !is_narrow {
            facts.push(Piece::new(shortened(&wording::short_evidence(candidate), longest), Style::Dim));
        }
        ColumnsRow { name: Piece::plain(wording::reference(candidate)), facts }
    };
    let header: &[&str] = if is_narrow {
        &["reference", "tier", "rows", "orphans"]
    } else {
        &["reference", "tier", "rows", "orphans", "evidence"]
    };
    sheet.table(&Columns { header, numbers: &[1, 2], rows: shown.iter().map(row).collect() });
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
    more(sheet, report.view.near.len());
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
    more(sheet, missing.len());
}

fn not_observed(sheet: &mut Sheet, report: &DiscoveryReport<'_>) {
    let parts = &report.view.not_observed;
    let failures = parts.iter().filter(|part| part.omission.is_failure());
    for part in failures.clone().take(MOST) {
        sheet.blank();
        sheet.heading(Piece::new(wording::omission(part.omission), Style::Doubtful), Piece::plain(&part.subject));
        sheet.labelled_prose(LABEL, "because", &Piece::plain(&part.reason));
    }
    more(sheet, failures.count());
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
    more(sheet, restricted.len());
}

fn more(sheet: &mut Sheet, number: usize) {
    if number > MOST {
        let line = format!("and {} more: --format json has all", count((number - MOST) as u64));
        sheet.prose(2, &Piece::new(line, Style::Dim));
    }
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
