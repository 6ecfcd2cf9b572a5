//! The report of a scan for a terminal: the verdict, the causes, the gravest findings with evidence and remedy, the gaps
//! in coverage, and the next commands. `layout` arranges the lines.

use std::collections::BTreeSet;

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::finding_group::FindingGroup;
use crate::model::ids::RelationId;
use crate::model::redaction::Values;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::Detail;
use crate::report::TerminalStyle;
use crate::report::causes;
use crate::report::headline;
use crate::report::headline::Headline;
use crate::report::layout::Columns;
use crate::report::layout::ColumnsRow;
use crate::report::layout::Grid;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::wording;

pub(super) mod group;
pub(super) mod key_repair;

pub(super) use group::block;
pub(super) use group::keys;
pub(super) use group::message;
pub(super) use group::subject;

/// The common width of the labels in a finding.
const LABEL: u16 = 7;
/// The most relations whose groups are shown in full.
const MOST_RELATIONS: usize = 20;
/// The most relations that a block lists by name.
const MOST_LISTED: usize = 6;
/// From this width on, the table of causes has a column of examples.
const WIDE: usize = 110;

pub(super) fn render(examination: &Examination, terminal: &TerminalStyle) -> String {
    let headline = Headline::of(examination);
    if terminal.detail == Detail::Quiet && headline.is_clean() {
        return String::new();
    }
    let mut sheet = Sheet::new(terminal);
    body(&mut sheet, examination, &headline, terminal);
    if terminal.detail > Detail::Quiet {
        next(&mut sheet, examination, &headline);
    }
    sheet.finish()
}

/// Adds the report without the next commands.
pub(super) fn body(sheet: &mut Sheet, examination: &Examination, headline: &Headline, terminal: &TerminalStyle) {
    for (symbol, sentence) in &headline.sentences {
        sheet.headline(*symbol, sentence);
    }
    if terminal.detail == Detail::Quiet {
        return;
    }
    let groups: Vec<&FindingGroup> = causes::grave_groups(examination).collect();
    if groups.len() > 1 || (terminal.detail == Detail::Brief && !groups.is_empty()) {
        cause_table(sheet, examination);
    }
    if terminal.detail >= Detail::Usual {
        coverage_gaps(sheet, examination, terminal.detail);
        blocks(sheet, examination, &groups, terminal);
    }
    if terminal.detail == Detail::All {
        notes(sheet, examination, terminal);
        sound_relations(sheet, examination);
    }
    remarks(sheet, examination, headline);
    if !headline.counts_checked_relations && !headline.has_no_relations() {
        sheet.blank();
        totals(sheet, examination);
    }
}

/// Shows one line for each cause, the gravest first.
fn cause_table(sheet: &mut Sheet, examination: &Examination) {
    let is_wide = sheet.width() >= WIDE;
    let lines = causes::lines(examination);
    sheet.blank();
    if sheet.is_narrow() {
        for line in &lines {
            sheet.prose(2, &Piece::plain(&line.title));
            let mut facts = vec![plural(line.relations, "relation")];
            facts.extend(line.rows.map(|rows| rows.of("row")));
            facts.extend(line.keys.map(|keys| keys.of("key")));
            facts.push(line.remedy.name().to_owned());
            sheet.prose(4, &Piece::new(facts.join(" · "), Style::Dim));
        }
        return;
    }
    let number = |number: Option<crate::model::finding_group::Distinct>| match number {
        Some(number) if number.is_bound => Piece::plain(format!("≤{}", count(number.count))),
        Some(number) => Piece::plain(count(number.count)),
        None => Piece::new("–", Style::Dim),
    };
    let row = |line: &causes::CauseLine| {
        let mut facts = vec![
            Piece::plain(count(line.relations)),
            number(line.rows),
            number(line.keys),
            Piece::plain(line.remedy.name()),
        ];
        facts.extend(is_wide.then(|| Piece::new(&line.example, Style::Dim)));
        ColumnsRow { name: Piece::plain(&line.title), facts }
    };
    let header: &[&str] = match is_wide {
        true => &["finding", "relations", "rows", "keys", "repair", "example"],
        false => &["finding", "relations", "rows", "keys", "repair"],
    };
    let rows = lines.iter().map(row).collect();
    sheet.table(&Columns { header, numbers: &[0, 1, 2], rows });
}

