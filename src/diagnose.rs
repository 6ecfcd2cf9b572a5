//! The likely cause of missing keys, each with its evidence.
//!
//! A relation's missing keys with the most rows are examined; each gets the first cause that holds, and keys of one
//! cause are told together. Two causes are about the relation as a whole: an empty parent, and a parent that lost
//! more than half of what is referred to.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::finding::Cause;
use crate::model::finding::Diagnosis;
use crate::model::finding::MissingKey;
use crate::model::redaction::Redaction;
use crate::model::redaction::ShownValue;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan::Tally;
use crate::sql;

mod near_miss;
pub mod parent_key;
mod sentinel;
mod wrong_table;

/// A parent with more rows than this is only searched this far for near misses.
const PARENTS_SEARCHED: u64 = 1_000_000;

/// Diagnoses one relation's missing keys; empty when it has none. A question that fails leaves its cause out.
pub fn diagnose(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
    redaction: &Redaction,
) -> Vec<Diagnosis> {
    if tally.top.is_empty() {
        return Vec::new();
    }
    if parent_is_empty(schema, session, relation) {
        let parent = &relation.parent.name;
        let evidence = format!("{parent} has no rows at all");
        return vec![Diagnosis { cause: Cause::ParentTableEmpty, rows: tally.orphan_rows, evidence }];
    }
    let show: Show<'_> = &|key| redaction.key(schema, relation, key);
    let mut open: Vec<&MissingKey<Value>> = tally.top.iter().collect();
    let mut explained: Vec<(Cause, u64, String)> = Vec::new();
    explain(&mut open, &mut explained, Cause::SoftDeleted, soft_deleted(schema, session, relation, tally, show));
    explain(&mut open, &mut explained, Cause::Sentinel, sentinel::find(&tally.top, show));
    for (cause, evidence) in near_miss::find(schema, session, relation, &open, show).unwrap_or_default() {
        explain(&mut open, &mut explained, cause, evidence);
    }
    let elsewhere = wrong_table::find(schema, session, relation, &open, show).unwrap_or_default();
    explain(&mut open, &mut explained, Cause::WrongTable, elsewhere);
    let later = not_loaded_yet(schema, session, relation, &open, show).unwrap_or_default();
    explain(&mut open, &mut explained, Cause::NotLoadedYet, later);
    let told: u64 = explained.iter().map(|(_, rows, _)| rows).sum();
    let mut found: Vec<Diagnosis> =
        explained.into_iter().map(|(cause, rows, evidence)| Diagnosis { cause, rows, evidence }).collect();
    found.extend(remainder(schema, session, relation, tally, &open, tally.orphan_rows.saturating_sub(told), show));
    found
}

/// What is left once every other cause had its say: a parent that lost rows, or nothing that is known.
fn remainder(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
    open: &[&MissingKey<Value>],
    rows: u64,
    show: Show<'_>,
) -> Option<Diagnosis> {
    if rows == 0 {
        return None;
    }
    let mostly_unexplained = open.len() * 2 > tally.top.len();
    let loss = if mostly_unexplained { parent_loss(schema, session, relation, tally).ok().flatten() } else { None };
    if let Some(evidence) = loss {
        return Some(Diagnosis { cause: Cause::ParentLoss, rows, evidence });
    }
    let evidence = if open.is_empty() {
        "only the most frequent keys were examined".to_owned()
    } else {
        format!("nothing like {} was found", list(open.iter().map(|missing| &missing.key), show))
    };
    Some(Diagnosis { cause: Cause::Unknown, rows, evidence })
}

/// What a cause says about some keys: the keys it explains, and the evidence.
type Evidence = Option<(Vec<Key>, String)>;

/// A key as it may be shown in evidence.
type Show<'a> = &'a dyn Fn(&Key) -> Vec<ShownValue>;

fn explain(
    open: &mut Vec<&MissingKey<Value>>,
    explained: &mut Vec<(Cause, u64, String)>,
    cause: Cause,
    evidence: Evidence,
) {
    let Some((keys, evidence)) = evidence else { return };
    let rows = open.iter().filter(|missing| keys.contains(&missing.key)).map(|missing| missing.rows).sum();
    open.retain(|missing| !keys.contains(&missing.key));
    if rows > 0 {
        explained.push((cause, rows, evidence));
    }
}

fn parent_is_empty(schema: &Schema, session: &mut dyn Session, relation: &Relation) -> bool {
    let Some(question) = sql::of(schema).parent_has_rows(schema, relation) else { return false };
    session.numbers(&question).is_ok_and(|answer| answer == [0])
}

