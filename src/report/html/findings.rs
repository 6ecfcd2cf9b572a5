//! The findings of the page: the groups of equal findings, the gravest first. A group opens in place to show the relations,
//! the keys, the rows, the cause and the remedy. It needs no script.

use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::finding_group::Distinct;
use crate::model::finding_group::FindingGroup;
use crate::model::finding_group::GroupSample;
use crate::model::redaction::ShownValue;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::causes;
use crate::report::causes::CauseLine;
use crate::report::html;
use crate::report::markup::escaped;
use crate::report::remedies;
use crate::report::table::group as words;
use crate::report::table::key_repair;
use crate::report::wording;

/// With more groups than these, the page can be searched.
const FEW: usize = 8;
/// The groups that are listed at first, so that the picture is not far below. The others can be opened.
const FIRST: usize = 12;

pub(super) fn section(examination: &Examination) -> String {
    let groups = &examination.groups.groups;
    let known: Vec<&Finding> = examination.findings.iter().filter(|finding| finding.known == Known::Wholly).collect();
    if groups.is_empty() && known.is_empty() {
        return String::new();
    }
    let shown: Vec<String> =
        groups.iter().enumerate().map(|(index, group)| details(examination, group, index == 0)).collect();
    let (first, rest) = shown.split_at(if shown.len() > FIRST + 1 { FIRST } else { shown.len() });
    let rest = match rest.len() {
        0 => String::new(),
        more => format!(
            "<details class=\"more\"><summary>{}</summary>\n{}</details>\n",
            plural(more as u64, "more group"),
            rest.concat()
        ),
    };
    let tools = if groups.len() > FEW {
        "<div class=\"tools\" hidden=\"\"><input type=\"search\" placeholder=\"Search\" aria-label=\"Search the findings\"/>\
         <output class=\"dim\"></output></div>\n"
    } else {
        ""
    };
    let head = "<div class=\"head\" aria-hidden=\"true\"><span></span><span>finding</span><span class=\"number h\">relations</span>\
                <span class=\"number h\">rows</span><span class=\"number h\">keys</span><span>repair</span></div>\n";
    let head = if groups.is_empty() { "" } else { head };
    let inside = format!("{tools}{head}<div id=\"list\">\n{}{rest}</div>{}", first.concat(), known_findings(&known));
    let note = format!("{}, gravest first", plural(groups.len() as u64, "group"));
    html::section("Findings", if groups.len() > 1 { &note } else { "" }, &inside)
}

fn details(examination: &Examination, group: &FindingGroup, is_first: bool) -> String {
    let findings: Vec<&Finding> = group.findings(&examination.findings).collect();
    let lines = causes::lines_of_group(examination, group);
    let open = if is_first && group.severity > Severity::Note { " open=\"\"" } else { "" };
    let grade = match group.severity {
        Severity::Error => String::new(),
        other => format!("<span class=\"grade {0}\">{0}</span> ", other.name()),
    };
    let rows: String = lines.iter().map(|line| summary_line(line, group.severity)).collect();
    let body = [
        message(examination, group, &findings),
        relations(examination, group, &findings),
        evidence(examination, group, &findings),
        facts(examination, group, &findings),
    ];
    format!(
        "<details class=\"group\"{open}>\n<summary>{grade}<span class=\"lines\">{rows}</span></summary>\n\
         <div class=\"body\">\n{}</div>\n</details>\n",
        body.concat()
    )
}

fn summary_line(line: &CauseLine, severity: Severity) -> String {
    let number = |number: Option<Distinct>| match number {
        Some(number) if number.is_bound => format!("≤{}", count(number.count)),
        Some(number) => count(number.count),
        None => "–".to_owned(),
    };
    let title = match line.title.split_once(": ") {
        Some((cause, what)) => format!("<b>{}:</b> {}", escaped(cause), escaped(what)),
        None => format!("<b>{}</b>", escaped(&line.title)),
    };
    let remedy = line.remedy.name();
    let tag = match severity {
        Severity::Note => "<span></span>".to_owned(),
        _ => format!("<span class=\"tag {remedy}\">{remedy}</span>"),
    };
    format!(
        "<span class=\"line\"><span class=\"title\">{title}</span><span class=\"number h\">{}</span><span class=\"number h\">{}</span>\
         <span class=\"number h\">{}</span>{tag}</span>",
        count(line.relations),
        number(line.rows),
        number(line.keys)
    )
}

