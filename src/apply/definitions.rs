//! Reads the definitions of a database, which a plan depends on and may change.

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::redefinition::Definition;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::repair::Repair;

/// Returns all definitions, and true if some definitions may be hidden from this user.
pub fn definitions(
    schema: &Schema,
    session: &mut dyn Session,
    sql: &dyn Repair,
) -> Result<(Vec<Definition>, bool), EngineError> {
    let mut definitions = listed(session, sql)?;
    let are_some_hidden = sql.fill_hidden_texts(schema, &mut definitions);
    Ok((definitions, are_some_hidden))
}

/// True if the definitions of a database leave out triggers that this user may not see.
pub fn leave_out_triggers(session: &mut dyn Session, sql: &dyn Repair) -> Result<bool, EngineError> {
    let mut are_left_out = false;
    if let Some(query) = sql.hidden_triggers() {
        session.each_row(&query, &mut |_| are_left_out = true)?;
    }
    Ok(are_left_out)
}

/// Returns the definitions as the database lists them, without those that are derived from the schema.
pub(super) fn listed(session: &mut dyn Session, sql: &dyn Repair) -> Result<Vec<Definition>, EngineError> {
    let mut definitions = Vec::new();
    session.each_row(&sql.definitions(), &mut |row| {
        let text = |index: usize| match row.get(index) {
            Some(Value::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        definitions.push(Definition { kind: text(0), name: text(1), table: text(2), text: text(3) });
    })?;
    Ok(definitions)
}
