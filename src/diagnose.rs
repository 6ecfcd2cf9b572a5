//! The likely cause of missing keys, each with its evidence.
//!
//! A relation's missing keys with the most rows are examined. Each gets the first cause that holds, and keys of one cause are
//! reported together. Two causes concern the relation as a whole: an empty parent, and a parent that lost more than half of
//! the keys that are referred to. All relations are diagnosed together, so that each table is read once for all of them.

use std::collections::BTreeMap;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::finding::Cause;
use crate::model::finding::Diagnosis;
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
mod wrong_table;

use not_loaded_yet::Later;

/// The missing keys of one relation, and what explains them so far.
struct Case<'a> {
    relation: &'a Relation,
    tally: &'a Tally,
    /// Keys without a cause.
    open: Vec<&'a MissingKey<Value>>,
    /// Causes in the order in which they were found: the rows of their keys, and the evidence.
    explained: Vec<(Cause, u64, String)>,
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
            let evidence = format!("{} has no rows at all", case.relation.parent.name);
            case.explain_all(Cause::ParentTableEmpty, evidence);
        }
    }
    soft_deleted(schema, sessions, &mut cases, show);
    for case in &mut cases {
        let largest = parent_of(case).and_then(|parent| parent.largest);
        case.explain(Cause::Sentinel, sentinel::find(case.relation, &case.open, largest, show));
    }
    misspelt(schema, sessions, &mut cases, threads, show);
    let elsewhere = wrong_table::find(schema, sessions, &cases, &parents);
    for (case, elsewhere) in cases.iter_mut().zip(elsewhere) {
        if elsewhere.searched < elsewhere.tables {
            case.unsearched.push(format!("{} of {} other tables were searched", elsewhere.searched, elsewhere.tables));
        }
        let evidence = elsewhere.found.map(|(keys, name)| {
            let evidence = format!("{} {name}", is_or_are(case.relation, &keys, show));
            (keys, evidence)
        });
        case.explain(Cause::WrongTable, evidence);
    }
    let later = run_in_parallel(
        sessions,
        cases.len(),
        |session, i| not_loaded_yet::find(schema, session, &cases[i], parent_of(&cases[i]), show),
        |_| {},
    );
    for (case, later) in cases.iter_mut().zip(later) {
        match later {
            Some(Later::All(evidence)) => case.explain_all(Cause::NotLoadedYet, evidence),
            Some(Later::Some(keys, evidence)) => case.explain(Cause::NotLoadedYet, Some((keys, evidence))),
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
    fn explain(&mut self, cause: Cause, evidence: Evidence) {
        let Some((keys, evidence)) = evidence else { return };
        let rows = self.open.iter().filter(|missing| keys.contains(&missing.key)).map(|missing| missing.rows).sum();
        self.open.retain(|missing| !keys.contains(&missing.key));
        if rows > 0 {
            self.explained.push((cause, rows, evidence));
        }
    }

    /// Explains every key of the relation, including those that are not among its most frequent.
    fn explain_all(&mut self, cause: Cause, evidence: String) {
        self.open.clear();
        self.explained.push((cause, self.tally.orphan_rows, evidence));
    }

    /// True if most of the examined keys have no cause yet.
    fn is_mostly_open(&self) -> bool {
        self.open.len() * 2 > self.tally.top.len()
    }

    /// Rows that no cause explains.
    fn rows_left(&self) -> u64 {
        let explained: u64 = self.explained.iter().map(|(_, rows, _)| rows).sum();
        self.tally.orphan_rows.saturating_sub(explained)
    }

    /// Missing keys that were not examined. None of them has more rows than one that was.
    fn keys_not_examined(&self) -> u64 {
        self.tally.missing_keys.saturating_sub(self.tally.top.len() as u64)
    }

    /// Returns the causes that were found, and one for the rows that are left: a parent that lost rows, or nothing that is
    /// known.
    fn diagnoses(self, loss: Option<String>, show: Show<'_>) -> Vec<Diagnosis> {
        let rows = self.rows_left();
        let rest = (rows > 0).then(|| match loss {
            Some(evidence) => Diagnosis { cause: Cause::ParentLoss, rows, evidence },
            None => Diagnosis { cause: Cause::Unknown, rows, evidence: self.nothing_found(show) },
        });
        let found = self.explained.into_iter().map(|(cause, rows, evidence)| Diagnosis { cause, rows, evidence });
        found.chain(rest).collect()
    }

    fn nothing_found(&self, show: Show<'_>) -> String {
        let more = match self.keys_not_examined() {
            0 => None,
            1 => Some("1 more key was not examined".to_owned()),
            more => Some(format!("{} more keys were not examined", text::count(more))),
        };
        let searched = match self.unsearched.as_slice() {
            [] => String::new(),
            some => format!(" ({})", some.join("; ")),
        };
        let nothing = (!self.open.is_empty()).then(|| {
            let keys = self.open.iter().map(|missing| &missing.key);
            format!("nothing like {} was found{searched}", list(self.relation, keys, self.open.len() as u64, show))
        });
        nothing.into_iter().chain(more).collect::<Vec<_>>().join("; ")
    }
}

/// The keys that a cause explains, and the evidence.
type Evidence = Option<(Vec<Key>, String)>;

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
        let evidence = keys.filter(|keys| !keys.is_empty()).map(|keys| {
            let are = is_or_are(case.relation, &keys, show);
            (keys, format!("{are} marked as deleted in {}", case.relation.parent.name))
        });
        case.explain(Cause::SoftDeleted, evidence);
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
    let mut of_cases: BTreeMap<usize, Vec<(Cause, Key, String)>> = BTreeMap::new();
    for (column, found) in columns.iter().zip(found) {
        let Ok(found) = found else {
            column.cases().for_each(|case| cases[case].unsearched.push("other spellings were not searched".to_owned()));
            continue;
        };
        if found.is_partial {
            column.cases().for_each(|case| cases[case].unsearched.push(spelling::partly_read()));
        }
        for near_miss in found.near_misses {
            let evidence = near_miss.evidence(schema, &cases[near_miss.case], show);
            of_cases.entry(near_miss.case).or_default().push((near_miss.cause, near_miss.key(), evidence));
        }
    }
    for (case, found) in of_cases {
        // The key with the most rows is the example.
        let rank = |key: &Key| cases[case].open.iter().position(|missing| missing.key == *key);
        let mut found = found;
        found.sort_by_key(|(_, key, _)| rank(key));
        for (cause, evidence) in by_cause(found) {
            cases[case].explain(cause, evidence);
        }
    }
}