/// Shows whole groups, the gravest first, until their relations are too many.
fn blocks(sheet: &mut Sheet, examination: &Examination, groups: &[&FindingGroup], terminal: &TerminalStyle) {
    let mut shown = 0;
    for (position, group) in groups.iter().enumerate() {
        let relations = group.findings.len();
        let is_too_much = shown > 0 && shown + relations > MOST_RELATIONS;
        if is_too_much && terminal.detail < Detail::All {
            let rest = &groups[position..];
            let relations: usize = rest.iter().map(|group| group.findings.len()).sum();
            let (rest, relations) = (plural(rest.len() as u64, "more group"), plural(relations as u64, "relation"));
            sheet.blank();
            sheet.prose(0, &Piece::new(format!("and {rest} ({relations}): add --all"), Style::Strong));
            return;
        }
        shown += relations;
        block(sheet, examination, group, terminal);
    }
}

/// Lists the relations that were not checked completely, those with one reason together.
fn coverage_gaps(sheet: &mut Sheet, examination: &Examination, detail: Detail) {
    let gaps = || {
        let all = examination.schema.relations.iter().zip(&examination.relations);
        all.filter(|(_, coverage)| coverage.state != CoverageState::Checked)
    };
    let mut reasons: Vec<(CoverageState, &str)> = Vec::new();
    for (_, coverage) in gaps() {
        let reason = (coverage.state, wording::shortfall(coverage).unwrap_or_default());
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    for (state, reason) in reasons {
        let ids: Vec<&str> = gaps()
            .filter(|(_, coverage)| {
                (coverage.state, wording::shortfall(coverage).unwrap_or_default()) == (state, reason)
            })
            .map(|(about, _)| about.id.as_str())
            .collect();
        let label = if state == CoverageState::Unchecked { "not checked" } else { "in part" };
        let listed = if detail == Detail::All { ids.len() } else { MOST_LISTED };
        sheet.blank();
        for (position, id) in ids.iter().take(listed).enumerate() {
            let label = if position == 0 { label } else { "" };
            sheet.labelled_line(13, Piece::new(label, Style::Doubtful), &Piece::new(*id, Style::Strong));
        }
        if ids.len() > listed {
            sheet.labelled_line(
                13,
                Piece::plain(""),
                &Piece::plain(format!("and {} more", count((ids.len() - listed) as u64))),
            );
        }
        sheet.labelled_prose(10, "because", &Piece::plain(reason));
    }
}

/// Shows what `--all` adds: every note.
fn notes(sheet: &mut Sheet, examination: &Examination, terminal: &TerminalStyle) {
    for group in examination.groups.groups.iter().filter(|group| group.severity == Severity::Note) {
        block(sheet, examination, group, terminal);
    }
}

/// Lists the relations without errors or warnings.
fn sound_relations(sheet: &mut Sheet, examination: &Examination) {
    let grave = examination.open_findings().filter(|finding| finding.severity > Severity::Note);
    let sick: BTreeSet<RelationId> = grave.map(|finding| finding.relation).collect();
    let all = examination.schema.relations.entries().zip(&examination.relations);
    let sound: Vec<_> = all
        .filter(|((id, _), coverage)| coverage.state == CoverageState::Checked && !sick.contains(id))
        .map(|((_, relation), coverage)| (relation, coverage))
        .collect();
    if sound.is_empty() {
        return;
    }
    sheet.blank();
    sheet.prose(0, &Piece::new(format!("{} without errors", plural(sound.len() as u64, "relation")), Style::Strong));
    for (relation, coverage) in sound {
        let rows = plural(coverage.counts.rows, "row");
        sheet.prose(2, &Piece::plain(format!("{} · {rows}", relation.id)));
    }
}

/// Adds what the scan left out, and the state of the baseline.
fn remarks(sheet: &mut Sheet, examination: &Examination, headline: &Headline) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    // Grouped by reason, because a full-text index alone has five tables.
    let mut reasons: Vec<&str> = Vec::new();
    for excluded in &examination.excluded {
        if !reasons.contains(&excluded.why.as_str()) {
            reasons.push(&excluded.why);
        }
    }
    for reason in reasons {
        let names: Vec<&str> =
            examination.excluded.iter().filter(|left| left.why == reason).map(|left| left.name.as_str()).collect();
        lines.push(("excluded", format!("{}: {reason}", names.join(", "))));
    }
    for (index, sentence) in wording::baseline(examination).into_iter().enumerate() {
        lines.push((if index == 0 { "baseline" } else { "" }, sentence));
    }
    if !lines.is_empty() && !headline.is_clean() {
        sheet.blank();
    }
    for (label, line) in lines {
        sheet.labelled_prose(8, label, &Piece::new(line, Style::Dim));
    }
}

fn totals(sheet: &mut Sheet, examination: &Examination) {
    if let Some(repair_counts) = wording::repair_counts(examination) {
        sheet.prose(0, &Piece::new(repair_counts, Style::Strong));
    }
    let mut parts = vec![headline::checked(examination)];
    let summary = examination.summary();
    for (number, noun) in [(summary.warnings, "warning"), (summary.notes, "note")] {
        if number > 0 {
            parts.push(plural(number as u64, noun));
        }
    }
    if examination.values != Values::Shown {
        parts.push(format!("values {}", examination.values.name()));
    }
    sheet.prose(0, &Piece::new(format!("{}{}", parts.join(" · "), headline::elapsed(examination)), Style::Dim));
}

