//! The interface with which a plan is changed in batches beside other sessions. It waits for their locks only while it holds none
//! itself, so that no transaction of another session becomes a deadlock victim.

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

    /// Locks the tables of a statement, in which no row may appear or disappear, and the stored rows of a batch. It waits for the
    /// tables only for a moment, and for no row. The values of the batch travel before the first lock.
    fn lock_batch(&mut self, batch: &RowBatch<'_, '_>, tables: Option<&Sql>) -> Result<BatchLocks, EngineError>;

    /// Locks the tables of a statement after the rows of a batch changed. Returns the number of lines whose row has a parent by now,
    /// although the plan changed it as an orphan. `None` if another session holds one of the tables for longer than a moment. The
    /// caller then rolls the transaction back.
    fn confirm_orphans(&mut self, batch: &RowBatch<'_, '_>, tables: &Sql) -> Result<Option<u64>, EngineError>;

    /// True if the last error of the transaction came from a lock of another session.
    fn met_lock(&self) -> bool;
}
