//! The questions of a scan in PostgreSQL's SQL.
//!
//! What makes the verdict PostgreSQL's own: keys are compared with the operator that the constraint names, its types
//! and the parent's collation, all schema-qualified, and `ONLY` the named tables are read, as the constraint's own
//! triggers do. Nothing here runs code that an owner of a table could have written: the search path holds
//! `pg_catalog` alone, and values become text by their types' output functions (`format`), not by casts.

use super::Among;
use super::Dialect;
use super::Sql;
use super::clauses;
use super::clauses::child_column;
use super::clauses::plain;
use super::quoted;
use super::row_name_columns;
use crate::model::catalog::Column;
use crate::model::catalog::Comparison;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Match;
use crate::model::catalog::QualifiedName;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;

pub(super) mod load;
pub(super) mod repair;

/// White space that near-miss comparison strips: what `trim` in most languages strips.
const WHITE_SPACE: &str = r"E'\t\n\x0b\f\r \u0085\u00a0\u200b\ufeff'";

pub(super) struct Postgres;

impl Dialect for Postgres {
    fn counts(&self, schema: &Schema, child: TableId, relations: &[&Relation]) -> Sql {
        let mut query = Query::default();
        let mut columns = vec!["count(*)".to_owned()];
        for relation in relations {
            let scope = in_scope(relation);
            let nothing = refers_to_nothing(schema, relation);
            columns.push(format!("count(*) FILTER (WHERE {scope})"));
            columns.push(format!("count(*) FILTER (WHERE {scope} AND {nothing})"));
            columns.push(match query.ignored(schema, relation) {
                Some(ignored) => {
                    format!("count(*) FILTER (WHERE {scope} AND {} AND {ignored})", complete(schema, relation))
                }
                None => "0::int8".to_owned(),
            });
        }
        query.finish(format!("SELECT {} FROM {}", columns.join(", "), source(&schema.tables[child], "child")))
    }

    fn orphans(&self, schema: &Schema, relation: &Relation, among: &Among<'_>) -> Sql {
        let mut query = Query::default();
        let child = schema.child(relation);
        let only = query.among(child, among);
        let parent = match_query(schema, relation);
        orphans_among(query, schema, relation, &source(child, "child"), only.as_deref(), parent.as_deref())
    }

    fn without_indexes(&self, question: &Sql) -> Option<Sql> {
        Some(Sql { from_tables: true, ..question.clone() })
    }

    fn matched_keys(&self, schema: &Schema, relation: &Relation, enough: u64) -> Sql {
        let mut query = Query::default();
        let keys: Vec<String> = (0..relation.child_columns.len())
            .map(|place| format!("{} AS k{place}", compared(schema, relation, place)))
            .collect();
        let considered = query.considered(schema, relation);
        let parent = match_query(schema, relation).unwrap_or_else(|| "SELECT 1 WHERE false".to_owned());
        query.finish(format!(
            "SELECT count(*) FROM (SELECT DISTINCT {} FROM {} WHERE {considered} AND EXISTS ({parent}) LIMIT {enough}) AS matched",
            keys.join(", "),
            source(schema.child(relation), "child"),
        ))
    }

    fn parent_has_rows(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let table = source(schema.parent(relation)?, "parent");
        Some(Query::default().finish(format!("SELECT EXISTS (SELECT 1 FROM {table})")))
    }

    fn largest_parent_key(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let column = schema.parent_columns(relation).next().filter(|column| column.family == Family::Integer)?;
        let table = source(schema.parent(relation)?, "parent");
        Some(Query::default().finish(format!("SELECT max(parent.{})::int8 FROM {table}", quoted(&column.name))))
    }

    fn keys_elsewhere(&self, _: &Schema, table: &Table, index: &Index, keys: &[&Key]) -> Option<Sql> {
        let columns = index.columns.iter().map(|part| part.column.map(|column| &table.columns[column]));
        let columns: Vec<&Column> = columns.collect::<Option<_>>()?;
        equal_to_missing(table, "other", &columns, keys, "")
    }

