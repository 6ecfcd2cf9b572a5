//! The new definitions for `relax` and `enforce` on SQLite: the text of CREATE TABLE, edited by SQLite's own grammar,
//! and an index on the child.

use crate::model::catalog::Action;
use crate::model::catalog::Table;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::quoted;
use crate::sql::read::create_table::CreateTable;
use crate::sql::read::create_table::Reference;
use crate::sql::redefine::EnforceRequest;
use crate::sql::redefine::NullableColumn;
use crate::sql::redefine::RelaxRequest;
use crate::sql::redefine::free_name;
use crate::sql::redefine::text_of;

pub(super) fn relax(
    schema: &Schema,
    table: &Table,
    requests: &[RelaxRequest<'_>],
    nullable_columns: &[NullableColumn<'_>],
    definitions: &[Definition],
) -> Result<Option<Redefinition>, String> {
    let text = text_of(definitions, "table", &table.name.table, &table.name.table).ok_or(NO_TABLE)?;
    let parsed = CreateTable::parse(text).ok_or(NO_TABLE)?;
    let is_dropped = |reference: &Reference| requests.iter().any(|request| is_of(schema, reference, request.relation));
    let found = parsed.references.iter().filter(|reference| is_dropped(reference)).count();
    if found != requests.len() {
        return Err("its definition does not have the foreign keys that SQLite lists for it".to_owned());
    }
    let is_nullable = |column: &str| {
        nullable_columns.iter().any(|nullable| schema.names.same(&table.columns[nullable.column].name, column))
    };
    let mut nullable: Vec<String> =
        parsed.not_null_columns().filter(|column| is_nullable(column)).map(str::to_owned).collect();
    nullable.dedup();
    if requests.is_empty() && nullable.is_empty() {
        return Ok(None);
    }
    let rule = requests
        .first()
        .map(|request| request.rule)
        .or(nullable_columns.first().map(|nullable| nullable.rule))
        .unwrap_or_default();
    Ok(Some(Redefinition {
        before: Some(text.to_owned()),
        after: Some(parsed.without(&is_dropped, &is_nullable)),
        dropped: requests.iter().map(|request| request.relation.id.clone()).collect(),
        nullable,
        ..table_change(table, rule, "relax")
    }))
}

pub(super) fn enforce(
    schema: &Schema,
    request: &EnforceRequest<'_>,
    definitions: &[Definition],
) -> Result<Vec<Redefinition>, String> {
    let relation = request.relation;
    let table = schema.child(relation);
    let text = text_of(definitions, "table", &table.name.table, &table.name.table).ok_or(NO_TABLE)?;
    let parsed = CreateTable::parse(text).ok_or(NO_TABLE)?;
    let names = |names: &mut dyn Iterator<Item = &str>| names.map(quoted).collect::<Vec<_>>().join(", ");
    let columns = names(&mut schema.child_column_names(relation));
    let parent = names(&mut schema.parent_columns(relation).map(|column| column.name.as_str()));
    let mut clause = format!("FOREIGN KEY ({columns}) REFERENCES {}({parent})", quoted(&relation.parent.name.table));
    clause.push_str(&request.actions(&[Action::NoAction]));
    let declared = vec![relation.id.clone()];
    let mut changes = vec![Redefinition {
        before: Some(text.to_owned()),
        after: Some(parsed.with(&clause)),
        declared: declared.clone(),
        ..table_change(table, request.rule, "enforce")
    }];
    if request.needs_index {
        let plain: Vec<&str> = schema.child_column_names(relation).collect();
        let name = free_name(&format!("{}_{}", table.name.table, plain.join("_")), definitions);
        let text = format!("CREATE INDEX {} ON {}({columns})", quoted(&name), quoted(&table.name.table));
        let index = Redefinition::new(DefinitionKind::Index, &name, &table.name, request.rule, "enforce");
        changes.push(Redefinition { after: Some(text), ..index });
    }
    Ok(changes)
}

const NO_TABLE: &str = "its definition is not a CREATE TABLE with a list of columns";

/// Returns a change of the table's own definition, without its texts.
fn table_change(table: &Table, rule: &str, treatment: &str) -> Redefinition {
    Redefinition::new(DefinitionKind::Table, &table.name.table, &table.name, rule, treatment)
}

/// True if a reference of the definition is this relation.
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
