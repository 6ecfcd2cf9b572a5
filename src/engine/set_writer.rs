//! The interface with which a batch of a plan is changed in few statements. It changes all rows of the batch as planned, or the
//! caller rolls the batch back and changes the rows one by one.

use std::collections::BTreeSet;

use super::EngineError;
use crate::model::ids::RelationId;
use crate::model::row_group::BatchOutcome;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowGroup;
use crate::model::value::Value;

/// Changes rows in sets, inside the transaction of the writer.
pub trait SetWriter {
    /// Returns the largest useful number of lines in a batch. The caller passes batches of at most about this size.
    fn batch_size(&self) -> usize;

    /// True if the rows of a group can be changed in sets. The caller asks once for each group, before the first batch. All
    /// other changes are made row by row.
    fn supports(&mut self, group: &RowGroup<'_>) -> Result<bool, EngineError>;

    /// Returns a number that changes whenever another session may have committed changes of the tables of the plan; `None` if there
    /// is no such number. While it stays equal, results of earlier queries stay valid, such as the orphans of a relation.
    fn data_version(&mut self) -> Result<Option<i64>, EngineError> {
        Ok(None)
    }

    /// Returns the number of lines that fit now. Changes nothing. The condition of `needs_parent_in` is left out, because
    /// earlier lines of the plan may insert the parent.
    fn count_fitting(&mut self, batch: &RowBatch<'_, '_>) -> Result<u64, EngineError>;

    /// Sets a savepoint, so that changes which do not come out exactly as planned do not cost the whole transaction.
    fn set_savepoint(&mut self) -> Result<(), EngineError>;

    /// Removes the savepoint, and keeps the changes since.
    fn release_savepoint(&mut self) -> Result<(), EngineError>;

    /// Takes back all changes since the savepoint, and removes it. After a failure the caller rolls the transaction back.
    fn return_to_savepoint(&mut self) -> Result<(), EngineError>;

    /// Changes the rows of a batch whose conditions hold, and compares the stored rows with the plan if triggers can replace
    /// values. After an error, or an outcome that is not exact, the caller takes the changes back.
    fn change_batch(&mut self, batch: &RowBatch<'_, '_>) -> Result<BatchOutcome, EngineError>;

    /// Calls `each` with the child rows of a relation that refer to rows of the batch. The rows of the batch are rows of the
    /// relation's parent table that exist now. `wanted` are the indexes of the lines that count. The callback gets the index of the
    /// line, and the values of the columns that identify the child, as queries show them, followed by the stored columns of its
    /// foreign key that are not generated, without loss. An example is `(3, [17, 5])`.
    fn each_reference(
        &mut self,
        batch: &RowBatch<'_, '_>,
        relation: RelationId,
        wanted: &BTreeSet<usize>,
        each: &mut dyn FnMut(usize, &[Value]),
    ) -> Result<(), EngineError>;

    /// Returns the wanted lines of the batch, by their indexes, to whose rows some child row of a relation refers. These are rows of
    /// the relation's parent table that exist now.
    fn referenced(
        &mut self,
        batch: &RowBatch<'_, '_>,
        relation: RelationId,
        wanted: &BTreeSet<usize>,
    ) -> Result<BTreeSet<usize>, EngineError> {
        let mut referenced = BTreeSet::new();
        self.each_reference(batch, relation, wanted, &mut |index, _| {
            referenced.insert(index);
        })?;
        Ok(referenced)
    }

    /// Calls `each` with every orphan of a relation, which belongs to the schema of this group. The callback gets the columns of a
    /// child that [`SetWriter::each_reference`] also gives, for example `[17, 5]`.
    fn each_orphan(
        &mut self,
        group: &RowGroup<'_>,
        relation: RelationId,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), EngineError>;
}