    fn soft_deleted_keys(&self, schema: &Schema, relation: &Relation, keys: &[&Key]) -> Option<Sql> {
        let condition = relation.scope.soft_deleted.as_ref()?;
        let columns: Vec<&Column> = schema.parent_columns(relation).collect();
        let condition = format!(" AND (\n{condition}\n)");
        equal_to_missing(schema.parent(relation)?, "parent", &columns, keys, &condition)
    }

    fn near_misses(&self, schema: &Schema, relation: &Relation, keys: &[&Key], limit: u64) -> Option<Sql> {
        // Whole numbers have no other dress, and a server lets only numbers refer to them.
        let column = schema.parent_columns(relation).next().filter(|column| column.family != Family::Integer)?;
        let table = source(schema.parent(relation)?, "parent");
        let name = quoted(&column.name);
        let mut query = Query::default();
        let keys: Vec<Key> = keys.iter().map(|key| vec![Value::text(plain(&key[0]))]).collect();
        let missing = query.missing(&keys.iter().collect::<Vec<_>>(), &["text".to_owned()]);
        let text = letters(&format!("parent.{name}"), column);
        Some(query.finish(format!(
            "WITH sought AS MATERIALIZED (SELECT missing.{NUMBER} AS i, {} AS n FROM {missing}) \
             SELECT sought.i, min(p.k), count(DISTINCT p.k) FROM \
             (SELECT {text} COLLATE \"C\" AS k FROM {table} WHERE parent.{name} IS NOT NULL LIMIT {limit}) AS p \
             JOIN sought ON sought.n = {} GROUP BY sought.i ORDER BY sought.i",
            undressed(&format!("missing.{}", held(0))),
            undressed("p.k"),
        )))
    }

    fn condition_check(&self, schema: &Schema, relation: &Relation, condition: &str, of_parent: bool) -> Option<Sql> {
        let (table, alias) =
            if of_parent { (schema.parent(relation)?, "parent") } else { (schema.child(relation), "child") };
        let source = source(table, alias);
        Some(Query::default().finish(format!("SELECT 1::int8 FROM {source} WHERE (\n{condition}\n) LIMIT 0")))
    }
}

/// The orphans among the rows of `from`, which are called `child`, and for which `only` holds; `parent` finds parents.
fn orphans_among(
    mut query: Query,
    schema: &Schema,
    relation: &Relation,
    from: &str,
    only: Option<&str>,
    parent: Option<&str>,
) -> Sql {
    let keys = relation.child_columns.len();
    let mut inner: Vec<String> =
        (0..keys).map(|place| format!("{} AS k{place}", compared(schema, relation, place))).collect();
    inner.extend((0..keys).map(|place| format!("{} AS r{place}", stored(schema, relation, place))));
    let names = RowName::of(schema.child(relation));
    inner.extend(names.parts.iter().enumerate().map(|(i, (name, _))| format!("child.{} AS i{i}", quoted(name))));
    let from = format!("SELECT {} FROM {from}", inner.join(", "));
    let only = only.map(|only| format!(" AND {only}")).unwrap_or_default();
    let considered = query.considered(schema, relation);
    let lacks = parent.map(|parent| format!(" AND NOT EXISTS ({parent})")).unwrap_or_default();
    let mut rows = format!("{from} WHERE {considered}{only}{lacks}");
    if relation.match_rule == Match::Full {
        let partly = partly_null(schema, relation);
        rows = format!("{rows} UNION ALL {from} WHERE {}{only} AND {partly}", in_scope(relation));
    }
    let order: Vec<String> = (0..keys).map(|place| format!("o.k{place}")).collect();
    let mut columns: Vec<String> =
        (0..keys).map(|i| shown(&format!("o.k{i}"), child_column(schema, relation, i))).collect();
    columns.extend((0..keys).map(|i| shown(&format!("o.r{i}"), child_column(schema, relation, i))));
    columns.extend(names.shown("o.i"));
    query.finish(format!(
        "SELECT dense_rank() OVER (ORDER BY {}) AS g, {}, 0::int8 FROM ({rows}) AS o ORDER BY g{}",
        order.join(", "),
        columns.join(", "),
        names.order("o.i"),
    ))
}

