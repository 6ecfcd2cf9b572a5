//! Answers inclusions from the files: it reads the keys of the parents, then each child once for all its parents.
//!
//! What is equal is decided here alone, by the law of [`super::types`]. So every complete key that is not among the keys of
//! its parent is an orphan, and no row stays in doubt.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;

use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;
use roaring::RoaringTreemap;

use super::fault::Fault;
use super::key::Hashers;
use super::key::KeyRule;
use super::key::Shape;
use super::lake::ColumnSource;
use super::lake::Lake;
use super::rows;
use super::rows::Limits;
use super::types::FileType;
use crate::engine::Deadline;
use crate::engine::Inclusion;
use crate::engine::OrphanList;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::engine::keyset::KeyShare;
use crate::engine::keyset::shares_of_rounds;
use crate::engine::orphan_list::OrphanCollector;
use crate::engine::orphan_list::RunStore;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::ids::TableId;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::text::count;
use crate::model::text::plural;

mod child;
mod parent;

use parent::ParentKeys;

/// Orphans take this part of the memory for keys, and beyond it a temporary file.
const SHARE_OF_ORPHANS: u64 = 4;

/// The rows of a table that count, by their addresses; `None` if all do.
pub(super) type RowSet = Option<Arc<RoaringTreemap>>;

/// The rows of both sides of an inclusion that count.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) children: RowSet,
    /// The parents that do not count.
    pub(super) deleted: RowSet,
}

/// An inclusion that the files can answer.
struct Planned<'a> {
    inclusion: &'a Inclusion,
    rule: KeyRule,
    scope: Scope,
    /// The position of the parent's keys.
    parent: usize,
    /// The canonical forms of keys that refer to no parent.
    ignored: HashSet<Vec<u8>>,
}

/// The keys of a parent, as the plan knows them before they are read.
struct ParentPlan<'a> {
    inclusion: &'a Inclusion,
    rule: KeyRule,
    deleted: RowSet,
}

/// A child with some of its inclusions, each with the share of the parent's keys that is in memory.
struct Pass {
    probes: Vec<(usize, KeyShare)>,
}

/// Returns one answer for each inclusion. `scopes` has the rows of each that count, or the reason why that is unknown.
pub(super) fn judge(
    lake: &Lake,
    inclusions: &[Inclusion],
    scopes: Vec<Result<Scope, String>>,
    options: &StorageReadOptions<'_>,
    deadline: &Deadline,
) -> Vec<StorageAnswer> {
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(options.threads).build() {
        Ok(pool) => pool,
        Err(error) => return vec![StorageAnswer::Unjudged { why: error.to_string() }; inclusions.len()],
    };
    pool.install(|| Judging::new(lake, inclusions, scopes, options, deadline).answers())
}

struct Judging<'a> {
    lake: &'a Lake,
    planned: Vec<Result<Planned<'a>, String>>,
    parents: Vec<ParentPlan<'a>>,
    options: &'a StorageReadOptions<'a>,
    limits: Limits<'a>,
}

