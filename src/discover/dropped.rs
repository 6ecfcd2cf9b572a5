//! Counts the columns whose keys were dropped in the first pass, in as many rounds as the memory asks for. Each round reads one part of
//! the keys.
//!
//! By now all other parents are known. A column that has shown a repeated key can only be a child, and is read no further as soon as
//! it has too many keys for the largest parent, or misses too many keys of every parent.

use std::collections::BTreeMap;

use super::DiscoverOptions;
use super::column_keys::Part;
use super::details;
use super::form::Fold;
use super::form::Form;
use super::integer_counts::IntegerCounts;
use super::key_counts::BYTES_OF_KEY;
use super::order::KeyOrder;
use super::pairs::ColumnPair;
use super::pairs::Outcome;
use super::pairs::Search;
use super::pairs::Tally;
use super::pairs::needs_engine;
use super::profile::ProfiledColumn;
use super::profile::Profiles;
use super::read;
use super::read::PassLimits;
use super::read::StopRule;
use super::read::TableReading;
use super::read::WantedColumn;
use super::tolerance::Tolerance;
use super::value_key::ValueKey;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::discovery::PairShape;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::schema::side;

/// The most equal parts of all keys.
const MOST_PARTS: u64 = 10_000;

/// The progress of one column over all rounds.
struct Progress {
    column: usize,
    stop: Option<StopRule>,
    distinct: u64,
    /// A lower bound of the distinct keys in any form.
    least_distinct: u64,
    rows: u64,
    integers: Option<(i64, i64)>,
    /// True if some key is no integer.
    has_hashes: bool,
}

impl Progress {
    /// Returns the largest number of distinct keys that can be counted.
    fn most_distinct(&self, profiles: &Profiles) -> u64 {
        let rows = profiles.columns[self.column].filled_rows();
        self.stop.as_ref().map_or(rows, StopRule::most_distinct)
    }

    /// Returns the memory in bytes for one of several equal parts of the column's keys, as the keys before the end of a part suggest.
    fn bytes(&self, divisor: u64, known: Part, profiles: &Profiles) -> u64 {
        let distinct = known.extrapolated(self.distinct).min(self.most_distinct(profiles)) / divisor;
        match self.integers {
            // Dense integers of a part take as much memory as those of the whole.
            Some((least, greatest)) if !self.has_hashes => {
                IntegerCounts::most_bytes(distinct, greatest.abs_diff(least).saturating_add(1))
            }
            _ => distinct * BYTES_OF_KEY,
        }
    }

    /// True if the column can only be a child, and misses too many keys of every parent.
    fn is_outside(&self, search: &Search<'_>, tallies: &BTreeMap<ColumnPair, Outcome>) -> bool {
        let mut own = tallies.iter().filter(|(pair, _)| pair.child == self.column);
        self.stop.is_some()
            && search.pruning.early_end
            && own.all(|(_, outcome)| matches!(outcome, Outcome::Counted(tally) if tally.is_outside))
    }
}

/// The details of a pair with a column whose keys were never in memory at once.
#[derive(Debug, Clone, Default)]
pub struct PartDetails {
    /// The shape of the keys of the first part.
    pub shape: Option<PairShape>,
    /// The missing keys with the most rows.
    pub missing: Vec<(ValueKey, u64)>,
    /// The child's distinct keys so far.
    distinct: u64,
    /// True once the pair was far outside of the tolerance. Its details are empty from then on.
    is_given_up: bool,
}

/// The pairs with a dropped column that are within the tolerance, and the details of those whose keys were read in parts.
pub type Found = (Vec<(ColumnPair, Outcome)>, BTreeMap<ColumnPair, PartDetails>);

/// Makes a search over columns; the columns change from round to round.
pub type SearchOf<'s> = dyn Fn(&[ProfiledColumn], &mut dyn FnMut(&Search<'_>)) + 's;

