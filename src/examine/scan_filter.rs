//! Partial scans: `--where` and `--since` narrow relations to some of their rows, and note that in the coverage.

use crate::engine::Session;
use crate::examine::error::ExamineError;
use crate::model::catalog::Column;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql;

/// A condition for the rows of child tables: SQL over `child`.
#[derive(Debug, Clone)]
pub struct RowCondition {
    pub table: Pattern,
    pub sql: String,
}

/// The rows to which a scan is narrowed.
pub struct Narrowing<'a> {
    pub conditions: &'a [RowCondition],
    /// Only rows that were created at this time or later.
    pub since: Option<&'a str>,
    /// The columns with the time of a row's creation.
    pub time_columns: &'a [Pattern],
}

/// Returns the child's column with the time of a row's creation, if one is configured.
pub fn time_column<'a>(schema: &'a Schema, relation: &Relation, patterns: &[Pattern]) -> Option<&'a Column> {
    let child = schema.child(relation);
    patterns.iter().find_map(|pattern| {
        child.columns.iter().find(|column| pattern.matches_column(&child.name.to_string(), &column.name))
    })
}

/// Narrows the schema's relations. A condition that applies to no relation is an error, because it would have no effect.
pub fn narrow(schema: &mut Schema, narrowing: &Narrowing<'_>, session: &mut dyn Session) -> Result<(), ExamineError> {
    let mut conditions_of: IdVec<RelationId, Vec<String>> = schema.relations.map(|_| Vec::new());
    for condition in narrowing.conditions {
        let is_for = |relation: &Relation| condition.table.matches(&schema.child(relation).name.to_string());
        let matching: Vec<RelationId> = conditions_of.ids().filter(|&id| is_for(&schema.relations[id])).collect();
        if matching.is_empty() {
            let help = "name the child table of a relation: --where 'orders: child.id > 100'".to_owned();
            return Err(ExamineError::NothingMatches { option: "--where", pattern: condition.table.to_string(), help });
        }
        matching.into_iter().for_each(|index| conditions_of[index].push(condition.sql.clone()));
    }
    if let Some(since) = narrowing.since {
        let column = |relation| time_column(schema, relation, narrowing.time_columns);
        let timed: Vec<(RelationId, &Column)> =
            conditions_of.ids().filter_map(|index| Some((index, column(&schema.relations[index])?))).collect();
        if timed.is_empty() {
            let help = "name the columns in fk-doctor.toml: [scan] time-columns = [\"created_at\"]".to_owned();
            return Err(ExamineError::NothingMatches { option: "--since", pattern: since.to_owned(), help });
        }
        let engine = schema.database.engine;
        timed
            .into_iter()
            .for_each(|(index, column)| conditions_of[index].push(sql::since_condition(engine, &column.name, since)));
    }
    for (relation, conditions) in schema.relations.iter_mut().zip(conditions_of) {
        if conditions.is_empty() {
            continue;
        }
        let shown: Vec<String> = conditions.iter().map(|condition| condition.trim().to_owned()).collect();
        let partial = format!("only rows with {}", shown.join(" and "));
        let partial = relation.scope.partial.take().map_or(partial.clone(), |before| format!("{before}; {partial}"));
        relation.scope.partial = Some(partial);
        let all = relation.scope.condition.take().into_iter().chain(conditions);
        relation.scope.condition = sql::all_conditions(all);
    }
    check(schema, session)
}

/// Lets the database compile every condition before the scan begins.
fn check(schema: &Schema, session: &mut dyn Session) -> Result<(), ExamineError> {
    let is_readable = |relation: &&Relation| schema.child(relation).unreadable.is_none();
    for relation in schema.relations.iter().filter(|relation| relation.scope.partial.is_some()).filter(is_readable) {
        let Some(condition) = &relation.scope.condition else { continue };
        let Some(check) = sql::of(schema).condition_check(schema, relation, condition, false) else { continue };
        if let Err(error) = session.each_row(&check, &mut |_| {}) {
            let name = schema.child(relation).name.to_string();
            return Err(ExamineError::Condition { table: name, why: error.because() });
        }
    }
    Ok(())
}
