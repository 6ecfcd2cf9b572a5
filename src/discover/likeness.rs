//! How much the name of a column is like the name of a table, or like the name of a key.

use crate::discover::names::ColumnWords;
use crate::discover::names::TableWords;
use crate::discover::words;

/// The way in which two names are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    None,
    Equal,
    /// A word stands before the name: `billing_customer`.
    Role,
    /// The end of the name: `account` for `billing_account`.
    Tail,
    /// Beginnings, initials or consonants of the words.
    Abbreviation,
    /// A common word.
    Word,
    /// Both are equal without their identifier words.
    Base,
    /// Both are called `name`, `id` or the like.
    Generic,
}

/// A likeness from 0 to 1, and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Likeness {
    pub(super) degree: f64,
    pub(super) kind: Kind,
}

fn alike(degree: f64, kind: Kind) -> Likeness {
    Likeness { degree, kind }
}

/// Returns how much a column of `own` is named after another table.
pub(super) fn to_table(column: &ColumnWords, own: &TableWords, table: &TableWords) -> Likeness {
    let base = column.base.as_str();
    let name = table.joined.as_str();
    if base.is_empty() || name.is_empty() {
        return Likeness::default();
    }
    // `type` of `artist` names the table `artist_type`.
    let is_own_part = !own.joined.is_empty() && name.strip_prefix(own.joined.as_str()) == Some(base);
    if is_own_part || base == name || column.full == name {
        return alike(1.0, Kind::Equal);
    }
    by_ends(column, table)
        .or_else(|| by_abbreviation(column, table))
        .or_else(|| by_words(column, table))
        .unwrap_or_default()
}

/// Compares the end of each name with the other.
fn by_ends(column: &ColumnWords, table: &TableWords) -> Option<Likeness> {
    let base = column.base.as_str();
    let name = table.joined.as_str();
    if name.len() > 2 && base.ends_with(name) {
        return Some(alike(0.92, Kind::Role));
    }
    let last = table.last();
    let is_whole_word = last == base || table.words.len() == 1 || base.ends_with(last);
    (base.len() > 3 && name.ends_with(base) && is_whole_word).then(|| alike(0.88, Kind::Tail))
}

fn by_abbreviation(column: &ColumnWords, table: &TableWords) -> Option<Likeness> {
    let base = column.base.as_str();
    let name = table.joined.as_str();
    let parts = &table.words;
    let shortens = |short: &String, long: &String| {
        long.starts_with(short.as_str()) || (short.chars().next() == long.chars().next() && is_subsequence(short, long))
    };
    if parts.len() > 1
        && parts.len() == column.words.len()
        && column.words.iter().zip(parts).all(|(short, long)| shortens(short, long))
    {
        return Some(alike(0.85, Kind::Abbreviation));
    }
    if base.len() >= 3 && name.starts_with(base) {
        return Some(alike(0.8, Kind::Abbreviation));
    }
    let initials: String = parts.iter().filter_map(|word| word.chars().next()).collect();
    if parts.len() > 1 && base == initials {
        return Some(alike(0.7, Kind::Abbreviation));
    }
    let last = column.words.last()?;
    let own = table.last();
    if last == own && last.len() > 3 {
        return Some(alike(0.75, Kind::Word));
    }
    if last.len() >= 3 && own.starts_with(last.as_str()) {
        return Some(alike(0.7, Kind::Abbreviation));
    }
    if parts.len() > 1 && last.len() > parts.len() && is_made_of_beginnings(last, parts) {
        return Some(alike(0.85, Kind::Abbreviation));
    }
    let is_short_for = |short: &str, long: &str| {
        short.chars().next() == long.chars().next() && long.len() > short.len() + 1 && is_subsequence(short, long)
    };
    if parts.len() > 1 && last.len() >= 3 && is_short_for(last, own) {
        return Some(alike(0.65, Kind::Abbreviation));
    }
    let is_role = words::is_person_role(base) || words::is_self_role(base);
    ((3..=5).contains(&base.len()) && is_short_for(base, name) && !is_role).then(|| alike(0.65, Kind::Abbreviation))
}

fn by_words(column: &ColumnWords, table: &TableWords) -> Option<Likeness> {
    let base = column.base.as_str();
    let name = table.joined.as_str();
    if name.len() > 3 && base.starts_with(name) {
        return Some(alike(0.7, Kind::Role));
    }
    if name.len() > 3 && base.contains(name) {
        return Some(alike(0.6, Kind::Word));
    }
    if column.words.iter().any(|word| word.len() > 3 && table.last().starts_with(word.as_str())) {
        return Some(alike(0.55, Kind::Word));
    }
    let is_common = column.words.iter().any(|word| word.len() > 3 && table.words.contains(word));
    is_common.then(|| alike(0.45, Kind::Word))
}

