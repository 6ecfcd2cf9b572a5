//! Adds the changed definitions and the warnings to the draft of a plan, and reads the DEFAULTs that this needs.

use std::collections::BTreeMap;

use super::Draft;
use super::redefine;
use super::redefine::DecisionInput;
use super::warnings::warnings;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::ids::TableId;
use crate::model::redefinition::Definition;
use crate::model::rule::Rules;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::repair::Repair;
use crate::treat::assign::Assigned;

/// The definitions of the database before the plan.
pub struct KnownDefinitions {
    pub definitions: Vec<Definition>,
    /// True if some definitions may be hidden from this user.
    pub are_some_hidden: bool,
    /// The columns that have a DEFAULT, for each parent whose placeholders triggers create.
    pub defaults: BTreeMap<TableId, Vec<String>>,
}

/// Returns the columns that have a DEFAULT, for each parent whose placeholders triggers will create.
pub fn defaults(
    schema: &Schema,
    rules: &Rules,
    assigned: &Assigned,
    sql: &dyn Repair,
    session: &mut dyn Session,
) -> Result<BTreeMap<TableId, Vec<String>>, EngineError> {
    let mut defaults = BTreeMap::new();
    for parent in redefine::parents_to_know(schema, rules, assigned) {
        let mut names = Vec::new();
        session.each_row(&sql.column_defaults(&schema.tables[parent]), &mut |row| {
            names.extend(row.first().and_then(Value::as_text).map(str::to_owned));
        })?;
        defaults.insert(parent, names);
    }
    Ok(defaults)
}

/// Adds to a draft the definitions that its rules change, the refusals, and the warnings.
pub fn add_definitions(
    draft: &mut Draft,
    schema: &Schema,
    rules: &Rules,
    assigned: &Assigned,
    sql: &dyn Repair,
    known: &KnownDefinitions,
) {
    let forecast = &mut draft.forecast;
    let decided = redefine::decide(&DecisionInput {
        schema,
        rules,
        assigned,
        forecasts: &forecast.relations,
        definitions: &known.definitions,
        defaults: &known.defaults,
        sql: sql.redefine(),
    });
    forecast.redefinitions = decided.changes;
    forecast.refusals.extend(decided.refusals);
    forecast.warnings = warnings(schema, &known.definitions, forecast);
    if known.are_some_hidden {
        let hidden = "this user cannot see triggers: if a table of the plan has one, only a user who cannot see it either can \
                      apply the plan; to include triggers, make the plan with the privilege TRIGGER";
        forecast.warnings.push(hidden.to_owned());
    }
    forecast.warnings.extend(decided.warnings);
}
