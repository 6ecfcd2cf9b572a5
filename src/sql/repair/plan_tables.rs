//! The tables that a plan creates, and the table of plan states.

use crate::model::plan::NewTable;
use crate::model::state;
use crate::sql::grammar::WriteGrammar;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;

/// The definitions of these tables, for every engine that fk-doctor repairs.
pub trait PlanTables: WriteGrammar {
    /// Returns the CREATE TABLE of a table that a plan creates. Its first column is the primary key.
    fn create_table(&self, table: &NewTable) -> Sql {
        let words = self.words();
        let columns = table.columns.iter().enumerate().map(|(index, name)| match index {
            0 => format!("{} {} PRIMARY KEY", self.quoted(name), words.number),
            _ => format!("{}{}", self.quoted(name), words.plan_column),
        });
        let columns: Vec<String> = columns.collect();
        let name = self.table_name(None, &table.as_table());
        plain(format!("CREATE TABLE {name}({}){}", columns.join(", "), words.options))
    }

    /// Returns the CREATE TABLE of such a table. If a rollback does not drop the table, the statement also marks it as
    /// created for the plan with this digest.
    fn create_marked_table(&self, table: &NewTable, _plan: &str) -> Sql {
        self.create_table(table)
    }

    /// Returns the DROP TABLE of such a table.
    fn drop_table(&self, table: &NewTable) -> Sql {
        plain(format!("DROP TABLE {}", self.table_name(None, &table.as_table())))
    }

    /// Returns the CREATE TABLE of the table of plan states; see [`crate::model::state`].
    fn create_state_table(&self) -> Sql {
        let words = self.words();
        let columns = state::COLUMNS.iter().map(|(name, is_number)| {
            let sql_type = match (*name, is_number) {
                (_, true) => words.number,
                ("plan", _) => words.digest,
                _ => words.text,
            };
            format!("{} {sql_type} NOT NULL", self.quoted(name))
        });
        let columns: Vec<String> = columns.collect();
        plain(format!(
            "CREATE TABLE {}({}, PRIMARY KEY ({}, {})){}",
            self.table_name(None, &state::table()),
            columns.join(", "),
            self.quoted("plan"),
            self.quoted("number"),
            words.state_options,
        ))
    }
}
