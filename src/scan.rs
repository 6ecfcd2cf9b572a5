//! Asking the questions: every relation in parallel, each answer with its coverage.
//!
//! One fault never stops the rest: a question that cannot be answered leaves its relation unchecked, and says why.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::engine::Damage;
use crate::engine::Effort;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::Session;
use crate::engine::StorageAnswer;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::finding::Sample;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::sql;

mod gather;

use gather::Gatherer;
use gather::Shape;

/// How many missing keys of a relation are kept for diagnosis and repair drafts; those with the most rows.
pub const KEPT_KEYS: usize = 200;

/// What was learnt of one relation.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Checked(Tally),
    /// Why not.
    Unchecked(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    pub counts: Counts,
    /// Without those that are known already.
    pub orphan_rows: u64,
    pub missing_keys: u64,
    pub known_rows: u64,
    pub known_keys: u64,
    /// The missing keys with the most rows, at most [`KEPT_KEYS`], most rows first, then in the engine's order.
    pub top: Vec<Missing>,
    /// Rows whose parent is there, but not in the parent's index.
    pub false_orphans: Option<FalseOrphans>,
    pub method: Method,
    /// Why no faster method was possible, where there is one.
    pub method_reason: Option<String>,
    /// The rows to ask about, should its orphans be asked for again.
    pub suspects: Suspects,
    pub index_is_proven: bool,
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
            suspects: Suspects::Many,
            index_is_proven: false,
        }
    }
}

impl Tally {
    fn among(&self) -> sql::Among<'_> {
        among(&self.suspects, self.index_is_proven)
    }
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

/// Called as work is done: how much, of how much.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What a scan may use and should bring back.
pub struct Wishes<'a> {
    /// Rows and missing keys to show of each relation.
    pub samples: usize,
    /// Bytes for keys.
    pub memory: u64,
    pub threads: usize,
    pub progress: Progress<'a>,
    /// Whether a missing key of a relation, by its position, is known already with so many rows.
    pub is_known: IsKnown<'a>,
}

pub type IsKnown<'a> = &'a (dyn Fn(usize, &Key, u64) -> bool + Sync);

/// Called by the worker that learnt of a relation, by its position, as soon as it is known.
pub type Learnt<'a> = &'a (dyn Fn(&mut dyn Session, usize, &Fact) + Sync);

/// Scans every relation of a schema; the facts are in the schema's order.
pub fn scan(schema: &Schema, sessions: &mut [Box<dyn Session + '_>], wishes: &Wishes<'_>) -> Vec<Fact> {
    scan_and_tell(schema, sessions, wishes, &|_, _, _| {})
}

/// The same, telling each fact on the way.
pub fn scan_and_tell(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    wishes: &Wishes<'_>,
    learnt: Learnt<'_>,
) -> Vec<Fact> {
    let routes = routes(schema, sessions, wishes);
    let asked = |relation: usize| matches!(routes[relation], Route::Ask { .. });
    let tables = tables_of(schema, &asked);
    let balance = |relation| sql::of(schema).balance(schema, &schema.relations[relation]);
    let balances: Vec<Option<sql::Sql>> =
        (0..routes.len()).map(|relation| balance(relation).filter(|_| asked(relation))).collect();
    // Those that are not counted together with their orphans.
    let counted = |relation: usize| asked(relation) && balances[relation].is_none();
    let children: Vec<usize> = tables.iter().copied().filter(|&table| has_relations(schema, &counted, table)).collect();
    let total = tables.len() + children.len() + routes.len();
    let damage = across(
        sessions,
        tables.len(),
        |session, i| session.damage(&schema.tables[tables[i]]),
        |done| (wishes.progress)(done, total),
    );
    let damage_of = |table: usize| tables.iter().position(|&known| known == table).map(|i| &damage[i]);
    let mut before = tables.len();
    let counts = across(
        sessions,
        children.len(),
        |session, i| counts(schema, session, &counted, children[i]),
        |done| (wishes.progress)(before + done, total),
    );
    before += children.len();
    let counts_of = |index: usize| {
        let child = children.iter().position(|&child| child == schema.relations[index].child)?;
        let place = (0..index).filter(|&earlier| countable(schema, &counted, earlier, children[child])).count();
        Some(counts[child].as_ref().map(|counts| counts.get(place).copied().unwrap_or_default()))
    };
    let fact = |session: &mut dyn Session, index: usize| {
        let balanced = balances[index].as_ref().map(|question| balanced(session, question));
        let route = balanced.as_ref().unwrap_or(&routes[index]);
        let answer = if route.has_a_question() {
            orphans(schema, session, index, route, &damage_of, wishes)
        } else {
            Ok(Tally::default())
        };
        fact_of(route, answer, || counts_of(index))
    };
    across(
        sessions,
        routes.len(),
        |session, index| {
            let fact = fact(session, index);
            learnt(session, index, &fact);
            fact
        },
        |done| (wishes.progress)(before + done, total),
    )
}

fn fact_of<'a>(
    route: &Route,
    answer: Result<Tally, String>,
    counts: impl FnOnce() -> Option<Result<Counts, &'a EngineError>>,
) -> Fact {
    match (route, answer) {
        (Route::Closed(why), _) => Fact::Unchecked(why.clone()),
        (_, Err(why)) => Fact::Unchecked(why),
        (Route::Read(reading), Ok(tally)) => {
            let StorageReading { counts, method, suspects, index_is_proven } = reading.clone();
            Fact::Checked(Tally { counts, method, suspects, index_is_proven, ..tally })
        }
        (Route::Ask { why }, Ok(tally)) => match counts() {
            Some(Err(error)) => Fact::Unchecked(error.because()),
            counts => {
                let counts = counts.and_then(Result::ok).unwrap_or_default();
                Fact::Checked(Tally { counts, method_reason: why.clone(), ..tally })
            }
        },
    }
}

