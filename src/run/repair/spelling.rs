//! A better rule than the one that was refused: if each missing key differs from a parent only in its spelling, a remap loses
//! nothing.

use std::time::Duration;

use crate::cli;
use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding_group::FindingGroup;
use crate::model::forecast::PlanRefusal;
use crate::model::forecast::RepairForecast;
use crate::model::remedy::normalization;
use crate::model::remedy::normalizing;
use crate::model::rule::Normalization;
use crate::model::text::plural;
use crate::run::Environment;
use crate::run::RunError;
use crate::run::guided_scan;
use crate::scan::Progress;
use crate::source::Source;

/// The database as it was named.
#[derive(Clone, Copy)]
pub(super) struct NamedDatabase<'a> {
    pub(super) source: &'a Source,
    pub(super) typed: Option<&'a str>,
    pub(super) timeout: Option<Duration>,
}

/// Adds the command that drafts a rule without loss to each refusal, and to the keys that the parent-loss guard left
/// undecided, if the scan finds that such a rule is possible.
pub(super) fn explain<V>(
    forecast: &mut RepairForecast<V>,
    database: NamedDatabase<'_>,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<(), RunError> {
    if forecast.refusals.is_empty() && forecast.relations.iter().all(|relation| relation.help.is_none()) {
        return Ok(());
    }
    let NamedDatabase { source, typed, timeout } = database;
    let examination = guided_scan::scan(source, typed, timeout, global, environment, progress)?;
    let treated: Vec<(String, Option<String>)> =
        forecast.relations.iter().map(|relation| (relation.id.clone(), relation.rule.clone())).collect();
    for refusal in &mut forecast.refusals {
        let concerned: Vec<&str> = treated
            .iter()
            .filter(|(id, rule)| is_concerned(refusal, id, rule.as_deref()))
            .map(|(id, _)| id.as_str())
            .collect();
        if let Some(hint) = hint(&examination, &concerned) {
            refusal.help = hint;
        }
    }
    for relation in forecast.relations.iter_mut().filter(|relation| relation.help.is_some()) {
        if let Some(hint) = hint(&examination, &[relation.id.as_str()]) {
            relation.help = Some(hint);
        }
    }
    Ok(())
}

/// True if a relation with this rule is among those that are the reason for a refusal.
fn is_concerned(refusal: &PlanRefusal, relation: &str, rule: Option<&str>) -> bool {
    (refusal.relation.is_empty() || refusal.relation == relation)
        && (refusal.rule.is_empty() || rule == Some(refusal.rule.as_str()))
}

/// Returns for example `trimming the keys finds a parent for all 1,200 rows: fk-doctor rules suggest …`.
fn hint(examination: &Examination, concerned: &[&str]) -> Option<String> {
    let is_theirs = |group: &&FindingGroup| {
        let mut findings = group.findings(&examination.findings);
        group.code == Code::Orphan && findings.any(|finding| concerned.contains(&finding.relation_id.as_str()))
    };
    let groups: Vec<&FindingGroup> = examination.groups.groups.iter().filter(is_theirs).collect();
    let mut forms: Vec<Normalization> = Vec::new();
    for finding in groups.iter().flat_map(|group| group.findings(&examination.findings)) {
        forms.extend(forms_of(finding)?);
    }
    forms.dedup();
    let rows: u64 = groups.iter().map(|group| group.rows.count).sum();
    if forms.is_empty() || rows == 0 {
        return None;
    }
    let whom = if rows == 1 { "the row".to_owned() } else { format!("all {}", plural(rows, "row")) };
    let run = examination.run.as_ref()?;
    let suggest = run.command("fk-doctor rules suggest", &format!("> {}.rules.toml", run.stem));
    Some(format!("{} finds a parent for {whom}: {suggest}", normalizing(&forms)))
}

/// Returns the normal forms that find a parent for every key of a finding. `None` if a key needs something else.
fn forms_of(finding: &Finding) -> Option<Vec<Normalization>> {
    let forms: Option<Vec<Normalization>> = finding
        .diagnosis
        .iter()
        .map(|diagnosis| normalization(diagnosis.cause).filter(|_| diagnosis.can_remap))
        .collect();
    let covered: u64 = finding.diagnosis.iter().map(|diagnosis| diagnosis.rows).sum();
    forms.filter(|forms| !forms.is_empty() && covered >= finding.rows)
}
