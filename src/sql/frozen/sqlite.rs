//! The questions of a scan in SQLite's SQL.
//!
//! What makes the verdict SQLite's own: in `parent.k = +child.r` the parent is the left operand, so its collation is
//! used, and the unary plus takes the child's affinity away, so the parent's is applied. This agreed with
//! `PRAGMA foreign_key_check` in every one of a hundred thousand random cases; any other way of writing it did not.
//!
//! Tables are read `NOT INDEXED` where a secondary index could have lost touch with its table.

use super::Among;
use super::Dialect;
use super::Sql;
use super::clauses;
use super::quoted;
use super::row_name_columns;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;

mod repair;

/// White space that near-miss comparison strips: what `trim` in most languages strips.
const WHITE_SPACE: &str = "char(9,10,11,12,13,32,133,160,8203,65279)";

pub(super) struct Sqlite;

/// The number of a key or row of a list; see [`clauses::held`].
const NUMBER: &str = "\"fk-doctor number\"";

/// A value of a list, by its place.
fn held(place: usize) -> String {
    quoted(&clauses::held(place))
}

/// A parent's keys, once for a statement. It is a common table expression, so no table may be called so.
const TRUTH: &str = "\"fk-doctor truth\"";

impl Dialect for Sqlite {
    fn counts(&self, schema: &Schema, child: TableId, relations: &[&Relation]) -> Sql {
        let mut query = Query::default();
        let mut columns = vec!["count(*)".to_owned()];
        for relation in relations {
            let scope = in_scope(relation);
            let complete = complete(schema, relation);
            let ignored = query.ignored(schema, relation);
            columns.push(format!("sum({scope})"));
            columns.push(format!("sum({scope} AND NOT ({complete}))"));
            columns.push(match ignored {
                Some(ignored) => format!("sum({scope} AND ({complete}) AND {ignored})"),
                None => "0".to_owned(),
            });
        }
        query.finish(format!("SELECT {} FROM {}", columns.join(", "), source(&schema.tables[child], "child", true)))
    }

    fn orphans(&self, schema: &Schema, relation: &Relation, among: &Among<'_>) -> Sql {
        orphans_where(schema, relation, among, None)
    }

    fn matched_keys(&self, schema: &Schema, relation: &Relation, enough: u64) -> Sql {
        let mut query = Query::default();
        let keys: Vec<String> = (0..relation.child_columns.len())
            .map(|position| {
                let value =
                    converted(&child_value(schema, relation, position), parent_family(schema, relation, position));
                format!("{value}{} AS k{position}", parent_collation(schema, relation, position))
            })
            .collect();
        let considered = query.considered(schema, relation);
        let with = if has_truth_only(schema, relation) { truth(schema, relation) } else { String::new() };
        let enough = i64::try_from(enough).unwrap_or(i64::MAX);
        let limit = query.parameter(Value::Integer(enough));
        query.finish(format!(
            "{with}SELECT count(*) FROM (SELECT DISTINCT {} FROM {} WHERE {considered} AND EXISTS ({}) LIMIT {limit})",
            keys.join(", "),
            source(schema.child(relation), "child", true),
            match_query(schema, relation),
        ))
    }

    fn parent_has_rows(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let table = source(schema.parent(relation)?, "parent", false);
        Some(Query::default().finish(format!("SELECT EXISTS (SELECT 1 FROM {table})")))
    }

    fn largest_parent_key(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let column = schema.parent_columns(relation).next()?;
        let table = source(schema.parent(relation)?, "parent", false);
        Some(Query::default().finish(format!("SELECT max(parent.{}) FROM {table}", quoted(&column.name))))
    }

    fn keys_elsewhere(&self, _schema: &Schema, table: &Table, index: &Index, keys: &[&Key]) -> Option<Sql> {
        let mut query = Query::default();
        let missing = query.missing(keys);
        let equal: Vec<String> = index
            .columns
            .iter()
            .enumerate()
            .filter_map(|(i, part)| part.column.map(|column| (i, &table.columns[column].name)))
            .map(|(i, name)| format!("other.{} = +missing.{}", quoted(name), held(i)))
            .collect();
        Some(query.finish(format!(
            "SELECT missing.{NUMBER} FROM {missing} WHERE EXISTS (SELECT 1 FROM {} WHERE {}) ORDER BY 1",
            source(table, "other", false),
            equal.join(" AND ")
        )))
    }