impl<'a> Judging<'a> {
    fn new(
        lake: &'a Lake,
        inclusions: &'a [Inclusion],
        scopes: Vec<Result<Scope, String>>,
        options: &'a StorageReadOptions<'a>,
        deadline: &'a Deadline,
    ) -> Judging<'a> {
        let hashers = Hashers::new();
        let mut parents: Vec<ParentPlan<'a>> = Vec::new();
        let plan = |(inclusion, scope): (&'a Inclusion, Result<Scope, String>)| {
            let scope = scope?;
            let child = (inclusion.child.index(), inclusion.child_columns.as_slice());
            let parent = (inclusion.parent.index(), inclusion.parent_columns.as_slice());
            let rule = rule(lake, child, parent, &hashers)?;
            let is_same = |known: &ParentPlan<'_>| {
                known.inclusion.parent == inclusion.parent
                    && known.inclusion.parent_columns == inclusion.parent_columns
                    && known.rule.identity() == rule.identity()
                    && match (&known.deleted, &scope.deleted) {
                        (None, None) => true,
                        (Some(left), Some(right)) => Arc::ptr_eq(left, right),
                        _ => false,
                    }
            };
            let parent = parents.iter().position(is_same).unwrap_or_else(|| {
                parents.push(ParentPlan { inclusion, rule: rule.clone(), deleted: scope.deleted.clone() });
                parents.len() - 1
            });
            let ignored = inclusion.ignored.iter().filter_map(|key| rule.canonical_of_values(key)).collect();
            Ok(Planned { inclusion, rule, scope, parent, ignored })
        };
        let planned = inclusions.iter().zip(scopes).map(plan).collect();
        let limits = Limits { memory: options.memory, deadline };
        Judging { lake, planned, parents, options, limits }
    }

    fn answers(&self) -> Vec<StorageAnswer> {
        let store = RunStore::new(self.options.memory / SHARE_OF_ORPHANS);
        let collectors: Vec<Option<OrphanCollector<'_>>> = self
            .planned
            .iter()
            .map(|planned| {
                let planned = planned.as_ref().ok()?;
                let kind = planned.rule.kind_of_orphans(&self.child_types(planned));
                Some(OrphanCollector::new(&store, kind))
            })
            .collect();
        let mut counts: BTreeMap<usize, Result<Counts, Fault>> = BTreeMap::new();
        let mut repeated: BTreeMap<usize, parent::Repeated> = BTreeMap::new();
        let rounds = self.rounds();
        for (number, round) in rounds.iter().enumerate() {
            (self.options.progress)(&ProgressStep::of(RunPhase::Scan, number, rounds.len()));
            let mut sets: BTreeMap<usize, Result<ParentKeys, Fault>> = BTreeMap::new();
            for &(parent, share) in round {
                let keys = parent::read(self.lake, &self.parents[parent], share, self.limits);
                if let Ok(keys) = &keys {
                    repeated.entry(parent).or_default().add(&keys.repeated);
                }
                sets.insert(parent, keys);
            }
            for pass in self.passes(round) {
                for (inclusion, found) in child::read(self, &pass, &sets, &collectors) {
                    let known = counts.entry(inclusion).or_insert(Ok(Counts::default()));
                    *known = match (std::mem::replace(known, Ok(Counts::default())), found) {
                        (Ok(left), Ok(right)) => Ok(child::sum(left, right)),
                        (Err(fault), _) | (_, Err(fault)) => Err(fault),
                    };
                }
            }
        }
        let answers = self.planned.iter().zip(collectors).enumerate();
        answers
            .map(|(number, (planned, collector))| {
                let (planned, collector) = match (planned, collector) {
                    (Ok(planned), Some(collector)) => (planned, collector),
                    (Err(why), _) => return StorageAnswer::Unjudged { why: why.clone() },
                    (Ok(_), None) => return StorageAnswer::AskSql { why: None },
                };
                let counts = match counts.remove(&number) {
                    Some(Ok(counts)) => counts,
                    Some(Err(Fault::Unreadable(why))) => return StorageAnswer::Unjudged { why },
                    Some(Err(Fault::TimeLimit)) => return StorageAnswer::TimeLimit,
                    None => return StorageAnswer::Unjudged { why: "its child was not read".to_owned() },
                };
                match collector.finish() {
                    Ok(orphans) => {
                        StorageAnswer::Judged(self.reading(planned, counts, orphans, repeated.get(&planned.parent)))
                    }
                    Err(error) => StorageAnswer::Unjudged {
                        why: format!(
                            "the temporary file of its orphans failed: {}",
                            crate::model::text::io_reason(&error)
                        ),
                    },
                }
            })
            .collect()
    }

    fn reading(
        &self,
        planned: &Planned<'_>,
        counts: Counts,
        orphans: OrphanList,
        repeated: Option<&parent::Repeated>,
    ) -> StorageReading {
        StorageReading {
            method: Method::Columns,
            counts,
            orphans,
            suspects: Suspects::Rows(Vec::new()),
            index_is_proven: false,
            repeated_keys: repeated.and_then(parent::Repeated::shown).map(Box::new),
            note: absent_columns(self.lake, planned.inclusion),
        }
    }

    fn child_types(&self, planned: &Planned<'_>) -> Vec<&'a FileType> {
        types(self.lake, planned.inclusion.child.index(), &planned.inclusion.child_columns)
    }

    /// Divides the parents' keys into rounds that fit into memory.
    fn rounds(&self) -> Vec<Vec<(usize, KeyShare)>> {
        let needs = self.parents.iter().map(|parent| {
            let rows = rows::estimate(&self.lake.tables[parent.inclusion.parent.index()]);
            let needed = rows.saturating_mul(if parent.rule.shape() == Shape::Integer { 12 } else { 24 });
            let of = u32::try_from(needed.div_ceil(self.options.memory.max(1)).max(1)).unwrap_or(u32::MAX);
            (needed, (0..of).map(|number| KeyShare::Part { number, of }).collect())
        });
        shares_of_rounds(needs, self.options.memory)
    }

    /// Returns one pass for each child with a parent in this round.
    fn passes(&self, round: &[(usize, KeyShare)]) -> Vec<Pass> {
        let mut of_children: BTreeMap<usize, Vec<(usize, KeyShare)>> = BTreeMap::new();
        for (number, planned) in self.planned.iter().enumerate() {
            let Ok(planned) = planned else { continue };
            let shares = round.iter().filter(|(parent, _)| *parent == planned.parent);
            for (_, share) in shares {
                of_children.entry(planned.inclusion.child.index()).or_default().push((number, *share));
            }
        }
        of_children.into_values().map(|probes| Pass { probes }).collect()
    }
}

