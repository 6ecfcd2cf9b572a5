//! Repairs in SQLite's SQL.
//!
//! Writes say `OR ABORT`, which overrules an `ON CONFLICT` of the schema: a row is never replaced or left out silently.

use super::NUMBER;
use super::Query;
use super::Sqlite;
use super::held;
use super::quoted;
use super::source;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::rule::Expression;
use crate::model::rule::Normal;
use crate::model::rule::Piece;
use crate::model::schema::Schema;
use crate::model::state;
use crate::model::value::Key;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::sql::frozen::Sql;
use crate::sql::frozen::clauses;
use crate::sql::frozen::clauses::hex;
use crate::sql::frozen::clauses::key_names;
use crate::sql::frozen::clauses::quoted_text;
use crate::sql::frozen::repair::Evaluation;
use crate::sql::frozen::repair::RepairDialect;
use crate::sql::frozen::repair::UniqueTerms;
use crate::sql::frozen::repair::Wanted;

impl RepairDialect for Sqlite {
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql {
        let mut query = Query::default();
        let wanted = evaluation.keys.iter().map(|(key, row)| key.iter().chain(row.iter().map(|(_, value)| value)));
        let wanted = query.list("wanted", wanted);
        let child = schema.child(relation);
        let width = relation.child_columns.len();
        let mut columns = vec![format!("wanted.{NUMBER}")];
        let names = key_names(schema, relation).into_iter();
        columns.extend(names.map(|(place, name)| format!("wanted.{} AS {}", held(place), quoted(name))));
        let row = evaluation.keys.first().map_or(&[][..], |(_, row)| row.as_slice());
        columns
            .extend((0..row.len()).map(|place| format!("wanted.{} AS \"fk-doctor row {place}\"", held(width + place))));
        let is_row = row.iter().enumerate();
        let is_row: Vec<String> = is_row
            .map(|(place, (name, _))| format!("child.{} = \"key\".\"fk-doctor row {place}\"", quoted(name)))
            .collect();
        let mut from = format!(
            "(SELECT {} FROM {wanted}) AS \"key\" LEFT JOIN {} ON {}",
            columns.join(", "),
            source(child, "child", false),
            all(&is_row)
        );
        let mut found = "1".to_owned();
        if let Some((table, columns)) = evaluation.via {
            let names: Vec<&str> = columns.iter().map(|&column| table.columns[column].name.as_str()).collect();
            let keys = schema.child_column_names(relation);
            let equal: Vec<String> = names
                .iter()
                .zip(keys)
                .map(|(name, key)| format!("via.{} = +\"key\".{}", quoted(name), quoted(key)))
                .collect();
            from.push_str(&format!(" LEFT JOIN {} ON {}", source(table, "via", false), all(&equal)));
            found = format!("via.{} IS NOT NULL", names.first().map_or_else(String::new, |name| quoted(name)));
        }
        let values: Vec<String> = evaluation.wanted.iter().map(|wanted| query.wanted(wanted)).collect();
        let values = if values.is_empty() { String::new() } else { format!(", {}", values.join(", ")) };
        query.finish(format!("SELECT \"key\".{NUMBER}, {found}{values} FROM {from} ORDER BY 1"))
    }

    fn present(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        with_keys(table, columns, keys, &column_names(table, columns))
    }

    fn rows_with(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        let names: Vec<String> = identity_columns(table).into_iter().map(quoted).collect();
        with_keys(table, columns, keys, &names)
    }

