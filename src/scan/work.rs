//! The work of a scan for each relation: it chooses how the relation is judged, counts its rows and finds its orphans.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::FalseOrphans;
use super::ScanOptions;
use super::Tasks;
use super::digest;
use super::gather::Gatherer;
use super::gather::IsKnownKey;
use super::hints;
use super::proof::Proofs;
use super::proven;
use super::proven::Outcome;
use super::run_in_parallel;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::OrphanList;
use crate::engine::Session;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::examination::RepeatedKeys;
use crate::model::facts::Equality;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::scan::ScanResult;
use crate::scan::Tally;
use crate::sql;
use crate::sql::Sql;

/// The most relations in one statement: SQLite allows 2,000 result columns, and each relation takes three.
const COUNTED_AT_ONCE: usize = 500;

/// One relation in the course of a scan.
pub(super) struct Work<'a> {
    id: RelationId,
    relation: &'a Relation,
    route: Route,
    /// The query that counts rows and orphans together, if the engine has one for the relation.
    counts_with_orphans: Option<Sql>,
    /// The relation's rows, if a statement of their own counts them.
    counts: Option<Result<Counts, EngineError>>,
    /// The parent's keys that come more than once, if a statement of their own counts them.
    repeated_keys: Option<Result<RepeatedKeys, EngineError>>,
}

/// The way in which a relation is judged.
enum Route {
    /// The storage gave the counts and the possible orphans. SQL judges those that the storage did not prove.
    Read(StorageReading),
    /// SQL judges all rows, for this reason.
    Ask { why: Option<String> },
    /// The relation cannot be judged, for this reason.
    Closed(String),
}

impl Route {
    fn has_a_question(&self) -> bool {
        match self {
            Route::Read(reading) => !reading.orphans.is_empty() || reading.suspects != Suspects::Rows(Vec::new()),
            Route::Ask { .. } => true,
            Route::Closed(_) => false,
        }
    }
}

/// The damage of each table that SQL reads, as the engine's own check reports it.
pub(super) struct Storage(BTreeMap<TableId, Result<Option<Damage>, EngineError>>);

/// Returns the work for every relation of a schema, after reading the storage of those that the engine can read itself.
pub(super) fn plan<'a>(
    schema: &'a Schema,
    sessions: &mut [Box<dyn Session + '_>],
    options: &ScanOptions<'_>,
) -> IdVec<RelationId, Work<'a>> {
    let mut inclusions = BTreeMap::new();
    let mut works: IdVec<RelationId, Work<'a>> = schema
        .relations
        .entries()
        .map(|(id, relation)| {
            let unreadable = unreadable(schema, relation);
            let route = match (&relation.judge, inclusion(schema, relation)) {
                _ if unreadable.is_some() => Route::Closed(unreadable.unwrap_or_default()),
                (Judge::Incomparable(why), _) => Route::Closed(why.clone()),
                (_, Err(why)) => Route::Ask { why: Some(why.to_owned()) },
                (_, Ok(inclusion)) => {
                    inclusions.insert(id, inclusion);
                    Route::Ask { why: None }
                }
            };
            Work { id, relation, route, counts_with_orphans: None, counts: None, repeated_keys: None }
        })
        .collect();
    let (asked, inclusions): (Vec<RelationId>, Vec<Inclusion>) = inclusions.into_iter().unzip();
    let effort = StorageReadOptions { memory: options.memory, threads: options.threads, progress: options.progress };
    let answers = match sessions.first_mut() {
        Some(session) if !inclusions.is_empty() => session.read_storage(&schema.tables, &inclusions, &effort),
        _ => Vec::new(),
    };
    for (relation, answer) in asked.into_iter().zip(answers) {
        works[relation].route = match answer {
            StorageAnswer::Judged(reading) => Route::Read(reading),
            StorageAnswer::AskSql { why } => Route::Ask { why },
            StorageAnswer::Unjudged { why } => Route::Closed(why),
            StorageAnswer::TimeLimit => Route::Closed(EngineError::TimeLimit.because()),
        };
    }
    for work in works.iter_mut().filter(|work| work.is_asked()) {
        work.counts_with_orphans = sql::of(schema).counts_with_orphans(schema, work.relation);
    }
    works
}

/// Returns why a table of the relation cannot be read.
pub(super) fn unreadable(schema: &Schema, relation: &Relation) -> Option<String> {
    let tables = [Some(schema.child(relation)), schema.parent(relation)].into_iter().flatten();
    tables.into_iter().find_map(|table| Some(format!("{} cannot be read: {}", table.name, table.unreadable.as_ref()?)))
}

