//! The grammar of PostgreSQL.
//!
//! PostgreSQL itself decides whether two keys are equal: a statement compares them by the operator, the types and the
//! collation of the constraint, each qualified with its schema. A statement reads `ONLY` the named tables, as the
//! constraint's own triggers do.
//!
//! No statement runs code that the owner of a table wrote. The search path holds `pg_catalog` alone, and a value
//! becomes text by its type's output function (`format`), not by a cast. A rule's SQL can name only the tables of the
//! default schema: each one that it mentions is a common table expression of that name before the statement.

use crate::model::catalog::Column;
use crate::model::catalog::Comparison;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::QualifiedName;
use crate::model::catalog::SqlType;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::facts::Facts;
use crate::model::rule::Expression;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::clauses::hex;
use crate::sql::clauses::plain;
use crate::sql::clauses::quoted_text;
use crate::sql::comparison::ColumnComparison;
use crate::sql::comparison::TextComparison;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Integers;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::Reading;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::WriteGrammar;
use crate::sql::grammar::WriteWords;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::quoted;
use crate::sql::repair::RequestedValue;

/// White space that `trim` removes in most languages.
const WHITE_SPACE: &str = r"E'\t\n\x0b\f\r \u0085\u00a0\u200b\ufeff'";

/// The types without a conversion whose values are equal exactly if their texts are.
const SPELLED: [&str; 15] = [
    "uuid",
    "date",
    "timestamp",
    "timestamptz",
    "time",
    "timetz",
    "bool",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "oid",
    "bit",
    "varbit",
    "char",
];

#[derive(Debug)]
pub(in crate::sql) struct Postgres {
    /// True if the statements are about the temporary tables of the rehearsal, whose names contain their schemas.
    in_rehearsal: bool,
}

pub(in crate::sql) static POSTGRES: Postgres = Postgres { in_rehearsal: false };
pub(in crate::sql) static REHEARSAL: Postgres = Postgres { in_rehearsal: true };

