//! Digests of the definitions that a plan depends on: of the tables that it changes or reads, and of their indexes, triggers and
//! foreign keys. A plan is applied only if these definitions are unchanged. Other definitions may change.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::engine::Session;
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
use crate::model::state;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::plan_file;
use crate::sql::repair::Repair;

/// The definitions that a plan creates or changes.
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

/// Returns the tables whose rows or definitions change, and both tables of every relation with a forecast.
fn touched(
    schema: &Schema,
    changes: &[TableChanges],
    forecasts: &[OrphanForecast],
    redefinitions: &[Redefinition],
) -> BTreeSet<String> {
    let mut tables: BTreeSet<String> = changes.iter().map(|table| table.table.clone()).collect();
    tables.extend(redefinitions.iter().map(|change| change.table.to_string()));
    let forecasts: HashSet<&str> = forecasts.iter().map(|forecast| forecast.relation.as_str()).collect();
    for relation in schema.relations.iter().filter(|relation| forecasts.contains(relation.id.as_str())) {
        tables.insert(schema.child(relation).name.to_string());
        tables.extend(schema.parent(relation).map(|parent| parent.name.to_string()));
    }
    tables.retain(|name| schema.table(name).is_some());
    tables
}

/// Returns a digest for each of these tables, of its definitions and of the foreign keys that refer to it.
fn digests(
    schema: &Schema,
    definitions: &[Definition],
    scope: &Scope<'_>,
    tables: impl Iterator<Item = String>,
) -> Vec<TableDigest> {
    let before = redefinition::before(scope.redefinitions, definitions);
    let mut own: HashMap<&str, Vec<&Definition>> = HashMap::new();
    for definition in &before {
        own.entry(&definition.table).or_default().push(definition);
    }
    let mut keys: HashMap<String, Vec<String>> = HashMap::new();
    for relation in schema.relations.iter().filter(|relation| relation.origin == Origin::Declared) {
        if let Some(parent) = schema.parent(relation).filter(|_| !is_redefined(relation, scope)) {
            let key = format!("{} {} {}", relation.id, relation.on_delete.name(), relation.on_update.name());
            keys.entry(parent.name.to_string()).or_default().push(key);
        }
    }
    keys.values_mut().for_each(|keys| keys.sort());
    let digest = |table: String| {
        let own = own.get(table.as_str()).into_iter().flatten();
        let keys = keys.get(&table).into_iter().flatten();
        let texts = own.flat_map(|definition| definition.parts()).map(str::as_bytes);
        let all = texts.chain(keys.map(String::as_bytes));
        TableDigest { digest: plan_file::digest(all), table }
    };
    tables.map(digest).collect()
}

/// True if the plan itself declares or drops the relation.
fn is_redefined(relation: &Relation, scope: &Scope<'_>) -> bool {
    scope
        .redefinitions
        .iter()
        .any(|change| change.dropped.contains(&relation.id) || change.declared.contains(&relation.id))
}

/// Returns one digest of all tables.
pub fn of_all(digests: &[TableDigest]) -> String {
    plan_file::digest(digests.iter().flat_map(|table| [table.table.as_bytes(), table.digest.as_bytes()]))
}

/// Returns a digest of the record of plans, so that a plan that is made again is another plan. Empty if no plan is recorded, or
/// if this session may not read the record.
pub fn of_record(schema: &Schema, sql: &dyn Repair, session: &mut dyn Session) -> String {
    let Some(table) = schema.table(state::TABLE) else { return String::new() };
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let query = sql.all_rows(&schema.tables[table], &["plan", "number"]);
    let outcome = session.each_row(&query, &mut |row| entries.push(exact_bytes(row)));
    if outcome.is_err() || entries.is_empty() {
        return String::new();
    }
    entries.sort();
    plan_file::digest(entries.iter().map(Vec::as_slice))
}

/// Returns the tables of a plan whose definitions changed. An empty name stands for the whole database.
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

/// Returns a digest of all definitions except those of tables that the plan creates. Plans of older versions contain it.
fn of_whole(definitions: &[Definition], scope: &Scope<'_>) -> String {
    let own = |definition: &&Definition| !scope.creates.iter().any(|table| table.name.table == definition.table);
    let before = redefinition::before(scope.redefinitions, definitions);
    plan_file::digest(before.iter().filter(own).flat_map(Definition::parts).map(str::as_bytes))
}