/// Returns the inclusion that the storage can judge, or the reason why only SQL can.
fn inclusion(schema: &Schema, relation: &Relation) -> Result<Inclusion, &'static str> {
    let parent = relation.parent.table.ok_or("there is no parent to read")?;
    let reads_conditions = schema.database.engine.facts().equality == Equality::OfFiles;
    if relation.scope.partial.is_some() && !reads_conditions {
        return Err("only some of its rows are asked for");
    }
    if !relation.scope.is_everything() && !reads_conditions {
        return Err("what is configured for it is SQL");
    }
    Ok(Inclusion {
        child: relation.child,
        child_columns: relation.child_columns.clone(),
        parent,
        parent_columns: relation.parent.columns.clone(),
        key: relation.parent.key,
        rows_in_scope: sql::of(schema).addresses_in_scope(schema, relation),
        deleted_parents: sql::of(schema).addresses_of_deleted_parents(schema, relation),
        ignored: relation.scope.ignored.clone(),
    })
}

/// Returns the tables that SQL reads, each once.
pub(super) fn tables_asked(works: &IdVec<RelationId, Work<'_>>) -> Vec<TableId> {
    let asked = works.iter().filter(|work| work.is_asked());
    let tables = asked.flat_map(|work| [Some(work.relation.child), work.relation.parent.table]).flatten();
    tables.collect::<BTreeSet<TableId>>().into_iter().collect()
}

/// Returns the tables whose rows a statement of their own counts, each once.
pub(super) fn tables_counted(works: &IdVec<RelationId, Work<'_>>) -> Vec<TableId> {
    let counted = works.iter().filter(|work| work.is_counted_apart());
    counted.map(|work| work.relation.child).collect::<BTreeSet<TableId>>().into_iter().collect()
}

/// Checks the storage of these tables for damage.
pub(super) fn examine_storage(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    tables: &[TableId],
    tasks: &Tasks<'_>,
) -> Storage {
    let damage = run_in_parallel(
        sessions,
        tables.len(),
        |session, i| {
            tasks.begin(tables[i]);
            session.damage(&schema.tables[tables[i]])
        },
        |_| tasks.finished(),
    );
    Storage(tables.iter().copied().zip(damage).collect())
}

/// Counts the rows of these children. One pass over a child serves all its relations.
pub(super) fn count_rows(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    works: &mut IdVec<RelationId, Work<'_>>,
    children: &[TableId],
    tasks: &Tasks<'_>,
) {
    let of_child = |child: TableId| -> Vec<&Work<'_>> {
        works.iter().filter(|work| work.is_counted_apart() && work.relation.child == child).collect()
    };
    let counts = run_in_parallel(
        sessions,
        children.len(),
        |session, i| {
            tasks.begin(children[i]);
            count_child(schema, session, children[i], &of_child(children[i]))
        },
        |_| tasks.finished(),
    );
    let counts: Vec<(RelationId, Result<Counts, EngineError>)> = counts.into_iter().flatten().collect();
    for (relation, counts) in counts {
        works[relation].counts = Some(counts);
    }
}

/// Counts the keys of each parent that come more than once, where only a statement can tell.
pub(super) fn count_repeated_keys(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    works: &mut IdVec<RelationId, Work<'_>>,
) {
    let mut questions: BTreeMap<(TableId, &[usize]), Sql> = BTreeMap::new();
    for work in works.iter().filter(|work| work.is_asked()) {
        let Some(parent) = work.relation.parent.table else { continue };
        let columns = work.relation.parent.columns.as_slice();
        let question = sql::of(schema).repeated_keys(schema, &schema.tables[parent], columns);
        questions.extend(question.map(|question| ((parent, columns), question)));
    }
    let asked: Vec<(&(TableId, &[usize]), &Sql)> = questions.iter().collect();
    let answer = |session: &mut dyn Session, i: usize| {
        let numbers = session.numbers(asked[i].1)?;
        match numbers.as_slice() {
            &[keys, rows] => Ok(RepeatedKeys { keys, rows, first: None }),
            other => Err(digest::unfitting(2, other.len() as u64, "numbers")),
        }
    };
    let answers = run_in_parallel(sessions, asked.len(), answer, |_| {});
    let answers: BTreeMap<_, _> = asked.iter().map(|(key, _)| **key).zip(answers).collect();
    for work in works.iter_mut().filter(|work| work.is_asked()) {
        let Some(parent) = work.relation.parent.table else { continue };
        work.repeated_keys = answers.get(&(parent, work.relation.parent.columns.as_slice())).cloned();
    }
}

