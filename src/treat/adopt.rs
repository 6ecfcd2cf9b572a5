//! Orphans that the plan records although it does not treat them. Undo needs them to be exact. They are orphans whose parent
//! the plan creates, and rows that the plan changes for one relation and that are orphans of another.

use std::collections::BTreeSet;
use std::collections::HashSet;

use super::CHUNK;
use super::Planner;
use super::Request;
use super::TreatError;
use super::decide::changes_child;
use crate::engine::Session;
use crate::model::ids::TableId;
use crate::model::plan::Adopted;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::plan::orphan_name;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::plan_file;
use crate::scan::OrphanColumns;
use crate::scan::ScanResult;
use crate::scan::ScanResults;
use crate::scan::Tally;

/// One row of the stream of orphans.
struct Orphan {
    /// The number of its missing key.
    group: Option<i64>,
    key: Key,
    row: RowName,
    stored: Row,
}

/// A parent that the plan creates or gives another key, and the fingerprints of the orphans that refer to that key.
struct AdoptingParent {
    row: RowName,
    orphans: Vec<u64>,
}

/// Returns the child tables of which no treatment changes a row. A new parent records their orphans when it is created.
pub(super) fn unchanged_tables(request: &Request<'_>, may_remove: bool) -> BTreeSet<TableId> {
    let mut tables: BTreeSet<TableId> = request.schema.relations.iter().map(|relation| relation.child).collect();
    for (relation, rule) in request.schema.relations.iter().zip(request.assigned) {
        let mut treatments = rule.iter().flat_map(|&rule| &request.rules[rule].treatments);
        if may_remove || treatments.any(|treatment| changes_child(&treatment.value)) {
            tables.remove(&relation.child);
        }
    }
    tables
}

impl<'a> Planner<'a> {
    /// Reads the orphans of each relation once more if the plan creates parents for it or changes its child rows.
    pub(super) fn remember_orphans(&mut self, facts: &ScanResults, reader: &mut dyn Session) -> Result<(), TreatError> {
        let schema = self.schema;
        for ((index, relation), fact) in schema.relations.entries().zip(facts) {
            let ScanResult::Checked(tally) = fact else { continue };
            let has_names = !identity_columns(schema.child(relation)).is_empty();
            if tally.orphan_rows == 0 || tally.false_orphans.is_some() || !has_names {
                continue;
            }
            let has_new_keys =
                |table: &TableId| self.new_parents.created_in(*table) || self.conflicts.rekeyed.contains(table);
            let created_in = relation.parent.table.filter(has_new_keys);
            let mut changes = self.effects.changed.get(&relation.child).into_iter().flatten();
            let is_changed = changes.any(|&(by, as_orphans)| by != index || !as_orphans);
            // New parents may have recorded all orphans of the relation already.
            let is_recorded = self.effects.adopted.get(&index) == Some(&tally.orphan_rows);
            if (created_in.is_some() && !is_recorded) || is_changed {
                self.remember(relation, tally, created_in, reader)?;
            }
        }
        Ok(())
    }

    fn remember(
        &mut self,
        relation: &'a Relation,
        tally: &Tally,
        created_in: Option<TableId>,
        reader: &mut dyn Session,
    ) -> Result<(), TreatError> {
        let columns = OrphanColumns::of(self.schema, relation);
        let (mut open, mut adopting) = (Vec::new(), None);
        columns.each_orphan(tally, reader, &self.all_orphans(relation), |row| {
            open.push(Orphan {
                group: row.group,
                key: row.key.to_vec(),
                row: columns.identity(&row),
                stored: columns.stored_key(&row),
            });
            if open.len() < CHUNK {
                return Ok(());
            }
            self.remember_some(relation, created_in, &std::mem::take(&mut open), &mut adopting)
        })?;
        self.remember_some(relation, created_in, &open, &mut adopting)?;
        match (created_in, adopting) {
            (Some(parent), Some(adopting)) => self.adopt(relation, parent, adopting),
            _ => Ok(()),
        }
    }

    fn remember_some(
        &mut self,
        relation: &'a Relation,
        created_in: Option<TableId>,
        orphans: &[Orphan],
        adopting: &mut Option<AdoptingParent>,
    ) -> Result<(), TreatError> {
        let child = self.schema.child(relation);
        let parents = match created_in {
            Some(parent) => self.created_parents(relation, parent, orphans)?,
            None => Vec::new(),
        };
        for (index, orphan) in orphans.iter().enumerate() {
            let planned = self.draft.get(&child.name, &orphan.row)?;
            let mut keeps_key = true;
            if let Some(change) = planned {
                let is_reason = change
                    .reasons
                    .iter()
                    .any(|reason| reason.role == ChangeRole::Orphan && reason.relation == relation.id);
                keeps_key = change.after.is_some() && !change.set().columns().any(|column| orphan.stored.has(column));
                if !is_reason {
                    self.draft.amend(&child.name, &orphan.row, |change| change.orphan_of.push(relation.id.clone()))?;
                }
            }
            let (Some(parent), Some(Some(row)), true) = (created_in, parents.get(index), keeps_key) else { continue };
            let name = orphan_name(child, &orphan.row, &orphan.stored, relation);
            let fingerprint = plan_file::fingerprint(&name);
            match adopting {
                Some(adopting) if adopting.row == *row => adopting.orphans.push(fingerprint),
                _ => {
                    let next = AdoptingParent { row: row.clone(), orphans: vec![fingerprint] };
                    if let Some(last) = adopting.replace(next) {
                        self.adopt(relation, parent, last)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns for each orphan the name of the parent that the plan creates for it.
    fn created_parents(
        &mut self,
        relation: &Relation,
        parent: TableId,
        orphans: &[Orphan],
    ) -> Result<Vec<Option<RowName>>, TreatError> {
        let table = &self.schema.tables[parent];
        let names = self.identity_of(parent);
        // Orphans come sorted by their missing keys.
        let mut keys: Vec<&Key> = Vec::new();
        let mut indexes: Vec<usize> = Vec::new();
        for (index, orphan) in orphans.iter().enumerate() {
            let opens = index == 0 || orphans[index - 1].group != orphan.group;
            if opens {
                keys.push(&orphan.key);
            }
            indexes.push(keys.len() - 1);
        }
        let mut found: Vec<Option<RowName>> = keys.iter().map(|_| None).collect();
        if !keys.is_empty() {
            let (rehearsal, sql) = self.rehearsal_of(parent)?;
            let query = sql.rows_with_keys(table, &relation.parent.columns, &keys);
            rehearsal.numbered(&query, keys.len(), &mut |number, values| {
                found[number] = Some(RowName::of(&names, values.to_vec()));
            })?;
        }
        Ok(indexes.into_iter().map(|index| found[index].clone()).collect())
    }

    fn adopt(&mut self, relation: &Relation, parent: TableId, adopting: AdoptingParent) -> Result<(), TreatError> {
        let AdoptingParent { row, orphans } = adopting;
        let add = |change: &mut Change| {
            if change.after.is_none() {
                return;
            }
            let adopted = change.adopts.get_or_insert_default();
            match adopted.iter_mut().find(|adopted| adopted.relation == relation.id) {
                Some(known) => {
                    let earlier: HashSet<u64> = known.rows.iter().copied().collect();
                    known.rows.extend(orphans.into_iter().filter(|orphan| !earlier.contains(orphan)));
                }
                None => adopted.push(Adopted { relation: relation.id.clone(), rows: orphans }),
            }
        };
        Ok(self.draft.amend(&self.schema.tables[parent].name, &row, add)?)
    }
}
