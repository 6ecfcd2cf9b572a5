//! Scans all relations in parallel: counts the rows of each, finds its orphans and groups them by missing key.
//!
//! One fault never stops the rest. A relation whose query fails is unchecked, with the reason.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::engine::EngineError;
use crate::engine::OrphanList;
use crate::engine::Session;
use crate::engine::Suspects;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::examination::RepeatedKeys;
use crate::model::finding::MissingKey;
use crate::model::finding::Sample;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;

mod digest;
pub mod distinct;
mod expected;
mod gather;
mod orphan_row;
mod proof;
mod proven;
mod row_names;
mod work;

pub use expected::scan_beyond;
use gather::Gatherer;
pub use orphan_row::OrphanColumns;
pub use orphan_row::OrphanRow;
use orphan_row::is_named_by_address;

/// The number of missing keys of a relation that are kept for diagnosis and suggested rules: those with the most rows.
pub const KEPT_KEYS: usize = 200;

/// Reports show rows of this number of missing keys at most, or of as many keys as they show, if that is more.
pub const KEYS_WITH_SAMPLES: usize = 20;

/// One fact for each relation of a schema.
pub type ScanResults = IdVec<RelationId, ScanResult>;

/// The result for one relation.
#[derive(Debug, Clone, PartialEq)]
pub enum ScanResult {
    Checked(Tally),
    /// The reason why the relation was not checked.
    Unchecked(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    pub counts: Counts,
    /// Without the rows that the baseline knows.
    pub orphan_rows: u64,
    pub missing_keys: u64,
    pub known_rows: u64,
    pub known_keys: u64,
    /// The missing keys with the most rows, at most [`KEPT_KEYS`], most rows first, then in the engine's order. Those after the
    /// first [`KEYS_WITH_SAMPLES`] may come without samples.
    pub top: Vec<MissingKey<Value>>,
    /// Rows whose parent exists, but is missing from the parent's index.
    pub false_orphans: Option<FalseOrphans>,
    pub method: Method,
    /// The reason why no faster method was possible, if the engine has one.
    pub method_reason: Option<String>,
    /// The orphans that the storage proved. Another query for orphans asks only about the suspects.
    pub orphans: OrphanList,
    pub suspects: Suspects,
    pub index_is_proven: bool,
    /// The parent's keys that come more than once, if only its rows can show it.
    pub repeated_keys: Option<Box<RepeatedKeys>>,
    /// As in [`crate::engine::StorageReading`].
    pub storage_note: Option<Box<str>>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            counts: Counts::default(),
            orphan_rows: 0,
            missing_keys: 0,
            known_rows: 0,
            known_keys: 0,
            top: Vec::new(),
            false_orphans: None,
            method: Method::Sql,
            method_reason: None,
            orphans: OrphanList::default(),
            suspects: Suspects::Many,
            index_is_proven: false,
            repeated_keys: None,
            storage_note: None,
        }
    }
}

impl Tally {
    fn hints(&self) -> sql::ScanHints<'_> {
        hints(&self.suspects, self.index_is_proven)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct FalseOrphans {
    pub rows: u64,
    pub samples: Vec<Sample<Value>>,
}

pub use crate::model::progress::Progress;

/// The limits of a scan, and how much it returns.
pub struct ScanOptions<'a> {
    /// The number of rows and missing keys to show for each relation.
    pub samples: usize,
    /// Bytes for keys.
    pub memory: u64,
    pub threads: usize,
    pub progress: Progress<'a>,
    /// True if a missing key of a relation is known already with so many rows; `None` if none is.
    pub is_known: Option<IsKnown<'a>>,
}

pub type IsKnown<'a> = &'a (dyn Fn(RelationId, &Key, u64) -> bool + Sync);

/// Scans every relation of a schema.
pub fn scan(schema: &Schema, sessions: &mut [Box<dyn Session + '_>], options: &ScanOptions<'_>) -> ScanResults {
    let mut works = work::plan(schema, sessions, options);
    let (tables, children) = (work::tables_asked(&works), work::tables_counted(&works));
    let tasks = Tasks {
        schema,
        done: AtomicUsize::new(0),
        total: tables.len() + children.len() + works.len(),
        orphans: AtomicU64::new(0),
        progress: options.progress,
    };
    let storage = work::examine_storage(schema, sessions, &tables, &tasks);
    work::count_rows(schema, sessions, &mut works, &children, &tasks);
    work::count_repeated_keys(schema, sessions, &mut works);
    let proofs = proof::Proofs::of(schema, works.iter().map(work::Work::reading));
    let (last, first): (Vec<RelationId>, Vec<RelationId>) =
        works.ids().partition(|&id| proofs.is_confirmed_by_others(id));
    let mut facts: Vec<(RelationId, ScanResult)> = Vec::new();
    for ids in [first, last] {
        let some = run_in_parallel(
            sessions,
            ids.len(),
            |session, i| {
                tasks.begin(schema.relations[ids[i]].child);
                let fact = works[ids[i]].fact(schema, session, &storage, &proofs, options);
                tasks.found(&fact);
                fact
            },
            |_| tasks.finished(),
        );
        facts.extend(ids.into_iter().zip(some));
    }
    facts.sort_by_key(|(id, _)| *id);
    facts.into_iter().map(|(_, fact)| fact).collect::<Vec<ScanResult>>().into()
}

/// Counts the tasks of a scan for the progress display.
struct Tasks<'a> {
    schema: &'a Schema,
    done: AtomicUsize,
    total: usize,
    orphans: AtomicU64,
    progress: Progress<'a>,
}

