//! The statements of a repair about definitions, counters and privileges.
//!
//! Each engine has a catalog of its own, so the engines share no text here: each one writes these statements whole.

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

/// The statements that read an engine's catalog or depend on it.
pub trait CatalogStatements: Grammar {
    /// Returns a query for the columns of a table that have a DEFAULT. A row holds a name and a text, such as ('total',
    /// '0').
    fn column_defaults(&self, table: &Table) -> Sql;

    /// Returns a query for every definition. A row holds a kind, a name, a table and a text, such as ('index', 'i',
    /// 't', '…').
    fn definitions(&self) -> Sql;

    /// Returns a query for the definition of a table, as the last value of its row; `None` if the catalog already has all
    /// conditions of the table's rows.
    fn table_definition(&self, _: &Table) -> Option<Sql> {
        None
    }

    /// Fills in the texts that the engine hides from this user, as far as the schema knows them. Returns true if the
    /// engine hides any.
    fn fill_hidden_texts(&self, _: &Schema, _: &mut [Definition]) -> bool {
        false
    }

    /// Returns a query for one row if the list of definitions leaves out the triggers of some table, because this user may not see
    /// them; `None` if it names the triggers that it hides.
    fn hidden_triggers(&self) -> Option<Sql> {
        None
    }

    /// Returns a query for the row that counts a table's keys: its address, its name and its value, such as (1, 't',
    /// 42). `None` if the engine has no such rows.
    fn counter_row(&self, _: &Table) -> Option<Sql> {
        None
    }

    /// Returns a query for one number: the last one that the column's sequence returned. It gives no row if there is no
    /// sequence.
    fn last_sequence_value(&self, _: &Table, _column: &str) -> Option<Sql> {
        None
    }

    /// Returns statements after which no sequence returns the keys of a row that was inserted with explicit keys.
    fn advance_sequences(&self, _: &Table, _: &RowName) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns the statement that locks these tables against other writers; `None` if the transaction does so already.
    fn lock_tables(&self, _: &[&Table]) -> Option<Sql> {
        None
    }

    /// Returns the statements that create an empty table of the rehearsal with these defaults. There are none if the
    /// rehearsal runs in a copy that has the table.
    fn create_rehearsal_table(&self, _: &Table, _defaults: &[(String, String)]) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns a query for one row if the table of plan states exists, such as (1, 0): this session may read the table,
    /// and may not write to it. If the engine cannot answer the second part, it is 1.
    fn state_table_privileges(&self) -> Sql;

    /// Returns statements that change no row of that table, and fail if this session may not write to it.
    fn try_state_writes(&self) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns the statement that the owner of that table runs to give another user the privileges.
    fn grant_state_table(&self) -> String {
        format!("GRANT SELECT, INSERT, UPDATE ON {} TO …", crate::model::state::TABLE)
    }

    /// Returns a query for one row if this session may create that table; `None` if only an attempt can show it.
    fn may_create_state_table(&self) -> Option<Sql> {
        None
    }

    /// Returns a query for one row if this session may drop a table that was created for the plan with this digest. If
    /// the engine marks such a table, the mark must name that plan. `None` if there is nothing to check.
    fn may_drop_table(&self, _: &NewTable, _plan: &str) -> Option<Sql> {
        None
    }

    /// Returns the statement that locks a table against all other sessions until it is dropped or unlocked; `None` if
    /// the transaction does so already.
    fn lock_until_dropped(&self, _: &NewTable) -> Option<Sql> {
        None
    }

    /// Returns the statement that unlocks the table; `None` if the end of the transaction does so.
    fn unlock_tables(&self) -> Option<Sql> {
        None
    }

    /// Returns the lines that a script of changes begins with.
    fn script_header(&self) -> String;

    /// Returns the lines that a script of changes ends with.
    fn script_footer(&self) -> String;
}
