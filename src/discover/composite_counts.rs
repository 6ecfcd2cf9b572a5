//! Counts the combinations of columns, and returns those within the tolerance as pairs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::DiscoverOptions;
use super::asked_counts;
use super::column_keys::Part;
use super::combinations::Combination;
use super::composite_keys;
use super::form::Form;
use super::integer_counts::IntegerCounts;
use super::key_counts::BYTES_OF_KEY;
use super::packing::Packing;
use super::pairs::Pruning;
use super::profile::ProfiledColumn;
use super::profile::Profiles;
use super::read::StopRule;
use super::tolerance::Tolerance;
use super::tuples;
use super::tuples::Counting;
use super::tuples::Parents;
use super::tuples::TupleEnd;
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
    let mut count = Count {
        schema,
        profiles,
        options,
        plan: &plan,
        tallies: vec![Tally::default(); combinations.len()],
        parents: vec![(0, 0); plan.parents.len()],
    };
    // Most children are excluded early, so that the others nearly always fit into the memory beside the parents.
    let memory = options.memory.max(1);
    let rounds = (2 * plan.parent_bytes).div_ceil(memory);
    let dropped = count.run(session, (0..plan.children.len()).collect(), rounds, Attempt::First)?;
    if !dropped.is_empty() {
        let rounds = plan.bytes_with(&dropped).div_ceil(memory);
        count.run(session, dropped, rounds, Attempt::Last)?;
    }
    let Count { tallies, parents, .. } = count;
    for (wanted, (distinct, rows)) in plan.parent_keys.iter().zip(&parents) {
        if let Some(wanted) = *wanted {
            keys[wanted].distinct = *distinct;
            keys[wanted].repeated_rows = rows - distinct;
        }
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

/// The attempts to count children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// Children that do not fit into the memory are dropped.
    First,
    /// There are so many rounds that all children fit.
    Last,
}

/// The counts of all combinations so far.
struct Count<'a> {
    schema: &'a Schema,
    profiles: &'a Profiles,
    options: &'a DiscoverOptions<'a>,
    plan: &'a Plan,
    tallies: Vec<Tally>,
    /// The distinct complete keys of each parent, and the rows with one.
    parents: Vec<(u64, u64)>,
}

impl Count<'_> {
    /// Counts the combinations of some children in so many rounds. Returns the children that were dropped.
    fn run(
        &mut self,
        session: &mut dyn Session,
        children: BTreeSet<usize>,
        rounds: u64,
        attempt: Attempt,
    ) -> Result<BTreeSet<usize>, EngineError> {
        let mut dropped: BTreeSet<usize> = BTreeSet::new();
        let rounds = rounds.max(1);
        for number in 0..rounds {
            let part = Part::nth(number, rounds);
            let parents = self.tuples(session, &self.plan.parents, part, u64::MAX)?;
            if attempt == Attempt::First {
                for (all, tuples) in self.parents.iter_mut().zip(&parents) {
                    all.0 += tuples.keys.distinct();
                    all.1 += tuples.keys.rows();
                }
            }
            // A child that every parent excluded in an earlier round is not read again.
            let mut needed: BTreeSet<usize> = BTreeSet::new();
            for (sides, tally) in self.plan.sides.iter().zip(&mut self.tallies) {
                let Some((child, parent)) = *sides else { continue };
                tally.is_outside |= self.parents[parent].0 != self.parents[parent].1;
                if !tally.is_outside && children.contains(&child) && !dropped.contains(&child) {
                    needed.insert(child);
                }
            }
            let wanted: Vec<WantedTuples<'_>> =
                needed.iter().map(|&child| self.plan.children[child].tuples(&parents, self.options.pruning)).collect();
            let of_parents: u64 = parents.iter().map(|parent| parent.keys.bytes()).sum();
            let memory = match attempt {
                Attempt::First => self.options.memory.saturating_sub(of_parents),
                Attempt::Last => u64::MAX,
            };
            let counted = self.tuples(session, &wanted, part, memory)?;
            let counted: BTreeMap<usize, Tuples> = needed.into_iter().zip(counted).collect();
            dropped.extend(counted.iter().filter(|(_, tuples)| tuples.is_dropped).map(|(child, _)| *child));
            for (sides, tally) in self.plan.sides.iter().zip(&mut self.tallies) {
                let Some((child, parent)) = *sides else { continue };
                match counted.get(&child) {
                    Some(tuples) if tuples.is_dropped => *tally = Tally::default(),
                    Some(tuples) => add(tally, tuples, &parents[parent]),
                    None => {}
                }
            }
        }
        Ok(dropped)
    }

    fn tuples(
        &self,
        session: &mut dyn Session,
        wanted: &[WantedTuples<'_>],
        part: Part,
        memory: u64,
    ) -> Result<Vec<Tuples>, EngineError> {
        let Profiles { forms, hasher, .. } = self.profiles;
        let counting = Counting { forms, hasher, part, memory, threads: self.options.threads };
        tuples::count(self.schema, session, wanted, &counting)
    }
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
    let _ = child.keys.each_missing(&parent.keys, |_, rows| {
        tally.missing_keys += 1;
        tally.orphan_rows += rows;
        ControlFlow::Continue(())
    });
}

