//! Counts the combinations of columns, and returns those within the tolerance as pairs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::DiscoverOptions;
use super::asked_counts;
use super::column_keys::Part;
use super::combinations::Combination;
use super::key_counts::BYTES_OF_KEY;
use super::profile::Profiles;
use super::read::StopRule;
use super::tuples;
use super::tuples::TuplePart;
use super::tuples::Tuples;
use super::tuples::WantedTuples;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::discovery::FoundKey;
use crate::model::discovery::Pair;
use crate::model::discovery::PairCounts;
use crate::model::ids::TableId;
use crate::model::schema::Schema;

/// The counts of a combination so far.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rows: u64,
    distinct: u64,
    missing_keys: u64,
    orphan_rows: u64,
    is_outside: bool,
}

/// Returns the combinations within the tolerance, in order.
pub fn pairs(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &Profiles,
    keys: &mut [FoundKey],
    combinations: &[Combination],
    options: &DiscoverOptions<'_>,
) -> Result<Vec<Pair>, EngineError> {
    let plan = Plan::new(profiles, keys, combinations, options);
    let rounds = plan.bytes().div_ceil(options.memory.max(1)).max(1);
    let mut tallies = vec![Tally::default(); combinations.len()];
    let mut parents = vec![(0, 0); plan.parents.len()];
    for number in 0..rounds {
        let part = Part { number, of: rounds };
        let count = |session: &mut dyn Session, wanted: &[WantedTuples]| {
            tuples::count(schema, session, wanted, &profiles.forms, &profiles.hasher, part, options.threads)
        };
        let parent_tuples = count(session, &plan.parents)?;
        for (all, tuples) in parents.iter_mut().zip(&parent_tuples) {
            all.0 += tuples.keys.distinct();
            all.1 += tuples.keys.rows();
        }
        let child_tuples = count(session, &plan.children)?;
        for (index, combination) in combinations.iter().enumerate() {
            if let Some((child, parent)) = plan.sides[index] {
                let parent_is_unique = parents[parent].0 == parents[parent].1;
                tallies[index].is_outside |= !parent_is_unique && !combination.needs_engine;
                add(&mut tallies[index], &child_tuples[child], &parent_tuples[parent]);
            }
        }
    }
    for (wanted, (distinct, rows)) in plan.parent_keys.iter().zip(&parents) {
        keys[*wanted].distinct = *distinct;
        keys[*wanted].repeated_rows = rows - distinct;
    }
    let mut found = Vec::new();
    for (combination, tally) in combinations.iter().zip(&tallies) {
        let (child, parent) = (list(profiles, &combination.child), list(profiles, &combination.parent));
        let rows = profiles.columns[combination.child[0]].rows;
        let counts = if combination.needs_engine {
            asked_counts(schema, session, &child, &parent)?
        } else {
            PairCounts {
                rows,
                null_rows: rows - tally.rows,
                orphan_rows: tally.orphan_rows,
                distinct: tally.distinct,
                missing_keys: tally.missing_keys,
            }
        };
        if (combination.needs_engine || !tally.is_outside) && options.has(&child, &parent, &counts) {
            found.push(pair(combination, child, parent, counts, &keys[combination.key]));
        }
    }
    found.sort_by(|left, right| (&left.child, &left.parent).cmp(&(&right.child, &right.parent)));
    found.dedup_by(|left, right| left.child == right.child && left.parent == right.parent);
    Ok(found)
}

fn pair(combination: &Combination, child: ColumnList, parent: ColumnList, counts: PairCounts, key: &FoundKey) -> Pair {
    Pair {
        child,
        parent,
        key: combination.key,
        condition: Vec::new(),
        counts,
        parent_keys: key.distinct,
        missing: Vec::new(),
        shape: None,
    }
}

