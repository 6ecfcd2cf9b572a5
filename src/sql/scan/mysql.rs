//! The statements of a scan that are different on MySQL and MariaDB.

use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::grammar::Reading;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::scan::Scan;
use crate::sql::scan::source;

impl Scan for Mysql {
    /// The server reads the child's own index, in the order of the parent's key. Every child row comes once, because
    /// the parent's key is unique.
    fn counts_with_orphans(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let parent = schema.parent(relation)?;
        let is_unique = relation.parent.key.is_some_and(|key| parent.indexes[key].unique);
        if relation.origin != Origin::Declared || !is_unique || !relation.scope.is_everything() {
            return None;
        }
        let incomplete = self.count_of_incomplete(schema, relation);
        let found = self.qualified("parent", &schema.parent_columns(relation).next()?.name);
        Some(plain(format!(
            "SELECT count(*), {incomplete}, 0, count(*) - count({found}) - ({incomplete}) FROM {} LEFT JOIN {} ON {}",
            source(self, schema, schema.child(relation), "child", Reading::AnyIndex),
            source(self, schema, parent, "parent", Reading::AnyIndex),
            self.refers_to_parent(schema, relation),
        )))
    }
}
