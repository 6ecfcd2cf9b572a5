//! Rows that refer to each other in a cycle. None of them comes first, so they come back together or not at all.

use super::Restorer;
use super::Returning;
use crate::model::ids::TableId;
use crate::model::row::Row;
use crate::plan_draft::Step;
use crate::treat::CHUNK;
use crate::treat::TreatError;

/// A row that is in the rehearsal, with the table to which it belongs.
struct Tried {
    work: usize,
    table: TableId,
    returning: Returning,
}

impl Restorer<'_> {
    /// Inserts all waiting rows into the rehearsal, and removes those without a parent until all others have one. Returns true
    /// if any row came back.
    pub(super) fn restore_cycles(&mut self) -> Result<bool, TreatError> {
        if !self.planner.sql.can_insert_cycles() || !self.may_have_cycles() {
            return Ok(false);
        }
        let mut tried: Vec<Tried> = Vec::new();
        for work in 0..self.tables.len() {
            let Some(table) = self.tables[work].table else { continue };
            for chunk in std::mem::take(&mut self.tables[work].waiting).chunks(CHUNK) {
                let rows = self.read(table, chunk)?;
                let accepted = self.accept(work, table, rows)?;
                tried.extend(accepted.into_iter().map(|returning| Tried { work, table, returning }));
            }
        }
        loop {
            let before = tried.len();
            tried = self.with_parents(tried)?;
            if tried.len() == before {
                break;
            }
        }
        if tried.is_empty() {
            return Ok(false);
        }
        let unit = self.planner.draft.unit(Step::Parent);
        for Tried { work, table, returning } in tried {
            self.put(work, table, returning, unit)?;
        }
        Ok(true)
    }

    /// True if waiting rows can refer to each other in a cycle: some of their tables do.
    fn may_have_cycles(&self) -> bool {
        let schema = self.planner.schema;
        let waiting = |table: Option<TableId>| {
            table.is_some() && self.tables.iter().any(|work| work.table == table && !work.waiting.is_empty())
        };
        let mut references: Vec<(TableId, TableId)> = schema
            .relations
            .iter()
            .filter(|relation| waiting(Some(relation.child)) && waiting(relation.parent.table))
            .filter_map(|relation| Some((relation.child, relation.parent.table?)))
            .collect();
        // A table that refers to no other waiting table is in no cycle.
        loop {
            let children: Vec<TableId> = references.iter().map(|(child, _)| *child).collect();
            let before = references.len();
            references.retain(|(_, parent)| children.contains(parent));
            if references.len() == before {
                return before > 0;
            }
        }
    }

    /// Returns the rows that have their parents now. The others leave the rehearsal and wait again.
    fn with_parents(&mut self, tried: Vec<Tried>) -> Result<Vec<Tried>, TreatError> {
        let mut kept = Vec::new();
        let mut open = tried.into_iter().peekable();
        while let Some(first) = open.next() {
            let (work, table) = (first.work, first.table);
            let mut chunk = vec![first];
            while let Some(next) = open.next_if(|next| next.work == work && chunk.len() < CHUNK) {
                chunk.push(next);
            }
            let images: Vec<&Row> = chunk.iter().map(|tried| &tried.returning.image).collect();
            let blocked = self.missing_parents(table, &images)?;
            for (tried, blocked) in chunk.into_iter().zip(blocked) {
                if blocked.is_none() {
                    kept.push(tried);
                } else {
                    self.withdraw_rehearsed(table, &tried.returning.name)?;
                    self.tables[work].waiting.push(tried.returning.index);
                }
            }
        }
        Ok(kept)
    }
}
