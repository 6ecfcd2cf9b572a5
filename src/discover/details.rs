//! Adds the missing keys with the most rows, and the shape, to the pairs within the tolerance.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::DiscoverOptions;
use super::column_keys::Part;
use super::dropped::PartDetails;
use super::form::Form;
use super::key_counts::KeyCounts;
use super::order::KeyOrder;
use super::order::KeyTexts;
use super::pairs::ColumnPair;
use super::pairs::needs_engine;
use super::profile::Profiles;
use super::value_key::ValueKey;
use super::values;
use super::values::Values;
use super::values::WantedValues;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::discovery::FoundKey;
use crate::model::discovery::Pair;
use crate::model::discovery::PairCounts;
use crate::model::discovery::PairShape;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Value;

/// The texts of a parent with more keys are not ordered.
const MOST_ORDERED_TEXTS: u64 = 200_000;

/// Returns the pairs with all details, each with the columns from which it was made.
pub fn pairs(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &Profiles,
    keys: &[FoundKey],
    counted: &[(ColumnPair, PairCounts)],
    observed: &BTreeMap<ColumnPair, PartDetails>,
    options: &DiscoverOptions<'_>,
) -> Result<Vec<(ColumnPair, Pair)>, EngineError> {
    let positions: HashMap<&ColumnList, usize> =
        keys.iter().enumerate().map(|(index, key)| (&key.columns, index)).collect();
    let list = |index: usize| ColumnList::single(profiles.columns[index].table, profiles.columns[index].column);
    let top: Vec<Vec<(ValueKey, u64)>> = counted
        .iter()
        .map(|(pair, counts)| match observed.get(pair) {
            _ if counts.missing_keys == 0 => Vec::new(),
            Some(details) => details.missing.clone(),
            None => top_missing(profiles, *pair, options.samples),
        })
        .collect();
    let wanted = wanted(profiles, counted, &top);
    let entries: Vec<WantedValues> = wanted
        .iter()
        .map(|((column, form), keys)| WantedValues::of(&profiles.columns[*column], *form, keys.clone()))
        .collect();
    let found = values::find(schema, session, &entries, &profiles.forms, &profiles.hasher, options.threads)?;
    let found: HashMap<(usize, Form), Values> = wanted.into_keys().zip(found).collect();
    let mut orders: HashMap<(usize, Form), KeyOrder> = HashMap::new();
    let mut pairs = Vec::new();
    for ((pair, counts), top) in counted.iter().zip(&top) {
        let parent = list(pair.parent);
        let Some(&key) = positions.get(&parent) else { continue };
        let parent_column = &profiles.columns[pair.parent];
        let parent_keys = parent_column.distinct.unwrap_or(0);
        let child_column = &profiles.columns[pair.child];
        let form = pair_form(profiles, *pair);
        let order = orders.entry((pair.parent, form)).or_insert_with(|| {
            let texts = found.get(&(pair.parent, form)).map(key_texts);
            KeyOrder::new(parent_column.keys_in(form), Part::WHOLE, texts.as_ref())
        });
        let is_in_memory = !child_column.keys.is_dropped && !parent_column.keys.is_dropped;
        let shape = match observed.get(pair) {
            _ if counts.missing_keys == 0 && counts.distinct == parent_keys => {
                Some(PairShape { spread: 0.0, covered_range: 1.0 })
            }
            None if is_in_memory => order.shape(child_column.keys_in(form)),
            details => details.and_then(|details| details.shape),
        };
        let known = found.get(&(pair.child, form));
        let missing = top.iter().filter_map(|&(key, rows)| {
            let value = match key {
                ValueKey::Integer(number) => Value::Integer(number),
                ValueKey::Hash(hash) => known?.get(&hash)?.clone(),
            };
            Some((vec![value], rows))
        });
        let mut missing: Vec<(Vec<Value>, u64)> = missing.collect();
        missing.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| shown(&left.0).cmp(&shown(&right.0))));
        missing.truncate(options.samples);
        let (child, condition, counts) = (list(pair.child), Vec::new(), *counts);
        pairs.push((*pair, Pair { child, parent, key, condition, counts, parent_keys, missing, shape }));
    }
    Ok(pairs)
}

