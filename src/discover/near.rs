//! Finds children whose keys agree with a parent only after a change of spelling, such as a leading blank.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::DiscoverOptions;
use super::column_batch::LONGEST_MARKED;
use super::integer_counts::SpreadMap;
use super::pairs::ColumnPair;
use super::pairs::Search;
use super::pairs::needs_engine;
use super::profile::ProfiledColumn;
use super::profile::Profiles;
use super::text_number::Number;
use super::text_number::number;
use super::value_key::KeyHasher;
use super::value_key::ValueKey;
use super::values;
use super::values::Values;
use super::values::WantedValues;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::discovery::Near;
use crate::model::discovery::NearForm;
use crate::model::discovery::PairCounts;
use crate::model::schema::Schema;
use crate::model::value::Value;

/// A column with more distinct values, or with longer ones, is not respelled.
const MOST_VALUES: u64 = 20_000;
const LONGEST_VALUE: u64 = LONGEST_MARKED as u64;

/// Fewer common keys say nothing.
const LEAST_KEYS: u64 = 3;

/// The spelled keys of a column, each with its rows.
struct Spelled {
    keys: SpreadMap<u128, u64>,
    /// True if the spelling changes a value.
    is_changed: bool,
    /// True if two values have the same spelling.
    is_merged: bool,
}

/// Returns every pair that is outside of the tolerance as the values stand and within it in a spelling. `known` are the
/// pairs that are within the tolerance as they stand, and `crowded` the children that have too many of these.
pub fn find(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &Profiles,
    (known, crowded): (&HashSet<ColumnPair>, &HashSet<usize>),
    options: &DiscoverOptions<'_>,
) -> Result<Vec<Near>, EngineError> {
    let columns = &profiles.columns;
    let eligible: Vec<usize> = (0..columns.len()).filter(|&index| may_be_near(&columns[index])).collect();
    if !eligible.iter().any(|&index| columns[index].keys.stats.classes.texts > 0) {
        return Ok(Vec::new());
    }
    let changed: Vec<usize> = eligible.iter().copied().filter(|&index| may_be_respelled(&columns[index])).collect();
    let wanted: Vec<WantedValues> =
        changed.iter().map(|&index| WantedValues::of(&columns[index], columns[index].plan.own, None)).collect();
    let values = values::find(schema, session, &wanted, &profiles.forms, &profiles.hasher, options.threads)?;
    let values: HashMap<usize, Values> = changed.into_iter().zip(values).collect();
    let mut known_parents: HashMap<usize, Vec<usize>> = HashMap::new();
    for pair in known {
        known_parents.entry(pair.child).or_default().push(pair.parent);
    }
    let mut found: Vec<Near> = Vec::new();
    for form in NearForm::ALL {
        let spelled: Vec<Spelled> = eligible
            .iter()
            .map(|index| Spelled::new(&columns[*index], values.get(index), form, &profiles.hasher))
            .collect();
        let may_be_parent = |index: usize| columns[eligible[index]].is_unique && !spelled[index].is_merged;
        let parents: Vec<usize> = (0..eligible.len()).filter(|&index| may_be_parent(index)).collect();
        for (child_index, &child) in eligible.iter().enumerate().filter(|(_, child)| !crowded.contains(child)) {
            let known_parents = known_parents.entry(child).or_default();
            let mut is_left_out = vec![false; columns.len()];
            is_left_out[child] = true;
            known_parents.iter().for_each(|&parent| is_left_out[parent] = true);
            for &parent_index in &parents {
                let parent = eligible[parent_index];
                let is_changed = spelled[child_index].is_changed || spelled[parent_index].is_changed;
                if is_left_out[parent] || !is_changed {
                    continue;
                }
                let pair = ColumnPair { child, parent };
                if let Some(counts) = counts(&columns[child], &spelled[child_index], &spelled[parent_index], options)
                    && let Some(as_stored) = as_stored(profiles, pair, options)
                {
                    let list = |index: usize| ColumnList::single(columns[index].table, columns[index].column);
                    found.push(Near { child: list(child), parent: list(parent), form, counts, as_stored });
                    known_parents.push(parent);
                }
            }
        }
    }
    found.sort_by(|left, right| (&left.child, &left.parent).cmp(&(&right.child, &right.parent)));
    Ok(found)
}

fn may_be_near(column: &ProfiledColumn) -> bool {
    let stats = &column.keys.stats;
    column.has_keys()
        && !column.keys.is_dropped
        && stats.classes.fractions == 0
        && stats.longest_text <= LONGEST_VALUE
        && (LEAST_KEYS..=MOST_VALUES).contains(&column.keys.own().distinct())
}

/// True if a spelling can change the texts of a column, or if its keys do not tell which texts they are.
fn may_be_respelled(column: &ProfiledColumn) -> bool {
    let (classes, marks) = (&column.keys.stats.classes, column.keys.stats.marks);
    column.keys.own().distinct_hashes() > 0
        && (marks.blank_end
            || marks.capital
            || marks.first_zero
            || classes.integer_texts + classes.decimal_texts > 0
            || !column.plan.own.has_hashes_of_texts_only(column.may_have_fractions()))
}

