//! The questions of a scan in the SQL of MySQL and MariaDB.
//!
//! The verdict is the server's own `=`, which compares two columns of a foreign key as InnoDB does: their types and
//! collations have to agree. Where they do not (a configured relation, a key made while checks were off) the child's
//! text is brought under the parent's collation. Two enumerations meet as numbers, as they do in InnoDB.
//!
//! `IS NULL` is not asked of a column that is NOT NULL: there it would be true of the date `0000-00-00`.

use super::Among;
use super::Dialect;
use super::Sql;
use super::clauses;
use super::clauses::child_column;
use super::clauses::plain;
use super::in_backticks;
use super::row_name_columns;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;

pub(super) mod load;
pub(super) mod repair;
pub(super) mod siblings;

pub(super) struct Mysql;

impl Dialect for Mysql {
    fn counts(&self, schema: &Schema, child: TableId, relations: &[&Relation]) -> Sql {
        let mut query = Query::default();
        let mut columns = vec!["count(*)".to_owned()];
        for relation in relations {
            let scope = in_scope(relation);
            let complete = complete(schema, relation);
            // Counting is quicker than adding up truths.
            let (in_scope, incomplete) = match (&relation.scope.condition, relation.child_columns.as_slice()) {
                (None, _) if complete == "TRUE" => ("count(*)".to_owned(), "0".to_owned()),
                (None, [_]) => ("count(*)".to_owned(), format!("count(*) - count({})", stored(schema, relation, 0))),
                (None, _) => ("count(*)".to_owned(), count_of(&format!("NOT ({complete})"))),
                (Some(_), _) => (count_of(&scope), count_of(&format!("{scope} AND NOT ({complete})"))),
            };
            columns.push(in_scope);
            columns.push(incomplete);
            columns.push(match query.ignored(schema, relation) {
                Some(ignored) => count_of(&format!("{scope} AND {complete} AND {ignored}")),
                None => "0".to_owned(),
            });
        }
        query.finish(format!("SELECT {} FROM {}", columns.join(", "), source(schema, &schema.tables[child], "child")))
    }

    /// Along the child's own index, in the order of the parent's key. Rows without a parent are there once, even if some
    /// parent were there twice.
    fn balance(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let parent = schema.parent(relation)?;
        let is_unique = relation.parent.key.is_some_and(|key| parent.indexes[key].unique);
        if relation.origin != Origin::Declared || !is_unique || !relation.scope.is_everything() {
            return None;
        }
        let complete = complete(schema, relation);
        let incomplete = match relation.child_columns.as_slice() {
            _ if complete == "TRUE" => "0".to_owned(),
            [_] => format!("count(*) - count({})", stored(schema, relation, 0)),
            _ => count_of(&format!("NOT ({complete})")),
        };
        let found = schema.parent_columns(relation).next()?;
        Some(Query::default().finish(format!(
            "SELECT count(*), {incomplete}, 0, count(*) - count(parent.{}) - ({incomplete}) FROM {} LEFT JOIN {} ON {}",
            in_backticks(&found.name),
            source(schema, schema.child(relation), "child"),
            source(schema, parent, "parent"),
            equal_to_parent(schema, relation),
        )))
    }

    fn orphans(&self, schema: &Schema, relation: &Relation, _: &Among<'_>) -> Sql {
        let from = source(schema, schema.child(relation), "child");
        orphans_among(Query::default(), schema, relation, &from, None, match_query(schema, relation).as_deref())
    }

    fn matched_keys(&self, schema: &Schema, relation: &Relation, enough: u64) -> Sql {
        let mut query = Query::default();
        let keys: Vec<String> = (0..relation.child_columns.len())
            .map(|place| format!("{} AS k{place}", compared(schema, relation, place)))
            .collect();
        let considered = query.considered(schema, relation);
        let parent = match_query(schema, relation).unwrap_or_else(|| "SELECT 1 FROM dual WHERE FALSE".to_owned());
        query.finish(format!(
            "SELECT count(*) FROM (SELECT DISTINCT {} FROM {} WHERE {considered} AND EXISTS ({parent}) LIMIT {enough}) AS matched",
            keys.join(", "),
            source(schema, schema.child(relation), "child"),
        ))
    }

    fn parent_has_rows(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let table = source(schema, schema.parent(relation)?, "parent");
        Some(Query::default().finish(format!("SELECT EXISTS (SELECT 1 FROM {table})")))
    }

    fn largest_parent_key(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let column = schema.parent_columns(relation).next().filter(|column| column.family == Family::Integer)?;
        let table = source(schema, schema.parent(relation)?, "parent");
        Some(Query::default().finish(format!("SELECT max(parent.{}) FROM {table}", in_backticks(&column.name))))
    }

