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
use crate::report::json::About;
use crate::report::json::Database;
use crate::report::json::Named;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::Wire;
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
        summary: Totals::of(examination),
        relations: relations.map(|(about, coverage)| Examined::of(About::of(schema, about), coverage)).collect(),
        findings: examination.findings.iter().map(|finding| Found::of(schema, finding)).collect(),
        baseline: examination.baseline.as_ref().map(Baselined::of),
        left_alone: Left::all(examination),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    verdict: &'static str,
    values: &'static str,
    summary: Totals,
    relations: Vec<Examined<'a>>,
    findings: Vec<Found<'a>>,
    baseline: Option<Baselined<'a>>,
    left_alone: Vec<Left<'a>>,
}

#[derive(Serialize)]
pub(in crate::report) struct Totals {
    relations: usize,
    checked: usize,
    partial: usize,
    unchecked: usize,
    orphan_rows: u64,
    missing_keys: u64,
    defects: usize,
    warnings: usize,
    notes: usize,
}

impl Totals {
    pub(in crate::report) fn of(examination: &Examination) -> Totals {
        let summary = examination.summary();
        Totals {
            relations: summary.relations,
            checked: summary.checked,
            partial: summary.partial,
            unchecked: summary.unchecked,
            orphan_rows: summary.orphan_rows,
            missing_keys: summary.missing_keys,
            defects: summary.defects,
            warnings: summary.warnings,
            notes: summary.notes,
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct Examined<'a> {
    #[serde(flatten)]
    about: About<'a>,
    coverage: &'static str,
    reason: Option<&'a str>,
    method: Option<&'static str>,
    method_reason: Option<&'a str>,
    rows: u64,
    null_rows: u64,
    orphan_rows: u64,
    missing_keys: u64,
}

impl<'a> Examined<'a> {
    pub(in crate::report) fn of(about: About<'a>, coverage: &'a Coverage) -> Examined<'a> {
        Examined {
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
pub(in crate::report) struct Found<'a> {
    id: String,
    code: &'static str,
    severity: &'static str,
    relation: &'a str,
    rows: u64,
    missing_keys: u64,
    known: Option<KnownPart>,
    top_missing: Vec<WireMissingKey<'a>>,
    samples: Vec<Sampled<'a>>,
    diagnosis: Vec<Diagnosed<'a>>,
    message: &'a str,
    help: &'a str,
}

impl<'a> Found<'a> {
    pub(in crate::report) fn of(schema: &'a Schema, finding: &'a Finding) -> Found<'a> {
        let about = &schema.relations[finding.relation];
        let key = |values: &'a [ShownValue]| Named::new(schema.child_column_names(about).zip(values));
        let row =
            |row: &'a [(String, ShownValue)]| Named::new(row.iter().map(|(column, value)| (column.as_str(), value)));
        Found {
            id: finding.id(),
            code: finding.code.name(),
            severity: finding.severity.name(),
            relation: &finding.relation_id,
            rows: finding.rows,
            missing_keys: finding.missing_keys,
            known: KnownPart::of(finding),
            top_missing: finding
                .top_missing
                .iter()
                .map(|missing| WireMissingKey::of(key(&missing.key), missing))
                .collect(),
            samples: finding
                .samples
                .iter()
                .map(|sample| Sampled { row: row(&sample.row), key: key(&sample.key) })
                .collect(),
            diagnosis: finding
                .diagnosis
                .iter()
                .map(|likely| Diagnosed { cause: likely.cause.name(), rows: likely.rows, evidence: &likely.evidence })
                .collect(),
            message: &finding.message,
            help: &finding.help,
        }
    }
}

#[derive(Serialize)]
struct WireMissingKey<'a> {
    key: Named<'a>,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Wire<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Wire<'a>>,
}

impl<'a> WireMissingKey<'a> {
    fn of(key: Named<'a>, missing: &'a MissingKey) -> WireMissingKey<'a> {
        let span = missing.span.as_ref();
        let (first, last) = (span.map(|span| Wire(&span.first)), span.map(|span| Wire(&span.last)));
        WireMissingKey { key, rows: missing.rows, first, last }
    }
}

#[derive(Serialize)]
struct Sampled<'a> {
    row: Named<'a>,
    key: Named<'a>,
}

#[derive(Serialize)]
struct Diagnosed<'a> {
    cause: &'static str,
    rows: u64,
    evidence: &'a str,
}

/// What of a finding a baseline knows.
#[derive(Serialize)]
struct KnownPart {
    wholly: bool,
    rows: u64,
    missing_keys: u64,
}

impl KnownPart {
    fn of(finding: &Finding) -> Option<KnownPart> {
        match finding.known {
            Known::No => None,
            Known::Partly { rows, missing_keys } => Some(KnownPart { wholly: false, rows, missing_keys }),
            Known::Wholly => Some(KnownPart { wholly: true, rows: finding.rows, missing_keys: finding.missing_keys }),
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct Baselined<'a> {
    known_rows: u64,
    known_missing_keys: u64,
    known_defects: u64,
    expired: Vec<Listed<'a>>,
    unused: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    relation: &'a str,
}

impl<'a> Baselined<'a> {
    pub(in crate::report) fn of(outcome: &'a BaselineOutcome) -> Baselined<'a> {
        let listed = |entries: &'a [BaselineEntry]| {
            entries.iter().map(|entry| Listed { id: &entry.id, relation: &entry.relation }).collect()
        };
        Baselined {
            known_rows: outcome.known_rows,
            known_missing_keys: outcome.known_keys,
            known_defects: outcome.known_defects,
            expired: listed(&outcome.expired),
            unused: listed(&outcome.unused),
        }
    }
}

#[derive(Serialize)]
pub(in crate::report) struct Left<'a> {
    what: &'a str,
    why: &'a str,
}

impl<'a> Left<'a> {
    pub(in crate::report) fn all(examination: &'a Examination) -> Vec<Left<'a>> {
        examination.excluded.iter().map(|left| Left { what: &left.name, why: &left.why }).collect()
    }
}
