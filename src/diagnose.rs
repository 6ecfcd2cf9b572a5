//! The likely cause of missing keys, each with its evidence.
//!
//! A relation's missing keys with the most rows are examined. Each gets the first cause that holds, and keys of one cause are
//! reported together. Two causes concern the relation as a whole: an empty parent, and a parent that lost more than half of
//! the keys that are referred to. All relations are diagnosed together, so that each table is read once for all of them.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::diagnosis::Diagnosis;
use crate::model::diagnosis::Evidence;
use crate::model::finding::Cause;
use crate::model::finding::MissingKey;
use crate::model::redaction::Redaction;
use crate::model::redaction::ShownValue;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan::Tally;
use crate::scan::run_in_parallel;
use crate::sql;

mod chance;
mod names;
mod not_loaded_yet;
mod parent;
pub mod parent_key;
mod parent_loss;
mod sentinel;
mod spelling;
mod unique_keys;
mod wrong_table;

use not_loaded_yet::Later;
use spelling::NearMiss;

/// The missing keys of one relation, and what explains them so far.
struct Case<'a> {
    relation: &'a Relation,
    tally: &'a Tally,
    /// Keys without a cause.
    open: Vec<&'a MissingKey<Value>>,
    /// Causes in the order in which they were found.
    explained: Vec<Diagnosis>,
    /// What was searched in part or not at all, in the words of the report.
    unsearched: Vec<String>,
}

/// A key as it may be shown in evidence.
type Show<'a> = &'a (dyn Fn(&Relation, &Key) -> Vec<ShownValue> + Sync);

