//! Finds the type column beside an identifier, as in `notable_type` and `notable_id`, and the table that a value of the type
//! column names, as `WikiPage` names `wiki_pages`.

use crate::discover::names::ColumnWords;
use crate::discover::names::Names;
use crate::discover::words;
use crate::model::ids::TableId;
use crate::model::schema::Schema;

/// The last words of a type column.
const TYPE_WORDS: &[&str] = &["type", "class", "table", "kind", "model"];

/// A column that holds the name of a table, and the column beside it that refers to a row of this table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypedReference {
    pub(super) table: TableId,
    pub(super) type_column: usize,
    pub(super) id_column: usize,
}

/// Returns the identifiers of a schema whose table another column of the same row names.
pub(super) fn typed_references(schema: &Schema) -> Vec<TypedReference> {
    let names = Names::of(&schema.tables);
    let mut found = Vec::new();
    for (table, about) in schema.tables.entries() {
        for type_column in 0..about.columns.len() {
            for id_column in 0..about.columns.len() {
                if is_type_of(names.column(table, type_column), names.column(table, id_column)) {
                    found.push(TypedReference { table, type_column, id_column });
                }
            }
        }
    }
    found
}

/// True if a column can hold the name of the table to which an identifier column refers: both have the same words before
/// `type` and `id`.
fn is_type_of(type_column: &ColumnWords, id_column: &ColumnWords) -> bool {
    let Some((last, stem)) = type_column.all.split_last() else { return false };
    if !TYPE_WORDS.contains(&last.as_str()) || !id_column.has_id_word() {
        return false;
    }
    let base: Vec<&str> = id_column.words.iter().map(String::as_str).collect();
    stem.iter().map(String::as_str).eq(base.iter().copied())
        || stem.iter().map(String::as_str).eq(without_id(id_column))
}

/// Returns the words of a column without the identifier words at its end.
fn without_id(column: &ColumnWords) -> impl Iterator<Item = &str> {
    let end = column.all.iter().rposition(|word| !words::is_id_word(word)).map_or(0, |last| last + 1);
    column.all[..end].iter().map(String::as_str)
}

/// Returns how much a value of a type column names a table, from 0 to 1.
pub(super) fn value_names_table(names: &Names, value: &str, table: TableId) -> f64 {
    // A class can be in a module, as in `Billing::Invoice` or `app\models\Invoice`, and stand in a path.
    let class = value.rsplit(['.', ':', '\\', '/']).next().unwrap_or(value);
    let words = words::words(class);
    let table = &names.tables[table];
    let joined = words.concat();
    if joined.is_empty() || table.joined.is_empty() {
        return 0.0;
    }
    if joined == table.joined {
        return 1.0;
    }
    let (short, long) =
        if joined.len() < table.joined.len() { (&joined, &table.joined) } else { (&table.joined, &joined) };
    if short.len() > 3 && long.ends_with(short.as_str()) {
        return 0.85;
    }
    match (words.last(), table.words.last()) {
        (Some(last), Some(other)) if last == other && last.len() > 3 => 0.7,
        _ if short.len() > 3 && long.starts_with(short.as_str()) => 0.6,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_column_is_found_by_its_stem() {
        let column = |name: &str| ColumnWords {
            all: words::words(name),
            words: words::words(name).into_iter().filter(|word| !words::is_id_word(word)).collect(),
            id_words: words::words(name).into_iter().filter(|word| words::is_id_word(word)).collect(),
            ..ColumnWords::default()
        };
        let pairs = [("notable_type", "notable_id", true), ("CommentableClass", "CommentableId", true)];
        let others = [("user_type", "notable_id", false), ("notable_type", "notable", false)];
        for (type_name, id_name, expected) in pairs.into_iter().chain(others) {
            assert_eq!(is_type_of(&column(type_name), &column(id_name)), expected, "{type_name} {id_name}");
        }
    }
}
