//! The statements of a scan that are different on MySQL and MariaDB.

use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::grammar::mysql::holds_bytes;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
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

    fn near_misses(&self, schema: &Schema, relation: &Relation, keys: &[&Key], limit: u64) -> Option<Sql> {
        let column = schema.parent_columns(relation).next()?;
        let mut query = self.query();
        let wanted = self.text_keys(&mut query, keys);
        let value = self.qualified("parent", &column.name);
        let letters = self.plain_text("p.k", Some(column));
        let near = if holds_bytes(column) { letters.clone() } else { self.shown("p.k", column) };
        Some(query.finish(format!(
            "SELECT sought.i, min({near}), count(DISTINCT p.k) FROM \
             (SELECT {value} AS k FROM {} WHERE {} LIMIT {limit}) AS p \
             JOIN (SELECT {WANTED}.{} AS i, {} AS n FROM {wanted}) AS sought ON sought.n COLLATE utf8mb4_bin = {} \
             GROUP BY sought.i ORDER BY sought.i",
            source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex),
            self.not_null(&value),
            self.number_column(),
            self.bare(&format!("{WANTED}.{}", self.value_column(0))),
            self.bare(&letters),
        )))
    }
}

impl Mysql {
    /// Returns a text without white space, case, leading zeros and the punctuation of a UUID.
    fn bare(&self, text: &str) -> String {
        let trimmed = self.trimmed(text);
        self.unpadded(&format!("lower(replace(replace(replace({trimmed}, '-', ''), '{{', ''), '}}', ''))"))
    }
}
