//! Answers inclusions from the pages. It makes a plan, reads the parents' keys, then reads each child once for all its
//! parents.
//!
//! A row whose key is among its parent's keys is certainly no orphan. Every other row is a suspect, which SQLite
//! judges. Where a separate index serves a parent key, this module proves that the index holds exactly the table's
//! keys.

use std::collections::BTreeMap;

use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;

use super::fault::Fault;
use super::layout::Layouts;
use super::source::PageSource;
use crate::engine::Deadline;
use crate::engine::Inclusion;
use crate::engine::StorageReadOptions;
use crate::engine::StorageReading;
use crate::model::catalog::Tables;

mod child;
mod lookup;
mod meter;
mod parent;
mod plan;
mod quick_rows;

use child::Tally;
use meter::Meter;

/// Returns one reading per inclusion, or the reason why the pages cannot answer. `layouts` must come from the
/// definitions of the snapshot that `source` reads.
pub fn judge(
    tables: &Tables,
    inclusions: &[Inclusion],
    layouts: &Layouts,
    source: &PageSource,
    effort: &StorageReadOptions<'_>,
    deadline: &Deadline,
) -> Vec<Result<StorageReading, Fault>> {
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(effort.threads).build() {
        Ok(pool) => pool,
        Err(error) => return vec![Err(Fault::unsupported(error.to_string())); inclusions.len()],
    };
    let plan = plan::plan(tables, inclusions, layouts, source, effort.memory);
    let meter = Meter::new(&plan, effort, deadline);
    pool.install(|| run(&plan, source, &meter))
}

/// Does the work of [`judge`] on the caller's threads, for a test that judges thousands of files.
#[cfg(test)]
pub fn judge_on_caller_threads(
    tables: &Tables,
    inclusions: &[Inclusion],
    layouts: &Layouts,
    source: &PageSource,
    effort: &StorageReadOptions<'_>,
) -> Vec<Result<StorageReading, Fault>> {
    let plan = plan::plan(tables, inclusions, layouts, source, effort.memory);
    run(&plan, source, &Meter::new(&plan, effort, &Deadline::after(None)))
}

fn run(plan: &plan::ReadingPlan, source: &PageSource, meter: &Meter<'_>) -> Vec<Result<StorageReading, Fault>> {
    let mut tallies: BTreeMap<usize, Result<Tally, Fault>> = BTreeMap::new();
    let mut proven: BTreeMap<usize, bool> = BTreeMap::new();
    for round in &plan.rounds {
        let sets: BTreeMap<usize, Result<parent::ParentKeys, Fault>> = round
            .parents
            .par_iter()
            .map(|&(parent, share)| (parent, parent::read(&plan.parents[parent], share, source, meter)))
            .collect();
        for (&parent, set) in &sets {
            if let Ok(set) = set {
                *proven.entry(parent).or_insert(true) &= set.index_is_proven;
            }
        }
        let found: Vec<Vec<(usize, Result<Tally, Fault>)>> =
            round.passes.par_iter().map(|pass| child::read(plan, pass, &sets, source, meter)).collect();
        for (inclusion, tally) in found.into_iter().flatten() {
            match tallies.entry(inclusion) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(tally);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => match (entry.get_mut(), tally) {
                    (Ok(known), Ok(more)) => known.add_suspects(more),
                    (known @ Ok(_), Err(fault)) => *known = Err(fault),
                    (Err(_), _) => {}
                },
            }
        }
    }
    let judged = plan.inclusions.iter().enumerate().map(|(inclusion, planned)| {
        let planned = planned.as_ref().map_err(Clone::clone)?;
        let tally = tallies.remove(&inclusion).unwrap_or_else(|| Err(Fault::unsupported("its child was not read")))?;
        let index_is_proven = proven.get(&planned.parent).copied().unwrap_or(false);
        Ok(tally.reading(planned.by_index, index_is_proven))
    });
    judged.collect()
}
