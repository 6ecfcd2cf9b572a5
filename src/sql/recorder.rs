//! What is asked of a trial: who writes down what a statement does, and what follows from that record.
//!
//! A witness records, inside the trial alone, every row that is written: what names it and the columns of its
//! keys, before and after. Rounds are numbered, so that a question can be about one statement or a whole transaction.

use super::Sql;
use super::capabilities;
use crate::model::explanation::Event;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;

/// What a record of rows, before and after, tells. Where a record is of one statement alone, `since` says nothing.
pub trait RecordQueries {
    /// One row: how many rows of a table were inserted, updated and deleted.
    fn count_changes(&self, schema: &Schema, table: TableId, since: u32) -> Sql;

    /// Rows that were written and lack their parent, as [`super::Scan::orphans`] gives them.
    fn written_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql;

    /// One row: how many of those rows lacked it before, and are only named by an UPDATE that changes nothing.
    fn count_already_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql;

    /// Rows that were not written, but whose parent was taken away; in the same form.
    fn abandoned_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql;

    /// One row: how many child rows were deleted along with their parents, had their key changed, or stay behind
    /// without a parent.
    fn count_affected_children(&self, schema: &Schema, relation: RelationId, event: Event, since: u32) -> Sql;

    /// Child rows whose parent key went and came back, for an engine whose RESTRICT refuses that all the same; in the form
    /// of [`super::Scan::orphans`]. `None` where there cannot be any.
    fn restricted_children(&self, _: &Schema, _relation: RelationId, _: Event, _since: u32) -> Option<Sql> {
        None
    }

    /// Child rows that went or changed later than their parent did, for such an engine; as they were, in the same form.
    fn restricted_changed_children(&self, _: &Schema, _relation: RelationId, _: Event, _since: u32) -> Option<Sql> {
        None
    }

    /// Rows that are their own parent only after a conversion that the engine does not make for them; in the same form.
    fn unequal_self_references(&self, _: &Schema, _relation: RelationId, _since: u32) -> Option<Sql> {
        None
    }

    /// One row: how many deleted rows hang below each other, for a relation of a table to itself.
    fn deletion_depth(&self, schema: &Schema, relation: RelationId, since: u32) -> Option<Sql>;
}

pub trait Recorder: RecordQueries {
    /// Makes the record and what keeps it.
    fn create_record(&self, schema: &Schema) -> Vec<Sql>;

    /// Takes all of that away.
    fn drop_record(&self, schema: &Schema) -> Vec<Sql>;

    /// From now on this is the round; `forget` empties the record first.
    fn begin_round(&self, schema: &Schema, round: u32, forget: bool) -> Vec<Sql>;

    /// Puts the record in order once a statement is done.
    fn complete_record(&self, schema: &Schema) -> Vec<Sql>;

    /// One row: how many tables may have a conflict clause that replaces rows.
    fn count_conflict_clauses(&self) -> Sql;

    /// Deletes every row of a table, as DROP TABLE does first.
    fn delete_all_rows(&self, schema: &Schema, table: TableId) -> String;

    /// Drops these triggers of the database until [`Recorder::restore_triggers`]: DROP TABLE does not fire them.
    fn drop_triggers(&self, triggers: &[String]) -> Vec<Sql>;

    fn restore_triggers(&self) -> Vec<Sql>;

    /// Returns the tables that are recorded.
    fn recorded_tables(&self, schema: &Schema) -> Vec<TableId>;

    /// Takes the triggers of these tables away; the record stays.
    fn drop_record_triggers(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql>;

    /// Makes the triggers of these tables again.
    fn create_record_triggers(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql>;

    /// Returns the question for the recorded rows of a table since a round, and the names of the columns after the first
    /// three, for example `["id", "r", "id", "r"]`: first all values before, then all values after.
    fn recorded_rows(&self, schema: &Schema, table: TableId, since: u32) -> (Sql, Vec<String>);

    /// Puts one such row, recorded under these columns, into the record again.
    fn insert_recorded_row(&self, schema: &Schema, table: TableId, columns: &[String], row: &[Value]) -> Sql;
}

/// Returns the witness of a schema's engine, if it has one.
pub fn of(schema: &Schema) -> Option<&'static dyn Recorder> {
    capabilities::of(schema.database.engine).recorder
}