/// Returns how much a column is named like the column of a key.
pub(super) fn to_key(child: &ColumnWords, key: &ColumnWords) -> Likeness {
    let ends_with_key = |name: &str| key.base.len() > 3 && name.ends_with(key.base.as_str());
    if key.is_generic && !(child.base != key.base && ends_with_key(&child.base)) {
        let is_equal = !child.full.is_empty() && child.full == key.full;
        return if is_equal { alike(0.35, Kind::Generic) } else { Likeness::default() };
    }
    if child.full == key.full {
        return alike(1.0, Kind::Equal);
    }
    // A short name at the end says something if it has several words: `u_id` of `source_u_id`.
    let ends_with_words = key.all.len() > 1 && child.all.len() > key.all.len() && child.all.ends_with(&key.all);
    if ends_with_words || (key.full.len() > 3 && child.full.ends_with(key.full.as_str())) {
        return alike(0.92, Kind::Role);
    }
    if !child.base.is_empty() && child.base == key.base {
        return alike(0.85, Kind::Base);
    }
    if ends_with_key(&child.base) {
        return alike(0.8, Kind::Role);
    }
    if child.base.len() > 3 && key.base.ends_with(child.base.as_str()) {
        return alike(0.7, Kind::Tail);
    }
    if child.base.len() >= 3 && key.base.starts_with(child.base.as_str()) {
        return alike(0.65, Kind::Abbreviation);
    }
    match (child.words.last(), key.words.last()) {
        (Some(last), Some(other)) if last == other && last.len() > 3 => alike(0.6, Kind::Word),
        _ => Likeness::default(),
    }
}

/// True if the characters of `short` occur in `long` in this order.
fn is_subsequence(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    short.chars().all(|wanted| rest.any(|character| character == wanted))
}

/// True if a word consists of beginnings of all other words, in order: `hdemo` of `household` and `demographic`.
fn is_made_of_beginnings(word: &str, parts: &[String]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return word.is_empty() };
    let ends = word.char_indices().map(|(start, character)| start + character.len_utf8());
    ends.take_while(|&end| first.starts_with(&word[..end])).any(|end| is_made_of_beginnings(&word[end..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::names::Names;
    use crate::model::catalog::Column;
    use crate::model::catalog::Family;
    use crate::model::catalog::Table;
    use crate::model::catalog::TableKind;
    use crate::model::catalog::TableName;
    use crate::model::catalog::Tables;

    fn tables(definitions: &[(&str, &[&str])]) -> Tables {
        let table = |(name, columns): &(&str, &[&str])| {
            let name = TableName { schema: None, table: (*name).to_owned() };
            let column = |name: &&str| Column {
                name: (*name).to_owned(),
                declared_type: "INTEGER".to_owned(),
                family: Family::Integer,
                collation: None,
                not_null: false,
                generated: false,
                always_identity: false,
                sql_type: None,
            };
            Table { columns: columns.iter().map(column).collect(), ..Table::new(name, TableKind::Table) }
        };
        definitions.iter().map(table).collect()
    }

    /// The likeness of the first column of the first table to the second table, and to its first column.
    fn likeness(own: &str, column: &str, table: &str, key: &str) -> (Kind, Kind) {
        let tables = tables(&[(own, &[column, "x", "y"]), (table, &[key, "z", "w"])]);
        let names = Names::of(&tables);
        let ids: Vec<_> = tables.ids().collect();
        let child = names.column(ids[0], 0);
        let to_table = to_table(child, &names.tables[ids[0]], &names.tables[ids[1]]);
        (to_table.kind, to_key(child, names.column(ids[1], 0)).kind)
    }

    #[test]
    fn names_are_alike_in_the_ways_that_people_write_them() {
        assert_eq!(likeness("orders", "customer_id", "customers", "id"), (Kind::Equal, Kind::None));
        assert_eq!(likeness("orders", "billingCustomerId", "Customer", "CustomerId"), (Kind::Role, Kind::Role));
        assert_eq!(likeness("artist", "type", "artist_type", "id"), (Kind::Equal, Kind::None));
        assert_eq!(likeness("sales", "hdemo_sk", "household_demographics", "hd_demo_sk").0, Kind::Abbreviation);
        assert_eq!(likeness("visits", "addr", "address", "id").0, Kind::Abbreviation);
        assert_eq!(likeness("trust", "source_u_id", "accounts", "u_id").1, Kind::Role);
        assert_eq!(likeness("trust", "menu_id", "accounts", "u_id").1, Kind::None);
        assert_eq!(likeness("visits", "name", "address", "name"), (Kind::None, Kind::Generic));
        assert_eq!(likeness("visits", "colour", "address", "zip"), (Kind::None, Kind::None));
    }
}
