//! The same for what a repair would do. The plan itself holds every value: it is data, and not a report.

use super::Redaction;
use super::ShownValue;
use crate::model::forecast::ChangeSample;
use crate::model::forecast::RelationForecast;
use crate::model::forecast::RepairForecast;
use crate::model::forecast::TreatmentForecast;
use crate::model::forecast::Undecided;
use crate::model::ids::RelationId;
use crate::model::schema::Schema;
use crate::model::state::SkippedRow;
use crate::model::value::Value;

/// The rows that `apply`, `undo` and `status` list by their names. Those reports hide no name of a row: they have a plan
/// beside them, which holds every value.
pub fn skipped_rows(rows: &[SkippedRow<Value>]) -> Vec<SkippedRow> {
    let name =
        |row: &[(String, Value)]| row.iter().map(|(name, value)| (name.clone(), ShownValue(value.clone()))).collect();
    let left = |left: &SkippedRow<Value>| SkippedRow { table: left.table.clone(), row: name(&left.row), why: left.why };
    rows.iter().map(left).collect()
}

impl Redaction {
    pub fn forecast(&self, schema: &Schema, forecast: &RepairForecast<Value>) -> RepairForecast {
        let outlook = |outlook: &RelationForecast<Value>| RelationForecast {
            treatments: outlook.treatments.iter().map(|share| self.share(schema, share)).collect(),
            undecided: outlook.undecided.iter().map(|left| self.undecided(schema, outlook.relation, left)).collect(),
            unchecked: outlook.unchecked.as_ref().map(|why| self.message(why)),
            relation: outlook.relation,
            id: outlook.id.clone(),
            rule: outlook.rule.clone(),
            keys: outlook.keys,
            rows: outlook.rows,
            rows_after: outlook.rows_after,
        };
        RepairForecast {
            relations: forecast.relations.iter().map(outlook).collect(),
            tables: forecast.tables.clone(),
            creates: forecast.creates.clone(),
            files: forecast.files.clone(),
            redefinitions: forecast.redefinitions.clone(),
            warnings: forecast.warnings.clone(),
            limits: forecast.limits.clone(),
            refusals: forecast.refusals.clone(),
        }
    }

    fn share(&self, schema: &Schema, share: &TreatmentForecast<Value>) -> TreatmentForecast {
        let sample = |sample: &ChangeSample<Value>| ChangeSample {
            table: sample.table.clone(),
            row: self.row(schema, &sample.table, &sample.row),
            before: sample.before.as_ref().map(|row| self.row(schema, &sample.table, row)),
            after: sample.after.as_ref().map(|row| self.row(schema, &sample.table, row)),
        };
        TreatmentForecast {
            samples: share.samples.iter().map(sample).collect(),
            treatment: share.treatment.clone(),
            keys: share.keys,
            rows: share.rows,
            changes: share.changes,
        }
    }

    fn undecided(&self, schema: &Schema, relation: RelationId, left: &Undecided<Value>) -> Undecided {
        let example = match schema.relations.get(relation) {
            Some(relation) => self.key(schema, relation, &left.example),
            None => Vec::new(),
        };
        Undecided { example, why: self.message(&left.why), keys: left.keys, rows: left.rows }
    }

    /// A row of any table, by the table's name; a column that refers to an excluded one is hidden with it.
    fn row(&self, schema: &Schema, table: &str, row: &[(String, Value)]) -> Vec<(String, ShownValue)> {
        let position = schema.tables.position(|known| known.name.to_string() == table);
        let hide = |(name, value): &(String, Value)| {
            if position.is_some_and(|position| super::is_address(&schema.tables[position], name)) {
                return (name.clone(), ShownValue(value.clone()));
            }
            let refers = schema.relations.iter().filter(|relation| Some(relation.child) == position).any(|relation| {
                let column = schema.child_column_names(relation).position(|column| column == name);
                column.is_some_and(|column| self.excludes_key_column(schema, relation, column))
            });
            (name.clone(), self.hide(refers || self.excludes(table, name), value))
        };
        row.iter().map(hide).collect()
    }
}
