//! Keys that are keys of another table: the reference was written with the wrong table's id.
//!
//! Small integers are keys of almost every table, so a hit alone proves nothing. A table is named only if its hits cannot be
//! chance. Two controls measure chance: keys of the right parent, which show how far the two tables share their keys,
//! and the neighbours of the missing integers, which show how densely the other table is filled. Each other table is asked
//! once, for all relations.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Case;
use super::chance::Hits;
use super::names::TableNames;
use super::parent::Parent;
use super::parent::ParentKey;
use super::parent::key_of;
use super::unique_keys::UniqueKey;
use super::unique_keys::UniqueKeys;
use super::unique_keys::index_of;
use super::unique_keys::name;
use crate::engine::EngineError;
use crate::engine::RowsQuestion;
use crate::engine::Session;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan::run_in_parallel;
use crate::sql;

/// The number of missing keys, of keys of the parent, and of missing keys with neighbours that are probed in another table.
const KEYS_PROBED: usize = 16;
const PARENT_KEYS_PROBED: usize = 16;
const KEYS_WITH_NEIGHBOURS: usize = 5;
/// The most tables that are searched for one relation.
const TABLES_OF_A_CASE: usize = 200;
/// The most searches in tables whose names do not fit, over all relations: for rare values, and for small integers.
const RARE_SEARCHES: usize = 20_000;
const COMMON_SEARCHES: usize = 100;
/// The most tables that are named, if several have the keys.
const NAMED: usize = 3;
/// The most keys in one statement.
const KEYS_OF_A_STATEMENT: usize = 1_000;

/// The greatest probability of chance with which a table is named: if its name fits, if it fits and there is but one key,
/// and for any other table, divided by the number of tables that were tried.
const CHANCE_IF_NAMED: f64 = 0.05;
const CHANCE_IF_NAMED_AND_SINGLE: f64 = 0.25;
const CHANCE_OTHERWISE: f64 = 2e-3;
/// The rate of hits to expect for values that two tables never share by accident, such as UUIDs.
const RATE_OF_LONG_VALUES: f64 = 1e-4;

/// The table in which missing keys of a relation are.
#[derive(Debug, Clone, Default)]
pub(super) struct Elsewhere {
    /// The keys, and the table's key as `users(id)`, or several as `users(id) or people(id)`.
    pub(super) found: Option<(Vec<Key>, String)>,
    /// The number of tables that were searched, and of those with a key that could hold the values.
    pub(super) searched: usize,
    pub(super) tables: usize,
}

/// The search for one relation's keys in one table.
#[derive(Debug, Clone, Copy)]
struct Search {
    case: usize,
    name_fits: bool,
}

/// What is searched where: the probes of every case, and the searches in each table.
struct Plan {
    probes: BTreeMap<usize, Probes>,
    searches: Vec<(UniqueKey, Vec<Search>)>,
}

/// The keys to look up in another table.
#[derive(Debug, Clone, Default)]
struct Probes {
    missing: Vec<Key>,
    of_parent: Vec<Key>,
    neighbours: Vec<Key>,
    /// Integers somewhat above the largest missing key.
    above: Vec<Key>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    missing: Hits,
    of_parent: Hits,
    neighbours: Hits,
    above: Hits,
}