/// Returns the common message of a group, or nothing if its relations have different messages.
fn message(examination: &Examination, group: &FindingGroup, findings: &[&Finding]) -> String {
    let message = match findings {
        _ if group.code.is_orphan() => words::message(examination, group),
        [first, others @ ..] if others.iter().all(|other| other.message == first.message) => first.message.clone(),
        _ => return String::new(),
    };
    format!("<p>{}</p>\n", escaped(&message))
}

/// Lists the relations of a group. A group of one relation names it in a line. Each line has the id of its finding: a
/// browser without the script opens a group only for a link to something inside.
fn relations(examination: &Examination, group: &FindingGroup, findings: &[&Finding]) -> String {
    if let [single] = findings {
        let known = wording::known(single).map(|known| format!(" <span class=\"dim\">{known}</span>"));
        let id = html::relation_id(&single.relation_id);
        return format!("<p id=\"{}\"><code>{id}</code>{}</p>\n", single.id(), known.unwrap_or_default());
    }
    let is_orphan = group.code.is_orphan();
    let has_messages = !is_orphan && findings.iter().any(|finding| finding.message != findings[0].message);
    let has_help = !is_orphan && findings.iter().any(|finding| finding.help != findings[0].help);
    let row = |finding: &&Finding| {
        let all = examination.relations.get(finding.relation).map_or(0, |coverage| coverage.counts.rows);
        let mut cells = format!("<td><code>{}</code></td>", html::relation_id(&finding.relation_id));
        if is_orphan {
            let known = wording::known(finding).map(|known| format!(" <span class=\"dim\">{known}</span>"));
            cells.push_str(&format!(
                "<td class=\"number\">{} of {}{}</td><td class=\"number\">{}</td>",
                count(finding.rows),
                plural(all, "row"),
                known.unwrap_or_default(),
                plural(finding.missing_keys, "key")
            ));
        }
        for text in [(has_messages, &finding.message), (has_help, &finding.help)].iter().filter(|(shown, _)| *shown) {
            cells.push_str(&format!("<td>{}</td>", escaped(text.1)));
        }
        format!("<tr id=\"{}\">{cells}</tr>\n", finding.id())
    };
    let rows: String = findings.iter().map(row).collect();
    format!("<div class=\"scroll\"><table><tbody>\n{rows}</tbody></table></div>\n")
}

fn evidence(examination: &Examination, group: &FindingGroup, findings: &[&Finding]) -> String {
    let (keys, rows) = (keys(group), rows(examination, group, findings));
    if keys.is_empty() && rows.is_empty() {
        return String::new();
    }
    format!("<div class=\"two\">\n{keys}{rows}</div>\n")
}

