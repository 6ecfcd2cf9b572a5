//! Warnings about further effects of a plan, as sentences for its report.

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
            let silence = if facts.can_silence_triggers { "; --no-triggers keeps them silent" } else { "" };
            warnings.push(format!(
                "{} has triggers ({}): what they change beyond the plan rolls it back{silence}",
                table.table,
                triggers.join(", ")
            ));
        }
    }
    for outlook in &forecast.relations {
        let gone = outlook.treatments.iter().filter(|share| share.is_of(TreatmentKind::Delete) && share.rows > 0);
        for share in gone {
            let rows = plural(share.rows, "orphan row");
            warnings
                .push(format!("{}: {rows} and all that depend on them go, and only the plan keeps them", outlook.id));
        }
    }
    if facts.defines_at_once() && !forecast.redefinitions.is_empty() {
        warnings.push(format!(
            "{} commits each definition at once: what is cut off is gone on with by the same command, or taken back by undo",
            schema.database.engine.title()
        ));
    }
    if facts.defines_at_once() && !forecast.creates.is_empty() {
        let names: Vec<&str> = forecast.creates.iter().map(|new| new.name.table.as_str()).collect();
        warnings.push(format!(
            "{} is made before the transaction, which cannot hold it: a failure may leave it behind, empty",
            names.join(", ")
        ));
    }
    warnings
}
