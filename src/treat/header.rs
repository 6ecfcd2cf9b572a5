//! The header of a plan: the database and the rules that it was made for, the orphans that it leaves, and its
//! treatments.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::model::forecast::RepairForecast;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::Header;
use crate::model::plan::OrphanForecast;
use crate::model::plan::RuleDigest;
use crate::model::plan::TableDigest;
use crate::model::plan::TreatmentTotal;
use crate::model::restore::RESTORE;
use crate::model::rule::TreatmentKind;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::scan;
use crate::scan::ScanResults;

/// The digests that bind a plan to its database and its rules.
pub struct Digests {
    /// Of the identity of the database.
    pub identity: String,
    /// Of the definitions of all tables that the plan changes or reads.
    pub schema: String,
    /// Of the record of plans; see [`Header::record`].
    pub record: String,
    pub tables: Vec<TableDigest>,
    pub rules: Vec<RuleDigest>,
}

pub fn header(
    schema: &Schema,
    forecast: &RepairForecast<Value>,
    forecasts: Vec<OrphanForecast>,
    digests: Digests,
) -> Header {
    Header {
        engine: schema.database.engine,
        database: schema.database.name.clone(),
        identity: digests.identity,
        schema: digests.schema,
        record: digests.record,
        tables: digests.tables,
        rules: digests.rules,
        creates: forecast.creates.clone(),
        redefinitions: forecast.redefinitions.clone(),
        files: forecast.files.keys().cloned().collect(),
        forecasts,
        treated: treated(forecast),
        undecided: forecast.undecided_keys(),
        orphan_rows: (!forecast.orphan_rows.is_bound).then_some(forecast.orphan_rows.count),
    }
}

/// Returns a forecast for every relation with a changed table.
pub fn forecasts(schema: &Schema, facts: &ScanResults, forecast: &RepairForecast<Value>) -> Vec<OrphanForecast> {
    let changed: HashSet<&str> = forecast.tables.iter().map(|changes| changes.table.as_str()).collect();
    let is_changed = |table: Option<TableId>| {
        table.is_some_and(|table| changed.contains(schema.tables[table].name.to_string().as_str()))
    };
    let declared: HashSet<&String> = forecast.redefinitions.iter().flat_map(|change| &change.declared).collect();
    let dropped: HashSet<&String> = forecast.redefinitions.iter().flat_map(|change| &change.dropped).collect();
    let rows_after: HashMap<RelationId, u64> =
        forecast.relations.iter().map(|of_relation| (of_relation.relation, of_relation.rows_after)).collect();
    let remaining = schema.relations.entries().zip(facts).filter(|((_, relation), _)| !dropped.contains(&relation.id));
    let touched = remaining.filter_map(|((index, relation), fact)| match fact {
        scan::ScanResult::Checked(tally)
            if is_changed(Some(relation.child))
                || is_changed(relation.parent.table)
                || declared.contains(&relation.id) =>
        {
            Some(OrphanForecast {
                relation: relation.id.clone(),
                rows_before: tally.orphan_rows,
                rows_after: rows_after.get(&index).copied().unwrap_or(tally.orphan_rows),
            })
        }
        _ => None,
    });
    touched.collect()
}

fn treated(forecast: &RepairForecast<Value>) -> Vec<TreatmentTotal> {
    let all = forecast
        .relations
        .iter()
        .flat_map(|of_relation| of_relation.treatments.iter().map(move |share| (of_relation, share)));
    let all = all.map(|(of_relation, share)| TreatmentTotal {
        rule: of_relation.rule.clone().unwrap_or_default(),
        relation: of_relation.id.clone(),
        treatment: share.treatment.clone(),
        keys: share.keys,
        rows: share.rows,
    });
    let restored = forecast.restore.iter().flat_map(|restore| &restore.tables).filter(|table| table.restored > 0);
    let restored = restored.map(|table| TreatmentTotal {
        rule: String::new(),
        relation: String::new(),
        treatment: RESTORE.to_owned(),
        keys: 0,
        rows: table.restored,
    });
    let repointed = forecast.repoints.iter().map(|repoint| TreatmentTotal {
        rule: repoint.rule.clone(),
        relation: String::new(),
        treatment: TreatmentKind::Repoint.name().to_owned(),
        keys: repoint.groups,
        rows: repoint.merged,
    });
    all.chain(restored).chain(repointed).collect()
}
