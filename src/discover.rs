//! Discovers relations that nobody declared: reads every column once, and finds each pair of columns in which the keys of
//! the child are, within a tolerance, among the keys of a parent.
//!
//! This part gives facts with exact counts. [`profile`] reads the columns, and [`column_keys`] holds the keys of each in every
//! [`form`] in which a parent compares. [`pairs`] compares the keys, and [`dropped`] those that need too much memory at once.
//! [`details`] adds missing keys and shapes to the pairs that remain. `typed_counts` counts polymorphic references, and `joins`
//! reads what views and triggers compare.

use std::collections::HashSet;

use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::discovery::Facts;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::discovery::Pair;
use crate::model::discovery::PairCounts;
use crate::model::ids::TableId;
use crate::model::progress::Progress;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Value;
use crate::sql;

pub mod column_batch;
pub mod column_keys;
pub mod combinations;
pub mod composite_counts;
pub mod composite_keys;
pub mod details;
pub mod dropped;
pub mod form;
pub mod forms;
pub mod integer_counts;
pub mod key_counts;
pub mod keys;
pub mod known;
pub mod near;
pub mod order;
pub mod packing;
pub mod pairs;
pub mod profile;
pub mod read;
pub mod repeats;
pub mod text_number;
pub mod tolerance;
pub mod tuples;
pub mod value_key;
pub mod values;

mod assess;
mod composite_judge;
mod conditional;
mod decide;
mod evidence;
mod feature;
mod features;
mod gates;
mod joins;
mod judge;
mod likeness;
mod logistic;
mod names;
mod neighbours;
mod polymorphic;
mod strong_names;
mod subject;
mod typed_counts;
mod weights;
mod without_rows;
mod words;

pub use assess::assess;
pub use strong_names::StrongNames;

use pairs::ColumnPair;
use pairs::Outcome;
use pairs::PairsOfChildren;
use pairs::Pruning;
use pairs::Search;
use profile::ProfiledColumn;
use profile::Profiles;
use tolerance::Tolerance;
use value_key::KeyHasher;

/// The options of a discovery.
pub struct DiscoverOptions<'a> {
    pub tolerance: Tolerance,
    pub pruning: Pruning,
    /// The largest number of columns of a key.
    pub max_arity: usize,
    /// The memory for keys, in bytes.
    pub memory: u64,
    pub threads: usize,
    /// The number of missing keys that are listed for each pair.
    pub samples: usize,
    /// The secret of the hashes, drawn anew for each run.
    pub seed: (u64, u64),
    pub is_wanted: &'a (dyn Fn(TableId) -> bool + Sync),
    /// True for a pair whose names speak clearly for it, so that more keys may be missing.
    pub has_strong_name: &'a (dyn Fn(&ColumnList, &ColumnList) -> bool + Sync),
    /// Ends the comparisons; the sessions have it as well.
    pub deadline: Deadline,
    pub progress: Progress<'a>,
}

impl DiscoverOptions<'_> {
    /// True if the counts of a pair are within the tolerance for its names.
    fn has(&self, child: &ColumnList, parent: &ColumnList, counts: &PairCounts) -> bool {
        let is_strong = (self.has_strong_name)(child, parent);
        let tolerance = if is_strong { self.tolerance.for_strong_name() } else { self.tolerance };
        tolerance.has(counts.distinct, counts.missing_keys, counts.complete_rows(), counts.orphan_rows)
    }
}

