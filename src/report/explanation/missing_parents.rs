//! A refused INSERT whose only fault is that parents are missing: one line for each key, and the parents to add first.

use crate::model::diagnosis::Evidence;
use crate::model::explanation::CascadeBranch;
use crate::model::explanation::Explained;
use crate::model::explanation::PARENT_FIRST;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::MissingKey;
use crate::model::finding::Sample;
use crate::model::statement::StatementKind;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::explanation::LABEL;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::wording;

/// True if an INSERT is refused only because rows that it writes lack their parents.
pub(super) fn are_all(explained: &Explained) -> bool {
    let is_missing = |reason: &StatementReason| match reason {
        StatementReason::Relation(finding) => {
            let Some(relation) = explained.schema.relations.get(finding.relation) else { return false };
            // A row that refers to itself fails for another reason than a missing parent.
            let refers_to_itself = explained.schema.child(relation).name == relation.parent.name;
            finding.code == Code::WouldFail && !finding.top_missing.is_empty() && !refers_to_itself
        }
        StatementReason::Constraint(_) => false,
    };
    matches!(explained.verdict, StatementVerdict::Refused(_))
        && explained.statement.kind == StatementKind::Insert
        && !explained.statement.may_replace
        && !explained.reasons.is_empty()
        && explained.reasons.iter().all(is_missing)
        && explained.radius.iter().all(|branch: &CascadeBranch| branch.blocking == 0)
        && explained.effects.iter().all(|effect| effect.triggers.is_empty())
}

pub(super) fn lines(sheet: &mut Sheet, explained: &Explained) {
    let findings = || {
        explained.reasons.iter().filter_map(|reason| match reason {
            StatementReason::Relation(finding) => Some(finding),
            StatementReason::Constraint(_) => None,
        })
    };
    sheet.aligned(2, findings().flat_map(|finding| keys(explained, finding)).collect());
    let several = findings().filter(|finding| finding.rows > 1);
    let row = |sample: &Sample| vec![text::row(&sample.row), format!("→ {}", text::key(&sample.key))];
    let rows: Vec<Vec<String>> = several.flat_map(|finding| finding.samples.iter().map(row)).collect();
    sheet.labelled_rows(LABEL, "rows", rows);
    let mut label = "cause";
    for diagnosis in findings().flat_map(|finding| &finding.diagnosis) {
        let is_shown_beside_the_key = matches!(diagnosis.evidence, Evidence::AboveLargest { .. });
        if diagnosis.cause != Cause::Unknown && !is_shown_beside_the_key {
            let sentence = if diagnosis.rows == 1 { diagnosis.sentence() } else { wording::diagnosis(diagnosis) };
            sheet.labelled_prose(LABEL, label, &Piece::plain(sentence));
            label = "";
        }
    }
    help(sheet, &findings().map(|finding| finding.help.as_str()).collect::<Vec<_>>());
}

/// Returns a line for each missing key, such as `["TrackId = 8888", "no such key in Track (highest TrackId: 3503)"]`.
fn keys(explained: &Explained, finding: &Finding) -> Vec<Vec<String>> {
    let Some(relation) = explained.schema.relations.get(finding.relation) else { return Vec::new() };
    let why = wording::no_such_key(&relation.parent.name, finding);
    let line = |missing: &MissingKey| {
        let key = text::named(explained.schema.child_column_names(relation).zip(&missing.key));
        let mut line = vec![key, why.clone()];
        line.extend((missing.rows > 1).then(|| plural(missing.rows, "row")));
        line
    };
    let mut lines: Vec<Vec<String>> = finding.top_missing.iter().map(line).collect();
    if let Some((keys, rows)) = wording::unlisted(finding) {
        lines.push(vec![format!("and {} more", count(keys)), plural(rows, "row")]);
    }
    lines
}

/// Adds the statements that insert the parents, and every other next step.
fn help(sheet: &mut Sheet, helps: &[&str]) {
    let parents: Vec<&str> = helps.iter().filter_map(|help| help.strip_prefix(PARENT_FIRST)).collect();
    let mut label = "help";
    if !parents.is_empty() {
        let noun = if parents.len() == 1 { "parent" } else { "parents" };
        let dots = if parents.iter().any(|insert| insert.contains('…')) { ", with values for the dots" } else { "" };
        sheet.labelled_prose(LABEL, label, &Piece::plain(format!("add the {noun} first{dots}:")));
        for insert in parents {
            sheet.labelled_prose(LABEL, "", &Piece::plain(format!("{insert};")));
        }
        label = "";
    }
    for other in helps.iter().filter(|help| !help.is_empty() && !help.starts_with(PARENT_FIRST)) {
        sheet.labelled_prose(LABEL, label, &Piece::plain(other));
        label = "";
    }
}