    fn mapped(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql {
        let mut query = Query::default();
        let missing = query.missing(keys);
        let equal: Vec<String> = column_names(table, from)
            .iter()
            .enumerate()
            .map(|(place, name)| format!("map.{name} = +missing.{}", held(place)))
            .collect();
        let into: Vec<String> = column_names(table, into).iter().map(|name| format!("map.{name}")).collect();
        query.finish(format!(
            "SELECT DISTINCT missing.{NUMBER}, {} FROM {missing} JOIN {} ON {} ORDER BY 1",
            into.join(", "),
            source(table, "map", false),
            all(&equal)
        ))
    }

    fn equal_in_form(&self, table: &Table, column: usize, forms: &[Normal], keys: &[&Key]) -> Sql {
        let mut query = Query::default();
        let missing = query.missing(keys);
        let name = format!("parent.{}", quoted(&table.columns[column].name));
        query.finish(format!(
            "WITH sought AS MATERIALIZED (SELECT missing.{NUMBER} AS i, {} AS n FROM {missing}) SELECT sought.i, p.k FROM \
             (SELECT {name} AS k, {} AS n FROM {} WHERE {name} IS NOT NULL) AS p JOIN sought ON sought.n = p.n ORDER BY 1",
            in_form(&format!("missing.{}", held(0)), forms),
            in_form(&name, forms),
            source(table, "parent", true),
        ))
    }

    fn rows_at(&self, table: &Table, rows: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let wanted = query.rows(rows);
        let address = table.row_address.as_ref().map_or("NULL".to_owned(), |name| format!("t.{}", quoted(name)));
        let columns: Vec<String> = stored(table).map(|column| format!(", t.{}", quoted(&column.name))).collect();
        query.finish(format!(
            "SELECT wanted.{NUMBER}, {address}{} FROM {wanted} CROSS JOIN {} ON {} ORDER BY 1",
            columns.concat(),
            source(table, "t", false),
            named("t", rows),
        ))
    }

    fn long_rows(&self, table: &Table, rows: &[&RowName], bytes: u64) -> Option<Sql> {
        let mut query = Query::default();
        let wanted = query.rows(rows);
        let lengths: Vec<String> =
            stored(table).map(|column| format!("coalesce(octet_length(t.{}), 0)", quoted(&column.name))).collect();
        Some(query.finish(format!(
            "SELECT wanted.{NUMBER} FROM {wanted} CROSS JOIN {} ON {} WHERE {} > {bytes} ORDER BY 1",
            source(table, "t", false),
            named("t", rows),
            lengths.join(" + "),
        )))
    }

    fn colliding(&self, table: &Table, rows: &[(Option<&RowName>, &RowName)], index: &UniqueTerms) -> Option<Sql> {
        let mut query = Query::default();
        let (_, first) = rows.first()?;
        let own = identity_columns(table);
        let nothing = Value::Null;
        let values = rows.iter().map(|(name, image)| {
            let of = |column: &str| {
                let known = name.and_then(|name| name.iter().find(|(known, _)| known == column));
                known.map_or(&nothing, |(_, value)| value)
            };
            let values = image.iter().map(|(_, value)| value).chain(own.iter().map(|column| of(column)));
            values.collect::<Vec<_>>().into_iter()
        });
        let wanted = query.list("wanted", values);
        let width = first.len();
        let mut columns: Vec<String> = first
            .iter()
            .enumerate()
            .map(|(place, (name, _))| format!("wanted.{} AS {}", held(place), quoted(name)))
            .collect();
        columns
            .extend((0..own.len()).map(|place| format!("wanted.{} AS \"fk-doctor own {place}\"", held(width + place))));
        let own: Vec<String> = own.into_iter().map(quoted).collect();
        Some(query.finish(clauses::colliding(
            &format!("(SELECT wanted.{NUMBER}, {} FROM {wanted})", columns.join(", ")),
            &format!("main.{}", quoted(&table.name.table)),
            &own,
            index,
        )))
    }

    fn makes_circles(&self) -> bool {
        true
    }

    fn orphans_at(&self, schema: &Schema, relation: &Relation, rows: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let wanted = query.rows(rows);
        let condition = query.orphan_condition(schema, relation);
        let truth =
            if super::has_truth_only(schema, relation) { super::truth(schema, relation) } else { String::new() };
        query.finish(format!(
            "{truth}SELECT wanted.{NUMBER} FROM {wanted} CROSS JOIN {} ON {} WHERE {condition} ORDER BY 1",
            source(schema.child(relation), "child", false),
            named("child", rows),
        ))
    }

    fn children_of(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let wanted = query.rows(parents);
        let child = schema.child(relation);
        let Some(parent) = schema.parent(relation) else { return query.finish("SELECT 1 WHERE 0".to_owned()) };
        let equal: Vec<String> = schema
            .parent_columns(relation)
            .zip(schema.child_columns(relation))
            .map(|(ours, theirs)| {
                // Only where both columns compare alike may the child's index be used.
                let plain = ours.family == theirs.family && ours.collation == theirs.collation;
                let sign = if plain { "" } else { "+" };
                format!("parent.{} = {sign}child.{}", quoted(&ours.name), quoted(&theirs.name))
            })
            .collect();
        let scope = match &relation.scope.condition {
            Some(_) => format!(" AND {}", super::in_scope(relation)),
            None => String::new(),
        };
        let names: Vec<String> =
            identity_columns(child).iter().map(|name| format!(", child.{}", quoted(name))).collect();
        query.finish(format!(
            "SELECT wanted.{NUMBER}{} FROM {wanted} CROSS JOIN {} ON {} CROSS JOIN {} ON {}{scope} ORDER BY 1{}",
            names.concat(),
            source(parent, "parent", false),
            named("parent", parents),
            source(child, "child", false),
            all(&equal),
            names.concat(),
        ))
    }

    fn defaults(&self, table: &Table) -> Sql {
        let mut query = Query::default();
        let name = query.parameter(Value::text(&table.name.table));
        query.finish(format!(
            "SELECT name, dflt_value FROM pragma_table_xinfo({name}, 'main') WHERE dflt_value IS NOT NULL"
        ))
    }

    fn definitions(&self) -> Sql {
        Query::default().finish(
            "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
                .to_owned(),
        )
    }

    fn largest(&self, table: &Table, column: &str) -> Sql {
        Query::default().finish(format!("SELECT max(t.{}) FROM {}", quoted(column), source(table, "t", false)))
    }

    fn counter(&self, table: &Table) -> Option<Sql> {
        let mut query = Query::default();
        let name = query.parameter(Value::text(&table.name.table));
        Some(query.finish(format!("SELECT rowid, name, seq FROM main.sqlite_sequence WHERE name = {name}")))
    }

    fn insert(&self, table: &Table, row: &RowName, image: &RowName) -> Sql {
        let mut query = Query::default();
        // The address is no column, but may be chosen.
        let address = row.iter().filter(|(name, _)| {
            table.row_address.as_deref() == Some(name) && !image.iter().any(|(column, _)| column == name)
        });
        let (names, values): (Vec<String>, Vec<String>) =
            address.chain(image).map(|(name, value)| (quoted(name), query.parameter(value.clone()))).unzip();
        query.finish(format!(
            "INSERT OR ABORT INTO main.{}({}) VALUES ({})",
            quoted(&table.name.table),
            names.join(", "),
            values.join(", ")
        ))
    }

    fn update(&self, table: &Table, row: &RowName, columns: &RowName) -> Sql {
        let mut query = Query::default();
        let set: Vec<String> = columns
            .iter()
            .map(|(name, value)| format!("{} = {}", quoted(name), query.parameter(value.clone())))
            .collect();
        let is_row = query.is_row(row);
        query.finish(format!(
            "UPDATE OR ABORT main.{} SET {} WHERE {is_row}",
            quoted(&table.name.table),
            set.join(", ")
        ))
    }

    fn delete(&self, table: &Table, row: &RowName) -> Sql {
        let mut query = Query::default();
        let is_row = query.is_row(row);
        query.finish(format!("DELETE FROM main.{} WHERE {is_row}", quoted(&table.name.table)))
    }

    fn create(&self, table: &NewTable) -> Sql {
        let columns: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(
                |(place, name)| if place == 0 { format!("{} INTEGER PRIMARY KEY", quoted(name)) } else { quoted(name) },
            )
            .collect();
        Query::default().finish(format!("CREATE TABLE main.{}({})", quoted(&table.name.table), columns.join(", ")))
    }

    fn drop(&self, table: &NewTable) -> Sql {
        Query::default().finish(format!("DROP TABLE main.{}", quoted(&table.name.table)))
    }

    fn create_state(&self) -> Sql {
        let of = |is_number| if is_number { "INTEGER" } else { "TEXT" };
        let columns: Vec<String> = state::COLUMNS
            .iter()
            .map(|(name, is_number)| format!("{} {} NOT NULL", quoted(name), of(*is_number)))
            .collect();
        Query::default().finish(format!(
            "CREATE TABLE main.{}({}, PRIMARY KEY (\"plan\", \"number\")) WITHOUT ROWID",
            quoted(state::TABLE),
            columns.join(", ")
        ))
    }

    fn has_state(&self) -> Sql {
        let mut query = Query::default();
        let name = query.parameter(Value::text(state::TABLE));
        query.finish(format!("SELECT 1, 1 FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = {name}"))
    }

    fn in_room(&self) -> &'static dyn RepairDialect {
        &Sqlite
    }

