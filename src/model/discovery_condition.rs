//! The condition that selects the rows of a polymorphic reference, as SQL over `child`.

use crate::model::facts::Facts;
use crate::model::text;
use crate::model::value::Value;

/// Returns the condition that all of these columns have these values: `child.kind = 'Post'`.
pub fn sql<'a>(terms: impl Iterator<Item = (&'a str, &'a Value)>, facts: &Facts) -> String {
    let term = |(column, value): (&str, &Value)| format!("child.{} = {}", facts.readable(column), literal(value));
    terms.map(term).collect::<Vec<_>>().join(" AND ")
}

/// Returns a value as an SQL literal that every engine reads.
fn literal(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        other => {
            let text = other.as_text().map(str::to_owned).unwrap_or_else(|| text::value(other));
            format!("'{}'", text.replace('\'', "''"))
        }
    }
}
