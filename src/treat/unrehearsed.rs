//! Rows that need no rehearsal: nothing can refuse or alter the new or changed row.

use super::Planner;
use super::TreatError;
use super::rows::Try;
use crate::engine::EngineError;
use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::row::Row;
use crate::model::value::Value;
use crate::sql::read::tokens::tokens_of;
use crate::sql::repair::Repair;

impl<'a> Planner<'a> {
    /// True if a condition beyond its columns, keys and indexes may refuse a row of the table.
    pub(super) fn has_conditions(&mut self, table: TableId) -> Result<bool, TreatError> {
        let about = &self.schema.tables[table];
        let Some(query) = self.sql.table_definition(about).filter(|_| about.has_conditions) else {
            return Ok(about.has_conditions);
        };
        if let Some(&known) = self.conditions.get(&table) {
            return Ok(known);
        }
        let mut definition = String::new();
        let asked = self.lookups.each_row(&query, &mut |row| {
            definition = row.last().and_then(Value::as_text).unwrap_or_default().to_owned();
        });
        let has_conditions = match asked {
            Ok(()) => may_refuse_rows(self.schema.database.engine, &definition),
            Err(EngineError::Failed { .. }) => true,
            Err(other) => return Err(other.into()),
        };
        self.conditions.insert(table, has_conditions);
        Ok(has_conditions)
    }
}

/// True if a definition may contain a CHECK or a period, or if it is no definition of a table. The text in a comment for some
/// versions of a server is unknown.
fn may_refuse_rows(engine: Engine, definition: &str) -> bool {
    let tokens = tokens_of(engine, definition);
    let is_table = tokens.first().is_some_and(|first| first.is_word("CREATE"));
    !is_table || definition.contains("/*") || tokens.iter().any(|token| token.is_any(&["CHECK", "PERIOD"]))
}

/// True if no key or index depends on these columns, and no generated column on any. The table may have further conditions; see
/// [`Planner::has_conditions`].
pub(super) fn is_unconstrained(table: &Table, columns: &[usize]) -> bool {
    let can_refuse = |index: &Index| {
        let is_expression = index.columns.iter().any(|part| part.column.is_none());
        let has_column = index.columns.iter().any(|part| part.column.is_some_and(|column| columns.contains(&column)));
        is_expression || index.partial || (index.unique && has_column)
    };
    !columns.iter().any(|column| table.primary_key.contains(column))
        && !table.columns.iter().any(|column| column.generated)
        && !table.indexes.iter().any(can_refuse)
}

/// True if the engine stores each of these values unchanged, which it has stored in the columns of a table before.
pub(super) fn stores_unchanged(sql: &dyn Repair, table: &Table, values: &[Value]) -> bool {
    let columns = table.columns.iter().filter(|column| !column.generated);
    columns.zip(values).all(|(column, value)| sql.stores_unchanged(column, value))
}

/// True if the engine certainly accepts a value in a column without further conditions, and stores it unchanged.
pub(super) fn is_certain_value(sql: &dyn Repair, column: &Column, value: &Value) -> bool {
    match value {
        Value::Null => !column.not_null,
        value => !column.always_identity && sql.stores_as_given(column, value),
    }
}

/// True if the engine certainly accepts an update of a stored row without further conditions, and stores exactly its values. No
/// earlier change of the plan concerns the row.
pub(super) fn is_certain_update(
    sql: &dyn Repair,
    table: &Table,
    (before, after): (&Row, &Row),
    changed: &[usize],
) -> bool {
    let is_stored = |&column: &usize| {
        let about = &table.columns[column];
        after.get(&about.name).is_some_and(|value| is_certain_value(sql, about, value))
    };
    table.irreversible.is_none()
        && is_unconstrained(table, changed)
        && changed.iter().all(is_stored)
        && stores_unchanged(sql, table, before.values())
}

/// True if such an update is certain, and no earlier change concerns its row.
pub(super) fn is_certain(sql: &dyn Repair, table: &Table, update: &Try) -> bool {
    let before = update.change.before.as_ref().filter(|_| !update.was_planned);
    before.is_some_and(|before| is_certain_update(sql, table, (before, &update.after), &update.changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_with_a_condition_may_refuse_rows() {
        let table = |column: &str| format!("CREATE TABLE `t` (\n  {column}\n) ENGINE=InnoDB COMMENT='a CHECK'");
        for (column, expected) in [
            ("`check` int(11) DEFAULT 1 COMMENT 'PERIOD'", false),
            ("`j` longtext DEFAULT NULL CHECK (json_valid(`j`))", true),
            ("`a` int(11),\n  CONSTRAINT `c` CHECK (`a` < 5)", true),
            ("`a` date,\n  PERIOD FOR `p` (`a`, `b`)", true),
            ("`a` int(11) /*!80016 NOT ENFORCED */", true),
        ] {
            assert_eq!(may_refuse_rows(Engine::Mariadb, &table(column)), expected, "{column}");
        }
        assert!(may_refuse_rows(Engine::Mariadb, ""));
    }
}
