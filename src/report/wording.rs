//! Sentences that several reports for people share. Marks, colors and layout belong to the formats.

use crate::model::baseline::BaselineEntry;
use crate::model::diagnosis::Diagnosis;
use crate::model::diagnosis::Evidence;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::MissingKey;
use crate::model::redaction::Values;
use crate::model::relation::Relation;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::causes;

/// Returns for example `letter case: 'A' is missing, 'a' exists (3 rows)`.
pub(super) fn diagnosis(diagnosis: &Diagnosis) -> String {
    format!("{} ({})", diagnosis.sentence(), plural(diagnosis.rows, "row"))
}

/// Returns for example `no such key in Track (highest TrackId: 3503)`.
pub(super) fn no_such_key(parent: &impl std::fmt::Display, finding: &Finding) -> String {
    let largest = finding.diagnosis.iter().find_map(|diagnosis| match &diagnosis.evidence {
        Evidence::AboveLargest { column, largest } => Some(format!(" (highest {column}: {largest})")),
        _ => None,
    });
    format!("no such key in {parent}{}", largest.unwrap_or_default())
}

/// Returns a text of at most this width. A longer one is cut in the middle.
pub(super) fn cut_in_the_middle(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    let half = width.saturating_sub(1) / 2;
    let start: String = characters[..half].iter().collect();
    let end: String = characters[characters.len() - half..].iter().collect();
    format!("{start}…{end}")
}

/// Returns which part of a finding is in the baseline.
pub(super) fn known(finding: &Finding) -> Option<String> {
    match finding.known {
        Known::No => None,
        Known::Partly { rows, missing_keys } => {
            Some(format!("not counting {} of {} in the baseline", plural(rows, "row"), plural(missing_keys, "key")))
        }
        Known::Wholly => Some("in the baseline".to_owned()),
    }
}

/// Returns for example `customer_id = 22`.
pub(super) fn missing_key(examination: &Examination, finding: &Finding, missing: &MissingKey) -> String {
    let about = &examination.schema.relations[finding.relation];
    text::named(examination.schema.child_column_names(about).zip(&missing.key))
}

/// Returns for example `2024-01-01 to 2024-06-30`, if a time column is configured.
pub(super) fn span(missing: &MissingKey) -> Option<String> {
    let span = missing.span.as_ref()?;
    let (first, last) = (text::value(span.first.as_ref()), text::value(span.last.as_ref()));
    Some(if first == last { first } else { format!("{first} to {last}") })
}

/// Returns the number of keys and of rows that the list of missing keys omits, for example `(37, 37)`.
pub(super) fn unlisted(finding: &Finding) -> Option<(u64, u64)> {
    let keys = finding.missing_keys.saturating_sub(finding.top_missing.len() as u64);
    let rows: u64 = finding.top_missing.iter().map(|missing| missing.rows).sum();
    (keys > 0 && !finding.top_missing.is_empty()).then(|| (keys, finding.rows.saturating_sub(rows)))
}

/// Returns the orphan rows and missing keys of a relation that are not in the baseline, for example `(338, 39)`.
pub(super) fn open_orphans(examination: &Examination, about: &Relation) -> (u64, u64) {
    let own = examination.open_findings().find(|finding| finding.code.is_orphan() && finding.relation_id == about.id);
    own.map_or((0, 0), |finding| (finding.rows, finding.missing_keys))
}

/// Returns the sentences about the baseline.
pub(super) fn baseline(examination: &Examination) -> Vec<String> {
    let Some(outcome) = &examination.baseline else { return Vec::new() };
    let mut sentences = Vec::new();
    if outcome.known_rows > 0 {
        let rows = plural(outcome.known_rows, "orphan row");
        sentences.push(format!("{rows} of {} known", plural(outcome.known_keys, "missing key")));
    }
    if outcome.known_defects > 0 {
        sentences.push(format!("{} known", plural(outcome.known_defects, "defect")));
    }
    let relations = |entries: &[BaselineEntry]| {
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.relation.as_str()).collect();
        names.dedup();
        let more = if names.len() > 3 { ", …" } else { "" };
        format!("{}{more}", names[..names.len().min(3)].join(", "))
    };
    if !outcome.expired.is_empty() {
        let entries = plural(outcome.expired.len() as u64, "entry");
        sentences.push(format!("{entries} expired: {}", relations(&outcome.expired)));
    }
    if !outcome.unused.is_empty() {
        let entries = plural(outcome.unused.len() as u64, "entry");
        let advice = "update the baseline with --write-baseline";
        sentences.push(format!("{entries} no longer needed ({advice}): {}", relations(&outcome.unused)));
    }
    if let Some(written) = outcome.written {
        sentences.push(format!("written, {}", plural(written as u64, "entry")));
    }
    sentences
}

/// Returns how many orphan rows can be repaired, and by whom; `None` if there are none.
pub(super) fn repair_counts(examination: &Examination) -> Option<String> {
    let repair_counts = causes::repair_counts(examination);
    if repair_counts.all.count == 0 || examination.is_read_only() {
        return None;
    }
    let mut parts = vec![format!(
        "{} of {} can be repaired by rule",
        count(repair_counts.repairable),
        repair_counts.all.of("orphan row")
    )];
    if repair_counts.to_load > 0 {
        let verb = if repair_counts.to_load == 1 { "waits for its parent" } else { "wait for their parents" };
        parts.push(format!("{} perhaps {verb}", count(repair_counts.to_load)));
    }
    if repair_counts.to_choose > 0 {
        let verb = if repair_counts.to_choose == 1 { "needs" } else { "need" };
        parts.push(format!("{} {verb} your choice", count(repair_counts.to_choose)));
    }
    Some(parts.join(", "))
}

/// Returns why a relation was not checked completely, or `None` if it was.
pub(super) fn shortfall(coverage: &Coverage) -> Option<&str> {
    let reason = coverage.reason.as_deref().unwrap_or("no reason is known");
    (coverage.state != CoverageState::Checked).then_some(reason)
}

/// Returns for example `3 relations · 2 checked · 12 rows · …`.
pub(super) fn totals(examination: &Examination) -> String {
    let summary = examination.summary();
    let mut parts = vec![plural(summary.relations as u64, "relation"), format!("{} checked", summary.checked)];
    for (number, state) in [(summary.partial, "in part"), (summary.unchecked, "not checked")] {
        if number > 0 {
            parts.push(format!("{number} {state}"));
        }
    }
    parts.push(plural(examination.rows(), "row"));
    parts.push(plural(summary.orphan_rows, "orphan row"));
    if examination.values != Values::Shown {
        parts.push(format!("values {}", examination.values.name()));
    }
    parts.join(" · ")
}
