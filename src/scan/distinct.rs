//! Counts each row once that is an orphan of several relations, and each key once that several relations miss.
//!
//! Most counts follow from the results of the scan: the shown rows, if they are all rows, or the addresses of the proven
//! orphans. Otherwise the engine counts the rows of one table again, unless the table is large.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use roaring::RoaringTreemap;

use super::ScanResult;
use super::ScanResults;
use super::Tally;
use crate::engine::Session;
use crate::engine::Suspects;
use crate::model::finding::Sample;
use crate::model::finding_group::Distinct;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::sql;

/// The most rows of a table that the engine counts again.
const MOST_COUNTED: u64 = 1_000_000;

/// Counts the rows and the keys of several relations together.
pub struct DistinctCounter<'a> {
    schema: &'a Schema,
    facts: &'a ScanResults,
    /// The orphans of relations whose child has orphans of several relations; `None` if only the engine can tell.
    rows: BTreeMap<RelationId, Option<Rows>>,
    /// The answers so far, by the relations of one child in ascending order.
    counted: BTreeMap<Vec<RelationId>, Distinct>,
}

/// All orphans of one relation.
enum Rows {
    /// The names of the rows, in exact bytes.
    Named(BTreeSet<Vec<u8>>),
    Addresses(RoaringTreemap),
}

impl<'a> DistinctCounter<'a> {
    pub fn new(schema: &'a Schema, facts: &'a ScanResults) -> DistinctCounter<'a> {
        let mut of_child: BTreeMap<TableId, Vec<RelationId>> = BTreeMap::new();
        for (id, _) in with_orphans(facts) {
            of_child.entry(schema.relations[id].child).or_default().push(id);
        }
        let shared = of_child.into_values().filter(|relations| relations.len() > 1).flatten();
        let rows = shared.filter_map(|id| Some((id, rows(schema, &schema.relations[id], tally(facts, id)?)))).collect();
        DistinctCounter { schema, facts, rows, counted: BTreeMap::new() }
    }

    /// Returns how many rows are orphans of at least one of these relations.
    pub fn rows(&mut self, session: &mut dyn Session, relations: &[RelationId]) -> Distinct {
        let mut of_child: BTreeMap<TableId, Vec<RelationId>> = BTreeMap::new();
        for &id in relations.iter().filter(|&&id| self.orphans(id) > 0) {
            of_child.entry(self.schema.relations[id].child).or_default().push(id);
        }
        let count = |(child, mut relations): (TableId, Vec<RelationId>)| {
            relations.sort_unstable();
            if let Some(known) = self.counted.get(&relations) {
                return *known;
            }
            let rows = self.rows_of_child(session, child, &relations);
            self.counted.insert(relations, rows);
            rows
        };
        of_child.into_iter().map(count).sum()
    }

    fn rows_of_child(&self, session: &mut dyn Session, child: TableId, relations: &[RelationId]) -> Distinct {
        if let [single] = relations {
            return Distinct::exactly(self.orphans(*single));
        }
        if let Some(count) = self.union(relations) {
            return Distinct::exactly(count);
        }
        let tallies = || relations.iter().filter_map(|&id| tally(self.facts, id));
        let rows = tallies().map(|tally| tally.counts.rows).max().unwrap_or_default();
        let is_countable = tallies().all(|tally| tally.known_rows == 0 && tally.false_orphans.is_none());
        if is_countable && rows <= MOST_COUNTED {
            let about: Vec<&Relation> = relations.iter().map(|&id| &self.schema.relations[id]).collect();
            let question = sql::of(self.schema).count_orphans_of_any(self.schema, child, &about);
            let answer = question.and_then(|question| session.numbers(&question).ok());
            if let Some([count]) = answer.as_deref() {
                return Distinct::exactly(*count);
            }
        }
        let sum: u64 = relations.iter().map(|&id| self.orphans(id)).sum();
        Distinct { count: sum.min(rows), is_bound: true }
    }

    /// Returns the number of rows in the union, if all rows are known in one form.
    fn union(&self, relations: &[RelationId]) -> Option<u64> {
        let rows: Vec<&Rows> = relations.iter().map(|id| self.rows.get(id)?.as_ref()).collect::<Option<_>>()?;
        let (mut names, mut addresses) = (BTreeSet::new(), RoaringTreemap::new());
        for rows in &rows {
            match rows {
                Rows::Named(some) => names.extend(some),
                Rows::Addresses(some) => addresses |= some,
            }
        }
        let is_one_form = names.is_empty() || addresses.is_empty();
        is_one_form.then(|| names.len() as u64 + addresses.len())
    }

    /// Returns how many different keys these relations to one parent miss.
    pub fn keys(&self, relations: &[RelationId]) -> Distinct {
        let tallies: Vec<&Tally> = relations.iter().filter_map(|&id| tally(self.facts, id)).collect();
        if let [single] = tallies.as_slice() {
            return Distinct::exactly(single.missing_keys);
        }
        if tallies.iter().all(|tally| tally.top.len() as u64 == tally.missing_keys) {
            let keys = tallies.iter().flat_map(|tally| &tally.top).map(|missing| exact_bytes(&missing.key));
            return Distinct::exactly(keys.collect::<BTreeSet<_>>().len() as u64);
        }
        let integers: Option<Vec<RoaringTreemap>> = tallies.iter().map(|tally| integer_keys(tally)).collect();
        match integers {
            Some(sets) => Distinct::exactly(sets.into_iter().fold(RoaringTreemap::new(), |all, set| all | set).len()),
            None => {
                let sum = tallies.iter().map(|tally| tally.missing_keys).sum();
                Distinct { count: sum, is_bound: true }
            }
        }
    }

    fn orphans(&self, relation: RelationId) -> u64 {
        tally(self.facts, relation).map_or(0, |tally| tally.orphan_rows)
    }
}

