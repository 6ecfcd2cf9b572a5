//! The blast radius as a tree: from the tables that a statement takes rows or keys away from, along every relation
//! through which something followed.

use std::collections::BTreeSet;

use super::observe::Follow;
use crate::model::explanation::CascadeBranch;
use crate::model::explanation::Event;
use crate::model::ids::TableId;
use crate::model::schema::Schema;

/// The branches below the tables in `roots`. A table reached in several ways is unfolded once.
pub(super) fn tree(schema: &Schema, roots: &[TableId], follows: &[Follow]) -> Vec<CascadeBranch> {
    let mut unfolded: BTreeSet<TableId> = roots.iter().copied().collect();
    roots.iter().flat_map(|&root| branches(schema, root, follows, &mut unfolded)).collect()
}

fn branches(
    schema: &Schema,
    parent: TableId,
    follows: &[Follow],
    unfolded: &mut BTreeSet<TableId>,
) -> Vec<CascadeBranch> {
    let here = follows.iter().filter(|follow| schema.relations[follow.relation].parent.table == Some(parent));
    let mut branches: Vec<(TableId, CascadeBranch)> =
        here.map(|follow| (schema.relations[follow.relation].child, branch(schema, parent, follow))).collect();
    for (child, branch) in &mut branches {
        let goes_on = branch.deleted + branch.changed > 0;
        if goes_on && unfolded.insert(*child) {
            branch.below = self::branches(schema, *child, follows, unfolded);
        } else if goes_on && *child != parent {
            branch.shown_elsewhere =
                follows.iter().any(|follow| schema.relations[follow.relation].parent.table == Some(*child));
        }
    }
    branches.into_iter().map(|(_, branch)| branch).collect()
}

fn branch(schema: &Schema, parent: TableId, follow: &Follow) -> CascadeBranch {
    let relation = &schema.relations[follow.relation];
    CascadeBranch {
        parent: schema.tables[parent].name.to_string(),
        child: schema.child(relation).name.to_string(),
        columns: schema.child_column_names(relation).map(str::to_owned).collect(),
        relation_id: relation.id.clone(),
        event: follow.event,
        action: match follow.event {
            Event::Delete => relation.on_delete,
            Event::Update => relation.on_update,
        },
        deleted: follow.deleted,
        changed: follow.changed,
        blocking: follow.blocking,
        levels: follow.levels,
        below: Vec::new(),
        shown_elsewhere: false,
    }
}
