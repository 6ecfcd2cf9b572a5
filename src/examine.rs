//! Examines the selected relations of a schema: scan, diagnosis, findings.

use std::collections::BTreeMap;

use crate::diagnose;
use crate::engine::Session;
use crate::findings;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::diagnosis::Diagnosis;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::Excluded;
use crate::model::facts::Equality;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Span;
use crate::model::finding_group::Groups;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::pattern::Pattern;
use crate::model::policy::Extent;
use crate::model::policy::Policy;
use crate::model::redaction::Redaction;
use crate::model::relation::Relation;
use crate::model::remote;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan;
use crate::scan::ScanOptions;
use crate::scan::ScanResult;
use crate::scan::ScanResults;
use crate::scan::Tally;
use crate::sql;

pub mod baseline;
mod error;
pub mod extract;
mod groups;
pub mod locations;
pub mod scan_filter;
pub mod select;

pub use error::ExamineError;

/// The options for findings: the values that may be shown, the severity of each finding, and the baseline.
pub struct FindingOptions<'a> {
    pub redaction: &'a Redaction,
    pub policy: &'a Policy,
    pub time_columns: &'a [Pattern],
    /// Marks a finding that the baseline knows.
    pub mark: &'a (dyn Fn(Finding) -> Finding + Sync),
}

/// Called for each relation in the schema's order, once all are scanned and diagnosed.
pub type OnRelation<'a> = &'a mut dyn FnMut(RelationId, &RelationResult);

/// The coverage and the findings of one relation.
pub struct RelationResult {
    pub coverage: Coverage,
    pub findings: Vec<Finding>,
}

/// The results of all relations, in the schema's order.
pub struct Examined {
    pub relations: IdVec<RelationId, Coverage>,
    pub findings: Vec<Finding>,
    pub groups: Groups,
    pub facts: ScanResults,
}