/// Returns the relations with orphans that the baseline does not know.
fn with_orphans(facts: &ScanResults) -> impl Iterator<Item = (RelationId, &Tally)> {
    facts.ids().filter_map(|id| Some((id, tally(facts, id)?))).filter(|(_, tally)| tally.orphan_rows > 0)
}

fn tally(facts: &ScanResults, relation: RelationId) -> Option<&Tally> {
    match &facts[relation] {
        ScanResult::Checked(tally) => Some(tally),
        ScanResult::Unchecked(_) => None,
    }
}

/// Returns all orphans of a relation, if the results of the scan name all of them.
fn rows(schema: &Schema, relation: &Relation, tally: &Tally) -> Option<Rows> {
    let addresses = (tally.known_rows == 0).then(|| addresses(tally)).flatten();
    addresses.map(Rows::Addresses).or_else(|| named(schema, relation, tally).map(Rows::Named))
}

/// Returns the addresses of all orphans, if the storage proved all of them.
fn addresses(tally: &Tally) -> Option<RoaringTreemap> {
    if tally.orphans.len() != tally.orphan_rows || tally.suspects != Suspects::Rows(Vec::new()) {
        return None;
    }
    let mut rows = RoaringTreemap::new();
    let mut stream = tally.orphans.stream().ok()?;
    while let Some((_, address)) = stream.next_row().ok()? {
        rows.insert(address.cast_unsigned());
    }
    Some(rows)
}

/// Returns the names of all orphans, if all of them are shown and their names differ.
fn named(schema: &Schema, relation: &Relation, tally: &Tally) -> Option<BTreeSet<Vec<u8>>> {
    let child = schema.child(relation);
    let has_names = !child.primary_key.is_empty() || child.row_address.is_some();
    let samples = || tally.top.iter().flat_map(|missing| &missing.samples);
    (has_names && samples().count() as u64 == tally.orphan_rows).then(|| samples().map(name).collect())
}

fn name(sample: &Sample<Value>) -> Vec<u8> {
    let columns: Vec<Value> = sample.row.iter().map(|(column, _)| Value::text(column.as_str())).collect();
    exact_bytes(columns.iter().zip(&sample.row).flat_map(|(column, (_, value))| [column, value]))
}

/// Returns all missing keys, if each is one integer that the storage proved to be missing.
fn integer_keys(tally: &Tally) -> Option<RoaringTreemap> {
    if tally.known_keys > 0 || tally.suspects != Suspects::Rows(Vec::new()) {
        return None;
    }
    let mut keys = RoaringTreemap::new();
    let (mut stream, mut rows) = (tally.orphans.stream().ok()?, Vec::new());
    while let Some(group) = stream.next_group(0, &mut rows).ok()? {
        let [Value::Integer(key)] = group.key.as_slice() else { return None };
        keys.insert(key.cast_unsigned());
    }
    (keys.len() == tally.missing_keys).then_some(keys)
}
