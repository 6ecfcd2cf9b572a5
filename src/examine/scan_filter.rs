//! Scans of a part: `--where` and `--since` narrow relations to some of their rows, and say so.

use crate::cli;
use crate::config::Config;
use crate::engine::Session;
use crate::model::catalog::Column;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::run::RunError;
use crate::sql;

/// The column that says when a row of the child came to be, where one is configured.
pub fn time_column<'a>(schema: &'a Schema, relation: &Relation, patterns: &[Pattern]) -> Option<&'a Column> {
    let child = schema.child(relation);
    patterns.iter().find_map(|pattern| {
        child.columns.iter().find(|column| pattern.matches_column(&child.name.to_string(), &column.name))
    })
}

/// Narrows the schema's relations. A condition that meets no relation is an error: it would leave nothing out.
pub fn narrow(
    schema: &mut Schema,
    typed: &cli::Scan,
    config: &Config,
    session: &mut dyn Session,
) -> Result<(), RunError> {
    let mut parts: IdVec<RelationId, Vec<String>> = schema.relations.map(|_| Vec::new());
    for wanted in &typed.condition {
        let meets = |relation: &Relation| wanted.table.matches(&schema.child(relation).name.to_string());
        let met: Vec<RelationId> = parts.ids().filter(|&place| meets(&schema.relations[place])).collect();
        if met.is_empty() {
            let help = "name the child table of a relation: --where 'orders: child.id > 100'".to_owned();
            return Err(RunError::Filter { option: "--where", pattern: wanted.table.to_string(), help });
        }
        met.into_iter().for_each(|place| parts[place].push(wanted.sql.clone()));
    }
    if let Some(moment) = &typed.since {
        let column = |relation| time_column(schema, relation, &config.scan.time_columns);
        let timed: Vec<(RelationId, &Column)> =
            parts.ids().filter_map(|place| Some((place, column(&schema.relations[place])?))).collect();
        if timed.is_empty() {
            let help = "name the columns in fk-doctor.toml: [scan] time-columns = [\"created_at\"]".to_owned();
            return Err(RunError::Filter { option: "--since", pattern: moment.clone(), help });
        }
        let engine = schema.database.engine;
        timed.into_iter().for_each(|(place, column)| parts[place].push(sql::since(engine, &column.name, moment)));
    }
    for (relation, conditions) in schema.relations.iter_mut().zip(parts) {
        if conditions.is_empty() {
            continue;
        }
        let told: Vec<String> = conditions.iter().map(|condition| condition.trim().to_owned()).collect();
        relation.scope.partial = Some(format!("only rows with {}", told.join(" and ")));
        let all = relation.scope.condition.take().into_iter().chain(conditions);
        relation.scope.condition = sql::all(all);
    }
    check(schema, session)
}

/// What was typed is compiled before the work begins.
fn check(schema: &Schema, session: &mut dyn Session) -> Result<(), RunError> {
    for relation in schema.relations.iter().filter(|relation| relation.scope.partial.is_some()) {
        let Some(condition) = &relation.scope.condition else { continue };
        let Some(check) = sql::of(schema).condition_check(schema, relation, condition, false) else { continue };
        if let Err(error) = session.each_row(&check, &mut |_| {}) {
            let name = schema.child(relation).name.to_string();
            return Err(RunError::Condition { table: name, why: error.because() });
        }
    }
    Ok(())
}
