//! The state of each relation, which the bar counts and the picture draws. Because both use it, they never differ.

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;

/// The most serious state that holds for a relation, in falling order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// The relation itself has an error. It may have orphans too.
    Defective,
    Orphans,
    Unchecked,
    Warning,
    Partial,
    /// The baseline contains every error of the relation.
    Known,
    Sound,
}

impl State {
    /// Returns the class in the page's style.
    pub(super) fn class(self) -> &'static str {
        match self {
            State::Defective => "defective",
            State::Orphans => "orphans",
            State::Unchecked => "unchecked",
            State::Warning => "warning",
            State::Partial => "partial",
            State::Known => "known",
            State::Sound => "sound",
        }
    }

    /// Returns the words after a number of relations: `9 without errors`.
    pub(super) fn words(self) -> &'static str {
        match self {
            State::Defective => "defective",
            State::Orphans => "with orphan rows",
            State::Unchecked => "not checked",
            State::Warning => "with a warning",
            State::Partial => "checked in part",
            State::Known => "with known findings",
            State::Sound => "without errors",
        }
    }

    /// True for the states that somebody should look into.
    pub(super) fn is_sick(self) -> bool {
        matches!(self, State::Defective | State::Orphans | State::Unchecked | State::Warning)
    }
}

/// A relation's state, with the facts that explain it.
pub(super) struct Condition<'a> {
    pub(super) state: State,
    pub(super) is_checked: bool,
    /// Orphans that the baseline does not know.
    pub(super) orphans: u64,
    /// The finding to read first, if there is an error or a warning.
    pub(super) finding: Option<&'a Finding>,
}

/// Returns the condition of each relation, in the schema's order.
pub(super) fn conditions(examination: &Examination) -> Vec<Condition<'_>> {
    let mut own: Vec<Vec<&Finding>> = vec![Vec::new(); examination.relations.len()];
    for finding in examination.open_findings() {
        own[finding.relation.index()].push(finding);
    }
    let mut known = vec![false; examination.relations.len()];
    for finding in examination.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        known[finding.relation.index()] = true;
    }
    let relations = examination.relations.ids().zip(own).zip(known);
    relations.map(|((relation, own), known)| condition(examination, relation, &own, known)).collect()
}

fn condition<'a>(
    examination: &Examination,
    relation: RelationId,
    own: &[&'a Finding],
    has_errors: bool,
) -> Condition<'a> {
    let coverage = &examination.relations[relation];
    let find = |code: bool, severity| {
        own.iter().copied().find(|finding| finding.code.is_orphan() == code && finding.severity == severity)
    };
    let (defect, orphans) = (find(false, Severity::Error), find(true, Severity::Error));
    let warning = find(true, Severity::Warning).or(find(false, Severity::Warning));
    let is_checked = coverage.state != CoverageState::Unchecked;
    let state = match (defect, orphans, coverage.state, warning) {
        (Some(_), ..) => State::Defective,
        (_, Some(_), ..) => State::Orphans,
        (_, _, CoverageState::Unchecked, _) => State::Unchecked,
        (_, _, _, Some(_)) => State::Warning,
        (_, _, CoverageState::Partial, _) => State::Partial,
        _ if has_errors => State::Known,
        _ => State::Sound,
    };
    let rows = own.iter().filter(|finding| finding.code.is_orphan()).map(|finding| finding.rows).sum();
    Condition { state, is_checked, orphans: rows, finding: defect.or(orphans).or(warning) }
}
