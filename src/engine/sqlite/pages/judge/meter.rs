//! Progress and the time limit of reading pages.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::plan::ReadingPlan;
use crate::engine::Deadline;
use crate::engine::Inclusion;
use crate::engine::StorageReadOptions;
use crate::engine::sqlite::pages::fault::Fault;
use crate::model::catalog::Tables;
use crate::model::ids::TableId;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;

/// Reports progress and enforces the time limit.
pub(super) struct Meter<'a> {
    pages: AtomicU64,
    rows: AtomicU64,
    total: u64,
    effort: &'a StorageReadOptions<'a>,
    deadline: &'a Deadline,
    /// The name of each inclusion's child, and its number among all children.
    children: Vec<(&'a str, usize)>,
    /// The number of different children.
    tables: usize,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        plan: &ReadingPlan,
        tables: &'a Tables,
        inclusions: &[Inclusion],
        effort: &'a StorageReadOptions<'a>,
        deadline: &'a Deadline,
    ) -> Meter<'a> {
        let mut ids: Vec<TableId> = inclusions.iter().map(|inclusion| inclusion.child).collect();
        ids.sort_unstable();
        ids.dedup();
        let number = |child: TableId| ids.partition_point(|&other| other <= child);
        let children = inclusions.iter().map(|inclusion| inclusion.child);
        Meter {
            pages: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            total: plan.leaves(),
            effort,
            deadline,
            children: children.map(|child| (tables[child].name.table.as_str(), number(child))).collect(),
            tables: ids.len(),
        }
    }

    /// Returns how much memory the keys of parents may take, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.effort.memory
    }

    /// Counts pages of a parent.
    pub(super) fn parent_read(&self, pages: u64, rows: u64) -> Result<(), Fault> {
        self.read(pages, rows, None)
    }

    /// Counts pages of an inclusion's child.
    pub(super) fn child_read(&self, pages: u64, rows: u64, inclusion: usize) -> Result<(), Fault> {
        self.read(pages, rows, self.children.get(inclusion))
    }

    fn read(&self, pages: u64, rows: u64, child: Option<&(&'a str, usize)>) -> Result<(), Fault> {
        if self.deadline.has_passed() {
            return Err(Fault::TimeLimit);
        }
        let done = self.pages.fetch_add(pages, Ordering::Relaxed) + pages;
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        (self.effort.progress)(&ProgressStep {
            table: child.map(|(name, _)| *name),
            tables: child.map(|(_, number)| (*number, self.tables)),
            rows: Some(rows),
            ..ProgressStep::of(RunPhase::Scan, done.min(self.total) as usize, self.total as usize)
        });
        Ok(())
    }
}
