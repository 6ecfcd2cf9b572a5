//! The grammar of an engine that only reads. Each method returns plain SQL.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::value::Value;
use crate::sql::clauses::quoted_text;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::scan::Scan;

#[derive(Debug)]
pub(in crate::sql) struct Dummy;

impl Grammar for Dummy {
    fn facts(&self) -> &'static Facts {
        Engine::Dummy.facts()
    }

    fn table_name(&self, _: Option<&str>, table: &Table) -> String {
        self.quoted(&table.name.table)
    }

    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String {
        let row = |(number, values): &(usize, Vec<String>)| {
            let values = std::iter::once(number.to_string()).chain(values.iter().cloned());
            let named: Vec<String> =
                values.zip(columns).map(|(value, column)| format!("{value} AS {column}")).collect();
            format!("SELECT {}", named.join(", "))
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        format!("({}) AS {name}", rows.join(" UNION ALL "))
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => format!("{number:?}"),
            Value::Text(bytes) => quoted_text(bytes).unwrap_or_else(|| "NULL".to_owned()),
            Value::Null | Value::Blob(_) => "NULL".to_owned(),
        }
    }

    fn shown(&self, value: &str, _: &Column) -> String {
        value.to_owned()
    }

    fn sort_key(&self, value: &str) -> String {
        value.to_owned()
    }

    fn typed(&self, mark: String, _: Option<&Column>, _: &Value) -> String {
        mark
    }

    fn can_search_for(&self, column: &Column, value: &Value) -> bool {
        self.fits(column, value)
    }

    fn is_present(&self, _: &Column, value: &str) -> Option<String> {
        Some(self.not_null(value))
    }

    fn compared(&self, _: &KeyPart<'_>, child: &str) -> String {
        child.to_owned()
    }

    fn refers(&self, _: &KeyPart<'_>, parent: &str, child: &str) -> String {
        format!("{parent} = {child}")
    }

    fn has_configured_value(&self, query: &mut Query, _: &KeyPart<'_>, child: &str, value: &Value) -> String {
        format!("{child} = {}", query.parameter(value.clone()))
    }

    fn count_of(&self, condition: &str) -> String {
        format!("count(CASE WHEN {condition} THEN 1 END)")
    }

    fn plain_text(&self, value: &str, _: Option<&Column>) -> String {
        format!("CAST({value} AS TEXT)")
    }

    fn trimmed(&self, text: &str) -> String {
        format!("trim({text})")
    }
}

impl Scan for Dummy {}
