//! The statements of a check, which inserts the rows of a load into a trial and then searches for orphans among them.
//!
//! The check gives each row a number, its position. The trial stores the position with the row.

use super::Sql;
use super::capabilities;
use super::capabilities::LoadedInto;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Value;

pub(super) mod temporary;

/// The statements that try the rows of a load.
pub trait Load {
    /// Returns the largest number of rows in one INSERT.
    fn max_rows_per_insert(&self, _columns: usize) -> usize {
        1
    }

    /// Returns the statements that create the tables and triggers that store the positions of rows.
    fn create_load_tables(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql>;

    /// Returns a query for the auto-increment columns. A row holds a name, and 1 if the column has no default, such as
    /// ('id', 1). `None` if the trial cannot advance a counter of the database.
    fn auto_increment_columns(&self, _schema: &Schema, _table: TableId) -> Option<Sql> {
        None
    }

    /// Returns a query for one number: the next one of an auto-increment column.
    fn next_auto_increment(&self, _schema: &Schema, _table: TableId, _column: usize) -> Option<Sql> {
        None
    }

    /// Returns the statements after which an auto-increment column continues from its next number.
    fn restart_auto_increment(&self, _table: TableId, _column: &CountingColumn<'_>) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns the statements that insert rows. Each row comes with its position.
    fn insert(&self, schema: &Schema, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Vec<Sql>;

    /// Returns a query for the unique indexes that the rows at these positions violate. A row holds the index's number
    /// in the table's list of indexes, such as (1). `None` if the engine itself detects a violation.
    fn unique_collisions(&self, _schema: &Schema, _table: TableId, _positions: &[i64]) -> Option<Sql> {
        None
    }

    /// Returns a query for the rows of the load that have no parent, in the form of [`super::Scan::orphans`].
    fn loaded_orphans(&self, schema: &Schema, relation: RelationId) -> Sql;

    /// Returns the statement that stores the positions of these rows. A position that another relation stored is
    /// skipped.
    fn insert_orphan_positions(&self, schema: &Schema, relation: RelationId) -> Sql;

    /// Returns a query for one number: how many positions are stored.
    fn count_orphan_positions(&self) -> Sql;

    /// Returns a query for one number: the position of a row of the load.
    fn position_of_row(&self, schema: &Schema, table: TableId, row: &RowName) -> Sql;

    /// Returns a query for at most one row: the position of the row that has these values, or NULL if the row is older
    /// than the load.
    fn position_with_values(&self, schema: &Schema, table: TableId, columns: &[usize], values: &[Value]) -> Sql;

    /// Returns a query for the rows of a staging table: each row's address, or NULL, and these columns, such as (1,
    /// 'a', 7).
    fn staged_rows(&self, schema: &Schema, table: TableId, columns: &[usize]) -> Sql;
}

/// The statements that treat the rows of a load by rules, in a trial that is a copy.
pub trait TreatableLoad: Load {
    /// Returns the statements that store the names of the load's rows in a table that a copy of the trial has too.
    fn save_loaded_rows(&self, schema: &Schema, table: TableId) -> Vec<Sql>;

    /// Returns the condition that the row `child` came with the load, for a relation's scope.
    fn is_loaded(&self, schema: &Schema, table: TableId) -> String;

    /// Returns a condition that no row meets.
    fn matches_no_row(&self) -> String;

    /// Returns the statements after which an inserted row is no row of the load.
    fn clear_position(&self) -> Vec<Sql>;

    /// Returns the statement that deletes the stored positions.
    fn delete_orphan_positions(&self) -> Sql;

    /// Returns a query for the row at a position, if it still exists and its position is not stored. For each of these
    /// columns, the row holds 1 if it has changed, and its value, such as (1, 0, 'a').
    fn treated_row(&self, schema: &Schema, table: TableId, columns: &[usize], position: i64) -> Sql;
}

/// Returns the statements of a schema's engine; `None` if its loads cannot be treated.
pub fn treatable(schema: &Schema) -> Option<Box<dyn TreatableLoad>> {
    match capabilities::of(schema.database.engine).load? {
        LoadedInto::Copy(load) => Some(load()),
        LoadedInto::TemporaryLoad(_) => None,
    }
}

/// An auto-increment column of a table that a load fills.
pub struct CountingColumn<'a> {
    pub name: &'a str,
    /// Its position in the table.
    pub column: usize,
    /// True if the column counts without a DEFAULT, as an identity column does.
    pub without_default: bool,
    /// The next number.
    pub next: i64,
}

/// Returns the statements that try rows for these tables; `None` if the schema's engine has none.
pub fn of(schema: &Schema, tables: &[TableId]) -> Option<Box<dyn Load>> {
    match capabilities::of(schema.database.engine).load? {
        LoadedInto::Copy(load) => Some(load()),
        LoadedInto::TemporaryLoad(grammar) => {
            Some(Box::new(temporary::TemporaryLoad { grammar, tables: tables.to_vec() }))
        }
    }
}
