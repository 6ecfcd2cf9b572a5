//! The statements of a discovery: they read columns whole, and count the pairs that only the engine can compare.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::discovery::ColumnList;
use crate::model::facts::Location;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::capabilities;
use crate::sql::comparison::ColumnComparison;
use crate::sql::comparison::FileKind;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::scan::Scan;

/// A value of a row that a discovery reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    pub column: usize,
    /// The comparison whose key is read; `None` for the value itself.
    pub key: Option<CellKey<'a>>,
}

/// The comparison for which the engine gives the key of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKey<'a> {
    /// Under this collation.
    Collation(&'a str),
    /// Among values of this kind, in files. No statement reads such a key.
    File(FileKind),
}

impl Cell<'_> {
    /// Returns the cell of a value itself.
    pub fn value(column: usize) -> Self {
        Cell { column, key: None }
    }
}

/// Returns a query for these cells of all rows of a table.
pub fn rows(schema: &Schema, table: &Table, cells: &[Cell<'_>]) -> Sql {
    plain(cells_of(schema, table, cells))
}

/// Returns a query for these cells of some rows of a table, at most `most`.
pub fn some_rows(schema: &Schema, table: &Table, cells: &[Cell<'_>], most: usize) -> Sql {
    plain(format!("{} LIMIT {most}", cells_of(schema, table, cells)))
}

fn cells_of(schema: &Schema, table: &Table, cells: &[Cell<'_>]) -> String {
    let grammar = capabilities::of(schema.database.engine).scan;
    let expression = |cell: &Cell<'_>| {
        let column = &table.columns[cell.column];
        let value = grammar.qualified("child", &column.name);
        match cell.key {
            Some(CellKey::Collation(collation)) => grammar.comparison_key(&value, collation),
            Some(CellKey::File(_)) | None => grammar.spelled(&value, column),
        }
    };
    let expressions: Vec<String> = cells.iter().map(expression).collect();
    format!("SELECT {} FROM {}", expressions.join(", "), source(grammar, schema, table, "child"))
}

/// Returns a query for the name and the text of each view, and of each trigger whose text names columns; `None` if the engine
/// stores no such texts.
pub fn stored_queries(schema: &Schema) -> Option<Sql> {
    capabilities::of(schema.database.engine).scan.stored_queries().map(|text| plain(text.to_owned()))
}

/// Returns how the engine of a schema compares the values of a column.
pub fn comparison(schema: &Schema, column: &Column) -> ColumnComparison {
    let engine = schema.database.engine;
    match engine.facts().location {
        // The law of files compares them, and no grammar.
        Location::Folder => {
            FileKind::of_type(&column.declared_type).map_or(ColumnComparison::NoKey, ColumnComparison::File)
        }
        _ => capabilities::of(engine).scan.comparison(column),
    }
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
    let sides = |position: usize| {
        let column = |list: &ColumnList, table: &'_ Table| -> Column { table.columns[list.columns[position]].clone() };
        (column(parent, parent_table), column(child, child_table))
    };
    let equal = |position: usize| -> String {
        let (ours, theirs) = sides(position);
        let compared = grammar.under_collation_of(&ours, &theirs, &child_key[position]);
        grammar.equals_other_column(&ours, &parent_key[position], &theirs, &compared)
    };
    let equal: Vec<String> = (0..child_key.len()).map(equal).collect();
    let named = |position: usize| -> String {
        let (ours, theirs) = sides(position);
        format!("{} AS k{position}", grammar.under_collation_of(&ours, &theirs, &child_key[position]))
    };
    let named: Vec<String> = (0..child_key.len()).map(named).collect();
    let from = source(grammar, schema, child_table, "child");
    let parent = source(grammar, schema, parent_table, "parent");
    // A table of the database may have any plain name.
    let [selected_rows, orphans, parents] =
        ["fk-doctor selected", "fk-doctor orphans", "fk-doctor parents"].map(|name| grammar.quoted(name));
    // SQLite uses no index of a table that is read whole, and would read it once for each child.
    let parents_query = format!("{} (SELECT {} FROM {parent})", grammar.facts().materialized, parent_key.join(", "));
    let (named, keys) = (named.join(", "), keys(child_key.len()));
    query.finish(format!(
        "WITH {parents} AS {parents_query}, \
         {selected_rows} AS (SELECT {named}, CASE WHEN {complete} THEN 1 ELSE 0 END AS complete FROM {from} WHERE {selected}), \
         {orphans} AS (SELECT {named} FROM {from} LEFT JOIN {parents} AS parent ON {} \
         WHERE {selected} AND {complete} AND {} IS NULL) \
         SELECT (SELECT count(*) FROM {selected_rows}), (SELECT count(*) FROM {selected_rows} WHERE complete = 0), \
         (SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {selected_rows} WHERE complete = 1) AS d), \
         (SELECT count(*) FROM {orphans}), (SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {orphans}) AS m)",
        equal.join(" AND "),
        parent_key[0],
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
