//! Keys that are keys of another table: the reference was written with the wrong table's id.
//!
//! Small integers are keys of almost every table, so a table must be a good match to be named: all or most of the
//! keys, a name that fits where several tables would do, and no match by chance: a large table whose ids leave no gaps
//! has every number of its range.

use super::Evidence;
use super::Show;
use super::is_or_are;
use super::keys_of;
use super::positions;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::finding::MissingKey;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;

/// Bounds of the search.
const TABLES_SEARCHED: usize = 200;
const KEYS_SOUGHT: usize = 100;
/// How far away from a key the numbers are that would be keys by chance.
const FAR: i64 = 1_000;

pub(super) fn find(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    open: &[&MissingKey<Value>],
    show: Show<'_>,
) -> Result<Evidence, EngineError> {
    let keys: Vec<&Key> = open.iter().take(KEYS_SOUGHT).map(|missing| &missing.key).collect();
    if keys.is_empty() {
        return Ok(None);
    }
    let mut holders = Vec::new();
    for (table, index) in candidates(schema, relation, keys[0].len()).take(TABLES_SEARCHED) {
        let Some(question) = sql::of(schema).keys_elsewhere(schema, table, index, &keys) else { continue };
        let Ok(found) = positions(session, &question, &keys) else { continue };
        if !found.is_empty() {
            holders.push(Holder { table, index, found });
        }
    }
    let most = holders.iter().map(|holder| holder.found.len()).max().unwrap_or(0);
    let best: Vec<&Holder<'_>> =
        holders.iter().filter(|holder| holder.found.len() == most && most * 2 > keys.len()).collect();
    let by_name = best.iter().copied().filter(|holder| name_fits(schema, relation, holder.table)).collect::<Vec<_>>();
    let chosen = match (by_name.as_slice(), best.as_slice()) {
        ([first, ..], _) => first,
        ([], [first, others @ ..]) if others.is_empty() || !keys.iter().all(|key| is_small_integer(key)) => {
            if has_any_number(schema, session, first, &keys) {
                return Ok(None);
            }
            first
        }
        _ => return Ok(None),
    };
    let keys: Vec<Key> = chosen.found.iter().filter_map(|&i| keys.get(i).map(|&key| key.clone())).collect();
    let evidence = format!("{} {}", is_or_are(&keys, show), chosen.name());
    Ok(Some((keys, evidence)))
}

/// Whether numbers far from the keys are found as often as the keys: then that they are found says nothing.
fn has_any_number(schema: &Schema, session: &mut dyn Session, holder: &Holder<'_>, keys: &[&Key]) -> bool {
    [-FAR, FAR].into_iter().any(|distance| {
        let far_value = |value: &Value| Some(Value::Integer(value.as_integer()?.checked_add(distance)?));
        let far: Option<Vec<Key>> = keys.iter().map(|key| key.iter().map(far_value).collect()).collect();
        let Some(far) = far else { return false };
        let far: Vec<&Key> = far.iter().collect();
        let question = sql::of(schema).keys_elsewhere(schema, holder.table, holder.index, &far);
        let found = question.and_then(|question| positions(session, &question, &far).ok());
        found.is_some_and(|found| found.len() * 2 > keys.len())
    })
}

struct Holder<'a> {
    table: &'a Table,
    index: &'a Index,
    found: Vec<usize>,
}

impl Holder<'_> {
    fn name(&self) -> String {
        let columns = self.index.columns.iter().filter_map(|part| part.column);
        side(&self.table.name, columns.map(|column| self.table.columns[column].name.as_str()))
    }
}

/// Every other table's unique keys of the right width; the child itself is not another table unless it is neither
/// child nor parent.
fn candidates<'a>(
    schema: &'a Schema,
    relation: &'a Relation,
    width: usize,
) -> impl Iterator<Item = (&'a Table, &'a Index)> {
    let others = schema
        .tables
        .entries()
        .filter(move |(position, _)| Some(*position) != relation.parent.table && *position != relation.child);
    others.flat_map(move |(_, table)| keys_of(table, width).map(move |index| (table, index)))
}

/// The other table's name holds the parent's, or the other way round, or the child's column speaks of it.
fn name_fits(schema: &Schema, relation: &Relation, other: &Table) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().trim_end_matches('s').replace(['_', ' '], "");
    let other = plain(&other.name.table);
    let parent = plain(&relation.parent.name.table);
    let columns = schema.child_column_names(relation).map(|name| plain(name.trim_end_matches("_id")));
    other.contains(&parent)
        || parent.contains(&other)
        || columns.into_iter().any(|column| column.contains(&other) || other.contains(&column))
}

fn is_small_integer(key: &Key) -> bool {
    key.iter().all(|value| {
        value.as_integer().is_some_and(|number| number.abs() < 1_000_000) || matches!(value, Value::Real(_))
    })
}
