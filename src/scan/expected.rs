//! Looks for orphans beyond the expected ones. A server only counts the orphans of a relation that has no more of them, which costs a
//! fraction of a scan.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::ScanOptions;
use super::ScanResult;
use super::ScanResults;
use super::Tally;
use super::run_in_parallel;
use super::scan;
use super::work;
use crate::engine::Session;
use crate::model::facts::Location;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql;

/// Scans every relation of a schema that has more orphans than expected. The tally of any other relation holds the number of its
/// orphans and nothing else.
pub fn scan_beyond(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    options: &ScanOptions<'_>,
    expected: &IdVec<RelationId, u64>,
) -> ScanResults {
    if schema.database.engine.facts().location != Location::Server {
        return scan(schema, sessions, options);
    }
    let ids: Vec<RelationId> = schema.relations.ids().collect();
    let done = AtomicUsize::new(0);
    let counts = run_in_parallel(
        sessions,
        ids.len(),
        |session, i| {
            let id = ids[i];
            let relation = &schema.relations[id];
            let table = Some(schema.child(relation).name.table.as_str());
            let step = ProgressStep::of(RunPhase::Scan, done.load(Ordering::Relaxed), ids.len());
            (options.progress)(&ProgressStep { table, ..step });
            count(schema, session, relation).filter(|&orphans| orphans <= expected[id])
        },
        |finished| done.store(finished, Ordering::Relaxed),
    );
    let mut beyond = schema.clone();
    let mut is_counted = counts.iter().map(Option::is_some);
    beyond.relations.retain(|_| !is_counted.next().unwrap_or(false));
    let mut scanned = scan(&beyond, sessions, options).into_iter();
    let result = |count: Option<u64>| match count {
        Some(orphan_rows) => Some(ScanResult::Checked(Tally { orphan_rows, ..Tally::default() })),
        None => scanned.next(),
    };
    counts.into_iter().map_while(result).collect::<Vec<_>>().into()
}

/// Returns the number of orphans of a relation; `None` if only a scan can tell.
fn count(schema: &Schema, session: &mut dyn Session, relation: &Relation) -> Option<u64> {
    if matches!(relation.judge, Judge::Incomparable(_)) || work::unreadable(schema, relation).is_some() {
        return None;
    }
    let question = sql::of(schema).count_orphans_of_any(schema, relation.child, &[relation])?;
    match session.numbers(&question).as_deref() {
        Ok(&[orphans]) => Some(orphans),
        _ => None,
    }
}
