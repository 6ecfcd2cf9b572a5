//! Warnings about side effects of a plan, as sentences for its report.

use crate::model::forecast::RepairForecast;
use crate::model::redefinition::Definition;
use crate::model::rule::TreatmentKind;
use crate::model::schema::Schema;
use crate::model::text::plural;
use crate::model::value::Value;

/// Returns the warnings of a plan.
pub(super) fn warnings(schema: &Schema, definitions: &[Definition], forecast: &RepairForecast<Value>) -> Vec<String> {
    let facts = schema.database.engine.facts();
    let mut warnings = Vec::new();
    for table in &forecast.tables {
        let triggers: Vec<&str> = definitions
            .iter()
            .filter(|known| known.kind == "trigger" && schema.names.same(&known.table, &table.table))
            .map(|trigger| trigger.name.as_str())
            .collect();
        if !triggers.is_empty() {
            let advice = if facts.can_silence_triggers { "; --no-triggers disables them" } else { "" };
            warnings.push(format!(
                "{} has triggers ({}): if they change rows beyond the plan, the plan is rolled back{advice}",
                table.table,
                triggers.join(", ")
            ));
        }
    }
    for of_relation in &forecast.relations {
        let deletes =
            of_relation.treatments.iter().filter(|share| share.is_of(TreatmentKind::Delete) && share.rows > 0);
        for share in deletes {
            let rows = plural(share.rows, "orphan row");
            warnings.push(format!(
                "{}: {rows} and all dependent rows are deleted; only the plan keeps them",
                of_relation.id
            ));
        }
    }
    if facts.defines_at_once() && !forecast.redefinitions.is_empty() {
        warnings.push(format!(
            "{} commits each definition at once: if the run is interrupted, repeat the command to finish it, or run `fk-doctor undo` to take it back",
            schema.database.engine.title()
        ));
    }
    if facts.defines_at_once() && !forecast.creates.is_empty() {
        let names: Vec<&str> = forecast.creates.iter().map(|new| new.name.table.as_str()).collect();
        warnings.push(format!(
            "{} is created before the transaction, because this server commits CREATE TABLE at once: a failure may leave it behind, empty",
            names.join(", ")
        ));
    }
    warnings
}
