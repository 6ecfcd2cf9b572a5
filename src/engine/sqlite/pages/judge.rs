//! Answers inclusions from the pages. It makes a plan, reads the parents' keys, then reads each child once for all its
//! parents.
//!
//! A row whose key is among its parent's keys is certainly no orphan. A row whose key is not among them certainly is
//! one, if its key and all of its parent's keys can be compared here. Every other row is a suspect, which SQLite judges.
//! Where a separate index serves a parent key, this module proves that the index holds exactly the table's keys.

use std::collections::BTreeMap;

use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;

use super::fault::Fault;
use super::key::Shape;
use super::layout::Layouts;
use super::source::PageSource;
use crate::engine::Deadline;
use crate::engine::Inclusion;
use crate::engine::OrphanList;
use crate::engine::StorageReadOptions;
use crate::engine::StorageReading;
use crate::engine::orphan_list::KeyKind;
use crate::engine::orphan_list::OrphanCollector;
use crate::engine::orphan_list::RunStore;
use crate::model::catalog::Tables;

mod child;
mod lookup;
mod meter;
mod parent;
mod plan;
mod quick_rows;

use child::Tally;
use meter::Meter;

/// Proven orphans take this part of the memory for keys, and beyond it a temporary file.
const SHARE_OF_ORPHANS: u64 = 4;

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
    let meter = Meter::new(&plan, tables, inclusions, effort, deadline);
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
    run(&plan, source, &Meter::new(&plan, tables, inclusions, effort, &Deadline::after(None)))
}

fn run(plan: &plan::ReadingPlan, source: &PageSource, meter: &Meter<'_>) -> Vec<Result<StorageReading, Fault>> {
    let mut tallies: BTreeMap<usize, Result<Tally, Fault>> = BTreeMap::new();
    let mut proven: BTreeMap<usize, bool> = BTreeMap::new();
    let store = RunStore::new(meter.memory() / SHARE_OF_ORPHANS);
    let mut orphans = collectors(plan, &store);
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
            round.passes.par_iter().map(|pass| child::read(plan, pass, &sets, &orphans, source, meter)).collect();
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
        let orphans = orphans[inclusion].take().map(OrphanCollector::finish).transpose();
        Ok(match orphans {
            Ok(orphans) => tally.reading(planned.by_index, index_is_proven, orphans.unwrap_or_default()),
            // The temporary file failed, so that SQLite must find the orphans.
            Err(_) => tally.without_rows().reading(planned.by_index, index_is_proven, OrphanList::default()),
        })
    });
    judged.collect()
}

/// Returns a collector for each inclusion whose orphans can be proven.
fn collectors<'a>(plan: &plan::ReadingPlan, store: &'a RunStore) -> Vec<Option<OrphanCollector<'a>>> {
    let of_inclusion = |planned: &Result<plan::Planned, Fault>| {
        let planned = planned.as_ref().ok().filter(|planned| planned.proves_orphans)?;
        let keys = match plan.parents[planned.parent].comparison.shape() {
            Shape::Integer => KeyKind::Integer,
            Shape::TwoIntegers => KeyKind::TwoIntegers,
            Shape::Hashed => KeyKind::Other,
        };
        Some(OrphanCollector::new(store, keys))
    };
    plan.inclusions.iter().map(of_inclusion).collect()
}