/// Shows the missing keys with most references.
fn keys(group: &FindingGroup) -> String {
    let Some(most) = group.top_missing.iter().map(|missing| missing.rows).max() else { return String::new() };
    let has_spans = group.top_missing.iter().any(|missing| missing.span.is_some());
    let mut rows = String::new();
    for missing in &group.top_missing {
        let width = 100.0 * missing.rows as f64 / most.max(1) as f64;
        let span = wording::span(missing).map(|span| escaped(&span)).unwrap_or_default();
        let span = if has_spans { format!("<td>{span}</td>") } else { String::new() };
        rows.push_str(&format!(
            "<tr><td><code><span>{}</span></code></td><td class=\"number\">{}</td><td><svg class=\"share\" viewBox=\"0 0 100 8\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"0\" y=\"0\" width=\"{width:.1}\" height=\"8\"/></svg></td>{span}</tr>\n",
            escaped(&text::key(&missing.key)),
            count(missing.rows)
        ));
    }
    let more = group.keys.count.saturating_sub(group.top_missing.len() as u64);
    if more > 0 {
        let more = format!("and {}{} more", group.keys.bound(), count(more));
        let width = if has_spans { 4 } else { 3 };
        rows.push_str(&format!("<tr class=\"dim\"><td colspan=\"{width}\">{more}</td></tr>\n"));
    }
    let spans = if has_spans { "<th>first to last</th>" } else { "" };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>missing key</th><th class=\"number\">references</th><th></th>{spans}</tr></thead>\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// Shows some rows, each with its broken references.
fn rows(examination: &Examination, group: &FindingGroup, findings: &[&Finding]) -> String {
    let [first, ..] = group.samples.as_slice() else { return String::new() };
    let has_one_table = findings.iter().all(|finding| {
        let about = &examination.schema.relations[finding.relation];
        examination.schema.child(about).name.to_string() == first.table
    });
    let row = |sample: &GroupSample| {
        let table =
            if has_one_table { String::new() } else { format!("<td><code>{}</code></td>", escaped(&sample.table)) };
        let references = match findings {
            [_] => {
                let key: Vec<_> = sample.keys.iter().map(|(_, value)| value.clone()).collect();
                format!("<span>{}</span>", escaped(&text::key(&key)))
            }
            _ => pairs(&sample.keys),
        };
        format!("<tr>{table}<td><code>{}</code></td><td><code>{references}</code></td></tr>\n", pairs(&sample.row))
    };
    let mut rows: String = group.samples.iter().map(row).collect();
    let more = group.rows.count.saturating_sub(group.samples.len() as u64);
    let width = if has_one_table { 2 } else { 3 };
    if more > 0 {
        let more = format!("and {}{} more", group.rows.bound(), count(more));
        rows.push_str(&format!("<tr class=\"dim\"><td colspan=\"{width}\">{more}</td></tr>\n"));
    }
    let heads = if has_one_table { "" } else { "<th>table</th>" };
    let name = if has_one_table { format!("row of {}", escaped(&first.table)) } else { "row".to_owned() };
    format!(
        "<div class=\"scroll\"><table><thead><tr>{heads}<th>{name}</th><th>refers to</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// Returns columns with their values. A line may break only between two of them.
fn pairs(values: &[(String, ShownValue)]) -> String {
    let pair = |pair| format!("<span>{}</span>", escaped(&text::row(std::slice::from_ref(pair))));
    values.iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// Shows the causes and the remedies.
fn facts(examination: &Examination, group: &FindingGroup, findings: &[&Finding]) -> String {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if group.code.is_orphan() {
        facts.extend(words::reasons(examination, group).into_iter().map(|(label, reason)| (label, escaped(&reason))));
        for (position, sentence) in remedies::sentences(examination, group).iter().enumerate() {
            let command = sentence.command.as_ref().map(|command| format!("<pre>{}</pre>", escaped(command)));
            let label = if position == 0 { "repair" } else { "" };
            facts.push((label, escaped(&sentence.text) + &command.unwrap_or_default()));
        }
    } else if let Some(text) = key_repair::text(examination, findings) {
        facts.extend(text.cause.iter().map(|cause| ("cause", escaped(cause))));
        // Escaped text has no line breaks.
        let command = |parts: &Vec<String>| parts.iter().map(|part| escaped(part)).collect::<Vec<_>>().join(" \\\n  ");
        let commands = text.commands.iter().map(command).collect::<Vec<_>>().join("\n");
        let advice: String = text.advice.iter().map(|sentence| format!("<p>{}</p>", escaped(sentence))).collect();
        let others = text.others.iter().map(|others| format!("<p>{}</p>", escaped(others)));
        let commands = format!("<pre>{commands}</pre>");
        facts.push(("repair", format!("{advice}{commands}{}", others.collect::<String>())));
    } else if let [first, others @ ..] = findings
        && !first.help.is_empty()
        && others.iter().all(|other| other.help == first.help)
    {
        facts.push(("repair", escaped(&first.help)));
    }
    if facts.is_empty() {
        return String::new();
    }
    let facts = facts.into_iter().map(|(label, text)| format!("<dt>{label}</dt><dd>{text}</dd>\n"));
    format!("<dl class=\"facts\">\n{}</dl>\n", facts.collect::<String>())
}

/// Lists the findings that the baseline contains.
fn known_findings(known: &[&Finding]) -> String {
    if known.is_empty() {
        return String::new();
    }
    let row = |finding: &&Finding| {
        format!(
            "<tr id=\"{}\"><td><code>{}</code></td><td>{}</td></tr>\n",
            finding.id(),
            html::relation_id(&finding.relation_id),
            escaped(&finding.message)
        )
    };
    format!(
        "<details class=\"more\"><summary>{} in the baseline</summary>\n<div class=\"scroll\"><table><tbody>\n{}</tbody></table></div>\n</details>\n",
        plural(known.len() as u64, "known finding"),
        known.iter().map(row).collect::<String>()
    )
}
