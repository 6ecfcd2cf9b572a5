//! The same for what a repair would do. The plan itself holds every value: it is data, and not a report.

use super::Redaction;
use crate::model::forecast::Outlook;
use crate::model::forecast::RepairForecast;
use crate::model::forecast::Sample;
use crate::model::forecast::Share;
use crate::model::forecast::Undecided;
use crate::model::ids::RelationId;
use crate::model::schema::Schema;
use crate::model::value::RowName;
use crate::model::value::Value;

impl Redaction {
    pub fn forecast(&self, schema: &Schema, forecast: &RepairForecast) -> RepairForecast {
        if self.shows_everything() {
            return forecast.clone();
        }
        let outlook = |outlook: &Outlook| Outlook {
            treatments: outlook.treatments.iter().map(|share| self.share(schema, share)).collect(),
            undecided: outlook.undecided.iter().map(|left| self.undecided(schema, outlook.relation, left)).collect(),
            unchecked: outlook.unchecked.as_ref().map(|why| self.message(why)),
            ..outlook.clone()
        };
        RepairForecast { relations: forecast.relations.iter().map(outlook).collect(), ..forecast.clone() }
    }

    fn share(&self, schema: &Schema, share: &Share) -> Share {
        let sample = |sample: &Sample| Sample {
            table: sample.table.clone(),
            row: self.row(schema, &sample.table, &sample.row),
            before: sample.before.as_ref().map(|row| self.row(schema, &sample.table, row)),
            after: sample.after.as_ref().map(|row| self.row(schema, &sample.table, row)),
        };
        Share { samples: share.samples.iter().map(sample).collect(), ..share.clone() }
    }

    fn undecided(&self, schema: &Schema, relation: RelationId, left: &Undecided) -> Undecided {
        let example = match schema.relations.get(relation) {
            Some(relation) => self.key(schema, relation, &left.example),
            None => Vec::new(),
        };
        Undecided { example, why: self.message(&left.why), ..left.clone() }
    }

    /// A row of any table, by the table's name; a column that refers to an excluded one is hidden with it.
    fn row(&self, schema: &Schema, table: &str, row: &RowName) -> RowName {
        let position = schema.tables.position(|known| known.name.to_string() == table);
        let hide = |(name, value): &(String, Value)| {
            if position.is_some_and(|position| super::is_address(&schema.tables[position], name)) {
                return (name.clone(), value.clone());
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
