//! Counts each orphan row once, however many of its references are broken.

use std::collections::BTreeMap;

use crate::engine::Session;
use crate::model::finding_group::Distinct;
use crate::model::forecast::RelationForecast;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::scan::ScanResult;
use crate::scan::ScanResults;
use crate::scan::distinct::DistinctCounter;

/// The orphan rows of each child table.
pub(super) struct OrphanRows {
    by_child: BTreeMap<TableId, Distinct>,
}

impl OrphanRows {
    pub(super) fn count(schema: &Schema, facts: &ScanResults, session: &mut dyn Session) -> OrphanRows {
        let mut counter = DistinctCounter::new(schema, facts);
        let mut relations: BTreeMap<TableId, Vec<RelationId>> = BTreeMap::new();
        for (id, relation) in schema.relations.entries() {
            if matches!(&facts[id], ScanResult::Checked(tally) if tally.orphan_rows > 0) {
                relations.entry(relation.child).or_default().push(id);
            }
        }
        let rows = relations.into_iter().map(|(child, relations)| (child, counter.rows(session, &relations)));
        OrphanRows { by_child: rows.collect() }
    }

    /// Returns the orphan rows of all tables.
    pub(super) fn total(&self) -> Distinct {
        self.by_child.values().copied().sum()
    }

    /// Returns the orphan rows that a repair leaves.
    pub(super) fn left<V>(&self, schema: &Schema, relations: &[RelationForecast<V>]) -> Distinct {
        let left_in = |(child, all): (&TableId, &Distinct)| {
            let of_child: Vec<&RelationForecast<V>> = relations
                .iter()
                .filter(|relation| schema.relations[relation.relation].child == *child && relation.rows > 0)
                .collect();
            let left: Vec<u64> = of_child.iter().map(|relation| relation.rows_after).filter(|&rows| rows > 0).collect();
            match left.as_slice() {
                [] => Distinct::default(),
                [rows] => Distinct::exactly((*rows).min(all.count)),
                _ if of_child.iter().all(|relation| relation.rows_after == relation.rows) => *all,
                several => Distinct { count: several.iter().sum::<u64>().min(all.count), is_bound: true },
            }
        };
        self.by_child.iter().map(left_in).sum()
    }
}
