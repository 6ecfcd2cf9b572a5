//! What every dialect says alike, around the words that are its own.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::relation::Relation;
use crate::model::rule::Normal;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::is_unseen;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::frozen::Sql;
use crate::sql::frozen::repair::UniqueTerms;

/// A value of a list of ours, by its place. Such a list stands in one scope with the user's tables and with what a rule's
/// author writes, so its columns are called as nobody calls a column. It is a derived table, which hides no table of the
/// same name, as a common table expression would.
pub(super) fn held(place: usize) -> String {
    format!("fk-doctor value {place}")
}

/// The column of the child that holds a part of the key.
pub(super) fn child_column<'a>(schema: &'a Schema, relation: &Relation, place: usize) -> &'a Column {
    &schema.child(relation).columns[relation.child_columns[place]]
}

/// Whether a row has one of these keys, where there are any; `equal` says it of one part.
pub(super) fn any_key(keys: &[Key], mut equal: impl FnMut(usize, &Value) -> String) -> Option<String> {
    let mut alternatives = Vec::new();
    for key in keys {
        let parts: Vec<String> = key.iter().enumerate().map(|(place, value)| equal(place, value)).collect();
        alternatives.push(format!("({})", parts.join(" AND ")));
    }
    (!alternatives.is_empty()).then(|| format!("({})", alternatives.join(" OR ")))
}

/// Rows that must have a parent: complete, in scope where there is a condition, and not ignored.
pub(super) fn considered(
    relation: &Relation,
    complete: String,
    in_scope: fn(&Relation) -> String,
    ignored: Option<String>,
) -> String {
    let mut parts = vec![complete];
    if relation.scope.condition.is_some() {
        parts.push(in_scope(relation));
    }
    parts.extend(ignored.map(|ignored| format!("NOT {ignored}")));
    parts.join(" AND ")
}

/// The columns of `key`: called as the child calls them, and as the parent does where that is another name.
pub(super) fn key_names<'a>(schema: &'a Schema, relation: &'a Relation) -> Vec<(usize, &'a str)> {
    let mut names: Vec<(usize, &str)> = schema.child_column_names(relation).enumerate().collect();
    for (place, name) in relation.parent.column_names.iter().enumerate() {
        if !names.iter().any(|(_, known)| schema.names.same(known, name)) {
            names.push((place, name));
        }
    }
    names
}

/// A text in its normal form; `trimmed` takes the white space from both its ends, `unpadded` the zeros from its start.
pub(super) fn in_form(
    text: String,
    forms: &[Normal],
    trimmed: fn(&str) -> String,
    unpadded: fn(&str) -> String,
) -> String {
    forms.iter().fold(text, |form, normal| match normal {
        Normal::Trim => trimmed(&form),
        Normal::Casefold => format!("lower({form})"),
        Normal::ZeroPadding => unpadded(&form),
        Normal::Uuid => format!("replace(replace(replace(lower({form}), '-', ''), '{{', ''), '}}', '')"),
    })
}

/// Text between quotes, for a script that people read; `None` where it had better be bytes: what is unseen could end the
/// statement, repaint the screen it is read on, or hide what it says.
pub(super) fn quoted_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_plain = !text.contains(|c: char| c != '\n' && is_unseen(c));
    is_plain.then(|| format!("'{}'", text.replace('\'', "''")))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All of these hold; where there is none, nothing does.
pub(super) fn all(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.collect();
    if conditions.is_empty() { "FALSE".to_owned() } else { conditions.join(" AND ") }
}

/// A value's plain text, to be held against the text of others.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Blob(bytes) => hex(bytes),
        other => text::value(other),
    }
}

/// A value as a table holds it all of whose columns are text.
pub(super) fn in_words(value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        other => Value::text(plain(&other)),
    }
}

/// Whether a value can be one of the column's at all.
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

/// A statement with its values in the places of its parameters: of each `mark`, with its number or in their order. Our own
/// statements have none but for these, outside of names, which stand between `quote`.
pub(super) fn written_out(statement: &Sql, mark: char, quote: char, literal: fn(&Value) -> String) -> String {
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
        let value = next.checked_sub(1).and_then(|place| statement.parameters().get(place));
        text.push_str(&value.map_or_else(String::new, literal));
        rest = &rest[1 + digits..];
    }
    text.push_str(rest);
    text
}

/// The numbers of new rows, which are called `"fk-doctor number"` in `new` and their own names `"fk-doctor own 0"` and so on,
/// that have the terms of a unique index in common with another row of a table.
pub(super) fn colliding(new: &str, table: &str, own: &[String], index: &UniqueTerms) -> String {
    let terms: Vec<String> =
        index.terms.iter().enumerate().map(|(place, term)| format!("({term}) AS \"fk-doctor term {place}\"")).collect();
    let among = index.condition.as_ref().map_or(String::new(), |condition| format!(" WHERE ({condition})"));
    let equal: Vec<String> = (0..terms.len())
        .map(|place| format!("there.\"fk-doctor term {place}\" = new.\"fk-doctor term {place}\""))
        .collect();
    let names: Vec<String> =
        own.iter().enumerate().map(|(place, name)| format!(", {name} AS \"fk-doctor is {place}\"")).collect();
    let owns: Vec<String> = (0..own.len()).map(|place| format!(", \"fk-doctor own {place}\"")).collect();
    let is_own: Vec<String> =
        (0..own.len()).map(|place| format!("there.\"fk-doctor is {place}\" = new.\"fk-doctor own {place}\"")).collect();
    let other =
        if is_own.is_empty() { String::new() } else { format!(" WHERE ({}) IS NOT TRUE", is_own.join(" AND ")) };
    format!(
        "SELECT DISTINCT new.\"fk-doctor number\" FROM (SELECT \"fk-doctor number\"{}, {terms} FROM {new} AS made{among}) AS new \
         JOIN (SELECT {terms}{} FROM {table}{among}) AS there ON {}{other} ORDER BY 1",
        owns.concat(),
        names.concat(),
        equal.join(" AND "),
        terms = terms.join(", "),
    )
}
