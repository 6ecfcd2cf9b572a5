//! The findings of the page, one card each. A card opens to show the evidence and the next step.

use crate::model::catalog::TableKind;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::html;
use crate::report::markup::escaped;
use crate::report::wording;

pub(super) fn section(examination: &Examination) -> String {
    let mut findings: Vec<&Finding> = examination.findings.iter().collect();
    // The most severe first, then those with the most rows. Findings in the baseline come last.
    findings.sort_by_key(|finding| {
        let is_known = finding.known == Known::Wholly;
        (is_known, std::cmp::Reverse(finding.severity), std::cmp::Reverse(finding.rows))
    });
    if findings.is_empty() {
        return String::new();
    }
    let cards: Vec<String> =
        findings.iter().enumerate().map(|(index, finding)| card(examination, finding, index)).collect();
    let inside = format!("{}<div id=\"list\">\n{}</div>", tools(&findings), cards.concat());
    html::section("Findings", &plural(findings.len() as u64, "finding"), &inside)
}

/// The search and filter controls, hidden until the script runs.
fn tools(findings: &[&Finding]) -> String {
    let mut grades: Vec<&str> = findings.iter().map(|finding| grade(finding)).collect();
    grades.sort_unstable();
    grades.dedup();
    let boxes: Vec<String> = ["error", "warning", "note", "known"]
        .into_iter()
        .filter(|grade| grades.contains(grade))
        .map(|grade| {
            // Notes are many and seldom urgent, so they are hidden at first.
            let checked = if grade != "note" || grades == ["note"] { " checked=\"\"" } else { "" };
            format!("<label><input type=\"checkbox\" value=\"{grade}\"{checked}/>{grade}</label>\n")
        })
        .collect();
    format!(
        "<div class=\"tools\" hidden=\"\">\n<input type=\"search\" placeholder=\"Search\" aria-label=\"Search the findings\"/>\n{}\
         <select aria-label=\"Order\"><option value=\"weight\">most severe first</option><option value=\"rows\">most rows first</option>\
         <option value=\"keys\">most missing keys first</option><option value=\"relation\">by relation</option></select>\n\
         <output class=\"dim\"></output>\n</div>\n",
        boxes.concat()
    )
}

fn grade(finding: &Finding) -> &'static str {
    if finding.known == Known::Wholly { "known" } else { finding.severity.name() }
}

fn card(examination: &Examination, finding: &Finding, index: usize) -> String {
    let grade = grade(finding);
    let weight = match (grade, finding.severity) {
        ("known", _) => 0,
        (_, Severity::Note) => 1,
        (_, Severity::Warning) => 2,
        (_, Severity::Error) => 3,
    };
    let open = if index == 0 && weight > 1 { " open=\"\"" } else { "" };
    let figure = |number: u64, name: &str, class: &str| {
        if number == 0 {
            return format!("<span class=\"figure {class}\"></span>");
        }
        let plural = plural(number, name);
        let noun = plural.split_once(' ').map_or("", |(_, noun)| noun);
        format!("<span class=\"figure {class}\"><b>{}</b><span>{noun}</span></span>", count(number))
    };
    format!(
        "<details class=\"finding\" id=\"f-{}\" data-grade=\"{grade}\" data-weight=\"{weight}\" data-rows=\"{}\" \
         data-keys=\"{}\" data-relation=\"{}\" data-index=\"{index}\"{open}>\n<summary><span class=\"grade {grade}\">{grade}</span>\
         <span class=\"about\"><span class=\"id\">{}</span><span class=\"dim\">{} · {}</span></span>{}{}\
         <span class=\"turn\" aria-hidden=\"true\">›</span></summary>\n<div class=\"inside\">\n{}</div>\n</details>\n",
        finding.id(),
        finding.rows,
        finding.missing_keys,
        escaped(&finding.relation_id),
        html::relation_id(&finding.relation_id),
        finding.code.name(),
        escaped(&finding.message),
        figure(finding.rows, "row", ""),
        figure(finding.missing_keys, "missing key", "keys"),
        [known(finding), diagnosis(finding), evidence(examination, finding), help(finding)].concat()
    )
}

