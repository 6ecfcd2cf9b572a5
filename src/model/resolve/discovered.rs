//! Adds relations that nobody declares to a schema, as a discovery found them.

use crate::model::configured::ConfiguredRelation;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::discovery::ColumnList;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::resolve::configured;
use crate::model::schema::Schema;

/// A relation to add.
#[derive(Debug, Clone)]
pub struct DiscoveredRelation {
    pub child: ColumnList,
    pub parent: ColumnList,
    /// SQL over `child`, for the rows that refer to this parent.
    pub condition: Option<String>,
    /// [`Origin::Discovered`] or [`Origin::Likely`].
    pub origin: Origin,
}

/// Returns the schema with these relations after its own. A relation that it has already is not added again.
pub fn with_discovered(schema: Schema, discovered: &[DiscoveredRelation]) -> Schema {
    let mut schema = schema;
    for found in discovered {
        let relation = relation(&schema, found);
        let is_known = |known: &Relation| known.id == relation.id && known.scope == relation.scope;
        if !schema.relations.iter().any(is_known) {
            schema.relations.push(relation);
        }
    }
    schema
}

fn relation(schema: &Schema, found: &DiscoveredRelation) -> Relation {
    let side = |list: &ColumnList| Spanned {
        value: SideName {
            table: schema.tables[list.table].name.to_string(),
            columns: list
                .columns
                .iter()
                .map(|&column| schema.tables[list.table].columns[column].name.clone())
                .collect(),
        },
        span: 0..0,
    };
    let request = ConfiguredRelation {
        child: side(&found.child),
        parent: side(&found.parent),
        condition: found.condition.as_ref().map(|condition| Spanned { value: condition.clone(), span: 0..0 }),
        ignored: Vec::new(),
        soft_deleted: None,
        parent_may_be_missing: false,
    };
    let (child, parent) = (&found.child, &found.parent);
    let relation = configured::relation(
        &schema.tables,
        schema.database.engine.facts().equality,
        &request,
        (child.table, child.columns.clone()),
        (parent.table, parent.columns.clone()),
    );
    let judge = match relation.judge {
        Judge::Incomparable(why) => Judge::Incomparable(why),
        _ => Judge::Values("nobody declares it; the values are compared as in a foreign key".to_owned()),
    };
    // Nobody promised anything about the relation, so its definition has no faults.
    Relation { origin: found.origin, judge, defects: Vec::new(), ..relation }
}