/// Returns the positions of the keys that an answer lists, one a row.
fn positions(session: &mut dyn Session, question: &sql::Sql, keys: &[&Key]) -> Result<Vec<usize>, EngineError> {
    let mut found = Vec::new();
    session.numbered(question, keys.len(), &mut |index, _| found.push(index))?;
    Ok(found)
}

/// `22 is`, `22 and 23 are`, `22, 23 and 4 more are`.
fn is_or_are(relation: &Relation, keys: &[Key], show: Show<'_>) -> String {
    let verb = if keys.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", list(relation, keys, keys.len() as u64, show))
}

/// Shows the first of `count` keys.
fn list<'a>(relation: &Relation, keys: impl IntoIterator<Item = &'a Key>, count: u64, show: Show<'_>) -> String {
    let shown: Vec<String> = keys.into_iter().take(2).map(|key| text::key(&show(relation, key))).collect();
    match (shown.as_slice(), count) {
        ([first, second], 2) => format!("{first} and {second}"),
        ([first, second], count) => format!("{first}, {second} and {} more", count - 2),
        (some, _) => some.concat(),
    }
}

/// Groups keys by cause, in the order of [`Cause`].
fn by_cause(found: Vec<(Cause, Key, String)>) -> Vec<(Cause, Evidence)> {
    let mut groups: BTreeMap<Cause, (Vec<Key>, String)> = BTreeMap::new();
    for (cause, key, evidence) in found {
        groups.entry(cause).or_insert_with(|| (Vec::new(), evidence)).0.push(key);
    }
    let with_count = |(keys, evidence): (Vec<Key>, String)| {
        let more = keys.len() - 1;
        let evidence = if more == 0 { evidence } else { format!("{evidence}, and {more} more like it") };
        Some((keys, evidence))
    };
    groups.into_iter().map(|(cause, group)| (cause, with_count(group))).collect()
}
