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

pub(super) mod beside;

pub trait Load {
    /// How many rows are put in at once, at most.
    fn most_rows(&self, _columns: usize) -> usize {
        1
    }

    /// Makes what remembers the places of the rows of these tables.
    fn prepare(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql>;

    /// Columns that the engine counts up itself, where that must not reach the database: rows of a name, and whether the
    /// column counts without a default.
    fn counted(&self, _schema: &Schema, _table: TableId) -> Option<Sql> {
        None
    }

    /// One row: the number that comes next in such a column.
    fn next_number(&self, _schema: &Schema, _table: TableId, _column: usize) -> Option<Sql> {
        None
    }

    /// The column counts on from there.
    fn count_on(&self, _table: TableId, _column: &CountingColumn<'_>) -> Vec<Sql> {
        Vec::new()
    }

    /// Rows, each with its place.
    fn insert(&self, schema: &Schema, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Vec<Sql>;

    /// Which unique keys of the table the rows of these places have that are there already, as numbers of indexes; where
    /// the engine does not see that by itself.
    fn collisions(&self, _schema: &Schema, _table: TableId, _places: &[i64]) -> Option<Sql> {
        None
    }

    /// Rows of the load that lack their parent, as [`super::Scan::orphans`] gives them.
    fn orphans(&self, schema: &Schema, relation: RelationId) -> Sql;

    /// Remembers the places of these rows, each once over all relations.
    fn note_orphans(&self, schema: &Schema, relation: RelationId) -> Sql;

    /// One row: how many places were remembered.
    fn noted(&self) -> Sql;

    /// One row: the place of a row of the load.
    fn place_of(&self, schema: &Schema, table: TableId, row: &RowName) -> Sql;

    /// At most one row: the place of the row that has these values, or NULL if it was there before the load.
    fn holder(&self, schema: &Schema, table: TableId, columns: &[usize], values: &[Value]) -> Sql;

    /// The rows of a staging table: each one's own address, or NULL, and these columns.
    fn staged(&self, schema: &Schema, table: TableId, columns: &[usize]) -> Sql;
}

/// What it takes to treat the rows of a load by rules, in a trial that is a copy.
pub trait TreatableLoad: Load {
    /// Keeps which rows came with the load where a copy of the trial has it too.
    fn keep_rows(&self, schema: &Schema, table: TableId) -> Vec<Sql>;

    /// That a row, `child`, came with the load: a condition for a relation's scope.
    fn is_loaded(&self, schema: &Schema, table: TableId) -> String;

    /// The condition that no row is in.
    fn nothing(&self) -> String;

    /// Rows that come from now on are of no line.
    fn not_from_the_file(&self) -> Vec<Sql>;

    fn forget_noted(&self) -> Sql;

    /// The row of a place, if it is still there and not noted: for each of these columns whether it has changed, and what
    /// it holds.
    fn treated(&self, schema: &Schema, table: TableId, columns: &[usize], place: i64) -> Sql;
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
            Some(Box::new(beside::TemporaryLoad { grammar, tables: tables.to_vec() }))
        }
    }
}