fn types<'a>(lake: &'a Lake, table: usize, columns: &[usize]) -> Vec<&'a FileType> {
    columns.iter().map(|&column| &lake.tables[table].columns[column].of).collect()
}

/// Returns which columns of an inclusion are absent in how many files.
fn absent_columns(lake: &Lake, inclusion: &Inclusion) -> Option<Box<str>> {
    let sides = [(inclusion.child, &inclusion.child_columns), (inclusion.parent, &inclusion.parent_columns)];
    let columns = sides.into_iter().flat_map(|(table, columns)| columns.iter().map(move |column| (table, *column)));
    let note = |(table, column): (TableId, usize)| {
        let table = &lake.tables[table.index()];
        let absent = table.files.iter().filter(|file| file.sources[column] == ColumnSource::Absent).count();
        let name = format!("{}.{}", table.name, table.columns[column].name);
        let files = plural(table.files.len() as u64, "file");
        (absent > 0).then(|| format!("{name} is absent in {} of {files}, and NULL in their rows", count(absent as u64)))
    };
    let mut notes: Vec<String> = columns.filter_map(note).collect();
    notes.dedup();
    (!notes.is_empty()).then(|| notes.join("; ").into())
}

/// Returns how the columns of two tables compare, or the reason why the law does not compare their types.
pub(super) fn rule(
    lake: &Lake,
    (child_table, child_columns): (usize, &[usize]),
    (parent_table, parent_columns): (usize, &[usize]),
    hashers: &Hashers,
) -> Result<KeyRule, String> {
    let children = types(lake, child_table, child_columns);
    let parents = types(lake, parent_table, parent_columns);
    let pairs: Vec<(&FileType, &FileType)> = children.into_iter().zip(parents).collect();
    KeyRule::new(&pairs, hashers).map_err(|(child, parent)| {
        let position = pairs.iter().position(|pair| *pair == (child, parent)).unwrap_or(0);
        let (left, right) = (&lake.tables[child_table], &lake.tables[parent_table]);
        format!(
            "{}.{} is {child} and {}.{} is {parent}, and values of these types are not compared: write both with the same type",
            left.name,
            left.columns[child_columns[position]].name,
            right.name,
            right.columns[parent_columns[position]].name,
        )
    })
}

/// Runs work on all pieces of a table. Returns what each piece gave, in order, or the first fault.
pub(super) fn on_pieces<T: Send>(
    table: &super::lake::LakeTable,
    work: impl Fn(rows::Piece) -> Result<T, Fault> + Sync,
) -> Result<Vec<T>, Fault> {
    rows::pieces(table).par_iter().map(|piece| work(*piece)).collect()
}
