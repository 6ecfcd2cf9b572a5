//! The names of a schema, taken apart: the words of each table, and of each column without prefixes and identifier words.

use std::collections::BTreeSet;
use std::collections::HashMap;

use crate::discover::words;
use crate::discover::words::GLUED_ID_WORDS;
use crate::discover::words::LEADING_ID_WORDS;
use crate::model::catalog::Tables;
use crate::model::ids::IdVec;
use crate::model::ids::TableId;

/// A shared first word of tables is a prefix if at least this many tables have it.
const FEWEST_WITH_PREFIX: usize = 4;

/// The names of all tables and columns.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) tables: IdVec<TableId, TableWords>,
    columns: IdVec<TableId, Vec<ColumnWords>>,
}

/// The name of a table.
#[derive(Debug, Default)]
pub(super) struct TableWords {
    /// The words without the prefix that most tables share.
    pub(super) words: Vec<String>,
    pub(super) joined: String,
    /// True if a word marks the table as a copy or a history of another.
    pub(super) is_twin: bool,
}

/// The name of a column. For `l_order_id` of a table whose columns all begin with `l_`: the words `order`, the identifier
/// words `id`, the base `order`, and the full name `orderid`.
#[derive(Debug, Default, Clone)]
pub(super) struct ColumnWords {
    /// All words, in order.
    pub(super) all: Vec<String>,
    /// The words without the table's prefix and without identifier words.
    pub(super) words: Vec<String>,
    pub(super) base: String,
    /// All words without the table's prefix, joined.
    pub(super) full: String,
    pub(super) id_words: Vec<String>,
    /// True if many tables have such a column, so that an equal name proves nothing.
    pub(super) is_generic: bool,
    pub(super) is_measure: bool,
    pub(super) is_row_mark: bool,
}

impl ColumnWords {
    pub(super) fn has_id_word(&self) -> bool {
        !self.id_words.is_empty()
    }

    /// Returns the words of a role, such as `uom` of `uom_code`, as a name that can be held against a table.
    pub(super) fn of_role(role: &[String]) -> ColumnWords {
        let base = role.concat();
        ColumnWords { all: role.to_vec(), words: role.to_vec(), full: base.clone(), base, ..ColumnWords::default() }
    }
}

impl TableWords {
    pub(super) fn last(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }
}

impl Names {
    pub(super) fn of(tables: &Tables) -> Names {
        let table_words = table_words(tables);
        let vocabulary = vocabulary(&table_words);
        let columns = tables.map(|table| {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            columns(&names, &vocabulary)
        });
        Names { tables: table_words, columns }
    }

    pub(super) fn column(&self, table: TableId, column: usize) -> &ColumnWords {
        &self.columns[table][column]
    }
}

fn table_words(tables: &Tables) -> IdVec<TableId, TableWords> {
    let all: IdVec<TableId, Vec<String>> = tables.map(|table| words::words(&table.name.table));
    let mut first: HashMap<&str, usize> = HashMap::new();
    for word in all.iter().filter_map(|words| words.first()) {
        *first.entry(word).or_default() += 1;
    }
    let share = (0.6 * tables.len() as f64).ceil() as usize;
    let is_prefix = |word: &str| first.get(word).is_some_and(|number| *number >= FEWEST_WITH_PREFIX.max(share));
    all.map(|words| {
        let kept = match words.as_slice() {
            [prefix, rest @ ..] if says_something(rest) && is_prefix(prefix) => rest.to_vec(),
            _ => words.clone(),
        };
        let is_twin = kept.len() > 1 && kept.iter().any(|word| words::is_twin_word(word));
        TableWords { joined: kept.concat(), words: kept, is_twin }
    })
}

/// True if a word is more than a number: the rest of `c12` without its prefix says nothing.
fn says_something(words: &[String]) -> bool {
    words.iter().any(|word| word.chars().any(|character| !character.is_ascii_digit()))
}

/// Returns the words that a glued identifier word can follow: names of tables and their longer words.
fn vocabulary(tables: &IdVec<TableId, TableWords>) -> BTreeSet<String> {
    let whole = tables.iter().map(|table| &table.joined).filter(|name| name.len() > 2);
    let parts = tables.iter().flat_map(|table| &table.words).filter(|word| word.len() > 3);
    whole.chain(parts).cloned().collect()
}

