//! The statements of a check: rows are put into a trial, each remembered with its place, and asked for their parents at
//! the end. A place is a number that the stage gives.

use super::Sql;
use super::capabilities;
use super::capabilities::LoadedInto;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Value;

pub(super) mod temporary;

pub trait Load {
    /// How many rows are put in at once, at most.
    fn max_rows_per_insert(&self, _columns: usize) -> usize {
        1
    }

    /// Makes what remembers the places of the rows of these tables.
    fn create_load_tables(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql>;

    /// Columns that the engine counts up itself, where that must not reach the database: rows of a name, and whether the
    /// column counts without a default.
    fn auto_increment_columns(&self, _schema: &Schema, _table: TableId) -> Option<Sql> {
        None
    }

    /// One row: the number that comes next in such a column.
    fn next_auto_increment(&self, _schema: &Schema, _table: TableId, _column: usize) -> Option<Sql> {
        None
    }

    /// The column counts on from there.
    fn restart_auto_increment(&self, _table: TableId, _column: &CountingColumn<'_>) -> Vec<Sql> {
        Vec::new()
    }

    /// Rows, each with its place.
    fn insert(&self, schema: &Schema, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Vec<Sql>;

    /// Which unique keys of the table the rows of these places have that are there already, as numbers of indexes; where
    /// the engine does not see that by itself.
    fn unique_collisions(&self, _schema: &Schema, _table: TableId, _places: &[i64]) -> Option<Sql> {
        None
    }

    /// Rows of the load that lack their parent, as [`super::Scan::orphans`] gives them.
    fn loaded_orphans(&self, schema: &Schema, relation: RelationId) -> Sql;

    /// Remembers the places of these rows, each once over all relations.
    fn insert_orphan_positions(&self, schema: &Schema, relation: RelationId) -> Sql;

    /// One row: how many places were remembered.
    fn count_orphan_positions(&self) -> Sql;

    /// One row: the place of a row of the load.
    fn position_of_row(&self, schema: &Schema, table: TableId, row: &RowName) -> Sql;

    /// At most one row: the place of the row that has these values, or NULL if it was there before the load.
    fn position_with_values(&self, schema: &Schema, table: TableId, columns: &[usize], values: &[Value]) -> Sql;

    /// The rows of a staging table: each one's own address, or NULL, and these columns.
    fn staged_rows(&self, schema: &Schema, table: TableId, columns: &[usize]) -> Sql;
}

/// What it takes to treat the rows of a load by rules, in a trial that is a copy.
pub trait TreatableLoad: Load {
    /// Keeps which rows came with the load where a copy of the trial has it too.
    fn save_loaded_rows(&self, schema: &Schema, table: TableId) -> Vec<Sql>;

    /// That a row, `child`, came with the load: a condition for a relation's scope.
    fn is_loaded(&self, schema: &Schema, table: TableId) -> String;

    /// The condition that no row is in.
    fn matches_no_row(&self) -> String;

    /// Rows that come from now on are of no line.
    fn clear_position(&self) -> Vec<Sql>;

    fn delete_orphan_positions(&self) -> Sql;

    /// The row of a place, if it is still there and not noted: for each of these columns whether it has changed, and what
    /// it holds.
    fn treated_row(&self, schema: &Schema, table: TableId, columns: &[usize], place: i64) -> Sql;
}

/// Returns the statements of a schema's engine, if its loads can be treated.
pub fn treatable(schema: &Schema) -> Option<Box<dyn TreatableLoad>> {
    match capabilities::of(schema.database.engine).load? {
        LoadedInto::Copy(load) => Some(load()),
        LoadedInto::TemporaryLoad(_) => None,
    }
}

/// A column that counts.
pub struct CountingColumn<'a> {
    pub name: &'a str,
    /// Its position in the table.
    pub column: usize,
    pub without_default: bool,
    pub next: i64,
}

/// Returns the statements that try rows for these tables, if the schema's engine has any.
pub fn of(schema: &Schema, tables: &[TableId]) -> Option<Box<dyn Load>> {
    match capabilities::of(schema.database.engine).load? {
        LoadedInto::Copy(load) => Some(load()),
        LoadedInto::TemporaryLoad(grammar) => {
            Some(Box::new(temporary::TemporaryLoad { grammar, tables: tables.to_vec() }))
        }
    }
}