/// The columns that name a row, each with its definition; a row's own address has none.
struct RowName<'a> {
    parts: Vec<(&'a str, Option<&'a Column>)>,
    /// Any column may be among them, also one whose type has no order.
    every_column: bool,
}

impl<'a> RowName<'a> {
    fn of(table: &'a Table) -> RowName<'a> {
        let names = row_name_columns(table);
        let column = |name: &str| table.columns.iter().find(|column| column.name == name);
        let every_column = table.primary_key.is_empty() && table.row_address.is_none();
        RowName { parts: names.into_iter().map(|name| (name, column(name))).collect(), every_column }
    }

    fn shown<'b>(&'b self, alias: &'b str) -> impl Iterator<Item = String> + 'b {
        self.parts.iter().enumerate().map(move |(i, (_, column))| match column {
            Some(column) => shown(&format!("{alias}{i}"), column),
            None => as_text(&format!("{alias}{i}")),
        })
    }

    fn order(&self, alias: &str) -> String {
        let by = |i: usize| match self.every_column {
            true => format!(", {} COLLATE \"C\"", as_text(&format!("{alias}{i}"))),
            false => format!(", {alias}{i}"),
        };
        (0..self.parts.len()).map(by).collect()
    }
}

/// A statement under way: its parameters so far.
#[derive(Default)]
struct Query {
    parameters: Vec<Value>,
}

impl Query {
    fn parameter(&mut self, value: Value) -> String {
        self.parameters.push(value);
        format!("${}", self.parameters.len())
    }

    fn finish(self, text: String) -> Sql {
        Sql::new(text, self.parameters)
    }

    /// `missing`: the given keys, numbered, of these types.
    fn missing(&mut self, keys: &[&Key], types: &[String]) -> String {
        let rows: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(i, key)| {
                let values = key.iter().zip(types);
                let values: Vec<String> =
                    values.map(|(value, of)| format!("{}::{of}", self.parameter(value.clone()))).collect();
                format!("({i}::int8, {})", values.join(", "))
            })
            .collect();
        list("missing", types.len(), &rows)
    }

    /// Whether a row's key is one that the configuration ignores.
    fn ignored(&mut self, schema: &Schema, relation: &Relation) -> Option<String> {
        clauses::any_key(&relation.scope.ignored, |place, value| {
            let stored = stored(schema, relation, place);
            let number = child_column(schema, relation, place).family == Family::Integer;
            match value {
                Value::Integer(_) if number => format!("{stored} = {}", self.parameter(value.clone())),
                _ => format!("format('%s', {stored}) = {}", self.parameter(Value::text(plain(value)))),
            }
        })
    }

    /// Nothing but the rows of these addresses.
    fn among(&mut self, child: &Table, among: &Among<'_>) -> Option<String> {
        let (rows, address) = (among.rows?, child.row_address.as_ref()?);
        let rows: Vec<String> = rows.iter().map(|row| format!("\"({},{})\"", row >> 16, row & 0xFFFF)).collect();
        let rows = self.parameter(Value::text(format!("{{{}}}", rows.join(","))));
        Some(format!("child.{} = ANY ({rows}::text::tid[])", quoted(address)))
    }

    /// Rows that must have a parent.
    fn considered(&mut self, schema: &Schema, relation: &Relation) -> String {
        let ignored = self.ignored(schema, relation);
        clauses::considered(relation, complete(schema, relation), in_scope, ignored)
    }
}

/// The number of a key or row of a list; see [`clauses::held`].
const NUMBER: &str = "\"fk-doctor number\"";

/// A value of a list, by its place.
fn held(place: usize) -> String {
    quoted(&clauses::held(place))
}