/// Examines all relations of a schema without a configuration.
pub fn examine(schema: Schema, sessions: &mut [Box<dyn Session + '_>], scan_options: &ScanOptions<'_>) -> Examination {
    let options = FindingOptions {
        redaction: &Redaction::default(),
        policy: &Policy::default(),
        time_columns: &[],
        mark: &|finding| finding,
    };
    let Examined { relations, findings, groups, .. } =
        examine_relations(&schema, sessions, scan_options, &options, &mut |_, _| {});
    Examination { relations, findings, groups, ..Examination::of(schema) }
}

/// Examines all relations of a schema, and reports each of them to `on_relation`.
pub fn examine_relations(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    scan_options: &ScanOptions<'_>,
    options: &FindingOptions<'_>,
    on_relation: OnRelation<'_>,
) -> Examined {
    let facts = scan::scan(schema, sessions, scan_options);
    let diagnoses = diagnose_checked(schema, sessions, &facts, scan_options.threads, options);
    let ids: Vec<RelationId> = facts.ids().collect();
    let results = scan::run_in_parallel(
        sessions,
        ids.len(),
        |session, i| {
            let diagnosis = diagnoses.get(&ids[i]).cloned().unwrap_or_default();
            relation_result(schema, session, ids[i], &facts[ids[i]], diagnosis, scan_options.samples, options)
        },
        |_| {},
    );
    ids.into_iter().zip(&results).for_each(|(id, result)| on_relation(id, result));
    let (relations, findings): (Vec<Coverage>, Vec<_>) =
        results.into_iter().map(|result| (result.coverage, result.findings)).unzip();
    let findings: Vec<Finding> = findings.into_iter().flatten().collect();
    let groups = match sessions.first_mut() {
        Some(session) => {
            groups::group(schema, session.as_mut(), &facts, &findings, options.redaction, scan_options.samples)
        }
        None => Groups::default(),
    };
    Examined { relations: relations.into(), findings, groups, facts }
}

/// Diagnoses all relations together that the scan could check.
fn diagnose_checked(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    facts: &ScanResults,
    threads: usize,
    options: &FindingOptions<'_>,
) -> BTreeMap<RelationId, Vec<Diagnosis>> {
    let checked: Vec<(RelationId, &Tally)> = facts
        .entries()
        .filter_map(|(id, fact)| match fact {
            ScanResult::Checked(tally) => Some((id, tally)),
            ScanResult::Unchecked(_) => None,
        })
        .collect();
    let relations: Vec<(&Relation, &Tally)> =
        checked.iter().map(|(id, tally)| (&schema.relations[*id], *tally)).collect();
    let diagnoses = diagnose::diagnose_all(schema, sessions, &relations, options.redaction, threads);
    checked.into_iter().map(|(id, _)| id).zip(diagnoses).collect()
}

fn relation_result(
    schema: &Schema,
    session: &mut dyn Session,
    index: RelationId,
    fact: &ScanResult,
    diagnosis: Vec<Diagnosis>,
    samples: usize,
    options: &FindingOptions<'_>,
) -> RelationResult {
    let relation = &schema.relations[index];
    let mut coverage = findings::coverage(relation, fact);
    if coverage.state != CoverageState::Unchecked
        && let Some(note) = remote::note(schema, relation)
    {
        coverage.reason = Some(coverage.reason.take().map_or(note.clone(), |reason| format!("{reason}; {note}")));
    }
    coverage.reason = coverage.reason.map(|reason| options.redaction.message(&reason));
    let mut found = findings::findings(schema, index, fact, diagnosis, samples);
    let has_indexes = schema.database.engine.facts().equality == Equality::OfEngine;
    for finding in found.iter_mut().filter(|finding| has_indexes && finding.code == Code::ParentKeyNotUnique) {
        diagnose::parent_key::advise(schema, session, relation, finding);
    }
    if let Some(column) = scan_filter::time_column(schema, relation, options.time_columns) {
        found.iter_mut().for_each(|finding| add_time_spans(schema, session, relation, &column.name, finding));
    }
    let findings = found.into_iter().map(|finding| judged(options, schema, &mut coverage, finding)).collect();
    RelationResult { coverage, findings }
}

/// Adds the time span of each of the first missing keys. A finding without a time span is still complete.
fn add_time_spans(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    column: &str,
    finding: &mut Finding<Value>,
) {
    let keys: Vec<&Key> = finding.top_missing.iter().map(|missing| &missing.key).collect();
    let question = if keys.is_empty() { None } else { sql::of(schema).value_ranges(schema, relation, column, &keys) };
    let Some(question) = question else { return };
    let mut spans = Vec::new();
    // If the query fails, only the time spans are missing.
    let _ = session.numbered(&question, keys.len(), &mut |index, row| {
        if let [first, last] = row {
            spans.push((index, Span { column: column.to_owned(), first: first.clone(), last: last.clone() }));
        }
    });
    for (index, span) in spans.into_iter().filter(|(_, span)| span.first != Value::Null) {
        finding.top_missing[index].span = Some(Box::new(span));
    }
}

/// Returns the finding redacted, with the severity of the policy and the mark of the baseline.
fn judged(options: &FindingOptions<'_>, schema: &Schema, coverage: &mut Coverage, finding: Finding<Value>) -> Finding {
    let relation = &schema.relations[finding.relation];
    let extent = Extent { orphan_rows: finding.rows, missing_keys: finding.missing_keys, rows: coverage.counts.rows };
    let child = schema.child(relation).name.to_string();
    let (severity, why) = options.policy.severity(finding.code, &finding.relation_id, &child, extent);
    if let Some(why) = why {
        coverage.reason = Some(coverage.reason.take().map_or(why.clone(), |reason| format!("{reason}; {why}")));
    }
    (options.mark)(Finding { severity, ..options.redaction.finding(schema, finding) })
}

/// Returns the tables whose rows a scan does not read, each with the reason.
pub fn excluded_tables(schema: &Schema) -> Vec<Excluded> {
    let why = |table: &Table| match table.kind {
        TableKind::Virtual => {
            let virtual_table = schema.database.engine.facts().virtual_table;
            Some(table.unreadable.clone().unwrap_or_else(|| virtual_table.to_owned()))
        }
        TableKind::Shadow => Some("the storage of a virtual table".to_owned()),
        TableKind::Table | TableKind::Partitioned | TableKind::View => None,
    };
    let tables = schema.tables.iter();
    tables.filter_map(|table| Some(Excluded { name: table.name.to_string(), why: why(table)? })).collect()
}

/// Marks every relation as unchecked, because the database changed while it was read.
pub fn mark_unchecked(examination: &mut Examination, why: &str) {
    for coverage in &mut examination.relations {
        coverage.state = CoverageState::Unchecked;
        coverage.reason = Some(why.to_owned());
    }
}
