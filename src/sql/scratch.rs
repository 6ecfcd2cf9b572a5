//! The words for the temporary tables in which a server tries a load, and records what a statement would do.
//!
//! Neither reaches the user's tables. Each engine has its own forms of a temporary copy, so a word here is often a whole
//! statement; `load::beside` and `foresight` build the rest once for all engines.

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

/// The beginnings of the names of both tables of a record: rows as they are, and rows as they will be.
pub(super) const RECORDS: [&str; 2] = ["fk_doctor$old_", "fk_doctor$new_"];

/// An engine that can make temporary tables beside the user's.
pub(super) trait Scratch: Repair {
    /// Returns the name by which statements find a temporary table.
    fn temporary_name(&self, name: &str) -> String;

    /// Returns the statements that make a table like the real one with one more column, for the positions of rows.
    fn create_load_table(&self, schema: &Schema, table: &Table, name: &str) -> Vec<String>;

    /// Returns the statement that makes the table of noted positions.
    fn create_position_table(&self, name: &str) -> String;

    /// Returns the copy that a statement names if it names such a table a second time; `None` if it can name the table itself.
    fn second_copy(&self, _table: &Table, _name: &str) -> Option<TableCopy> {
        None
    }

    /// Returns the columns that the engine counts: rows of a name, and 1 if the column counts without a default, such as
    /// ('id', 1).
    fn auto_increment_columns(&self, schema: &Schema, table: &Table) -> Sql;

    /// Returns the statements after which a column of a loaded table counts on from a number.
    fn restart_auto_increment(&self, name: &str, sequence: &str, column: &CountingColumn<'_>) -> Vec<String>;

    /// Returns the statement that inserts the rows of a query that are not there yet.
    fn insert_missing_positions(&self, noted: &str, query: &str) -> String;

    /// A column's value, as an answer shows it, is this.
    fn shows_value(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String;

    /// Returns the statements that make both tables of a record. The counted columns of the new rows draw no numbers.
    fn create_record_tables(&self, schema: &Schema, table: &Table, names: [&str; 2], counted: &[String])
    -> Vec<String>;

    fn drop_record_table(&self, name: &str) -> String;

    /// Returns a statement about records in the form that the engine takes.
    fn name_records_once(&self, sql: Sql) -> Sql {
        sql
    }

    /// Returns the columns of a record that hold the row's address.
    fn address_columns(&self) -> &'static [&'static str];

    /// Returns the address of an alias's row, as those columns hold it; empty if the table's rows have none.
    fn row_address(&self, table: &Table, alias: &str) -> Vec<String>;

    /// A recorded row is this row of the table.
    fn is_recorded_row(&self, table: &Table, recorded: &str, row: &str) -> String;

    /// Two values are stored differently.
    fn differs(&self, left: &str, right: &str) -> String;

    /// Returns an expression, converted to a column's type as an assignment converts it.
    fn as_assigned(&self, column: &Column, expression: &str) -> String;

    /// Returns the list of columns of an INSERT that names none; empty if rows may be shorter than the table.
    fn insert_column_list(&self, columns: &[String]) -> String;

    /// Returns the beginning of a SELECT that returns each row of an alias once.
    fn select_distinct_rows(&self, alias: &str) -> String;

    /// Returns the condition under which a changed primary key makes the server check all references of the row; `None` if it
    /// never does.
    fn moved_row_check(&self, schema: &Schema) -> Option<&'static str>;

    /// Returns the columns whose default draws from a counter of the server: rows of a name.
    fn counter_drawing_columns(&self, schema: &Schema, table: &Table) -> Sql;
}
