//! The phrases of a statement: pieces of SQL that all engines build alike from their grammar. No engine overrides them.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::rule::Normalization;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::query::Query;

/// The alias of the list of keys or rows that a statement is about.
pub(super) const WANTED: &str = "wanted";

/// The number of rows from which a list takes few parameters, if it can.
const LONG_LIST: usize = 32;

/// The number of a row in a list, and its values.
type ListedRow<'v> = (usize, Vec<&'v Value>);

/// Returns the numbers of these rows, and the integers in each of these columns; `None` if a value is not an integer of an integer
/// column.
fn integers(columns: &[Option<&Column>], rows: &[ListedRow<'_>]) -> Option<Vec<Vec<Option<i64>>>> {
    if !columns.iter().all(|column| column.is_some_and(|column| column.family == Family::Integer)) {
        return None;
    }
    let integer = |value: &Value| match value {
        Value::Integer(integer) => Some(Some(*integer)),
        Value::Null => Some(None),
        Value::Real(_) | Value::Text(_) | Value::Blob(_) => None,
    };
    let numbers = rows.iter().map(|(number, _)| i64::try_from(*number).ok().map(Some)).collect();
    let column = |index: usize| rows.iter().map(|(_, row)| row.get(index).and_then(|value| integer(value))).collect();
    std::iter::once(numbers).chain((0..columns.len()).map(column)).collect()
}

/// Returns the parts of a relation's key, in order.
pub(super) fn key_parts<'a>(schema: &'a Schema, relation: &'a Relation) -> impl Iterator<Item = KeyPart<'a>> {
    let parents: Vec<&Column> = schema.parent_columns(relation).collect();
    let children = schema.child_columns(relation).enumerate();
    children.map(move |(index, child)| KeyPart { relation, index, child, parent: parents.get(index).copied() })
}

/// Returns a column of a table by its name; `None` for the address of its rows.
pub(super) fn column<'a>(table: &'a Table, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|column| column.name == name)
}

/// Returns the columns that are stored, not generated.
pub(super) fn stored_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.generated)
}

/// The phrases, for every engine that has a grammar.
pub(super) trait Phrases: Grammar {
    fn query(&self) -> Query {
        Query::new(self.facts())
    }

    fn quoted(&self, name: &str) -> String {
        self.facts().quoted(name)
    }

    /// Returns a column of an alias, such as `child."id"`.
    fn qualified(&self, alias: &str, name: &str) -> String {
        format!("{alias}.{}", self.quoted(name))
    }

    /// Returns the column that numbers the rows of a list. A list is in one scope with the user's tables and a rule's
    /// SQL, so its columns have names that nobody gives a column. It is a derived table, because a common table
    /// expression would hide a table of the same name.
    fn number_column(&self) -> String {
        self.quoted("fk-doctor number")
    }

    /// Returns the column of a list that holds the value at a position.
    fn value_column(&self, index: usize) -> String {
        self.quoted(&format!("fk-doctor value {index}"))
    }