/// Reads the tables and returns all facts.
pub fn facts(schema: &Schema, session: &mut dyn Session, options: &DiscoverOptions<'_>) -> Result<Facts, EngineError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build();
    let pool = pool.map_err(|error| EngineError::Failed { why: error.to_string() })?;
    let hasher = KeyHasher::new(options.seed);
    let mut profiles = profile::profile(schema, session, hasher, options)?;
    (options.progress)(&ProgressStep::of(RunPhase::CompareColumns, 0, 0));
    let relations = known::relations(schema);
    let required = known::single(&relations, &profiles);
    let search_of = |columns: &[ProfiledColumn], search: &mut dyn FnMut(&Search<'_>)| {
        let list = |index: usize| ColumnList::single(columns[index].table, columns[index].column);
        let has_strong_name = |pair: ColumnPair| (options.has_strong_name)(&list(pair.child), &list(pair.parent));
        let is_required = |pair: ColumnPair| required.contains(&pair);
        search(&Search {
            columns,
            tolerance: options.tolerance,
            pruning: options.pruning,
            has_strong_name: &has_strong_name,
            is_required: &is_required,
            deadline: &options.deadline,
        });
    };
    let mut pairs = Ok(PairsOfChildren::default());
    search_of(&profiles.columns, &mut |search| pairs = pool.install(|| search.pairs()));
    let PairsOfChildren { mut found, left_out } = pairs?;
    name_left_out(schema, &mut profiles, &left_out);
    let (of_dropped, observed) = dropped::count(schema, session, &mut profiles, &search_of, options)?;
    found.extend(of_dropped);
    found.sort_unstable_by_key(|(pair, _)| *pair);
    let mut counted = Vec::new();
    for (pair, outcome) in found {
        let is_required = required.contains(&pair);
        let counts = counts(schema, session, &profiles, (pair, outcome), &[], options, is_required)?;
        counted.extend(counts.map(|counts| (pair, counts)));
    }
    let known: HashSet<ColumnPair> = counted.iter().map(|(pair, _)| *pair).collect();
    let crowded: HashSet<usize> = left_out.into_iter().map(|(child, _)| child).collect();
    let near = near::find(schema, session, &profiles, (&known, &crowded), options)?;
    let mut keys = keys::single_and_declared(schema, &profiles);
    let details = details::pairs(schema, session, &profiles, &keys, &counted, &observed, options)?;
    let mut pairs: Vec<Pair> = details.into_iter().map(|(_, pair)| pair).collect();
    pairs.extend(typed_counts::pairs(schema, session, &mut profiles, &search_of, &keys, options)?);
    composite_keys::add_declared(schema, session, &profiles, options, &mut keys)?;
    composite_keys::add_found(schema, session, &mut profiles, options, &mut keys)?;
    let (mut combinations, mut not_observed) = (Vec::new(), Vec::new());
    search_of(&profiles.columns, &mut |search| {
        combinations = combinations::combinations(schema, search, &keys, options, &mut not_observed);
    });
    profiles.not_observed.append(&mut not_observed);
    pairs.extend(composite_counts::pairs(schema, session, &profiles, &mut keys, &combinations, options)?);
    known::add(schema, session, relations, options, &mut profiles.not_observed, (&mut keys, &mut pairs))?;
    Ok(Facts {
        profiles: profiles.columns.iter().map(|column| column.profile(&schema.tables[column.table])).collect(),
        keys,
        pairs,
        near,
        joins: joins::find(schema, session)?,
        not_observed: profiles.not_observed,
    })
}

/// Names the children whose keys are among those of too many parents.
fn name_left_out(schema: &Schema, profiles: &mut Profiles, left_out: &[(usize, u64)]) {
    for &(child, number) in left_out {
        let column = &profiles.columns[child];
        let table = &schema.tables[column.table];
        profiles.not_observed.push(NotObserved {
            subject: side(&table.name, [table.columns[column.column].name.as_str()]),
            reason: "its values are among those of so many columns that only the parents it is named after are listed"
                .to_owned(),
            number,
            omission: Omission::Restricted,
        });
    }
}

/// Returns the counts of a pair. The engine counts it if its keys do not decide; `None` if it is then outside of the tolerance
/// and not required.
fn counts(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &Profiles,
    (pair, outcome): (ColumnPair, Outcome),
    condition: &[(usize, Value)],
    options: &DiscoverOptions<'_>,
    is_required: bool,
) -> Result<Option<PairCounts>, EngineError> {
    let (child, parent) = (&profiles.columns[pair.child], &profiles.columns[pair.parent]);
    let tally = match outcome {
        Outcome::Counted(tally) => tally,
        Outcome::AskEngine => {
            let list = |column: &ProfiledColumn| ColumnList::single(column.table, column.column);
            let (child, parent) = (list(child), list(parent));
            let counts = asked_counts_where(schema, session, &child, &parent, condition)?;
            return Ok((is_required || options.has(&child, &parent, &counts)).then_some(counts));
        }
    };
    Ok(Some(PairCounts {
        rows: child.rows,
        null_rows: child.keys.stats.nulls,
        orphan_rows: tally.orphan_rows,
        distinct: tally.distinct,
        missing_keys: tally.missing_keys,
    }))
}

/// True if values of each column of the child can equal values of the parent's.
pub fn are_comparable(schema: &Schema, child: &ColumnList, parent: &ColumnList) -> bool {
    let forms = forms::Forms::of(schema);
    child.columns.iter().zip(&parent.columns).all(|(&own, &key)| {
        let (own, key) = (forms.form(child.table, own), forms.form(parent.table, key));
        own.zip(key).is_some_and(|(own, key)| key.compares_with(own))
    })
}

/// Returns the counts of a pair from the engine.
pub fn asked_counts(
    schema: &Schema,
    session: &mut dyn Session,
    child: &ColumnList,
    parent: &ColumnList,
) -> Result<PairCounts, EngineError> {
    asked_counts_where(schema, session, child, parent, &[])
}

fn asked_counts_where(
    schema: &Schema,
    session: &mut dyn Session,
    child: &ColumnList,
    parent: &ColumnList,
    condition: &[(usize, Value)],
) -> Result<PairCounts, EngineError> {
    let table = |list: &ColumnList| &schema.tables[list.table];
    let sides = ((table(child), child.columns.as_slice()), (table(parent), parent.columns.as_slice()));
    if let Some(counts) = session.stored_pair_counts(sides.0, sides.1, condition)? {
        return Ok(counts);
    }
    let numbers = session.numbers(&sql::discover::pair_counts(schema, child, parent, condition))?;
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
    Ok(PairCounts {
        rows: number(0),
        null_rows: number(1),
        distinct: number(2),
        orphan_rows: number(3),
        missing_keys: number(4),
    })
}