/// Returns the counts of a child under a spelling, if they are within the tolerance and not by chance.
fn counts(
    column: &ProfiledColumn,
    child: &Spelled,
    parent: &Spelled,
    options: &DiscoverOptions<'_>,
) -> Option<PairCounts> {
    let distinct = child.keys.len() as u64;
    let most = options.tolerance.most_keys(distinct);
    if distinct.saturating_sub(parent.keys.len() as u64) > most {
        return None;
    }
    let (mut missing_keys, mut orphan_rows) = (0, 0);
    for (key, rows) in &child.keys {
        if !parent.keys.contains_key(key) {
            missing_keys += 1;
            orphan_rows += rows;
            if missing_keys > most {
                return None;
            }
        }
    }
    let counts =
        PairCounts { rows: column.rows, null_rows: column.keys.stats.nulls, orphan_rows, distinct, missing_keys };
    (counts.present_keys() >= LEAST_KEYS).then_some(counts)
}

/// Returns the counts of a pair as the values stand, if few of its keys are present.
fn as_stored(profiles: &Profiles, pair: ColumnPair, options: &DiscoverOptions<'_>) -> Option<PairCounts> {
    let (child, parent) = (&profiles.columns[pair.child], &profiles.columns[pair.parent]);
    if parent.form_against(child).is_none() {
        let (orphan_rows, distinct) = (child.filled_rows(), child.keys.own().distinct());
        let (rows, null_rows) = (child.rows, child.keys.stats.nulls);
        return Some(PairCounts { rows, null_rows, orphan_rows, distinct, missing_keys: distinct });
    }
    if needs_engine(child, parent) {
        return None;
    }
    let search = Search {
        columns: &profiles.columns,
        tolerance: options.tolerance,
        pruning: options.pruning,
        has_strong_name: &|_| false,
        is_required: &|_| true,
        deadline: &options.deadline,
    };
    let tally = search.counted(pair)?;
    Some(PairCounts {
        rows: child.rows,
        null_rows: child.keys.stats.nulls,
        orphan_rows: tally.orphan_rows,
        distinct: tally.distinct,
        missing_keys: tally.missing_keys,
    })
}

impl Spelled {
    /// `values` has the texts of the keys; `None` if no spelling changes them.
    fn new(column: &ProfiledColumn, values: Option<&Values>, form: NearForm, hasher: &KeyHasher) -> Spelled {
        let mut spelled = Spelled { keys: SpreadMap::default(), is_changed: false, is_merged: false };
        let mut number_of_keys = 0;
        let respelled = |value: &Value| {
            let (text, is_changed) = spell(value, form);
            (hasher.bytes(&text), is_changed)
        };
        let _ = column.keys.own().each(|key, rows| {
            let (text, is_changed) = match (key, values) {
                (ValueKey::Integer(number), _) if column.keys.stats.classes.integers > 0 => {
                    respelled(&Value::Integer(number))
                }
                (ValueKey::Integer(number), _) => respelled(&Value::text(number.to_string())),
                (ValueKey::Hash(hash), Some(values)) => match values.get(&hash) {
                    Some(value) => respelled(value),
                    None => return ControlFlow::Continue(()),
                },
                (ValueKey::Hash(hash), None) => (hash, form == NearForm::Type),
            };
            spelled.is_changed |= is_changed;
            *spelled.keys.entry(text).or_default() += rows;
            number_of_keys += 1;
            ControlFlow::Continue(())
        });
        spelled.is_merged = spelled.keys.len() < number_of_keys;
        spelled
    }
}

/// Returns the spelling of a value, and true if it differs from the value as the engine compares it.
fn spell(value: &Value, form: NearForm) -> (Vec<u8>, bool) {
    let bytes = match value {
        Value::Integer(number) => return (number.to_string().into_bytes(), form == NearForm::Type),
        Value::Text(bytes) => bytes,
        other => return (format!("{other:?}").into_bytes(), false),
    };
    let text = String::from_utf8_lossy(bytes);
    let respelled = match form {
        NearForm::Trim => text.trim().to_owned(),
        NearForm::Case => text.to_lowercase(),
        NearForm::ZeroPadding => {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let stripped = text.trim_start_matches('0');
            if is_number { if stripped.is_empty() { "0" } else { stripped }.to_owned() } else { text.to_string() }
        }
        NearForm::Type => match number(bytes) {
            Number::Integer(number) => number.to_string(),
            Number::Real(number, _) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
            _ => text.to_string(),
        },
    };
    let is_changed = respelled != text || form == NearForm::Type;
    (respelled.into_bytes(), is_changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_changes_only_what_its_form_says() {
        let spelled = |form, text: &str| String::from_utf8(spell(&Value::text(text), form).0).unwrap();
        assert_eq!(spelled(NearForm::Trim, " ABQ "), "ABQ");
        assert_eq!(spelled(NearForm::Case, "Abq"), "abq");
        assert_eq!(spelled(NearForm::ZeroPadding, "007"), "7");
        assert_eq!(spelled(NearForm::ZeroPadding, "000"), "0");
        assert_eq!(spelled(NearForm::ZeroPadding, "0x7"), "0x7");
        assert_eq!(spelled(NearForm::Type, "7.0"), "7");
        assert_eq!(spell(&Value::Integer(7), NearForm::Type).0, b"7");
        assert!(!spell(&Value::text("abq"), NearForm::Case).1);
    }
}
