//! A row: the names of its columns, with a value for each.

use std::sync::Arc;

use super::value::Key;
use super::value::Value;

/// A row of a table, or the part of a row that identifies it. Rows that were read together share the names of their columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// The columns that identify a row, with their values: see [`super::plan::identity_columns`].
pub type RowName = Row;

impl Row {
    pub fn new() -> Row {
        Row { columns: Arc::new([]), values: Vec::new() }
    }

    /// Returns the row with these values, in the order of the columns. A column without a value is left out.
    pub fn of(columns: &Arc<[String]>, mut values: Vec<Value>) -> Row {
        values.truncate(columns.len());
        let columns =
            if values.len() == columns.len() { Arc::clone(columns) } else { columns[..values.len()].to_vec().into() };
        Row { columns, values }
    }

    /// Returns the row, sharing the names of its columns with another row of the same columns.
    #[must_use]
    pub fn sharing_columns_of(mut self, other: Option<&Row>) -> Row {
        if let Some(other) = other.filter(|other| other.columns == self.columns) {
            self.columns = Arc::clone(&other.columns);
        }
        self
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    pub fn values(&self) -> &[Value] {
        &self.values
    }

    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// Returns the names of the columns, which rows that were read together share.
    pub fn shared_columns(&self) -> &Arc<[String]> {
        &self.columns
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns().zip(&self.values)
    }

    pub fn get(&self, column: &str) -> Option<&Value> {
        self.index_of(column).map(|index| &self.values[index])
    }

    pub fn has(&self, column: &str) -> bool {
        self.index_of(column).is_some()
    }

    /// Returns the values of some columns, or `None` if the row lacks one of them.
    pub fn key<'n>(&self, mut columns: impl Iterator<Item = &'n str>) -> Option<Key> {
        columns.try_fold(Key::new(), |mut key, column| {
            key.push(self.get(column)?.clone());
            Some(key)
        })
    }

    /// Replaces the value of a column. Returns false if the row lacks the column.
    pub fn set(&mut self, column: &str, value: Value) -> bool {
        let index = self.index_of(column);
        if let Some(index) = index {
            self.values[index] = value;
        }
        index.is_some()
    }

    /// Adds a column at the end of the row.
    pub fn push(&mut self, column: &str, value: Value) {
        self.columns = self.columns.iter().cloned().chain([column.to_owned()]).collect();
        self.values.push(value);
    }

    /// Returns the row with a further column at its end.
    #[must_use]
    pub fn with(mut self, column: &str, value: Value) -> Row {
        self.push(column, value);
        self
    }

    /// Returns the columns for which the condition is true.
    #[must_use]
    pub fn filtered(&self, is_wanted: impl Fn(&str, &Value) -> bool) -> Row {
        self.iter()
            .filter(|(column, value)| is_wanted(column, value))
            .map(|(column, value)| (column, value.clone()))
            .collect()
    }

    /// Returns the row without one column.
    #[must_use]
    pub fn without(&self, unwanted: &str) -> Row {
        self.filtered(|column, _| column != unwanted)
    }

    /// Returns this row followed by the columns of another.
    #[must_use]
    pub fn followed_by(&self, other: &Row) -> Row {
        self.iter().chain(other.iter()).map(|(column, value)| (column, value.clone())).collect()
    }

    /// Returns the row as columns and values that own their names, as reports show it.
    pub fn pairs(&self) -> Vec<(String, Value)> {
        self.iter().map(|(column, value)| (column.to_owned(), value.clone())).collect()
    }

    /// True if both rows have the same columns, in any order, and each value is equal to the bit.
    pub fn is_same(&self, other: &Row) -> bool {
        self.len() == other.len()
            && self.iter().all(|(column, value)| other.get(column).is_some_and(|other| other.is_same(value)))
    }

    fn index_of(&self, column: &str) -> Option<usize> {
        self.columns().position(|known| known == column)
    }
}

impl Default for Row {
    fn default() -> Row {
        Row::new()
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(pairs: I) -> Row {
        let (columns, values): (Vec<String>, Vec<Value>) =
            pairs.into_iter().map(|(column, value)| (column.into(), value)).unzip();
        Row { columns: columns.into(), values }
    }
}

impl<N: Into<String>> From<Vec<(N, Value)>> for Row {
    fn from(pairs: Vec<(N, Value)>) -> Row {
        pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::from(vec![("id", Value::Integer(1)), ("name", Value::text("a"))])
    }

    #[test]
    fn column_added_and_removed_gives_equal_row() {
        let more = row().with("b", Value::Null);
        assert_eq!(more.get("b"), Some(&Value::Null));
        assert_eq!(more.columns().collect::<Vec<_>>(), ["id", "name", "b"]);
        assert_eq!(more.without("b"), row());
    }

    #[test]
    fn clone_shares_column_names_until_column_is_added() {
        let mut copy = row();
        let original = copy.clone();
        assert!(copy.set("name", Value::text("b")));
        assert!(!copy.set("other", Value::Null));
        assert!(Arc::ptr_eq(&copy.columns, &original.columns));
        assert_eq!(original.get("name"), Some(&Value::text("a")));
        assert!(!Arc::ptr_eq(&copy.with("b", Value::Null).columns, &original.columns));
    }

    #[test]
    fn names_are_shared_with_row_of_equal_columns_only() {
        let first = row();
        let shared = row().sharing_columns_of(Some(&first));
        assert!(Arc::ptr_eq(&shared.columns, &first.columns));
        assert_eq!(shared, first);
        let longer = row().with("b", Value::Null);
        assert_eq!(longer.clone().sharing_columns_of(Some(&first)), longer);
    }

    #[test]
    fn row_of_fewer_values_leaves_columns_out() {
        let columns: Arc<[String]> = Arc::new(["a".to_owned(), "b".to_owned()]);
        assert_eq!(Row::of(&columns, vec![Value::Null]), Row::from(vec![("a", Value::Null)]));
        assert_eq!(Row::of(&columns, vec![Value::Null; 3]).len(), 2);
    }

    #[test]
    fn is_same_ignores_the_order_of_columns() {
        let turned = Row::from(vec![("name", Value::text("a")), ("id", Value::Integer(1))]);
        assert!(turned.is_same(&row()));
        assert_ne!(turned, row());
        assert!(!row().with("b", Value::Null).is_same(&row()));
        assert_eq!(row().key(["name", "id"].into_iter()), Some(vec![Value::text("a"), Value::Integer(1)]));
        assert_eq!(row().key(["name", "b"].into_iter()), None);
    }
}
