//! A planned repair as JSON: `fk-doctor/repair@1`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::forecast::ChangeSample;
use crate::model::forecast::LimitUse;
use crate::model::forecast::RelationForecast;
use crate::model::redefinition::Redefinition;
use crate::model::repoint::RepointForecast;
use crate::report::json::Database;
use crate::report::json::NamedValues;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;
use crate::report::repair::RepairReport;

pub(in crate::report) fn render(report: &RepairReport<'_>) -> String {
    let forecast = report.forecast;
    let rows = |relations: &mut dyn Iterator<Item = &RelationForecast>| relations.map(|relation| relation.rows).sum();
    let verdict = if !forecast.refusals.is_empty() {
        "refused"
    } else if forecast.unchecked() > 0 {
        "incomplete"
    } else if forecast.undecided_keys() > 0 {
        "undecided"
    } else {
        "decided"
    };
    document(&Report {
        format: "fk-doctor/repair@1",
        tool: TOOL,
        database: Database::of(&report.schema.database),
        verdict,
        plan: report.plan.map(|plan| plan.display().to_string()),
        summary: WireSummary {
            orphan_rows: rows(&mut forecast.relations.iter()),
            orphan_rows_after: forecast.relations.iter().map(|relation| relation.rows_after).sum(),
            undecided_keys: forecast.undecided_keys(),
            unchecked: forecast.unchecked(),
            changes: forecast.changes(),
        },
        relations: forecast.relations.iter().map(|relation| wire_relation(report, relation)).collect(),
        tables: forecast
            .tables
            .iter()
            .map(|table| WireTableChanges {
                table: &table.table,
                is_new: forecast.creates.iter().any(|new| new.name.to_string() == table.table),
                made: table.made,
                changed: table.changed,
                deleted: table.deleted,
            })
            .collect(),
        twins: forecast.repoints.iter().map(wire_twins).collect(),
        definitions: forecast.redefinitions.iter().map(definition).collect(),
        files: forecast.files.iter().map(|(file, rows)| WireKeptFile { file, rows: *rows }).collect(),
        hazards: forecast.warnings.iter().map(String::as_str).collect(),
        limits: forecast.limits.iter().map(limit).collect(),
        refusals: forecast
            .refusals
            .iter()
            .map(|refusal| WireRefusal {
                rule: &refusal.rule,
                relation: &refusal.relation,
                why: &refusal.why,
                help: &refusal.help,
            })
            .collect(),
    })
}

fn wire_relation<'a>(report: &RepairReport<'a>, relation: &'a RelationForecast) -> WireRelation<'a> {
    let schema = report.schema;
    let names = || schema.relations.get(relation.relation).map(|relation| schema.child_column_names(relation));
    WireRelation {
        relation: &relation.id,
        rule: relation.rule.as_deref(),
        unchecked: relation.unchecked.as_deref(),
        missing_keys: relation.keys,
        orphan_rows: relation.rows,
        orphan_rows_after: relation.rows_after,
        treatments: relation
            .treatments
            .iter()
            .map(|share| WireTreatment {
                treatment: &share.treatment,
                missing_keys: share.keys,
                rows: share.rows,
                samples: share.samples.iter().map(sample).collect(),
            })
            .collect(),
        undecided: relation
            .undecided
            .iter()
            .map(|undecided| WireUndecided {
                why: &undecided.why,
                missing_keys: undecided.keys,
                rows: undecided.rows,
                example: NamedValues::new(names().into_iter().flatten().zip(&undecided.example)),
            })
            .collect(),
    }
}

fn wire_twins(repoint: &RepointForecast) -> WireTwins<'_> {
    WireTwins {
        rule: &repoint.rule,
        table: &repoint.table,
        groups: repoint.groups,
        twins: repoint.twins,
        merged: repoint.merged,
        children: &repoint.children,
        removed_children: &repoint.removed,
        samples: repoint
            .samples
            .iter()
            .map(|sample| WireTwin { twin: NamedValues::of(&sample.twin), kept: NamedValues::of(&sample.kept) })
            .collect(),
        staying: repoint
            .staying
            .iter()
            .map(|staying| WireStayingTwins {
                why: &staying.why,
                twins: staying.twins,
                samples: staying.samples.iter().map(|row| NamedValues::of(row)).collect(),
            })
            .collect(),
    }
}

