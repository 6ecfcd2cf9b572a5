//! The pairs whose names speak clearly for them, so that more keys may be missing than in other pairs.

use crate::discover::likeness;
use crate::discover::names::Names;
use crate::model::discovery::ColumnList;
use crate::model::schema::Schema;

/// From this likeness on, a name is strong.
const STRONG: f64 = 0.8;

/// The names of a schema, to ask whether they speak for a pair.
pub struct StrongNames<'s> {
    schema: &'s Schema,
    names: Names,
}

impl<'s> StrongNames<'s> {
    pub fn of(schema: &'s Schema) -> StrongNames<'s> {
        StrongNames { schema, names: Names::of(&schema.tables) }
    }

    /// True if the names speak clearly for a pair of single columns.
    pub fn speak_for(&self, child: &ColumnList, parent: &ColumnList) -> bool {
        let ([own], [key]) = (child.columns.as_slice(), parent.columns.as_slice()) else { return false };
        let (own_words, key_words) = (self.names.column(child.table, *own), self.names.column(parent.table, *key));
        if likeness::to_key(own_words, key_words).degree >= STRONG {
            return true;
        }
        let is_key_like = own_words.has_id_word() || !key_words.is_generic || self.is_key(parent.table, *key);
        let tables = &self.names.tables;
        is_key_like && likeness::to_table(own_words, &tables[child.table], &tables[parent.table]).degree >= STRONG
    }

    fn is_key(&self, table: crate::model::ids::TableId, column: usize) -> bool {
        self.schema.tables[table].has_key(&[column])
    }
}
