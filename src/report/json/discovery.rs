//! A discovery as JSON: `fk-doctor/discover@1`.

use serde::Serialize;

use crate::model::discovery::Candidate;
use crate::model::discovery::ColumnList;
use crate::model::discovery::Discovery;
use crate::model::discovery::FoundKey;
use crate::model::discovery::NotObserved;
use crate::model::schema::Schema;
use crate::report::json::Database;
use crate::report::json::Side;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::document;

pub(in crate::report) fn render(schema: &Schema, discovery: &Discovery) -> String {
    document(&Report {
        format: "fk-doctor/discover@1",
        tool: TOOL,
        database: Database::of(&discovery.database),
        candidates: discovery
            .candidates
            .iter()
            .map(|candidate| WireCandidate::of(schema, &discovery.keys, candidate))
            .collect(),
        keys: discovery.keys.iter().map(|key| WireKey::of(schema, key)).collect(),
        not_looked_at: discovery.not_observed.iter().map(WireNotObserved::of).collect(),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    candidates: Vec<WireCandidate<'a>>,
    keys: Vec<WireKey<'a>>,
    not_looked_at: Vec<WireNotObserved<'a>>,
}

#[derive(Serialize)]
struct WireCandidate<'a> {
    id: String,
    child: Side<'a>,
    parent: Side<'a>,
    tier: &'static str,
    score: f64,
    rows: u64,
    null_rows: u64,
    orphan_rows: u64,
    distinct: u64,
    missing_keys: u64,
    coverage: f64,
    key: &'static str,
}

impl<'a> WireCandidate<'a> {
    fn of(schema: &'a Schema, keys: &[FoundKey], candidate: &'a Candidate) -> WireCandidate<'a> {
        let pair = &candidate.pair;
        let counts = &pair.counts;
        WireCandidate {
            id: format!("{}->{}", shown(schema, &pair.child), shown(schema, &pair.parent)),
            child: side(schema, &pair.child),
            parent: side(schema, &pair.parent),
            tier: candidate.tier.name(),
            score: candidate.score,
            rows: counts.rows,
            null_rows: counts.null_rows,
            orphan_rows: counts.orphan_rows,
            distinct: counts.distinct,
            missing_keys: counts.missing_keys,
            coverage: if pair.parent_keys == 0 { 0.0 } else { counts.present_keys() as f64 / pair.parent_keys as f64 },
            key: keys[pair.key].kind.name(),
        }
    }
}

#[derive(Serialize)]
struct WireKey<'a> {
    table: Side<'a>,
    kind: &'static str,
    distinct: u64,
    repeated_rows: u64,
}

impl<'a> WireKey<'a> {
    fn of(schema: &'a Schema, key: &FoundKey) -> WireKey<'a> {
        WireKey {
            table: side(schema, &key.columns),
            kind: key.kind.name(),
            distinct: key.distinct,
            repeated_rows: key.repeated_rows,
        }
    }
}

#[derive(Serialize)]
struct WireNotObserved<'a> {
    subject: &'a str,
    reason: &'a str,
    number: u64,
}

impl<'a> WireNotObserved<'a> {
    fn of(not_observed: &'a NotObserved) -> WireNotObserved<'a> {
        WireNotObserved { subject: &not_observed.subject, reason: &not_observed.reason, number: not_observed.number }
    }
}

fn side<'a>(schema: &'a Schema, list: &ColumnList) -> Side<'a> {
    let table = &schema.tables[list.table];
    Side::of(&table.name, list.columns.iter().map(|&column| table.columns[column].name.as_str()).collect())
}

fn shown(schema: &Schema, list: &ColumnList) -> String {
    let table = &schema.tables[list.table];
    crate::model::schema::side(&table.name, list.columns.iter().map(|&column| table.columns[column].name.as_str()))
}