/// Rows that each begin with their number: a derived table of this name.
fn list(name: &str, width: usize, rows: &[String]) -> String {
    let names: Vec<String> = (0..width).map(|place| format!(", {}", held(place))).collect();
    format!("(VALUES {}) AS {name}({NUMBER}{})", rows.join(", "), names.concat())
}

fn in_scope(relation: &Relation) -> String {
    match &relation.scope.condition {
        Some(condition) => format!("((\n{condition}\n) IS TRUE)"),
        None => "true".to_owned(),
    }
}

fn stored(schema: &Schema, relation: &Relation, place: usize) -> String {
    format!("child.{}", quoted(&child_column(schema, relation, place).name))
}

/// A row type may be there and hold NULLs, which `IS NOT NULL` takes for NULL.
fn is_there(schema: &Schema, relation: &Relation, place: usize) -> String {
    let stored = stored(schema, relation, place);
    let composite = child_column(schema, relation, place).sql_type.as_ref().is_some_and(|of| of.composite);
    if composite { format!("num_nulls({stored}) = 0") } else { format!("{stored} IS NOT NULL") }
}

fn complete(schema: &Schema, relation: &Relation) -> String {
    let parts: Vec<String> = (0..relation.child_columns.len()).map(|i| is_there(schema, relation, i)).collect();
    parts.join(" AND ")
}

/// The key means "no parent": any NULL under MATCH SIMPLE, nothing but NULL under MATCH FULL.
fn refers_to_nothing(schema: &Schema, relation: &Relation) -> String {
    let parts: Vec<String> =
        (0..relation.child_columns.len()).map(|i| format!("NOT ({})", is_there(schema, relation, i))).collect();
    let word = if relation.match_rule == Match::Full { " AND " } else { " OR " };
    format!("({})", parts.join(word))
}

fn partly_null(schema: &Schema, relation: &Relation) -> String {
    format!("NOT ({}) AND NOT {}", complete(schema, relation), refers_to_nothing(schema, relation))
}

/// The child's value as it meets the parent's: converted, and under the parent's collation.
fn compared(schema: &Schema, relation: &Relation, place: usize) -> String {
    let stored = stored(schema, relation, place);
    match relation.comparisons.get(place) {
        Some(how) => format!("{}{}", cast(&stored, &how.child_type), collated(how)),
        None => stored,
    }
}

fn cast(value: &str, to: &Option<QualifiedName>) -> String {
    match to {
        Some(to) => format!("{value}::{}", qualified(to)),
        None => value.to_owned(),
    }
}

fn collated(how: &Comparison) -> String {
    how.collation.as_ref().map(|collation| format!(" COLLATE {}", qualified(collation))).unwrap_or_default()
}

/// The parent of the child's row at hand; `None` where the parent's table is missing.
fn match_query(schema: &Schema, relation: &Relation) -> Option<String> {
    let parent = schema.parent(relation)?;
    let living = match &relation.scope.soft_deleted {
        Some(condition) => format!(" AND NOT ((\n{condition}\n) IS TRUE)"),
        None => String::new(),
    };
    Some(format!("SELECT 1 FROM {} WHERE {}{living}", source(parent, "parent"), equal_to_parent(schema, relation)))
}

/// The parent's row at hand has the key of the child's.
fn equal_to_parent(schema: &Schema, relation: &Relation) -> String {
    let columns = schema.parent_columns(relation).enumerate();
    let equal: Vec<String> = columns
        .map(|(place, column)| {
            let value = format!("parent.{}", quoted(&column.name));
            let child = compared(schema, relation, place);
            match relation.comparisons.get(place) {
                Some(how) => {
                    let value = format!("{}{}", cast(&value, &how.parent_type), collated(how));
                    format!("({value}) {} ({child})", operator(&how.operator))
                }
                None => format!("{value} = {child}"),
            }
        })
        .collect();
    equal.join(" AND ")
}

