//! Asking the questions: every relation in parallel, each answer with its coverage.
//!
//! One fault never stops the rest: a question that cannot be answered leaves its relation unchecked, and says why.

use std::cmp::Reverse;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::examination::Counts;
use crate::model::finding::Sample;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::sql;
use crate::model::value::Key;
use crate::model::value::Value;

/// How many missing keys of a relation are kept for diagnosis and repair drafts; those with the most rows.
pub const KEPT_KEYS: usize = 200;

/// What was learnt of one relation.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Checked(Tally),
    /// Why not.
    Unchecked(String),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    pub counts: Counts,
    pub orphan_rows: u64,
    pub missing_keys: u64,
    /// The missing keys with the most rows, at most [`KEPT_KEYS`], most rows first, then in the engine's order.
    pub top: Vec<Missing>,
    /// Rows whose parent is there, but not in the parent's index.
    pub false_orphans: Option<FalseOrphans>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    pub key: Key,
    pub rows: u64,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FalseOrphans {
    pub rows: u64,
    pub samples: Vec<Sample>,
}

/// Called as questions are answered: how many, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Scans every relation of a schema; the facts are in the schema's order.
pub fn scan(schema: &Schema, sessions: &mut [Box<dyn Session>], samples: usize, progress: Progress<'_>) -> Vec<Fact> {
    let tables: Vec<usize> = involved_tables(schema);
    let children: Vec<usize> = tables.iter().copied().filter(|&table| has_relations(schema, table)).collect();
    let total = tables.len() + children.len() + schema.relations.len();
    let damage = across(
        sessions,
        tables.len(),
        |session, i| session.damage(&schema.tables[tables[i]]),
        |done| progress(done, total),
    );
    let damage_of = |table: usize| tables.iter().position(|&known| known == table).map(|i| &damage[i]);
    let mut done = tables.len();
    let counts = across(
        sessions,
        children.len(),
        |session, i| counts(schema, session, children[i]),
        |n| progress(done + n, total),
    );
    done += children.len();
    let orphans = across(
        sessions,
        schema.relations.len(),
        |session, i| {
            let relation = &schema.relations[i];
            match unreadable(schema, relation, &damage_of) {
                Some(why) => Err(why),
                None => {
                    let tally = orphans(schema, session, relation, samples).map_err(|error| error.because())?;
                    let stale = stale_index(schema, relation, &damage_of).filter(|_| tally.false_orphans.is_none());
                    stale.map_or(Ok(tally), Err)
                }
            }
        },
        |n| progress(done + n, total),
    );
    let counts_of = |index: usize, relation: &Relation| {
        let child = children.iter().position(|&child| child == relation.child)?;
        let place = (0..index).filter(|&earlier| countable(schema, earlier, relation.child)).count();
        Some(counts[child].as_ref().map(|counts| counts.get(place).copied().unwrap_or_default()))
    };
    let facts = schema.relations.iter().enumerate().zip(orphans);
    facts
        .map(|((index, relation), orphans)| match (orphans, counts_of(index, relation)) {
            (Err(why), _) => Fact::Unchecked(why),
            (Ok(_), Some(Err(error))) => Fact::Unchecked(error.because()),
            (Ok(tally), counts) => {
                Fact::Checked(Tally { counts: counts.and_then(Result::ok).unwrap_or_default(), ..tally })
            }
        })
        .collect()
}

