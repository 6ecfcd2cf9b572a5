//! The twins that a plan merges: the rows that go, the children that get another parent, and the twins that stay.

use super::LABEL;
use super::RepairReport;
use super::rule;
use crate::model::repoint::RepointForecast;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;

/// Returns the outcome of a plan that merges twins and treats no orphans.
pub(super) fn headline(report: &RepairReport<'_>) -> (Symbol, String) {
    let name = &report.schema.database.name;
    let sum = |of: fn(&RepointForecast) -> u64| report.forecast.repoints.iter().map(of).sum::<u64>();
    let (twins, merged) = (sum(|repoint| repoint.twins), sum(|repoint| repoint.merged));
    let (symbol, sentence) = match twins {
        0 => (Symbol::Nothing, format!("nothing to do: {name} has no such twins")),
        1 if merged == 1 => (Symbol::Done, format!("{name}: the only twin would be merged")),
        _ if merged == twins => (Symbol::Done, format!("{name}: all {} twins would be merged", count(twins))),
        _ => {
            let merged_of = format!("{} of {} would be merged", count(merged), plural(twins, "twin"));
            (Symbol::Partly, format!("{name}: {merged_of}, {} would stay", count(twins - merged)))
        }
    };
    match report.forecast.rows_left.count {
        0 => (symbol, sentence),
        rows => (Symbol::Partly, format!("{sentence}, and {} would stay", plural(rows, "orphan row"))),
    }
}

pub(super) fn tables(sheet: &mut Sheet, report: &RepairReport<'_>) {
    for repoint in report.forecast.repoints.iter().filter(|repoint| repoint.twins > 0) {
        sheet.blank();
        sheet.heading(Piece::new("repoint", Style::Strong), Piece::plain(text::visible(&repoint.table)));
        sheet.labelled_prose(LABEL, "rule", &Piece::new(rule(report, &repoint.rule), Style::Dim));
        let line = format!("{} in {}", plural(repoint.twins, "twin"), plural(repoint.groups, "group"));
        sheet.labelled_prose(LABEL, "twins", &Piece::plain(line));
        lines(sheet, "points", &repoint.children, " at the kept rows");
        lines(sheet, "moves", &repoint.removed, " aside, because the kept row has one with the same unique key");
        let samples = repoint
            .samples
            .iter()
            .map(|sample| vec![text::row(&sample.twin), format!("→ {}", text::row(&sample.kept))]);
        sheet.aligned(2, samples.collect());
        let more = repoint.merged.saturating_sub(repoint.samples.len() as u64);
        if more > 0 {
            sheet.prose(2, &Piece::plain(format!("and {} more", count(more))));
        }
        for staying in &repoint.staying {
            let rows: Vec<String> = staying.samples.iter().map(|row| text::row(row)).collect();
            let more = staying.twins.saturating_sub(rows.len() as u64);
            let more = if more > 0 { format!(" and {} more", count(more)) } else { String::new() };
            let line = format!("{}, {}{more}: {}", plural(staying.twins, "twin"), rows.join("; "), staying.why);
            sheet.labelled_prose(LABEL, "stays", &Piece::new(line, Style::Doubtful));
        }
    }
}

fn lines(sheet: &mut Sheet, label: &str, rows: &std::collections::BTreeMap<String, u64>, ending: &str) {
    if !rows.is_empty() {
        let parts: Vec<String> =
            rows.iter().map(|(of, rows)| format!("{} of {}", plural(*rows, "row"), text::visible(of))).collect();
        sheet.labelled_prose(LABEL, label, &Piece::plain(format!("{}{ending}", parts.join(", "))));
    }
}
