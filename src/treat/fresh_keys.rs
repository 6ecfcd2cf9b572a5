//! Keys and numbers that no row has yet.

use super::Planner;
use super::TreatError;
use super::neutral_values::plain;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::ids::TableId;
use crate::model::value::Key;
use crate::model::value::Value;

impl<'a> Planner<'a> {
    /// Returns a key that no row has and that no row refers to.
    pub(super) fn fresh_key(
        &mut self,
        table: TableId,
        column: &Column,
        seed: &Key,
    ) -> Result<Option<Value>, TreatError> {
        Ok(match column.family {
            Family::Integer | Family::Numeric | Family::Real => {
                Some(Value::Integer(self.next_integer(table, &column.name)?))
            }
            Family::Text | Family::Untyped => Some(Value::text(format!("placeholder-{}", plain(seed)))),
        })
    }

    /// Returns the next integer. It is larger than every value of the column, every reference to the column, and the table's
    /// counter.
    pub(super) fn next_integer(&mut self, table: TableId, column: &str) -> Result<i64, TreatError> {
        let key = (table, column.to_owned());
        if !self.new_parents.next.contains_key(&key) {
            let about = &self.schema.tables[table];
            let mut queries = vec![self.sql.largest_value(about, column)];
            queries.extend(self.sql.last_sequence_value(about, column));
            for (_, relation) in self.relations_to(table, None) {
                let pairs = self.schema.parent_columns(relation).zip(self.schema.child_column_names(relation));
                for (_, name) in pairs.filter(|(ours, _)| ours.name == column) {
                    queries.push(self.sql.largest_value(self.schema.child(relation), name));
                }
            }
            let mut largest = 0;
            for query in queries {
                self.lookups.each_row(&query, &mut |row| {
                    largest = largest.max(row.first().map_or(0, integer_from_above));
                })?;
            }
            if let Some((_, counted)) = self.counter(table)? {
                largest = largest.max(counted);
            }
            self.new_parents.next.insert(key.clone(), largest);
        }
        let last = self.new_parents.next.entry(key).or_insert(0);
        *last = last.saturating_add(1);
        Ok(*last)
    }

    /// Returns the next number for a record table, which may not exist yet.
    pub(super) fn next_record(&mut self, known: Option<TableId>, name: &str) -> Result<i64, TreatError> {
        if let Some(table) = known {
            return self.next_integer(table, "id");
        }
        let last = self.new_parents.records.entry(name.to_owned()).or_insert(0);
        *last += 1;
        Ok(*last)
    }
}

/// Returns the smallest integer that is not below a number; 0 for a value that is no number.
fn integer_from_above(value: &Value) -> i64 {
    // A cast to an integer ends at the bounds of its type.
    let from_above = |number: f64| number.ceil() as i64;
    match value {
        Value::Integer(number) => *number,
        Value::Real(number) => from_above(*number),
        // Servers return their decimals as texts.
        Value::Text(digits) => {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            digits.parse().ok().or_else(|| digits.parse().ok().map(from_above)).unwrap_or(0)
        }
        Value::Null | Value::Blob(_) => 0,
    }
}