    fn truth(&self, is_true: bool) -> &'static str {
        self.facts().truth[usize::from(is_true)]
    }

    /// All of these conditions are true. Without a condition, this is false.
    fn all_conditions(&self, conditions: impl IntoIterator<Item = String>) -> String {
        let conditions: Vec<String> = conditions.into_iter().collect();
        if conditions.is_empty() { self.truth(false).to_owned() } else { conditions.join(" AND ") }
    }

    /// Returns the list `wanted`: numbered rows of values, each with the type of its column.
    fn numbered_list<'v>(
        &self,
        query: &mut Query,
        columns: &[Option<&Column>],
        rows: impl IntoIterator<Item = (usize, impl IntoIterator<Item = &'v Value>)>,
    ) -> String {
        let rows: Vec<ListedRow<'_>> =
            rows.into_iter().map(|(number, row)| (number, row.into_iter().collect())).collect();
        self.list(query, columns, &rows, &|mark, column, value| self.typed(mark, column, value))
    }

    /// Returns the list `wanted` of these rows. `typed` makes a parameter, from its mark and its value, a value of a column.
    fn list(
        &self,
        query: &mut Query,
        columns: &[Option<&Column>],
        rows: &[ListedRow<'_>],
        typed: &dyn Fn(String, Option<&Column>, &Value) -> String,
    ) -> String {
        let names: Vec<String> =
            std::iter::once(self.number_column()).chain((0..columns.len()).map(|i| self.value_column(i))).collect();
        if rows.len() >= LONG_LIST
            && let Some(list) = self.table_of_integers(query, WANTED, &names, &|| integers(columns, rows))
        {
            return list;
        }
        let mut parameter =
            |(value, column): (&&Value, &Option<&Column>)| typed(query.parameter((*value).clone()), *column, value);
        let rows = rows.iter().map(|(number, row)| (*number, row.iter().zip(columns).map(&mut parameter).collect()));
        self.derived_table(WANTED, &names, &rows.collect::<Vec<(usize, Vec<String>)>>())
    }

    /// Returns the list `wanted` of rows of a table, by their names. The same columns name all of these rows.
    fn named_rows(&self, query: &mut Query, table: &Table, rows: &[&RowName]) -> String {
        let columns: Vec<Option<&Column>> = names(rows).map(|name| column(table, name)).collect();
        self.numbered_list(query, &columns, rows.iter().map(|row| row.values()).enumerate())
    }

    /// The row of an alias has the name at hand of the list `wanted`.
    fn is_wanted(&self, table: &Table, alias: &str, rows: &[&RowName]) -> String {
        let equal = names(rows).enumerate().map(|(index, name)| {
            self.equal(
                column(table, name),
                &self.qualified(alias, name),
                &format!("{WANTED}.{}", self.value_column(index)),
            )
        });
        self.all_conditions(equal)
    }

    /// These columns of an alias equal the key at hand of the list `wanted`.
    fn equals_wanted_key<'c>(&self, alias: &str, columns: impl IntoIterator<Item = &'c Column>) -> String {
        let equal = columns.into_iter().enumerate().map(|(index, column)| {
            let listed = format!("{WANTED}.{}", self.value_column(index));
            self.equal_to_listed(column, &self.qualified(alias, &column.name), &listed)
        });
        self.all_conditions(equal)
    }

    /// Returns the list `wanted` of keys that a scan searches these columns for; `None` if the columns cannot hold one
    /// of them.
    fn searched_keys(&self, query: &mut Query, columns: &[&Column], keys: &[&Key]) -> Option<String> {
        let can_have = |key: &Key| {
            key.len() >= columns.len()
                && columns.iter().zip(key).all(|(column, value)| self.can_search_for(column, value))
        };
        if !keys.iter().all(|key| can_have(key)) {
            return None;
        }
        let columns: Vec<Option<&Column>> = columns.iter().copied().map(Some).collect();
        let rows: Vec<ListedRow<'_>> =
            keys.iter().enumerate().map(|(number, key)| (number, key.iter().take(columns.len()).collect())).collect();
        Some(self.list(query, &columns, &rows, &|mark, column, _| match column {
            Some(column) => self.searched_parameter(mark, column),
            None => mark,
        }))
    }

    /// Returns the list `wanted` of keys of one column, as text.
    fn text_keys(&self, query: &mut Query, keys: &[&Key]) -> String {
        let spelled: Vec<Key> =
            keys.iter().map(|key| key.iter().map(|value| self.plain_text_parameter(value)).collect()).collect();
        self.numbered_list(query, &[None], spelled.iter().enumerate())
    }

    /// Returns the child's value of a part of the key.
    fn child_value(&self, part: &KeyPart<'_>) -> String {
        self.qualified("child", &part.child.name)
    }

    /// Returns the conditions that the parts of a child's key are not NULL. A part that never is NULL has none.
    fn not_null_conditions(&self, schema: &Schema, relation: &Relation) -> Vec<String> {
        key_parts(schema, relation).filter_map(|part| self.is_present(part.child, &self.child_value(&part))).collect()
    }

    /// No part of the child's key is NULL.
    fn complete_key(&self, schema: &Schema, relation: &Relation) -> String {
        let parts = self.not_null_conditions(schema, relation);
        if parts.is_empty() { self.truth(true).to_owned() } else { parts.join(" AND ") }
    }

    /// The child's key means "no parent": it has any NULL under MATCH SIMPLE, and nothing but NULL under MATCH FULL.
    fn refers_to_nothing(&self, schema: &Schema, relation: &Relation) -> String {
        match relation.match_rule {
            Match::Simple => format!("NOT ({})", self.complete_key(schema, relation)),
            Match::Full => {
                let parts = self.not_null_conditions(schema, relation);
                let parts: Vec<String> = parts.iter().map(|part| format!("NOT ({part})")).collect();
                format!("({})", self.all_conditions(parts))
            }
        }
    }

    /// The child's key has a NULL but does not mean "no parent".
    fn partly_null(&self, schema: &Schema, relation: &Relation) -> String {
        format!("NOT ({}) AND NOT {}", self.complete_key(schema, relation), self.refers_to_nothing(schema, relation))
    }

    fn in_scope(&self, relation: &Relation) -> String {
        relation
            .scope
            .condition
            .as_ref()
            .map_or_else(|| self.truth(true).to_owned(), |condition| self.is_true(condition))
    }

    /// The child's key is one that the configuration ignores; `None` if it ignores none.
    fn ignored(&self, query: &mut Query, schema: &Schema, relation: &Relation) -> Option<String> {
        let parts: Vec<KeyPart<'_>> = key_parts(schema, relation).collect();
        let mut keys = Vec::new();
        for key in &relation.scope.ignored {
            let written = parts
                .iter()
                .zip(key)
                .map(|(part, value)| self.has_configured_value(query, part, &self.child_value(part), value));
            keys.push(format!("({})", written.collect::<Vec<_>>().join(" AND ")));
        }
        (!keys.is_empty()).then(|| format!("({})", keys.join(" OR ")))
    }

    /// The child must have a parent: its key is complete, in scope and not ignored.
    fn must_have_parent(&self, query: &mut Query, schema: &Schema, relation: &Relation) -> String {
        let mut parts = vec![self.complete_key(schema, relation)];
        parts.extend(relation.scope.condition.as_ref().map(|_| self.in_scope(relation)));
        parts.extend(self.ignored(query, schema, relation).map(|ignored| format!("NOT {ignored}")));
        parts.join(" AND ")
    }

    /// The child refers to the parent. A part of the key has no condition if the parent lacks its column.
    fn refers_to_parent(&self, schema: &Schema, relation: &Relation) -> String {
        let equal = key_parts(schema, relation).filter_map(|part| {
            let parent = self.qualified("parent", &part.parent?.name);
            Some(self.refers(&part, &parent, &self.child_value(&part)))
        });
        equal.collect::<Vec<_>>().join(" AND ")
    }

    /// Returns the beginning of a statement that computes a query once, and the table expression that reads the result.
    fn computed_once(&self, name: &str, query: &str) -> (String, String) {
        match self.facts().materialized {
            "" => (String::new(), format!("({query}) AS {name}")),
            materialized => (format!("WITH {name} AS {materialized} ({query}) "), name.to_owned()),
        }
    }

    /// Returns a text with these normalizations applied, in order.
    fn normalized(&self, text: String, forms: &[Normalization]) -> String {
        forms.iter().fold(text, |form, normal| match normal {
            Normalization::Trim => self.trimmed(&form),
            Normalization::Casefold => format!("lower({form})"),
            Normalization::ZeroPadding => self.unpadded(&form),
            Normalization::Uuid => format!("replace(replace(replace(lower({form}), '-', ''), '{{', ''), '}}', '')"),
        })
    }
}

