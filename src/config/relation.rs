//! Parses one `[[relation]]`.
//!
//! SQL is not parsed, because only the engine can judge it.

use toml::de::DeValue;

use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::config::side;
use crate::config::side::Role;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::value::Key;
use crate::model::value::Value;

pub(crate) fn read(mut reader: Reader<'_, '_>) -> Option<ConfiguredRelation> {
    let child_item = reader.require("child", Role::Child.example());
    let parent_item = reader.require("parent", Role::Parent.example());
    let child = child_item.and_then(|item| side::read(&item, Role::Child));
    let parent = parent_item.and_then(|item| side::read(&item, Role::Parent));
    let condition = reader.take("where").and_then(|item| sql(&item, "child.kind = 'Post'"));
    let ignored = reader.take("ignore-values");
    let soft_deleted = reader.take("soft-deleted").and_then(|item| sql(&item, "parent.deleted_at IS NOT NULL"));

    if let (Some(item), Some(child), Some(parent)) = (parent_item, &child, &parent) {
        let (child_width, parent_width) = (child.value.columns.len(), parent.value.columns.len());
        if child_width != parent_width {
            item.fault(&format!("{} here, {} in `child`", columns(parent_width), child_width), None);
        }
    }
    let width = child.as_ref().or(parent.as_ref()).map(|side: &Spanned<SideName>| side.value.columns.len());
    let ignored = ignored.map(|item| keys(&item, width)).unwrap_or_default();
    reader.advise_misplaced(&["exclude"], "write `exclude` above the first `[…]` of the file");
    reader.finish();
    let (child, parent) = (child?, parent?);
    Some(ConfiguredRelation { child, parent, condition, ignored, soft_deleted, parent_may_be_missing: false })
}

fn sql(item: &Item<'_, '_>, example: &str) -> Option<Spanned<String>> {
    let text = item.text(&format!("SQL such as \"{example}\""))?;
    Some(Spanned { value: text.value.to_owned(), span: text.span })
}

fn columns(count: usize) -> String {
    if count == 1 { "1 column".to_owned() } else { format!("{count} columns") }
}

/// Parses `ignore-values`. `width` is the number of key columns. If it is `None`, because no side could be parsed, only
/// the values themselves are checked.
fn keys(item: &Item<'_, '_>, width: Option<usize>) -> Vec<Spanned<Key>> {
    let entries = item.entries("an array of values, such as [0, -1, \"\"]").unwrap_or_default();
    entries.iter().filter_map(|entry| key(entry, width)).collect()
}

fn key(entry: &Item<'_, '_>, width: Option<usize>) -> Option<Spanned<Key>> {
    let composite = matches!(entry.value(), DeValue::Array(_));
    let values = match width {
        Some(1) if composite => {
            entry.fault("the key has 1 column: expected a plain value, found an array", None);
            return None;
        }
        Some(width) if width > 1 => {
            let expected = format!("an array of {width} values, one per column");
            let values = entry.entries(&expected)?;
            if values.len() != width {
                entry.fault(&format!("expected {expected}, found {}", values.len()), None);
                return None;
            }
            values
        }
        None if composite => entry.entries("an array")?,
        _ => vec![*entry],
    };
    let values: Vec<_> = values.iter().map(value).collect();
    let key: Option<Key> = values.into_iter().collect();
    Some(Spanned { value: key?, span: entry.span() })
}

fn value(item: &Item<'_, '_>) -> Option<Value> {
    match item.value() {
        DeValue::String(text) => Some(Value::text(text.as_ref())),
        DeValue::Integer(integer) => item.whole_number(integer).map(Value::Integer),
        // No key equals a NaN. Digits that overflow to infinity are a mistake.
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() || (number.is_infinite() && float.as_str().ends_with("inf")) => {
                Some(Value::Real(number))
            }
            _ => {
                item.fault("the float is not a number that a key can equal", None);
                None
            }
        },
        _ => {
            let help = "NULL needs no entry: a key that contains NULL refers to no parent".to_owned();
            item.mismatch("an integer, a float or a string", Some(help));
            None
        }
    }
}
