//! PostgreSQL's temporary tables.
//!
//! `LIKE … INCLUDING ALL` makes a table for a load with the same types, defaults, checks and unique keys. Its identity
//! columns have counters of their own. A record identifies a row by its table and address, which are valid as long as
//! the transaction does not change the row.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::load::CountingColumn;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::quoted;
use crate::sql::scratch::Scratch;

impl Scratch for Postgres {
    fn temporary_name(&self, name: &str) -> String {
        format!("pg_temp.{name}")
    }

    fn create_load_table(&self, _: &Schema, table: &Table, name: &str) -> Vec<String> {
        vec![format!(
            "CREATE TABLE {name} (LIKE {} INCLUDING ALL EXCLUDING COMMENTS EXCLUDING STATISTICS, fk_doctor$place int8 UNIQUE)",
            self.table_name(None, table)
        )]
    }

    fn create_position_table(&self, name: &str) -> String {
        format!("CREATE TABLE {name} (place int8 PRIMARY KEY)")
    }

    /// These are the columns with a default that draws from a sequence, and the identity columns.
    fn auto_increment_columns(&self, _: &Schema, table: &Table) -> Sql {
        let mut query = self.query();
        let name = query.parameter(Value::text(self.table_name(None, table)));
        query.finish(format!(
            "SELECT a.attname::text, (a.attidentity <> '')::int::int8 FROM pg_catalog.pg_attribute AS a LEFT JOIN pg_catalog.pg_attrdef AS d \
             ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = {name}::text::regclass AND a.attnum > 0 \
             AND a.attgenerated = '' AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%')"
        ))
    }

    fn restart_auto_increment(&self, name: &str, sequence: &str, column: &CountingColumn<'_>) -> Vec<String> {
        let (quoted, next) = (quoted(column.name), column.next);
        if column.without_default {
            return vec![format!("ALTER TABLE {name} ALTER COLUMN {quoted} RESTART WITH {next}")];
        }
        vec![
            format!("CREATE SEQUENCE {sequence} START WITH {next}"),
            format!("ALTER TABLE {name} ALTER COLUMN {quoted} SET DEFAULT nextval('{sequence}'::regclass)"),
        ]
    }

    fn insert_missing_positions(&self, table: &str, query: &str) -> String {
        format!("INSERT INTO {table} {query} ON CONFLICT DO NOTHING")
    }

    fn shows_value(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String {
        let mark = query.parameter(value.clone());
        let held = self.qualified("child", name);
        let held = column(table, name).map_or_else(|| self.shown_address(&held), |column| self.shown(&held, column));
        let (held, mark) = (self.untyped_parameter(format!("({held})"), value), self.untyped_parameter(mark, value));
        format!("{held} IS NOT DISTINCT FROM {mark}")
    }

    fn create_record_tables(
        &self,
        _: &Schema,
        table: &Table,
        [old, new]: [&str; 2],
        counter_columns: &[String],
    ) -> Vec<String> {
        // These columns come last, because an INSERT without a list of columns fills the first ones.
        let marks = "fk_doctor$op text DEFAULT 'i', fk_doctor$wave int4 DEFAULT 0, fk_doctor$relation int4 DEFAULT -1, \
                     fk_doctor$table oid, fk_doctor$place tid";
        let name = self.table_name(None, table);
        let mut statements = vec![
            format!("CREATE TABLE {old} (LIKE {name}, {marks})"),
            format!("CREATE TABLE {new} (LIKE {name} INCLUDING DEFAULTS INCLUDING GENERATED, {marks})"),
        ];
        statements.extend(
            counter_columns.iter().map(|name| format!("ALTER TABLE {new} ALTER COLUMN {} DROP DEFAULT", quoted(name))),
        );
        let nullable: Vec<String> = table
            .columns
            .iter()
            .filter(|column| column.not_null)
            .map(|column| format!("ALTER COLUMN {} DROP NOT NULL", quoted(&column.name)))
            .collect();
        if !nullable.is_empty() {
            statements.extend([old, new].map(|both| format!("ALTER TABLE {both} {}", nullable.join(", "))));
        }
        statements
    }

    fn drop_record_table(&self, name: &str) -> String {
        format!("DROP TABLE {name}")
    }

    fn address_columns(&self) -> &'static [&'static str] {
        &["fk_doctor$table", "fk_doctor$place"]
    }

    fn row_address(&self, _: &Table, alias: &str) -> Vec<String> {
        vec![format!("{alias}.tableoid"), format!("{alias}.ctid")]
    }

    fn is_recorded_row(&self, _: &Table, recorded: &str, row: &str) -> String {
        format!("{recorded}.fk_doctor$table = {row}.tableoid AND {recorded}.fk_doctor$place = {row}.ctid")
    }

    fn differs(&self, left: &str, right: &str) -> String {
        // The stored bytes are compared, because a type may have operators that a user defined.
        format!("pg_catalog.record_image_ne(ROW({left}), ROW({right}))")
    }

    fn as_assigned(&self, column: &Column, expression: &str) -> String {
        format!("({expression})::{}", column.declared_type)
    }

    fn insert_column_list(&self, _: &[String]) -> String {
        String::new()
    }

    fn select_distinct_rows(&self, alias: &str) -> String {
        format!("SELECT DISTINCT ON ({alias}.tableoid, {alias}.ctid) ")
    }

    fn moved_row_check(&self, _: &Schema) -> Option<&'static str> {
        None
    }

    fn counter_drawing_columns(&self, _: &Schema, table: &Table) -> Sql {
        let mut query = self.query();
        let name = query.parameter(Value::text(self.table_name(None, table)));
        query.finish(format!(
            "SELECT a.attname::text FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_attribute AS a \
             ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {name}::text::regclass \
             AND a.attgenerated = '' AND pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%'"
        ))
    }
}