fn count_child(
    schema: &Schema,
    session: &mut dyn Session,
    child: TableId,
    works: &[&Work<'_>],
) -> Vec<(RelationId, Result<Counts, EngineError>)> {
    let mut counts = Vec::new();
    for some in works.chunks(COUNTED_AT_ONCE) {
        let relations: Vec<&Relation> = some.iter().map(|work| work.relation).collect();
        match session.numbers(&sql::of(schema).counts(schema, child, &relations)) {
            Ok(numbers) if numbers.len() != 1 + 3 * relations.len() => {
                let error = digest::unfitting(1 + 3 * relations.len() as u64, numbers.len() as u64, "numbers");
                return works.iter().map(|work| (work.id, Err(error.clone()))).collect();
            }
            Ok(numbers) => {
                let found = numbers.get(1..).unwrap_or_default().chunks_exact(3);
                counts.extend(found.map(|n| Counts { rows: n[0], null_rows: n[1], ignored_rows: n[2] }));
            }
            Err(error) => return works.iter().map(|work| (work.id, Err(error.clone()))).collect(),
        }
    }
    let found = counts.into_iter().chain(std::iter::repeat(Counts::default()));
    works.iter().zip(found).map(|(work, counts)| (work.id, Ok(counts))).collect()
}

impl Work<'_> {
    /// Returns what the storage said about the relation, if it was read.
    pub(super) fn reading(&self) -> Option<&StorageReading> {
        match &self.route {
            Route::Read(reading) => Some(reading),
            Route::Ask { .. } | Route::Closed(_) => None,
        }
    }

    /// True if SQL judges all rows of the relation.
    fn is_asked(&self) -> bool {
        matches!(self.route, Route::Ask { .. })
    }

    fn is_counted_apart(&self) -> bool {
        self.is_asked() && self.counts_with_orphans.is_none()
    }

    /// Returns the result for the relation.
    pub(super) fn fact(
        &self,
        schema: &Schema,
        session: &mut dyn Session,
        storage: &Storage,
        proofs: &Proofs<'_>,
        options: &ScanOptions<'_>,
    ) -> ScanResult {
        let counted = self.counts_with_orphans.as_ref().map(|query| count_with_orphans(session, query));
        let route = counted.as_ref().unwrap_or(&self.route);
        let answer = if route.has_a_question() {
            self.orphans(schema, session, route, (storage, proofs), options)
        } else {
            Ok(Tally { suspects: Suspects::Rows(Vec::new()), ..Tally::default() })
        };
        self.fact_of(route, answer)
    }

    fn fact_of(&self, route: &Route, answer: Result<Tally, String>) -> ScanResult {
        match (route, answer) {
            (Route::Closed(why), _) => ScanResult::Unchecked(why.clone()),
            (_, Err(why)) => ScanResult::Unchecked(why),
            (Route::Read(reading), Ok(tally)) => {
                let StorageReading { counts, method, index_is_proven, .. } = *reading;
                let (repeated_keys, storage_note) = (reading.repeated_keys.clone(), reading.note.clone());
                ScanResult::Checked(Tally { counts, method, index_is_proven, repeated_keys, storage_note, ..tally })
            }
            (Route::Ask { why }, Ok(tally)) => {
                let counts = self.counts.as_ref().and_then(|counts| counts.as_ref().ok());
                let counts = counts.copied().unwrap_or(tally.counts);
                let repeated_keys = self.repeated_keys.as_ref().and_then(|found| found.as_ref().ok());
                let repeated_keys = repeated_keys.filter(|found| found.keys > 0);
                let repeated_keys = repeated_keys.cloned().map(Box::new);
                ScanResult::Checked(Tally { counts, repeated_keys, method_reason: why.clone(), ..tally })
            }
        }
    }

    /// Returns the orphans among all rows, or among those that the storage could not judge.
    fn orphans(
        &self,
        schema: &Schema,
        session: &mut dyn Session,
        route: &Route,
        (storage, proofs): (&Storage, &Proofs<'_>),
        options: &ScanOptions<'_>,
    ) -> Result<Tally, String> {
        if let Some(why) = storage.unreadable(schema, self.relation) {
            return Err(why);
        }
        // The relation is unchecked already, and the first failure explains the later ones.
        if let (Some(Err(error)), _) | (_, Some(Err(error))) = (&self.counts, &self.repeated_keys) {
            return Err(error.because());
        }
        let is_known = options.is_known.map(|is_known| move |key: &Key, rows: u64| is_known(self.id, key, rows));
        let is_known = is_known.as_ref().map(|is_known| is_known as IsKnownKey<'_>);
        let gatherer = Gatherer { schema, relation: self.relation, samples: options.samples, is_known };
        let because = |error: EngineError| error.because();
        let among = match route {
            Route::Read(reading) if !reading.orphans.is_empty() => {
                match proven::tally(&gatherer, session, reading, proofs.trust(self.id)).map_err(because)? {
                    Outcome::Tally(tally) => return Ok(*tally),
                    Outcome::Contradicted => proofs.contradict(self.id),
                    Outcome::AskAll => {}
                }
                sql::ScanHints { rows: None, index_is_proven: reading.index_is_proven }
            }
            Route::Read(reading) => hints(&reading.suspects, reading.index_is_proven),
            Route::Ask { .. } | Route::Closed(_) => sql::ScanHints::default(),
        };
        if let (Route::Ask { .. }, Some(totals)) = (route, sql::of(schema).orphan_totals(schema, self.relation)) {
            return gatherer.digest(session, &totals).map_err(because);
        }
        let question = sql::of(schema).orphans(schema, self.relation, &among);
        let mut tally = gatherer.gather(session, &question).map_err(because)?;
        if let Some(again) = second_opinion(schema, &tally, &among, &question) {
            let confirmed = gatherer.gather(session, &again).map_err(because)?;
            let rows = tally.orphan_rows.saturating_sub(confirmed.orphan_rows);
            let false_orphans = (rows > 0).then(|| FalseOrphans { rows, samples: Vec::new() });
            tally = Tally { false_orphans, ..confirmed };
        }
        if let Some(rows) = among.rows {
            tally.suspects = Suspects::Rows(rows.to_vec());
        }
        let stale = storage.stale_index(schema, self.relation).filter(|_| tally.false_orphans.is_none());
        stale.map_or(Ok(tally), Err)
    }
}

/// Counts rows and orphans in one statement. Only a relation with orphans needs another one.
fn count_with_orphans(session: &mut dyn Session, question: &Sql) -> Route {
    match session.numbers(question).as_deref() {
        Ok(&[rows, null_rows, ignored_rows, orphans]) => Route::Read(StorageReading {
            counts: Counts { rows, null_rows, ignored_rows },
            method: Method::Sql,
            orphans: OrphanList::default(),
            suspects: if orphans == 0 { Suspects::Rows(Vec::new()) } else { Suspects::Many },
            index_is_proven: false,
            repeated_keys: None,
            note: None,
        }),
        Ok(other) => Route::Closed(format!("{} numbers came where four were asked for", other.len())),
        Err(error) => Route::Closed(error.because()),
    }
}

/// An index that lost a row makes orphans of those that refer to it, so orphans are confirmed by the tables themselves.
/// Rows that are known by their addresses already are.
fn second_opinion(schema: &Schema, tally: &Tally, among: &sql::ScanHints<'_>, question: &Sql) -> Option<Sql> {
    let is_wanted = tally.orphan_rows > 0 && among.rows.is_none();
    sql::of(schema).without_indexes(question).filter(|_| is_wanted)
}

impl Storage {
    /// Returns the reason why a relation's rows cannot be judged, if damage prevents it.
    fn unreadable(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let tables = [Some(relation.child), relation.parent.table].into_iter().flatten();
        tables.into_iter().find_map(|table| match self.0.get(&table) {
            Some(Ok(Some(Damage::Storage(message)))) => Some(format!(
                "the storage of {} is damaged ({})",
                schema.tables[table].name,
                message.replace('\n', "; ")
            )),
            Some(Err(error)) => Some(error.because()),
            _ => None,
        })
    }

    /// Returns the reason why a relation without false orphans is still unchecked, if it is: an index of the parent has too
    /// many entries. Other damage of indexes cannot matter, because the child is read without them, and orphans are looked
    /// up in the parent's own table.
    fn stale_index(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = relation.parent.table?;
        match self.0.get(&parent) {
            Some(Ok(Some(Damage::Index(message)))) => Some(format!(
                "an index of {} disagrees with its table ({message}): REINDEX a copy",
                schema.tables[parent].name
            )),
            _ => None,
        }
    }
}
