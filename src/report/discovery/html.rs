//! A discovery as one HTML page, without other files, network or scripts. Every text passes through [`escaped`].

use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::discovery::DiscoveryReport;
use crate::report::discovery::wording;
use crate::report::html::Page;
use crate::report::markup::escaped;

/// The most rejected candidates that the page lists. The JSON report has all.
const MOST_REJECTED: usize = 200;

pub(super) fn render(report: &DiscoveryReport<'_>) -> String {
    let view = report.view;
    let (symbol, sentence) = wording::headline(view);
    let name = escaped(&view.database.name);
    let mut body = format!(
        "<header>\n<h1>References of {name}</h1>\n<p class=\"verdict\">{} {}</p>\n</header>\n<main id=\"report\">\n",
        symbol.mark(),
        escaped(&sentence)
    );
    for (tier, title) in [
        (Tier::Certain, "Certain"),
        (Tier::Likely, "Likely"),
        (Tier::Possible, "Possible"),
        (Tier::Rejected, "Rejected"),
        (Tier::Declared, "Known already"),
    ] {
        body.push_str(&section(report, tier, title));
    }
    let near = view
        .near
        .iter()
        .map(|near| format!("<li><code>{}</code>: {}</li>\n", escaped(&near.id), escaped(&wording::near(near))));
    body.push_str(&list("Equal only after a change of spelling", near.collect()));
    let missing = view.parents_missing.iter().map(|missing| {
        format!(
            "<li><code>{}</code>: {} in {}, perhaps of a table <code>{}</code></li>\n",
            escaped(&missing.child.to_string()),
            plural(missing.distinct, "key"),
            plural(missing.rows, "row"),
            escaped(&missing.expected)
        )
    });
    body.push_str(&list("No table", missing.collect()));
    let failed = view.not_observed.iter().filter(|part| part.omission.is_failure());
    let failed = failed.map(|part| {
        let label = wording::omission(part.omission);
        format!("<li>{label}: <code>{}</code>: {}</li>\n", escaped(&part.subject), escaped(&part.reason))
    });
    body.push_str(&list("Missing from this report", failed.collect()));
    let restricted = wording::restricted(&view.not_observed);
    let restricted = restricted.iter().map(|group| {
        format!("<li><code>{}</code>{}: {}</li>\n", escaped(group.subject), group.more, escaped(group.reason))
    });
    body.push_str(&list("Not compared in full", restricted.collect()));
    body.push_str("</main>\n");
    Page { title: format!("References of {name}"), database: &view.database, body: &body }.render()
}

fn section(report: &DiscoveryReport<'_>, tier: Tier, title: &str) -> String {
    let all: Vec<&CandidateView> = report.view.of_tier(tier).collect();
    if all.is_empty() {
        return String::new();
    }
    let most = if tier == Tier::Rejected { MOST_REJECTED } else { usize::MAX };
    let rows: String = all.iter().take(most).map(|candidate| row(candidate)).collect();
    let open = if matches!(tier, Tier::Certain | Tier::Likely) { " open=\"open\"" } else { "" };
    let more = match all.len().saturating_sub(most) {
        0 => String::new(),
        rest => format!("<p>and {} more: the JSON report has all</p>\n", count(rest as u64)),
    };
    format!(
        "<section>\n<details{open}>\n<summary>{title} <small>{}</small></summary>\n<div class=\"panel\"><table>\n\
         <thead><tr><th>reference</th><th>score</th><th>rows</th><th>orphans</th><th>evidence</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n{more}</div>\n</details>\n</section>\n",
        count(all.len() as u64)
    )
}

fn row(candidate: &CandidateView) -> String {
    let reasons = candidate.strongest_evidence();
    let mut evidence: Vec<String> = reasons.iter().take(3).map(|evidence| escaped(&evidence.text)).collect();
    if let Some(reason) = candidate.reason {
        evidence.insert(0, escaped(wording::rejection(reason)));
    }
    format!(
        "<tr><td><code>{}</code></td><td class=\"n\">{:.3}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
        escaped(&wording::reference(candidate)),
        candidate.score,
        count(candidate.counts.complete_rows()),
        count(candidate.counts.orphan_rows),
        evidence.join("; ")
    )
}

fn list(title: &str, items: Vec<String>) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{title}</h2>\n<div class=\"panel plain\"><ul>\n{}</ul></div>\n</section>\n", items.concat())
}
