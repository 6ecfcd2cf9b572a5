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
use crate::model::value::Value;
use crate::sql;

/// What the columns of an answer to [`sql::Scan::orphans`] are.
pub(super) struct Shape<'a> {
    row_names: Vec<&'a str>,
    child: &'a Table,
    keys: usize,
}

/// One row of that answer.
pub(super) struct Candidate<'r> {
    group: Option<i64>,
    key: &'r [Value],
    stored: &'r [Value],
    name: &'r [Value],
    /// The parent is there, only not in its index.
    pub(super) is_present: bool,
}

impl<'a> Shape<'a> {
    pub(super) fn of(schema: &'a Schema, relation: &Relation) -> Shape<'a> {
        let child = schema.child(relation);
        Shape { row_names: sql::row_name_columns(child), child, keys: relation.child_columns.len() }
    }

    pub(super) fn split<'r>(&self, row: &'r [Value]) -> Option<Candidate<'r>> {
        let [group, rest @ .., present] = row else { return None };
        let (key, rest) = rest.split_at_checked(self.keys)?;
        let (stored, name) = rest.split_at_checked(self.keys)?;
        Some(Candidate { group: group.as_integer(), key, stored, name, is_present: present.as_integer() == Some(1) })
    }

    /// A row is named by its primary key; by its address where that has a NULL.
    pub(super) fn sample(&self, row: &Candidate<'_>) -> Sample {
        let named: Vec<(String, Value)> =
            self.row_names.iter().map(|name| (*name).to_owned()).zip(row.name.iter().cloned()).collect();
        let key_width = self.child.primary_key.len();
        let name = if key_width == 0 || named.len() == key_width {
            named
        } else if row.name[..key_width].contains(&Value::Null) {
            named[key_width..].to_vec()
        } else {
            named[..key_width].to_vec()
        };
        Sample { row: name, key: row.stored.to_vec() }
    }
}

/// Folds the stream of orphans, which come sorted by missing key, into a tally; holds no more than it will return.
pub(super) struct Gatherer<'a> {
    shape: Shape<'a>,
    samples: usize,
    is_known: &'a dyn Fn(&Missing) -> bool,
    group: Option<i64>,
    current: Option<Missing>,
    tally: Tally,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        relation: &Relation,
        samples: usize,
        is_known: &'a dyn Fn(&Missing) -> bool,
    ) -> Self {
        let shape = Shape::of(schema, relation);
        Gatherer { shape, samples, is_known, group: None, current: None, tally: Tally::default() }
    }

    pub(super) fn take(&mut self, row: &[Value]) {
        let Some(row) = self.shape.split(row) else { return };
        if row.is_present {
            let found = self.tally.false_orphans.get_or_insert(FalseOrphans { rows: 0, samples: Vec::new() });
            found.rows += 1;
            if found.samples.len() < self.samples {
                found.samples.push(self.shape.sample(&row));
            }
            return;
        }
        if self.group != row.group || self.current.is_none() {
            self.close_group();
            self.group = row.group;
            self.current = Some(Missing { key: row.key.to_vec(), rows: 0, samples: Vec::new() });
        }
        if let Some(current) = &mut self.current {
            current.rows += 1;
            if current.samples.len() < self.samples {
                current.samples.push(self.shape.sample(&row));
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

    pub(super) fn finish(mut self) -> Tally {
        self.close_group();
        self.tally
    }
}
