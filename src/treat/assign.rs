//! Assigns a rule to each relation. A rule that names its relation has priority over a rule with a wildcard.

use crate::model::catalog::Table;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::RuleId;
use crate::model::pattern::Pattern;
use crate::model::rule::Nullable;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::schema::Schema;
use crate::model::text::nearest;

/// The rule of each relation, if it has one.
pub type Assigned = IdVec<RelationId, Option<RuleId>>;

/// Returns the rule of every relation, and the faults of the assignment, each with the rule at fault.
pub fn assign(schema: &Schema, rules: &Rules) -> (Assigned, Vec<(RuleId, Fault)>) {
    let mut faults = Vec::new();
    for (id, rule) in rules.entries().filter(|(_, rule)| rule.repoints().is_none()) {
        let treats_any = || schema.relations.iter().any(|relation| rule.applies_to(schema, relation));
        if is_exact(rule) && !treats_any() && !is_relaxed_already(schema, rule) {
            faults.push((id, treats_nothing(schema, rule)));
        }
        if !treats_any() {
            faults.extend(unknown_columns(schema, rule).into_iter().map(|fault| (id, fault)));
        }
    }
    let assigned = schema.relations.iter().map(|relation| {
        let is_for_relations = |&rule: &RuleId| rules[rule].repoints().is_none();
        let applicable = rules.ids().filter(is_for_relations);
        let applicable: Vec<RuleId> = applicable.filter(|&rule| rules[rule].applies_to(schema, relation)).collect();
        let exact: Vec<RuleId> = applicable.iter().copied().filter(|&rule| is_exact(&rules[rule])).collect();
        if let [first, second, ..] = exact[..] {
            let (first, span) = (&rules[first].id.value, rules[second].child.span.clone());
            let message = format!("`{first}` already treats {}", relation.id);
            let help = Some("remove one of the two rules, or put the treatments of both into one".to_owned());
            faults.push((second, Fault { span, message, help }));
        }
        exact.first().or(applicable.first()).copied()
    });
    let assigned = assigned.collect();
    (assigned, faults)
}

fn is_exact(rule: &Rule) -> bool {
    let plain = |pattern: &Spanned<Pattern>| !pattern.value.as_str().contains(['*', '?', '[']);
    plain(&rule.child) && rule.parent.as_ref().is_none_or(plain)
}

/// True if the table and its columns exist, so that only their foreign key is missing. The columns may still be NOT NULL.
fn is_relaxed_already(schema: &Schema, rule: &Rule) -> bool {
    let Some((table, columns)) = relaxed_table(schema, rule) else { return false };
    columns.split(',').all(|name| has_column(schema, table, name.trim()))
}

/// Returns the table that a rule relaxes, and the rule's text for its columns.
fn relaxed_table<'a>(schema: &'a Schema, rule: &'a Rule) -> Option<(&'a Table, &'a str)> {
    rule.relaxes()?;
    let (table, columns) = rule.child.value.as_str().trim_end_matches(')').rsplit_once('(')?;
    Some((&schema.tables[schema.table(table)?], columns))
}

fn has_column(schema: &Schema, table: &Table, name: &str) -> bool {
    table.columns.iter().any(|column| schema.names.same(&column.name, name))
}

/// Reports columns of `nullable` that the table lacks. If the rule treats a relation, `check` reports them.
fn unknown_columns(schema: &Schema, rule: &Rule) -> Vec<Fault> {
    let (Some((table, _)), Some(Nullable::Columns(columns))) = (relaxed_table(schema, rule), rule.relaxes()) else {
        return Vec::new();
    };
    let unknown = columns.iter().filter(|column| !has_column(schema, table, &column.value));
    let fault = |column: &Spanned<String>| {
        let near = nearest(&column.value, table.columns.iter().map(|known| known.name.as_str()));
        Fault {
            span: column.span.clone(),
            message: format!("{} has no column {}", table.name, column.value),
            help: near.map(|near| format!("did you mean {near}?")),
        }
    };
    unknown.map(fault).collect()
}

fn treats_nothing(schema: &Schema, rule: &Rule) -> Fault {
    let named = match &rule.parent {
        Some(parent) => format!("{}->{}", rule.child.value.as_str(), parent.value.as_str()),
        None => rule.child.value.as_str().to_owned(),
    };
    let ids: Vec<&str> = schema.relations.iter().map(|relation| relation.id.as_str()).collect();
    let sides = ids.iter().map(|id| if rule.parent.is_some() { id } else { id.split("->").next().unwrap_or(id) });
    let help = match nearest(&named, sides) {
        Some(near) => format!("did you mean {near}? `fk-doctor schema DB` lists all relations"),
        None => {
            "`fk-doctor schema DB` lists all relations; to add one that is not declared, describe it in fk-doctor.toml"
                .to_owned()
        }
    };
    Fault { span: rule.child.span.clone(), message: format!("the database has no relation {named}"), help: Some(help) }
}
