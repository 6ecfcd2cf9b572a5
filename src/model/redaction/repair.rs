//! Redaction of a repair's forecast. A plan is not redacted, because it is data and not a report.

use super::Redaction;
use super::ShownValue;
use crate::model::forecast::ChangeSample;
use crate::model::forecast::RelationForecast;
use crate::model::forecast::RepairForecast;
use crate::model::forecast::TreatmentForecast;
use crate::model::forecast::Undecided;
use crate::model::ids::RelationId;
use crate::model::relation::Relation;
use crate::model::repoint::RepointForecast;
use crate::model::repoint::StayingTwins;
use crate::model::repoint::TwinSample;
use crate::model::restore::Obstacle;
use crate::model::restore::RestoreForecast;
use crate::model::restore::RestoredTable;
use crate::model::restore::StayingRows;
use crate::model::schema::Schema;
use crate::model::state::RowNow;
use crate::model::state::SkippedRow;
use crate::model::value::Value;

/// Returns the rows that `apply`, `undo` and `status` list, with the values that identify them shown. Hiding them would
/// protect nothing, because these commands read a plan, which contains all values.
pub fn skipped_rows(rows: &[SkippedRow<Value>]) -> Vec<SkippedRow> {
    let name =
        |row: &[(String, Value)]| row.iter().map(|(name, value)| (name.clone(), ShownValue(value.clone()))).collect();
    let shown = |row: &SkippedRow<Value>| SkippedRow {
        table: row.table.clone(),
        row: name(&row.row),
        why: row.why,
        now: shown_now(&row.now),
    };
    rows.iter().map(shown).collect()
}

fn shown_now(now: &RowNow<Value>) -> RowNow {
    match now {
        RowNow::Unknown => RowNow::Unknown,
        RowNow::Gone => RowNow::Gone,
        RowNow::Differs(differing) => RowNow::Differs(
            differing
                .iter()
                .map(|(column, planned, now)| (column.clone(), ShownValue(planned.clone()), ShownValue(now.clone())))
                .collect(),
        ),
    }
}

impl Redaction {
    pub fn forecast(&self, schema: &Schema, forecast: &RepairForecast<Value>) -> RepairForecast {
        let relation = |relation: &RelationForecast<Value>| RelationForecast {
            treatments: relation.treatments.iter().map(|treatment| self.treatment(schema, treatment)).collect(),
            undecided: relation.undecided.iter().map(|keys| self.undecided(schema, relation.relation, keys)).collect(),
            help: relation.help.clone(),
            unchecked: relation.unchecked.as_ref().map(|why| self.message(why)),
            relation: relation.relation,
            id: relation.id.clone(),
            rule: relation.rule.clone(),
            keys: relation.keys,
            rows: relation.rows,
            child_rows: relation.child_rows,
            rows_after: relation.rows_after,
        };
        RepairForecast {
            orphan_rows: forecast.orphan_rows,
            rows_left: forecast.rows_left,
            relations: forecast.relations.iter().map(relation).collect(),
            tables: forecast.tables.clone(),
            creates: forecast.creates.clone(),
            files: forecast.files.clone(),
            redefinitions: forecast.redefinitions.clone(),
            repoints: forecast.repoints.iter().map(|repoint| self.repoint(schema, repoint)).collect(),
            restore: forecast.restore.as_ref().map(|restore| self.restore(schema, restore)),
            warnings: forecast.warnings.clone(),
            limits: forecast.limits.clone(),
            refusals: forecast.refusals.clone(),
        }
    }

    fn repoint(&self, schema: &Schema, repoint: &RepointForecast<Value>) -> RepointForecast {
        let row = |row: &Vec<(String, Value)>| self.row(schema, &repoint.table, row);
        let sample = |sample: &TwinSample<Value>| TwinSample { twin: row(&sample.twin), kept: row(&sample.kept) };
        let staying = |staying: &StayingTwins<Value>| StayingTwins {
            why: self.message(&staying.why),
            twins: staying.twins,
            samples: staying.samples.iter().map(row).collect(),
        };
        RepointForecast {
            samples: repoint.samples.iter().map(sample).collect(),
            staying: repoint.staying.iter().map(staying).collect(),
            rule: repoint.rule.clone(),
            table: repoint.table.clone(),
            groups: repoint.groups,
            twins: repoint.twins,
            merged: repoint.merged,
            children: repoint.children.clone(),
            removed: repoint.removed.clone(),
        }
    }

