//! The statements of a scan that SQLite has for itself.
//!
//! The page reader names the only rows that can be orphans. An index of the parent can have lost touch with its table; then the
//! statement also gathers the parent's keys from the table, and tells the keys that the index alone does not have.

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

/// A parent's keys, once for a statement. It is a common table expression, so it has a name that no table has.
const TRUTH: &str = "\"fk-doctor truth\"";

impl Scan for Sqlite {
    fn orphans(&self, schema: &Schema, relation: &Relation, among: &ScanHints<'_>) -> Sql {
        orphans_where(schema, relation, among, None)
    }

    /// If no index of the parent can be probed, its keys are gathered once instead.
    fn parent_query(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = schema.parent(relation)?;
        if relation.parent.key.is_none() {
            return Some(in_truth(schema, relation));
        }
        let source = self.source(None, parent, "parent", Reading::AnyIndex);
        Some(format!(
            "SELECT 1 FROM {source} WHERE {}{}",
            self.refers_to_parent(schema, relation),
            self.living(relation)
        ))
    }

    fn before_parents(&self, schema: &Schema, relation: &Relation) -> String {
        if relation.parent.key.is_none() { truth(schema, relation) } else { String::new() }
    }

    fn spans(&self, schema: &Schema, relation: &Relation, column: &str, keys: &[&Key]) -> Option<Sql> {
        let mut query = self.query();
        let columns = vec![None; relation.child_columns.len()];
        let wanted = self.numbered(&mut query, &columns, keys.iter().map(|key| key.iter()).enumerate());
        let considered = self.considered(&mut query, schema, relation);
        let equal = key_parts(schema, relation).map(|part| {
            let held = format!("{WANTED}.{}", self.held(part.index));
            let child = converted_child(&part, &self.child_value(&part));
            format!("{child} = +{held}{}", collation(&part))
        });
        let equal: Vec<String> = equal.collect();
        let (column, number) = (self.of("child", column), self.number());
        Some(query.finish(format!(
            "SELECT {WANTED}.{number}, min({column}), max({column}) FROM {wanted} JOIN {} \
             ON {considered} AND {} GROUP BY {WANTED}.{number} ORDER BY 1",
            self.source(None, schema.child(relation), "child", Reading::WholeTable),
            equal.join(" AND ")
        )))
    }

    fn shared_keys(&self, _: &Schema, table: &Table, columns: &[usize]) -> Option<Sql> {
        let key: Vec<String> = columns.iter().map(|&column| self.of("parent", &table.columns[column].name)).collect();
        let complete: Vec<String> = key.iter().map(|column| self.not_null(column)).collect();
        Some(plain(format!(
            "SELECT coalesce(sum(alike), 0), coalesce(sum(alike) FILTER (WHERE alike > 1), 0) \
             FROM (SELECT count(*) AS alike FROM {} WHERE {} GROUP BY {})",
            self.source(None, table, "parent", Reading::WholeTable),
            complete.join(" AND "),
            key.join(", ")
        )))
    }
}

impl Sqlite {
    /// The child at hand has no parent.
    pub(in crate::sql) fn orphan_condition(&self, query: &mut Query, schema: &Schema, relation: &Relation) -> String {
        self.is_orphan(query, schema, relation, self.parent_query(schema, relation).as_deref())
    }
}

/// Returns the answer of [`Scan::orphans`] about the rows that meet a condition.
pub(in crate::sql) fn orphans_where(
    schema: &Schema,
    relation: &Relation,
    among: &ScanHints<'_>,
    only: Option<&str>,
) -> Sql {
    let mut query = Sqlite.query();
    let condition = Sqlite.orphan_condition(&mut query, schema, relation);
    grouped(query, schema, relation, among, &condition, only)
}

/// Returns the child rows that have their parent and meet a condition, in the form of [`Scan::orphans`].
pub(in crate::sql) fn matched_where(schema: &Schema, relation: &Relation, among: &ScanHints<'_>, only: &str) -> Sql {
    let mut query = Sqlite.query();
    let considered = Sqlite.considered(&mut query, schema, relation);
    let parent = Sqlite.parent_query(schema, relation).unwrap_or_else(|| Sqlite.no_rows());
    grouped(query, schema, relation, among, &format!("{considered} AND EXISTS ({parent})"), Some(only))
}

/// Returns child rows grouped by their key, in the form of [`Scan::orphans`].
fn grouped(
    mut query: Query,
    schema: &Schema,
    relation: &Relation,
    among: &ScanHints<'_>,
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
    inner.extend(names.iter().enumerate().map(|(i, name)| format!("{} AS i{i}", grammar.of("child", name))));
    let suspect_index = suspect_index(schema, relation) && !among.index_is_proven;
    inner.push(
        if suspect_index { format!("EXISTS ({})", in_truth(schema, relation)) } else { "0".to_owned() } + " AS present",
    );
    let condition = only.map_or_else(|| condition.to_owned(), |only| format!("{only} AND {condition}"));
    let with = if suspect_index { truth(schema, relation) } else { grammar.before_parents(schema, relation) };
    let source = match (among.rows, &child.row_address) {
        (Some(rows), Some(address)) => {
            let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
            let rows = query.parameter(Value::Text(format!("[{}]", rows.join(",")).into_bytes()));
            let number = grammar.number();
            format!(
                "(SELECT value AS {number} FROM json_each({rows})) AS suspect CROSS JOIN {} ON {} = suspect.{number}",
                grammar.source(None, child, "child", Reading::WholeTable),
                grammar.of("child", address),
            )
        }
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

/// Returns the parent's keys as its table has them, without its indexes. SQLite builds them when they are first asked for and
/// at most once a statement, so they cost nothing if there is no orphan.
fn truth(schema: &Schema, relation: &Relation) -> String {
    let Some(parent) = schema.parent(relation) else { return String::new() };
    let columns = schema.parent_columns(relation).enumerate();
    let columns: Vec<String> =
        columns.map(|(i, column)| format!("{} AS k{i}", Sqlite.of("parent", &column.name))).collect();
    format!(
        "WITH {TRUTH} AS MATERIALIZED (SELECT {} FROM {} WHERE 1{}) ",
        columns.join(", "),
        Sqlite.source(None, parent, "parent", Reading::WholeTable),
        Sqlite.living(relation)
    )
}

fn in_truth(schema: &Schema, relation: &Relation) -> String {
    let equal = key_parts(schema, relation)
        .filter(|part| part.parent.is_some())
        .map(|part| Sqlite.refers(&part, &format!("truth.k{}", part.index), &Sqlite.child_value(&part)));
    format!("SELECT 1 FROM {TRUTH} AS truth WHERE {}", equal.collect::<Vec<_>>().join(" AND "))
}

/// The parent's key lives in an index beside the table, which may have lost a row.
fn suspect_index(schema: &Schema, relation: &Relation) -> bool {
    schema.parent(relation).is_some_and(|parent| relation.parent.key.is_some_and(|key| parent.indexes[key].separate))
}
