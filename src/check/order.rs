//! The order in which tables are loaded, parents first, and the cycles of tables that refer to each other.

use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::schema::Schema;

/// Returns the names of the tables with parents first, and the cycles, for example `(["a", "b", "c"], [["b", "c"]])`. The
/// tables of a cycle are listed together.
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
            Some(index) => vec![open.remove(index)],
            None => {
                let cycle = cycle(&open, &needs);
                open.retain(|table| !cycle.contains(table));
                cycles.push(cycle.iter().map(name).collect());
                cycle
            }
        };
        order.extend(next.iter().map(name));
    }
    (order, cycles)
}

/// Returns tables that refer to each other in a cycle. Every table of `open` refers to another one, so a walk along the
/// references must reach a table twice.
fn cycle(open: &[TableId], needs: &impl Fn(TableId, TableId) -> bool) -> Vec<TableId> {
    let mut visited = vec![open[0]];
    loop {
        let here = visited[visited.len() - 1];
        let Some(&next) = open.iter().find(|&&parent| needs(here, parent)) else { return visited };
        if let Some(start) = visited.iter().position(|&known| known == next) {
            return visited.split_off(start);
        }
        visited.push(next);
    }
}