fn list(profiles: &Profiles, columns: &[usize]) -> ColumnList {
    let table = columns.first().map(|&first| profiles.columns[first].table);
    let columns = columns.iter().map(|&column| profiles.columns[column].column).collect();
    ColumnList { table: table.unwrap_or_else(|| profiles.columns[0].table), columns }
}

/// Adds one part of the keys of a combination.
fn add(tally: &mut Tally, child: &Tuples, parent: &Tuples) {
    tally.is_outside |= child.is_stopped;
    if tally.is_outside {
        return;
    }
    tally.rows += child.keys.rows();
    tally.distinct += child.keys.distinct();
    let _ = child.keys.each(|key, rows| {
        if !parent.keys.has(key) {
            tally.missing_keys += 1;
            tally.orphan_rows += rows;
        }
        ControlFlow::Continue(())
    });
}

/// The tuples to count.
struct Plan {
    parents: Vec<WantedTuples>,
    /// The key of each parent, as a position in the list of keys.
    parent_keys: Vec<usize>,
    children: Vec<WantedTuples>,
    /// The child and the parent of each combination; `None` if the engine counts it.
    sides: Vec<Option<(usize, usize)>>,
    parent_rows: u64,
}

impl Plan {
    fn new(
        profiles: &Profiles,
        keys: &[FoundKey],
        combinations: &[Combination],
        options: &DiscoverOptions<'_>,
    ) -> Plan {
        let mut plan = Plan {
            parents: Vec::new(),
            parent_keys: Vec::new(),
            children: Vec::new(),
            sides: Vec::new(),
            parent_rows: 0,
        };
        let mut known_parents: BTreeMap<usize, usize> = BTreeMap::new();
        let mut known_children: BTreeMap<(TableId, Vec<TuplePart>), usize> = BTreeMap::new();
        for combination in combinations {
            let columns = &profiles.columns;
            let table = columns[combination.parent[0]].table;
            let parts = |list: &[usize]| -> Vec<TuplePart> {
                let part = |(&column, &parent): (&usize, &usize)| TuplePart {
                    column: columns[column].column,
                    form: columns[parent].plan.own,
                    is_real: columns[column].plan.is_real,
                };
                list.iter().zip(&combination.parent).map(part).collect()
            };
            let parent = *known_parents.entry(combination.key).or_insert_with(|| {
                let parts = parts(&combination.parent);
                plan.parents.push(WantedTuples { table, parts, stop: None, ends_at_repetition: false });
                plan.parent_keys.push(combination.key);
                plan.parent_rows += columns[combination.parent[0]].rows;
                plan.parents.len() - 1
            });
            if combination.needs_engine {
                plan.sides.push(None);
                continue;
            }
            let child_table = columns[combination.child[0]].table;
            let parts = parts(&combination.child);
            let child = *known_children.entry((child_table, parts.clone())).or_insert_with(|| {
                let rows = combination.child.iter().map(|&column| columns[column].filled_rows()).min().unwrap_or(0);
                let stop = options.pruning.counts.then(|| StopRule { parents: Vec::new(), rows, counted: 0 });
                plan.children.push(WantedTuples { table: child_table, parts, stop, ends_at_repetition: false });
                plan.children.len() - 1
            });
            let is_strong =
                (options.has_strong_name)(&list(profiles, &combination.child), &list(profiles, &combination.parent));
            let tolerance = if is_strong { options.tolerance.for_strong_name() } else { options.tolerance };
            if let Some(stop) = &mut plan.children[child].stop {
                stop.parents.push((tolerance, keys[combination.key].distinct));
            }
            plan.sides.push(Some((child, parent)));
        }
        plan
    }

    /// Returns a high estimate of the memory for all tuples, in bytes.
    fn bytes(&self) -> u64 {
        let of_child = |child: &WantedTuples| child.stop.as_ref().map_or(0, StopRule::most_distinct);
        (self.parent_rows + self.children.iter().map(of_child).sum::<u64>()) * BYTES_OF_KEY
    }
}
