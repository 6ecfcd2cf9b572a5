//! The statements of a discovery: they read columns whole, and count the pairs that only the engine can compare.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::discovery::ColumnList;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::capabilities;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::scan::Scan;

/// Returns a query for these columns of all rows of a table.
pub fn rows(schema: &Schema, table: &Table, columns: &[usize]) -> Sql {
    let grammar = capabilities::of(schema.database.engine).scan;
    let shown = columns.iter().map(|&column| {
        let column = &table.columns[column];
        grammar.shown(&grammar.qualified("child", &column.name), column)
    });
    let shown: Vec<String> = shown.collect();
    plain(format!("SELECT {} FROM {}", shown.join(", "), source(grammar, schema, table, "child")))
}

/// Returns a query for one row of counts: the child's rows, its rows with a NULL in the key, its distinct complete keys,
/// its orphans, and the distinct keys of these, such as (9, 2, 5, 1, 1). A condition selects the child's rows.
pub fn pair_counts(schema: &Schema, child: &ColumnList, parent: &ColumnList, condition: &[(usize, Value)]) -> Sql {
    let grammar = capabilities::of(schema.database.engine).scan;
    let mut query = grammar.query();
    let (child_table, parent_table) = (&schema.tables[child.table], &schema.tables[parent.table]);
    let key = |list: &ColumnList, table: &Table, alias: &str| -> Vec<String> {
        list.columns.iter().map(|&column| grammar.qualified(alias, &table.columns[column].name)).collect()
    };
    let (child_key, parent_key) = (key(child, child_table, "child"), key(parent, parent_table, "parent"));
    let selected: Vec<String> = condition
        .iter()
        .map(|(column, value)| {
            let column = &child_table.columns[*column];
            let mark = query.parameter(value.clone());
            let mark = grammar.typed(mark, Some(column), value);
            grammar.equal(Some(column), &grammar.qualified("child", &column.name), &mark)
        })
        .collect();
    let selected = if selected.is_empty() { grammar.truth(true).to_owned() } else { selected.join(" AND ") };
    let complete: Vec<String> = child_key.iter().map(|column| grammar.not_null(column)).collect();
    let complete = complete.join(" AND ");
    let equal = |position: usize| -> String {
        let column = |list: &ColumnList, table: &'_ Table| -> Column { table.columns[list.columns[position]].clone() };
        grammar.equals_other_column(
            &column(parent, parent_table),
            &parent_key[position],
            &column(child, child_table),
            &child_key[position],
        )
    };
    let equal: Vec<String> = (0..child_key.len()).map(equal).collect();
    let named: Vec<String> =
        child_key.iter().enumerate().map(|(index, column)| format!("{column} AS k{index}")).collect();
    let from = source(grammar, schema, child_table, "child");
    query.finish(format!(
        "WITH selected AS (SELECT {}, CASE WHEN {complete} THEN 1 ELSE 0 END AS complete FROM {from} WHERE {selected}), \
         orphan AS (SELECT {} FROM {from} LEFT JOIN {} ON {} WHERE {selected} AND {complete} AND {} IS NULL) \
         SELECT (SELECT count(*) FROM selected), (SELECT count(*) FROM selected WHERE complete = 0), \
         (SELECT count(*) FROM (SELECT DISTINCT {} FROM selected WHERE complete = 1) AS d), \
         (SELECT count(*) FROM orphan), (SELECT count(*) FROM (SELECT DISTINCT {} FROM orphan) AS m)",
        named.join(", "),
        named.join(", "),
        source(grammar, schema, parent_table, "parent"),
        equal.join(" AND "),
        parent_key[0],
        keys(child_key.len()),
        keys(child_key.len()),
    ))
}

/// Returns a query for the number of complete keys of these columns, and of distinct ones: (9, 8).
pub fn key_counts(schema: &Schema, key: &ColumnList) -> Sql {
    let grammar = capabilities::of(schema.database.engine).scan;
    let table = &schema.tables[key.table];
    let columns: Vec<String> =
        key.columns.iter().map(|&column| grammar.qualified("parent", &table.columns[column].name)).collect();
    let complete: Vec<String> = columns.iter().map(|column| grammar.not_null(column)).collect();
    plain(format!(
        "SELECT coalesce(sum(alike), 0), count(*) FROM (SELECT count(*) AS alike FROM {} WHERE {} GROUP BY {}) AS k",
        source(grammar, schema, table, "parent"),
        complete.join(" AND "),
        columns.join(", ")
    ))
}

fn keys(width: usize) -> String {
    (0..width).map(|index| format!("k{index}")).collect::<Vec<_>>().join(", ")
}

fn source(grammar: &dyn Scan, schema: &Schema, table: &Table, alias: &str) -> String {
    grammar.source(schema.database.default_schema.as_deref(), table, alias, Reading::WholeTable)
}
