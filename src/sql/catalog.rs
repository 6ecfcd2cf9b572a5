//! The questions and statements of a repair about definitions, counters and privileges.
//!
//! The engines share not one line of them, because each asks its own catalog. So each engine writes them whole.

use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::redefinition::Definition;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::sql::grammar::Grammar;
use crate::sql::query::Sql;

pub(super) mod mysql;
mod postgres;
mod sqlite;

pub trait CatalogStatements: Grammar {
    /// Returns the columns of a table that have a DEFAULT: rows of a name and a text, such as ('total', '0').
    fn column_defaults(&self, table: &Table) -> Sql;

    /// Returns every definition: rows of a kind, a name, a table and a text.
    fn definitions(&self) -> Sql;

    /// Writes the texts that the engine hides from some users, as far as the schema knows them. Returns true if some are
    /// hidden from this one.
    fn fill_hidden_texts(&self, _: &Schema, _: &mut [Definition]) -> bool {
        false
    }

    /// Returns the counter that gives a table its next key, if tables have such rows: the row's name, and its value.
    fn counter_row(&self, _: &Table) -> Option<Sql> {
        None
    }

    /// Returns one number: the last one that the column's sequence gave out, if it has a sequence.
    fn last_sequence_value(&self, _: &Table, _column: &str) -> Option<Sql> {
        None
    }

    /// Returns statements after which no sequence gives out the keys of a row that was made with keys of its own.
    fn advance_sequences(&self, _: &Table, _: &RowName) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns the statement that keeps all others from writing to these tables, if a transaction does not do so by itself.
    fn lock_tables(&self, _: &[&Table]) -> Option<Sql> {
        None
    }

    /// Returns the statements that make an empty table of the rehearsal with these defaults, if the engine does not bring it.
    fn create_rehearsal_table(&self, _: &Table, _defaults: &[(String, String)]) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns one row, if the table of the states of plans exists, such as (1, 0): this session may read it, and may not write
    /// to it. If the engine does not know the second, it is 1.
    fn state_table_privileges(&self) -> Sql;

    /// Returns statements that write nothing to that table, and fail if this session may not write to it.
    fn try_state_writes(&self) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns the statement by which the owner of that table lets others use it.
    fn grant_state_table(&self) -> String {
        format!("GRANT SELECT, INSERT, UPDATE ON {} TO …", crate::model::state::TABLE)
    }

    /// Returns one row, if this session may make that table; `None` if only the attempt shows it.
    fn may_create_state_table(&self) -> Option<Sql> {
        None
    }

    /// Returns one row, if this session may drop a table that was made for the plan with this digest, and its mark, if the engine
    /// keeps one, names that plan. `None` if there is nothing to ask.
    fn may_drop_table(&self, _: &NewTable, _plan: &str) -> Option<Sql> {
        None
    }

    /// Returns the statement that keeps all others from a table until it is dropped or released, if a transaction does not do so
    /// by itself.
    fn lock_until_dropped(&self, _: &NewTable) -> Option<Sql> {
        None
    }

    /// Returns the statement that releases a claimed table, if the end of the transaction does not.
    fn unlock_tables(&self) -> Option<Sql> {
        None
    }

    /// Returns the beginning of a script of changes.
    fn script_header(&self) -> String;

    fn script_footer(&self) -> String;
}
