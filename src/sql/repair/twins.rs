//! The searches for rows that mean the same.

use crate::model::catalog::Column;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::query::Sql;
use crate::sql::repair::Repair;
use crate::sql::repair::RequestedValue;

/// Returns the statement of [`Repair::twins`].
pub(super) fn twins<G: Repair + ?Sized>(
    grammar: &G,
    schema: &Schema,
    table: TableId,
    same: &[&str],
    is_check: bool,
) -> Sql {
    let about = &schema.tables[table];
    let names = identity_columns(about);
    let expressions: Vec<String> = same.iter().map(|expression| format!("(\n{expression}\n)")).collect();
    let mut present: Vec<String> = expressions.iter().map(|expression| format!("{expression} IS NOT NULL")).collect();
    present.extend(is_check.then(|| grammar.truth(false).to_owned()));
    let value = |index: usize| grammar.value_column(index);
    let computed: Vec<String> =
        expressions.iter().enumerate().map(|(index, expression)| format!("{expression} AS {}", value(index))).collect();
    let named = |alias: &str| names.iter().map(|name| grammar.qualified(alias, name)).collect::<Vec<_>>().join(", ");
    let values = (0..same.len()).map(value).collect::<Vec<_>>().join(", ");
    let own: Vec<String> = names.iter().map(|name| grammar.quoted(name)).collect();
    let shown = names.iter().map(|name| {
        let value = grammar.qualified("t", name);
        column(about, name).map_or_else(|| grammar.shown_address(&value), |column| grammar.shown(&value, column))
    });
    let group = grammar.quoted("fk-doctor group");
    let size = grammar.quoted("fk-doctor size");
    let rows = format!(
        "SELECT {}, {} FROM {} WHERE {}",
        named("parent"),
        computed.join(", "),
        grammar.source(None, about, "parent", Reading::AnyIndex),
        present.join(" AND "),
    );
    let grouped = format!(
        "SELECT {}, dense_rank() OVER (ORDER BY {values}) AS {group}, count(*) OVER (PARTITION BY {values}) AS {size} \
         FROM ({rows}) AS r",
        own.join(", "),
    );
    let requested: Vec<RequestedValue<'_>> = same.iter().map(|text| RequestedValue::RowsOf(text)).collect();
    let statement = format!(
        "{}SELECT {}, {} FROM ({grouped}) AS t WHERE {size} > 1 ORDER BY {group}, {}",
        grammar.rule_tables(schema, &requested),
        grammar.whole_number(&group),
        shown.collect::<Vec<_>>().join(", "),
        named("t"),
    );
    grammar.query().finish(statement)
}

/// Returns the statement of [`Repair::kept_twins`].
pub(super) fn kept<G: Repair + ?Sized>(
    grammar: &G,
    schema: &Schema,
    table: TableId,
    rows: &[&RowName],
    asked: &str,
) -> Sql {
    let about = &schema.tables[table];
    let names = identity_columns(about);
    let mut query = grammar.query();
    let width = names.len();
    let nothing: RowName = names.iter().map(|name| ((*name).to_owned(), crate::model::value::Value::Null)).collect();
    let rows = if rows.is_empty() { &[&nothing][..] } else { rows };
    let columns: Vec<Option<&Column>> = names.iter().map(|name| column(about, name)).collect();
    let wanted = grammar.numbered_list(&mut query, &columns, rows.iter().map(|row| row.values()).enumerate());
    let values: Vec<String> =
        (0..width).map(|column| format!(", {}", grammar.query_column(asked, column, width))).collect();
    let requested = RequestedValue::key(asked, width);
    query.finish(format!(
        "{}SELECT {WANTED}.{}, {}{} FROM {wanted} {} {} ON {} ORDER BY 1",
        grammar.rule_tables(schema, &requested),
        grammar.number_column(),
        grammar.query_row_count(asked),
        values.concat(),
        grammar.facts().ordered_join,
        grammar.source(None, about, "parent", Reading::AnyIndex),
        grammar.is_wanted(about, "parent", rows),
    ))
}