fn known(finding: &Finding) -> String {
    wording::known(finding).map(|known| format!("<p class=\"dim\">{known}</p>\n")).unwrap_or_default()
}

fn diagnosis(finding: &Finding) -> String {
    if finding.diagnosis.is_empty() {
        return String::new();
    }
    let causes: Vec<String> = finding
        .diagnosis
        .iter()
        .map(|found| {
            let rows = plural(found.rows, "row");
            format!(
                "<dt>{}</dt><dd>{} <span class=\"dim\">({rows})</span></dd>\n",
                found.cause.name(),
                escaped(&found.evidence())
            )
        })
        .collect();
    format!("<div><h4>Likely cause</h4><dl class=\"cause\">\n{}</dl></div>\n", causes.concat())
}

fn evidence(examination: &Examination, finding: &Finding) -> String {
    let (missing, samples) = (missing(examination, finding), samples(examination, finding));
    if missing.is_empty() && samples.is_empty() {
        return String::new();
    }
    format!("<div class=\"two\">\n{missing}{samples}</div>\n")
}

fn missing(examination: &Examination, finding: &Finding) -> String {
    let Some(most) = finding.top_missing.iter().map(|missing| missing.rows).max() else { return String::new() };
    let has_spans = finding.top_missing.iter().any(|missing| missing.span.is_some());
    let mut rows: Vec<String> = finding
        .top_missing
        .iter()
        .map(|missing| {
            let width = 100.0 * missing.rows as f64 / most as f64;
            let span = wording::span(missing).map(|span| escaped(&span)).unwrap_or_default();
            let span = if has_spans { format!("<td>{span}</td>") } else { String::new() };
            format!(
                "<tr><td><code>{}</code></td><td class=\"number\">{}</td><td><svg class=\"bar\" viewBox=\"0 0 100 8\" \
                 preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"0\" y=\"0\" width=\"{width:.1}\" height=\"8\"/></svg></td>{span}</tr>\n",
                escaped(&wording::missing_key(examination, finding, missing)),
                count(missing.rows)
            )
        })
        .collect();
    if let Some((keys, left)) = wording::unlisted(finding) {
        let empty = if has_spans { "<td></td><td></td>" } else { "<td></td>" };
        rows.push(format!(
            "<tr class=\"dim\"><td>{} more</td><td class=\"number\">{}</td>{empty}</tr>\n",
            count(keys),
            count(left)
        ));
    }
    let spans = if has_spans { "<th>first to last</th>" } else { "" };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>missing key</th><th class=\"number\">rows</th><th><span class=\"dim\">share</span></th>{spans}</tr></thead>\
         <tbody>\n{}</tbody></table></div>\n",
        rows.concat()
    )
}

fn samples(examination: &Examination, finding: &Finding) -> String {
    if finding.samples.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = finding
        .samples
        .iter()
        .map(|sample| {
            let (row, key) = (text::row(&sample.row), text::key(&sample.key));
            format!("<tr><td><code>{}</code></td><td><code>{}</code></td></tr>\n", escaped(&row), escaped(&key))
        })
        .collect();
    let about = &examination.schema.relations[finding.relation];
    let child = examination.schema.child(about);
    let name = if child.kind == TableKind::Table { escaped(&child.name.to_string()) } else { "row".to_owned() };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>row of {name}</th><th>refers to</th></tr></thead><tbody>\n{}</tbody></table></div>\n",
        rows.concat()
    )
}

fn help(finding: &Finding) -> String {
    if finding.help.is_empty() {
        return String::new();
    }
    format!("<p class=\"help\"><b>Next</b>{}</p>\n", escaped(&finding.help))
}
