//! The grammar of Spark's SQL, as far as Sail understands it too.
//!
//! The cluster's own `=` decides which keys are equal. The engine admits only pairs of types for which that is the law of
//! the README.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::value::Value;
use crate::sql::clauses::hex;
use crate::sql::clauses::quoted_text;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;

/// The name of a folder whose value is NULL. Not all engines read it as NULL.
const NULL_FOLDER: &str = "'__HIVE_DEFAULT_PARTITION__'";

#[derive(Debug)]
pub(in crate::sql) struct Spark;

impl Grammar for Spark {
    fn facts(&self) -> &'static Facts {
        Engine::Spark.facts()
    }

    fn table_name(&self, _: Option<&str>, table: &Table) -> String {
        self.quoted(&table.name.table)
    }

    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String {
        let row = |(number, values): &(usize, Vec<String>)| {
            let values = std::iter::once(number.to_string()).chain(values.iter().cloned()).zip(columns);
            let values: Vec<String> = values.map(|(value, column)| format!("{value} AS {column}")).collect();
            format!("SELECT {}", values.join(", "))
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        format!("({}) AS {name}", rows.join(" UNION ALL "))
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => format!("{number}L"),
            Value::Real(number) => format!("{number:e}D"),
            Value::Blob(bytes) => format!("X'{}'", hex(bytes)),
            Value::Text(bytes) => match quoted_text(bytes) {
                Some(text) => text.replace('\\', "\\\\").replace("''", "\\'"),
                None => format!("CAST(X'{}' AS STRING)", hex(bytes)),
            },
        }
    }

    /// The engine converts values when it reads an answer.
    fn shown(&self, value: &str, _: &Column) -> String {
        value.to_owned()
    }

    fn sort_key(&self, value: &str) -> String {
        value.to_owned()
    }

    fn typed(&self, mark: String, column: Option<&Column>, _: &Value) -> String {
        format!("CAST({mark} AS {})", column.map_or("STRING", |column| column.declared_type.as_str()))
    }

    fn can_search_for(&self, column: &Column, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Integer(_) => matches!(column.family, Family::Integer | Family::Numeric),
            Value::Real(_) => column.family == Family::Real,
            Value::Text(_) | Value::Blob(_) => column.family != Family::Integer,
        }
    }

    fn searched_parameter(&self, mark: String, column: &Column) -> String {
        format!("CAST({mark} AS {})", column.declared_type)
    }

    fn is_present(&self, column: &Column, value: &str) -> Option<String> {
        Some(match column.declared_type.as_str() {
            "STRING" => format!("nullif({value}, {NULL_FOLDER}) IS NOT NULL"),
            _ => format!("{value} IS NOT NULL"),
        })
    }

    fn compared(&self, _: &KeyPart<'_>, child: &str) -> String {
        child.to_owned()
    }

    fn refers(&self, _: &KeyPart<'_>, parent: &str, child: &str) -> String {
        format!("{parent} = {child}")
    }

    fn has_configured_value(&self, query: &mut Query, _: &KeyPart<'_>, child: &str, value: &Value) -> String {
        let mark = query.parameter(self.plain_text_parameter(value));
        format!("{} = {mark}", self.plain_text(child, None))
    }

    /// Sail misjudges `IS TRUE` in several columns of one statement.
    fn is_true(&self, condition: &str) -> String {
        format!("coalesce((\n{condition}\n), FALSE)")
    }

    fn count_of(&self, condition: &str) -> String {
        format!("count(CASE WHEN {condition} THEN 1 END)")
    }

    fn plain_text(&self, value: &str, _: Option<&Column>) -> String {
        format!("CAST({value} AS STRING)")
    }

    fn trimmed(&self, text: &str) -> String {
        format!("trim({text})")
    }
}
