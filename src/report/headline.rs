//! The verdict in sentences, the most serious first. Every report for people uses the same sentences. Colors and layout
//! belong to the formats.
//!
//! The first sentence is never greener than the exit code: [`Symbol::Done`] stands only where the database is clean.

use std::collections::BTreeSet;

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::finding_group::Distinct;
use crate::model::ids::RelationId;
use crate::model::text::count;
use crate::model::text::duration;
use crate::model::text::plural;
use crate::report::layout::Symbol;

pub(super) struct Headline {
    pub(super) sentences: Vec<(Symbol, String)>,
    /// True if the sentence counts the relations and rows that were checked.
    pub(super) counts_checked_relations: bool,
}

impl Headline {
    pub(super) fn of(examination: &Examination) -> Headline {
        let sentences = sentences(examination);
        let counts_checked_relations = sentences.iter().any(|sentence| sentence.counts_checked_relations);
        let sentences = sentences.into_iter().map(|sentence| (sentence.symbol, sentence.text)).collect();
        Headline { sentences, counts_checked_relations }
    }

    /// True if the database has no findings and was checked completely, so that the sentence says all.
    pub(super) fn is_clean(&self) -> bool {
        self.sentences.iter().all(|(symbol, _)| *symbol == Symbol::Done)
    }

    /// True if there is no relation to check.
    pub(super) fn has_no_relations(&self) -> bool {
        self.sentences.iter().all(|(symbol, _)| *symbol == Symbol::Nothing)
    }
}

struct Sentence {
    symbol: Symbol,
    text: String,
    counts_checked_relations: bool,
}

impl Sentence {
    fn of(symbol: Symbol, text: String) -> Sentence {
        Sentence { symbol, text, counts_checked_relations: false }
    }

    /// Adds what was checked, after a separator.
    fn with_counts(self, separator: &str, examination: &Examination) -> Sentence {
        let text = format!("{}{separator}{}{}", self.text, checked(examination), elapsed(examination));
        Sentence { text, counts_checked_relations: true, ..self }
    }
}

fn sentences(examination: &Examination) -> Vec<Sentence> {
    let name = &examination.schema.database.name;
    if examination.relations.is_empty() {
        let tables = plural(examination.schema.user_tables().count() as u64, "table");
        let reason =
            if examination.excluded.is_empty() { "declares no foreign keys" } else { "has no relation to check" };
        let text = format!("{name} {reason}, so nothing was checked ({tables})");
        return vec![Sentence::of(Symbol::Nothing, text)];
    }
    let summary = examination.summary();
    let mut sentences = Vec::new();
    if summary.unchecked > 0 {
        let all = plural(summary.relations as u64, "relation");
        let text = format!("{name}: {} of {all} could not be checked", count(summary.unchecked as u64));
        sentences.push(Sentence::of(Symbol::Unsure, text));
    }
    if let Some(found) = findings(examination) {
        sentences.push(Sentence { text: format!("{name}: {}", found.text), ..found });
    } else if summary.unchecked == 0 {
        sentences.push(without_findings(examination));
    }
    sentences
}

/// Returns the sentence for a scan in which nothing new was found.
fn without_findings(examination: &Examination) -> Sentence {
    let name = &examination.schema.database.name;
    let summary = examination.summary();
    let run = examination.run.as_ref();
    if summary.partial > 0 {
        let options = run.map(|run| run.restrictions.join(" ")).filter(|options| !options.is_empty());
        let options = options.map(|options| format!(" ({options})")).unwrap_or_default();
        let text = format!("{name}: no orphan rows in the part that was checked{options}");
        return Sentence::of(Symbol::Unsure, text);
    }
    let (known_rows, _) = examination.known_orphans();
    let known_defects = examination.baseline.as_ref().map_or(0, |outcome| outcome.known_defects);
    if known_rows + known_defects > 0 {
        let mut known = Vec::new();
        if known_rows > 0 {
            known.push(plural(known_rows, "known orphan row"));
        }
        if known_defects > 0 {
            known.push(plural(known_defects, "known defect"));
        }
        let verb = if known_rows + known_defects == 1 { "is" } else { "are" };
        let file = run.and_then(|run| run.baseline.as_deref()).map(|file| format!(" ({file})")).unwrap_or_default();
        let text = format!("{name}: nothing new; {} {verb} left{file}", known.join(" and "));
        return Sentence::of(Symbol::Partly, text);
    }
    Sentence::of(Symbol::Done, format!("{name} is clean")).with_counts(": ", examination)
}