fn shown(key: &[Value]) -> Vec<String> {
    key.iter().map(text::value).collect()
}

/// Returns the texts of the keys of a parent. Numbers are ordered before texts, by their bits.
fn key_texts(values: &Values) -> KeyTexts {
    let text = |value: &Value| match value {
        Value::Text(bytes) => [&[1], bytes.as_slice()].concat(),
        Value::Real(number) => {
            let bits = number.to_bits();
            let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            [&[0][..], &ordered.to_be_bytes()].concat()
        }
        other => text::value(other).into_bytes(),
    };
    values.iter().map(|(hash, value)| (*hash, text(value))).collect()
}

/// Returns the columns and forms whose values are wanted: texts of parents for their order, and missing keys of children.
fn wanted(
    profiles: &Profiles,
    counted: &[(ColumnPair, PairCounts)],
    top: &[Vec<(ValueKey, u64)>],
) -> BTreeMap<(usize, Form), Option<HashSet<u128>>> {
    let mut wanted: BTreeMap<(usize, Form), Option<HashSet<u128>>> = BTreeMap::new();
    let parents: BTreeSet<(usize, Form)> =
        counted.iter().map(|(pair, _)| (pair.parent, pair_form(profiles, *pair))).collect();
    for (parent, form) in parents {
        if (1..=MOST_ORDERED_TEXTS).contains(&profiles.columns[parent].keys_in(form).distinct_hashes()) {
            wanted.insert((parent, form), None);
        }
    }
    for ((pair, _), top) in counted.iter().zip(top) {
        let hashes = top.iter().filter_map(|(key, _)| match key {
            ValueKey::Hash(hash) => Some(*hash),
            ValueKey::Integer(_) => None,
        });
        let hashes: HashSet<u128> = hashes.collect();
        if !hashes.is_empty() {
            let entry = wanted.entry((pair.child, pair_form(profiles, *pair)));
            if let Some(known) = entry.or_insert_with(|| Some(HashSet::new())) {
                known.extend(hashes);
            }
        }
    }
    wanted
}

/// Returns the form in which a pair that was counted compares.
fn pair_form(profiles: &Profiles, pair: ColumnPair) -> Form {
    let (child, parent) = (&profiles.columns[pair.child], &profiles.columns[pair.parent]);
    parent.form_against(child).unwrap_or(parent.plan.own)
}

/// Returns the missing keys with the most rows. Of equally frequent ones it returns all that may be shown.
fn top_missing(profiles: &Profiles, pair: ColumnPair, most: usize) -> Vec<(ValueKey, u64)> {
    let (child, parent) = (&profiles.columns[pair.child], &profiles.columns[pair.parent]);
    if needs_engine(child, parent) || child.keys.is_dropped || parent.keys.is_dropped {
        return Vec::new();
    }
    let form = pair_form(profiles, pair);
    let mut missing = missing(child.keys_in(form), parent.keys_in(form), Part::WHOLE);
    keep_most_frequent(&mut missing, most);
    missing
}

/// Returns the number of keys in one part.
pub fn number_in(keys: &KeyCounts, part: Part) -> u64 {
    let mut number = 0;
    let _ = keys.each(|key, _| {
        number += u64::from(part.has(key));
        ControlFlow::Continue(())
    });
    number
}

/// Returns the keys of one part of a child that the parent does not have, with their rows.
pub fn missing(child: &KeyCounts, parent: &KeyCounts, part: Part) -> Vec<(ValueKey, u64)> {
    let mut missing: Vec<(ValueKey, u64)> = Vec::new();
    let _ = child.each_missing(parent, |key, rows| {
        if part.has(key) {
            missing.push((key, rows));
        }
        ControlFlow::Continue(())
    });
    missing
}

/// Keeps the keys with the most rows. Of equally frequent ones it keeps all that may be shown.
pub fn keep_most_frequent(missing: &mut Vec<(ValueKey, u64)>, most: usize) {
    missing.sort_unstable_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let least = missing.get(most.saturating_sub(1)).map_or(0, |(_, rows)| *rows);
    // The order of hashes changes from run to run, so every key of the last frequency is a candidate.
    missing.retain(|(_, rows)| *rows >= least);
}