/// Takes the names of one table's columns apart.
fn columns(names: &[&str], vocabulary: &BTreeSet<String>) -> Vec<ColumnWords> {
    let all: Vec<Vec<String>> = names.iter().map(|name| words::words(name)).collect();
    let prefix = prefix(&all);
    let column = |(name, all): (&&str, &Vec<String>)| {
        let mut words = all.clone();
        if words.len() > 1 && words.first() == prefix.as_ref() && says_something(&words[1..]) {
            words.remove(0);
        }
        let full = words.concat();
        let id_words = take_id_words(&mut words, vocabulary);
        let base = words.concat();
        let is_generic = base.is_empty() || (id_words.is_empty() && words::is_generic(&base));
        let is_measure = words::is_measure(name, all);
        let is_row_mark = words::is_row_mark(name);
        ColumnWords { all: all.clone(), words, base, full, id_words, is_generic, is_measure, is_row_mark }
    };
    names.iter().zip(&all).map(column).collect()
}

/// Returns the prefix of a table's columns: a short first word of three quarters of them, or any of nine tenths.
fn prefix(columns: &[Vec<String>]) -> Option<String> {
    const FEWEST: f64 = 3.0;
    const LONGEST_SHORT: usize = 4;
    let mut first: Vec<(&str, usize)> = Vec::new();
    for word in columns.iter().filter(|words| words.len() > 1).filter_map(|words| words.first()) {
        match first.iter_mut().find(|(known, _)| known == word) {
            Some((_, number)) => *number += 1,
            None => first.push((word, 1)),
        }
    }
    let all = columns.len() as f64;
    let is_prefix = |(word, number): &&(&str, usize)| {
        let number = *number as f64;
        (number >= FEWEST.max(0.75 * all) && word.chars().count() <= LONGEST_SHORT)
            || (number >= FEWEST && number >= 0.9 * all)
    };
    first.iter().find(is_prefix).map(|(word, _)| (*word).to_owned())
}

/// Takes the identifier words off a name: those at its end, else one that is glued to its last word, else one at its
/// beginning.
fn take_id_words(words: &mut Vec<String>, vocabulary: &BTreeSet<String>) -> Vec<String> {
    let mut id_words = Vec::new();
    while let Some(word) = words.pop_if(|word| words::is_id_word(word)) {
        id_words.insert(0, word);
    }
    if !id_words.is_empty() {
        return id_words;
    }
    if let Some(last) = words.last_mut()
        && let Some((stem, id_word)) = unglued(last, vocabulary)
    {
        *last = stem;
        return vec![id_word.to_owned()];
    }
    match words.first() {
        Some(first) if words.len() > 1 && LEADING_ID_WORDS.contains(&first.as_str()) => vec![words.remove(0)],
        _ => Vec::new(),
    }
}

/// Returns the parts of a word such as `customerid`, if the first part is a word of the schema.
fn unglued(word: &str, vocabulary: &BTreeSet<String>) -> Option<(String, &'static str)> {
    const SHORTEST_STEM: usize = 3;
    GLUED_ID_WORDS.iter().find_map(|id_word| {
        let stem = word.strip_suffix(id_word).filter(|stem| stem.chars().count() >= SHORTEST_STEM)?;
        let is_known = vocabulary
            .iter()
            .any(|known| known.ends_with(stem) || known.starts_with(stem) || stem.ends_with(known.as_str()));
        is_known.then(|| (words::singular(stem), *id_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(names: &[&str], tables: &[&str], index: usize) -> (String, String) {
        let vocabulary = tables.iter().map(|&table| table.to_owned()).collect();
        let column = columns(names, &vocabulary).swap_remove(index);
        (column.base, column.id_words.concat())
    }

    #[test]
    fn prefixes_and_identifier_words_are_taken_off() {
        let both = |base: &str, id: &str| (base.to_owned(), id.to_owned());
        let line = ["l_orderkey", "l_partkey", "l_suppkey", "l_comment"];
        assert_eq!(column(&line, &["order", "part", "supplier"], 0), both("order", "key"));
        assert_eq!(column(&line, &["order", "part", "supplier"], 2), both("supp", "key"));
        assert_eq!(column(&["paid", "customerid", "fk_owner"], &["customer"], 0), both("paid", ""));
        assert_eq!(column(&["paid", "customerid", "fk_owner"], &["customer"], 1), both("customer", "id"));
        assert_eq!(column(&["paid", "customerid", "fk_owner"], &["customer"], 2), both("owner", "fk"));
        assert_eq!(column(&["uuid", "a", "b"], &[], 0), both("", "uuid"));
        // A number is no name, so that column c12 is not named after table t12.
        assert_eq!(column(&["c11", "c12", "c13", "c14"], &["t12"], 1), both("c12", ""));
    }
}
