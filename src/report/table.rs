//! The report of a scan for a terminal: the verdict, the relations that need attention, every finding with its evidence
//! and next step, and the gaps in coverage. `layout` arranges the lines.

use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::headline::Headline;
use crate::report::headline::Tone;
use crate::report::layout::Grid;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::wording;

/// The common width of the labels in a finding.
const LABEL: u16 = 7;
/// The common width of the labels for coverage and baseline.
const WIDE_LABEL: u16 = 11;

pub(super) fn render(examination: &Examination, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let is_clean = headline(&mut sheet, examination);
    attention(&mut sheet, examination);
    findings(&mut sheet, examination);
    let is_short = is_clean && most_severe(examination).is_none_or(|severity| severity == Severity::Note);
    if !is_short {
        sheet.blank();
    }
    notes(&mut sheet, examination);
    baseline(&mut sheet, examination);
    coverage_gaps(&mut sheet, examination);
    if !is_short {
        totals(&mut sheet, examination);
    }
    sheet.finish()
}

/// Returns a relation's id. An id wider than `width` continues on a second line, which starts with the parent, so that both
/// halves can be copied.
pub(super) fn relation(schema: &Schema, relation: &Relation, width: usize) -> Piece {
    if relation.id.chars().count() > width {
        let child = side(&schema.child(relation).name, schema.child_column_names(relation));
        if let Some(parent) = relation.id.strip_prefix(&child) {
            return Piece::stack([child.as_str(), &format!("  {parent}")], Style::Plain);
        }
    }
    Piece::plain(&relation.id)
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

/// Adds the verdict, one line per sentence. Returns true if it reports no problem.
fn headline(sheet: &mut Sheet, examination: &Examination) -> bool {
    let headline = Headline::of(examination);
    for (tone, sentence) in &headline.sentences {
        let style = match tone {
            Tone::Good => Style::Good,
            Tone::Bad => Style::Bad,
            Tone::Doubtful => Style::Doubtful,
            Tone::Neutral => Style::Strong,
        };
        sheet.line(0, vec![Piece::new(tone.mark(), style), Piece::new(sentence, style)]);
    }
    if examination.relations.is_empty() {
        let help = "you can add relations that it does not declare to `fk-doctor.toml`";
        sheet.line(2, vec![Piece::new(help, Style::Dim)]);
    }
    if headline.warnings > 0 {
        let line = plural(headline.warnings as u64, "warning");
        sheet.line(0, vec![Piece::new("!", Style::Doubtful), Piece::new(line, Style::Doubtful)]);
    }
    headline.is_clean()
}

/// Lists every relation that has an error or was not checked, and counts the others.
fn attention(sheet: &mut Sheet, examination: &Examination) {
    let codes = |relation: RelationId, coverage: &Coverage| -> Vec<&str> {
        if coverage.state == CoverageState::Unchecked {
            return vec!["not checked"];
        }
        errors(examination).filter(|finding| finding.relation == relation).map(|finding| finding.code.name()).collect()
    };
    let all = examination.schema.relations.entries().zip(&examination.relations);
    let listed: Vec<_> = all
        .map(|((relation, about), coverage)| (about, coverage, codes(relation, coverage)))
        .filter(|(_, _, codes)| !codes.is_empty())
        .collect();
    let Some(widest) = listed.iter().flat_map(|(_, _, codes)| codes).map(|code| code.len()).max() else {
        return;
    };
    // 28 columns are for the numbers, at their usual width.
    let width = sheet.width().saturating_sub(28 + widest);
    let rest = examination.relations.len() - listed.len();
    let mut rows = Vec::new();
    for (about, coverage, codes) in listed {
        let is_checked = coverage.state != CoverageState::Unchecked;
        let number = |number: u64| if is_checked { Piece::plain(count(number)) } else { Piece::new("–", Style::Dim) };
        let (orphans, missing) = wording::open_orphans(examination, about);
        let share = if orphans > 0 { text::share(orphans, coverage.counts.rows) } else { String::new() };
        rows.push(vec![
            relation(&examination.schema, about, width),
            number(orphans),
            number(missing),
            Piece::new(share, Style::Dim),
            Piece::stack(codes, if is_checked { Style::Bad } else { Style::Doubtful }),
        ]);
    }
    sheet.blank();
    let header = &["relation", "orphans", "missing", "share", "found"];
    sheet.grid(Grid { indent: 2, numbers: &[1, 2, 3], first: None, header, rows });
    if rest > 0 {
        let others = plural(rest as u64, "other relation");
        sheet.line(2, vec![Piece::new(format!("{others} without errors"), Style::Dim)]);
    }
}

/// Shows every error and warning in full, the most severe first.
fn findings(sheet: &mut Sheet, examination: &Examination) {
    let mut shown: Vec<&Finding> =
        examination.open_findings().filter(|finding| finding.severity > Severity::Note).collect();
    shown.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in shown {
        sheet.blank();
        sheet.heading(grade(finding.code, finding.severity), Piece::new(&finding.relation_id, Style::Strong));
        sheet.line(2, vec![Piece::plain(&finding.message)]);
        if let Some(line) = wording::known(finding) {
            labelled(sheet, "known", line);
        }
        missing_keys(sheet, &examination.schema, finding);
        samples(sheet, finding);
        if let Some(reason) = examination.relations.get(finding.relation).and_then(|coverage| coverage.reason.as_ref())
            && finding.code == Code::Orphan
        {
            labelled(sheet, "reason", reason);
        }
        causes_and_help(sheet, finding);
    }
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

/// Notes are many and seldom urgent, so one line counts them and names the command that lists them.
fn notes(sheet: &mut Sheet, examination: &Examination) {
    let notes = || examination.open_findings().filter(|finding| finding.severity == Severity::Note);
    let mut codes: Vec<&str> = notes().map(|finding| finding.code.name()).collect();
    let number = plural(codes.len() as u64, "note");
    codes.sort_unstable();
    codes.dedup();
    if !codes.is_empty() {
        let line = format!("{number} ({}): `fk-doctor schema DB` lists them", codes.join(", "));
        sheet.line(2, vec![Piece::new(line, Style::Dim)]);
    }
}

/// Lists the relations that were not checked completely and the excluded tables, with reasons.
fn coverage_gaps(sheet: &mut Sheet, examination: &Examination) {
    for (about, coverage) in examination.schema.relations.iter().zip(&examination.relations) {
        let label = match coverage.state {
            CoverageState::Checked => continue,
            CoverageState::Partial => "in part",
            CoverageState::Unchecked => "not checked",
        };
        let reason = coverage.reason.as_deref().unwrap_or("no reason is known");
        let line = format!("{}: {reason}", about.id);
        sheet.labelled(WIDE_LABEL, Piece::new(label, Style::Doubtful), Piece::plain(line));
    }
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
        let line = format!("{}: {reason}", names.join(", "));
        sheet.labelled(WIDE_LABEL, Piece::new("excluded", Style::Dim), Piece::new(line, Style::Dim));
    }
}

/// Shows the findings that the baseline contains, and its outdated entries.
fn baseline(sheet: &mut Sheet, examination: &Examination) {
    for (index, sentence) in wording::baseline(examination).iter().enumerate() {
        let label = if index == 0 { "baseline" } else { "" };
        sheet.labelled(WIDE_LABEL, Piece::new(label, Style::Dim), Piece::plain(sentence));
    }
}

fn totals(sheet: &mut Sheet, examination: &Examination) {
    let of = |severity| examination.open_findings().filter(|finding| finding.severity == severity).count() as u64;
    let mut parts = vec![wording::totals(examination)];
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        if of(severity) > 0 {
            parts.push(plural(of(severity), severity.name()));
        }
    }
    sheet.line(2, vec![Piece::new(parts.join(" · "), Style::Dim)]);
}

fn errors(examination: &Examination) -> impl Iterator<Item = &Finding> + Clone {
    examination.open_findings().filter(|finding| finding.severity == Severity::Error)
}

fn most_severe(examination: &Examination) -> Option<Severity> {
    examination.findings.iter().map(|finding| finding.severity).max()
}

#[cfg(test)]
mod tests;