fn limit(used: &LimitUse) -> WireLimit<'_> {
    WireLimit {
        rule: used.rule.as_deref(),
        table: used.table.as_deref(),
        rows: used.rows,
        table_rows: used.table_rows,
        max_rows: used.max_rows,
        max_share: used.max_share,
    }
}

fn definition(change: &Redefinition) -> WireDefinition<'_> {
    WireDefinition {
        kind: change.kind.name(),
        name: &change.name,
        table: change.table.to_string(),
        rule: &change.rule,
        treatment: &change.treatment,
        dropped: &change.dropped,
        declared: &change.declared,
        nullable: &change.nullable,
        before: change.before.as_deref(),
        after: change.after.as_deref(),
    }
}

fn sample(sample: &ChangeSample) -> WireSample<'_> {
    WireSample {
        table: &sample.table,
        row: NamedValues::of(&sample.row),
        before: sample.before.as_ref().map(|row| NamedValues::of(row)),
        after: sample.after.as_ref().map(|row| NamedValues::of(row)),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    verdict: &'static str,
    plan: Option<String>,
    summary: WireSummary,
    relations: Vec<WireRelation<'a>>,
    tables: Vec<WireTableChanges<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    twins: Vec<WireTwins<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    definitions: Vec<WireDefinition<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<WireKeptFile<'a>>,
    hazards: Vec<&'a str>,
    limits: Vec<WireLimit<'a>>,
    refusals: Vec<WireRefusal<'a>>,
}

#[derive(Serialize)]
struct WireSummary {
    orphan_rows: u64,
    orphan_rows_after: u64,
    undecided_keys: u64,
    unchecked: u64,
    changes: u64,
}

#[derive(Serialize)]
struct WireRelation<'a> {
    relation: &'a str,
    rule: Option<&'a str>,
    unchecked: Option<&'a str>,
    missing_keys: u64,
    orphan_rows: u64,
    orphan_rows_after: u64,
    treatments: Vec<WireTreatment<'a>>,
    undecided: Vec<WireUndecided<'a>>,
}

#[derive(Serialize)]
struct WireTreatment<'a> {
    treatment: &'a str,
    missing_keys: u64,
    rows: u64,
    samples: Vec<WireSample<'a>>,
}

#[derive(Serialize)]
struct WireSample<'a> {
    table: &'a str,
    row: NamedValues<'a>,
    before: Option<NamedValues<'a>>,
    after: Option<NamedValues<'a>>,
}

#[derive(Serialize)]
struct WireUndecided<'a> {
    why: &'a str,
    missing_keys: u64,
    rows: u64,
    example: NamedValues<'a>,
}

#[derive(Serialize)]
struct WireTableChanges<'a> {
    table: &'a str,
    is_new: bool,
    made: u64,
    changed: u64,
    deleted: u64,
}

#[derive(Serialize)]
struct WireDefinition<'a> {
    kind: &'static str,
    name: &'a str,
    table: String,
    rule: &'a str,
    treatment: &'a str,
    dropped: &'a [String],
    declared: &'a [String],
    nullable: &'a [String],
    before: Option<&'a str>,
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct WireKeptFile<'a> {
    file: &'a str,
    rows: u64,
}

#[derive(Serialize)]
struct WireTwins<'a> {
    rule: &'a str,
    table: &'a str,
    groups: u64,
    twins: u64,
    merged: u64,
    children: &'a BTreeMap<String, u64>,
    removed_children: &'a BTreeMap<String, u64>,
    samples: Vec<WireTwin<'a>>,
    staying: Vec<WireStayingTwins<'a>>,
}

#[derive(Serialize)]
struct WireTwin<'a> {
    twin: NamedValues<'a>,
    kept: NamedValues<'a>,
}

#[derive(Serialize)]
struct WireStayingTwins<'a> {
    why: &'a str,
    twins: u64,
    samples: Vec<NamedValues<'a>>,
}

#[derive(Serialize)]
struct WireLimit<'a> {
    rule: Option<&'a str>,
    table: Option<&'a str>,
    rows: u64,
    table_rows: Option<u64>,
    max_rows: Option<u64>,
    max_share: Option<f64>,
}

#[derive(Serialize)]
struct WireRefusal<'a> {
    rule: &'a str,
    relation: &'a str,
    why: &'a str,
    help: &'a str,
}
