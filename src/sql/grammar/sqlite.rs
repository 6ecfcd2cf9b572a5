//! The grammar of SQLite.
//!
//! SQLite itself decides whether two keys are equal. In `parent.k = +child.r` the parent is the left operand, so SQLite
//! uses its collation. The unary plus removes the child's affinity, so SQLite applies the parent's. This form agreed
//! with `PRAGMA foreign_key_check` in every one of a hundred thousand random cases, and no other form did.
//!
//! A statement reads a table `NOT INDEXED` if a damaged secondary index may lack rows of it. A statement that writes
//! says `OR ABORT`, which overrules an `ON CONFLICT` of the schema: no row is silently replaced or skipped.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::facts::Facts;
use crate::model::value::Value;
use crate::sql::clauses::hex;
use crate::sql::clauses::quoted_text;
use crate::sql::comparison::ColumnComparison;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::Reading;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::WriteGrammar;
use crate::sql::grammar::WriteWords;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::quoted;

/// White space that `trim` removes in most languages.
const WHITE_SPACE: &str = "char(9,10,11,12,13,32,133,160,8203,65279)";

#[derive(Debug)]
pub(in crate::sql) struct Sqlite;

impl Grammar for Sqlite {
    fn facts(&self) -> &'static Facts {
        Engine::Sqlite.facts()
    }

    fn table_name(&self, _: Option<&str>, table: &Table) -> String {
        format!("main.{}", quoted(&table.name.table))
    }

    fn source(&self, _: Option<&str>, table: &Table, alias: &str, reading: Reading) -> String {
        let reads_rows = reading == Reading::WholeTable && table.kind != TableKind::View;
        let not_indexed = if reads_rows { " NOT INDEXED" } else { "" };
        format!("{} AS {alias}{not_indexed}", self.table_name(None, table))
    }

    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String {
        let row = |(number, values): &(usize, Vec<String>)| {
            let values: Vec<String> = values.iter().map(|value| format!(", {value}")).collect();
            format!("({number}{})", values.concat())
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        let columns: Vec<String> =
            columns.iter().enumerate().map(|(i, column)| format!("column{} AS {column}", i + 1)).collect();
        format!("(SELECT {} FROM (VALUES {})) AS {name}", columns.join(", "), rows.join(", "))
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) if number.is_finite() => format!("{number:?}"),
            Value::Real(number) => if *number > 0.0 { "9e999" } else { "-9e999" }.to_owned(),
            Value::Blob(bytes) => format!("X'{}'", hex(bytes)),
            Value::Text(bytes) => quoted_text(bytes).unwrap_or_else(|| format!("CAST(X'{}' AS TEXT)", hex(bytes))),
        }
    }

    fn shown(&self, value: &str, _: &Column) -> String {
        value.to_owned()
    }

    /// SQLite orders values of any two types.
    fn sort_key(&self, value: &str) -> String {
        value.to_owned()
    }

    fn typed(&self, mark: String, _: Option<&Column>, _: &Value) -> String {
        mark
    }

    /// A column takes any value.
    fn fits(&self, _: &Column, _: &Value) -> bool {
        true
    }

    fn can_search_for(&self, _: &Column, _: &Value) -> bool {
        true
    }

    fn equal_to_listed(&self, _: &Column, left: &str, right: &str) -> String {
        format!("{left} = +{right}")
    }

    fn stored_queries(&self) -> Option<&'static str> {
        Some(
            "SELECT name, sql FROM main.sqlite_schema WHERE type IN ('view', 'trigger') AND sql IS NOT NULL ORDER BY name",
        )
    }

    fn comparison(&self, _: &Column) -> ColumnComparison {
        ColumnComparison::Affinity
    }

    fn equals_other_column(&self, _: &Column, left: &str, _: &Column, right: &str) -> String {
        format!("{left} = +{right}")
    }

    fn is_present(&self, _: &Column, value: &str) -> Option<String> {
        Some(format!("{value} IS NOT NULL"))
    }

    fn compared(&self, part: &KeyPart<'_>, child: &str) -> String {
        format!("{}{}", converted_child(part, child), collation(part))
    }

    fn refers(&self, _: &KeyPart<'_>, parent: &str, child: &str) -> String {
        format!("{parent} = +{child}")
    }

    fn has_configured_value(&self, query: &mut Query, part: &KeyPart<'_>, child: &str, value: &Value) -> String {
        let mark = query.parameter(value.clone());
        format!("{} IS {}", converted_child(part, child), converted(&mark, family(part)))
    }

    fn is_true(&self, condition: &str) -> String {
        format!("coalesce((\n{condition}\n), 0)")
    }

    fn count_of(&self, condition: &str) -> String {
        format!("sum({condition})")
    }

    fn plain_text(&self, value: &str, _: Option<&Column>) -> String {
        format!("CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE CAST({value} AS TEXT) END")
    }

    /// SQLite has its own text form of a number, so the statement converts both sides.
    fn plain_text_parameter(&self, value: &Value) -> Value {
        value.clone()
    }

    fn trimmed(&self, text: &str) -> String {
        format!("trim({text}, {WHITE_SPACE})")
    }
}

