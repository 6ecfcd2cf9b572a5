//! Keys that do have a parent, but for white space, case, leading zeros, text or number, or the dress of a UUID.

use super::Evidence;
use super::PARENTS_SEARCHED;
use super::Show;
use super::by_cause;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::finding::Cause;
use crate::model::finding::MissingKey;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;

pub(super) fn find(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    open: &[&MissingKey<Value>],
    show: Show<'_>,
) -> Result<Vec<(Cause, Evidence)>, EngineError> {
    // Integers among integers have no other dress.
    let keys: Vec<&Key> = open
        .iter()
        .map(|missing| &missing.key)
        .filter(|key| key.len() == 1 && !matches!(key[0], Value::Real(_)))
        .collect();
    let Some(column) = schema.parent_columns(relation).next().filter(|_| !keys.is_empty()) else {
        return Ok(Vec::new());
    };
    let parent = side(&relation.parent.name, [column.name.as_str()]);
    let Some(question) = sql::of(schema).near_misses(schema, relation, &keys, PARENTS_SEARCHED) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    session.numbered(&question, keys.len(), &mut |index, row| {
        let [near, _] = row else { return };
        let key = keys[index];
        if let Some(cause) = difference(&key[0], near) {
            let near = vec![near.clone()];
            let evidence = format!("{} is missing, {parent} has {}", text::key(&show(key)), text::key(&show(&near)));
            found.push((cause, key.clone(), evidence));
        }
    })?;
    Ok(by_cause(found))
}

/// The one respect in which two values differ, or the first of several; `None` if they do not mean the same.
fn difference(missing: &Value, parent: &Value) -> Option<Cause> {
    let (left, right) = (plain(missing)?, plain(parent)?);
    let same_class = std::mem::discriminant(missing) == std::mem::discriminant(parent);
    let trimmed =
        |text: &str| text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}')).to_owned();
    let (left_bare, right_bare) = (trimmed(&left), trimmed(&right));
    if let (Some(left), Some(right)) = (uuid_digits(&left_bare), uuid_digits(&right_bare)) {
        let dressed_alike = left_bare.eq_ignore_ascii_case(&right_bare) && same_class;
        return (left == right).then_some(if dressed_alike { Cause::Case } else { Cause::UuidFormat });
    }
    if left == right {
        return (!same_class).then_some(Cause::TextVsNumber);
    }
    if left_bare == right_bare {
        return Some(Cause::Whitespace);
    }
    if left_bare.to_lowercase() == right_bare.to_lowercase() {
        return Some(Cause::Case);
    }
    let without_zeros = |text: &str| text.trim_start_matches('0').to_lowercase();
    if without_zeros(&left_bare) == without_zeros(&right_bare) {
        return Some(Cause::ZeroPadding);
    }
    let numbers = (left_bare.parse::<f64>(), right_bare.parse::<f64>());
    matches!(numbers, (Ok(left), Ok(right)) if left == right).then_some(Cause::TextVsNumber)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Blob(bytes) if bytes.len() == 16 => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Value::Blob(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Null => None,
    }
}

fn uuid_digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect();
    let all_hex = digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit());
    all_hex.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_has_its_name() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let bare = "0F8FAD5BD9CB469FA16570867728950E";
        for (missing, parent, cause) in [
            (Value::text("abc "), Value::text("abc"), Some(Cause::Whitespace)),
            (Value::text("ABC"), Value::text("abc"), Some(Cause::Case)),
            (Value::text(" ABC"), Value::text("abc"), Some(Cause::Case)),
            (Value::text("007"), Value::text("7"), Some(Cause::ZeroPadding)),
            (Value::text("5"), Value::Integer(5), Some(Cause::TextVsNumber)),
            (Value::Integer(5), Value::text("5.0"), Some(Cause::TextVsNumber)),
            (Value::text(bare), Value::text(uuid), Some(Cause::UuidFormat)),
            (Value::text(uuid.to_uppercase()), Value::text(uuid), Some(Cause::Case)),
            (Value::text("abc"), Value::text("abd"), None),
        ] {
            assert_eq!(difference(&missing, &parent), cause, "{missing:?} {parent:?}");
        }
    }
}