    fn restore(&self, schema: &Schema, restore: &RestoreForecast<Value>) -> RestoreForecast {
        let rows = |table: &str, rows: &[Vec<(String, Value)>]| -> Vec<Vec<(String, ShownValue)>> {
            rows.iter().map(|row| self.row(schema, table, row)).collect()
        };
        let staying = |table: &str, staying: &StayingRows<Value>| {
            let relation = match &staying.obstacle {
                Obstacle::NoParent { relation, .. } => schema.relations.iter().find(|known| known.id == *relation),
                _ => None,
            };
            let key = |key: &Vec<Value>| relation.map_or_else(Vec::new, |relation| self.key(schema, relation, key));
            StayingRows {
                obstacle: match &staying.obstacle {
                    Obstacle::Refused(why) => Obstacle::Refused(self.message(why)),
                    Obstacle::Unreadable(why) => Obstacle::Unreadable(self.message(why)),
                    other => other.clone(),
                },
                rows: staying.rows,
                keys: staying.keys.iter().map(key).collect(),
                has_more_keys: staying.has_more_keys,
                samples: rows(table, &staying.samples),
            }
        };
        let table = |table: &RestoredTable<Value>| RestoredTable {
            samples: rows(&table.table, &table.samples),
            staying: table.staying.iter().map(|rows| staying(&table.table, rows)).collect(),
            table: table.table.clone(),
            rows: table.rows,
            restored: table.restored,
        };
        RestoreForecast { sources: restore.sources.clone(), tables: restore.tables.iter().map(table).collect() }
    }

    fn treatment(&self, schema: &Schema, treatment: &TreatmentForecast<Value>) -> TreatmentForecast {
        let sample = |sample: &ChangeSample<Value>| ChangeSample {
            table: sample.table.clone(),
            row: self.row(schema, &sample.table, &sample.row),
            before: sample.before.as_ref().map(|row| self.row(schema, &sample.table, row)),
            after: sample.after.as_ref().map(|row| self.row(schema, &sample.table, row)),
        };
        TreatmentForecast {
            samples: treatment.samples.iter().map(sample).collect(),
            treatment: treatment.treatment.clone(),
            keys: treatment.keys,
            rows: treatment.rows,
            changes: treatment.changes,
        }
    }

    fn undecided(&self, schema: &Schema, relation: RelationId, keys: &Undecided<Value>) -> Undecided {
        let example = match schema.relations.get(relation) {
            Some(relation) => self.key(schema, relation, &keys.example),
            None => Vec::new(),
        };
        Undecided { example, why: self.message(&keys.why), keys: keys.keys, rows: keys.rows }
    }

    /// Returns a row of a table as it may be shown. A foreign-key column that refers to a hidden column is hidden too.
    fn row(&self, schema: &Schema, table: &str, row: &[(String, Value)]) -> Vec<(String, ShownValue)> {
        if self.shows_everything() {
            return row.iter().map(|(name, value)| (name.clone(), ShownValue(value.clone()))).collect();
        }
        let table_id = schema.table(table);
        let own: Vec<&Relation> = schema.relations.iter().filter(|relation| Some(relation.child) == table_id).collect();
        let hide = |(name, value): &(String, Value)| {
            if table_id.is_some_and(|table_id| super::is_address(&schema.tables[table_id], name)) {
                return (name.clone(), ShownValue(value.clone()));
            }
            let refers = own.iter().any(|relation| {
                let column = schema.child_column_names(relation).position(|column| column == name);
                column.is_some_and(|column| self.excludes_key_column(schema, relation, column))
            });
            (name.clone(), self.hide(refers || self.excludes(table, name), value))
        };
        row.iter().map(hide).collect()
    }
}
