//! Columns that lose NOT NULL when a table is relaxed. They are the columns of its foreign keys, and columns that a rule names
//! although their foreign keys were dropped before.

use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::ids::RuleId;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::rule::Nullable;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::schema::Schema;
use crate::model::text;
use crate::sql::redefine::NullableColumn;
use crate::sql::redefine::RelaxRequest;
use crate::treat::assign::Assigned;

/// Returns the columns of a table that become nullable, each with its rule. Columns of the primary key are left out.
pub(super) fn columns<'a>(
    schema: &Schema,
    rules: &'a Rules,
    assigned: &Assigned,
    position: TableId,
    requested: &[RelaxRequest<'a>],
) -> Vec<NullableColumn<'a>> {
    let table = &schema.tables[position];
    let by_relation = |column: usize| {
        let applies = |request: &&RelaxRequest<'_>| match request.nullable {
            Nullable::Key => request.relation.child_columns.contains(&column),
            Nullable::Columns(names) => {
                names.iter().any(|name| schema.names.same(&name.value, &table.columns[column].name))
            }
            Nullable::AsBefore => false,
        };
        requested.iter().find(applies).map(|request| request.rule)
    };
    let by_name = |column: usize| {
        let applies = |rule: RuleId| {
            let is_of_another = |relation: RelationId| {
                let about = &schema.relations[relation];
                about.child == position && about.child_columns.contains(&column) && assigned[relation] != Some(rule)
            };
            names(schema, &rules[rule], table, &table.columns[column].name)
                && !schema.relations.ids().any(is_of_another)
        };
        rules.ids().find(|&rule| applies(rule)).map(|rule| rules[rule].id.value.as_str())
    };
    let free = (0..table.columns.len()).filter(|column| !table.primary_key.contains(column));
    free.filter_map(|column| {
        by_relation(column).or_else(|| by_name(column)).map(|rule| NullableColumn { column, rule })
    })
    .collect()
}

/// True if a rule makes this column of this table nullable. The column needs no declared foreign key. A pattern with a
/// wildcard for the table or for all columns names no column.
fn names(schema: &Schema, rule: &Rule, table: &Table, column: &str) -> bool {
    let Some((of, columns)) = sides(rule).filter(|(of, _)| table.name.is_written(of, schema.names)) else {
        return false;
    };
    match rule.relaxes() {
        Some(Nullable::Columns(names)) => names.iter().any(|name| schema.names.same(&name.value, column)),
        Some(Nullable::Key) if columns.trim() != "*" => {
            rule.child.value.matches(&format!("{of}({column})"))
                || columns.split(',').any(|name| schema.names.same(name.trim(), column))
        }
        _ => false,
    }
}

/// Returns the table that a rule names without a wildcard, and the rule's text for the columns.
fn sides(rule: &Rule) -> Option<(&str, &str)> {
    let (table, columns) = rule.child.value.as_str().strip_suffix(')')?.rsplit_once('(')?;
    (!table.contains(['*', '?', '['])).then_some((table, columns))
}

fn is_declared(relation: &Relation, child: TableId) -> bool {
    relation.origin == Origin::Declared && relation.child == child
}

/// Returns warnings about rules for all foreign keys of a table that has none any more. Each names the columns that
/// stay NOT NULL.
pub(super) fn unknown(schema: &Schema, rules: &Rules) -> Vec<String> {
    let mut unknown = Vec::new();
    for rule in rules.iter().filter(|rule| matches!(rule.relaxes(), Some(Nullable::Key))) {
        let Some((of, _)) = sides(rule).filter(|(_, columns)| columns.trim() == "*") else { continue };
        let position = schema.table(of);
        let Some(position) =
            position.filter(|position| !schema.relations.iter().any(|other| is_declared(other, *position)))
        else {
            continue;
        };
        let table = &schema.tables[position];
        let columns = table.columns.iter().enumerate();
        let is_fixed = |position: &usize| !table.primary_key.contains(position) && table.columns[*position].not_null;
        let fixed: Vec<&str> =
            columns.filter(|(position, _)| is_fixed(position)).map(|(_, column)| column.name.as_str()).collect();
        if !fixed.is_empty() {
            let quoted: Vec<String> = fixed.iter().map(|name| format!("\"{}\"", text::visible(name))).collect();
            unknown.push(format!(
                "{of} has no foreign keys any more, so the rule `{}` does not know their columns, and NOT NULL stays on {}: \
                 name the columns that may be NULL, as in nullable = [{}]",
                rule.id.value,
                fixed.join(", "),
                quoted.join(", ")
            ));
        }
    }
    unknown
}
