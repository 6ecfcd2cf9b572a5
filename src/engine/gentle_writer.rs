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
    /// The statement locks tables whose rows must not appear or disappear. Other rows are locked by
    /// [`GentleWriter::lock_rows`].
    Rows(Option<&'a Sql>),
}

/// Begins transactions and locks rows beside other sessions.
pub trait GentleWriter {
    /// Begins a transaction and takes its locks. Returns false, without a transaction, if another session holds one of them for
    /// longer than a moment.
    fn begin_gently(&mut self, locks: GentleLocks<'_>) -> Result<bool, EngineError>;

    /// Locks the stored rows of a batch without waiting. Returns the indexes of the lines whose row another session holds.
    fn lock_rows(&mut self, batch: &RowBatch<'_, '_>) -> Result<Vec<usize>, EngineError>;

    /// True if the last error of the transaction came from a lock of another session.
    fn met_lock(&self) -> bool;
}