impl Grammar for Postgres {
    fn facts(&self) -> &'static Facts {
        Engine::Postgres.facts()
    }

    fn table_name(&self, _: Option<&str>, table: &Table) -> String {
        let schema = table.name.schema.as_deref().unwrap_or("public");
        match self.in_rehearsal {
            true => format!("pg_temp.{}", quoted(&format!("{schema}.{}", table.name.table))),
            false => format!("{}.{}", quoted(schema), quoted(&table.name.table)),
        }
    }

    /// `ONLY`, because the rows of inheriting tables are in no foreign key. The rows of partitions are.
    fn own_rows(&self, default_schema: Option<&str>, table: &Table) -> String {
        let only = if table.kind == TableKind::Table { "ONLY " } else { "" };
        format!("{only}{}", self.table_name(default_schema, table))
    }

    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String {
        let row = |(number, values): &(usize, Vec<String>)| {
            let values: Vec<String> = values.iter().map(|value| format!(", {value}")).collect();
            format!("({number}::int8{})", values.concat())
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        format!("(VALUES {}) AS {name}({})", rows.join(", "), columns.join(", "))
    }

    /// The server parses and plans a long list of parameters for longer than it looks up the rows.
    fn table_of_integers(
        &self,
        query: &mut Query,
        name: &str,
        columns: &[String],
        integers: Integers<'_>,
    ) -> Option<String> {
        let text = |integer: Option<i64>| integer.map_or("NULL".to_owned(), |integer| integer.to_string());
        let arrays = integers()?.into_iter().map(|column| {
            let elements: Vec<String> = column.into_iter().map(text).collect();
            let mark = query.parameter(Value::text(format!("{{{}}}", elements.join(","))));
            format!("{mark}::text::int8[]")
        });
        let arrays: Vec<String> = arrays.collect();
        Some(format!("unnest({}) AS {name}({})", arrays.join(", "), columns.join(", ")))
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => format!("'{number}'"),
            Value::Real(number) => format!("'{number:?}'"),
            Value::Blob(bytes) => format!("'\\x{}'::bytea", hex(bytes)),
            Value::Text(bytes) => {
                quoted_text(bytes).unwrap_or_else(|| format!("convert_from('\\x{}'::bytea, 'UTF8')", hex(bytes)))
            }
        }
    }

    fn shown(&self, value: &str, column: &Column) -> String {
        match column.family {
            Family::Integer => format!("{value}::int8"),
            Family::Real => format!("{value}::float8"),
            Family::Numeric => format!("{value}::numeric"),
            Family::Text => format!("{value}::text"),
            Family::Untyped if holds_bytes(column) => value.to_owned(),
            Family::Untyped => as_text(value),
        }
    }

    fn shown_address(&self, value: &str) -> String {
        as_text(value)
    }

    fn sort_key(&self, value: &str) -> String {
        format!("{} COLLATE \"C\"", as_text(value))
    }

    /// An integer is always an `int8`: the server converts it to the column's own type when it stores it.
    fn typed(&self, mark: String, column: Option<&Column>, value: &Value) -> String {
        let Some(column) = column else { return format!("{mark}::text") };
        match (&column.family, &column.sql_type) {
            (Family::Integer, _) => format!("{mark}::int8"),
            (Family::Real, _) => format!("{mark}::float8"),
            (Family::Numeric, _) => format!("{mark}::numeric"),
            (Family::Text, _) | (Family::Untyped, None) => format!("{mark}::text"),
            (Family::Untyped, Some(_)) if holds_bytes(column) && matches!(value, Value::Blob(_)) => mark,
            (Family::Untyped, Some(sql_type)) if sql_type.base.name == "bool" && matches!(value, Value::Integer(_)) => {
                format!("({mark}::int8 <> 0)")
            }
            (Family::Untyped, Some(sql_type)) => format!("{mark}::text::{}", qualified(&sql_type.base)),
        }
    }

    /// A text is converted only to the server's own types, because any other conversion may run a user's code.
    fn can_search_for(&self, column: &Column, value: &Value) -> bool {
        let Some(sql_type) = &column.sql_type else { return false };
        match value {
            Value::Integer(_) => column.family == Family::Integer,
            Value::Blob(_) => holds_bytes(column),
            Value::Text(_) => {
                column.family != Family::Integer && !holds_bytes(column) && sql_type.base.schema == "pg_catalog"
            }
            Value::Null | Value::Real(_) => false,
        }
    }

    fn searched_parameter(&self, mark: String, column: &Column) -> String {
        match &column.sql_type {
            _ if column.family == Family::Integer => format!("{mark}::int8"),
            _ if holds_bytes(column) => format!("{mark}::bytea"),
            Some(sql_type) => format!("{mark}::text::{}", qualified(&sql_type.base)),
            None => mark,
        }
    }

    fn equal(&self, column: Option<&Column>, left: &str, right: &str) -> String {
        match column.and_then(equality) {
            Some(equality) => format!("{left} {} {right}", operator(equality)),
            None => format!("{left} = {right}"),
        }
    }

    fn stored_queries(&self) -> Option<&'static str> {
        Some(
            "SELECT c.relname::text, pg_get_viewdef(c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('v', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1",
        )
    }

    fn comparison(&self, column: &Column) -> ColumnComparison {
        let Some(sql_type) = &column.sql_type else { return ColumnComparison::NoKey };
        let (base, is_built_in) = (&sql_type.base, sql_type.base.schema == "pg_catalog");
        match column.family {
            Family::Integer | Family::Numeric => ColumnComparison::ExactNumber,
            Family::Real => ColumnComparison::FloatingPoint,
            Family::Text if sql_type.deterministic && base.name == "bpchar" => {
                ColumnComparison::Text(TextComparison::Padded)
            }
            Family::Text if sql_type.deterministic => ColumnComparison::Text(TextComparison::Bytes),
            Family::Text => ColumnComparison::Text(TextComparison::Engine),
            Family::Untyped if is_built_in && SPELLED.contains(&base.name.as_str()) => {
                ColumnComparison::Spelling(base.name.clone())
            }
            Family::Untyped if is_built_in || sql_type.composite || base.name.starts_with('_') => {
                ColumnComparison::NoKey
            }
            Family::Untyped if sql_type.becomes_text => {
                ColumnComparison::EngineOrText(format!("{}.{}", base.schema, base.name))
            }
            // The built-in operator compares enumerations and ranges. Their texts are as distinct as the values.
            Family::Untyped if sql_type.equality.schema == "pg_catalog" => {
                ColumnComparison::Spelling(format!("{}.{}", base.schema, base.name))
            }
            Family::Untyped => ColumnComparison::Engine(format!("{}.{}", base.schema, base.name)),
        }
    }

    fn equals_other_column(&self, ours: &Column, left: &str, theirs: &Column, right: &str) -> String {
        if becomes_text(ours, theirs) || becomes_text(theirs, ours) {
            return format!("({left})::text = {right}");
        }
        self.equal(Some(ours), left, right)
    }

    /// An explicit collation decides, so that two texts with different collations can be compared.
    fn under_collation_of(&self, parent: &Column, child: &Column, value: &str) -> String {
        let value = if becomes_text(child, parent) { format!("({value})::text") } else { value.to_owned() };
        let collation = |column: &Column| column.sql_type.as_ref().and_then(|sql_type| sql_type.collation.clone());
        match (collation(parent), collation(child)) {
            (Some(parent), Some(child)) if parent != child => format!("{value} COLLATE {}", qualified(&parent)),
            _ => value,
        }
    }

    /// A value of a row type can be there and hold NULLs. `IS NOT NULL` is false for it.
    fn is_present(&self, column: &Column, value: &str) -> Option<String> {
        let is_row = column.sql_type.as_ref().is_some_and(|sql_type| sql_type.composite);
        Some(if is_row { format!("num_nulls({value}) = 0") } else { format!("{value} IS NOT NULL") })
    }

    fn compared(&self, part: &KeyPart<'_>, child: &str) -> String {
        match part.relation.comparisons.get(part.index) {
            Some(how) => format!("{}{}", cast(child, how.child_type.as_ref()), collated(how)),
            None => child.to_owned(),
        }
    }

    fn refers(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String {
        let child = self.compared(part, child);
        match part.relation.comparisons.get(part.index) {
            Some(how) => {
                let parent = format!("{}{}", cast(parent, how.parent_type.as_ref()), collated(how));
                format!("({parent}) {} ({child})", operator(&how.operator))
            }
            None => format!("{parent} = {child}"),
        }
    }

    fn has_configured_value(&self, query: &mut Query, part: &KeyPart<'_>, child: &str, value: &Value) -> String {
        match value {
            Value::Integer(_) if part.child.family == Family::Integer => {
                format!("{child} = {}", query.parameter(value.clone()))
            }
            _ => format!("format('%s', {child}) = {}", query.parameter(Value::text(plain(value)))),
        }
    }

    fn count_of(&self, condition: &str) -> String {
        format!("count(*) FILTER (WHERE {condition})")
    }

    fn whole_number(&self, number: &str) -> String {
        format!("{number}::int8")
    }

    /// The collation "C" compares and folds each character by itself.
    fn plain_text(&self, value: &str, column: Option<&Column>) -> String {
        let text = match column {
            None => value.to_owned(),
            Some(column) if holds_bytes(column) => format!("encode({value}, 'hex')"),
            Some(_) => format!("format('%s', {value})"),
        };
        format!("{text} COLLATE \"C\"")
    }

    fn trimmed(&self, text: &str) -> String {
        format!("btrim({text}, {WHITE_SPACE})")
    }
}

