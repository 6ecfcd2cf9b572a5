//! A planned restore as JSON: `fk-doctor/restore@1`.

use serde::Serialize;

use crate::model::redaction::ShownValue;
use crate::model::restore::Obstacle;
use crate::model::restore::RestoredTable;
use crate::model::restore::StayingRows;
use crate::model::schema::Schema;
use crate::report::json::Database;
use crate::report::json::NamedValues;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;
use crate::report::restore::RestoreReport;

pub(in crate::report) fn render(report: &RestoreReport<'_>) -> String {
    let restored = report.restored;
    document(&Report {
        format: "fk-doctor/restore@1",
        tool: TOOL,
        database: Database::of(&report.schema.database),
        plan: report.plan.map(|plan| plan.display().to_string()),
        summary: Summary {
            quarantined: restored.rows(),
            restored: restored.restored(),
            staying: restored.staying(),
            changes: report.forecast.changes(),
        },
        sources: &restored.sources,
        tables: restored.tables.iter().map(|table| wire_table(report.schema, table)).collect(),
    })
}

fn wire_table<'a>(schema: &'a Schema, table: &'a RestoredTable) -> WireTable<'a> {
    WireTable {
        table: &table.table,
        quarantined: table.rows,
        restored: table.restored,
        samples: table.samples.iter().map(|row| NamedValues::of(row)).collect(),
        staying: table.staying.iter().map(|rows| wire_staying(schema, rows)).collect(),
    }
}

fn wire_staying<'a>(schema: &'a Schema, staying: &'a StayingRows) -> WireStaying<'a> {
    let relation = match &staying.obstacle {
        Obstacle::NoParent { relation, .. } => schema.relations.iter().find(|known| known.id == *relation),
        _ => None,
    };
    let key = |key: &'a Vec<ShownValue>| {
        let names = relation.map(|relation| schema.child_column_names(relation));
        NamedValues::new(names.into_iter().flatten().zip(key))
    };
    WireStaying {
        why: staying.obstacle.code(),
        relation: relation.map(|relation| relation.id.as_str()),
        detail: match &staying.obstacle {
            Obstacle::Refused(text)
            | Obstacle::NoColumn(text)
            | Obstacle::Altered(text)
            | Obstacle::Unreadable(text) => Some(text),
            Obstacle::NoParent { .. }
            | Obstacle::Present
            | Obstacle::CameBack
            | Obstacle::KeyTaken
            | Obstacle::NoTable
            | Obstacle::Unidentified => None,
        },
        rows: staying.rows,
        missing_keys: staying.keys.iter().map(key).collect(),
        samples: staying.samples.iter().map(|row| NamedValues::of(row)).collect(),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    plan: Option<String>,
    summary: Summary,
    sources: &'a [String],
    tables: Vec<WireTable<'a>>,
}

#[derive(Serialize)]
struct Summary {
    quarantined: u64,
    restored: u64,
    staying: u64,
    changes: u64,
}

#[derive(Serialize)]
struct WireTable<'a> {
    table: &'a str,
    quarantined: u64,
    restored: u64,
    samples: Vec<NamedValues<'a>>,
    staying: Vec<WireStaying<'a>>,
}

#[derive(Serialize)]
struct WireStaying<'a> {
    why: &'static str,
    relation: Option<&'a str>,
    detail: Option<&'a String>,
    rows: u64,
    missing_keys: Vec<NamedValues<'a>>,
    samples: Vec<NamedValues<'a>>,
}