/// Runs `count` tasks over the sessions, each session one task at a time; answers in the tasks' order.
pub fn across<T: Send>(
    sessions: &mut [Box<dyn Session>],
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

/// Tables whose rows are read, each once.
fn involved_tables(schema: &Schema) -> Vec<usize> {
    let readable = schema.relations.iter().filter(|relation| !matches!(relation.judge, Judge::Nobody(_)));
    let mut tables: Vec<usize> =
        readable.flat_map(|relation| [Some(relation.child), relation.parent.table]).flatten().collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

fn countable(schema: &Schema, relation: usize, child: usize) -> bool {
    let relation = &schema.relations[relation];
    relation.child == child && !matches!(relation.judge, Judge::Nobody(_))
}

fn has_relations(schema: &Schema, table: usize) -> bool {
    (0..schema.relations.len()).any(|relation| countable(schema, relation, table))
}

fn counts(schema: &Schema, session: &mut dyn Session, child: usize) -> Result<Vec<Counts>, EngineError> {
    let relations: Vec<&Relation> =
        (0..schema.relations.len()).filter(|&i| countable(schema, i, child)).map(|i| &schema.relations[i]).collect();
    // SQLite allows no more than 2,000 result columns.
    let mut counts = Vec::new();
    for some in relations.chunks(500) {
        let numbers = session.numbers(&sql::of(schema).counts(schema, child, some))?;
        counts.extend(numbers[1..].chunks(3).map(|n| Counts { rows: n[0], null_rows: n[1], ignored_rows: n[2] }));
    }
    Ok(counts)
}

type Examined = Result<Option<Damage>, EngineError>;

/// Why a relation's rows cannot be judged, if they cannot.
fn unreadable<'a>(
    schema: &Schema,
    relation: &Relation,
    damage_of: &impl Fn(usize) -> Option<&'a Examined>,
) -> Option<String> {
    if let Judge::Nobody(why) = &relation.judge {
        return Some(why.clone());
    }
    [Some(relation.child), relation.parent.table].into_iter().flatten().find_map(|table| match damage_of(table) {
        Some(Ok(Some(Damage::Storage(message)))) => {
            Some(format!("the storage of {} is damaged ({})", schema.tables[table].name, message.replace('\n', "; ")))
        }
        Some(Err(error)) => Some(error.because()),
        _ => None,
    })
}

/// Why the absence of false orphans proves nothing, if it does not. A child is read without its indexes and orphans
/// are looked up in the parent's own table, so only an index of the parent that holds too much is left.
fn stale_index<'a>(
    schema: &Schema,
    relation: &Relation,
    damage_of: &impl Fn(usize) -> Option<&'a Examined>,
) -> Option<String> {
    let parent = relation.parent.table?;
    match damage_of(parent) {
        Some(Ok(Some(Damage::Index(message)))) => Some(format!(
            "an index of {} disagrees with its table ({message}): REINDEX a copy",
            schema.tables[parent].name
        )),
        _ => None,
    }
}

fn orphans(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    samples: usize,
) -> Result<Tally, EngineError> {
    let mut gatherer = Gatherer::new(schema, relation, samples);
    session.each_row(&sql::of(schema).orphans(schema, relation), &mut |row| gatherer.take(row))?;
    Ok(gatherer.finish())
}

/// Folds the stream of orphans, which come sorted by missing key, into a tally; holds no more than it will return.
struct Gatherer<'a> {
    row_names: Vec<&'a str>,
    child: &'a Table,
    keys: usize,
    samples: usize,
    group: Option<i64>,
    current: Option<Missing>,
    tally: Tally,
}

impl<'a> Gatherer<'a> {
    fn new(schema: &'a Schema, relation: &'a Relation, samples: usize) -> Self {
        let child = schema.child(relation);
        Gatherer {
            row_names: sql::row_name_columns(child),
            child,
            keys: relation.child_columns.len(),
            samples,
            group: None,
            current: None,
            tally: Tally::default(),
        }
    }

    fn take(&mut self, row: &[Value]) {
        let [group, rest @ .., present] = row else { return };
        let (key, rest) = rest.split_at(self.keys);
        let (stored, name) = rest.split_at(self.keys);
        if present.as_integer() == Some(1) {
            let sample = self.sample(stored, name);
            let found = self.tally.false_orphans.get_or_insert(FalseOrphans { rows: 0, samples: Vec::new() });
            found.rows += 1;
            if found.samples.len() < self.samples {
                found.samples.push(sample);
            }
            return;
        }
        if self.group != group.as_integer() || self.current.is_none() {
            self.close_group();
            self.group = group.as_integer();
            self.current = Some(Missing { key: key.to_vec(), rows: 0, samples: Vec::new() });
        }
        let sample = self
            .current
            .as_ref()
            .is_some_and(|current| current.samples.len() < self.samples)
            .then(|| self.sample(stored, name));
        if let Some(current) = &mut self.current {
            current.rows += 1;
            current.samples.extend(sample);
        }
    }

    /// A row is named by its primary key; by its address where that has a NULL.
    fn sample(&self, stored: &[Value], values: &[Value]) -> Sample {
        let named: Vec<(String, Value)> =
            self.row_names.iter().map(|name| (*name).to_owned()).zip(values.iter().cloned()).collect();
        let key_width = self.child.primary_key.len();
        let row = if key_width == 0 || named.len() == key_width {
            named
        } else if values[..key_width].contains(&Value::Null) {
            named[key_width..].to_vec()
        } else {
            named[..key_width].to_vec()
        };
        Sample { row, key: stored.to_vec() }
    }

    fn close_group(&mut self) {
        let Some(missing) = self.current.take() else { return };
        self.tally.orphan_rows += missing.rows;
        self.tally.missing_keys += 1;
        let top = &mut self.tally.top;
        if top.len() == KEPT_KEYS && top.last().is_some_and(|least| least.rows >= missing.rows) {
            return;
        }
        // Groups come in the engine's order of keys, which therefore decides among equals.
        let place = top.partition_point(|other| Reverse(other.rows) <= Reverse(missing.rows));
        top.insert(place, missing);
        top.truncate(KEPT_KEYS);
    }

    fn finish(mut self) -> Tally {
        self.close_group();
        self.tally
    }
}