    fn script_start(&self) -> String {
        "-- Made by fk-doctor. Look at what the last statement says before you keep it.\nPRAGMA foreign_keys = OFF;\nBEGIN IMMEDIATE;\n".to_owned()
    }

    fn script_end(&self) -> String {
        "PRAGMA foreign_key_check;\nCOMMIT;\n".to_owned()
    }

    fn written_out(&self, statement: &Sql) -> String {
        clauses::written_out(statement, '?', '"', literal)
    }
}

impl Query {
    fn rows(&mut self, rows: &[&RowName]) -> String {
        self.list("wanted", rows.iter().map(|row| row.iter().map(|(_, value)| value)))
    }

    fn is_row(&mut self, row: &RowName) -> String {
        let equal: Vec<String> =
            row.iter().map(|(name, value)| format!("{} = {}", quoted(name), self.parameter(value.clone()))).collect();
        all(&equal)
    }

    fn wanted(&mut self, wanted: &Wanted<'_>) -> String {
        match wanted {
            Wanted::Expression(expression) => self.expression(expression),
            Wanted::Query { query, of: 1, .. } => format!("(\n{query}\n)"),
            Wanted::Query { query, column, of } => {
                let columns: Vec<String> = (0..*of).map(|place| format!("c{place}")).collect();
                let columns = columns.join(", ");
                // A name that the query does not speak of, which it would mean otherwise.
                let mut name = "the query".to_owned();
                while query.to_lowercase().contains(&name) {
                    name.push('\'');
                }
                let name = quoted(&name);
                format!("(WITH {name}({columns}) AS (\n{query}\n) SELECT c{column} FROM {name})")
            }
            Wanted::RowsOf(query) => format!("(SELECT count(*) FROM (SELECT 1 FROM (\n{query}\n) LIMIT 2))"),
        }
    }