    fn soft_deleted_keys(&self, schema: &Schema, relation: &Relation, keys: &[&Key]) -> Option<Sql> {
        let condition = relation.scope.soft_deleted.as_ref()?;
        let mut query = Query::default();
        let missing = query.missing(keys);
        let equal: Vec<String> = schema
            .parent_columns(relation)
            .enumerate()
            .map(|(i, column)| format!("parent.{} = +missing.{}", quoted(&column.name), held(i)))
            .collect();
        let table = source(schema.parent(relation)?, "parent", false);
        Some(query.finish(format!(
            "SELECT missing.{NUMBER} FROM {missing} WHERE EXISTS (SELECT 1 FROM {table} WHERE {} AND (\n{condition}\n)) ORDER BY 1",
            equal.join(" AND ")
        )))
    }

    fn near_misses(&self, schema: &Schema, relation: &Relation, keys: &[&Key], limit: u64) -> Option<Sql> {
        let column = quoted(&schema.parent_columns(relation).next()?.name);
        let table = source(schema.parent(relation)?, "parent", true);
        let mut query = Query::default();
        let missing = query.missing(keys);
        Some(query.finish(format!(
            "WITH sought AS MATERIALIZED (SELECT missing.{NUMBER} AS i, {} AS n FROM {missing}) \
             SELECT sought.i, min(p.k), count(DISTINCT p.k) FROM \
             (SELECT parent.{column} AS k FROM {table} WHERE parent.{column} IS NOT NULL LIMIT {limit}) AS p \
             CROSS JOIN sought ON sought.n = {} GROUP BY sought.i ORDER BY sought.i",
            undressed(&format!("missing.{}", held(0))),
            undressed("p.k"),
        )))
    }

    fn spans(&self, schema: &Schema, relation: &Relation, column: &str, keys: &[&Key]) -> Option<Sql> {
        let mut query = Query::default();
        let missing = query.missing(keys);
        let considered = query.considered(schema, relation);
        let equal: Vec<String> = (0..relation.child_columns.len())
            .map(|i| {
                let key = converted(&child_value(schema, relation, i), parent_family(schema, relation, i));
                format!("{key} = +missing.{}{}", held(i), parent_collation(schema, relation, i))
            })
            .collect();
        let (column, table) = (quoted(column), source(schema.child(relation), "child", true));
        Some(query.finish(format!(
            "SELECT missing.{NUMBER}, min(child.{column}), max(child.{column}) FROM {missing} JOIN {table} \
             ON {considered} AND {} GROUP BY missing.{NUMBER} ORDER BY 1",
            equal.join(" AND ")
        )))
    }

    fn condition_check(&self, schema: &Schema, relation: &Relation, condition: &str, of_parent: bool) -> Option<Sql> {
        let (table, alias) =
            if of_parent { (schema.parent(relation)?, "parent") } else { (schema.child(relation), "child") };
        let source = source(table, alias, false);
        Some(Query::default().finish(format!("SELECT 1 FROM {source} WHERE (\n{condition}\n) LIMIT 0")))
    }
}