/// Returns the findings in numbers, and what they mean for the verdict; `None` if there are none but notes.
fn findings(examination: &Examination) -> Option<Sentence> {
    let summary = examination.summary();
    let of = |severity: Severity| examination.open_findings().filter(move |finding| finding.severity == severity);
    let orphans = |severity| of(severity).filter(|finding| finding.code.is_orphan());
    let mut parts = Vec::new();
    let defective = relations(of(Severity::Error).filter(|finding| !finding.code.is_orphan()));
    if !defective.is_empty() {
        parts.push(plural(defective.len() as u64, "defective relation"));
    }
    let sick = relations(orphans(Severity::Error));
    if !sick.is_empty() {
        let rows = orphan_rows(examination, Severity::Error).of("orphan row");
        let total = plural(checked_relations(examination), "relation");
        parts.push(match (defective.is_empty(), defective.is_disjoint(&sick)) {
            (false, true) => format!("{rows} in {}", plural(sick.len() as u64, "other relation")),
            _ if summary.unchecked > 0 && sick.len() as u64 == checked_relations(examination) => {
                let relations = if sick.len() == 1 { "the relation that was" } else { "the relations that were" };
                format!("{rows} in {relations} checked")
            }
            _ => format!("{rows} in {} of {total}", count(sick.len() as u64)),
        });
    }
    if !parts.is_empty() {
        if summary.warnings > 0 {
            parts.push(plural(summary.warnings as u64, "warning"));
        }
        return Some(Sentence::of(Symbol::Faults, parts.join(", ")));
    }
    let is_failure = examination.findings.iter().any(|finding| examination.fails(finding));
    let symbol = if is_failure { Symbol::Faults } else { Symbol::Partly };
    for (severity, ending) in [(Severity::Warning, "a warning each"), (Severity::Note, "tolerated")] {
        let sick = relations(orphans(severity));
        if !sick.is_empty() {
            let rows = orphan_rows(examination, severity).of("orphan row");
            let total = plural(checked_relations(examination), "relation");
            parts.push(format!("{rows} in {} of {total}, {ending}", count(sick.len() as u64)));
        }
    }
    if summary.warnings > 0 {
        parts.push(plural(summary.warnings as u64, "warning"));
        if parts.len() == 1 {
            parts.push("no orphan rows".to_owned());
        }
    }
    if parts.is_empty() && is_failure {
        parts.push(plural(summary.notes as u64, "note"));
    }
    let has_orphans = summary.orphan_rows > 0 || summary.unchecked > 0;
    let sentence = (!parts.is_empty()).then(|| Sentence::of(symbol, parts.join(", ")))?;
    Some(if has_orphans { sentence } else { sentence.with_counts("; ", examination) })
}

/// Returns the orphan rows of findings with this severity, each once.
fn orphan_rows(examination: &Examination, severity: Severity) -> Distinct {
    let groups = examination.groups.groups.iter().filter(|group| group.code.is_orphan());
    let is_only = groups.clone().all(|group| group.severity == severity);
    if is_only {
        return examination.groups.orphan_rows;
    }
    let sum: Distinct = groups.filter(|group| group.severity == severity).map(|group| group.rows).sum();
    Distinct { count: sum.count.min(examination.groups.orphan_rows.count), is_bound: sum.is_bound }
}

/// Returns for example `11 of 11 relations checked · 15,284 rows`.
pub(super) fn checked(examination: &Examination) -> String {
    let summary = examination.summary();
    let all = plural(summary.relations as u64, "relation");
    let mut parts = vec![format!("{} of {all} checked", count(summary.checked as u64))];
    for (number, state) in [(summary.partial, "in part"), (summary.unchecked, "not checked")] {
        if number > 0 {
            parts[0].push_str(&format!(", {} {state}", count(number as u64)));
        }
    }
    parts.push(plural(examination.rows(), "row"));
    parts.join(" · ")
}

/// Returns the time that the scan took, such as ` · 0.01 s`; nothing if it is unknown.
pub(super) fn elapsed(examination: &Examination) -> String {
    examination.run.as_ref().map(|run| format!(" · {}", duration(run.elapsed))).unwrap_or_default()
}

fn checked_relations(examination: &Examination) -> u64 {
    examination.relations.iter().filter(|coverage| coverage.state != CoverageState::Unchecked).count() as u64
}

/// Returns the relations that the findings belong to.
fn relations<'a>(findings: impl Iterator<Item = &'a Finding>) -> BTreeSet<RelationId> {
    findings.map(|finding| finding.relation).collect()
}
