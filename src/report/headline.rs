//! The verdict in sentences, the most severe first: one for each kind of problem. Every report for people uses the same
//! sentences. Marks, colors and layout belong to the formats.

use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::text::plural;

/// The meaning of a sentence. It decides the mark and the color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubtful,
    /// Neither good nor bad, such as a database without relations.
    Neutral,
}

impl Tone {
    pub(super) fn mark(self) -> &'static str {
        match self {
            Tone::Good => "✓",
            Tone::Bad => "✗",
            Tone::Doubtful => "?",
            Tone::Neutral => "○",
        }
    }
}

pub(super) struct Headline {
    pub(super) sentences: Vec<(Tone, String)>,
    /// The number of warnings, which reports show next to the verdict.
    pub(super) warnings: usize,
}

impl Headline {
    pub(super) fn of(examination: &Examination) -> Headline {
        Headline { sentences: sentences(examination), warnings: examination.summary().warnings }
    }

    /// True if no sentence reports a problem.
    pub(super) fn is_clean(&self) -> bool {
        self.sentences.iter().all(|(tone, _)| matches!(tone, Tone::Good | Tone::Neutral))
    }
}

fn sentences(examination: &Examination) -> Vec<(Tone, String)> {
    let name = &examination.schema.database.name;
    if examination.relations.is_empty() {
        let has_exclusions = !examination.excluded.is_empty();
        let reason = if has_exclusions { "has no relation to check" } else { "declares no foreign keys" };
        return vec![(Tone::Neutral, format!("{name} {reason}: nothing was checked"))];
    }
    let all = plural(examination.relations.len() as u64, "relation");
    let summary = examination.summary();
    let mut found: Vec<(Tone, String, String)> = Vec::new();
    for (severity, tone, ending) in [
        (Severity::Error, Tone::Bad, ""),
        (Severity::Warning, Tone::Doubtful, ", a warning"),
        (Severity::Note, Tone::Neutral, ", tolerated"),
    ] {
        let orphans =
            examination.open_findings().filter(|finding| finding.code == Code::Orphan && finding.severity == severity);
        let rows: u64 = orphans.clone().map(|finding| finding.rows).sum();
        if rows > 0 {
            let keys = plural(orphans.clone().map(|finding| finding.missing_keys).sum(), "missing key");
            let rows = plural(rows, "orphan row");
            let start = format!("{rows} in {} of {all}", relations_of(orphans));
            found.push((tone, start, format!(" ({keys}){ending}")));
        }
    }
    let defects = examination
        .open_findings()
        .filter(|finding| finding.severity == Severity::Error && finding.code != Code::Orphan);
    if defects.clone().next().is_some() {
        let number = plural(defects.clone().count() as u64, "defect");
        found.push((Tone::Bad, format!("{number} in {} of {all}", relations_of(defects)), String::new()));
    }
    if summary.unchecked > 0 {
        found.push((Tone::Doubtful, format!("{} of {all}", summary.unchecked), " could not be checked".to_owned()));
    }
    if found.is_empty() {
        let rows = plural(examination.rows(), "row");
        found.push(match summary.partial {
            0 => (Tone::Good, all, format!(" checked, {} · {rows}", none_found(examination))),
            some => {
                (Tone::Neutral, all, format!(" checked, {some} only in part: {} in {rows}", none_found(examination)))
            }
        });
    } else if summary.partial > 0 {
        found.push((Tone::Doubtful, format!("{} of {all}", summary.partial), " checked only in part".to_owned()));
    }
    let sentences = found.into_iter().enumerate();
    sentences
        .map(|(index, (tone, start, end))| {
            let of = if index == 0 { format!(" of {name}") } else { String::new() };
            (tone, format!("{start}{of}{end}"))
        })
        .collect()
}

fn none_found(examination: &Examination) -> &'static str {
    let known = examination.relations.iter().any(|coverage| coverage.orphan_rows > 0);
    if known { "no new orphans" } else { "no orphans" }
}

/// Returns the number of relations that the findings belong to.
fn relations_of<'a>(findings: impl Iterator<Item = &'a Finding>) -> usize {
    findings.map(|finding| finding.relation).collect::<std::collections::BTreeSet<_>>().len()
}
