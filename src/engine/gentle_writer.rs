//! The interface with which a plan is changed in batches beside other sessions. While it holds locks itself, it waits for theirs only
//! for a moment, which is over before a server looks for a deadlock. So no transaction of another session becomes a deadlock victim.

use super::EngineError;
use crate::model::row_group::RowBatch;
use crate::sql::Sql;

/// The locks of a transaction beside other sessions.
#[derive(Debug, Clone, Copy)]
pub enum GentleLocks<'a> {
    /// No other session can write to the tables of the plan.
    Tables(Option<&'a Sql>),
    /// The transaction begins without locks. [`GentleWriter::lock_batch`] takes them.
    Rows,
}

/// The outcome of locking a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchLocks {
    /// The batch is locked, except the rows of these lines, which other sessions hold.
    Locked { busy: Vec<usize> },
    /// Another session holds one of the tables for longer than a moment. The caller rolls the transaction back.
    TableHeld,
}

/// Begins transactions and locks rows beside other sessions.
pub trait GentleWriter {
    /// Begins a transaction and takes its locks. Returns false, without a transaction, if another session holds one of them for
    /// longer than a moment.
    fn begin_gently(&mut self, locks: GentleLocks<'_>) -> Result<bool, EngineError>;

    /// True if a change waits only for a moment for a row that another session holds. The rows then need no lock before their change,
    /// unless other sessions hold some of them.
    fn can_change_unlocked_rows(&self) -> bool;

    /// Locks the tables of a statement, in which no row may appear or disappear, and after them the stored rows of a batch if these
    /// are wanted. It waits for the tables only for a moment, and for no row. The values of the batch travel before the first lock.
    fn lock_batch(
        &mut self,
        batch: &RowBatch<'_, '_>,
        tables: Option<&Sql>,
        wants_rows: bool,
    ) -> Result<BatchLocks, EngineError>;

    /// Locks the tables of a statement after everything else that the transaction does, and what the database deferred. Returns the
    /// number of lines whose orphan has a parent by now, or whose changed row has lost its parent; `None` if another session holds
    /// one of the tables for longer than a moment. The caller then commits the transaction or rolls it back.
    fn confirm_batch(&mut self, batch: &RowBatch<'_, '_>, tables: &Sql) -> Result<Option<u64>, EngineError>;

    /// True if the last error of the transaction came from a lock of another session.
    fn met_lock(&self) -> bool;
}
