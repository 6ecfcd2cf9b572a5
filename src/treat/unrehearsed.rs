//! Updates that need no rehearsal: nothing can refuse or alter the changed row.

use super::rows::Try;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::value::Value;
use crate::sql::repair::Repair;

/// True if these columns of every row can become NULL.
pub(super) fn accepts_null(table: &Table, columns: &[usize]) -> bool {
    is_unconstrained(table, columns) && !columns.iter().any(|&column| table.columns[column].not_null)
}

/// True if no CHECK, key or index depends on these columns, and no generated column on any.
fn is_unconstrained(table: &Table, columns: &[usize]) -> bool {
    let can_refuse = |index: &Index| {
        let is_expression = index.columns.iter().any(|part| part.column.is_none());
        let has_column = index.columns.iter().any(|part| part.column.is_some_and(|column| columns.contains(&column)));
        is_expression || index.partial || (index.unique && has_column)
    };
    !table.has_conditions
        && !columns.iter().any(|column| table.primary_key.contains(column))
        && !table.columns.iter().any(|column| column.generated)
        && !table.indexes.iter().any(can_refuse)
}

/// True if the engine stores each of these values unchanged, which it has stored in the columns of a table before.
pub(super) fn stores_unchanged(sql: &dyn Repair, table: &Table, values: &[Value]) -> bool {
    let columns = table.columns.iter().filter(|column| !column.generated);
    columns.zip(values).all(|(column, value)| sql.stores_unchanged(column, value))
}

/// True if the engine certainly accepts an update, and stores exactly its values.
pub(super) fn is_certain(sql: &dyn Repair, table: &Table, update: &Try) -> bool {
    let is_stored = |&column: &usize| {
        let about = &table.columns[column];
        match update.after.get(&about.name) {
            Some(Value::Null) => !about.not_null,
            Some(value) => sql.stores_as_given(about, value),
            None => false,
        }
    };
    let before = update.change.before.as_ref();
    !update.was_planned
        && table.irreversible.is_none()
        && is_unconstrained(table, &update.changed)
        && update.changed.iter().all(is_stored)
        && before.is_some_and(|before| stores_unchanged(sql, table, before.values()))
}