/// How one relation is judged.
enum Route {
    /// The counts are known, and where orphans can be; what that leaves open is asked.
    Read(StorageReading),
    /// Everything is asked in SQL, and why.
    Ask { why: Option<String> },
    /// Not at all, and why.
    Closed(String),
}

impl Route {
    fn has_a_question(&self) -> bool {
        match self {
            Route::Read(reading) => reading.suspects != Suspects::Rows(Vec::new()),
            Route::Ask { .. } => true,
            Route::Closed(_) => false,
        }
    }
}

/// Rows and orphans counted in one go: only where there are orphans is there more to ask.
fn balanced(session: &mut dyn Session, question: &sql::Sql) -> Route {
    match session.numbers(question).as_deref() {
        Ok(&[rows, null_rows, ignored_rows, orphans]) => Route::Read(StorageReading {
            counts: Counts { rows, null_rows, ignored_rows },
            method: Method::Sql,
            suspects: if orphans == 0 { Suspects::Rows(Vec::new()) } else { Suspects::Many },
            index_is_proven: false,
        }),
        Ok(other) => Route::Closed(format!("{} numbers came where four were asked for", other.len())),
        Err(error) => Route::Closed(error.because()),
    }
}

fn routes(schema: &Schema, sessions: &mut [Box<dyn Session + '_>], wishes: &Wishes<'_>) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut inclusions = Vec::new();
    for (index, relation) in schema.relations.iter().enumerate() {
        routes.push(match (&relation.judge, inclusion(relation)) {
            (Judge::Nobody(why), _) => Route::Closed(why.clone()),
            (_, Err(why)) => Route::Ask { why: Some(why.to_owned()) },
            (_, Ok(inclusion)) => {
                inclusions.push((index, inclusion));
                Route::Ask { why: None }
            }
        });
    }
    let (places, inclusions): (Vec<usize>, Vec<Inclusion>) = inclusions.into_iter().unzip();
    let effort = Effort { memory: wishes.memory, threads: wishes.threads, progress: wishes.progress };
    let answers = match sessions.first_mut() {
        Some(session) if !inclusions.is_empty() => session.read_storage(&schema.tables, &inclusions, &effort),
        _ => Vec::new(),
    };
    for (relation, answer) in places.into_iter().zip(answers) {
        routes[relation] = match answer {
            StorageAnswer::Judged(reading) => Route::Read(reading),
            StorageAnswer::AskSql { why } => Route::Ask { why },
            StorageAnswer::TimeLimit => Route::Closed(EngineError::TimeLimit.because()),
        };
    }
    routes
}

/// The question to the storage, or why it must be put in SQL.
fn inclusion(relation: &Relation) -> Result<Inclusion, &'static str> {
    let parent = relation.parent.table.ok_or("there is no parent to read")?;
    if relation.scope.partial.is_some() {
        return Err("only some of its rows are asked for");
    }
    if !relation.scope.is_everything() {
        return Err("what is configured for it is SQL");
    }
    Ok(Inclusion {
        child: relation.child,
        child_columns: relation.child_columns.clone(),
        parent,
        parent_columns: relation.parent.columns.clone(),
        key: relation.parent.key,
    })
}

