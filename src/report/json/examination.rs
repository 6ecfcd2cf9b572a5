//! A scan as JSON: `fk-doctor/scan@1`.

use crate::model::redaction::ShownValue;
use serde::Serialize;

use crate::model::baseline::BaselineEntry;
use crate::model::baseline::BaselineOutcome;
use crate::model::examination::Coverage;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::MissingKey;
use crate::model::schema::Schema;
use crate::report::json::Database;
use crate::report::json::NamedValues;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::WireRelation;
use crate::report::json::WireValue;
use crate::report::json::document;

pub(in crate::report) fn render(examination: &Examination) -> String {
    let schema = &examination.schema;
    let relations = schema.relations.iter().zip(&examination.relations);
    document(&Report {
        format: "fk-doctor/scan@1",
        tool: TOOL,
        database: Database::of(&schema.database),
        verdict: examination.verdict().name(),
        values: examination.values.name(),
        summary: WireSummary::of(examination),
        relations: relations
            .map(|(about, coverage)| WireCoverage::of(WireRelation::of(schema, about), coverage))
            .collect(),
        findings: examination.findings.iter().map(|finding| WireFinding::of(schema, finding)).collect(),
        baseline: examination.baseline.as_ref().map(WireBaseline::of),
        left_alone: WireExcluded::all(examination),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    verdict: &'static str,
    values: &'static str,
    summary: WireSummary,
    relations: Vec<WireCoverage<'a>>,
    findings: Vec<WireFinding<'a>>,
    baseline: Option<WireBaseline<'a>>,
    left_alone: Vec<WireExcluded<'a>>,
}

#[derive(Serialize)]
pub(in crate::report) struct WireSummary {
    relations: usize,
    checked: usize,
    partial: usize,
    unchecked: usize,
    orphan_rows: u64,
    /// Each row once, as the headline counts; null if only a bound is known.
    distinct_orphan_rows: Option<u64>,
    missing_keys: u64,
    defects: usize,
    warnings: usize,
    notes: usize,
}

impl WireSummary {
    pub(in crate::report) fn of(examination: &Examination) -> WireSummary {
        let summary = examination.summary();
        let distinct = examination.groups.orphan_rows;
        WireSummary {
            relations: summary.relations,
            checked: summary.checked,
            partial: summary.partial,
            unchecked: summary.unchecked,
            orphan_rows: summary.orphan_rows,
            distinct_orphan_rows: (!distinct.is_bound).then_some(distinct.count),
            missing_keys: summary.missing_keys,
            defects: summary.defects,
            warnings: summary.warnings,
            notes: summary.notes,
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct WireCoverage<'a> {
    #[serde(flatten)]
    about: WireRelation<'a>,
    coverage: &'static str,
    reason: Option<&'a str>,
    method: Option<&'static str>,
    method_reason: Option<&'a str>,
    rows: u64,
    null_rows: u64,
    orphan_rows: u64,
    missing_keys: u64,
}

impl<'a> WireCoverage<'a> {
    pub(in crate::report) fn of(about: WireRelation<'a>, coverage: &'a Coverage) -> WireCoverage<'a> {
        WireCoverage {
            about,
            coverage: coverage.state.name(),
            reason: coverage.reason.as_deref(),
            method: coverage.method.map(|method| method.name()),
            method_reason: coverage.method_reason.as_deref(),
            rows: coverage.counts.rows,
            null_rows: coverage.counts.null_rows,
            orphan_rows: coverage.orphan_rows,
            missing_keys: coverage.missing_keys,
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct WireFinding<'a> {
    id: String,
    code: &'static str,
    severity: &'static str,
    relation: &'a str,
    rows: u64,
    missing_keys: u64,
    known: Option<WireKnown>,
    top_missing: Vec<WireMissingKey<'a>>,
    samples: Vec<WireSample<'a>>,
    diagnosis: Vec<WireDiagnosis>,
    message: &'a str,
    help: &'a str,
}

impl<'a> WireFinding<'a> {
    pub(in crate::report) fn of(schema: &'a Schema, finding: &'a Finding) -> WireFinding<'a> {
        let about = &schema.relations[finding.relation];
        let key = |values: &'a [ShownValue]| NamedValues::new(schema.child_column_names(about).zip(values));
        let row = |row: &'a [(String, ShownValue)]| {
            NamedValues::new(row.iter().map(|(column, value)| (column.as_str(), value)))
        };
        WireFinding {
            id: finding.id(),
            code: finding.code.name(),
            severity: finding.severity.name(),
            relation: &finding.relation_id,
            rows: finding.rows,
            missing_keys: finding.missing_keys,
            known: WireKnown::of(finding),
            top_missing: finding
                .top_missing
                .iter()
                .map(|missing| WireMissingKey::of(key(&missing.key), missing))
                .collect(),
            samples: finding
                .samples
                .iter()
                .map(|sample| WireSample { row: row(&sample.row), key: key(&sample.key) })
                .collect(),
            diagnosis: finding
                .diagnosis
                .iter()
                .map(|likely| WireDiagnosis {
                    cause: likely.cause.name(),
                    rows: likely.rows,
                    keys: likely.keys,
                    evidence: likely.evidence(),
                })
                .collect(),
            message: &finding.message,
            help: &finding.help,
        }
    }
}

#[derive(Serialize)]
struct WireMissingKey<'a> {
    key: NamedValues<'a>,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<WireValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<WireValue<'a>>,
}

impl<'a> WireMissingKey<'a> {
    fn of(key: NamedValues<'a>, missing: &'a MissingKey) -> WireMissingKey<'a> {
        let span = missing.span.as_ref();
        let (first, last) = (span.map(|span| WireValue(&span.first)), span.map(|span| WireValue(&span.last)));
        WireMissingKey { key, rows: missing.rows, first, last }
    }
}

#[derive(Serialize)]
struct WireSample<'a> {
    row: NamedValues<'a>,
    key: NamedValues<'a>,
}

