//! The statements about the catalogs of MySQL and MariaDB.

use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::redefinition::Definition;
use crate::model::schema::Schema;
use crate::model::state;
use crate::model::value::Value;
use crate::sql::catalog::CatalogStatements;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::mysql::hidden;
use crate::sql::mysql::variant::Variant;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;

impl CatalogStatements for Mysql {
    fn column_defaults(&self, table: &Table) -> Sql {
        self.variant.defaults(table)
    }

    fn definitions(&self) -> Sql {
        plain(include_str!("../mysql/definitions.sql").to_owned())
    }

    /// `information_schema` hides conditions from users who may only read, and this statement does not.
    fn table_definition(&self, table: &Table) -> Option<Sql> {
        Some(plain(format!("SHOW CREATE TABLE {}", self.table_name(None, table))))
    }

    fn fill_hidden_texts(&self, schema: &Schema, definitions: &mut [Definition]) -> bool {
        hidden::fill_hidden_texts(self.variant, schema, definitions)
    }

    fn hidden_triggers(&self) -> Option<Sql> {
        (self.variant == Variant::Mysql).then(|| plain(hidden::triggers_of_some_table()))
    }

    fn last_sequence_value(&self, table: &Table, column: &str) -> Option<Sql> {
        let mut query = self.query();
        let is_table = is_table(&mut query, table);
        let name = query.parameter(Value::text(column));
        Some(query.finish(format!(
            "SELECT CAST(t.auto_increment AS DECIMAL(20)) - 1 FROM information_schema.tables AS t \
             JOIN information_schema.columns AS c USING (table_schema, table_name) \
             WHERE {is_table} AND c.column_name = {name} AND c.extra LIKE '%auto_increment%'"
        )))
    }

    fn create_rehearsal_table(&self, table: &Table, _: &[(String, String)]) -> Vec<Sql> {
        let text = format!(
            "CREATE TEMPORARY TABLE {} LIKE {}",
            self.rehearsal().table_name(None, table),
            self.table_name(None, table)
        );
        vec![plain(text)]
    }

    fn state_table_privileges(&self) -> Sql {
        let mut query = self.query();
        let is_table = is_table(&mut query, &state::table());
        query.finish(format!("SELECT 1, 1 FROM information_schema.tables WHERE {is_table}"))
    }

    fn try_state_writes(&self) -> Vec<Sql> {
        let table = self.table_name(None, &state::table());
        let texts = [
            format!("INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0"),
            format!("UPDATE {table} SET `number` = `number` WHERE 1 = 0"),
        ];
        texts.into_iter().map(plain).collect()
    }

    fn may_drop_table(&self, table: &NewTable, plan: &str) -> Option<Sql> {
        let mut query = self.query();
        let is_table = is_table(&mut query, &table.as_table());
        let mark = query.parameter(Value::text(mark(plan)));
        Some(query.finish(format!(
            "SELECT 1 FROM information_schema.tables WHERE {is_table} AND CAST(table_comment AS BINARY) = CAST({mark} AS BINARY)"
        )))
    }

    /// The query that reads the table's rows has the alias `t`, which needs a lock of its own.
    fn lock_until_dropped(&self, table: &NewTable) -> Option<Sql> {
        let name = self.table_name(None, &table.as_table());
        Some(plain(format!("LOCK TABLES {name} WRITE, {name} AS t WRITE")))
    }

    fn unlock_tables(&self) -> Option<Sql> {
        Some(plain("UNLOCK TABLES".to_owned()))
    }

    /// CREATE TABLE commits, so the script turns autocommit off. The transaction begins with the first row that comes
    /// after it.
    fn script_header(&self) -> String {
        let client = self.variant.client();
        format!(
            "-- Made by fk-doctor. Run it with: {client} --default-character-set=utf8mb4 DATABASE < THIS_FILE\n\
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';\n\
         SET NAMES utf8mb4;\nSET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nSET autocommit = 0;\n"
        )
    }

    fn script_footer(&self) -> String {
        "COMMIT;\n".to_owned()
    }
}

/// Returns the condition that a row of `information_schema` is about this table. Names are compared to the byte,
/// because the columns of `information_schema` ignore case.
pub(in crate::sql) fn is_table(query: &mut Query, table: &Table) -> String {
    let schema = match &table.name.schema {
        Some(schema) => query.parameter(Value::text(schema)),
        None => "database()".to_owned(),
    };
    let name = query.parameter(Value::text(&table.name.table));
    format!("table_schema = {schema} AND CAST(table_name AS BINARY) = CAST({name} AS BINARY)")
}

/// Returns the comment of a table that was created for a plan. The CREATE TABLE statement itself sets it.
pub(in crate::sql) fn mark(plan: &str) -> String {
    let digest: String = plan.chars().filter(char::is_ascii_hexdigit).collect();
    format!("made by fk-doctor for plan {digest}")
}