impl RuleGrammar for Postgres {
    fn untyped_parameter(&self, mark: String, value: &Value) -> String {
        let kind = match value {
            Value::Integer(_) => "int8",
            Value::Real(_) => "float8",
            Value::Blob(_) => "bytea",
            Value::Null | Value::Text(_) => "text",
        };
        format!("{mark}::{kind}")
    }

    fn text_or_empty(&self, value: &str) -> String {
        format!("format('%s', {value})")
    }

    fn concatenated(&self, parts: &[String]) -> String {
        if parts.is_empty() { "''::text".to_owned() } else { format!("({})", parts.join(" || ")) }
    }

    fn value_of(&self, expression: &str) -> String {
        self.query_column(&format!("SELECT (\n{expression}\n)"), 0, 1)
    }

    fn query_column(&self, query: &str, column: usize, width: usize) -> String {
        let columns: Vec<String> = (0..width).map(|index| format!("x{index}")).collect();
        let value = as_text(&format!("given.x{column}"));
        format!("(SELECT {value} FROM (\n{query}\n) AS given({}) LIMIT 1)", columns.join(", "))
    }

    fn query_row_count(&self, query: &str) -> String {
        format!("(SELECT count(*) FROM (SELECT 1 FROM (\n{query}\n) AS given LIMIT 2) AS few)")
    }

