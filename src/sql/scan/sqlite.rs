//! The statements of a scan that are different on SQLite.
//!
//! The page reader names the only rows that can be orphans. An index of the parent may be damaged and disagree with its
//! table. So the statement also collects the parent's keys from the table, and marks the keys that only the index
//! lacks.

use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::grammar::sqlite::collation;
use crate::sql::grammar::sqlite::converted_child;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::key_parts;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::row_name_columns;
use crate::sql::scan::Scan;
use crate::sql::scan::ScanHints;

/// The name of the common table expression that holds a parent's keys. No table has this name.
const TRUTH: &str = "\"fk-doctor truth\"";

impl Scan for Sqlite {
    fn orphans(&self, schema: &Schema, relation: &Relation, hints: &ScanHints<'_>) -> Sql {
        orphans_where(schema, relation, hints, None)
    }

    /// If the parent has no index on the key, the statement collects its keys once instead.
    fn parent_query(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = schema.parent(relation)?;
        if relation.parent.key.is_none() {
            return Some(in_truth(schema, relation));
        }
        let source = self.source(None, parent, "parent", Reading::AnyIndex);
        Some(format!(
            "SELECT 1 FROM {source} WHERE {}{}",
            self.refers_to_parent(schema, relation),
            self.is_live_parent(relation)
        ))
    }

    fn parent_query_prefix(&self, schema: &Schema, relation: &Relation) -> String {
        if relation.parent.key.is_none() { truth(schema, relation) } else { String::new() }
    }

    fn value_ranges(&self, schema: &Schema, relation: &Relation, column: &str, keys: &[&Key]) -> Option<Sql> {
        let mut query = self.query();
        let columns = vec![None; relation.child_columns.len()];
        let wanted = self.numbered_list(&mut query, &columns, keys.iter().map(|key| key.iter()).enumerate());
        let considered = self.must_have_parent(&mut query, schema, relation);
        let equal = key_parts(schema, relation).map(|part| {
            let held = format!("{WANTED}.{}", self.value_column(part.index));
            let child = converted_child(&part, &self.child_value(&part));
            format!("{child} = +{held}{}", collation(&part))
        });
        let equal: Vec<String> = equal.collect();
        let (column, number) = (self.qualified("child", column), self.number_column());
        Some(query.finish(format!(
            "SELECT {WANTED}.{number}, min({column}), max({column}) FROM {wanted} JOIN {} \
             ON {considered} AND {} GROUP BY {WANTED}.{number} ORDER BY 1",
            self.source(None, schema.child(relation), "child", Reading::WholeTable),
            equal.join(" AND ")
        )))
    }

    fn ordered_by_name(&self, table: &Table, rows: &[i64]) -> Option<Sql> {
        let address = table.row_address.as_deref()?;
        let mut query = self.query();
        let source = source_of_rows(&mut query, table, address, rows);
        let names: Vec<String> = row_name_columns(table).iter().map(|name| self.qualified("child", name)).collect();
        Some(query.finish(format!(
            "SELECT suspect.{} FROM {source} ORDER BY {}",
            self.number_column(),
            names.join(", ")
        )))
    }

    fn count_shared_keys(&self, _: &Schema, table: &Table, columns: &[usize]) -> Option<Sql> {
        let key: Vec<String> =
            columns.iter().map(|&column| self.qualified("parent", &table.columns[column].name)).collect();
        let complete: Vec<String> = key.iter().map(|column| self.not_null(column)).collect();
        Some(plain(format!(
            "SELECT coalesce(sum(alike), 0), coalesce(sum(alike) FILTER (WHERE alike > 1), 0), count(*) \
             FROM (SELECT count(*) AS alike FROM {} WHERE {} GROUP BY {})",
            self.source(None, table, "parent", Reading::WholeTable),
            complete.join(" AND "),
            key.join(", ")
        )))
    }
}

impl Sqlite {
    /// Returns the WITH clause that [`Sqlite::orphan_condition`] needs; empty for a parent with a unique index.
    pub(in crate::sql) fn parent_keys(&self, schema: &Schema, relation: &Relation) -> String {
        if relation.parent.key.is_none() { truth(schema, relation) } else { String::new() }
    }

    /// The child at hand has no parent.
    pub(in crate::sql) fn orphan_condition(&self, query: &mut Query, schema: &Schema, relation: &Relation) -> String {
        self.is_orphan(query, schema, relation, self.parent_query(schema, relation).as_deref())
    }
}

