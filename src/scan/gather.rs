//! Counts a stream of orphans, which come sorted by missing key.

use std::cmp::Reverse;

use super::FalseOrphans;
use super::KEPT_KEYS;
use super::Tally;
use super::orphan_row::OrphanColumns;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::finding::MissingKey;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::Sql;

/// True if a missing key is known already with so many rows.
pub(super) type IsKnownKey<'a> = &'a dyn Fn(&Key, u64) -> bool;

/// A relation, and how many of its orphans to show.
#[derive(Clone, Copy)]
pub(super) struct Gatherer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) relation: &'a Relation,
    /// Rows to show of each missing key.
    pub(super) samples: usize,
    /// True if a missing key is known already with so many rows; `None` if none is.
    pub(super) is_known: Option<IsKnownKey<'a>>,
}

impl Gatherer<'_> {
    /// Runs a query for orphans and returns their tally, without the counts of all rows. Keeps no more than it returns.
    pub(super) fn gather(&self, session: &mut dyn Session, question: &Sql) -> Result<Tally, EngineError> {
        let mut tally = Tally::default();
        let mut top = Vec::new();
        tally.false_orphans = self.each_missing_key(session, question, &mut |missing| {
            if tally.add_key(self, &missing.key, missing.rows) {
                keep_most_frequent(&mut top, missing, |missing| missing.rows);
            }
            Ok(())
        })?;
        tally.top = top;
        Ok(tally)
    }

    /// Runs a query for orphans. Calls `each` with every missing key. Returns the rows whose parent exists after all.
    pub(super) fn each_missing_key(
        &self,
        session: &mut dyn Session,
        question: &Sql,
        each: &mut dyn FnMut(MissingKey<Value>) -> Result<(), EngineError>,
    ) -> Result<Option<FalseOrphans>, EngineError> {
        let columns = OrphanColumns::of(self.schema, self.relation);
        let mut false_orphans: Option<FalseOrphans> = None;
        let mut group = None;
        let mut current: Option<MissingKey<Value>> = None;
        columns.each_row(session, question, |row| {
            if row.is_present {
                let found = false_orphans.get_or_insert(FalseOrphans { rows: 0, samples: Vec::new() });
                found.rows += 1;
                if found.samples.len() < self.samples {
                    found.samples.push(columns.sample(&row));
                }
                return Ok::<(), EngineError>(());
            }
            if group != row.group || current.is_none() {
                let next = MissingKey { key: row.key.to_vec(), rows: 0, samples: Vec::new(), span: None };
                if let Some(missing) = current.replace(next) {
                    each(missing)?;
                }
                group = row.group;
            }
            if let Some(current) = &mut current {
                current.rows += 1;
                if current.samples.len() < self.samples {
                    current.samples.push(columns.sample(&row));
                }
            }
            Ok(())
        })?;
        current.map_or(Ok(()), each)?;
        Ok(false_orphans)
    }
}

impl Tally {
    /// Counts a missing key. Returns true if it is not known already.
    pub(super) fn add_key(&mut self, gatherer: &Gatherer<'_>, key: &Key, rows: u64) -> bool {
        let is_known = gatherer.is_known.is_some_and(|is_known| is_known(key, rows));
        let (all_rows, all_keys) = match is_known {
            true => (&mut self.known_rows, &mut self.known_keys),
            false => (&mut self.orphan_rows, &mut self.missing_keys),
        };
        *all_rows += rows;
        *all_keys += 1;
        !is_known
    }
}

/// True if a missing key with so many rows is among the most frequent. Keys come in the engine's order, which therefore
/// decides among equals.
pub(super) fn is_frequent<T>(top: &[T], rows: u64, rows_of: impl Fn(&T) -> u64) -> bool {
    top.len() < KEPT_KEYS || top.last().is_some_and(|least| rows_of(least) < rows)
}

/// Adds a missing key to the most frequent ones, if it is one of them.
pub(super) fn keep_most_frequent<T>(top: &mut Vec<T>, missing: T, rows_of: impl Fn(&T) -> u64) {
    let rows = rows_of(&missing);
    if is_frequent(top, rows, &rows_of) {
        let position = top.partition_point(|other| Reverse(rows_of(other)) <= Reverse(rows));
        top.insert(position, missing);
        top.truncate(KEPT_KEYS);
    }
}
