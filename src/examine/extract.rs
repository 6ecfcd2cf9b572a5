//! Narrows a schema to the surroundings of some tables, for `schema --table`.

use std::collections::BTreeMap;

use crate::examine::error::ExamineError;
use crate::examine::select::must_match;
use crate::model::catalog::Table;
use crate::model::ids::IdVec;
use crate::model::ids::TableId;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Omitted;
use crate::model::schema::Schema;

/// Returns the tables that match and those up to `steps` relations away, with all relations between them. Without `steps`
/// it returns the relations of the tables that match, and both tables of each, as a scan with `--table` does. An empty
/// list of patterns selects everything; a pattern that matches nothing is an error.
pub fn extract(schema: Schema, patterns: &[Pattern], steps: Option<usize>) -> Result<Schema, ExamineError> {
    if patterns.is_empty() {
        return Ok(schema);
    }
    let nodes = Nodes::of(&schema);
    let known: Vec<String> = nodes.names.iter().flatten().cloned().collect();
    for pattern in patterns {
        must_match("--table", pattern, &known, "the tables are")?;
    }
    let matches = |names: &Vec<String>| patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)));
    let mut is_near: Vec<bool> = nodes.names.iter().map(matches).collect();
    for _ in 0..steps.unwrap_or(0) {
        let before = is_near.clone();
        for &(child, parent) in &nodes.ends {
            is_near[child] |= before[parent];
            is_near[parent] |= before[child];
        }
        if is_near == before {
            break;
        }
    }
    let is_wanted = |&(child, parent): &(usize, usize)| match steps {
        Some(_) => is_near[child] && is_near[parent],
        None => is_near[child] || is_near[parent],
    };
    let wanted: Vec<bool> = nodes.ends.iter().map(is_wanted).collect();
    let mut is_kept = is_near.clone();
    for (&(child, parent), _) in nodes.ends.iter().zip(&wanted).filter(|(_, wanted)| **wanted) {
        (is_kept[child], is_kept[parent]) = (true, true);
    }
    Ok(narrowed(schema, &is_kept, &wanted))
}

/// The tables of a schema by position, then the parents that do not exist.
struct Nodes {
    /// The name of each, and those of its partitions.
    names: Vec<Vec<String>>,
    /// The child and the parent of each relation.
    ends: Vec<(usize, usize)>,
}

impl Nodes {
    fn of(schema: &Schema) -> Nodes {
        let all = |table: &Table| [&table.name].into_iter().chain(&table.partitions).map(ToString::to_string).collect();
        let mut names: Vec<Vec<String>> = schema.tables.iter().map(all).collect();
        let mut missing: BTreeMap<String, usize> = BTreeMap::new();
        let mut ends = Vec::new();
        for relation in &schema.relations {
            let parent = match relation.parent.table {
                Some(table) => table.index(),
                None => *missing.entry(relation.parent.name.to_string()).or_insert_with_key(|name| {
                    names.push(vec![name.clone()]);
                    names.len() - 1
                }),
            };
            ends.push((relation.child.index(), parent));
        }
        Nodes { names, ends }
    }
}

fn narrowed(schema: Schema, is_kept: &[bool], wanted: &[bool]) -> Schema {
    let before = Omitted { tables: schema.user_tables().count(), relations: schema.relations.len() };
    let mut tables = IdVec::new();
    let mut ids: Vec<Option<TableId>> = Vec::new();
    for (table, is_kept) in schema.tables.into_iter().zip(is_kept) {
        ids.push(is_kept.then(|| tables.push(table)));
    }
    let mut relations: IdVec<_, Relation> = IdVec::new();
    for (mut relation, _) in schema.relations.into_iter().zip(wanted).filter(|(_, wanted)| **wanted) {
        let Some(child) = ids[relation.child.index()] else { continue };
        relation.child = child;
        relation.parent.table = relation.parent.table.and_then(|table| ids[table.index()]);
        relations.push(relation);
    }
    let kept = Schema { tables, relations, ..schema };
    let omitted = Omitted {
        tables: before.tables - kept.user_tables().count(),
        relations: before.relations - kept.relations.len(),
    };
    Schema { omitted, ..kept }
}
