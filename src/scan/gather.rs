//! Folding the stream of orphans into a tally.

use std::cmp::Reverse;

use super::FalseOrphans;
use super::KEPT_KEYS;
use super::Missing;
use super::Tally;
use crate::model::catalog::Table;
use crate::model::finding::Sample;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::sql;
use crate::model::value::Value;

/// Folds the stream of orphans, which come sorted by missing key, into a tally; holds no more than it will return.
pub(super) struct Gatherer<'a> {
    row_names: Vec<&'a str>,
    child: &'a Table,
    keys: usize,
    samples: usize,
    group: Option<i64>,
    current: Option<Missing>,
    tally: Tally,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(schema: &'a Schema, relation: &'a Relation, samples: usize) -> Self {
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

    pub(super) fn take(&mut self, row: &[Value]) {
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

    pub(super) fn finish(mut self) -> Tally {
        self.close_group();
        self.tally
    }
}
