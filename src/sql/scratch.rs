//! The grammar of the temporary tables in which a server tries a load, and records a statement's forecast.
//!
//! No row of these reaches the user's tables. Each engine has its own forms of a temporary copy, so a method here often
//! returns a whole statement. `load::temporary` and `forecast` build the rest once for all engines.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::load::CountingColumn;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::TableCopy;
use crate::sql::repair::Repair;

mod mysql;
mod postgres;

/// The prefixes of the names of a record's two tables: rows as they are, and rows as they will be.
pub(super) const RECORDS: [&str; 2] = ["fk_doctor$old_", "fk_doctor$new_"];

/// An engine that can make temporary tables beside the user's.
pub(super) trait Scratch: Repair {
    /// Returns the name of a temporary table, qualified if the engine needs it.
    fn temporary_name(&self, name: &str) -> String;

    /// Returns the statements that create a table like the user's, with one more column for the positions of rows.
    fn create_load_table(&self, schema: &Schema, table: &Table, name: &str) -> Vec<String>;

    /// Returns the statement that creates the table of the positions of orphans.
    fn create_position_table(&self, name: &str) -> String;

    /// Returns the copy for a statement that names such a table twice; `None` if it can name the table itself twice.
    fn second_copy(&self, _table: &Table, _name: &str) -> Option<TableCopy> {
        None
    }

    /// Returns a query for the auto-increment columns. A row holds a name, and 1 if the column has no default, such as
    /// ('id', 1).
    fn auto_increment_columns(&self, schema: &Schema, table: &Table) -> Sql;

    /// Returns the statements after which an auto-increment column of the load's table continues from a number.
    fn restart_auto_increment(&self, name: &str, sequence: &str, column: &CountingColumn<'_>) -> Vec<String>;

    /// Returns the statement that inserts the positions of a query, except those that the table has already.
    fn insert_missing_positions(&self, table: &str, query: &str) -> String;

    /// A column's value, in the form that a result row carries, is this.
    fn shows_value(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String;

    /// Returns the statements that create both tables of a record. In these, the `counter_columns` draw no numbers.
    fn create_record_tables(
        &self,
        schema: &Schema,
        table: &Table,
        names: [&str; 2],
        counter_columns: &[String],
    ) -> Vec<String>;

    /// Returns the statement that drops a table of a record.
    fn drop_record_table(&self, name: &str) -> String;

    /// Returns a statement that names each table of a record as often as the engine allows, and copies of it otherwise.
    fn name_records_once(&self, sql: Sql) -> Sql {
        sql
    }

    /// Returns the columns of a record that hold a row's address.
    fn address_columns(&self) -> &'static [&'static str];

    /// Returns the address of an alias's row, one expression for each of those columns; empty if the table's rows have
    /// none.
    fn row_address(&self, table: &Table, alias: &str) -> Vec<String>;

    /// A recorded row is this row of the table.
    fn is_recorded_row(&self, table: &Table, recorded: &str, row: &str) -> String;

    /// Two values are stored differently.
    fn differs(&self, left: &str, right: &str) -> String;

    /// Returns an expression with the conversion that an assignment to the column makes.
    fn as_assigned(&self, column: &Column, expression: &str) -> String;

    /// Returns the list of columns for an INSERT that names none; empty if a row may have fewer values than the table
    /// has columns.
    fn insert_column_list(&self, columns: &[String]) -> String;

    /// Returns the beginning of a SELECT that returns each row of an alias once.
    fn select_distinct_rows(&self, alias: &str) -> String;

    /// Returns the condition under which the server checks all references of a row whose primary key changes; `None` if
    /// it never does.
    fn moved_row_check(&self, schema: &Schema) -> Option<&'static str>;

    /// Returns a query for the columns whose default draws from a counter of the server: rows of one name.
    fn counter_drawing_columns(&self, schema: &Schema, table: &Table) -> Sql;
}