/// Counts all dropped columns, and returns the pairs with one of them. The keys stay in memory if one round was enough.
pub fn count(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &mut Profiles,
    search_of: &SearchOf<'_>,
    options: &DiscoverOptions<'_>,
) -> Result<Found, EngineError> {
    let mut dropped = begin(profiles, search_of);
    let bytes: u64 = dropped.iter().map(|progress| progress.most_distinct(profiles) * BYTES_OF_KEY).sum();
    let mut next = (!dropped.is_empty()).then(|| Part::nth(0, bytes.div_ceil(options.memory.max(1)).max(1)));
    let mut tallies: BTreeMap<ColumnPair, Outcome> = BTreeMap::new();
    let mut observed: BTreeMap<ColumnPair, PartDetails> = BTreeMap::new();
    while let Some(part) = next {
        read_part(schema, session, profiles, &mut dropped, part, options)?;
        search_of(&profiles.columns, &mut |search| {
            tally(search, &dropped, part, &mut tallies);
            if !part.is_whole() {
                observe_part(search, part, options.samples, &tallies, &mut observed);
            }
        });
        if options.deadline.has_passed() {
            return Err(EngineError::TimeLimit);
        }
        for progress in &mut dropped {
            let column = &mut profiles.columns[progress.column];
            progress.distinct += column.keys.own().distinct();
            progress.least_distinct += column.keys.least_distinct();
            progress.rows += column.keys.own().rows();
            progress.has_hashes |= column.keys.own().distinct_hashes() > 0;
            progress.integers = united(progress.integers, column.keys.own().integers().bounds());
            let was_repeated = column.keys.was_repeated || column.keys.own().has_repetition();
            if !part.is_whole() {
                column.keys.drop_keys();
            }
            column.keys.was_repeated = was_repeated;
        }
        if part.is_whole() {
            break;
        }
        search_of(&profiles.columns, &mut |search| {
            dropped.retain(|progress| !progress.is_outside(search, &tallies));
        });
        next = if dropped.is_empty() { None } else { part.next(divisor(&dropped, part, profiles, options.memory)) };
    }
    for progress in &dropped {
        let column = &mut profiles.columns[progress.column];
        // The engine has counted the keys that only the engine compares.
        if !column.is_excluded && column.plan.own.fold != Fold::Engine {
            column.distinct = Some(progress.distinct);
            column.is_unique = progress.rows > 0 && progress.distinct == progress.rows;
            column.integers = progress.integers;
        }
    }
    let mut found = Vec::new();
    search_of(&profiles.columns, &mut |search| found = within(search, &tallies));
    observed.retain(|pair, _| found.iter().any(|(known, _)| known == pair));
    name_restricted(schema, profiles);
    Ok((found, observed))
}

/// Returns in how many equal parts all keys would have to be divided, so that one fits into the memory.
fn divisor(dropped: &[Progress], known: Part, profiles: &Profiles, memory: u64) -> u64 {
    let bytes = |divisor: u64| dropped.iter().map(|progress| progress.bytes(divisor, known, profiles)).sum::<u64>();
    (1..MOST_PARTS).find(|&divisor| bytes(divisor) <= memory).unwrap_or(MOST_PARTS)
}

fn united(left: Option<(i64, i64)>, right: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (left, right) {
        (Some((least, greatest)), Some((first, last))) => Some((least.min(first), greatest.max(last))),
        (bounds, None) | (None, bounds) => bounds,
    }
}

/// Names the columns whose keys are not in memory, because later steps compare only keys in memory. An excluded column is no
/// child of any key. It can still be a part of a key that nobody declares.
fn name_restricted(schema: &Schema, profiles: &mut Profiles) {
    let is_missed = |column: &&ProfiledColumn| column.keys.is_dropped && (!column.is_excluded || column.is_keyless);
    for column in profiles.columns.iter().filter(is_missed) {
        let table = &schema.tables[column.table];
        profiles.not_observed.push(NotObserved {
            subject: side(&table.name, [table.columns[column.column].name.as_str()]),
            reason:
                "it has more keys than fit into the memory (see --memory), so that it was compared as a single column \
                     only: not as a part of a key of several columns, and not in another spelling"
                    .to_owned(),
            number: 1,
            omission: Omission::Restricted,
        });
    }
}

/// Returns the pairs within the tolerance whose parent is unique in all of its parts.
fn within(search: &Search<'_>, tallies: &BTreeMap<ColumnPair, Outcome>) -> Vec<(ColumnPair, Outcome)> {
    let mut found = Vec::new();
    for (&pair, &outcome) in tallies {
        let (child, parent) = (&search.columns[pair.child], &search.columns[pair.parent]);
        if child.is_excluded || !(parent.is_unique || parent.is_repeated_key()) {
            continue;
        }
        match outcome {
            Outcome::AskEngine => found.push((pair, outcome)),
            Outcome::Counted(tally) => {
                let distinct = match child.keys.is_dropped {
                    true => child.distinct.unwrap_or(tally.distinct),
                    false => parent.form_against(child).map_or(0, |form| child.keys_in(form).distinct()),
                };
                let tally = Tally { distinct, ..tally };
                if (search.is_required)(pair) || search.is_within(pair, search.tolerance_of(pair), &tally) {
                    found.push((pair, Outcome::Counted(tally)));
                }
            }
        }
    }
    found
}

