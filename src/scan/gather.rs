//! Folding the stream of orphans into a tally.

use std::cmp::Reverse;

use super::FalseOrphans;
use super::KEPT_KEYS;
use super::Tally;
use super::orphan_row::OrphanColumns;
use super::orphan_row::OrphanRow;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::finding::MissingKey;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::Sql;

/// Folds the stream of orphans, which come sorted by missing key, into a tally; holds no more than it will return.
pub(super) struct Gatherer<'a> {
    schema: &'a Schema,
    relation: &'a Relation,
    samples: usize,
    is_known: &'a dyn Fn(&MissingKey<Value>) -> bool,
    group: Option<i64>,
    current: Option<MissingKey<Value>>,
    tally: Tally,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        relation: &'a Relation,
        samples: usize,
        is_known: &'a dyn Fn(&MissingKey<Value>) -> bool,
    ) -> Self {
        Gatherer { schema, relation, samples, is_known, group: None, current: None, tally: Tally::default() }
    }

    /// Asks the question and folds the answer.
    pub(super) fn gather(mut self, session: &mut dyn Session, question: &Sql) -> Result<Tally, EngineError> {
        let columns = OrphanColumns::of(self.schema, self.relation);
        columns.each_row(session, question, |row| {
            self.take(&columns, &row);
            Ok::<(), EngineError>(())
        })?;
        self.close_group();
        Ok(self.tally)
    }

    fn take(&mut self, columns: &OrphanColumns<'_>, row: &OrphanRow<'_>) {
        if row.is_present {
            let found = self.tally.false_orphans.get_or_insert(FalseOrphans { rows: 0, samples: Vec::new() });
            found.rows += 1;
            if found.samples.len() < self.samples {
                found.samples.push(columns.sample(row));
            }
            return;
        }
        if self.group != row.group || self.current.is_none() {
            self.close_group();
            self.group = row.group;
            self.current = Some(MissingKey { key: row.key.to_vec(), rows: 0, samples: Vec::new(), span: None });
        }
        if let Some(current) = &mut self.current {
            current.rows += 1;
            if current.samples.len() < self.samples {
                current.samples.push(columns.sample(row));
            }
        }
    }

    fn close_group(&mut self) {
        let Some(missing) = self.current.take() else { return };
        if (self.is_known)(&missing) {
            self.tally.known_rows += missing.rows;
            self.tally.known_keys += 1;
            return;
        }
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
}