/// Returns some columns as parts of a key, each in the form in which the columns of a combination compare.
fn parts(profiles: &Profiles, columns: &[usize], forms: &[Form]) -> Vec<TuplePart> {
    let part = |(&column, &form): (&usize, &Form)| TuplePart {
        column: profiles.columns[column].column,
        form,
        is_real: profiles.columns[column].plan.is_real,
    };
    columns.iter().zip(forms).map(part).collect()
}

/// Returns the forms in which the columns of a combination compare.
fn compared(profiles: &Profiles, combination: &Combination) -> Vec<Form> {
    let form = |(&child, &parent): (&usize, &usize)| {
        let parent = &profiles.columns[parent];
        parent.form_against(&profiles.columns[child]).unwrap_or(parent.plan.own)
    };
    combination.child.iter().zip(&combination.parent).map(form).collect()
}

/// The tuples to count.
#[derive(Default)]
struct Plan {
    parents: Vec<WantedTuples<'static>>,
    /// The key of each parent, as a position in the list of keys; `None` if the parent's keys are not compared as its own.
    parent_keys: Vec<Option<usize>>,
    children: Vec<PlannedChild>,
    /// The child and the parent of each combination; `None` if the engine counts it.
    sides: Vec<Option<(usize, usize)>>,
    /// A high estimate of the memory for the tuples of all parents.
    parent_bytes: u64,
}

/// The tuples of a child, which are compared with several parents.
struct PlannedChild {
    table: TableId,
    parts: Vec<TuplePart>,
    packing: Option<Packing>,
    /// The rows with a complete key, and its distinct keys, at most.
    rows: u64,
    distinct: u64,
    /// The parents with their tolerances and numbers of keys.
    parents: Vec<(Tolerance, usize, u64)>,
}

impl PlannedChild {
    fn of(profiles: &Profiles, combination: &Combination, packing: Option<Packing>) -> PlannedChild {
        let columns = || combination.child.iter().map(|&column| &profiles.columns[column]);
        let parts = parts(profiles, &combination.child, &compared(profiles, combination));
        let rows = columns().map(ProfiledColumn::filled_rows).min().unwrap_or(0);
        let distinct = |(column, part): (&ProfiledColumn, &TuplePart)| {
            let keys = column.keys_in(part.form);
            if column.keys.is_dropped { rows } else { keys.distinct() }
        };
        let lists = columns().zip(&parts).map(distinct).fold(1, u64::saturating_mul);
        let table = profiles.columns[combination.child[0]].table;
        PlannedChild { table, parts, packing, rows, distinct: lists.min(rows), parents: Vec::new() }
    }