#[derive(Serialize)]
struct WireDiagnosis {
    cause: &'static str,
    rows: u64,
    keys: u64,
    evidence: String,
}

/// The part of a finding that the baseline contains.
#[derive(Serialize)]
struct WireKnown {
    wholly: bool,
    rows: u64,
    missing_keys: u64,
}

impl WireKnown {
    fn of(finding: &Finding) -> Option<WireKnown> {
        match finding.known {
            Known::No => None,
            Known::Partly { rows, missing_keys } => Some(WireKnown { wholly: false, rows, missing_keys }),
            Known::Wholly => Some(WireKnown { wholly: true, rows: finding.rows, missing_keys: finding.missing_keys }),
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct WireBaseline<'a> {
    known_rows: u64,
    known_missing_keys: u64,
    known_defects: u64,
    expired: Vec<WireBaselineEntry<'a>>,
    unused: Vec<WireBaselineEntry<'a>>,
}

#[derive(Serialize)]
struct WireBaselineEntry<'a> {
    id: &'a str,
    relation: &'a str,
}

impl<'a> WireBaseline<'a> {
    pub(in crate::report) fn of(outcome: &'a BaselineOutcome) -> WireBaseline<'a> {
        let listed = |entries: &'a [BaselineEntry]| {
            entries.iter().map(|entry| WireBaselineEntry { id: &entry.id, relation: &entry.relation }).collect()
        };
        WireBaseline {
            known_rows: outcome.known_rows,
            known_missing_keys: outcome.known_keys,
            known_defects: outcome.known_defects,
            expired: listed(&outcome.expired),
            unused: listed(&outcome.unused),
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct WireExcluded<'a> {
    what: &'a str,
    why: &'a str,
}

impl<'a> WireExcluded<'a> {
    pub(in crate::report) fn all(examination: &'a Examination) -> Vec<WireExcluded<'a>> {
        examination.excluded.iter().map(|left| WireExcluded { what: &left.name, why: &left.why }).collect()
    }
}
