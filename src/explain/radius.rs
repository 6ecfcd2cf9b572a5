//! The cascades of a statement as trees. Each tree starts at a table in which the statement itself deletes rows or
//! changes keys, and follows every relation that acted on child rows.

use std::collections::BTreeSet;

use super::observe::ActionEffect;
use crate::model::explanation::CascadeBranch;
use crate::model::explanation::Event;
use crate::model::ids::TableId;
use crate::model::schema::Schema;

/// Returns the branches below the tables in `roots`. A table that is reached on several paths is unfolded once.
pub(super) fn tree(schema: &Schema, roots: &[TableId], action_effects: &[ActionEffect]) -> Vec<CascadeBranch> {
    let mut unfolded: BTreeSet<TableId> = roots.iter().copied().collect();
    roots.iter().flat_map(|&root| branches(schema, root, action_effects, &mut unfolded)).collect()
}

fn branches(
    schema: &Schema,
    parent: TableId,
    action_effects: &[ActionEffect],
    unfolded: &mut BTreeSet<TableId>,
) -> Vec<CascadeBranch> {
    let here = action_effects.iter().filter(|effect| schema.relations[effect.relation].parent.table == Some(parent));
    let mut branches: Vec<(TableId, CascadeBranch)> =
        here.map(|effect| (schema.relations[effect.relation].child, branch(schema, parent, effect))).collect();
    for (child, branch) in &mut branches {
        let continues = branch.deleted + branch.changed > 0;
        if continues && unfolded.insert(*child) {
            branch.below = self::branches(schema, *child, action_effects, unfolded);
        } else if continues && *child != parent {
            branch.shown_elsewhere =
                action_effects.iter().any(|effect| schema.relations[effect.relation].parent.table == Some(*child));
        }
    }
    branches.into_iter().map(|(_, branch)| branch).collect()
}

fn branch(schema: &Schema, parent: TableId, effect: &ActionEffect) -> CascadeBranch {
    let relation = &schema.relations[effect.relation];
    CascadeBranch {
        parent: schema.tables[parent].name.to_string(),
        child: schema.child(relation).name.to_string(),
        columns: schema.child_column_names(relation).map(str::to_owned).collect(),
        relation_id: relation.id.clone(),
        event: effect.event,
        action: match effect.event {
            Event::Delete => relation.on_delete,
            Event::Update => relation.on_update,
        },
        deleted: effect.deleted,
        changed: effect.changed,
        blocking: effect.blocking,
        levels: effect.levels,
        below: Vec::new(),
        shown_elsewhere: false,
    }
}
