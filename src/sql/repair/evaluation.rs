//! The evaluation of a rule's expressions for missing keys.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::rule::Expression;
use crate::model::rule::TemplatePiece;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::clauses::key_names;
use crate::sql::grammar::Reading;
use crate::sql::grammar::RuleGrammar;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;

/// The expressions that are evaluated, and the keys that they are evaluated for.
pub struct Evaluation<'a> {
    /// The table whose row has the missing key, and the columns of that key.
    pub via: Option<(&'a Table, &'a [usize])>,
    /// Each key, and the first row that refers to it.
    pub keys: &'a [(&'a Key, &'a RowName)],
    pub wanted: &'a [RequestedValue<'a>],
}

/// A value that an evaluation returns for each key.
#[derive(Debug, Clone, Copy)]
pub enum RequestedValue<'a> {
    Expression(&'a Expression),
    /// A column of the first row of a query that returns `width` columns.
    Query {
        query: &'a str,
        column: usize,
        width: usize,
    },
    /// The number of rows of a query, up to 2.
    RowsOf(&'a str),
}

impl<'a> RequestedValue<'a> {
    /// Returns the values for a key of `width` columns that a query returns: the number of its rows, and each column.
    pub fn key(query: &'a str, width: usize) -> Vec<RequestedValue<'a>> {
        let columns = (0..width).map(|column| RequestedValue::Query { query, column, width });
        std::iter::once(RequestedValue::RowsOf(query)).chain(columns).collect()
    }
}

/// Returns the statement of [`super::Repair::evaluate`]. Its expressions can name `key`, `child`, `via` and the rule's
/// tables.
pub(super) fn statement<G: RuleGrammar + ?Sized>(
    grammar: &G,
    schema: &Schema,
    relation: &Relation,
    evaluation: &Evaluation<'_>,
) -> Sql {
    let mut query = grammar.query();
    let child = schema.child(relation);
    // The values come first in the statement, so their parameters come first too.
    let values: Vec<String> =
        evaluation.wanted.iter().map(|wanted| format!(", {}", value(grammar, &mut query, wanted))).collect();
    let key = keys(grammar, &mut query, schema, relation, evaluation);
    let is_row = row_columns(evaluation).enumerate().map(|(index, name)| {
        grammar.equal(column(child, name), &grammar.qualified("child", name), &row_value(grammar, index))
    });
    let is_row = grammar.all_conditions(is_row);
    let mut from = format!("{key} LEFT JOIN {} ON {is_row}", grammar.source(None, child, "child", Reading::AnyIndex));
    let mut found = grammar.whole_number("1");
    if let Some((table, columns)) = evaluation.via {
        let columns = columns.iter().map(|&column| &table.columns[column]);
        let equal = columns.clone().zip(schema.child_columns(relation)).map(|(ours, theirs)| {
            let (left, right) =
                (grammar.qualified("via", &ours.name), grammar.qualified(&grammar.quoted("key"), &theirs.name));
            grammar.equals_other_column(ours, &left, theirs, &right)
        });
        let equal = grammar.all_conditions(equal);
        from.push_str(&format!(" LEFT JOIN {} ON {equal}", grammar.source(None, table, "via", Reading::AnyIndex)));
        found = grammar.all_conditions(columns.map(|column| grammar.not_null(&grammar.qualified("via", &column.name))));
    }
    query.finish(format!(
        "{}SELECT {}.{}, {found}{} FROM {from} ORDER BY 1",
        grammar.rule_tables(schema, evaluation.wanted),
        grammar.quoted("key"),
        grammar.number_column(),
        values.concat(),
    ))
}

/// Returns the missing keys under the alias `key`, each with the name of the first row that refers to it.
fn keys<G: RuleGrammar + ?Sized>(
    grammar: &G,
    query: &mut Query,
    schema: &Schema,
    relation: &Relation,
    evaluation: &Evaluation<'_>,
) -> String {
    let width = relation.child_columns.len();
    let child = schema.child(relation);
    let types: Vec<Option<&Column>> = schema
        .child_columns(relation)
        .map(Some)
        .chain(row_columns(evaluation).map(|name| column(child, name)))
        .collect();
    let values = evaluation.keys.iter().map(|(key, row)| key.iter().chain(row.values()));
    let wanted = grammar.numbered_list(query, &types, values.enumerate());
    let held = |index| format!("{WANTED}.{}", grammar.value_column(index));
    let mut columns = vec![format!("{WANTED}.{}", grammar.number_column())];
    let names = key_names(schema, relation).into_iter();
    columns.extend(names.map(|(index, name)| format!("{} AS {}", held(index), grammar.quoted(name))));
    let row = 0..row_columns(evaluation).count();
    columns.extend(row.map(|index| format!("{} AS {}", held(width + index), row_name(grammar, index))));
    format!("(SELECT {} FROM {wanted}) AS {}", columns.join(", "), grammar.quoted("key"))
}

/// Returns the columns that name the rows.
fn row_columns<'e>(evaluation: &Evaluation<'e>) -> impl Iterator<Item = &'e str> {
    evaluation.keys.iter().take(1).flat_map(|(_, row)| row.columns())
}

/// Returns the column of `key` that holds a part of the row's name.
fn row_name<G: RuleGrammar + ?Sized>(grammar: &G, index: usize) -> String {
    grammar.quoted(&format!("fk-doctor row {index}"))
}

fn row_value<G: RuleGrammar + ?Sized>(grammar: &G, index: usize) -> String {
    format!("{}.{}", grammar.quoted("key"), row_name(grammar, index))
}

/// Returns the expression for a requested value, as text or bytes. The column that stores the value converts it.
fn value<G: RuleGrammar + ?Sized>(grammar: &G, query: &mut Query, wanted: &RequestedValue<'_>) -> String {
    let mut parameter = |value: &Value| grammar.untyped_parameter(query.parameter(value.clone()), value);
    match wanted {
        RequestedValue::Expression(Expression::Literal(value)) => parameter(value),
        RequestedValue::Expression(Expression::Sql(sql)) => grammar.value_of(sql),
        RequestedValue::Expression(Expression::Template(pieces)) => {
            let piece = |piece: &TemplatePiece| match piece {
                TemplatePiece::Text(text) => parameter(&Value::text(text)),
                TemplatePiece::Column { scope, column } => {
                    grammar.text_or_empty(&grammar.qualified(&grammar.quoted(scope.name()), column))
                }
            };
            grammar.concatenated(&pieces.iter().map(piece).collect::<Vec<_>>())
        }
        RequestedValue::Query { query, column, width } => grammar.query_column(query, *column, *width),
        RequestedValue::RowsOf(query) => grammar.query_row_count(query),
    }
}