    fn expression(&mut self, expression: &Expression) -> String {
        match expression {
            Expression::Literal(value) => self.parameter(value.clone()),
            Expression::Sql(sql) => format!("(\n{sql}\n)"),
            Expression::Template(pieces) => {
                let parts: Vec<String> = pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => self.parameter(Value::text(text)),
                        Piece::Column { scope, column } => {
                            format!("coalesce(CAST({}.{} AS TEXT), '')", quoted(scope.name()), quoted(column))
                        }
                    })
                    .collect();
                parts.join(" || ")
            }
        }
    }
}

/// Of the rows that have these keys, these columns.
fn with_keys(table: &Table, columns: &[usize], keys: &[&Key], wanted: &[String]) -> Sql {
    let mut query = Query::default();
    let missing = query.missing(keys);
    let equal: Vec<String> = column_names(table, columns)
        .iter()
        .enumerate()
        .map(|(place, name)| format!("parent.{name} = +missing.{}", held(place)))
        .collect();
    let stored: Vec<String> = wanted.iter().map(|name| format!("parent.{name}")).collect();
    query.finish(format!(
        "SELECT missing.{NUMBER}, {} FROM {missing} CROSS JOIN {} ON {} ORDER BY 1",
        stored.join(", "),
        source(table, "parent", false),
        all(&equal)
    ))
}

fn column_names(table: &Table, columns: &[usize]) -> Vec<String> {
    columns.iter().map(|&column| quoted(&table.columns[column].name)).collect()
}

fn stored(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.generated)
}

/// The row of an alias is the wanted one.
fn named(alias: &str, rows: &[&RowName]) -> String {
    let row = rows.first().map_or(&[][..], |row| row.as_slice());
    let equal: Vec<String> = row
        .iter()
        .enumerate()
        .map(|(place, (name, _))| format!("{alias}.{} = wanted.{}", quoted(name), held(place)))
        .collect();
    all(&equal)
}

fn all(conditions: &[String]) -> String {
    if conditions.is_empty() { "0".to_owned() } else { conditions.join(" AND ") }
}

/// A value in its normal form, as text.
fn in_form(value: &str, forms: &[Normal]) -> String {
    let trimmed = |form: &str| format!("trim({form}, {})", super::WHITE_SPACE);
    clauses::in_form(
        format!("CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE CAST({value} AS TEXT) END"),
        forms,
        trimmed,
        |form| format!("ltrim({form}, '0')"),
    )
}

/// A value as SQL text that gives exactly this value.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) if number.is_finite() => format!("{number:?}"),
        Value::Real(number) => if *number > 0.0 { "9e999" } else { "-9e999" }.to_owned(),
        Value::Blob(bytes) => format!("X'{}'", hex(bytes)),
        Value::Text(bytes) => quoted_text(bytes).unwrap_or_else(|| format!("CAST(X'{}' AS TEXT)", hex(bytes))),
    }
}
