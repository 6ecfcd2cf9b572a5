//! Rules that relax → the tables whose definitions change. A relation that is not declared any more has no orphans; its
//! rows, and everything else of its table, stay as they are.

use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::create_table::CreateTable;
use crate::model::create_table::Reference;
use crate::model::plan::Redefinition;
use crate::model::prospect::Refusal;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::rule::Nullable;
use crate::model::rule::Rule;
use crate::model::schema::Schema;

/// Whether a relation is not declared any more once its rule is applied.
pub fn is_relaxed(relation: &Relation, rule: Option<&Rule>) -> bool {
    relation.origin == Origin::Declared && rule.is_some_and(|rule| rule.relaxes().is_some())
}

/// What changes, and what cannot be changed and why. A definition is its kind, name, table and text.
pub fn redefinitions(
    schema: &Schema,
    rules: &[Rule],
    assigned: &[Option<usize>],
    definitions: &[[String; 4]],
) -> (Vec<Redefinition>, Vec<Refusal>) {
    let mut changes = Vec::new();
    let mut refusals = Vec::new();
    for (position, table) in schema.tables.iter().enumerate().filter(|(_, table)| table.kind == TableKind::Table) {
        let relaxed: Vec<(&Relation, &Rule)> = schema
            .relations
            .iter()
            .zip(assigned)
            .filter(|(relation, _)| relation.child == position)
            .filter_map(|(relation, rule)| Some((relation, &rules[(*rule)?])))
            .filter(|(relation, rule)| is_relaxed(relation, Some(rule)))
            .collect();
        let Some((first, rule)) = relaxed.first() else { continue };
        let text = definitions.iter().find(|[kind, name, ..]| kind == "table" && *name == table.name.table);
        let text = text.filter(|_| schema.database.engine == Engine::Sqlite);
        match text.ok_or("only SQLite's are, so far").and_then(|[.., text]| relax(schema, table, text, &relaxed)) {
            Ok(change) => changes.push(change),
            Err(why) => refusals.push(Refusal {
                rule: rule.id.value.clone(),
                relation: first.id.clone(),
                why: format!("the definition of {} cannot be changed: {why}", table.name),
                help: "nothing was written: change the definition by hand, and tell us of it".to_owned(),
            }),
        }
    }
    (changes, refusals)
}

fn relax(
    schema: &Schema,
    table: &Table,
    text: &str,
    relaxed: &[(&Relation, &Rule)],
) -> Result<Redefinition, &'static str> {
    let parsed = CreateTable::parse(text).ok_or("it is no CREATE TABLE with columns")?;
    let is_dropped = |reference: &Reference| relaxed.iter().any(|(relation, _)| is_of(schema, reference, relation));
    let found = parsed.references.iter().filter(|reference| is_dropped(reference)).count();
    if found != relaxed.len() {
        return Err("its foreign keys are not those that SQLite reads from it");
    }
    let same = |left: &str, right: &str| schema.names.same(left, right);
    let wanted = |column: &str| {
        relaxed.iter().any(|(relation, rule)| match rule.relaxes() {
            Some(Nullable::Key) => schema.child_column_names(relation).any(|name| same(name, column)),
            Some(Nullable::Columns(columns)) => columns.iter().any(|name| same(&name.value, column)),
            Some(Nullable::AsBefore) | None => false,
        })
    };
    // A key may not be NULL, whatever is said of its columns.
    let is_key = |column: &str| table.primary_key.iter().any(|&key| same(&table.columns[key].name, column));
    let is_nullable = |column: &str| wanted(column) && !is_key(column);
    let mut nullable: Vec<String> =
        parsed.not_null_columns().filter(|column| is_nullable(column)).map(str::to_owned).collect();
    nullable.dedup();
    let after = parsed.without(&is_dropped, &is_nullable);
    Ok(Redefinition {
        table: table.name.clone(),
        before: text.to_owned(),
        after,
        dropped: relaxed.iter().map(|(relation, _)| relation.id.clone()).collect(),
        nullable,
        rule: relaxed.first().map_or_else(String::new, |(_, rule)| rule.id.value.clone()),
        treatment: "relax".to_owned(),
    })
}

fn is_of(schema: &Schema, reference: &Reference, relation: &Relation) -> bool {
    let same = |left: &[String], right: &mut dyn Iterator<Item = &str>| {
        let right: Vec<&str> = right.collect();
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| schema.names.same(left, right))
    };
    same(&reference.columns, &mut schema.child_column_names(relation))
        && schema.names.same(&reference.parent, &relation.parent.name.table)
        && (reference.parent_columns.is_empty()
            || same(&reference.parent_columns, &mut relation.parent.column_names.iter().map(String::as_str)))
}
