//! Says what can be done about a group of findings, in a sentence that begins with one of five words.

use crate::model::examination::Examination;
use crate::model::finding::Cause;
use crate::model::finding::Finding;
use crate::model::finding_group::FindingGroup;
use crate::model::remedy::Remedy;
use crate::model::remedy::next_step;
use crate::model::remedy::normalization;
use crate::model::text::plural;
use crate::report::causes;
use crate::report::causes::GroupCause;

/// A remedy in words, and the command that it ends with, ready to paste.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) text: String,
    pub(super) command: Option<String>,
}

impl From<String> for Sentence {
    fn from(text: String) -> Sentence {
        Sentence { text, command: None }
    }
}

/// Returns the remedies for a group of orphans, one sentence for each that differs.
pub(super) fn sentences(examination: &Examination, group: &FindingGroup) -> Vec<Sentence> {
    let mut all = causes::causes(examination, group);
    let is_unchangeable = examination.is_unchangeable(group);
    if is_unchangeable {
        // Nothing can be done here but to load what is missing.
        all.retain(|cause| cause.remedy == Remedy::Load);
    }
    let mut sentences: Vec<Sentence> = Vec::new();
    let remaps: Vec<&GroupCause> = all.iter().filter(|cause| cause.remedy == Remedy::Remap).collect();
    if !remaps.is_empty() {
        sentences.push(remap(&remaps, all.len() == remaps.len()).into());
    }
    for cause in all.iter().filter(|cause| cause.remedy != Remedy::Remap) {
        let sentence = match cause.remedy {
            Remedy::Load => load(examination, group, cause),
            Remedy::Rule => match rule(examination, group) {
                command @ Some(_) => Sentence { text: "rule:".to_owned(), command },
                None => choose(examination, group, cause).into(),
            },
            _ => choose(examination, group, cause).into(),
        };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    if sentences.is_empty() && is_unchangeable && !examination.is_read_only() {
        sentences.push("choose: repair these rows on the server that has them".to_owned().into());
    }
    sentences
}

fn remap(causes: &[&GroupCause], is_all: bool) -> String {
    let forms: Vec<String> = causes
        .iter()
        .filter_map(|cause| normalization(cause.diagnosis.as_ref()?.cause))
        .map(|form| format!("\"{}\"", form.name()))
        .collect();
    let rows: u64 = causes.iter().map(|cause| cause.rows.count).sum();
    let whom = match (rows, is_all) {
        (1, true) => "this row".to_owned(),
        (_, true) => format!("all {}", plural(rows, "row")),
        (_, false) => plural(rows, "row"),
    };
    format!("remap, normalize = [{}]: finds a parent for {whom}", forms.join(", "))
}

/// Returns the command that repairs the group by a shipped rule.
fn rule(examination: &Examination, group: &FindingGroup) -> Option<String> {
    if examination.is_unchangeable(group) {
        return None;
    }
    let rule = causes::rule(examination, group)?;
    Some(examination.run.as_ref()?.command("fk-doctor repair", &format!("--rules {rule}")))
}

fn load(examination: &Examination, group: &FindingGroup, cause: &GroupCause) -> Sentence {
    let parent = &group.parent;
    let cause = cause.diagnosis.as_ref().map_or(Cause::NotLoadedYet, |diagnosis| diagnosis.cause);
    let step = next_step(cause, parent).unwrap_or_default();
    let load = format!("load: {step}");
    match rule(examination, group) {
        command @ Some(_) => Sentence { text: format!("{load}; or by rule:"), command },
        None => load.into(),
    }
}

fn choose(examination: &Examination, group: &FindingGroup, cause: &GroupCause) -> String {
    let first = cause.diagnosis.as_ref();
    match first.map(|diagnosis| diagnosis.cause) {
        Some(Cause::Sentinel) => {
            let value = first.and_then(|diagnosis| diagnosis.examples.first()).cloned().unwrap_or_default();
            format!("choose: store NULL, or add {value} to ignore-values in fk-doctor.toml")
        }
        Some(soft_deleted @ Cause::SoftDeleted) => {
            format!("choose: {}", next_step(soft_deleted, &group.parent).unwrap_or_default())
        }
        _ => choices(examination, group, cause),
    }
}

fn choices(examination: &Examination, group: &FindingGroup, cause: &GroupCause) -> String {
    let findings: Vec<&Finding> = group.findings(&examination.findings).collect();
    let schema = &examination.schema;
    let relations: Vec<_> = findings.iter().map(|finding| &schema.relations[finding.relation]).collect();
    let mut choices = Vec::new();
    if relations.iter().all(|relation| relation.parent.table.is_some()) {
        choices.push(format!("add {} to {}", cause.keys.of("row"), group.parent));
    } else {
        choices.push(format!("create or restore {}", group.parent));
    }
    let can_clear =
        |relation: &&crate::model::relation::Relation| schema.child_columns(relation).any(|column| !column.not_null);
    if relations.iter().all(can_clear) {
        let mut columns: Vec<String> = relations
            .iter()
            .map(|relation| schema.child_column_names(relation).collect::<Vec<_>>().join(" and "))
            .collect();
        columns.dedup();
        choices.push(match columns.as_slice() {
            [same] => format!("clear {same}"),
            _ => "clear the references".to_owned(),
        });
    }
    choices.push(format!("quarantine {}", cause.rows.of("row")));
    let last = choices.pop().unwrap_or_default();
    let comma = if choices.len() > 1 { "," } else { "" };
    format!("choose: {}{comma} or {last}", choices.join(", "))
}