/// Diagnoses one relation's missing keys; empty when it has none. A question that fails leaves its cause out.
pub fn diagnose(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    tally: &Tally,
    redaction: &Redaction,
) -> Vec<Diagnosis> {
    let mut sessions: [Box<dyn Session + '_>; 1] = [Box::new(session)];
    diagnose_all(schema, &mut sessions, &[(relation, tally)], redaction, 1).pop().unwrap_or_default()
}

/// Diagnoses the missing keys of these relations. Returns one answer for each.
pub fn diagnose_all(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    relations: &[(&Relation, &Tally)],
    redaction: &Redaction,
    threads: usize,
) -> Vec<Vec<Diagnosis>> {
    let show: Show<'_> = &|relation, key| redaction.key(schema, relation, key);
    let with_keys = relations.iter().enumerate().filter(|(_, (_, tally))| !tally.top.is_empty());
    let (positions, mut cases): (Vec<usize>, Vec<Case<'_>>) =
        with_keys.map(|(position, (relation, tally))| (position, Case::new(relation, tally))).unzip();
    let parents = parent::ask(schema, sessions, &cases);
    let parent_of = |case: &Case<'_>| parent::key_of(case.relation).and_then(|key| parents.get(&key));
    for case in &mut cases {
        if parent_of(case).is_some_and(|parent| parent.is_empty) {
            let evidence = Evidence::EmptyParent { parent: case.relation.parent.name.to_string() };
            case.explain_all(Cause::ParentTableEmpty, evidence, show);
        }
    }
    soft_deleted(schema, sessions, &mut cases, show);
    for case in &mut cases {
        let largest = parent_of(case).and_then(|parent| parent.largest);
        case.explain(Cause::Sentinel, sentinel::find(&case.open, largest), show);
    }
    misspelt(schema, sessions, &mut cases, threads, show);
    let elsewhere = wrong_table::find(schema, sessions, &cases, &parents);
    for (case, elsewhere) in cases.iter_mut().zip(elsewhere) {
        if elsewhere.searched < elsewhere.tables {
            case.unsearched.push(format!("{} of {} other tables were searched", elsewhere.searched, elsewhere.tables));
        }
        let found = elsewhere.found.map(|(keys, name)| Explanation::of(keys, Evidence::WrongTable { keys: name }));
        case.explain(Cause::WrongTable, found, show);
    }
    let later = run_in_parallel(
        sessions,
        cases.len(),
        |session, i| not_loaded_yet::find(schema, session, &cases[i], parent_of(&cases[i]), show),
        |_| {},
    );
    for (case, later) in cases.iter_mut().zip(later) {
        match later {
            Some(Later::All(evidence)) => case.explain_all(Cause::NotLoadedYet, evidence, show),
            Some(Later::Some(explanation)) => case.explain(Cause::NotLoadedYet, Some(explanation), show),
            None => {}
        }
    }
    let losses =
        run_in_parallel(sessions, cases.len(), |session, i| parent_loss::find(schema, session, &cases[i]), |_| {});
    let mut answers = vec![Vec::new(); relations.len()];
    for ((position, case), loss) in positions.into_iter().zip(cases).zip(losses) {
        answers[position] = case.diagnoses(loss, show);
    }
    answers
}

impl<'a> Case<'a> {
    fn new(relation: &'a Relation, tally: &'a Tally) -> Case<'a> {
        let open = tally.top.iter().collect();
        Case { relation, tally, open, explained: Vec::new(), unsearched: Vec::new() }
    }

    /// Takes the keys that a cause explains from those that are open.
    fn explain(&mut self, cause: Cause, explanation: Option<Explanation>, show: Show<'_>) {
        let Some(Explanation { keys, evidence, can_remap }) = explanation else { return };
        // Both lists have the same order.
        let mut next = keys.iter().peekable();
        let (explained, open): (Vec<_>, Vec<_>) =
            self.open.iter().partition(|missing| next.next_if(|key| **key == missing.key).is_some());
        if explained.is_empty() {
            return;
        }
        self.open = open;
        self.explained.push(Diagnosis {
            cause,
            rows: explained.iter().map(|missing| missing.rows).sum(),
            keys: explained.len() as u64,
            all_keys: self.tally.missing_keys,
            examples: self.examples(&explained, show),
            can_remap,
            evidence,
        });
    }

    /// Explains every key of the relation, including those that are not among its most frequent.
    fn explain_all(&mut self, cause: Cause, evidence: Evidence, show: Show<'_>) {
        let open = std::mem::take(&mut self.open);
        let examples = self.examples(&open, show);
        self.explained.push(self.rest(cause, examples, evidence));
    }

    /// Returns a diagnosis of all keys that no cause explains.
    fn rest(&self, cause: Cause, examples: Vec<String>, evidence: Evidence) -> Diagnosis {
        let all_keys = self.tally.missing_keys;
        let explained: u64 = self.explained.iter().map(|diagnosis| diagnosis.keys).sum();
        let keys = all_keys.saturating_sub(explained);
        Diagnosis { cause, rows: self.rows_left(), keys, all_keys, examples, can_remap: false, evidence }
    }

    /// Returns the first of these keys, as reports show them.
    fn examples(&self, keys: &[&MissingKey<Value>], show: Show<'_>) -> Vec<String> {
        keys.iter().take(2).map(|missing| text::key(&show(self.relation, &missing.key))).collect()
    }

    /// True if most of the examined keys have no cause yet.
    fn is_mostly_open(&self) -> bool {
        self.open.len() * 2 > self.tally.top.len()
    }

    /// Rows that no cause explains.
    fn rows_left(&self) -> u64 {
        let explained: u64 = self.explained.iter().map(|diagnosis| diagnosis.rows).sum();
        self.tally.orphan_rows.saturating_sub(explained)
    }

    /// Missing keys that were not examined. None of them has more rows than one that was.
    fn keys_not_examined(&self) -> u64 {
        self.tally.missing_keys.saturating_sub(self.tally.top.len() as u64)
    }

    /// Returns the causes that were found, and one for the rows that are left: a parent that lost rows, or nothing that is
    /// known.
    fn diagnoses(mut self, loss: Option<String>, show: Show<'_>) -> Vec<Diagnosis> {
        if self.rows_left() > 0 {
            let examples = self.examples(&self.open, show);
            let rest = match loss {
                Some(why) => self.rest(Cause::ParentLoss, examples, Evidence::LostRows { why }),
                None => self.rest(Cause::Unknown, examples, self.nothing_found()),
            };
            self.explained.push(rest);
        }
        self.explained
    }

    fn nothing_found(&self) -> Evidence {
        let more = match self.keys_not_examined() {
            0 => None,
            1 => Some("1 more key was not examined".to_owned()),
            more => Some(format!("{} more keys were not examined", text::count(more))),
        };
        let limits = self.unsearched.iter().cloned().chain(more).collect();
        Evidence::Nothing { parent: self.relation.parent.name.to_string(), limits }
    }
}

/// The keys that a cause explains, and the evidence.
struct Explanation {
    /// In the order of the open keys.
    keys: Vec<Key>,
    evidence: Evidence,
    /// True if exactly one parent remains for each key, once the keys are written in a normal form.
    can_remap: bool,
}

impl Explanation {
    fn of(keys: Vec<Key>, evidence: Evidence) -> Explanation {
        Explanation { keys, evidence, can_remap: false }
    }
}

fn soft_deleted(schema: &Schema, sessions: &mut [Box<dyn Session + '_>], cases: &mut [Case<'_>], show: Show<'_>) {
    let found = run_in_parallel(
        sessions,
        cases.len(),
        |session, i| {
            let keys: Vec<&Key> = cases[i].open.iter().map(|missing| &missing.key).collect();
            let question = sql::of(schema).soft_deleted_keys(schema, cases[i].relation, &keys)?;
            let found = positions(session, &question, &keys).ok()?;
            Some(found.into_iter().map(|i| keys[i].clone()).collect::<Vec<Key>>())
        },
        |_| {},
    );
    for (case, keys) in cases.iter_mut().zip(found) {
        let parent = case.relation.parent.name.to_string();
        let found = keys.map(|keys| Explanation::of(keys, Evidence::SoftDeleted { parent }));
        case.explain(Cause::SoftDeleted, found, show);
    }
}

/// Explains keys that have a parent in another spelling. Every column of a parent is read once.
fn misspelt(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    cases: &mut [Case<'_>],
    threads: usize,
    show: Show<'_>,
) {
    let columns = spelling::columns(schema, cases);
    let threads = (threads / columns.len().max(1)).max(1);
    let found =
        run_in_parallel(sessions, columns.len(), |session, i| columns[i].read(schema, session, threads), |_| {});
    let mut of_cases: BTreeMap<usize, Vec<NearMiss>> = BTreeMap::new();
    for (column, found) in columns.iter().zip(found) {
        let Ok(found) = found else {
            column.cases().for_each(|case| cases[case].unsearched.push("other spellings were not searched".to_owned()));
            continue;
        };
        if found.is_partial {
            column.cases().for_each(|case| cases[case].unsearched.push(spelling::partly_read()));
        }
        for near_miss in found.near_misses {
            of_cases.entry(near_miss.case).or_default().push(near_miss);
        }
    }
    for (case, mut found) in of_cases {
        let case = &mut cases[case];
        // The key with the most rows is the example.
        let rank = |key: &Key| case.open.iter().position(|missing| missing.key == *key);
        found.sort_by_key(|near_miss| rank(&near_miss.key()));
        let mut by_cause: BTreeMap<Cause, Vec<NearMiss>> = BTreeMap::new();
        for near_miss in found {
            by_cause.entry(near_miss.cause).or_default().push(near_miss);
        }
        for (cause, near_misses) in by_cause {
            let explanation = spelling::explanation(case.relation, &near_misses, show);
            case.explain(cause, explanation, show);
        }
    }
}

/// Returns the positions of the keys that an answer lists, one a row.
fn positions(session: &mut dyn Session, question: &sql::Sql, keys: &[&Key]) -> Result<Vec<usize>, EngineError> {
    let mut found = Vec::new();
    session.numbered(question, keys.len(), &mut |index, _| found.push(index))?;
    Ok(found)
}