    fn keys_elsewhere(&self, schema: &Schema, table: &Table, index: &Index, keys: &[&Key]) -> Option<Sql> {
        let columns = index.columns.iter().map(|part| part.column.map(|column| &table.columns[column]));
        let columns: Vec<&Column> = columns.collect::<Option<_>>()?;
        equal_to_missing(schema, table, "other", &columns, keys, "")
    }

    fn soft_deleted_keys(&self, schema: &Schema, relation: &Relation, keys: &[&Key]) -> Option<Sql> {
        let condition = relation.scope.soft_deleted.as_ref()?;
        let columns: Vec<&Column> = schema.parent_columns(relation).collect();
        let condition = format!(" AND (\n{condition}\n)");
        equal_to_missing(schema, schema.parent(relation)?, "parent", &columns, keys, &condition)
    }

    fn near_misses(&self, schema: &Schema, relation: &Relation, keys: &[&Key], limit: u64) -> Option<Sql> {
        let column = schema.parent_columns(relation).next()?;
        let table = source(schema, schema.parent(relation)?, "parent");
        let name = in_backticks(&column.name);
        let mut query = Query::default();
        let keys: Vec<Key> = keys.iter().map(|key| vec![Value::text(plain(&key[0]))]).collect();
        let missing = query.missing(&keys.iter().collect::<Vec<_>>());
        let text = letters("p.k", column);
        let near = if is_bytes(column) { text.clone() } else { shown("p.k", column) };
        Some(query.finish(format!(
            "SELECT sought.i, min({near}), count(DISTINCT p.k) FROM \
             (SELECT parent.{name} AS k FROM {table} WHERE NOT (parent.{name} <=> NULL) LIMIT {limit}) AS p \
             JOIN (SELECT missing.{NUMBER} AS i, {} AS n FROM {missing}) AS sought ON sought.n COLLATE utf8mb4_bin = {} \
             GROUP BY sought.i ORDER BY sought.i",
            undressed(&format!("missing.{}", held(0))),
            undressed(&text),
        )))
    }

    fn condition_check(&self, schema: &Schema, relation: &Relation, condition: &str, of_parent: bool) -> Option<Sql> {
        let (table, alias) =
            if of_parent { (schema.parent(relation)?, "parent") } else { (schema.child(relation), "child") };
        let source = source(schema, table, alias);
        Some(Query::default().finish(format!("SELECT 1 FROM {source} WHERE (\n{condition}\n) LIMIT 0")))
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
    let child = schema.child(relation);
    let keys = relation.child_columns.len();
    let mut inner: Vec<String> =
        (0..keys).map(|place| format!("{} AS k{place}", compared(schema, relation, place))).collect();
    inner.extend((0..keys).map(|place| format!("{} AS r{place}", stored(schema, relation, place))));
    let names: Vec<&Column> = row_name_columns(child).into_iter().filter_map(|name| named(child, name)).collect();
    inner.extend(names.iter().enumerate().map(|(i, column)| format!("child.{} AS i{i}", in_backticks(&column.name))));
    let mut orphaned = query.considered(schema, relation);
    orphaned.extend(only.map(|only| format!(" AND {only}")));
    orphaned.extend(parent.map(|parent| format!(" AND NOT EXISTS ({parent})")));
    let order: Vec<String> = (0..keys).map(|place| format!("o.k{place}")).collect();
    let mut columns: Vec<String> =
        (0..keys).map(|i| shown(&format!("o.r{i}"), child_column(schema, relation, i))).collect();
    columns.extend_from_within(..);
    columns.extend(names.iter().enumerate().map(|(i, column)| shown(&format!("o.i{i}"), column)));
    let by_name = (0..names.len()).map(|i| match child.primary_key.is_empty() {
        true => format!(", CAST(o.i{i} AS BINARY)"),
        false => format!(", o.i{i}"),
    });
    query.finish(format!(
        "SELECT dense_rank() OVER (ORDER BY {}) AS g, {}, 0 FROM (SELECT {} FROM {from} WHERE {orphaned}) AS o ORDER BY g{}",
        order.join(", "),
        // Each under a name of its own, so that the answer can be asked in turn.
        columns.iter().enumerate().map(|(i, column)| format!("{column} AS c{i}")).collect::<Vec<_>>().join(", "),
        inner.join(", "),
        by_name.collect::<String>(),
    ))
}

/// A statement under way: its parameters so far, in the order of their question marks.
#[derive(Default)]
struct Query {
    parameters: Vec<Value>,
}

impl Query {
    fn parameter(&mut self, value: Value) -> &'static str {
        self.parameters.push(value);
        "?"
    }