impl Tasks<'_> {
    /// Shows the table of the next task.
    fn begin(&self, table: TableId) {
        let step = ProgressStep::of(RunPhase::Scan, self.done.load(Ordering::Relaxed), self.total);
        let found = self.orphans.load(Ordering::Relaxed);
        (self.progress)(&ProgressStep { table: Some(&self.schema.tables[table].name.table), found, ..step });
    }

    fn found(&self, result: &ScanResult) {
        if let ScanResult::Checked(tally) = result {
            self.orphans.fetch_add(tally.orphan_rows, Ordering::Relaxed);
        }
    }

    fn finished(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let found = self.orphans.load(Ordering::Relaxed);
        (self.progress)(&ProgressStep { found, ..ProgressStep::of(RunPhase::Scan, done, self.total) });
    }
}

/// Runs `count` tasks over the sessions. A session runs one task at a time. Returns the results in the order of the tasks.
pub fn run_in_parallel<T: Send>(
    sessions: &mut [Box<dyn Session + '_>],
    count: usize,
    task: impl Fn(&mut dyn Session, usize) -> T + Sync,
    finished: impl Fn(usize) + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let mut answers: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = sessions
            .iter_mut()
            .map(|session| {
                scope.spawn(|| {
                    let mut answers = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return answers;
                        }
                        answers.push((index, task(session.as_mut(), index)));
                        finished(done.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Runs a query for orphans, and returns their tally without counts.
pub fn tally(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    question: &sql::Sql,
    samples: usize,
) -> Result<Tally, EngineError> {
    Gatherer { schema, relation, samples, is_known: None }.gather(session, question)
}

fn hints(suspects: &Suspects, index_is_proven: bool) -> sql::ScanHints<'_> {
    let rows = match suspects {
        Suspects::Rows(rows) => Some(rows.as_slice()),
        Suspects::Many => None,
    };
    sql::ScanHints { rows, index_is_proven }
}

/// Calls `each` with every orphan of a relation that has been scanned, sorted by missing key.
pub fn each_orphan(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
    each: &mut dyn FnMut(Sample<Value>),
) -> Result<(), EngineError> {
    let columns = OrphanColumns::of(schema, relation);
    if let (false, Suspects::Rows(suspects)) = (tally.orphans.is_empty(), &tally.suspects)
        && is_named_by_address(schema.child(relation))
    {
        return each_proven(schema, session, &columns, (relation, tally, suspects), each);
    }
    let hints = if tally.orphans.is_empty() {
        tally.hints()
    } else {
        sql::ScanHints { rows: None, index_is_proven: tally.index_is_proven }
    };
    let mut question = sql::of(schema).orphans(schema, relation, &hints);
    if tally.false_orphans.is_some() {
        question = sql::of(schema).without_indexes(&question).unwrap_or(question);
    }
    let mut rows = 0;
    columns.each_row(session, &question, |row| {
        if !row.is_present {
            rows += 1;
            each(columns.sample(&row));
        }
        Ok::<(), EngineError>(())
    })?;
    let counted = tally.orphan_rows + tally.known_rows;
    let is_counted_apart = sql::of(schema).orphan_totals(schema, relation).is_some();
    if is_counted_apart && rows != counted { Err(digest::unfitting(counted, rows, "orphans")) } else { Ok(()) }
}

/// Merges proven orphans with those among the suspects. Rows are named by their addresses.
fn each_proven(
    schema: &Schema,
    session: &mut dyn Session,
    columns: &OrphanColumns<'_>,
    (relation, tally, suspects): (&Relation, &Tally, &[i64]),
    each: &mut dyn FnMut(Sample<Value>),
) -> Result<(), EngineError> {
    let mut stream = tally.orphans.stream()?;
    let shows_names = !schema.database.engine.facts().shown_address.is_empty();
    if shows_names && suspects.is_empty() {
        let mut samples = Vec::new();
        while let Some((key, row)) = stream.next_row()? {
            samples.push(columns.sample_at(row, key));
            if samples.len() == row_names::AT_ONCE {
                row_names::show(session, schema.child(relation), samples.iter_mut())?;
                samples.drain(..).for_each(&mut *each);
            }
        }
        row_names::show(session, schema.child(relation), samples.iter_mut())?;
        samples.into_iter().for_each(each);
        return Ok(());
    }
    if !suspects.is_empty() {
        let question = sql::of(schema).orphans(schema, relation, &tally.hints());
        columns.each_row(session, &question, |row| {
            let address = row.name.first().and_then(Value::as_integer);
            let is_before = |key: &Key, proven| proven::order(key, row.key).then(Some(proven).cmp(&address)).is_lt();
            while let Some((key, proven)) = stream.next_row_if(is_before)? {
                each(columns.sample_at(proven, key));
            }
            each(columns.sample(&row));
            Ok::<(), EngineError>(())
        })?;
    }
    while let Some((key, row)) = stream.next_row()? {
        each(columns.sample_at(row, key));
    }
    Ok(())
}