/// Runs `count` tasks over the sessions, each session one task at a time; answers in the tasks' order.
pub fn across<T: Send>(
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

/// Tables whose rows are asked for, each once.
fn tables_of(schema: &Schema, asked: &impl Fn(usize) -> bool) -> Vec<usize> {
    let relations = schema.relations.iter().enumerate().filter(|(index, _)| asked(*index));
    let mut tables: Vec<usize> =
        relations.flat_map(|(_, relation)| [Some(relation.child), relation.parent.table]).flatten().collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

fn countable(schema: &Schema, asked: &impl Fn(usize) -> bool, relation: usize, child: usize) -> bool {
    schema.relations[relation].child == child && asked(relation)
}

fn has_relations(schema: &Schema, asked: &impl Fn(usize) -> bool, table: usize) -> bool {
    (0..schema.relations.len()).any(|relation| countable(schema, asked, relation, table))
}

fn counts(
    schema: &Schema,
    session: &mut dyn Session,
    asked: &impl Fn(usize) -> bool,
    child: usize,
) -> Result<Vec<Counts>, EngineError> {
    let relations: Vec<&Relation> = (0..schema.relations.len())
        .filter(|&relation| countable(schema, asked, relation, child))
        .map(|relation| &schema.relations[relation])
        .collect();
    // SQLite allows no more than 2,000 result columns.
    let mut counts = Vec::new();
    for some in relations.chunks(500) {
        let numbers = session.numbers(&sql::of(schema).counts(schema, child, some))?;
        counts.extend(numbers[1..].chunks(3).map(|n| Counts { rows: n[0], null_rows: n[1], ignored_rows: n[2] }));
    }
    Ok(counts)
}

type Examined = Result<Option<Damage>, EngineError>;

/// Asks for orphans, and folds the answer into a tally without counts.
pub fn tally(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    question: &sql::Sql,
    samples: usize,
) -> Result<Tally, EngineError> {
    let mut gatherer = Gatherer::new(schema, relation, samples, &|_| false);
    session.each_row(question, &mut |row| gatherer.take(row))?;
    Ok(gatherer.finish())
}

/// Why a relation's rows cannot be judged, if they cannot.
fn unreadable<'a>(
    schema: &Schema,
    relation: &Relation,
    damage_of: &impl Fn(usize) -> Option<&'a Examined>,
) -> Option<String> {
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

/// The orphans of one relation: of all its rows, or of those that its storage left open.
fn orphans<'a>(
    schema: &Schema,
    session: &mut dyn Session,
    index: usize,
    route: &Route,
    damage_of: &impl Fn(usize) -> Option<&'a Examined>,
    wishes: &Wishes<'_>,
) -> Result<Tally, String> {
    let relation = &schema.relations[index];
    let among = match route {
        Route::Read(reading) => among(&reading.suspects, reading.index_is_proven),
        Route::Ask { .. } | Route::Closed(_) => sql::Among::default(),
    };
    if let Some(why) = unreadable(schema, relation, damage_of) {
        return Err(why);
    }
    let is_known = |missing: &Missing| (wishes.is_known)(index, &missing.key, missing.rows);
    let mut gather = |question: &sql::Sql| {
        let mut gatherer = Gatherer::new(schema, relation, wishes.samples, &is_known);
        session.each_row(question, &mut |row| gatherer.take(row)).map_err(|error| error.because())?;
        Ok::<Tally, String>(gatherer.finish())
    };
    let question = sql::of(schema).orphans(schema, relation, &among);
    let mut tally = gather(&question)?;
    if let Some(again) = second_opinion(schema, &tally, &among, &question) {
        let confirmed = gather(&again)?;
        let rows = tally.orphan_rows.saturating_sub(confirmed.orphan_rows);
        let false_orphans = (rows > 0).then(|| FalseOrphans { rows, samples: Vec::new() });
        tally = Tally { false_orphans, ..confirmed };
    }
    let stale = stale_index(schema, relation, damage_of).filter(|_| tally.false_orphans.is_none());
    stale.map_or(Ok(tally), Err)
}

/// An index that lost a row makes orphans of those that refer to it, so orphans are confirmed by the tables themselves.
/// Rows that are known by their addresses already are.
fn second_opinion(schema: &Schema, tally: &Tally, among: &sql::Among<'_>, question: &sql::Sql) -> Option<sql::Sql> {
    let is_wanted = tally.orphan_rows > 0 && among.rows.is_none();
    sql::of(schema).without_indexes(question).filter(|_| is_wanted)
}

fn among(suspects: &Suspects, index_is_proven: bool) -> sql::Among<'_> {
    let rows = match suspects {
        Suspects::Rows(rows) => Some(rows.as_slice()),
        Suspects::Many => None,
    };
    sql::Among { rows, index_is_proven }
}

/// Calls `each` with every orphan of a relation that has been scanned, sorted by missing key.
pub fn each_orphan(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
    each: &mut dyn FnMut(Sample),
) -> Result<(), EngineError> {
    let shape = Shape::of(schema, relation);
    let mut question = sql::of(schema).orphans(schema, relation, &tally.among());
    if tally.false_orphans.is_some() {
        question = sql::of(schema).without_indexes(&question).unwrap_or(question);
    }
    session.each_row(&question, &mut |row| {
        if let Some(row) = shape.split(row).filter(|row| !row.is_present) {
            each(shape.sample(&row));
        }
    })
}
