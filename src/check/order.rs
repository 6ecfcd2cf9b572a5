//! In which order tables are loaded, parents first, and which refer to each other in a ring.

use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::schema::Schema;

/// The tables' names, parents first; those of a ring stand where the ring can be begun, and are told apart.
pub(super) fn of(schema: &Schema, tables: &[TableId]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut open: Vec<TableId> = Vec::new();
    for &table in tables {
        if !open.contains(&table) {
            open.push(table);
        }
    }
    let needs = |child: TableId, parent: TableId| {
        child != parent
            && schema.relations.iter().any(|relation| {
                relation.origin == Origin::Declared && relation.child == child && relation.parent.table == Some(parent)
            })
    };
    let name = |&table: &TableId| schema.tables[table].name.to_string();
    let (mut order, mut cycles) = (Vec::new(), Vec::new());
    while !open.is_empty() {
        let ready = open.iter().position(|&table| !open.iter().any(|&parent| needs(table, parent)));
        let next = match ready {
            Some(place) => vec![open.remove(place)],
            None => {
                let ring = ring(&open, &needs);
                open.retain(|table| !ring.contains(table));
                cycles.push(ring.iter().map(name).collect());
                ring
            }
        };
        order.extend(next.iter().map(name));
    }
    (order, cycles)
}

/// Tables that all need each other: where every table needs one of the others, walking along ends in a ring.
fn ring(open: &[TableId], needs: &impl Fn(TableId, TableId) -> bool) -> Vec<TableId> {
    let mut walked = vec![open[0]];
    loop {
        let here = walked[walked.len() - 1];
        let Some(&next) = open.iter().find(|&&parent| needs(here, parent)) else { return walked };
        if let Some(start) = walked.iter().position(|&known| known == next) {
            return walked.split_off(start);
        }
        walked.push(next);
    }
}
