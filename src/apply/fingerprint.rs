//! The definitions that a plan rests on: of the tables that it touches or looks at, and of what acts on them. A plan is
//! applied only where these are as they were; whatever else is defined does not concern it.

use std::collections::BTreeSet;

use crate::model::forecast::RepairForecast;
use crate::model::forecast::TableChanges;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::plan::OrphanForecast;
use crate::model::plan::TableDigest;
use crate::model::redefinition;
use crate::model::redefinition::Definition;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::plan_file;

/// What a plan consists of, as far as definitions go.
struct Scope<'a> {
    creates: &'a [NewTable],
    redefinitions: &'a [Redefinition],
}

impl<'a> Scope<'a> {
    fn of(header: &'a Header) -> Scope<'a> {
        Scope { creates: &header.creates, redefinitions: &header.redefinitions }
    }
}

/// Returns a digest for each table that a plan touches.
pub fn of_plan(
    schema: &Schema,
    definitions: &[Definition],
    forecast: &RepairForecast<Value>,
    forecasts: &[OrphanForecast],
) -> Vec<TableDigest> {
    let tables = touched(schema, &forecast.tables, forecasts, &forecast.redefinitions);
    let scope = Scope { creates: &forecast.creates, redefinitions: &forecast.redefinitions };
    digests(schema, definitions, &scope, tables.into_iter())
}

/// The tables whose rows change, those on either side of a relation that the plan counts on, and those that are redefined.
fn touched(
    schema: &Schema,
    changes: &[TableChanges],
    forecasts: &[OrphanForecast],
    redefinitions: &[Redefinition],
) -> BTreeSet<String> {
    let mut tables: BTreeSet<String> = changes.iter().map(|table| table.table.clone()).collect();
    tables.extend(redefinitions.iter().map(|change| change.table.to_string()));
    for relation in schema.relations.iter().filter(|one| forecasts.iter().any(|forecast| forecast.relation == one.id)) {
        tables.insert(schema.child(relation).name.to_string());
        tables.extend(schema.parent(relation).map(|parent| parent.name.to_string()));
    }
    tables.retain(|name| schema.table(name).is_some());
    tables
}

/// A digest for each of these tables: of its definitions, and of the foreign keys that refer to it.
fn digests(
    schema: &Schema,
    definitions: &[Definition],
    scope: &Scope<'_>,
    tables: impl Iterator<Item = String>,
) -> Vec<TableDigest> {
    let before = redefinition::before(scope.redefinitions, definitions);
    let digest = |table: String| {
        let own = before.iter().filter(|definition| definition.table == table);
        let mut keys: Vec<String> = schema
            .relations
            .iter()
            .filter(|relation| schema.parent(relation).is_some_and(|parent| parent.name.to_string() == table))
            .filter(|relation| relation.origin == Origin::Declared && !is_redefined(relation, scope))
            .map(|relation| format!("{} {} {}", relation.id, relation.on_delete.name(), relation.on_update.name()))
            .collect();
        keys.sort();
        let texts = own.flat_map(Definition::parts).map(str::as_bytes);
        let all = texts.chain(keys.iter().map(String::as_bytes));
        TableDigest { digest: plan_file::digest(all), table }
    };
    tables.map(digest).collect()
}

/// The plan itself declares it, or takes it back.
fn is_redefined(relation: &Relation, scope: &Scope<'_>) -> bool {
    scope
        .redefinitions
        .iter()
        .any(|change| change.dropped.contains(&relation.id) || change.declared.contains(&relation.id))
}

/// One digest of all of them.
pub fn of_all(digests: &[TableDigest]) -> String {
    plan_file::digest(digests.iter().flat_map(|table| [table.table.as_bytes(), table.digest.as_bytes()]))
}

/// The tables of a plan that are not defined as they were. One without a name stands for the database as a whole.
pub(super) fn differing(schema: &Schema, definitions: &[Definition], header: &Header) -> Vec<String> {
    let scope = Scope::of(header);
    if header.tables.is_empty() && header.schema != of_all(&[]) {
        let whole = of_whole(definitions, &scope);
        return if whole == header.schema { Vec::new() } else { vec![String::new()] };
    }
    let tables = header.tables.iter().map(|table| table.table.clone());
    let now = digests(schema, definitions, &scope, tables);
    let differing = header.tables.iter().zip(now).filter(|(then, now)| **then != *now);
    differing.map(|(then, _)| then.table.clone()).collect()
}

/// A digest of all definitions but for the tables that the plan makes, as older versions took it.
fn of_whole(definitions: &[Definition], scope: &Scope<'_>) -> String {
    let own = |definition: &&Definition| !scope.creates.iter().any(|table| table.name.table == definition.table);
    let before = redefinition::before(scope.redefinitions, definitions);
    plan_file::digest(before.iter().filter(own).flat_map(Definition::parts).map(str::as_bytes))
}
