//! Reads the definitions of a database, which a plan rests on and may change.

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::redefinition::Definition;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::repair::Repair;

/// Returns all definitions, and true if some that may be there are hidden from this user.
pub fn definitions(
    schema: &Schema,
    session: &mut dyn Session,
    surgery: &dyn Repair,
) -> Result<(Vec<Definition>, bool), EngineError> {
    let mut definitions = listed(session, surgery)?;
    let are_some_hidden = surgery.fill_hidden_texts(schema, &mut definitions);
    Ok((definitions, are_some_hidden))
}

/// The definitions as the database lists them, without those that a dialect derives from the schema.
pub(super) fn listed(session: &mut dyn Session, surgery: &dyn Repair) -> Result<Vec<Definition>, EngineError> {
    let mut definitions = Vec::new();
    session.each_row(&surgery.definitions(), &mut |row| {
        let text = |place: usize| match row.get(place) {
            Some(Value::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        definitions.push(Definition { kind: text(0), name: text(1), table: text(2), text: text(3) });
    })?;
    Ok(definitions)
}