/// Which of these keys a table has under these columns and a condition.
fn equal_to_missing(table: &Table, alias: &str, columns: &[&Column], keys: &[&Key], condition: &str) -> Option<Sql> {
    let types = columns.iter().enumerate().map(|(place, column)| parameter_type(column, keys, place));
    let types: Vec<String> = types.collect::<Option<_>>()?;
    let mut query = Query::default();
    let missing = query.missing(keys, &types);
    let equal = columns.iter().enumerate().filter_map(|(place, column)| {
        let equality = operator(&column.sql_type.as_ref()?.equality);
        Some(format!("{alias}.{} {equality} missing.{}", quoted(&column.name), held(place)))
    });
    let equal: Vec<String> = equal.collect();
    Some(query.finish(format!(
        "SELECT missing.{NUMBER} FROM {missing} WHERE EXISTS (SELECT 1 FROM {} WHERE {}{condition}) ORDER BY 1",
        source(table, alias),
        equal.join(" AND ")
    )))
}

/// The type under which keys are held against a column; `None` where they are of another kind. Text becomes a value
/// of the server's own types only: other conversions may be anybody's code.
fn parameter_type(column: &Column, keys: &[&Key], place: usize) -> Option<String> {
    let all = |is: fn(&Value) -> bool| keys.iter().all(|key| key.get(place).is_some_and(is));
    let of = column.sql_type.as_ref()?;
    if column.family == Family::Integer {
        return all(|value| matches!(value, Value::Integer(_))).then(|| "int8".to_owned());
    }
    if is_bytes(column) {
        return all(|value| matches!(value, Value::Blob(_))).then(|| "bytea".to_owned());
    }
    let text = all(|value| matches!(value, Value::Text(_))) && of.base.schema == "pg_catalog";
    text.then(|| format!("text::{}", qualified(&of.base)))
}

/// A value as the engine reads it: whole numbers, floats, exact numbers and bytes as such, all others as text.
fn shown(value: &str, column: &Column) -> String {
    match column.family {
        Family::Integer => format!("{value}::int8"),
        Family::Real => format!("{value}::float8"),
        Family::Numeric => format!("{value}::numeric"),
        Family::Text => format!("{value}::text"),
        Family::Untyped if is_bytes(column) => value.to_owned(),
        Family::Untyped => as_text(value),
    }
}

fn as_text(value: &str) -> String {
    format!("CASE WHEN {value} IS NOT NULL THEN format('%s', {value}) END")
}

/// A value letter by letter, to be held against [`plain`].
fn letters(value: &str, column: &Column) -> String {
    if is_bytes(column) { format!("encode({value}, 'hex')") } else { format!("format('%s', {value})") }
}

fn is_bytes(column: &Column) -> bool {
    column.sql_type.as_ref().is_some_and(|of| of.base.schema == "pg_catalog" && of.base.name == "bytea")
}

/// A text without white space, case, leading zeros and the dress of a UUID.
fn undressed(value: &str) -> String {
    format!(
        "ltrim(lower(replace(replace(replace(btrim({value} COLLATE \"C\", {WHITE_SPACE}), '-', ''), '{{', ''), '}}', '')), '0')"
    )
}

fn qualified(name: &QualifiedName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.name))
}

/// An operator's name cannot be quoted, and cannot hold anything that would have to be.
fn operator(name: &QualifiedName) -> String {
    let symbol: String = name.name.chars().filter(|c| "+-*/<>=~!@#%^&|`?".contains(*c)).collect();
    format!("OPERATOR({}.{symbol})", quoted(&name.schema))
}

/// `ONLY`: rows of tables that inherit are not in a foreign key; those of partitions are.
pub(super) fn source(table: &Table, alias: &str) -> String {
    let only = if table.kind == TableKind::Table { "ONLY " } else { "" };
    format!("{only}{} AS {alias}", table_name(table))
}

fn table_name(table: &Table) -> String {
    format!("{}.{}", quoted(table.name.schema.as_deref().unwrap_or("public")), quoted(&table.name.table))
}