/// [`Dialect::orphans`], among the rows for which `only` holds.
fn orphans_where(schema: &Schema, relation: &Relation, among: &Among<'_>, only: Option<&str>) -> Sql {
    let mut query = Query::default();
    let child = schema.child(relation);
    let keys = relation.child_columns.len();
    let mut inner = Vec::new();
    let mut order = Vec::new();
    for position in 0..keys {
        let stored = child_value(schema, relation, position);
        let family = parent_family(schema, relation, position);
        inner.push(format!("{} AS k{position}", converted(&stored, family)));
        order.push(format!("o.k{position}{}", parent_collation(schema, relation, position)));
    }
    inner.extend((0..keys).map(|position| format!("{} AS r{position}", child_value(schema, relation, position))));
    let names = row_name_columns(child);
    inner.extend(names.iter().enumerate().map(|(i, name)| format!("child.{} AS i{i}", quoted(name))));
    let suspect_index = suspect_index(schema, relation) && !among.index_is_proven;
    inner.push(
        if suspect_index { format!("EXISTS ({})", in_truth(schema, relation)) } else { "0".to_owned() } + " AS present",
    );
    let mut condition = query.orphan_condition(schema, relation);
    if let Some(only) = only {
        condition = format!("{only} AND {condition}");
    }
    let needs_truth = suspect_index || has_truth_only(schema, relation);
    let with = if needs_truth { truth(schema, relation) } else { String::new() };
    let source = match (among.rows, &child.row_address) {
        (Some(rows), Some(address)) => {
            let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
            let rows = query.parameter(Value::Text(format!("[{}]", rows.join(",")).into_bytes()));
            let child_row = format!("child.{}", quoted(address));
            format!(
                "(SELECT value AS {NUMBER} FROM json_each({rows})) AS suspect CROSS JOIN {} ON {child_row} = suspect.{NUMBER}",
                source(child, "child", true)
            )
        }
        _ => source(child, "child", only.is_none()),
    };
    let identity: Vec<String> = (0..names.len()).map(|i| format!("o.i{i}")).collect();
    query.finish(format!(
        "{with}SELECT dense_rank() OVER (ORDER BY {order}) AS g, o.* FROM (SELECT {inner} FROM {source} WHERE {condition}) AS o ORDER BY g{comma}{identity}",
        order = order.join(", "),
        inner = inner.join(", "),
        comma = if identity.is_empty() { "" } else { ", " },
        identity = identity.join(", "),
    ))
}

/// A statement under way: its parameters so far.
#[derive(Default)]
struct Query {
    parameters: Vec<Value>,
}

impl Query {
    fn parameter(&mut self, value: Value) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    fn finish(self, text: String) -> Sql {
        Sql::new(text, self.parameters)
    }

    /// `missing`: the given keys, numbered.
    fn missing(&mut self, keys: &[&Key]) -> String {
        self.list("missing", keys.iter().map(|key| key.iter()))
    }

    /// Rows of values, numbered: a derived table of this name.
    fn list<'v>(&mut self, name: &str, rows: impl Iterator<Item = impl Iterator<Item = &'v Value>>) -> String {
        let mut width = 0;
        let rows: Vec<String> = rows
            .enumerate()
            .map(|(i, row)| {
                let values: Vec<String> = row.map(|value| format!(", {}", self.parameter(value.clone()))).collect();
                width = values.len();
                format!("({i}{})", values.concat())
            })
            .collect();
        let names: Vec<String> = (0..width).map(|place| format!(", column{} AS {}", place + 2, held(place))).collect();
        format!("(SELECT column1 AS {NUMBER}{} FROM (VALUES {})) AS {name}", names.concat(), rows.join(", "))
    }

    /// Whether a row's key is one that the configuration ignores.
    fn ignored(&mut self, schema: &Schema, relation: &Relation) -> Option<String> {
        clauses::any_key(&relation.scope.ignored, |position, value| {
            let family = parent_family(schema, relation, position);
            let stored = converted(&child_value(schema, relation, position), family);
            let parameter = self.parameter(value.clone());
            format!("{stored} IS {}", converted(&parameter, family))
        })
    }

    /// Rows that must have a parent.
    fn considered(&mut self, schema: &Schema, relation: &Relation) -> String {
        let ignored = self.ignored(schema, relation);
        clauses::considered(relation, complete(schema, relation), in_scope, ignored)
    }

    fn orphan_condition(&mut self, schema: &Schema, relation: &Relation) -> String {
        let considered = self.considered(schema, relation);
        match schema.parent(relation) {
            None => considered,
            Some(_) => format!("{considered} AND NOT EXISTS ({})", match_query(schema, relation)),
        }
    }
}

fn in_scope(relation: &Relation) -> String {
    match &relation.scope.condition {
        Some(condition) => format!("coalesce((\n{condition}\n), 0)"),
        None => "1".to_owned(),
    }
}

/// MATCH SIMPLE: a key with a NULL in it refers to nothing.
fn complete(schema: &Schema, relation: &Relation) -> String {
    let parts: Vec<String> =
        schema.child_column_names(relation).map(|name| format!("child.{} IS NOT NULL", quoted(name))).collect();
    parts.join(" AND ")
}