/// Returns the dropped columns that can be a child or a parent, each with the rule that ends it.
fn begin(profiles: &mut Profiles, search_of: &SearchOf<'_>) -> Vec<Progress> {
    let mut dropped = Vec::new();
    search_of(&profiles.columns, &mut |search| {
        for (index, column) in search.columns.iter().enumerate() {
            if column.keys.is_dropped && column.has_keys() {
                // The parts of a declared key are compared with the parts of other tables.
                let may_stop = column.keys.was_repeated && !column.is_part;
                let stop = if may_stop { stop_rule(search, index) } else { None };
                dropped.push(Progress {
                    column: index,
                    stop,
                    distinct: 0,
                    least_distinct: 0,
                    rows: 0,
                    integers: None,
                    has_hashes: false,
                });
            }
        }
    });
    dropped.retain(|progress| {
        let is_without_parent = progress.stop.as_ref().is_some_and(|stop| stop.parents.is_empty());
        profiles.columns[progress.column].is_excluded = is_without_parent;
        !is_without_parent
    });
    dropped
}

/// Returns the rule that ends a column that is no parent; `None` if it must be counted in full.
fn stop_rule(search: &Search<'_>, child: usize) -> Option<StopRule> {
    let column = &search.columns[child];
    let mut rule = StopRule { parents: Vec::new(), rows: column.filled_rows(), counted: 0 };
    for (index, parent) in search.columns.iter().enumerate() {
        let pair = ColumnPair { child, parent: index };
        if (search.is_required)(pair) {
            return None;
        }
        let tolerance = search.tolerance_of(pair);
        let has_others = (column.may_have_texts() && parent.may_have_texts())
            || (column.may_have_fractions() && parent.may_have_fractions());
        let has_integers = column.may_have_integers() && parent.may_have_integers();
        // In files, the class of a text says less about what it equals.
        let may_be_equal =
            column.plan.own.file_kind().is_some() || has_others || (has_integers && !others_exclude(column, tolerance));
        let is_comparable = may_be_equal && parent.form_against(column).is_some();
        let may_hold = parent.may_be_parent() || ((parent.is_part || parent.is_keyless) && parent.has_keys());
        if index == child || !may_hold || !is_comparable {
            continue;
        }
        let keys = parent.distinct.unwrap_or(parent.filled_rows());
        match rule.parents.iter_mut().find(|(known, _)| *known == tolerance) {
            Some((_, most)) => *most = keys.max(*most),
            None => rule.parents.push((tolerance, keys)),
        }
    }
    if search.pruning.counts { Some(rule) } else { None }
}

/// True if a column is no child of a parent that has integers only: too many of its own keys are none.
fn others_exclude(column: &ProfiledColumn, tolerance: Tolerance) -> bool {
    let (stats, missing) = (&column.keys.stats, column.keys.dropped_hashes);
    let orphan_rows =
        stats.classes.fractions + stats.classes.texts - stats.classes.integer_texts - stats.classes.decimal_texts;
    // More missing keys would exceed their limit even more.
    let distinct = missing + (column.filled_rows() - orphan_rows);
    missing > tolerance.most_keys(distinct) && orphan_rows > tolerance.most_rows(column.filled_rows())
}