/// Adds the next commands, ready to paste.
fn next(sheet: &mut Sheet, examination: &Examination, headline: &Headline) {
    let Some(run) = &examination.run else { return };
    let graves = || causes::grave_groups(examination);
    let mut commands = Vec::new();
    if headline.has_no_relations() {
        commands.push(run.command("fk-doctor discover", ""));
    }
    let has_orphans = graves().any(|group| group.code.is_orphan());
    let has_changeable = graves().any(|group| group.code.is_orphan() && !examination.is_unchangeable(group));
    if examination.is_read_only() || (has_orphans && !has_changeable) {
        if has_orphans {
            commands.push(run.command("fk-doctor scan", "--format csv=orphans.csv"));
        }
        return sheet.next(&commands);
    }
    if has_orphans {
        commands.push(run.command("fk-doctor fix", ""));
    }
    match graves().find(|group| !group.code.is_orphan()) {
        Some(group) => commands.push(format!("fk-doctor code {}", group.code.name())),
        None if has_orphans => {
            let file = text::shell(&format!("{}.rules.toml", run.stem));
            commands.push(run.command("fk-doctor rules suggest", &format!("> {file}")));
        }
        None => {}
    }
    sheet.next(&commands);
}

/// Returns the heading of a finding, for example `error[orphan]`, in the style of its severity.
pub(super) fn grade(code: Code, severity: Severity) -> Piece {
    let style = match severity {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Doubtful,
        Severity::Note => Style::Dim,
    };
    Piece::new(format!("{}[{}]", severity.name(), code.name()), style)
}

/// Adds a line of a finding: a label and its content.
pub(super) fn labelled(sheet: &mut Sheet, label: &str, content: impl AsRef<str>) {
    sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(content));
}

/// Adds the likely causes and the next step.
pub(super) fn causes_and_help(sheet: &mut Sheet, finding: &Finding) {
    for (index, diagnosis) in finding.diagnosis.iter().enumerate() {
        labelled(sheet, if index == 0 { "cause" } else { "" }, wording::diagnosis(diagnosis));
    }
    if !finding.help.is_empty() {
        labelled(sheet, "help", &finding.help);
    }
}

pub(super) fn missing_keys(sheet: &mut Sheet, schema: &Schema, finding: &Finding) {
    let Some(about) = schema.relations.get(finding.relation) else {
        return;
    };
    let has_spans = finding.top_missing.iter().any(|missing| missing.span.is_some());
    let line = |label: &str, key: Piece, rows: u64, span: Option<String>| {
        let unit = if rows == 1 { "row" } else { "rows" };
        let mut line =
            vec![Piece::new(label, Style::Dim), key, Piece::plain(count(rows)), Piece::new(unit, Style::Dim)];
        line.extend(has_spans.then(|| Piece::new(span.unwrap_or_default(), Style::Dim)));
        line
    };
    let mut rows: Vec<Vec<Piece>> = Vec::new();
    for missing in &finding.top_missing {
        let key = text::named(schema.child_column_names(about).zip(&missing.key));
        rows.push(line(
            if rows.is_empty() { "missing" } else { "" },
            Piece::plain(key),
            missing.rows,
            wording::span(missing),
        ));
    }
    let more = finding.missing_keys.saturating_sub(rows.len() as u64);
    if rows.is_empty() {
        return;
    }
    if more > 0 {
        let listed: u64 = finding.top_missing.iter().map(|missing| missing.rows).sum();
        let others = format!("and {}", plural(more, "more key"));
        rows.push(line("", Piece::new(others, Style::Dim), finding.rows.saturating_sub(listed), None));
    }
    sheet.grid(Grid { indent: 2, numbers: &[2], first: Some(LABEL), header: &[], rows });
}

pub(super) fn samples(sheet: &mut Sheet, finding: &Finding) {
    let mut rows: Vec<Vec<Piece>> = Vec::new();
    for sample in &finding.samples {
        let label = if rows.is_empty() { "rows" } else { "" };
        let key = format!("→ {}", text::key(&sample.key));
        rows.push(vec![Piece::new(label, Style::Dim), Piece::plain(text::row(&sample.row)), Piece::plain(key)]);
    }
    if !rows.is_empty() {
        sheet.grid(Grid { indent: 2, numbers: &[], first: Some(LABEL), header: &[], rows });
    }
}

#[cfg(test)]
mod tests;