    /// Each table keeps its own name. No other name that fk-doctor gives in the statement can be a name in the rule's
    /// SQL.
    fn rule_tables(&self, schema: &Schema, wanted: &[RequestedValue<'_>]) -> String {
        let texts: Vec<String> = wanted
            .iter()
            .filter_map(|wanted| match wanted {
                RequestedValue::Query { query, .. } | RequestedValue::RowsOf(query) => Some(query.to_lowercase()),
                RequestedValue::Expression(Expression::Sql(sql)) => Some(sql.to_lowercase()),
                RequestedValue::Expression(_) => None,
            })
            .collect();
        let is_mentioned = |table: &&Table| {
            table.name.schema.is_none() && texts.iter().any(|text| text.contains(&table.name.table.to_lowercase()))
        };
        let mentioned: Vec<String> = schema
            .tables
            .iter()
            .filter(is_mentioned)
            .map(|table| {
                let name = quoted(&table.name.table);
                format!("{name} AS NOT MATERIALIZED (SELECT * FROM {})", self.table_name(None, table))
            })
            .collect();
        if mentioned.is_empty() { String::new() } else { format!("WITH {} ", mentioned.join(", ")) }
    }
}

static WORDS: WriteWords = WriteWords {
    insert: ["INSERT INTO", " OVERRIDING SYSTEM VALUE VALUES"],
    update: "UPDATE",
    number: "int8",
    digest: "text",
    text: "text",
    plan_column: " text",
    options: "",
    state_options: "",
};

impl WriteGrammar for Postgres {
    fn words(&self) -> &'static WriteWords {
        &WORDS
    }

    fn as_stored(&self, value: &str, column: Option<&Column>) -> String {
        match column.and_then(|column| column.sql_type.as_ref()) {
            Some(sql_type) => format!("{value}::{}", qualified(&sql_type.base)),
            None => value.to_owned(),
        }
    }

    /// A type without an equality of its own is compared as text.
    fn still_equals(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String {
        let (column, left) = (column(table, name), self.qualified("t", name));
        if column.is_some_and(|column| column.sql_type.is_some() && equality(column).is_none()) {
            let text = query.parameter(Value::text(plain(value)));
            return format!("{} = {text}::text", as_text(&left));
        }
        let mark = query.parameter(value.clone());
        self.equal(column, &left, &self.typed(mark, column, value))
    }

    fn write_target(&self, table: &Table) -> String {
        self.source(None, table, "t", Reading::AnyIndex)
    }
}

/// Returns the operator under which two values of a column's type are equal; `None` if the type has none.
fn equality(column: &Column) -> Option<&QualifiedName> {
    column.sql_type.as_ref().map(|SqlType { equality, .. }| equality).filter(|equality| !equality.name.is_empty())
}

/// True if the server compares a value of this column with one of the other as a text.
fn becomes_text(column: &Column, other: &Column) -> bool {
    let (Some(own), Some(other)) = (&column.sql_type, &other.sql_type) else { return false };
    column.family == Family::Untyped && own.becomes_text && own.base != other.base
}

pub(in crate::sql) fn as_text(value: &str) -> String {
    format!("CASE WHEN {value} IS NOT NULL THEN format('%s', {value}) END")
}

fn holds_bytes(column: &Column) -> bool {
    column
        .sql_type
        .as_ref()
        .is_some_and(|sql_type| sql_type.base.schema == "pg_catalog" && sql_type.base.name == "bytea")
}

fn cast(value: &str, to: Option<&QualifiedName>) -> String {
    to.map_or_else(|| value.to_owned(), |to| format!("{value}::{}", qualified(to)))
}

fn collated(how: &Comparison) -> String {
    how.collation.as_ref().map(|collation| format!(" COLLATE {}", qualified(collation))).unwrap_or_default()
}

pub(in crate::sql) fn qualified(name: &QualifiedName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.name))
}

/// Returns an operator. Its name cannot be quoted, so only the characters of operators are kept.
pub(in crate::sql) fn operator(name: &QualifiedName) -> String {
    let symbol: String = name.name.chars().filter(|c| "+-*/<>=~!@#%^&|`?".contains(*c)).collect();
    format!("OPERATOR({}.{symbol})", quoted(&name.schema))
}