/// Reads one part of the keys of all dropped columns.
fn read_part(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &mut Profiles,
    dropped: &mut Vec<Progress>,
    part: Part,
    options: &DiscoverOptions<'_>,
) -> Result<(), EngineError> {
    let mut of_tables: BTreeMap<TableId, Vec<&Progress>> = BTreeMap::new();
    for progress in dropped.iter() {
        of_tables.entry(profiles.columns[progress.column].table).or_default().push(progress);
    }
    let wanted = |progress: &&Progress| {
        let column = &profiles.columns[progress.column];
        let plan = super::column_keys::FormPlan { part, ..column.plan.clone() };
        let stop = progress.stop.clone().map(|stop| StopRule { counted: progress.least_distinct, ..stop });
        WantedColumn { column: column.column, plan, stop }
    };
    let readings: Vec<TableReading> = of_tables
        .iter()
        .map(|(&table, columns)| TableReading { table, columns: columns.iter().map(wanted).collect() })
        .collect();
    let order: Vec<Vec<usize>> =
        of_tables.values().map(|columns| columns.iter().map(|progress| progress.column).collect()).collect();
    let limits = PassLimits {
        memory: u64::MAX,
        repeated_hashes: u64::MAX,
        threads: options.threads,
        progress: options.progress,
    };
    let tables = read::read(schema, session, &readings, &profiles.forms, &profiles.hasher, &limits)?;
    for (columns, keys) in order.into_iter().zip(tables) {
        let keys = keys?;
        for ((column, keys), is_stopped) in columns.into_iter().zip(keys.columns).zip(keys.stopped) {
            let column = &mut profiles.columns[column];
            let (stats, was_repeated) = (column.keys.stats, column.keys.was_repeated);
            column.keys = keys;
            column.keys.stats = stats;
            column.keys.was_repeated = was_repeated;
            column.is_excluded = is_stopped;
        }
    }
    dropped.retain(|progress| !profiles.columns[progress.column].is_excluded);
    Ok(())
}

/// Adds one part of every pair with a dropped column.
fn tally(search: &Search<'_>, dropped: &[Progress], part: Part, tallies: &mut BTreeMap<ColumnPair, Outcome>) {
    let is_dropped = |column: usize| dropped.iter().any(|progress| progress.column == column);
    let mut add = |pair: ColumnPair| {
        let (child, parent) = (&search.columns[pair.child], &search.columns[pair.parent]);
        let Some(form) = parent.form_against(child) else { return };
        let is_possible = pair.child != pair.parent && child.has_keys() && search.may_refer(pair);
        let is_no_key = parent.keys.was_repeated && !parent.is_repeated_key();
        if !is_possible || is_no_key || (!part.is_first() && !tallies.contains_key(&pair)) {
            return;
        }
        let is_own = |column: &ProfiledColumn| std::ptr::eq(column.keys_in(form), column.keys.own());
        let are_own = is_own(child) && is_own(parent);
        let needs_engine = needs_engine(child, parent) || !(are_own || part.is_whole());
        match tallies.entry(pair).or_insert(Outcome::Counted(Tally::default())) {
            Outcome::AskEngine => {}
            outcome if needs_engine => *outcome = Outcome::AskEngine,
            Outcome::Counted(tally) => search.count(pair, part, search.tolerance_of(pair), tally),
        }
    };
    for progress in dropped {
        for other in 0..search.columns.len() {
            add(ColumnPair { child: progress.column, parent: other });
            if !is_dropped(other) {
                add(ColumnPair { child: other, parent: progress.column });
            }
        }
    }
}

/// Keeps the details of one part of the pairs that may be within the tolerance.
fn observe_part(
    search: &Search<'_>,
    part: Part,
    samples: usize,
    tallies: &BTreeMap<ColumnPair, Outcome>,
    observed: &mut BTreeMap<ColumnPair, PartDetails>,
) {
    let mut orders: BTreeMap<(usize, Form), KeyOrder> = BTreeMap::new();
    for (&pair, outcome) in tallies {
        let Outcome::Counted(tally) = outcome else { continue };
        let (child, parent) = (&search.columns[pair.child], &search.columns[pair.parent]);
        let Some(form) = parent.form_against(child) else { continue };
        let (keys, parent_keys) = (child.keys_in(form), parent.keys_in(form));
        let details = observed.entry(pair).or_default();
        details.distinct += details::number_in(keys, part);
        // Nearly all pairs are, and their lists of missing keys would take much memory.
        let is_far_outside = tally.missing_keys > details.distinct / 2 + search.tolerance.least_keys;
        if tally.is_outside || details.is_given_up || is_far_outside {
            *details = PartDetails { is_given_up: true, ..PartDetails::default() };
            continue;
        }
        if part.is_first() {
            let order = orders.entry((pair.parent, form)).or_insert_with(|| KeyOrder::new(parent_keys, part, None));
            details.shape = order.shape(keys);
        }
        if tally.missing_keys > 0 {
            details.missing.extend(details::missing(keys, parent_keys, part));
            details::keep_most_frequent(&mut details.missing, samples);
        }
    }
}
