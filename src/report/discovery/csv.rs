//! All candidates as CSV, one on each line. A cell that a spreadsheet would run as a formula starts with an apostrophe.

use crate::model::discovery::Rejection;
use crate::model::discovery_view::DiscoveryView;
use crate::report::csv::harmless;
use crate::report::discovery::wording;

const HEADER: [&str; 13] = [
    "tier",
    "score",
    "child",
    "parent",
    "where",
    "rows",
    "null_rows",
    "orphan_rows",
    "distinct",
    "missing_keys",
    "key",
    "reason",
    "evidence",
];

pub(super) fn render(view: &DiscoveryView) -> String {
    let mut bytes = Vec::new();
    let written = (|| {
        let mut out = csv::Writer::from_writer(&mut bytes);
        out.write_record(HEADER)?;
        for candidate in &view.candidates {
            let counts = &candidate.counts;
            let numbers = [counts.rows, counts.null_rows, counts.orphan_rows, counts.distinct, counts.missing_keys];
            let start = [
                candidate.tier.name().to_owned(),
                format!("{:.4}", candidate.score),
                candidate.child.to_string(),
                candidate.parent.to_string(),
                wording::condition(candidate).unwrap_or_default(),
            ];
            let end = [
                candidate.key.name().to_owned(),
                candidate.reason.map_or("", Rejection::name).to_owned(),
                wording::short_evidence(candidate),
            ];
            let cells = start.into_iter().chain(numbers.map(|number| number.to_string())).chain(end);
            out.write_record(cells.map(|cell| harmless(&cell).into_owned()))?;
        }
        out.flush()
    })();
    if let Err(fault) = written {
        unreachable!("a Vec takes every byte: {fault}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
