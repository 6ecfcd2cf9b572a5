//! Progress and the time limit of reading pages.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::plan::ReadingPlan;
use crate::engine::Deadline;
use crate::engine::StorageReadOptions;
use crate::engine::sqlite::pages::fault::Fault;

/// Reports progress and enforces the time limit.
pub(super) struct Meter<'a> {
    done: AtomicU64,
    total: u64,
    effort: &'a StorageReadOptions<'a>,
    deadline: &'a Deadline,
}

impl<'a> Meter<'a> {
    pub(super) fn new(plan: &ReadingPlan, effort: &'a StorageReadOptions<'a>, deadline: &'a Deadline) -> Meter<'a> {
        Meter { done: AtomicU64::new(0), total: plan.leaves(), effort, deadline }
    }

    /// Returns how much memory the keys of parents may take, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.effort.memory
    }

    pub(super) fn pages_read(&self, pages: u64) -> Result<(), Fault> {
        if self.deadline.has_passed() {
            return Err(Fault::TimeLimit);
        }
        let done = self.done.fetch_add(pages, Ordering::Relaxed) + pages;
        (self.effort.progress)(done.min(self.total) as usize, self.total as usize);
        Ok(())
    }
}
