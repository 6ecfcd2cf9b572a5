//! Resolves the relations of a configuration against the tables of the database.
//!
//! A configured relation that is also declared narrows the declared relation, and no second relation is added.

use std::ops::Range;

use super::Action;
use super::ConfiguredRelation;
use super::Fault;
use super::Judge;
use super::Match;
use super::NameRule;
use super::Origin;
use super::Parent;
use super::Relation;
use super::Scope;
use super::Table;
use super::columns;
use super::flaws;
use super::parent_key;
use super::relation_id;
use crate::model::catalog::Comparison;
use crate::model::catalog::SqlType;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::facts::Equality;
use crate::model::ids::TableId;
use crate::model::pattern::Pattern;
use crate::model::text::nearest;

pub(super) fn add(
    names: NameRule,
    equality: Equality,
    tables: &Tables,
    configured: &[ConfiguredRelation],
    relations: &mut Vec<Relation>,
) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for (entry, request) in configured.iter().enumerate() {
        let children = children_of(names, tables, &request.child);
        let parent = match parent_of(names, tables, &request.parent) {
            Err(_) if request.parent_may_be_missing && table_of(names, tables, &request.parent).is_none() => Ok(None),
            parent => parent.map(Some),
        };
        match (children, parent) {
            (Ok(children), Ok(parent)) => {
                for (child, child_columns) in children {
                    let child = (child, child_columns);
                    let relation = match &parent {
                        Some(parent) => relation(tables, equality, request, child, parent.clone()),
                        None => without_parent(tables, request, child),
                    };
                    add_or_narrow(Relation { configured: Some(entry), ..relation }, relations);
                }
            }
            (children, parent) => faults.extend(children.err().into_iter().chain(parent.err())),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn add_or_narrow(relation: Relation, relations: &mut Vec<Relation>) {
    let declared = relations
        .iter_mut()
        .find(|known| known.origin == Origin::Declared && known.id == relation.id && known.scope.is_everything());
    match declared {
        Some(declared) => {
            declared.scope = relation.scope;
            declared.configured = relation.configured;
        }
        None => relations.push(relation),
    }
}

pub(super) fn relation(
    tables: &Tables,
    equality: Equality,
    request: &ConfiguredRelation,
    (child, child_columns): (TableId, Vec<usize>),
    (parent, parent_columns): (TableId, Vec<usize>),
) -> Relation {
    let parent_table = &tables[parent];
    let mut defects = Vec::new();
    let (comparisons, incomparable) = match comparisons(&tables[child], &child_columns, parent_table, &parent_columns) {
        Ok(comparisons) => (comparisons, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    columns::compare(
        &tables[child],
        &child_columns,
        parent_table,
        &parent_columns,
        &comparisons,
        equality,
        &mut defects,
    );
    flaws::not_enforceable(&tables[child], &mut defects);
    let parent = Parent {
        name: parent_table.name.clone(),
        column_names: parent_columns.iter().map(|&column| parent_table.columns[column].name.clone()).collect(),
        table: Some(parent),
        key: parent_table.indexes.iter().position(|index| index.is_key_of(&parent_columns)),
        columns: parent_columns,
    };
    let judge = match incomparable {
        Some(why) => Judge::Incomparable(why),
        None => Judge::Values(
            "it is configured, so the engine does not enforce it; the values are compared as in a foreign key"
                .to_owned(),
        ),
    };
    let relation = between(tables, request, (child, child_columns), parent, judge);
    Relation { comparisons, defects, ..relation }
}

/// Returns a relation without comparisons and defects.
fn between(
    tables: &Tables,
    request: &ConfiguredRelation,
    (child, child_columns): (TableId, Vec<usize>),
    parent: Parent,
    judge: Judge,
) -> Relation {
    let text = |part: &Option<Spanned<String>>| part.as_ref().map(|part| part.value.clone());
    Relation {
        id: relation_id(&tables[child], &child_columns, &parent),
        name: None,
        origin: Origin::Configured,
        configured: None,
        child,
        child_columns,
        parent,
        on_delete: Action::NoAction,
        on_delete_columns: Vec::new(),
        on_update: Action::NoAction,
        match_rule: Match::Simple,
        deferrable: false,
        comparisons: Vec::new(),
        scope: Scope {
            condition: text(&request.condition),
            ignored: request.ignored.iter().map(|key| key.value.clone()).collect(),
            soft_deleted: text(&request.soft_deleted),
            partial: None,
        },
        judge,
        defects: Vec::new(),
    }
}

/// Returns a relation whose parent table does not exist.
fn without_parent(tables: &Tables, request: &ConfiguredRelation, child: (TableId, Vec<usize>)) -> Relation {
    let wanted = &request.parent.value;
    let name = TableName { schema: None, table: wanted.table.clone() };
    let defect = parent_key::missing_table(&name, "correct the relation where it is configured");
    let parent = Parent { name, column_names: wanted.columns.clone(), table: None, columns: Vec::new(), key: None };
    let mut relation = between(tables, request, child, parent, Judge::NoParent);
    // A condition over the parent has no rows to select.
    relation.scope.soft_deleted = None;
    relation.defects.push(defect);
    relation
}

/// Returns the comparisons of the columns, on a server whose types are in schemas. Different types that are not both
/// built in would need a conversion that a user wrote, and a scan does not run such code.
fn comparisons(
    child: &Table,
    child_columns: &[usize],
    parent: &Table,
    parent_columns: &[usize],
) -> Result<Vec<Comparison>, String> {
    let pairs = child_columns.iter().zip(parent_columns).map(|(&c, &p)| (&child.columns[c], &parent.columns[p]));
    let pairs =
        pairs.filter_map(|(left, right)| Some((left, right, left.sql_type.as_ref()?, right.sql_type.as_ref()?)));
    pairs
        .map(|(left, right, child_type, parent_type)| {
            let built_in = |of: &SqlType| of.base.schema == "pg_catalog";
            if child_type.base != parent_type.base && !(built_in(child_type) && built_in(parent_type)) {
                return Err(format!(
                    "{} is {} and {} is {}, which cannot be compared",
                    left.name, left.declared_type, right.name, right.declared_type
                ));
            }
            Ok(Comparison {
                operator: parent_type.equality.clone(),
                parent_type: None,
                child_type: None,
                collation: parent_type.collation.clone(),
            })
        })
        .collect()
}

/// Returns the child with its columns. If the child is a glob, returns every table that matches and has the columns.
fn children_of(
    names: NameRule,
    tables: &Tables,
    wanted: &Spanned<SideName>,
) -> Result<Vec<(TableId, Vec<usize>)>, Fault> {
    if !wanted.value.table.contains(['*', '?', '[']) {
        return parent_of(names, tables, wanted).map(|side| vec![side]);
    }
    let pattern = Pattern::new(&wanted.value.table).map_err(|message| fault(&wanted.span, message, None))?;
    let found: Vec<(TableId, Vec<usize>)> = tables
        .entries()
        .filter(|(_, table)| pattern.matches(&table.name.to_string()))
        .filter_map(|(position, table)| Some((position, columns_of(names, table, &wanted.value.columns).ok()?)))
        .collect();
    if found.is_empty() {
        let message = format!(
            "no table that matches {} has the column(s) {}",
            wanted.value.table,
            wanted.value.columns.join(", ")
        );
        return Err(fault(&wanted.span, message, Some("remove the relation, or widen the glob".to_owned())));
    }
    Ok(found)
}

fn parent_of(names: NameRule, tables: &Tables, wanted: &Spanned<SideName>) -> Result<(TableId, Vec<usize>), Fault> {
    let Some(position) = table_of(names, tables, wanted) else {
        let known: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
        let near = nearest(&wanted.value.table, known.iter().map(String::as_str));
        let help = near.map(|near| format!("did you mean {near}?"));
        return Err(fault(&wanted.span, format!("there is no table {}", wanted.value.table), help));
    };
    let table = &tables[position];
    match columns_of(names, table, &wanted.value.columns) {
        Ok(columns) => Ok((position, columns)),
        Err(missing) => {
            let near = nearest(missing, table.columns.iter().map(|column| column.name.as_str()));
            let help = near.map(|near| format!("did you mean {near}?"));
            Err(fault(&wanted.span, format!("{} has no column {missing}", table.name), help))
        }
    }
}

/// Returns the tables that the relations name and the database does not have, sorted, if it has no table that they name
/// or might mean. The relations are then for another database.
pub(super) fn foreign_tables(names: NameRule, tables: &Tables, configured: &[ConfiguredRelation]) -> Vec<String> {
    let known: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
    let is_glob = |name: &str| name.contains(['*', '?', '[']);
    let children = configured.iter().map(|relation| &relation.child.value.table).filter(|name| !is_glob(name));
    let named = children.chain(configured.iter().map(|relation| &relation.parent.value.table));
    let mut absent: Vec<String> = Vec::new();
    for name in named {
        let is_known = known.iter().any(|known| names.same(known, name));
        if is_known || nearest(name, known.iter().map(String::as_str)).is_some() {
            return Vec::new();
        }
        absent.push(name.clone());
    }
    absent.sort_unstable();
    absent.dedup();
    absent
}

fn columns_of<'a>(names: NameRule, table: &Table, wanted: &'a [String]) -> Result<Vec<usize>, &'a str> {
    wanted.iter().map(|name| super::column(names, table, name).ok_or(name.as_str())).collect()
}

fn table_of(names: NameRule, tables: &Tables, wanted: &Spanned<SideName>) -> Option<TableId> {
    tables.position(|table| table.name.is_written(&wanted.value.table, names))
}

fn fault(span: &Range<usize>, message: String, help: Option<String>) -> Fault {
    Fault { span: span.clone(), message, help }
}