/// The child's value with its affinity taken away.
fn child_value(schema: &Schema, relation: &Relation, position: usize) -> String {
    format!("+child.{}", quoted(&clauses::child_column(schema, relation, position).name))
}

fn parent_family<'a>(schema: &'a Schema, relation: &'a Relation, position: usize) -> &'a Family {
    schema.parent_columns(relation).nth(position).map_or(&Family::Untyped, |column| &column.family)
}

fn parent_collation(schema: &Schema, relation: &Relation, position: usize) -> String {
    let column = schema.parent_columns(relation).nth(position);
    match column.and_then(|column| column.collation.as_deref()) {
        Some(collation) => format!(" COLLATE {}", quoted(collation)),
        None => String::new(),
    }
}

/// A value as a column of this family would store it. SQLite has no function for this, so the comparison that
/// applies numeric affinity is asked whether the text is a number.
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

/// A value without white space, case, leading zeros and the dress of a UUID; a number as its plain text.
fn undressed(value: &str) -> String {
    format!(
        "CASE WHEN typeof({value}) = 'text' AND CAST({value} AS NUMERIC) = {value} THEN CAST(CAST({value} AS NUMERIC) AS TEXT) ELSE \
         ltrim(lower(replace(replace(replace(trim(CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE CAST({value} AS TEXT) END, \
         {WHITE_SPACE}), '-', ''), '{{', ''), '}}', '')), '0') END"
    )
}

fn source(table: &Table, alias: &str, whole_table: bool) -> String {
    let not_indexed = if whole_table && table.kind != TableKind::View { " NOT INDEXED" } else { "" };
    format!("main.{} AS {alias}{not_indexed}", quoted(&table.name.table))
}

/// The parent of the child's row at hand.
fn match_query(schema: &Schema, relation: &Relation) -> String {
    if has_truth_only(schema, relation) {
        return in_truth(schema, relation);
    }
    let Some(parent) = schema.parent(relation) else { return "SELECT 1 WHERE 0".to_owned() };
    let equal = equal_to_child(schema, relation, |i, name| {
        let _ = i;
        format!("parent.{}", quoted(name))
    });
    format!("SELECT 1 FROM {} WHERE {equal}{}", source(parent, "parent", false), living(relation))
}

fn equal_to_child(schema: &Schema, relation: &Relation, parent_value: impl Fn(usize, &str) -> String) -> String {
    let parts: Vec<String> = schema
        .parent_columns(relation)
        .enumerate()
        .map(|(i, column)| format!("{} = {}", parent_value(i, &column.name), child_value(schema, relation, i)))
        .collect();
    parts.join(" AND ")
}

fn living(relation: &Relation) -> String {
    match &relation.scope.soft_deleted {
        Some(condition) => format!(" AND NOT coalesce((\n{condition}\n), 0)"),
        None => String::new(),
    }
}

/// The parent's keys as its table has them, its indexes left aside. SQLite builds this when first asked and at most
/// once a statement, so it costs nothing where there is no orphan.
fn truth(schema: &Schema, relation: &Relation) -> String {
    let Some(parent) = schema.parent(relation) else { return String::new() };
    let columns: Vec<String> = schema
        .parent_columns(relation)
        .enumerate()
        .map(|(i, column)| format!("parent.{} AS k{i}", quoted(&column.name)))
        .collect();
    format!(
        "WITH {TRUTH} AS MATERIALIZED (SELECT {} FROM {} WHERE 1{}) ",
        columns.join(", "),
        source(parent, "parent", true),
        living(relation)
    )
}

fn in_truth(schema: &Schema, relation: &Relation) -> String {
    format!("SELECT 1 FROM {TRUTH} AS truth WHERE {}", equal_to_child(schema, relation, |i, _| format!("truth.k{i}")))
}

/// No index of the parent can be probed: its keys are gathered once instead.
fn has_truth_only(schema: &Schema, relation: &Relation) -> bool {
    schema.parent(relation).is_some() && relation.parent.key.is_none()
}

/// The parent key lives in an index beside the table, which may have lost a row.
fn suspect_index(schema: &Schema, relation: &Relation) -> bool {
    schema.parent(relation).is_some_and(|parent| relation.parent.key.is_some_and(|key| parent.indexes[key].separate))
}
