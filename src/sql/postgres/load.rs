//! The words of PostgreSQL for a load: `LIKE … INCLUDING ALL` makes a table with the same types, defaults, checks and
//! unique keys, whose identity columns count by themselves.

use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::load::Counted;
use crate::sql::load::beside::Tongue;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::quoted;
use crate::sql::repair::Repair;

pub(in crate::sql) struct Tables;

impl Tongue for Tables {
    fn grammar(&self) -> &'static dyn Repair {
        &POSTGRES
    }

    fn temporary(&self, name: &str) -> String {
        format!("pg_temp.{name}")
    }

    fn make(&self, _: &Schema, table: &Table, name: &str) -> Vec<String> {
        vec![format!(
            "CREATE TABLE {name} (LIKE {} INCLUDING ALL EXCLUDING COMMENTS EXCLUDING STATISTICS, fk_doctor$place int8 UNIQUE)",
            POSTGRES.table_name(None, table)
        )]
    }

    fn make_noted(&self, name: &str) -> String {
        format!("CREATE TABLE {name} (place int8 PRIMARY KEY)")
    }

    /// Defaults that draw from a sequence, and identity columns.
    fn counted(&self, _: &Schema, table: &Table) -> Sql {
        let mut query = POSTGRES.query();
        let name = query.parameter(Value::text(POSTGRES.table_name(None, table)));
        query.finish(format!(
            "SELECT a.attname::text, (a.attidentity <> '')::int::int8 FROM pg_catalog.pg_attribute AS a LEFT JOIN pg_catalog.pg_attrdef AS d \
             ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = {name}::text::regclass AND a.attnum > 0 \
             AND a.attgenerated = '' AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%')"
        ))
    }

    fn count_on(&self, name: &str, sequence: &str, column: &Counted<'_>) -> Vec<String> {
        let (quoted, next) = (quoted(column.name), column.next);
        if column.without_default {
            return vec![format!("ALTER TABLE {name} ALTER COLUMN {quoted} RESTART WITH {next}")];
        }
        vec![
            format!("CREATE SEQUENCE {sequence} START WITH {next}"),
            format!("ALTER TABLE {name} ALTER COLUMN {quoted} SET DEFAULT nextval('{sequence}'::regclass)"),
        ]
    }

    fn note(&self, noted: &str, query: &str) -> String {
        format!("INSERT INTO {noted} {query} ON CONFLICT DO NOTHING")
    }

    fn is_shown(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String {
        let mark = query.parameter(value.clone());
        let held = POSTGRES.of("child", name);
        let held =
            column(table, name).map_or_else(|| POSTGRES.shown_address(&held), |column| POSTGRES.shown(&held, column));
        let (held, mark) = (POSTGRES.untyped(format!("({held})"), value), POSTGRES.untyped(mark, value));
        format!("{held} IS NOT DISTINCT FROM {mark}")
    }
}
