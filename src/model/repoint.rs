//! The forecast of a rule that merges twins: the rows that are kept, the twins that go, and the children that are pointed at
//! the kept rows.

use std::collections::BTreeMap;

use crate::model::redaction::ShownValue;
use crate::model::value::Value;

/// The number of examples that a report shows.
const SAMPLES: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub struct RepointForecast<V = ShownValue> {
    pub rule: String,
    pub table: String,
    /// The groups of rows that mean the same.
    pub groups: u64,
    /// The rows of these groups without the rows that are kept.
    pub twins: u64,
    /// The twins that are quarantined.
    pub merged: u64,
    /// The number of rows that are pointed at kept rows, by relation.
    pub children: BTreeMap<String, u64>,
    /// The number of children that are quarantined because the kept row has one with the same unique key, by table.
    pub removed: BTreeMap<String, u64>,
    /// The first twins, each with the row that is kept.
    pub samples: Vec<TwinSample<V>>,
    pub staying: Vec<StayingTwins<V>>,
}

/// A twin and the row that is kept, by their names.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinSample<V = ShownValue> {
    pub twin: Vec<(String, V)>,
    pub kept: Vec<(String, V)>,
}

/// Twins that stay as they are for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct StayingTwins<V = ShownValue> {
    pub why: String,
    pub twins: u64,
    /// The names of the first twins.
    pub samples: Vec<Vec<(String, V)>>,
}

impl RepointForecast<Value> {
    pub fn of(rule: &str, table: String) -> RepointForecast<Value> {
        RepointForecast {
            rule: rule.to_owned(),
            table,
            groups: 0,
            twins: 0,
            merged: 0,
            children: BTreeMap::new(),
            removed: BTreeMap::new(),
            samples: Vec::new(),
            staying: Vec::new(),
        }
    }

    pub fn merge(&mut self, sample: impl FnOnce() -> TwinSample<Value>) {
        self.merged += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(sample());
        }
    }

    pub fn leave(&mut self, why: &str, twin: Vec<(String, Value)>) {
        let index = self.staying.iter().position(|staying| staying.why == why).unwrap_or_else(|| {
            self.staying.push(StayingTwins { why: why.to_owned(), twins: 0, samples: Vec::new() });
            self.staying.len() - 1
        });
        let staying = &mut self.staying[index];
        staying.twins += 1;
        if staying.samples.len() < SAMPLES {
            staying.samples.push(twin);
        }
    }
}

impl<V> RepointForecast<V> {
    /// Returns the number of twins that stay.
    pub fn staying(&self) -> u64 {
        self.staying.iter().map(|staying| staying.twins).sum()
    }
}