    fn finish(self, text: String) -> Sql {
        Sql::new(text, self.parameters)
    }

    /// `missing`: the given keys, numbered.
    fn missing(&mut self, keys: &[&Key]) -> String {
        let values = |key: &Key| key.iter().map(|value| self.parameter(value.clone()).to_owned()).collect();
        let keys: Vec<Vec<String>> = keys.iter().copied().map(values).collect();
        list("missing", keys.into_iter().enumerate())
    }

    /// Whether a row's key is one that the configuration ignores.
    fn ignored(&mut self, schema: &Schema, relation: &Relation) -> Option<String> {
        clauses::any_key(&relation.scope.ignored, |place, value| {
            let stored = stored(schema, relation, place);
            let column = child_column(schema, relation, place);
            match value {
                Value::Integer(_) if column.family == Family::Integer => {
                    format!("{stored} = {}", self.parameter(value.clone()))
                }
                _ => {
                    // Bytes are written in the configuration as the text that they are.
                    let text =
                        if is_bytes(column) { format!("CAST({stored} AS CHAR)") } else { letters(&stored, column) };
                    format!("CAST({text} AS BINARY) = CAST({} AS BINARY)", self.parameter(Value::text(plain(value))))
                }
            }
        })
    }

    /// Rows that must have a parent.
    fn considered(&mut self, schema: &Schema, relation: &Relation) -> String {
        let ignored = self.ignored(schema, relation);
        clauses::considered(relation, complete(schema, relation), in_scope, ignored)
    }
}

/// The number of a key or row of a list; see [`clauses::held`].
const NUMBER: &str = "`fk-doctor number`";

/// A value of a list, by its place.
fn held(place: usize) -> String {
    in_backticks(&clauses::held(place))
}

/// Rows of values, each after its number: a derived table of this name. The first row names the columns.
fn list(name: &str, rows: impl Iterator<Item = (usize, Vec<String>)>) -> String {
    let rows = rows.enumerate().map(|(first, (number, values))| {
        let called = |name: String| if first == 0 { format!(" AS {name}") } else { String::new() };
        let values = values.into_iter().enumerate().map(|(place, value)| format!(", {value}{}", called(held(place))));
        format!("SELECT {number}{}{}", called(NUMBER.to_owned()), values.collect::<String>())
    });
    format!("({}) AS {name}", rows.collect::<Vec<_>>().join(" UNION ALL "))
}

fn count_of(condition: &str) -> String {
    format!("CAST(coalesce(sum({condition}), 0) AS SIGNED)")
}

fn in_scope(relation: &Relation) -> String {
    match &relation.scope.condition {
        Some(condition) => format!("((\n{condition}\n) IS TRUE)"),
        None => "TRUE".to_owned(),
    }
}

fn named<'a>(table: &'a Table, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|column| column.name == name)
}

fn stored(schema: &Schema, relation: &Relation, place: usize) -> String {
    format!("child.{}", in_backticks(&child_column(schema, relation, place).name))
}

/// Any NULL: the row refers to nothing, whatever MATCH was written.
fn complete(schema: &Schema, relation: &Relation) -> String {
    let nullable = (0..relation.child_columns.len()).filter(|&i| !child_column(schema, relation, i).not_null);
    let parts: Vec<String> = nullable.map(|i| format!("{} IS NOT NULL", stored(schema, relation, i))).collect();
    if parts.is_empty() { "TRUE".to_owned() } else { parts.join(" AND ") }
}

/// The child's value as it meets the parent's.
fn compared(schema: &Schema, relation: &Relation, place: usize) -> String {
    let stored = stored(schema, relation, place);
    let child = child_column(schema, relation, place);
    let Some(parent) = schema.parent_columns(relation).nth(place) else { return stored };
    match (&child.collation, &parent.collation) {
        (Some(left), Some(right)) if left != right => under(&stored, right),
        _ if meet_as_numbers(child, parent) => format!("{stored} + 0"),
        _ => stored,
    }
}

fn meet_as_numbers(child: &Column, parent: &Column) -> bool {
    let listed =
        |column: &Column| column.declared_type.starts_with("enum(") || column.declared_type.starts_with("set(");
    listed(child) && listed(parent) && child.declared_type != parent.declared_type
}

/// Every collation's name starts with its character set's.
fn under(value: &str, collation: &str) -> String {
    let word = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let (collation, charset) = (word(collation), word(collation.split('_').next().unwrap_or(collation)));
    format!("CONVERT({value} USING {charset}) COLLATE {collation}")
}

