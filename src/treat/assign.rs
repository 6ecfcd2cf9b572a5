//! Which rule treats which relation. A rule that names its relation goes before one that speaks of many.

use crate::model::configured::At;
use crate::model::configured::Fault;
use crate::model::pattern::Pattern;
use crate::model::rule::Rule;
use crate::model::schema::Schema;
use crate::model::text::nearest;

/// The rule of every relation, and what is wrong with the rules as far as that goes: with each fault the position of its
/// rule.
pub fn assign(schema: &Schema, rules: &[Rule]) -> (Vec<Option<usize>>, Vec<(usize, Fault)>) {
    let mut faults = Vec::new();
    for (position, rule) in rules.iter().enumerate() {
        let treats_any = || schema.relations.iter().any(|relation| rule.speaks_of(schema, relation));
        if is_exact(rule) && !treats_any() && !is_relaxed_already(schema, rule) {
            faults.push((position, treats_nothing(schema, rule)));
        }
    }
    let assigned = schema.relations.iter().map(|relation| {
        let speaking: Vec<usize> = (0..rules.len()).filter(|&rule| rules[rule].speaks_of(schema, relation)).collect();
        let exact: Vec<usize> = speaking.iter().copied().filter(|&rule| is_exact(&rules[rule])).collect();
        if let [first, second, ..] = exact[..] {
            let (first, place) = (&rules[first].id.value, rules[second].child.place.clone());
            let message = format!("`{first}` already treats {}", relation.id);
            let help = Some("remove one of the two rules, or put the treatments of both into one".to_owned());
            faults.push((second, Fault { place, message, help }));
        }
        exact.first().or(speaking.first()).copied()
    });
    let assigned = assigned.collect();
    (assigned, faults)
}

fn is_exact(rule: &Rule) -> bool {
    let plain = |pattern: &At<Pattern>| !pattern.value.as_str().contains(['*', '?', '[']);
    plain(&rule.child) && rule.parent.as_ref().is_none_or(plain)
}

/// The table and its columns are there, and refer to nothing: as they should.
fn is_relaxed_already(schema: &Schema, rule: &Rule) -> bool {
    let side = rule.child.value.as_str().trim_end_matches(')').rsplit_once('(');
    let (Some(_), Some((table, columns))) = (rule.relaxes(), side) else { return false };
    let table = schema.tables.iter().find(|known| schema.names.same(&known.name.to_string(), table));
    table.is_some_and(|table| {
        let is_column = |name: &str| table.columns.iter().any(|column| schema.names.same(&column.name, name.trim()));
        columns.split(',').all(is_column)
    })
}

fn treats_nothing(schema: &Schema, rule: &Rule) -> Fault {
    let wanted = match &rule.parent {
        Some(parent) => format!("{}->{}", rule.child.value.as_str(), parent.value.as_str()),
        None => rule.child.value.as_str().to_owned(),
    };
    let ids: Vec<&str> = schema.relations.iter().map(|relation| relation.id.as_str()).collect();
    let sides = ids.iter().map(|id| if rule.parent.is_some() { id } else { id.split("->").next().unwrap_or(id) });
    let help = match nearest(&wanted, sides) {
        Some(near) => format!("did you mean {near}? `fk-doctor schema DB` lists all relations"),
        None => {
            "`fk-doctor schema DB` lists all relations; one that is not declared belongs into fk-doctor.toml".to_owned()
        }
    };
    Fault {
        place: rule.child.place.clone(),
        message: format!("the database has no relation {wanted}"),
        help: Some(help),
    }
}
