//! Orphan rows over time, as a curve, if the scan has a history.

use std::fmt::Write;

use crate::model::history::PastScan;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::html;
use crate::report::markup::escaped;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 8.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 108.0;

/// The number of scans in the curve. Older scans are omitted.
const MOST: usize = 120;

/// Returns the section, or an empty text for fewer than two scans.
pub(super) fn section(history: &[PastScan]) -> String {
    let history = &history[history.len().saturating_sub(MOST)..];
    let [first, .., last] = history else { return String::new() };
    let most = history.iter().map(|past_scan| past_scan.orphan_rows).max().unwrap_or(0).max(1);
    let step = (WIDTH - 2.0 * LEFT) / (history.len() - 1) as f64;
    let at = |index: usize, past_scan: &PastScan| {
        (LEFT + step * index as f64, BOTTOM - (BOTTOM - TOP) * past_scan.orphan_rows as f64 / most as f64)
    };
    let mut curve = String::new();
    let mut dots = String::new();
    for (index, past_scan) in history.iter().enumerate() {
        let (x, y) = at(index, past_scan);
        let _ = write!(curve, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { " L" });
        let _ = write!(
            dots,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}: {}, {}</title></circle>",
            escaped(&past_scan.at),
            plural(past_scan.orphan_rows, "orphan row"),
            plural(past_scan.missing_keys, "missing key")
        );
    }
    let change = match last.orphan_rows.cmp(&first.orphan_rows) {
        std::cmp::Ordering::Less => format!("{} fewer", count(first.orphan_rows - last.orphan_rows)),
        std::cmp::Ordering::Equal => "0 more".to_owned(),
        std::cmp::Ordering::Greater => format!("{} more", count(last.orphan_rows - first.orphan_rows)),
    };
    let day = |past_scan: &PastScan| escaped(past_scan.at.get(..10).unwrap_or(&past_scan.at));
    let inside = format!(
        "<div class=\"trend\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Orphan rows from {from} to {to}: {change}\">\
         <path class=\"rule\" d=\"M{LEFT} {BOTTOM} H{right}\"/><path class=\"area\" d=\"{curve} L{right} {BOTTOM} L{LEFT} {BOTTOM} Z\"/>\
         <path class=\"curve\" d=\"{curve}\"/>{dots}<text x=\"{LEFT}\" y=\"12\">{most}</text>\
         <text x=\"{LEFT}\" y=\"126\">{from}</text><text x=\"{right}\" y=\"126\" text-anchor=\"end\">{to}</text></svg></div>",
        from = day(first),
        to = day(last),
        right = WIDTH - LEFT,
        most = plural(most, "orphan row"),
    );
    html::section("Trend", &format!("{change} orphan rows than at the first of {} scans", history.len()), &inside)
}