impl RuleGrammar for Sqlite {
    fn untyped_parameter(&self, mark: String, _: &Value) -> String {
        mark
    }

    fn text_or_empty(&self, value: &str) -> String {
        format!("coalesce(CAST({value} AS TEXT), '')")
    }

    fn concatenated(&self, parts: &[String]) -> String {
        if parts.is_empty() { "''".to_owned() } else { parts.join(" || ") }
    }

    fn value_of(&self, expression: &str) -> String {
        format!("(\n{expression}\n)")
    }

    fn query_column(&self, query: &str, column: usize, width: usize) -> String {
        if width == 1 {
            return self.value_of(query);
        }
        let columns: Vec<String> = (0..width).map(|index| format!("c{index}")).collect();
        // The query must not mention this name, which would then refer to the query itself.
        let mut name = "the query".to_owned();
        while query.to_lowercase().contains(&name) {
            name.push('\'');
        }
        let name = self.quoted(&name);
        format!("(WITH {name}({}) AS (\n{query}\n) SELECT c{column} FROM {name})", columns.join(", "))
    }

    fn query_row_count(&self, query: &str) -> String {
        format!("(SELECT count(*) FROM (SELECT 1 FROM (\n{query}\n) LIMIT 2))")
    }
}

static WORDS: WriteWords = WriteWords {
    insert: ["INSERT OR ABORT INTO", " VALUES"],
    update: "UPDATE OR ABORT",
    number: "INTEGER",
    digest: "TEXT",
    text: "TEXT",
    plan_column: "",
    options: "",
    state_options: " WITHOUT ROWID",
};

impl WriteGrammar for Sqlite {
    fn words(&self) -> &'static WriteWords {
        &WORDS
    }

    fn still_equals(&self, query: &mut Query, _: &Table, name: &str, value: &Value) -> String {
        format!("{} = {}", self.quoted(name), query.parameter(value.clone()))
    }
}

fn family<'a>(part: &KeyPart<'a>) -> &'a Family {
    part.parent.map_or(&Family::Untyped, |column| &column.family)
}

/// Returns the child's value as the parent would store it.
pub(in crate::sql) fn converted_child(part: &KeyPart<'_>, child: &str) -> String {
    converted(&format!("+{child}"), family(part))
}

/// Returns the COLLATE clause that gives a value the parent's collation.
pub(in crate::sql) fn collation(part: &KeyPart<'_>) -> String {
    let collation = part.parent.and_then(|parent| parent.collation.as_deref());
    collation.map(|name| format!(" COLLATE {}", quoted(name))).unwrap_or_default()
}

/// Returns a value as a column of a family would store it. SQLite has no function for this conversion, so a comparison
/// that applies numeric affinity decides whether a text is a number.
fn converted(value: &str, family: &Family) -> String {
    match family {
        Family::Integer | Family::Numeric | Family::Real => format!(
            "CASE WHEN typeof({value}) = 'text' AND CAST({value} AS NUMERIC) = {value} THEN CAST({value} AS NUMERIC) ELSE {value} END"
        ),
        Family::Text => {
            format!("CASE WHEN typeof({value}) IN ('integer', 'real') THEN CAST({value} AS TEXT) ELSE {value} END")
        }
        Family::Untyped => value.to_owned(),
    }
}