/// The parent of the child's row at hand; `None` where the parent's table is missing.
fn match_query(schema: &Schema, relation: &Relation) -> Option<String> {
    let parent = schema.parent(relation)?;
    let living = match &relation.scope.soft_deleted {
        Some(condition) => format!(" AND NOT ((\n{condition}\n) IS TRUE)"),
        None => String::new(),
    };
    Some(format!(
        "SELECT 1 FROM {} WHERE {}{living}",
        source(schema, parent, "parent"),
        equal_to_parent(schema, relation)
    ))
}

/// The parent's row at hand has the key of the child's.
fn equal_to_parent(schema: &Schema, relation: &Relation) -> String {
    let columns = schema.parent_columns(relation).enumerate();
    let equal: Vec<String> = columns
        .map(|(place, column)| {
            let value = format!("parent.{}", in_backticks(&column.name));
            let number = if meet_as_numbers(child_column(schema, relation, place), column) { " + 0" } else { "" };
            format!("{value}{number} = {}", compared(schema, relation, place))
        })
        .collect();
    equal.join(" AND ")
}

/// Which of these keys a table has under these columns and a condition.
fn equal_to_missing(
    schema: &Schema,
    table: &Table,
    alias: &str,
    columns: &[&Column],
    keys: &[&Key],
    condition: &str,
) -> Option<Sql> {
    let fits = |(place, column): (usize, &&Column)| keys.iter().all(|key| may_be_stored(key.get(place), column));
    if !columns.iter().enumerate().all(fits) {
        return None;
    }
    let mut query = Query::default();
    let missing = query.missing(keys);
    let equal = columns.iter().enumerate().map(|(place, column)| {
        let value = format!("missing.{}", held(place));
        let value = column.collation.as_deref().map_or(value.clone(), |collation| under(&value, collation));
        format!("{alias}.{} = {value}", in_backticks(&column.name))
    });
    let equal: Vec<String> = equal.collect();
    Some(query.finish(format!(
        "SELECT missing.{NUMBER} FROM {missing} WHERE EXISTS (SELECT 1 FROM {} WHERE {}{condition}) ORDER BY 1",
        source(schema, table, alias),
        equal.join(" AND ")
    )))
}

/// Whether a value is of a column's kind: MySQL would compare any two, and find `'abc'` equal to 0.
fn may_be_stored(value: Option<&Value>, column: &Column) -> bool {
    match value {
        Some(Value::Integer(_)) => matches!(column.family, Family::Integer | Family::Numeric),
        Some(Value::Text(_)) => {
            column.family == Family::Text || (column.family == Family::Untyped && !is_bytes(column))
        }
        Some(Value::Blob(_)) => is_bytes(column),
        _ => false,
    }
}

/// A value as the engine reads it: numbers and bytes as such, all others as text.
fn shown(value: &str, column: &Column) -> String {
    match column.family {
        Family::Integer | Family::Numeric | Family::Real => value.to_owned(),
        Family::Untyped if is_bytes(column) => value.to_owned(),
        Family::Untyped if is_bits(column) => format!("{value} + 0"),
        Family::Text | Family::Untyped => format!("CAST({value} AS CHAR)"),
    }
}

/// A value letter by letter, to be held against [`plain`]. Of bits the letters are those of their number.
fn letters(value: &str, column: &Column) -> String {
    match column.family {
        Family::Untyped if is_bytes(column) => format!("lower(hex({value}))"),
        Family::Untyped if is_bits(column) => format!("CAST({value} + 0 AS CHAR)"),
        _ => format!("CAST({value} AS CHAR)"),
    }
}

fn is_bits(column: &Column) -> bool {
    column.declared_type.starts_with("bit")
}

fn is_bytes(column: &Column) -> bool {
    column.declared_type.contains("binary") || column.declared_type.contains("blob")
}

/// A text without white space, case, leading zeros and the dress of a UUID.
fn undressed(value: &str) -> String {
    format!(
        "trim(LEADING '0' FROM lower(replace(replace(replace(\
         regexp_replace({value}, '^[[:space:]]+|[[:space:]]+$', ''), '-', ''), '{{', ''), '}}', '')))"
    )
}

fn source(schema: &Schema, table: &Table, alias: &str) -> String {
    let default = schema.database.default_schema.as_deref();
    let of = table.name.schema.as_deref().or(default).unwrap_or_default();
    format!("{}.{} AS {alias}", in_backticks(of), in_backticks(&table.name.table))
}
