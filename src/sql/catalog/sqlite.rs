//! The statements about SQLite's definitions and counters.

use crate::model::catalog::Table;
use crate::model::state;
use crate::model::value::Value;
use crate::sql::catalog::CatalogStatements;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;

impl CatalogStatements for Sqlite {
    fn column_defaults(&self, table: &Table) -> Sql {
        let mut query = self.query();
        let name = query.parameter(Value::text(&table.name.table));
        query.finish(format!(
            "SELECT name, dflt_value FROM pragma_table_xinfo({name}, 'main') WHERE dflt_value IS NOT NULL"
        ))
    }

    fn definitions(&self) -> Sql {
        plain(
            "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
                .to_owned(),
        )
    }

    fn counter_row(&self, table: &Table) -> Option<Sql> {
        let mut query = self.query();
        let name = query.parameter(Value::text(&table.name.table));
        Some(query.finish(format!("SELECT rowid, name, seq FROM main.sqlite_sequence WHERE name = {name}")))
    }

    fn state_table_privileges(&self) -> Sql {
        let mut query = self.query();
        let name = query.parameter(Value::text(state::TABLE));
        query.finish(format!("SELECT 1, 1 FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = {name}"))
    }

    fn script_header(&self) -> String {
        "-- Made by fk-doctor. Look at what the last statement says before you keep it.\nPRAGMA foreign_keys = OFF;\nBEGIN IMMEDIATE;\n".to_owned()
    }

    fn script_footer(&self) -> String {
        "PRAGMA foreign_key_check;\nCOMMIT;\n".to_owned()
    }
}
