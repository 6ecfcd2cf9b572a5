//! A planned repair as JSON: `fk-doctor/repair@1`.

use serde::Serialize;

use crate::model::forecast::ChangeSample;
use crate::model::forecast::LimitUse;
use crate::model::forecast::RelationForecast;
use crate::model::redefinition::Redefinition;
use crate::report::json::Database;
use crate::report::json::Named;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;
use crate::report::repair::Said;

pub(in crate::report) fn render(said: &Said<'_>) -> String {
    let forecast = said.forecast;
    let rows = |outlooks: &mut dyn Iterator<Item = &RelationForecast>| outlooks.map(|outlook| outlook.rows).sum();
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
        database: Database::of(&said.schema.database),
        verdict,
        plan: said.plan.map(|plan| plan.display().to_string()),
        summary: Summary {
            orphan_rows: rows(&mut forecast.relations.iter()),
            orphan_rows_after: forecast.relations.iter().map(|outlook| outlook.rows_after).sum(),
            undecided_keys: forecast.undecided_keys(),
            unchecked: forecast.unchecked(),
            changes: forecast.changes(),
        },
        relations: forecast.relations.iter().map(|outlook| relation(said, outlook)).collect(),
        tables: forecast
            .tables
            .iter()
            .map(|table| Changes {
                table: &table.table,
                is_new: forecast.creates.iter().any(|new| new.name.to_string() == table.table),
                made: table.made,
                changed: table.changed,
                deleted: table.deleted,
            })
            .collect(),
        definitions: forecast.redefinitions.iter().map(definition).collect(),
        files: forecast.files.iter().map(|(file, rows)| KeptIn { file, rows: *rows }).collect(),
        hazards: forecast.warnings.iter().map(String::as_str).collect(),
        limits: forecast.limits.iter().map(limit).collect(),
        refusals: forecast
            .refusals
            .iter()
            .map(|refusal| Refused {
                rule: &refusal.rule,
                relation: &refusal.relation,
                why: &refusal.why,
                help: &refusal.help,
            })
            .collect(),
    })
}

fn relation<'a>(said: &Said<'a>, outlook: &'a RelationForecast) -> Relation<'a> {
    let schema = said.schema;
    let names = || schema.relations.get(outlook.relation).map(|relation| schema.child_column_names(relation));
    Relation {
        relation: &outlook.id,
        rule: outlook.rule.as_deref(),
        unchecked: outlook.unchecked.as_deref(),
        missing_keys: outlook.keys,
        orphan_rows: outlook.rows,
        orphan_rows_after: outlook.rows_after,
        treatments: outlook
            .treatments
            .iter()
            .map(|share| Treatment {
                treatment: &share.treatment,
                missing_keys: share.keys,
                rows: share.rows,
                samples: share.samples.iter().map(sample).collect(),
            })
            .collect(),
        undecided: outlook
            .undecided
            .iter()
            .map(|undecided| Undecided {
                why: &undecided.why,
                missing_keys: undecided.keys,
                rows: undecided.rows,
                example: Named::new(names().into_iter().flatten().zip(&undecided.example)),
            })
            .collect(),
    }
}

fn limit(used: &LimitUse) -> Limit<'_> {
    Limit {
        rule: used.rule.as_deref(),
        table: used.table.as_deref(),
        rows: used.rows,
        table_rows: used.table_rows,
        max_rows: used.max_rows,
        max_share: used.max_share,
    }
}

fn definition(change: &Redefinition) -> Definition<'_> {
    Definition {
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

fn sample(sample: &ChangeSample) -> Sampled<'_> {
    Sampled {
        table: &sample.table,
        row: Named::of(&sample.row),
        before: sample.before.as_ref().map(|row| Named::of(row)),
        after: sample.after.as_ref().map(|row| Named::of(row)),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    verdict: &'static str,
    plan: Option<String>,
    summary: Summary,
    relations: Vec<Relation<'a>>,
    tables: Vec<Changes<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    definitions: Vec<Definition<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<KeptIn<'a>>,
    hazards: Vec<&'a str>,
    limits: Vec<Limit<'a>>,
    refusals: Vec<Refused<'a>>,
}

#[derive(Serialize)]
struct Summary {
    orphan_rows: u64,
    orphan_rows_after: u64,
    undecided_keys: u64,
    unchecked: u64,
    changes: u64,
}

#[derive(Serialize)]
struct Relation<'a> {
    relation: &'a str,
    rule: Option<&'a str>,
    unchecked: Option<&'a str>,
    missing_keys: u64,
    orphan_rows: u64,
    orphan_rows_after: u64,
    treatments: Vec<Treatment<'a>>,
    undecided: Vec<Undecided<'a>>,
}

#[derive(Serialize)]
struct Treatment<'a> {
    treatment: &'a str,
    missing_keys: u64,
    rows: u64,
    samples: Vec<Sampled<'a>>,
}

#[derive(Serialize)]
struct Sampled<'a> {
    table: &'a str,
    row: Named<'a>,
    before: Option<Named<'a>>,
    after: Option<Named<'a>>,
}

#[derive(Serialize)]
struct Undecided<'a> {
    why: &'a str,
    missing_keys: u64,
    rows: u64,
    example: Named<'a>,
}

#[derive(Serialize)]
struct Changes<'a> {
    table: &'a str,
    is_new: bool,
    made: u64,
    changed: u64,
    deleted: u64,
}

#[derive(Serialize)]
struct Definition<'a> {
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
struct KeptIn<'a> {
    file: &'a str,
    rows: u64,
}

#[derive(Serialize)]
struct Limit<'a> {
    rule: Option<&'a str>,
    table: Option<&'a str>,
    rows: u64,
    table_rows: Option<u64>,
    max_rows: Option<u64>,
    max_share: Option<f64>,
}

#[derive(Serialize)]
struct Refused<'a> {
    rule: &'a str,
    relation: &'a str,
    why: &'a str,
    help: &'a str,
}