fn parent_loss(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
) -> Result<Option<String>, EngineError> {
    if schema.parent(relation).is_none() || relation.scope.soft_deleted.is_some() {
        return Ok(None);
    }
    let matched = session.numbers(&sql::of(schema).matched_keys(schema, relation, tally.missing_keys))?;
    let matched = matched.first().copied().unwrap_or(0);
    let lost = matched < tally.missing_keys && tally.missing_keys > 1;
    Ok(lost.then(|| {
        format!(
            "{} of {} distinct keys are missing from {}: it seems to have lost rows",
            tally.missing_keys,
            tally.missing_keys + matched,
            relation.parent.name
        )
    }))
}

fn soft_deleted(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
    show: Show<'_>,
) -> Evidence {
    let keys: Vec<&Key> = tally.top.iter().map(|missing| &missing.key).collect();
    let question = sql::of(schema).soft_deleted_keys(schema, relation, &keys)?;
    let found = positions(session, &question, &keys).ok()?;
    let keys: Vec<Key> = found.into_iter().filter_map(|i| keys.get(i).map(|&key| key.clone())).collect();
    let evidence = format!("{} marked as deleted in {}", is_or_are(&keys, show), relation.parent.name);
    (!keys.is_empty()).then_some((keys, evidence))
}

/// Integer keys beyond the largest that the parent has.
fn not_loaded_yet(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    open: &[&MissingKey<Value>],
    show: Show<'_>,
) -> Result<Evidence, EngineError> {
    let mut columns = schema.parent_columns(relation);
    let (Some(column), None) = (columns.next(), columns.next()) else { return Ok(None) };
    let Some(question) =
        sql::of(schema).largest_parent_key(schema, relation).filter(|_| column.family == Family::Integer)
    else {
        return Ok(None);
    };
    let mut largest = None;
    session.each_row(&question, &mut |row| largest = row.first().and_then(Value::as_integer))?;
    let Some(largest) = largest else { return Ok(None) };
    let beyond = |key: &Key| key.first().and_then(Value::as_integer).is_some_and(|number| number > largest);
    let keys: Vec<Key> = open.iter().map(|missing| &missing.key).filter(|key| beyond(key)).cloned().collect();
    let parent = side(&relation.parent.name, [column.name.as_str()]);
    let evidence = format!(
        "{} beyond the largest {parent}, {}",
        is_or_are(&keys, show),
        text::key(&show(&vec![Value::Integer(largest)]))
    );
    Ok((!keys.is_empty()).then_some((keys, evidence)))
}

/// The keys, among those that were asked about, that an answer of one position a row names.
fn positions(session: &mut dyn Session, question: &sql::Sql, keys: &[&Key]) -> Result<Vec<usize>, EngineError> {
    let mut found = Vec::new();
    session.numbered(question, keys.len(), &mut |index, _| found.push(index))?;
    Ok(found)
}

/// `22 is`, `22 and 23 are`, `22, 23 and 4 more are`.
fn is_or_are(keys: &[Key], show: Show<'_>) -> String {
    let verb = if keys.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", list(keys, show))
}

fn list<'a>(keys: impl IntoIterator<Item = &'a Key>, show: Show<'_>) -> String {
    let shown: Vec<String> = keys.into_iter().map(|key| text::key(&show(key))).collect();
    match shown.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

/// A unique key of a table that rows of another could mean, read through its index.
fn keys_of(table: &Table, width: usize) -> impl Iterator<Item = &Index> {
    let usable = table.kind == TableKind::Table;
    table.indexes.iter().filter(move |index| {
        usable
            && index.unique
            && !index.partial
            && index.columns.len() == width
            && index.columns.iter().all(|part| part.column.is_some())
    })
}

/// Groups keys by cause, in the order of [`Cause`].
fn by_cause(found: Vec<(Cause, Key, String)>) -> Vec<(Cause, Evidence)> {
    let mut groups: BTreeMap<Cause, (Vec<Key>, String)> = BTreeMap::new();
    for (cause, key, evidence) in found {
        groups.entry(cause).or_insert_with(|| (Vec::new(), evidence)).0.push(key);
    }
    let with_count = |(keys, evidence): (Vec<Key>, String)| {
        let more = keys.len() - 1;
        let evidence = if more == 0 { evidence } else { format!("{evidence}, and {more} more like it") };
        Some((keys, evidence))
    };
    groups.into_iter().map(|(cause, group)| (cause, with_count(group))).collect()
}
