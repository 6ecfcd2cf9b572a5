//! A discovery as Markdown, for a pull request, an issue or a wiki.
//!
//! Names and values are always in code spans, so that nothing in them is markup, a mention or a link.

use crate::model::discovery::Tier;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::discovery::DiscoveryReport;
use crate::report::discovery::wording;
use crate::report::markdown::cell;
use crate::report::markdown::code;
use crate::report::markdown::plain;

pub(super) fn render(report: &DiscoveryReport<'_>) -> String {
    let view = report.view;
    let (symbol, sentence) = wording::headline(view);
    let mut lines = vec![format!("## References of {}", code(&view.database.name)), String::new()];
    lines.push(format!("- {} {}", symbol.mark(), plain(&sentence)));
    let rows: Vec<String> = report
        .shown()
        .map(|candidate| {
            format!(
                "| {} | {} | {:.3} | {} | {} | {} |",
                candidate.tier.name(),
                cell(&wording::reference(candidate)),
                candidate.score,
                count(candidate.counts.complete_rows()),
                count(candidate.counts.orphan_rows),
                plain(&wording::short_evidence(candidate)).replace('|', "\\|")
            )
        })
        .collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push("| tier | reference | score | rows | orphans | evidence |".to_owned());
        lines.push("| --- | --- | ---: | ---: | ---: | --- |".to_owned());
        lines.extend(rows);
    }
    let left = [Tier::Possible, Tier::Rejected].into_iter().filter(|tier| *tier > report.lowest);
    for tier in left {
        let number = view.of_tier(tier).count() as u64;
        if number > 0 {
            lines.push(String::new());
            lines.push(format!("{}: {}", plural(number, "candidate"), tier.name()));
        }
    }
    let mut list = Vec::new();
    list.extend(view.near.iter().map(|near| format!("- near: {}: {}", code(&near.id), plain(&wording::near(near)))));
    list.extend(view.parents_missing.iter().map(|missing| {
        format!("- no table for {}: perhaps {}", code(&missing.child.to_string()), code(&missing.expected))
    }));
    let failed = view.not_observed.iter().filter(|part| part.omission.is_failure());
    list.extend(failed.map(|part| {
        let label = wording::omission(part.omission);
        format!("- {label}: {}: {}", code(&part.subject), plain(&part.reason))
    }));
    let restricted = wording::restricted(&view.not_observed);
    list.extend(restricted.iter().map(|group| {
        format!("- not compared in full: {}{}: {}", code(group.subject), group.more, plain(group.reason))
    }));
    if !list.is_empty() {
        lines.push(String::new());
        lines.extend(list);
    }
    lines.join("\n") + "\n"
}