impl<G: Grammar + ?Sized> Phrases for G {}

/// Returns the columns that name the rows.
fn names<'r>(rows: &[&'r RowName]) -> impl Iterator<Item = &'r str> {
    rows.iter().take(1).flat_map(|row| row.columns())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::grammar::postgres::POSTGRES;
    use crate::sql::grammar::sqlite::Sqlite;

    /// Returns the number of parameters of a list of keys.
    fn parameters(grammar: &impl Phrases, family: Family, keys: &[Key]) -> usize {
        let column = Column { family, ..Column::unknown("id".to_owned()) };
        let mut query = grammar.query();
        grammar.numbered_list(&mut query, &[Some(&column)], keys.iter().map(|key| key.iter()).enumerate());
        query.count()
    }

    #[test]
    fn long_list_of_integers_has_a_parameter_for_each_column() {
        let integers = |count: i64| (0..count).map(|i| vec![Value::Integer(i)]).collect::<Vec<Key>>();
        assert_eq!(parameters(&POSTGRES, Family::Integer, &integers(400)), 2);
        assert_eq!(parameters(&POSTGRES, Family::Integer, &integers(31)), 31);
        assert_eq!(parameters(&Sqlite, Family::Integer, &integers(400)), 400);
        let texts: Vec<Key> = (0..400).map(|i| vec![Value::text(i.to_string())]).collect();
        assert_eq!(parameters(&POSTGRES, Family::Text, &texts), 400);
        let mixed = [integers(100), texts].concat();
        assert_eq!(parameters(&POSTGRES, Family::Integer, &mixed), 500);
    }
}
