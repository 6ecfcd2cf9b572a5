//! The record of a statement in PostgreSQL: a row is known by its table and address, which hold as long as the
//! transaction does not change it.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::foresight::Tongue;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::quoted;
use crate::sql::repair::Repair;

pub(in crate::sql) struct Tid;

impl Tongue for Tid {
    fn grammar(&self) -> &'static dyn Repair {
        &POSTGRES
    }

    fn temporary(&self, name: &str) -> String {
        format!("pg_temp.{name}")
    }

    fn make(&self, _: &Schema, table: &Table, [old, new]: [&str; 2], counted: &[String]) -> Vec<String> {
        // Ours come last: an INSERT without a list of columns fills the first ones.
        let marks = "fk_doctor$op text DEFAULT 'i', fk_doctor$wave int4 DEFAULT 0, fk_doctor$relation int4 DEFAULT -1, \
                     fk_doctor$table oid, fk_doctor$place tid";
        let name = POSTGRES.table_name(None, table);
        let mut made = vec![
            format!("CREATE TABLE {old} (LIKE {name}, {marks})"),
            format!("CREATE TABLE {new} (LIKE {name} INCLUDING DEFAULTS INCLUDING GENERATED, {marks})"),
        ];
        made.extend(counted.iter().map(|name| format!("ALTER TABLE {new} ALTER COLUMN {} DROP DEFAULT", quoted(name))));
        let nullable: Vec<String> = table
            .columns
            .iter()
            .filter(|column| column.not_null)
            .map(|column| format!("ALTER COLUMN {} DROP NOT NULL", quoted(&column.name)))
            .collect();
        if !nullable.is_empty() {
            made.extend([old, new].map(|both| format!("ALTER TABLE {both} {}", nullable.join(", "))));
        }
        made
    }

    fn unmake(&self, name: &str) -> String {
        format!("DROP TABLE {name}")
    }

    fn place_columns(&self) -> &'static [&'static str] {
        &["fk_doctor$table", "fk_doctor$place"]
    }

    fn place(&self, _: &Table, alias: &str) -> Vec<String> {
        vec![format!("{alias}.tableoid"), format!("{alias}.ctid")]
    }

    fn is_row(&self, _: &Table, recorded: &str, row: &str) -> String {
        format!("{recorded}.fk_doctor$table = {row}.tableoid AND {recorded}.fk_doctor$place = {row}.ctid")
    }

    fn differs(&self, left: &str, right: &str) -> String {
        // Whatever type it is, and whoever made its operators: what is stored is compared.
        format!("pg_catalog.record_image_ne(ROW({left}), ROW({right}))")
    }

    fn assigned(&self, column: &Column, expression: &str) -> String {
        format!("({expression})::{}", column.declared_type)
    }

    fn all_columns(&self, _: &[String]) -> String {
        String::new()
    }

    fn select_once(&self, alias: &str) -> String {
        format!("SELECT DISTINCT ON ({alias}.tableoid, {alias}.ctid) ")
    }

    fn checks_moved_rows(&self, _: &Schema) -> Option<&'static str> {
        None
    }

    fn counted_columns(&self, _: &Schema, table: &Table) -> Sql {
        let mut query = POSTGRES.query();
        let name = query.parameter(Value::text(POSTGRES.table_name(None, table)));
        query.finish(format!(
            "SELECT a.attname::text FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_attribute AS a \
             ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {name}::text::regclass \
             AND a.attgenerated = '' AND pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%'"
        ))
    }
}
