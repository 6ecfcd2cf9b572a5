//! The report of a scan for a terminal: the verdict in one line, the relations that need attention, every finding
//! with its evidence and next step, and what was not looked at. Leaves out: how lines are laid out (`layout`).

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

/// Width that the labels of a finding's lines share.
const LABEL: u16 = 7;
/// The same for what was not looked at.
const WIDE_LABEL: u16 = 11;

pub(super) fn render(examination: &Examination, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let is_all_well = headline(&mut sheet, examination);
    attention(&mut sheet, examination);
    findings(&mut sheet, examination);
    let is_short = is_all_well && most_severe(examination).is_none_or(|severity| severity == Severity::Note);
    if !is_short {
        sheet.blank();
    }
    notes(&mut sheet, examination);
    baseline(&mut sheet, examination);
    not_looked_at(&mut sheet, examination);
    if !is_short {
        totals(&mut sheet, examination);
    }
    sheet.finish()
}

/// A relation's id on one line where there is room, else broken where the parent begins. Broken anywhere else it
/// would be hard to read and could not be copied.
pub(super) fn relation(schema: &Schema, relation: &Relation, room: usize) -> Piece {
    if relation.id.chars().count() > room {
        let child = side(&schema.child(relation).name, schema.child_column_names(relation));
        if let Some(parent) = relation.id.strip_prefix(&child) {
            return Piece::stack([child.as_str(), &format!("  {parent}")], Style::Plain);
        }
    }
    Piece::plain(&relation.id)
}

/// What a finding of this severity is called by, and in which style.
pub(super) fn grade(code: Code, severity: Severity) -> Piece {
    let style = match severity {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Doubtful,
        Severity::Note => Style::Dim,
    };
    Piece::new(format!("{}[{}]", severity.name(), code.name()), style)
}

/// One line of a finding: its label, and what it says.
pub(super) fn labelled(sheet: &mut Sheet, label: &str, content: impl AsRef<str>) {
    sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(content));
}

/// The verdict, said as one line for each thing that stands against "clean". True where nothing does.
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
        let help = "a relation that it does not declare can be added in `fk-doctor.toml`";
        sheet.line(2, vec![Piece::new(help, Style::Dim)]);
    }
    if headline.warnings > 0 {
        let line = plural(headline.warnings as u64, "warning");
        sheet.line(0, vec![Piece::new("!", Style::Doubtful), Piece::new(line, Style::Doubtful)]);
    }
    headline.is_clean()
}

/// Every relation with an error or without a check. Sound ones are only counted.
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
    // What the numbers take, at their usual width.
    let room = sheet.width().saturating_sub(28 + widest);
    let rest = examination.relations.len() - listed.len();
    let mut rows = Vec::new();
    for (about, coverage, codes) in listed {
        let is_checked = coverage.state != CoverageState::Unchecked;
        let number = |number: u64| if is_checked { Piece::plain(count(number)) } else { Piece::new("–", Style::Dim) };
        let (orphans, missing) = wording::open_orphans(examination, about);
        let share = if orphans > 0 { text::share(orphans, coverage.counts.rows) } else { String::new() };
        rows.push(vec![
            relation(&examination.schema, about, room),
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

/// Every error and warning in full, the gravest first.
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
            labelled(sheet, "judged", reason);
        }
        causes_and_help(sheet, finding);
    }
}

/// The likely causes, and the next step.
pub(super) fn causes_and_help(sheet: &mut Sheet, finding: &Finding) {
    for (place, diagnosis) in finding.diagnosis.iter().enumerate() {
        labelled(sheet, if place == 0 { "cause" } else { "" }, wording::diagnosis(diagnosis));
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
    let line = |label: &str, what: Piece, rows: u64, span: Option<String>| {
        let unit = if rows == 1 { "row" } else { "rows" };
        let mut line =
            vec![Piece::new(label, Style::Dim), what, Piece::plain(count(rows)), Piece::new(unit, Style::Dim)];
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

/// Notes are many and seldom urgent: one line says that they are there, and where to read them.
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

/// What the verdict says nothing about, and why.
fn not_looked_at(sheet: &mut Sheet, examination: &Examination) {
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
    // Grouped by reason: a full-text index alone leaves five tables behind.
    let mut reasons: Vec<&str> = Vec::new();
    for left in &examination.excluded {
        if !reasons.contains(&left.why.as_str()) {
            reasons.push(&left.why);
        }
    }
    for reason in reasons {
        let names: Vec<&str> =
            examination.excluded.iter().filter(|left| left.why == reason).map(|left| left.name.as_str()).collect();
        let line = format!("{}: {reason}", names.join(", "));
        sheet.labelled(WIDE_LABEL, Piece::new("left alone", Style::Dim), Piece::new(line, Style::Dim));
    }
}

/// What a baseline knew, and what it knew in vain.
fn baseline(sheet: &mut Sheet, examination: &Examination) {
    for (place, sentence) in wording::baseline(examination).iter().enumerate() {
        let label = if place == 0 { "baseline" } else { "" };
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