/// Searches the open keys of every case in other tables.
pub(super) fn find(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    cases: &[Case<'_>],
    parents: &BTreeMap<ParentKey, Parent>,
) -> Vec<Elsewhere> {
    let mut elsewhere = vec![Elsewhere::default(); cases.len()];
    if cases.iter().all(|case| case.open.is_empty()) {
        return elsewhere;
    }
    let Plan { probes, searches } = plan(schema, cases, parents, &mut elsewhere);
    let looked_up = look_up(schema, sessions, &searches, &probes);
    let outcomes = run_in_parallel(
        sessions,
        searches.len(),
        |session, i| {
            let (unique_key, searches) = &searches[i];
            match &looked_up[i] {
                Some(is_found) => Ok(outcomes(searches, &probes, is_found)),
                None => search(schema, session, *unique_key, searches, &probes),
            }
        },
        |_| {},
    );
    let mut holders: BTreeMap<usize, Vec<(UniqueKey, Search, Outcome)>> = BTreeMap::new();
    for ((unique_key, searches), outcomes) in searches.iter().zip(outcomes) {
        for (&search, outcome) in searches.iter().zip(outcomes.unwrap_or_default()) {
            holders.entry(search.case).or_default().push((*unique_key, search, outcome));
        }
    }
    let chosen: Vec<(usize, Vec<UniqueKey>)> = holders
        .into_iter()
        .map(|(case, holders)| {
            elsewhere[case].searched = holders.len();
            let largest = key_of(cases[case].relation).and_then(|key| parents.get(&key)?.largest);
            (case, choose(&cases[case], largest, &holders))
        })
        .filter(|(_, unique_keys)| !unique_keys.is_empty())
        .collect();
    let found = run_in_parallel(
        sessions,
        chosen.len(),
        |session, i| {
            let (case, unique_keys) = &chosen[i];
            let keys: Vec<&Key> = cases[*case].open.iter().map(|missing| &missing.key).collect();
            let is_found = present(schema, session, unique_keys[0], &keys)?;
            Ok(keys.into_iter().zip(is_found).filter(|(_, is_found)| *is_found).map(|(key, _)| key.clone()).collect())
        },
        |_| {},
    );
    for ((case, unique_keys), keys) in chosen.into_iter().zip(found) {
        let keys: Result<Vec<Key>, EngineError> = keys;
        let names: Vec<String> =
            unique_keys.into_iter().take(NAMED).map(|unique_key| name(schema, unique_key)).collect();
        elsewhere[case].found = keys.ok().filter(|keys| !keys.is_empty()).map(|keys| (keys, names.join(" or ")));
    }
    elsewhere
}

/// Decides which relation is searched in which table. Fitting names come first; then rare values, and small integers last.
fn plan(
    schema: &Schema,
    cases: &[Case<'_>],
    parents: &BTreeMap<ParentKey, Parent>,
    elsewhere: &mut [Elsewhere],
) -> Plan {
    let names = TableNames::of(schema);
    let unique_keys = UniqueKeys::of(schema);
    let (mut rare_left, mut common_left) = (RARE_SEARCHES, COMMON_SEARCHES);
    let mut probes = BTreeMap::new();
    let mut searches: BTreeMap<UniqueKey, Vec<Search>> = BTreeMap::new();
    for (position, case) in cases.iter().enumerate().filter(|(_, case)| !case.open.is_empty()) {
        let is_rare = case.open.iter().any(|missing| !is_small_integer(&missing.key));
        let fitting = names.fitting(schema, case.relation);
        let fits = unique_keys.candidates_in(schema, case, &fitting);
        // One small integer in a table of another name is never evidence, so that such a table is not missed.
        let others = if is_rare || case.open.len() > 1 {
            unique_keys.candidates_outside(schema, case, &fitting)
        } else {
            Vec::new()
        };
        elsewhere[position].tables = fits.len() + others.len();
        let left = if is_rare { &mut rare_left } else { &mut common_left };
        let left_of_case = TABLES_OF_A_CASE.saturating_sub(fits.len()).min(*left);
        let others: Vec<UniqueKey> = others.into_iter().take(left_of_case).collect();
        *left -= others.len();
        if fits.is_empty() && others.is_empty() {
            continue;
        }
        let parent = key_of(case.relation).and_then(|key| parents.get(&key));
        probes.insert(position, Probes::of(case, parent));
        let fits = fits.into_iter().take(TABLES_OF_A_CASE).map(|unique_key| (unique_key, true));
        for (unique_key, name_fits) in fits.chain(others.into_iter().map(|unique_key| (unique_key, false))) {
            searches.entry(unique_key).or_default().push(Search { case: position, name_fits });
        }
    }
    Plan { probes, searches: searches.into_iter().collect() }
}

impl Probes {
    fn of(case: &Case<'_>, parent: Option<&Parent>) -> Probes {
        let missing: Vec<Key> =
            spread(&case.open, KEYS_PROBED).into_iter().map(|missing| missing.key.clone()).collect();
        let of_parent = parent.map(|parent| spread(&parent.sample, PARENT_KEYS_PROBED)).unwrap_or_default();
        let of_parent = of_parent.into_iter().filter(|key| key.len() == missing[0].len()).cloned().collect();
        let mut integers: Vec<i64> = case.open.iter().filter_map(|missing| single_integer(&missing.key)).collect();
        if integers.len() < case.open.len() {
            return Probes { missing, of_parent, ..Probes::default() };
        }
        integers.sort_unstable();
        let around = |number: i64| [-3, -2, -1, 1, 2, 3].into_iter().filter_map(move |step| number.checked_add(step));
        let neighbours: BTreeSet<i64> = spread(&integers, KEYS_WITH_NEIGHBOURS)
            .into_iter()
            .flat_map(|&number| around(number))
            .filter(|number| integers.binary_search(number).is_err())
            .collect();
        let least = parent.and_then(|parent| parent.largest).unwrap_or(0).min(integers[0]);
        let largest = integers[integers.len() - 1];
        let range = largest.saturating_sub(least);
        let above = [6, 5, 4, 3].into_iter().filter_map(|part| largest.checked_add(range / part + 1));
        let key = |number: i64| vec![Value::Integer(number)];
        Probes {
            missing,
            of_parent,
            neighbours: neighbours.into_iter().map(key).collect(),
            above: above.map(key).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        self.missing.iter().chain(&self.of_parent).chain(&self.neighbours).chain(&self.above)
    }

    fn outcome(&self, mut is_found: impl Iterator<Item = bool>) -> Outcome {
        let mut hits = |keys: &[Key]| {
            let mut hits = Hits::default();
            is_found.by_ref().take(keys.len()).for_each(|is_found| hits.add(is_found));
            hits
        };
        Outcome {
            missing: hits(&self.missing),
            of_parent: hits(&self.of_parent),
            neighbours: hits(&self.neighbours),
            above: hits(&self.above),
        }
    }
}

/// Returns at most `most` items, evenly spread over all.
fn spread<T>(items: &[T], most: usize) -> Vec<&T> {
    let count = items.len().min(most);
    (0..count).map(|i| &items[i * items.len() / count]).collect()
}

fn single_integer(key: &Key) -> Option<i64> {
    if let [value] = &key[..] { value.as_integer() } else { None }
}

fn is_small_integer(key: &Key) -> bool {
    key.iter().all(|value| {
        value.as_integer().is_some_and(|number| number.abs() < 1_000_000) || matches!(value, Value::Real(_))
    })
}

/// True if no two tables share such a value by accident.
fn is_long(key: &Key) -> bool {
    key.iter().any(|value| match value {
        Value::Integer(number) => number.unsigned_abs() >= 1 << 40,
        Value::Text(bytes) => bytes.len() >= 16,
        Value::Blob(bytes) => bytes.len() >= 8,
        Value::Null | Value::Real(_) => false,
    })
}

/// Probes one table for all relations that are searched there.
fn search(
    schema: &Schema,
    session: &mut dyn Session,
    unique_key: UniqueKey,
    searches: &[Search],
    probes: &BTreeMap<usize, Probes>,
) -> Result<Vec<Outcome>, EngineError> {
    let keys: Vec<&Key> = all_probes(searches, probes).collect();
    Ok(outcomes(searches, probes, &present(schema, session, unique_key, &keys)?))
}

fn all_probes<'a>(searches: &[Search], probes: &'a BTreeMap<usize, Probes>) -> impl Iterator<Item = &'a Key> {
    searches.iter().flat_map(|search| probes[&search.case].all())
}

/// `is_found` has one flag for each probe.
fn outcomes(searches: &[Search], probes: &BTreeMap<usize, Probes>, is_found: &[bool]) -> Vec<Outcome> {
    let mut is_found = is_found.iter().copied();
    searches.iter().map(|search| probes[&search.case].outcome(is_found.by_ref())).collect()
}

/// Looks integers up in tables whose key is the address of their rows. Returns one flag for each probe of a table; `None`
/// for a table that only a query can answer for.
fn look_up(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    searches: &[(UniqueKey, Vec<Search>)],
    probes: &BTreeMap<usize, Probes>,
) -> Vec<Option<Vec<bool>>> {
    let mut found = vec![None; searches.len()];
    let question = |(unique_key, searches): &(UniqueKey, Vec<Search>)| {
        let (table, index) = (&schema.tables[unique_key.table], index_of(schema, *unique_key));
        let column = table.address_column?;
        let is_address = matches!(&index.columns[..], [part] if part.column == Some(column));
        let wanted = all_probes(searches, probes).map(single_integer).collect::<Option<Vec<i64>>>();
        Some(RowsQuestion { table, column, wanted: wanted.filter(|_| is_address)?, first: 0 })
    };
    let questions = searches.iter().enumerate().filter_map(|(position, search)| Some((position, question(search)?)));
    let (positions, questions): (Vec<usize>, Vec<RowsQuestion<'_>>) = questions.unzip();
    let answers = sessions.first_mut().map(|session| session.look_up_rows(&questions)).unwrap_or_default();
    for (position, answer) in positions.into_iter().zip(answers) {
        found[position] = answer.map(|answer| answer.is_present);
    }
    found
}

/// Returns one flag for each key: true if the table has it.
fn present(
    schema: &Schema,
    session: &mut dyn Session,
    unique_key: UniqueKey,
    keys: &[&Key],
) -> Result<Vec<bool>, EngineError> {
    let (table, index) = (&schema.tables[unique_key.table], index_of(schema, unique_key));
    let mut is_found = vec![false; keys.len()];
    let asked: Vec<usize> =
        (0..keys.len()).filter(|&i| sql::of(schema).can_be_elsewhere(table, index, keys[i])).collect();
    for some in asked.chunks(KEYS_OF_A_STATEMENT) {
        let wanted: Vec<&Key> = some.iter().map(|&i| keys[i]).collect();
        if let Some(question) = sql::of(schema).keys_elsewhere(schema, table, index, &wanted) {
            session.numbered(&question, wanted.len(), &mut |position, _| is_found[some[position]] = true)?;
        }
    }
    Ok(is_found)
}

/// Returns the table whose hits chance explains least, and others that explain them about as well; none if chance does.
fn choose(case: &Case<'_>, largest: Option<i64>, holders: &[(UniqueKey, Search, Outcome)]) -> Vec<UniqueKey> {
    let is_long = case.open.iter().all(|missing| is_long(&missing.key));
    let mut named: Vec<(bool, f64, UniqueKey)> = Vec::new();
    for (unique_key, search, outcome) in holders.iter().filter(|(_, _, outcome)| outcome.missing.found > 0) {
        let chance = outcome.chance(is_long);
        let limit = match (search.name_fits, outcome.missing.probed) {
            (true, 1) => CHANCE_IF_NAMED_AND_SINGLE,
            (true, _) => CHANCE_IF_NAMED,
            (false, _) => CHANCE_OTHERWISE / holders.len() as f64,
        };
        if chance <= limit || largest.is_some_and(|largest| outcome.fills_range(case, largest, search.name_fits)) {
            named.push((!search.name_fits, chance, *unique_key));
        }
    }
    named.sort_by(|left, right| left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal));
    let Some(&(is_unnamed, least, _)) = named.first() else { return Vec::new() };
    let is_as_likely = |other: &&(bool, f64, UniqueKey)| other.0 == is_unnamed && other.1 <= least * 1e3;
    named.iter().filter(is_as_likely).map(|(_, _, unique_key)| *unique_key).collect()
}

impl Outcome {
    /// Returns the probability that a table with nothing to do with the keys has as many of them.
    fn chance(self, is_long: bool) -> f64 {
        let controls = [self.of_parent, self.neighbours];
        // A control without a hit is too short to exclude hits, so such controls are taken together.
        let (with_hits, without): (Vec<Hits>, Vec<Hits>) = controls.into_iter().partition(|hits| hits.found > 0);
        let nothing_shared = with_hits.is_empty();
        let pooled = Hits { found: 0, probed: without.iter().map(|hits| hits.probed).sum() };
        let measured = with_hits.into_iter().map(Hits::rate).fold(pooled.rate(), f64::max);
        let rate = if is_long && nothing_shared { RATE_OF_LONG_VALUES } else { measured };
        self.missing.probability(rate)
    }

    /// True if the keys lie beyond all keys of the right parent, thinly spread, and over the whole range of this table's
    /// keys. Rows that are not loaded yet follow closely upon the parent's last key instead.
    fn fills_range(self, case: &Case<'_>, largest: i64, name_fits: bool) -> bool {
        let keys: Option<Vec<i64>> = case.open.iter().map(|missing| single_integer(&missing.key)).collect();
        let Some(keys) = keys else { return false };
        let (Some(&first), Some(&last)) = (keys.iter().min(), keys.iter().max()) else { return false };
        let is_beyond = first > largest;
        let is_thin = last.saturating_sub(largest).unsigned_abs() > 3 * case.tally.missing_keys;
        let are_all_found = self.missing.found == self.missing.probed;
        let ends_there = self.above.found == 0;
        is_beyond && is_thin && are_all_found && (if name_fits { keys.len() > 2 } else { keys.len() > 4 && ends_there })
    }
}
