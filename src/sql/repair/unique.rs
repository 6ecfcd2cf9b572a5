//! The search for new rows that a unique index would refuse.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::sql::grammar::WriteGrammar;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::query::Sql;

/// The terms that a unique index compares, as SQL over the columns of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueTerms {
    pub terms: Vec<String>,
    /// The index holds only the rows that meet this condition.
    pub condition: Option<String>,
}

/// Returns the statement of [`super::Repair::unique_collisions`]; `None` if there are no new rows.
pub(super) fn statement<G: WriteGrammar + ?Sized>(
    grammar: &G,
    table: &Table,
    rows: &[(Option<&RowName>, &Row)],
    index: &UniqueTerms,
) -> Option<Sql> {
    let mut query = grammar.query();
    let (_, first) = rows.first()?;
    let own = identity_columns(table);
    let names = first.columns().chain(own.iter().copied());
    let columns: Vec<Option<&Column>> = names.map(|name| column(table, name)).collect();
    let values = rows.iter().map(|(name, image)| {
        let known = own.iter().map(|column| name.and_then(|name| name.get(column)).unwrap_or(&Value::Null));
        image.values().iter().chain(known)
    });
    let wanted = grammar.numbered_list(&mut query, &columns, values.enumerate());
    let stored = |index: usize| grammar.as_stored(&format!("{WANTED}.{}", grammar.value_column(index)), columns[index]);
    let mut shown = vec![format!("{WANTED}.{}", grammar.number_column())];
    let image = first.columns().enumerate();
    shown.extend(image.map(|(index, name)| format!("{} AS {}", stored(index), grammar.quoted(name))));
    shown
        .extend((0..own.len()).map(|index| format!("{} AS {}", stored(first.len() + index), own_name(grammar, index))));
    let new = format!("(SELECT {} FROM {wanted})", shown.join(", "));
    Some(query.finish(colliding(grammar, &new, &grammar.own_rows(None, table), &own, index)))
}

/// Returns the column of a new row that holds a part of the name of the stored row that it replaces.
fn own_name<G: WriteGrammar + ?Sized>(grammar: &G, index: usize) -> String {
    grammar.quoted(&format!("fk-doctor own {index}"))
}

/// Returns a query for the numbers of the new rows whose terms of a unique index equal those of another row of the
/// table.
fn colliding<G: WriteGrammar + ?Sized>(
    grammar: &G,
    new: &str,
    table: &str,
    own: &[&str],
    index: &UniqueTerms,
) -> String {
    let term = |index: usize| grammar.quoted(&format!("fk-doctor term {index}"));
    let is = |index: usize| grammar.quoted(&format!("fk-doctor is {index}"));
    let terms: Vec<String> =
        index.terms.iter().enumerate().map(|(index, sql)| format!("({sql}) AS {}", term(index))).collect();
    let among = index.condition.as_ref().map_or(String::new(), |condition| format!(" WHERE ({condition})"));
    let equal: Vec<String> = (0..terms.len()).map(|index| format!("there.{0} = new.{0}", term(index))).collect();
    let names = own.iter().enumerate().map(|(index, name)| format!(", {} AS {}", grammar.quoted(name), is(index)));
    let owns: Vec<String> = (0..own.len()).map(|index| format!(", {}", own_name(grammar, index))).collect();
    let is_own: Vec<String> =
        (0..own.len()).map(|index| format!("there.{} = new.{}", is(index), own_name(grammar, index))).collect();
    let other =
        if is_own.is_empty() { String::new() } else { format!(" WHERE ({}) IS NOT TRUE", is_own.join(" AND ")) };
    format!(
        "SELECT DISTINCT new.{number} FROM (SELECT {number}{}, {terms} FROM {new} AS made{among}) AS new \
         JOIN (SELECT {terms}{} FROM {table}{among}) AS there ON {}{other} ORDER BY 1",
        owns.concat(),
        names.collect::<String>(),
        equal.join(" AND "),
        number = grammar.number_column(),
        terms = terms.join(", "),
    )
}