/// Returns the query of [`Scan::orphans`] about the rows that meet a condition.
pub(in crate::sql) fn orphans_where(
    schema: &Schema,
    relation: &Relation,
    hints: &ScanHints<'_>,
    only: Option<&str>,
) -> Sql {
    let mut query = Sqlite.query();
    let condition = Sqlite.orphan_condition(&mut query, schema, relation);
    grouped(query, schema, relation, hints, &condition, only)
}

/// Returns a query for the child rows that have a parent and meet a condition, in the form of [`Scan::orphans`].
pub(in crate::sql) fn matched_where(schema: &Schema, relation: &Relation, hints: &ScanHints<'_>, only: &str) -> Sql {
    let mut query = Sqlite.query();
    let considered = Sqlite.must_have_parent(&mut query, schema, relation);
    let parent = Sqlite.parent_query(schema, relation).unwrap_or_else(|| Sqlite.no_rows());
    grouped(query, schema, relation, hints, &format!("{considered} AND EXISTS ({parent})"), Some(only))
}

/// Returns a query for child rows, grouped by their key, in the form of [`Scan::orphans`].
fn grouped(
    mut query: Query,
    schema: &Schema,
    relation: &Relation,
    hints: &ScanHints<'_>,
    condition: &str,
    only: Option<&str>,
) -> Sql {
    let grammar = &Sqlite;
    let child = schema.child(relation);
    let (mut inner, mut order, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for part in key_parts(schema, relation) {
        let value = grammar.child_value(&part);
        inner.push(format!("{} AS k{}", converted_child(&part, &value), part.index));
        order.push(format!("o.k{}{}", part.index, collation(&part)));
        stored.push(format!("+{value} AS r{}", part.index));
    }
    inner.extend(stored);
    let names = row_name_columns(child);
    inner.extend(names.iter().enumerate().map(|(i, name)| format!("{} AS i{i}", grammar.qualified("child", name))));
    let suspect_index = suspect_index(schema, relation) && !hints.index_is_proven;
    inner.push(
        if suspect_index { format!("EXISTS ({})", in_truth(schema, relation)) } else { "0".to_owned() } + " AS present",
    );
    let condition = only.map_or_else(|| condition.to_owned(), |only| format!("{only} AND {condition}"));
    let with = if suspect_index { truth(schema, relation) } else { grammar.parent_query_prefix(schema, relation) };
    let source = match (hints.rows, &child.row_address) {
        (Some(rows), Some(address)) => source_of_rows(&mut query, child, address, rows),
        _ => {
            let reading = if only.is_none() { Reading::WholeTable } else { Reading::AnyIndex };
            grammar.source(None, child, "child", reading)
        }
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

/// Returns the rows of a table at these addresses.
fn source_of_rows(query: &mut Query, table: &Table, address: &str, rows: &[i64]) -> String {
    let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
    let rows = query.parameter(Value::Text(format!("[{}]", rows.join(",")).into_bytes()));
    let number = Sqlite.number_column();
    format!(
        "(SELECT value AS {number} FROM json_each({rows})) AS suspect CROSS JOIN {} ON {} = suspect.{number}",
        Sqlite.source(None, table, "child", Reading::WholeTable),
        Sqlite.qualified("child", address),
    )
}

/// Returns the WITH clause that reads the parent's keys from its table, without its indexes. SQLite materializes them
/// at their first use and at most once in a statement, so they cost nothing if there is no orphan.
fn truth(schema: &Schema, relation: &Relation) -> String {
    let Some(parent) = schema.parent(relation) else { return String::new() };
    let columns = schema.parent_columns(relation).enumerate();
    let columns: Vec<String> =
        columns.map(|(i, column)| format!("{} AS k{i}", Sqlite.qualified("parent", &column.name))).collect();
    format!(
        "WITH {TRUTH} AS MATERIALIZED (SELECT {} FROM {} WHERE 1{}) ",
        columns.join(", "),
        Sqlite.source(None, parent, "parent", Reading::WholeTable),
        Sqlite.is_live_parent(relation)
    )
}

fn in_truth(schema: &Schema, relation: &Relation) -> String {
    let equal = key_parts(schema, relation)
        .filter(|part| part.parent.is_some())
        .map(|part| Sqlite.refers(&part, &format!("truth.k{}", part.index), &Sqlite.child_value(&part)));
    format!("SELECT 1 FROM {TRUTH} AS truth WHERE {}", equal.collect::<Vec<_>>().join(" AND "))
}

/// True if the parent's key is in an index apart from the table, which may be damaged and lack a row.
fn suspect_index(schema: &Schema, relation: &Relation) -> bool {
    schema.parent(relation).is_some_and(|parent| relation.parent.key.is_some_and(|key| parent.indexes[key].separate))
}
