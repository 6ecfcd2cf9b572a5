//! Finds the rules that come with the program and can repair a database. A rule is advised only if `repair` accepts it.

use std::collections::BTreeSet;

use super::rule_files;
use crate::engine::Session;
use crate::model::examination::Examination;
use crate::model::ids::RelationId;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::schema::Schema;
use crate::sql;
use crate::treat;

/// Returns the ids of the relations with orphans that a shipped rule names and can treat, each with the name of the rule. A rule
/// for any table, such as `*`, names none.
pub(super) fn for_orphans(examination: &Examination, session: &mut dyn Session) -> Vec<(String, String)> {
    // The rules are parsed only for a scan that has a use for them.
    let orphans = examination.open_findings().filter(|finding| finding.code.is_orphan());
    let sick: BTreeSet<RelationId> = orphans.map(|finding| finding.relation).collect();
    if sick.is_empty() {
        return Vec::new();
    }
    let schema = &examination.schema;
    // Most databases have none of these tables.
    let has_table = |name: &str| schema.tables.iter().any(|table| ends_with(name, &table.name.table));
    let named = |rule: &Rule| rule.named_table().is_some_and(has_table);
    let mut found = Vec::new();
    for (name, rule) in rule_files::shipped().into_iter().filter(|(_, rule)| named(rule)) {
        let treated = sick.iter().map(|id| &schema.relations[*id]).filter(|relation| rule.applies_to(schema, relation));
        let treated: Vec<String> = treated.map(|relation| relation.id.clone()).collect();
        if !treated.is_empty() && is_accepted(rule, schema, session) {
            found.extend(treated.into_iter().map(|id| (id, name.to_owned())));
        }
    }
    found
}

/// True if every table, column and statement of a rule exists and compiles in this database.
fn is_accepted(rule: Rule, schema: &Schema, session: &mut dyn Session) -> bool {
    let Some(repair_sql) = sql::repair::of(schema) else { return false };
    let rules: Rules = [rule].into_iter().collect();
    let (assigned, faults) = treat::assign::assign(schema, &rules);
    faults.is_empty()
        && treat::check::check(schema, &rules, &assigned, repair_sql, session).is_ok_and(|faults| faults.is_empty())
}

/// True if a name ends with another, in any case. A table's name can follow the name of its schema.
fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|start| name.get(start..)).is_some_and(|rest| rest.eq_ignore_ascii_case(end))
}
