//! Values and names in the forms that statements need, for all engines alike.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::facts::Facts;
use crate::model::facts::ParameterStyle;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::is_unseen;
use crate::model::value::Value;
use crate::sql::query::Sql;

/// Returns the columns of the scope `key`, each with its position in the key: the child's names, then the parent's
/// other names. An example is [(0, "customer_id"), (0, "id")].
pub(super) fn key_names<'a>(schema: &'a Schema, relation: &'a Relation) -> Vec<(usize, &'a str)> {
    let mut names: Vec<(usize, &str)> = schema.child_column_names(relation).enumerate().collect();
    for (index, name) in relation.parent.column_names.iter().enumerate() {
        if !names.iter().any(|(_, known)| schema.names.same(known, name)) {
            names.push((index, name));
        }
    }
    names
}

/// Returns the child's column at a position of the key.
pub(super) fn child_column<'a>(schema: &'a Schema, relation: &Relation, index: usize) -> &'a Column {
    &schema.child(relation).columns[relation.child_columns[index]]
}

/// Returns a text between quotes, for a script that people read; `None` if it has invisible characters. They could end
/// the statement, repaint the terminal or hide part of the text, so the script shows such a text as bytes.
pub(super) fn quoted_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_plain = !text.contains(|c: char| c != '\n' && is_unseen(c));
    is_plain.then(|| format!("'{}'", text.replace('\'', "''")))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a value as plain text, to be compared with the text of another value.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Blob(bytes) => hex(bytes),
        other => text::value(other),
    }
}

/// Returns a value as a table stores it whose columns are all text.
pub(super) fn as_text_value(value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        other => Value::text(plain(&other)),
    }
}

/// True if a column can store the value.
pub(super) fn fits(value: &Value, column: &Column) -> bool {
    let unsigned = column.declared_type.contains("unsigned");
    match (&column.family, value) {
        (Family::Integer, Value::Text(_)) => value
            .as_text()
            .is_some_and(|text| text.trim().parse::<i64>().is_ok() || (unsigned && text.trim().parse::<u64>().is_ok())),
        (Family::Integer, other) => matches!(other, Value::Integer(_)),
        (Family::Real | Family::Numeric, Value::Text(_)) => {
            value.as_text().is_some_and(|text| text.trim().parse::<f64>().is_ok())
        }
        (Family::Real | Family::Numeric, other) => matches!(other, Value::Integer(_) | Value::Real(_)),
        _ => true,
    }
}

/// Returns a statement's text with a literal for each placeholder. A placeholder has a number, or else takes the next
/// value.
///
/// Outside of quoted names, the statements of `sql` contain the placeholder's sign only in placeholders.
pub(super) fn with_literals(statement: &Sql, facts: &Facts, literal: &dyn Fn(&Value) -> String) -> String {
    let quote = facts.quote;
    let mark = match facts.placeholder {
        ParameterStyle::Numbered(sign) => sign,
        ParameterStyle::Question => '?',
    };
    let mut rest = statement.text();
    let mut text = String::new();
    let mut next: usize = 0;
    while let Some(at) = rest.find([mark, quote]) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(name) = rest.strip_prefix(quote) {
            let length = 1 + name.find(quote).map_or(name.len(), |end| end + 1);
            text.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
        next = rest[1..=digits].parse().unwrap_or(next + 1);
        let value = next.checked_sub(1).and_then(|index| statement.parameters().get(index));
        text.push_str(&value.map_or_else(String::new, literal));
        rest = &rest[1 + digits..];
    }
    text.push_str(rest);
    text
}
