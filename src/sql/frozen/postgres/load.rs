//! The words of PostgreSQL for a load: `LIKE … INCLUDING ALL` makes a table with the same types, defaults, checks and
//! unique keys, whose identity columns count by themselves.

use super::Query;
use super::equal_to_parent;
use super::operator;
use super::shown;
use super::source;
use super::table_name;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::frozen::Sql;
use crate::sql::frozen::load::Counted;
use crate::sql::frozen::load::beside::Tongue;
use crate::sql::quoted;

pub(in crate::sql::frozen) struct Tables;

impl Tongue for Tables {
    fn quoted(&self, name: &str) -> String {
        quoted(name)
    }

    fn temporary(&self, name: &str) -> String {
        format!("pg_temp.{name}")
    }

    fn make(&self, _: &Schema, table: &Table, name: &str) -> Vec<String> {
        vec![format!(
            "CREATE TABLE {name} (LIKE {} INCLUDING ALL EXCLUDING COMMENTS EXCLUDING STATISTICS, fk_doctor$place int8 UNIQUE)",
            table_name(table)
        )]
    }

    fn make_noted(&self, name: &str) -> String {
        format!("CREATE TABLE {name} (place int8 PRIMARY KEY)")
    }

    /// Defaults that draw from a sequence, and identity columns.
    fn counted(&self, _: &Schema, table: &Table) -> Sql {
        let mut query = Query::default();
        let name = query.parameter(Value::text(table_name(table)));
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

    fn source(&self, _: &Schema, table: &Table, alias: &str) -> String {
        source(table, alias)
    }

    fn equal(&self, schema: &Schema, relation: &Relation) -> String {
        equal_to_parent(schema, relation)
    }

    fn orphans(&self, schema: &Schema, relation: &Relation, from: &str, parent: Option<&str>) -> Sql {
        super::orphans_among(Query::default(), schema, relation, from, None, parent)
    }

    fn note(&self, noted: &str, query: &str) -> String {
        format!("INSERT INTO {noted} {query} ON CONFLICT DO NOTHING")
    }

    fn must_have_parent(&self, schema: &Schema, relation: &Relation, parent: Option<&str>) -> String {
        let lacks = parent.map(|parent| format!(" AND NOT EXISTS ({parent})")).unwrap_or_default();
        let complete = super::complete(schema, relation);
        match relation.match_rule {
            crate::model::catalog::Match::Full => {
                format!("(({complete}{lacks}) OR ({}))", super::partly_null(schema, relation))
            }
            crate::model::catalog::Match::Simple => format!("{complete}{lacks}"),
        }
    }

    fn given(&self, column: &Column, value: &Value, parameters: &mut Vec<Value>) -> String {
        let mut query = Query { parameters: std::mem::take(parameters) };
        let given = query.typed(Some(column), value);
        *parameters = query.parameters;
        given
    }

    fn same(&self, column: &Column, left: &str, right: &str) -> String {
        match &column.sql_type {
            Some(of) if !of.equality.name.is_empty() => format!("{left} {} {right}", operator(&of.equality)),
            _ => format!("{left} = {right}"),
        }
    }

    fn is_shown(&self, table: &Table, name: &str, value: &Value, parameters: &mut Vec<Value>) -> String {
        let of = match value {
            Value::Integer(_) => "int8",
            Value::Real(_) => "float8",
            Value::Blob(_) => "bytea",
            Value::Null | Value::Text(_) => "text",
        };
        parameters.push(value.clone());
        let column = table.columns.iter().find(|column| column.name == name);
        let held = format!("child.{}", quoted(name));
        let held = column.map_or_else(|| super::as_text(&held), |column| shown(&held, column));
        format!("({held})::{of} IS NOT DISTINCT FROM ${}::{of}", parameters.len())
    }

    fn shown(&self, column: &Column, value: &str) -> String {
        shown(value, column)
    }

    fn no_columns(&self) -> &'static str {
        "NULL::int8"
    }
}