    /// Returns what is counted once the tuples of the parents are known.
    fn tuples<'k>(&self, parents: &'k [Tuples], pruning: Pruning) -> WantedTuples<'k> {
        let keys = |&(tolerance, parent, _): &(Tolerance, usize, u64)| (tolerance, &parents[parent].keys);
        let end = TupleEnd::Outside(Parents {
            by_number: pruning.counts.then(|| self.stop_rule()),
            by_keys: pruning.early_end.then(|| self.parents.iter().map(keys).collect()),
            rows: self.rows,
            distinct: self.distinct,
        });
        WantedTuples { table: self.table, parts: self.parts.clone(), packing: self.packing.clone(), end }
    }

    fn stop_rule(&self) -> StopRule {
        let parents = self.parents.iter().map(|&(tolerance, _, keys)| (tolerance, keys)).collect();
        StopRule { parents, rows: self.rows, counted: 0 }
    }
}

impl Plan {
    fn new(
        profiles: &Profiles,
        keys: &[FoundKey],
        combinations: &[Combination],
        options: &DiscoverOptions<'_>,
    ) -> Plan {
        let mut plan = Plan::default();
        let mut known_parents: BTreeMap<(usize, Vec<Form>), usize> = BTreeMap::new();
        let mut known_children: BTreeMap<(TableId, Vec<TuplePart>, Option<Packing>), usize> = BTreeMap::new();
        for combination in combinations {
            let forms = compared(profiles, combination);
            let parent = *known_parents.entry((combination.key, forms)).or_insert_with_key(|(_, forms)| {
                plan.add_parent(profiles, combination, forms);
                plan.parents.len() - 1
            });
            if combination.needs_engine {
                plan.sides.push(None);
                continue;
            }
            let planned = PlannedChild::of(profiles, combination, plan.parents[parent].packing.clone());
            let identity = (planned.table, planned.parts.clone(), planned.packing.clone());
            let child = *known_children.entry(identity).or_insert_with(|| {
                plan.children.push(planned);
                plan.children.len() - 1
            });
            let is_strong =
                (options.has_strong_name)(&list(profiles, &combination.child), &list(profiles, &combination.parent));
            let tolerance = if is_strong { options.tolerance.for_strong_name() } else { options.tolerance };
            plan.children[child].parents.push((tolerance, parent, keys[combination.key].distinct));
            plan.sides.push(Some((child, parent)));
        }
        plan
    }

    fn add_parent(&mut self, profiles: &Profiles, combination: &Combination, forms: &[Form]) {
        let columns = || combination.parent.iter().map(|&column| &profiles.columns[column]);
        let (table, rows) =
            (profiles.columns[combination.parent[0]].table, profiles.columns[combination.parent[0]].rows);
        let packing = composite_keys::packing(columns());
        self.parent_bytes += match &packing {
            Some(packing) => IntegerCounts::most_bytes(rows, packing.range()),
            None => rows * BYTES_OF_KEY,
        };
        let has_own_keys = |(column, form): (&ProfiledColumn, &Form)| {
            *form == column.plan.own || !form.may_differ_from(column.plan.own)
        };
        let are_own = columns().zip(forms).all(has_own_keys);
        let parts = parts(profiles, &combination.parent, forms);
        self.parents.push(WantedTuples { table, parts, packing, end: TupleEnd::Never });
        self.parent_keys.push(are_own.then_some(combination.key));
    }

    /// Returns a high estimate of the memory for all parents and for these children, in bytes.
    fn bytes_with(&self, children: &BTreeSet<usize>) -> u64 {
        let of_child = |&child: &usize| {
            let child = &self.children[child];
            child.stop_rule().most_distinct().min(child.distinct) * BYTES_OF_KEY
        };
        self.parent_bytes + children.iter().map(of_child).sum::<u64>()
    }
}
