//! Finds the tables, besides the parent, that the names of a foreign key could mean.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;

/// Words of column names that say nothing about the table they refer to.
const PLAIN_WORDS: [&str; 14] =
    ["id", "ids", "key", "fk", "ref", "no", "nr", "num", "number", "code", "uuid", "guid", "parent", "to"];

/// Every table under each word of its name.
pub(super) struct TableNames {
    by_word: BTreeMap<String, Vec<TableId>>,
    words: BTreeMap<TableId, BTreeSet<String>>,
}

impl TableNames {
    pub(super) fn of(schema: &Schema) -> TableNames {
        let mut names = TableNames { by_word: BTreeMap::new(), words: BTreeMap::new() };
        for (id, table) in schema.tables.entries() {
            let words = words(&table.name.table);
            for word in &words {
                names.by_word.entry(word.clone()).or_default().push(id);
            }
            names.words.insert(id, words);
        }
        names
    }

    /// Returns the tables whose names fit a relation as well as its parent's: with all words of the parent or of a
    /// referring column in the name, or with no other words than the parent's.
    pub(super) fn fitting(&self, schema: &Schema, relation: &Relation) -> BTreeSet<TableId> {
        let parent = words(&relation.parent.name.table);
        let mut meant: Vec<BTreeSet<String>> = schema.child_column_names(relation).map(column_words).collect();
        meant.push(parent.clone());
        meant.retain(|words| !words.is_empty());
        let with_all = meant.iter().flat_map(|wanted| {
            let first = wanted.first().and_then(|word| self.by_word.get(word)).into_iter().flatten();
            first.copied().filter(|table| self.words[table].is_superset(wanted))
        });
        let parts = parent.iter().filter_map(|word| self.by_word.get(word)).flatten().copied();
        let no_others = parts.filter(|table| self.words[table].is_subset(&parent));
        with_all.chain(no_others).collect()
    }
}

/// Returns the words that name the table that a column refers to: `author` for `author_id`.
fn column_words(name: &str) -> BTreeSet<String> {
    words(name).into_iter().filter(|word| !PLAIN_WORDS.contains(&word.as_str())).collect()
}

/// Returns the words of a name in lower case and in the singular: `knowledge` and `base` for `KnowledgeBases`.
fn words(name: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut word = String::new();
    let mut was_lower = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || (was_lower && character.is_uppercase()) {
            words.insert(singular(&std::mem::take(&mut word)));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase() || character.is_numeric();
    }
    words.insert(singular(&word));
    words.remove("");
    words
}

fn singular(word: &str) -> String {
    match word.strip_suffix("ies") {
        Some(stem) if stem.len() > 1 => format!("{stem}y"),
        _ => word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s')).unwrap_or(word).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_split_into_singular_words() {
        let split = |name: &str| words(name).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(split("KnowledgeBases"), "base knowledge");
        assert_eq!(split("multi_source_knowledge_base"), "base knowledge multi source");
        assert_eq!(split("t2Categories"), "category t2");
        assert_eq!(split("address"), "address");
        assert_eq!(split("ORDERS"), "order");
        assert_eq!(column_words("customer_id").into_iter().collect::<Vec<_>>(), ["customer"]);
        assert!(column_words("parentId").is_empty());
    }
}
