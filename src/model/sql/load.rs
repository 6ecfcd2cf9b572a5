//! The statements of a check: rows are put into a trial one by one, each remembered with its place, and asked for
//! their parents at the end. A place is a number that the stage gives.

use super::Sql;
use super::sqlite;
use crate::model::catalog::Engine;
use crate::model::schema::Schema;
use crate::model::value::RowName;
use crate::model::value::Value;

pub trait Load {
    /// Makes what remembers the places of the rows of these tables.
    fn prepare(&self, schema: &Schema, tables: &[usize]) -> Vec<Sql>;

    /// The next row is at this place.
    fn at(&self, place: i64) -> Sql;

    fn insert(&self, schema: &Schema, table: usize, columns: &[usize], values: Vec<Value>) -> Sql;

    /// Rows of the load that lack their parent, as [`super::Dialect::orphans`] gives them.
    fn orphans(&self, schema: &Schema, relation: usize) -> Sql;

    /// Remembers the places of these rows, each once over all relations.
    fn note_orphans(&self, schema: &Schema, relation: usize) -> Sql;

    /// One row: how many places were remembered.
    fn noted(&self) -> Sql;

    /// One row: the place of a row of the load.
    fn place_of(&self, schema: &Schema, table: usize, row: &RowName) -> Sql;

    /// At most one row: the place of the row that has these values, or NULL if it was there before the load.
    fn holder(&self, schema: &Schema, table: usize, columns: &[usize], values: &[Value]) -> Sql;

    /// The rows of a staging table: each one's own address, or NULL, and these columns.
    fn staged(&self, schema: &Schema, table: usize, columns: &[usize]) -> Sql;
}

/// The statements for a schema's engine, where it can be tried.
pub fn of(schema: &Schema) -> Option<&'static dyn Load> {
    match schema.database.engine {
        Engine::Sqlite => Some(&sqlite::load::Rows),
        Engine::Postgres | Engine::Mysql | Engine::Mariadb => None,
    }
}
