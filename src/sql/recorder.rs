//! The recorder of a trial, and the queries about its record.
//!
//! A recorder works inside the trial alone. For every row that a statement writes to some tables, it records the row's name and its
//! key columns, before and after. Rounds are numbered, so a query can be about one statement or about a whole transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Sql;
use super::capabilities;
use crate::model::explanation::Event;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;

/// Queries about a record. They read the rounds from `since` on; a record of a single statement ignores `since`.
pub trait RecordQueries {
    /// True if the rows of a table are recorded.
    fn is_recorded(&self, _: TableId) -> bool {
        true
    }

    /// Returns a query for one row: how many rows of a table were inserted, updated and deleted, such as (1, 0, 4).
    fn count_changes(&self, schema: &Schema, table: TableId, since: u32) -> Sql;

    /// Returns a query for the written rows that have no parent, in the form of [`super::Scan::orphans`].
    fn written_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql;

    /// Returns a query for one number: how many of those rows had no parent before either. An UPDATE names their key
    /// but does not change it.
    fn count_already_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql;

    /// Returns a query for the rows that were not written but lost their parent, in the form of
    /// [`super::Scan::orphans`].
    fn abandoned_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql;

    /// Returns a query for one row: how many child rows were deleted by a cascade, got another key, or lost their
    /// parent, such as (3, 0, 1).
    fn count_affected_children(&self, schema: &Schema, relation: RelationId, event: Event, since: u32) -> Sql;

    /// Returns a query for the child rows whose parent key was removed and restored, in the form of
    /// [`super::Scan::orphans`]. RESTRICT refuses the removal although it is undone. `None` if there cannot be such
    /// rows.
    fn restricted_children(&self, _: &Schema, _relation: RelationId, _: Event, _since: u32) -> Option<Sql> {
        None
    }

    /// Returns a query for the child rows that were deleted or changed after their parent, as they were before, in the
    /// form of [`super::Scan::orphans`]. RESTRICT refuses this too. `None` if there cannot be such rows.
    fn restricted_changed_children(&self, _: &Schema, _relation: RelationId, _: Event, _since: u32) -> Option<Sql> {
        None
    }

    /// Returns a query for the rows that are their own parent only after a conversion, in the form of
    /// [`super::Scan::orphans`]. The engine makes no conversion for such a row, and refuses it. `None` if there cannot
    /// be such rows.
    fn unequal_self_references(&self, _: &Schema, _relation: RelationId, _since: u32) -> Option<Sql> {
        None
    }

    /// Returns a query for one number: the length of the longest chain of deleted rows, for a relation of a table to
    /// itself.
    fn deletion_depth(&self, schema: &Schema, relation: RelationId, since: u32) -> Option<Sql>;
}

/// A temporary table or trigger of a record, such as `("trigger", "fk_doctor$insert_5")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordObject {
    pub kind: String,
    pub name: String,
}

/// The statements that create, fill and drop the record of some tables.
pub trait Recorder: RecordQueries {
    /// Returns the recorder of these tables.
    fn of_tables(&self, tables: BTreeSet<TableId>) -> Arc<dyn Recorder>;

    /// Returns the tables that are recorded.
    fn tables(&self) -> &BTreeSet<TableId>;

    /// Returns the statements that begin a record without tables.
    fn create_record(&self) -> Vec<Sql>;

    /// Returns the statements that create the records of these tables and the triggers that fill them, unless they exist.
    fn create_tables(&self, schema: &Schema, tables: &BTreeSet<TableId>) -> Vec<Sql>;

    /// Returns the query for the tables and triggers of the record that exist now, in the form of [`RecordObject`]. A rollback may
    /// have removed some of them.
    fn objects(&self) -> Sql;

    /// Returns the table whose record an object is; `None` if it is another object.
    fn table_of(&self, object: &RecordObject) -> Option<TableId>;

    /// Returns the statements that drop these tables and triggers.
    fn drop_objects(&self, objects: &[RecordObject]) -> Vec<Sql>;

    /// Returns the statements that start a round. If `forget` is true, they also empty the record.
    fn begin_round(&self, schema: &Schema, round: u32, forget: bool) -> Vec<Sql>;

    /// Returns the statements that complete the record after a statement has run.
    fn complete_record(&self, schema: &Schema) -> Vec<Sql>;

    /// Returns a query for one number: how many tables may have a conflict clause that replaces rows.
    fn count_conflict_clauses(&self) -> Sql;

    /// Returns the text of a DELETE of every row of a table, which DROP TABLE does implicitly.
    fn delete_all_rows(&self, schema: &Schema, table: TableId) -> String;

    /// Returns the statements that drop these triggers of the database, until [`Recorder::restore_triggers`]. DROP
    /// TABLE fires no triggers, so its DELETE must not either.
    fn drop_triggers(&self, triggers: &[String]) -> Vec<Sql>;

    /// Returns the statements that undo [`Recorder::drop_triggers`].
    fn restore_triggers(&self) -> Vec<Sql>;

    /// Returns the statements that drop the recording triggers of these tables, and keep the record.
    fn drop_record_triggers(&self, schema: &Schema, tables: &BTreeSet<TableId>) -> Vec<Sql>;

    /// Returns the query for the recorded rows of a table since a round, and the names of its columns after the first
    /// three, such as `["id", "r", "id", "r"]`: first all values before, then all values after.
    fn recorded_rows(&self, schema: &Schema, table: TableId, since: u32) -> (Sql, Vec<String>);

    /// Returns the statement that inserts such a row, which was recorded under these columns, into the record again.
    fn insert_recorded_row(&self, schema: &Schema, table: TableId, columns: &[String], row: &[Value]) -> Sql;
}

/// Returns a recorder that records no table yet; `None` if the engine of the schema has none.
pub fn of(schema: &Schema) -> Option<Arc<dyn Recorder>> {
    capabilities::of(schema.database.engine).recorder.map(|recorder| recorder())
}
